/*
 * The part of a walk that runs in the pool: one directory's names, sorted, and what stat
 * says of each. A directory's names are read by one job; the facts are taken in blocks of
 * at most SCAN_BLOCK names, the first by that same job.
 *
 * A node belongs to the job from lane_put until lane_take; while later blocks are being
 * looked at, its names and what it was made with do not change.
 */
#ifndef BALE_TREE_SCAN_H
#define BALE_TREE_SCAN_H

#include "base/pool.h"
#include "tree/goal.h"
#include "tree/walk.h"

#define SCAN_BLOCK 512u

struct scan_name {
	uint64_t first; /* its first bytes as a number, for sorting */
	uint32_t at;    /* in node->names */
	uint8_t type;   /* DT_… as the directory says */
};

struct scan_item {
	struct facts facts;
	const struct goal *goal;
	uint32_t name; /* in node->names */
	int sys;       /* why it could not be looked at */
	enum walk_note note; /* instead of an entry, unless WALK_NOTES */
	bool follow, enter, full;
};

struct node;
struct scan_block {
	struct job job;
	struct node *node;
	size_t first, count; /* of the names; the first block finds out itself */
	struct scan_item *items;
	size_t n;
	bool ready; /* back from the pool */
	struct scan_block *next;
};

/*
 * A place in the walk's list of what comes next: a directory, or the rest of its
 * children.
 */
struct spot {
	struct spot *prev, *next;
	struct node *node;
	bool more;
};

struct node {
	/* What it was made with. */
	const struct walk_options *opt;
	const struct goal *goal; /* or NULL */
	struct dir *parent;
	char *path; /* its apath; "" for the root */
	size_t path_n;
	const char *name; /* in parent */
	bool follow;
	bool full;     /* all its children are wanted, not only the goals */
	size_t source; /* length of the apath of the source it is in */
	uint64_t dev;  /* of that source */
	/* What the first job finds. */
	int sys; /* why it could not be read, wholly */
	bool cache;
	struct dir *dir;
	struct buf names; /* each with its NUL */
	struct scan_name *index;
	size_t n_names, cap_names;
	/* The walk's. */
	struct scan_block *head, *tail;
	size_t scanned; /* names that are in some block */
	bool told;      /* sys has been noted already */
	bool emitted, started;
	struct buf subs, sub_names; /* directories below, to come */
	size_t next_sub;
	uint64_t held_dev, held_ino; /* of dir, while it is closed for the time being */
	struct spot self, rest;
};

/* The job of a node's first block (count 0), or of a later one. */
void scan_run(struct job *job);

#endif
