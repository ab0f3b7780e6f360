/*
 * Hints inside hunks and lists: bundles by ordinal in a table that stands in the order in
 * which they are first named, slots by their distance from where the last reference into
 * the same bundle left off (hunk.md §5).
 */
#ifndef BALE_FORMAT_HINTS_H
#define BALE_FORMAT_HINTS_H

#include "format/hunk.h"

/* The caller's bundle numbers become ordinals. */
struct hint_writer {
	uint32_t *numbers; /* by ordinal: the caller's number */
	uint32_t *next;    /* by ordinal: the slot that is expected */
	uint32_t n;
	uint32_t last;     /* ordinal of the reference before */
	uint32_t *cells;   /* hash table of ordinals + 1; 0 is empty */
	size_t numbers_cap, next_cap, n_cells;
};

void hint_writer_release(struct hint_writer *w);
void hint_writer_clear(struct hint_writer *w);

/* The bundle's part goes to *bundle, the slot's to *slot; they may be the same buf. */
void hint_writer_add(
    struct hint_writer *w, const struct hint *h, struct buf *bundle, struct buf *slot);

/* Append a table of n. */
void bundle_table_encode(const struct bundle_ref *refs, uint32_t n, struct buf *out);

/* The table, or NULL with a failed cursor (or where n is 0). Owned by the caller. */
struct bundle_ref *bundle_table_decode(struct cursor *c, uint32_t n);

struct hint_reader {
	uint32_t n;    /* bundles in the table */
	uint32_t seen; /* of them named so far */
	uint32_t last;
	uint32_t *next;
};

/* n has been checked against the bytes at hand. */
void hint_reader_init(struct hint_reader *r, uint32_t n);
void hint_reader_release(struct hint_reader *r);

/* On failure one of the two cursors, which may be the same, has failed. */
void hint_reader_next(
    struct hint_reader *r, struct cursor *bundle, struct cursor *slot, struct hint *h);

#endif
