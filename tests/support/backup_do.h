/*
 * Backups for tests: each run as a process of its own, on a store that outlives it. The
 * clock stands, an hour ahead of the files that the test has just made, so that none of
 * them looks touched while it was read.
 */
#ifndef BALE_TESTS_BACKUP_DO_H
#define BALE_TESTS_BACKUP_DO_H

#include "engine/backup.h"

struct backup_do {
	struct store *store;   /* borrowed */
	const char *cache;     /* NULL: none */
	const char *source;
	const char *const *sources; /* instead of source, ended by NULL */
	const char *set;       /* NULL: "home" */
	unsigned threads, transfers, puts;
	uint64_t checkpoint;   /* 0: none */
	bool spaced;           /* as backup_options has it */
	int64_t now;           /* 0: a minute later than the last run */
	int64_t step;          /* ns by which the clock moves on at each look */
	uint64_t seed;         /* 0: another one each time */
	int64_t patience;      /* 0: as repo_open sets it */
	bool ignore_ctime;
	const volatile bool *stop;
	repo_settle_fn *settle;
	void *settle_arg;
	struct monitor *monitor;
};

/* Opens the repository, backs up, closes it. */
bool backup_do(const struct backup_do *d, struct backup_result *out, struct err *e);

/* The same; a failure ends the test program. */
void backup_must(const struct backup_do *d, struct backup_result *out);

/* A clock as backup_do has it. */
int64_t backup_clock(void);

/*
 * A new repository in the store, which it borrows: bundles and frames of 64 KiB, files
 * cut at an average of 4 KiB. The same seed makes the same.
 */
void backup_init(struct store *store, bool encrypted, uint64_t seed);

/* The same with another average, a power of two from 256 on. */
void backup_init_cut(
    struct store *store, bool encrypted, uint64_t seed, uint32_t average);

/* Open it for reading. The clock and chance of all that are open are one. */
struct repo *backup_open(struct store *store);

#endif
