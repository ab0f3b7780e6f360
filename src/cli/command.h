/*
 * A command: one file cmd_NAME.c defines one of these, the table in commands.c names it,
 * and parsing, help and the check of the manual page all read the same option table.
 */
#ifndef BALE_CLI_COMMAND_H
#define BALE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct cli;

struct option_def {
	char letter;       /* '\0': none */
	const char *name;  /* NULL ends a table */
	const char *value; /* what its argument is called; NULL: it takes none */
	const char *help;
};

enum need {
	NEED_REPO = 1,   /* a repository must be named */
	NEED_KEY = 2,    /* and opened: options that tell its secret */
	NEED_FOLDER = 4, /* or any folder: its argument may name it too */
	MAY_CACHE = 8,   /* what never changes may come from the local cache */
};

struct command {
	const char *name;
	const char *synopsis;             /* what follows name and options */
	const char *help;                 /* one line */
	const struct option_def *options; /* NULL: none of its own */
	unsigned needs;
	int min_args, max_args; /* max_args -1: no limit */
	/* On success cli->status may still tell of a partial one. */
	bool (*run)(struct cli *c, struct err *e);
};

/* In the order of the help, ending with NULL. */
extern const struct command *const commands[];

/* NULL where there is none of that name. */
const struct command *command_find(const char *name);

extern const struct command cmd_backup, cmd_cat, cmd_client, cmd_doctor, cmd_help,
    cmd_init, cmd_key, cmd_list, cmd_ls, cmd_pin, cmd_prune, cmd_remove, cmd_restore,
    cmd_tag, cmd_undelete, cmd_unpin, cmd_vacuum, cmd_validate, cmd_version;

#endif
