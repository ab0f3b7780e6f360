/*
 * A file being restored by several threads: made when its first bytes come, written by
 * offset, finished by whoever writes its last. A file that is not whole is removed: what
 * stands under a name is what was backed up, or nothing does.
 */
#ifndef BALE_ENGINE_OUTFILE_H
#define BALE_ENGINE_OUTFILE_H

#include <pthread.h>

#include "format/entry.h"
#include "tree/target.h"

struct outfile {
	struct entry entry; /* a copy; without extents */
	struct span path;   /* below the target */
	unsigned extents;   /* how many it has; for the thread that gathers */
	struct outfile *next; /* for whoever holds it */

	pthread_mutex_t lock; /* guards what follows, and the use of `out` */
	struct target_file *out;
	uint64_t left;      /* pieces that are still to be written, or to be told of */
	uint64_t end;       /* behind the last byte written */
	struct err *why;    /* it failed, and this is why */
	bool refused;       /* by the target, not for damage of the repository */
};

/* Copies what it needs. The path is the apath from `prefix` on. One piece is left. */
struct outfile *outfile_new(const struct entry *en, size_t prefix);
/* Abandons what is not finished; NULL is harmless. */
void outfile_free(struct outfile *f);

/* n more pieces are to come; while at least one is left. */
void outfile_expect(struct outfile *f, uint64_t n);

/*
 * Write a piece. False where it, or the file before, failed: *e is set if it is this one.
 */
bool outfile_write(struct outfile *f, struct target *t, struct span bytes, uint64_t at,
    struct err *e);

/* A piece of it cannot be had. The first reason counts. */
void outfile_fail(struct outfile *f, const struct err *why, bool refused);

/*
 * n pieces are done. True: they were the last, and the file is finished, or removed
 * (f->why); it belongs to the caller alone.
 */
bool outfile_done(struct outfile *f, struct target *t, uint64_t n);

/* Whether a failure of the target is about one name, and the next may well succeed. */
bool target_refusal(const struct err *e);

#endif
