/*
 * Resolving for readers (design.md, section 5): where the hint misses, moves, then all
 * copies that the deltas know, and as a last resort the directories of all listed
 * bundles. What counts here is that the bytes can be had. The id decides; who reads the
 * chunk verifies it. One thread.
 */
#ifndef BALE_INDEX_RESOLVE_H
#define BALE_INDEX_RESOLVE_H

#include "bundle/inventory.h"
#include "bundle/read.h"
#include "repo/repo.h"

struct found {
	struct id bundle;
	uint32_t slot;
};

struct resolver;

/* Costs nothing until the first look-up. */
struct resolver *resolver_new(struct repo *r);
void resolver_free(struct resolver *res); /* NULL is harmless */

/* How far a search goes; each costs more than the one before. */
enum reach {
	REACH_MOVES,   /* the deltas that tell of moves, and places not moved away from */
	REACH_DELTAS,  /* all deltas */
	REACH_BUNDLES, /* and the directories of bundles that no delta tells of */
};

/*
 * Places that hold a chunk, borrowed until the next call; *n is 0 where none is known.
 * What the search reads it reads once.
 */
bool resolver_find(struct resolver *res, enum file_type type, const struct id *id,
    enum reach reach, const struct found **out, size_t *n, struct err *e);

/*
 * Read a chunk from where `hint` says (NULL: nowhere), and where that misses from
 * wherever else it is. The span lives until the next call on the reader. With res NULL
 * only the hint is tried. ERR_MISSING or ERR_CORRUPT, telling of the hint: it cannot be
 * had.
 */
bool resolver_read(struct resolver *res, struct chunk_reader *cr, enum file_type type,
    const struct found *hint, const struct id *id, struct span *out, struct err *e);

#endif
