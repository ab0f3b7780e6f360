/* A snapshot's index made by hand: hunks and lists of files, for tests of readers. */
#ifndef BALE_TESTS_INDEX_MAKE_H
#define BALE_TESTS_INDEX_MAKE_H

#include "format/band.h"
#include "format/hunk.h"
#include "repo/repo.h"

/* Chunks to be put in one bundle, with what is to refer to them. */
struct index_make {
	struct repo *r;
	struct bundle_ref data; /* the bundle of data that hints name */
	uint32_t per_hunk;      /* entries in each */
	uint32_t per_list;      /* items in each; 0: the band refers to the hunks */
};

/* bundle_store, and the reference to what was stored. */
struct bundle_ref index_bundle(struct repo *r, enum file_type type,
    const struct span *chunks, size_t n, size_t per_frame);

/* The chunk that a test file holds, and its reference: slot i of m->data. */
void index_extent(const struct index_make *m, uint32_t slot, struct span content,
    struct extent *x);

/* Put the hunks, and lists of as many levels as it takes until one would hold all. */
void index_store(const struct index_make *m, const struct entry *entries, size_t n,
    struct band *b);

#endif
