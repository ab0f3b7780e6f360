/*
 * Writing a band's index: entries in apath order → hunks → references for a part or tail.
 *
 * A hunk names bundles, so it can be put together only when every bundle that it relies
 * on has its name, that is, when the storage has acknowledged it: data before the hunk
 * that names it. Until then it waits in its compact form. One thread.
 */
#ifndef BALE_BAND_WRITE_H
#define BALE_BAND_WRITE_H

#include "bundle/pack.h"
#include "format/band.h"
#include "repo/cache.h"

struct band_writer;

/* Whether a chunk of the index is on the storage already, and may be relied on. */
typedef bool band_known_fn(
    void *arg, const struct id *id, struct hint *out, bool *found, struct err *e);

struct band_writer_options {
	struct repo *repo;
	struct inventory *inventory;
	struct packer *hunks; /* bundles of hunks */
	struct packer *lists; /* bundles of lists, which name those of hunks */
	band_known_fn *known;
	void *arg;
	struct cache_pack_writer *pack; /* gets each hunk and list too; may be NULL */
	/* As of the entry added last; kept at each hunk's end. */
	const struct band_totals *totals;
};

struct band_writer *band_writer_new(const struct band_writer_options *o);
void band_writer_free(struct band_writer *w); /* NULL is harmless */

/* The next entry; hints are inventory numbers. */
bool band_writer_add(struct band_writer *w, const struct entry *entry, struct err *e);

/* End the hunk under way, as at the end of the tree. */
void band_writer_end(struct band_writer *w);

/* How many have ended. */
size_t band_writer_hunks(const struct band_writer *w);

/* Write the hunks at the head of the queue whose bundles all have names. */
bool band_writer_poll(struct band_writer *w, struct err *e);

/* Bytes of hunks that wait for names. */
size_t band_writer_waiting(const struct band_writer *w);

/*
 * Write whatever can be (the bundles of data have been flushed), and fill in level,
 * references, last apath and totals of a part or tail, which has no references yet.
 */
bool band_writer_refs(struct band_writer *w, struct band *b, struct err *e);

/*
 * A large file's extents as list chunks; the bundles that they point into have names.
 * *out, freed by the caller also after a failure, gets at most ENTRY_EXTENTS references
 * to lists.
 */
bool band_writer_extents(struct band_writer *w, const struct extent *extents, size_t n,
    struct extent **out, size_t *n_out, uint32_t *level, struct err *e);

#endif
