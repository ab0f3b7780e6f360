/*
 * The index: chunk id → every place that holds it, over all bundles that the deltas of
 * the repository tell of. Local, disposable, and kept as sorted runs in the cache folder,
 * which are mapped, not loaded; the deltas that no run covers are fetched at the first
 * look-up. Exact: what it does not find is new. One thread.
 */
#ifndef BALE_INDEX_INDEX_H
#define BALE_INDEX_INDEX_H

#include "bundle/inventory.h"
#include "format/entry.h"
#include "repo/cache.h"
#include "repo/repo.h"

struct index;

/* Costs nothing until the first look-up. The cache may be one that keeps nothing. */
struct index *index_new(struct repo *r, struct cache *cache, struct inventory *inv);
void index_free(struct index *x); /* NULL is harmless */

/*
 * The first place of a chunk that may be relied on (inventory_usable); *found tells. A
 * delta that is not whole does not count: its chunks are stored again. Fails where the
 * storage does.
 */
bool index_find(struct index *x, const struct id *id, struct hint *out, bool *found,
    struct err *e);

/* A delta of this run, so that the next run need not fetch it. Best effort. */
void index_learn(struct index *x, const struct id *delta, struct span plain);

#endif
