/*
 * One entry on its way through a backup: from the walk, through reading and storing, to
 * the hunk. The main thread makes, moves and frees items; between being put into a read
 * job and coming back from it an item belongs to the job.
 */
#ifndef BALE_ENGINE_ITEM_H
#define BALE_ENGINE_ITEM_H

#include "format/entry.h"
#include "tree/walk.h"

#define NO_TICKET UINT64_MAX

/* A piece of a file: an extent, and how its place is found. */
struct piece {
	struct extent x;
	uint64_t ticket; /* of the packer of data; NO_TICKET: x.hint is the place */
	size_t at;       /* of its bytes in the job's buffer, until it is stored */
};

enum item_state {
	ITEM_READY,   /* nothing to read, or all pieces are stored */
	ITEM_READING, /* in a read job */
	ITEM_READ,    /* back from it */
	ITEM_LARGE,   /* to be streamed when its turn comes */
};

enum item_outcome {
	ITEM_FINE,
	ITEM_VANISHED,
	ITEM_UNREADABLE,
};

/* What the walk has met since the item before, and no item tells of. */
struct told {
	uint32_t removed, unreadable, vanished;
};

struct item {
	struct item *next;
	enum item_state state;
	enum item_outcome outcome;
	struct err *why;         /* where the outcome is not fine */
	struct entry entry;      /* spans point into the item, or live as long as the run */
	struct piece *pieces;
	size_t n_pieces, cap;
	struct buf xattrs, target, inline_data;
	bool list;               /* pieces are references to lists */
	/* to read it */
	struct dir *dir;
	struct facts facts;
	bool follow;
	bool changed;            /* while it was read */
	int64_t seen;            /* ns: the clock when the reading was asked for */
	uint64_t bytes_read, bytes_new;
	/* Of the basis, marked stale: stands in if it cannot be read. */
	struct item *fallback;
	bool rescue;             /* rests on what may not be relied on: to be copied */
	bool is_new, is_changed; /* against the basis */
	struct told told;        /* counted when the item leaves the queue */
	uint32_t link;           /* number of its hard-link group + 1; 0: none */
	bool link_first;
	const char *name;        /* in dir; NUL-ended, in text */
	uint8_t text[];          /* apath, name */
};

/* From the walk: metadata set, content not. Takes a reference to the directory. */
struct item *item_new(const struct walk_item *wi);

/* A copy of a snapshot's entry but for extents, which the caller adds. */
struct item *item_copy(const struct entry *entry);

void item_free(struct item *it); /* and its fallback; NULL is harmless */

void item_add_piece(struct item *it, const struct extent *x, uint64_t ticket, size_t at);

/* What goes into the snapshot: the item, its fallback, or nothing. */
static inline struct item *item_used(struct item *it)
{
	if (it->outcome == ITEM_UNREADABLE)
		return it->fallback;
	return it->outcome == ITEM_VANISHED ? NULL : it;
}

/* It cannot be read, or is gone: errno. */
void item_fail(struct item *it, int sys);

/* About how many bytes it takes in a hunk. */
size_t item_weight(const struct item *it);

/* Whether both tell of the same file: times of change and staleness apart. */
bool item_same(const struct item *a, const struct item *b);

/* Take over another's content and extended attributes: of the same inode. */
void item_share(struct item *it, const struct item *from);

#endif
