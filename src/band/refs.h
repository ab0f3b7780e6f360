/*
 * What stands in lists and hunks, one chunk of the index at a time, for those who follow
 * every reference rather than read a snapshot in order. Hints are given as inventory
 * numbers. One thread.
 */
#ifndef BALE_BAND_REFS_H
#define BALE_BAND_REFS_H

#include "band/stream.h"

struct refs {
	struct repo *repo;
	struct chunk_reader *chunks;
	struct inventory *inventory;
	struct resolver *resolver;
	stream_cache_fn *cache; /* asked before the storage; may be NULL */
	void *cache_arg;
};

/*
 * The functions below read a chunk and tell of what is in it, in order; all of it is
 * borrowed. ERR_CORRUPT or ERR_MISSING: it cannot be had, or not all of it; any other
 * error is the storage's, or what the function told said.
 */
typedef bool refs_hunk_fn(void *arg, const struct hunk_ref *r, struct err *e);
typedef bool refs_entry_fn(void *arg, const struct entry *en, struct err *e);
typedef bool refs_extent_fn(void *arg, const struct extent *x, struct err *e);

/* The references of a band's tail or part, to hunks where band->list_level is 0. */
bool refs_band(const struct refs *s, const struct band *b, refs_hunk_fn *fn, void *arg,
    struct err *e);

/* A list of hunks, or of such lists: its items are hunks where level is 0. */
bool refs_list(const struct refs *s, const struct hunk_ref *list, uint32_t level,
    refs_hunk_fn *fn, void *arg, struct err *e);

bool refs_hunk(const struct refs *s, const struct hunk_ref *hunk, refs_entry_fn *fn,
    void *arg, struct err *e);

/* A list of extents, or of such lists: its items are the file's where level is 0. */
bool refs_extents(const struct refs *s, const struct extent *list, uint32_t level,
    refs_extent_fn *fn, void *arg, struct err *e);

/*
 * Have a bundle of the index at hand as a whole, in one read, where many chunks of it
 * will be asked for one after the other. Best effort.
 */
void refs_prefetch(const struct refs *s, uint32_t bundle);

#endif
