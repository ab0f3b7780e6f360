/*
 * The content of files being restored: their extents are gathered in a window of bounded
 * size, ordered by where they are stored, and each frame of a window is read once,
 * decoded once, and its chunks written to wherever they belong.
 *
 * Everything but reading, decoding and writing happens on the thread that calls; results
 * are told there too.
 */
#ifndef BALE_ENGINE_GATHER_H
#define BALE_ENGINE_GATHER_H

#include "engine/outfile.h"
#include "engine/reading.h"

struct gather;

struct gather_options {
	struct reading *reading;
	struct target *target;
	struct pool *cpu, *transfer;
	unsigned ahead;            /* bundles opened ahead */
	const volatile bool *stop; /* may be NULL */
	/*
	 * A file is finished, or failed (f->why) and was removed. It is freed afterwards.
	 */
	void (*done)(void *arg, const struct outfile *f);
	void *arg;
};

struct gather *gather_new(const struct gather_options *o);

/* Drops what is under way: files that are not whole are removed. NULL is harmless. */
void gather_free(struct gather *g);

/*
 * Restore the content of an entry of the stream, which is a file. Some time later,
 * `done`. False: nothing more can be done (the storage, or the target as a whole, fails;
 * or stop).
 */
bool gather_file(struct gather *g, const struct entry *en, size_t prefix, struct err *e);

/* Wait until every file so far is done. */
bool gather_settle(struct gather *g, struct err *e);

#endif
