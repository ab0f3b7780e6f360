/*
 * A list: references that are too many for the JSON or the entry that needs them
 * (list.md), as the plain bytes of one chunk in a bundle of hunks. Two kinds: of hunks (a
 * band's index) and of extents (a large file's content). Level 0 holds the items
 * themselves; level n holds references to lists of level n-1.
 */
#ifndef BALE_FORMAT_LIST_H
#define BALE_FORMAT_LIST_H

#include "format/hints.h"

/* A reference to a hunk, or to a list of them. */
struct hunk_ref {
	struct id id;
	struct hint hint;
	uint32_t length;     /* plain bytes of the chunk */
	struct span first;   /* apath of its first entry */
	uint64_t entries;    /* in it, or below it */
};

enum list_kind { LIST_HUNKS = 1, LIST_EXTENTS = 2 };

/* Like hunk_writer: hints carry the caller's bundle numbers until list_writer_finish. */
struct list_writer;

struct list_writer *list_writer_new(enum list_kind kind, uint32_t level);
void list_writer_free(struct list_writer *w);
void list_writer_add_hunk(struct list_writer *w, const struct hunk_ref *r);
void list_writer_add_extent(struct list_writer *w, const struct extent *x);
uint32_t list_writer_count(const struct list_writer *w);
const uint32_t *list_writer_bundles(const struct list_writer *w, uint32_t *n);
void list_writer_finish(
    struct list_writer *w, const struct bundle_ref *refs, struct buf *out);

/*
 * Whether a list ends after this item: from 32 items on where the low 6 bits of its id's
 * first byte are 0, or at 512. id is NULL for a hole.
 */
bool list_ends(const struct id *id, uint32_t count);

struct list_iter {
	enum list_kind kind;
	uint32_t level;
	uint32_t count;
	uint32_t n_bundles;
	struct bundle_ref *bundles; /* owned */
	/* private */
	struct cursor c;
	uint32_t left;
	struct buf last; /* the previous first apath, for front coding */
	struct hint_reader hints;
};

bool list_open(struct list_iter *it, struct span plain, struct fault *f);
/* The one that fits the kind. r->first is valid until the next step. */
enum step list_next_hunk(struct list_iter *it, struct hunk_ref *r, struct fault *f);
enum step list_next_extent(struct list_iter *it, struct extent *x, struct fault *f);
void list_close(struct list_iter *it);

#endif
