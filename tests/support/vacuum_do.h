/*
 * Vacuums, removals and their generations of snapshots for tests: each run as a process
 * of its own, on a store that outlives it, with the clock of backup_do.
 */
#ifndef BALE_TESTS_VACUUM_DO_H
#define BALE_TESTS_VACUUM_DO_H

#include "engine/vacuum.h"
#include "store/store.h"
#include "tests/support/backup_do.h"

#define AGES_MAX 64

/* A source that changes, a store, and what every snapshot must be. */
struct ages {
	struct env *env;           /* of the store */
	struct store *store;
	char *dir;                 /* scratch: src, and gen-N for each generation */
	unsigned generations;
	char band[AGES_MAX][BAND_MAX_LEN + 1];
	bool removed[AGES_MAX];
	uint64_t random;
	unsigned files;
	size_t large;
};

/*
 * A repository with bundles of 256 KiB and frames of 64 KiB, and a first source: so many
 * small files, and one of `large` bytes.
 */
void ages_init(struct ages *w, unsigned files, size_t large);
void ages_release(struct ages *w);

/* Change so many files in a hundred: rewritten, renamed, deleted, made. */
void ages_change(struct ages *w, unsigned percent);

/* Back it up as a new generation, and keep a copy of the source. */
void ages_backup(struct ages *w, const char *cache);

/* A new store with backups of nothing but the generations that are left; no cache. */
struct store *ages_fresh(struct ages *w);

/* Write the removed file of a generation. */
void ages_remove(struct ages *w, unsigned generation);

/* Whether the snapshot of a generation holds what its source held; *e: what differs. */
bool ages_whole(struct ages *w, struct store *store, unsigned generation, struct err *e);

/* Every snapshot that is not removed holds what its source held; else the test fails. */
void ages_check(struct ages *w, struct store *store);

/* Bytes of all files, and of those of a folder. */
uint64_t store_bytes(struct store *s);
uint64_t folder_bytes(struct store *s, const char *folder);

/* Options as tests want them: everything runs on the calling thread. */
void vacuum_do_init(struct vacuum_options *o);

/* Opens the repository, vacuums, closes it. */
bool vacuum_do(struct store *store, const struct vacuum_options *o,
    struct vacuum_result *out, struct err *e);

/* The same over a mount that `settle` waits for. */
bool vacuum_do_settled(struct store *store, const struct vacuum_options *o,
    repo_settle_fn *settle, void *settle_arg, struct vacuum_result *out, struct err *e);

/* As vacuum_do; a failure ends the test program. */
void vacuum_must(
    struct store *store, const struct vacuum_options *o, struct vacuum_result *out);

#endif
