/*
 * A run: a sorted, immutable part of the index, in a file of the cache folder or in
 * memory.
 *
 *   magic 8, repository id 16, deltas u32, bundles u32, entries u64, reserved 24
 *   deltas:  24 bytes each, ascending
 *   bundles: name 24, size u64, type u8, zero 7
 *   entries: id 24, bundle u32 (in this run's table), slot u32; ascending
 *   BLAKE2b-192 of all that
 */
#ifndef BALE_INDEX_RUN_H
#define BALE_INDEX_RUN_H

#include "base/buf.h"
#include "base/err.h"
#include "format/bundle.h"

#define RUN_HEAD   64
#define RUN_BUNDLE 40
#define RUN_ENTRY  32

struct run {
	char name[32]; /* of its file; "" in memory */
	const uint8_t *base;
	size_t size;
	bool mapped;
	uint32_t n_deltas, n_bundles;
	uint64_t n_entries;
	const uint8_t *deltas, *bundles, *entries;
	uint32_t *numbers; /* a bundle's number in the inventory + 1; 0: not asked yet */
};

/* Collects entries until they are sorted into a run. */
struct run_builder {
	struct buf deltas, bundles, entries;
};

#define RUN_BUILDER_EMPTY {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY}
void run_builder_release(struct run_builder *b);

/* Adds all that a delta tells; nothing of one that is faulty. */
bool run_builder_add(
    struct run_builder *b, const struct id *delta, struct span plain, struct fault *f);

/* The bytes of the run; the builder is empty afterwards. */
void run_builder_finish(
    struct run_builder *b, const uint8_t repo[REPO_ID_SIZE], struct buf *out);

/* One run of several: their bytes, merged entry by entry into an open file. */
bool run_merge(
    struct run *const *runs, size_t n, const uint8_t repo[REPO_ID_SIZE], int fd);

/* Map a file, or take bytes; NULL where they are not a whole run of this repository. */
struct run *run_map(
    const char *folder, const char *name, const uint8_t repo[REPO_ID_SIZE]);
struct run *run_take(struct buf *bytes, const uint8_t repo[REPO_ID_SIZE]);
void run_free(struct run *r); /* NULL is harmless */

/* The first entry whose id is not less than `id`. */
uint64_t run_search(const struct run *r, const struct id *id);

bool run_covers(const struct run *r, const struct id *delta);

#endif
