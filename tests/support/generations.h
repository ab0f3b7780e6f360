/*
 * Generations of a small tree that changes, backed up one after the other: what a
 * snapshot restores to follows from the number of its generation. A failing call ends the
 * test.
 *
 * Generation k has the files f<k> to f<k+2> of FILE_BYTES, big<k/2> of BIG_BYTES, whose
 * extents stand in a list, and some that never change.
 */
#ifndef BALE_TESTS_GENERATIONS_H
#define BALE_TESTS_GENERATIONS_H

#include "format/band.h"
#include "repo/repo.h"

#define GENERATIONS 8 /* at most */
#define FILE_BYTES  20000
#define BIG_BYTES   400000

struct generations {
	struct env *env;
	char *home, *src;
	struct store *mem;
	struct repo *repo; /* over mem, which it owns */
	char names[GENERATIONS][BAND_MAX_LEN + 1]; /* of the bands */
};

/* The first n generations of the set "home", an hour apart. */
void generations_make(struct generations *g, unsigned n, bool encrypted);
void generations_free(struct generations *g);

/* One more, through any repository object; its band is names[k]. */
void generation_backup(
    struct generations *g, struct repo *r, unsigned k, const char *set);

/*
 * Whether a band, removed or not, restores to generation k byte for byte. NULL: it does;
 * else what is wrong, in a static buffer.
 */
const char *generation_differs(
    struct generations *g, struct repo *r, const char *band, unsigned k);

/* Read a band's tail, removed or not. False where it has none that is whole. */
bool tail_read(struct repo *r, const char *band, struct band *out);

/* A tombstone for a bundle; where asked for, its chunks have been copied and told of. */
void bundle_condemn(struct repo *r, const struct band_bundle *b, bool move);

#endif
