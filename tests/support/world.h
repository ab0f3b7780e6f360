/*
 * A source, a storage and a client, for tests of backups. What should not fail ends the
 * test program.
 */
#ifndef BALE_TESTS_WORLD_H
#define BALE_TESTS_WORLD_H

#include "format/band.h"
#include "tests/support/backup_do.h"
#include "tests/support/check_snapshot.h"

struct world {
	char *top, *source, *cache;
	struct store *store;         /* in memory */
	struct backup_do d;          /* of the next run: changed at will */
	struct backup_result result; /* of the last */
	struct err err;
	struct store_counts counts;  /* operations of the last run */
	unsigned problems[16];       /* told during it, by enum problem */
	struct monitor monitor;
	char *then[8];               /* copies of the source: world_keep */
	unsigned n_then;
};

void world_begin(struct world *w);
void world_end(struct world *w);

/* Back up; must succeed, respectively fail. */
void world_run(struct world *w);
void world_fail(struct world *w, enum err_kind kind);

/* Remember the source as it is now; the number of the memory. */
unsigned world_keep(struct world *w);

/* The snapshot is what the source is now, or was then. */
struct check_result world_check(struct world *w, const char *band);
void world_check_then(struct world *w, const char *band, unsigned then);

/* One entry of the snapshot is as it was then; whether it is stale. */
bool world_entry(struct world *w, const char *band, const char *name, unsigned then);

/* Whether the snapshot has it. */
bool world_has(struct world *w, const char *band, const char *name);

/* Files of the source: noise of a seed, or a text. */
void world_noise(struct world *w, const char *name, size_t n, uint64_t seed);
void world_text(struct world *w, const char *name, const char *text);
const char *world_path(struct world *w, const char *name);

/* The tail, part or head of a band, released by the caller. */
void world_band(struct world *w, const char *band, enum band_file *kind, struct band *b);

#endif
