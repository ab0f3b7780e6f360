/*
 * The user's files in apath order (format/entry.h), one item an entry. Directories are
 * read ahead by a pool, in the order they will be needed, and given out by the one thread
 * that calls walk_next; with a pool of 0 threads the order is the same. Memory is that of
 * the directories read ahead and on the way, whatever the size of the tree; of a
 * directory too large to be held, only the names.
 *
 * Sources are made absolute with the working directory; "." and ".." in them are resolved
 * in the text. Directories on the way to a source are given out too (a restore recreates
 * them), but nothing else that is in them. A symlink on the way, or a source that ends in
 * a slash, is followed and given out as a directory; a source that is itself a symlink is
 * one. Overlapping sources are merged. A source is never left out by the filter, nor the
 * way to it.
 */
#ifndef BALE_TREE_WALK_H
#define BALE_TREE_WALK_H

#include "base/err.h"
#include "base/pool.h"
#include "tree/dir.h"
#include "tree/facts.h"
#include "tree/filter.h"

/* Told by walk_options.note, in the thread that calls walk_next, once each. */
enum walk_note {
	WALK_MISSING,    /* a source that is not there */
	WALK_VANISHED,   /* seen in its directory and gone before it could be looked at */
	WALK_UNREADABLE, /* could not be looked at, or its directory not (wholly) read */
	WALK_SOCKET,     /* cannot be stored */
	WALK_OWN,        /* a folder of bale itself, left out */
	WALK_CACHE,      /* a directory whose content is left out for its CACHEDIR.TAG */
	WALK_NOTES
};

struct walk_inode {
	uint64_t dev, ino;
};

struct walk_options {
	const struct filter *filter; /* or NULL */
	bool one_file_system; /* a mount point within a source is not entered */
	bool cachedir;        /* honour CACHEDIR.TAG: keep the directory and the tag */
	const struct walk_inode *own; /* directories left out altogether; borrowed */
	size_t n_own;
	/* sys is an errno value or 0; apath lives during the call. May be NULL. */
	void (*note)(void *arg, enum walk_note what, struct span apath, int sys);
	void *arg;
};

/*
 * Three sorts of items:
 * - unreadable 0: an entry with its facts.
 * - unreadable an errno value, below false: an entry that could not be looked at; of its
 *   facts nothing is known. An earlier snapshot's entry is to be carried forward.
 * - unreadable an errno value, below true: a directory that could not be (wholly) read.
 *   It stands where its children would, before any of them. Of an earlier snapshot's
 *   entries within apath, those that do not come after this are to be carried forward.
 * All pointers live until the next walk_next; a job that needs the directory longer takes
 * a reference. dir and name are of the entry (NULL where below is true): the directory it
 * is in, and its name there; for "/" it is "." in itself.
 */
struct walk_item {
	struct span apath; /* a NUL follows */
	int unreadable;
	bool below;
	/*
	 * Given out as a directory, but a symlink stands there: who opens it by dir and
	 * name must follow the link. Only on the way to a source, or a source.
	 */
	bool follow;
	struct facts facts;
	struct dir *dir;
	const char *name;
};

struct walk;

/* ERR_USAGE: no source, or an empty or overlong one; ERR_IO: no working directory. */
bool walk_open(struct pool *pool, const char *const *sources, size_t n,
    const struct walk_options *opt, struct walk **out, struct err *e);

/* What cannot be read is told by items and notes: there is no failure. */
enum step walk_next(struct walk *w, const struct walk_item **item);

/* How many notes of each kind were told so far. */
uint64_t walk_count(const struct walk *w, enum walk_note what);

void walk_close(struct walk *w); /* at any time; NULL is harmless */

#endif
