/*
 * The command line of one command, taken apart by its option table.
 */
#ifndef BALE_CLI_OPTIONS_H
#define BALE_CLI_OPTIONS_H

#include "cli/command.h"

struct option_given {
	const struct option_def *def;
	const char *value; /* NULL where it takes none */
};

struct options {
	const struct command *command;
	struct option_given *given; /* in the order given */
	size_t n_given, cap;
	char **args; /* what is no option; borrowed from argv */
	int n_args;
};

/*
 * argv[0] is the command's name. Reorders argv. ERR_USAGE names the option and what is
 * wrong. The number of arguments is checked only where --help is not given.
 */
bool options_parse(struct options *o, const struct command *command, int argc,
    char **argv, struct err *e);
void options_release(struct options *o);

/* `name` must be in the command's tables. */
bool options_has(const struct options *o, const char *name);

/* The last value given, or NULL. */
const char *options_value(const struct options *o, const char *name);

/* All values in order; *n of them; the caller frees the array. */
const char **options_values(const struct options *o, const char *name, size_t *n);

/* A number within bounds; *out is left alone where it is not given. ERR_USAGE. */
bool options_number(const struct options *o, const char *name, long min, long max,
    long *out, struct err *e);

/*
 * The tables of a command, from 0 on until NULL: its own, then the shared ones that its
 * needs bring; *title is a heading for them.
 */
const struct option_def *options_table(
    const struct command *command, unsigned i, const char **title);

#endif
