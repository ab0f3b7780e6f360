/*
 * An entry: one apath's metadata and content, as it stands in a hunk (hunk.md). Spans
 * borrow.
 */
#ifndef BALE_FORMAT_ENTRY_H
#define BALE_FORMAT_ENTRY_H

#include "format/wire.h"

enum entry_kind {
	ENTRY_FILE = 0,
	ENTRY_DIR = 1,
	ENTRY_SYMLINK = 2,
	ENTRY_FIFO = 3,
	ENTRY_CHAR = 4,
	ENTRY_BLOCK = 5,
};

/* Where a chunk was when the reference was written: advice. */
struct hint {
	uint32_t bundle; /* ordinal in the table of bundles at hand */
	uint32_t slot;
};

/* A run of a file's bytes: a chunk, or a hole. */
struct extent {
	/* At least 1; a chunk's at most CHUNK_MAX; a list's: what it tells of. */
	uint64_t length;
	bool hole;
	struct id id;    /* not of a hole */
	struct hint hint;
};

enum content { CONTENT_NONE, CONTENT_INLINE, CONTENT_EXTENTS, CONTENT_LIST };

struct entry {
	struct span apath; /* from '/' on; no empty, "." or ".." component; root "/" */
	enum entry_kind kind;
	bool stale;        /* source unreadable: carried over from an earlier snapshot */
	uint64_t size;     /* of a file, in bytes; else 0 */
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint32_t mode;     /* permission bits with set-id and sticky: 07777 */
	uint32_t uid, gid;
	struct span user, group;   /* names; empty where unknown */
	struct span xattrs;        /* see xattrs_add; empty where none */
	struct span target;        /* of a symlink */
	uint32_t major, minor;     /* of a device */
	struct span hardlink;      /* first apath of its group; empty where none */
	enum content content;      /* of a file; CONTENT_NONE where size is 0 */
	struct span inline_data;   /* CONTENT_INLINE: 1 to ENTRY_INLINE bytes */
	const struct extent *extents; /* EXTENTS: of the file. LIST: list chunks */
	uint32_t n_extents;        /* 1 to ENTRY_EXTENTS */
	uint32_t list_level;       /* LIST: 0 when the lists hold extents of the file */
};

/*
 * Apath order (design: components bytewise; a directory's entry among its parent's
 * children, all children of a directory before those of any of its subdirectories):
 * <0, 0, >0.
 */
int apath_compare(struct span a, struct span b);

/* The same of two different apaths whose longest common beginning is left out. */
int apath_compare_tails(struct span a, struct span b);

/* Whether it keeps the rules above and APATH_MAX. */
bool apath_valid(struct span s);

/* Whether `inner` is `outer` or stands below it. */
bool apath_within(struct span inner, struct span outer);

/*
 * Front coding: the length of what an apath shares with the one before, then the rest of
 * it and a NUL. *last is the one before, empty at the first, and becomes this one. prefix
 * and suffix may be the same.
 */
void apath_encode(
    struct buf *prefix, struct buf *suffix, struct buf *last, struct span apath);

/* Checks validity, order and the longest possible sharing; else one cursor has failed. */
bool apath_decode(struct cursor *prefix, struct cursor *suffix, struct buf *last);

/* Extended attributes: names ascending bytewise, each once. */
void xattrs_add(struct buf *b, struct span name, struct span value);

struct xattr_iter {
	struct cursor c;
	struct span last;
};

void xattrs_open(struct xattr_iter *it, struct span xattrs);
enum step xattrs_next(
    struct xattr_iter *it, struct span *name, struct span *value, struct fault *f);

#endif
