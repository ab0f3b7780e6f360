/*
 * One run of the program: what a command finds when it is called, and what it needs to
 * open a repository and to say how it went.
 */
#ifndef BALE_CLI_CLI_H
#define BALE_CLI_CLI_H

#include "cli/options.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/secret.h"
#include "repo/repo.h"
#include "store/store.h"

struct cli {
	const struct command *command;
	struct options options;
	struct report report;
	struct listener listener;
	int status;        /* of a command that succeeded */
	int64_t began;     /* ns of the monotonic clock */
	const char *named; /* the repository's folder as it was given; borrowed */
	char *path;        /* the same, absolute; NULL where none was named */
	char *cache_dir;   /* NULL: none */
	long transfers;    /* as given; 0: by the latency of the storage */
	struct repo *repo;
	struct store *trace; /* counts; owned by repo */
};

/* Options are parsed. Sets what follows from them and the environment. ERR_USAGE. */
bool cli_begin(struct cli *c, struct err *e);
void cli_end(struct cli *c);

/*
 * Open the repository that was named. ERR_NOREPO, ERR_UNREACHABLE (also where nothing is
 * at the path now, and a repository was), ERR_AUTH, …
 */
bool cli_open(struct cli *c, struct err *e);
/* To back up: refuses an unencrypted repository where a secret is given. ERR_AUTH. */
bool cli_open_to_write(struct cli *c, struct err *e);

/*
 * False: an engine has failed. Where the storage would not let it write, say which and
 * what to try.
 */
bool cli_failed(const struct cli *c, struct err *e);

/*
 * Open the folder that was named as mere storage, repository or not. Freed by the caller.
 * Not where a repository was seen before and is none now: ERR_UNREACHABLE; ERR_NOREPO, ….
 * One that cannot be listed is opened all the same.
 */
struct store *cli_open_folder(struct cli *c, struct err *e);

/*
 * Whether one may be made there: not at an unmounted mount point, where it would fill the
 * disk below, not at what is another program's address, and not where one is, which is
 * told before a passphrase is asked for. ERR_UNREACHABLE, ERR_USAGE, ERR_EXISTS.
 */
bool cli_may_create(const struct cli *c, struct err *e);

/* Make one there, and open it as cli_open does. */
bool cli_create(struct cli *c, const struct repo_options *o, const struct secret *secret,
    struct err *e);

/* --jobs; by default the processors that this process may use. ERR_USAGE. */
bool cli_jobs(struct cli *c, unsigned *out, struct err *e);

/* Seconds since the command began. */
double cli_seconds(const struct cli *c);

/* The highest resident size so far, in bytes; 0 where it cannot be told. */
uint64_t cli_peak(void);

/*
 * The last line of a command's JSON: add fields to line_new("summary"), then this adds
 * seconds, storage and peak_rss, prints and frees it.
 */
void cli_summary(struct cli *c, json_t *line);

/* "12 put, 3 get, 2 list; 1.4 MiB out, 3.1 KiB in": storage operations so far. */
void cli_storage_text(const struct cli *c, struct buf *out);

/* The repository's id in hexadecimal. */
void cli_repo_id(const struct cli *c, char out[2 * REPO_ID_SIZE + 1]);

#endif
