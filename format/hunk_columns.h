/*
 * The columns of a hunk (hunk.md §2), for the two halves of its codec: hunk.c reads,
 * hunk_write.c writes.
 */
#ifndef BALE_FORMAT_HUNK_COLUMNS_H
#define BALE_FORMAT_HUNK_COLUMNS_H

#include "format/hunk.h"

#define HUNK_TAG     'H'
#define HUNK_VERSION 1

enum hunk_column {
	COLUMN_KIND,
	COLUMN_FLAGS,
	COLUMN_PREFIX,
	COLUMN_SUFFIX,
	COLUMN_OWNER,
	COLUMN_OWNER_SET,
	COLUMN_MTIME_S,
	COLUMN_MTIME_NS,
	COLUMN_CTIME_S,
	COLUMN_CTIME_NS,
	COLUMN_SIZE,
	COLUMN_EXTENTS,
	COLUMN_HOLES,
	COLUMN_LENGTH,
	COLUMN_ID,
	COLUMN_BUNDLE,
	COLUMN_SLOT,
	COLUMN_INLINE,
	COLUMN_TARGET,
	COLUMN_DEVICE,
	COLUMN_HARDLINK,
	COLUMN_XATTRS,
	COLUMN_LEVEL,
	COLUMN_COUNT,
};

/* In COLUMN_KIND: the kind in three bits, the content above it in two. */
#define KIND_BITS    7u
#define CONTENT_SHIFT 3
#define CONTENT_BITS 3u
#define KIND_UNKNOWN 0xe0u

/* In COLUMN_FLAGS. */
#define FLAG_STALE      1u
#define FLAG_XATTRS     2u
#define FLAG_HARDLINK   4u
#define FLAG_SAME_CTIME 8u /* the ctime is the mtime and stands in no column */
#define FLAG_UNKNOWN    0xf0u

#define NS_MAX   999999999u
#define MODE_MAX 07777u

/* What many entries have in common: stored once, in order of first use. */
struct owner_set {
	uint32_t mode, uid, gid;
	struct span user, group;
};

static inline bool owner_set_equal(const struct owner_set *a, const struct owner_set *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	    span_equal(a->user, b->user) && span_equal(a->group, b->group);
}

/* Whether the kind may have the content, and the content the size. */
static inline bool content_fits(enum entry_kind kind, enum content content, uint64_t size)
{
	if (content == CONTENT_NONE)
		return size == 0;
	return kind == ENTRY_FILE && size > 0;
}

#endif
