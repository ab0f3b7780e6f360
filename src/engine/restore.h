/*
 * Restore, and the reading of single files (design.md, section 8).
 */
#ifndef BALE_ENGINE_RESTORE_H
#define BALE_ENGINE_RESTORE_H

#include "band/bands.h"
#include "base/monitor.h"
#include "repo/repo.h"

struct restore_options {
	const char *target;   /* must be empty or absent */
	struct span path;     /* of what is restored: its contents, or the file itself */
	unsigned threads;     /* for decoding and writing; 0: on the calling thread */
	unsigned transfers;   /* gets at once; 0 gets on the calling thread */
	const char *cache_dir;
	bool numeric;         /* owners by number, not by name */
	const volatile bool *stop;
};

struct restore_result {
	uint64_t files, dirs, others;
	uint64_t bytes;             /* written */
	uint64_t damaged;           /* entries not restored for damage: each was named */
	uint64_t refused;           /* entries that the target did not take: each was named */
	uint64_t attributes;        /* entries that lack an attribute: each was named */
};

/*
 * `band` is a snapshot's tail or part. A directory's contents go into the target, which
 * gets its attributes; a file or link goes there itself, under its last name. Damage is
 * named file by file, and the rest restored: that is success, with counts; a file that is
 * not whole is not there afterwards. ERR_MISSING where the path is not in the snapshot.
 * False: what was restored so far stays, *e says why it went no further.
 */
bool restore_run(struct repo *r, const struct band *band, const struct restore_options *o,
    struct monitor *m, struct restore_result *out, struct err *e);

/* The content of one file, in order, through `write`. ERR_MISSING, ERR_CORRUPT, … */
typedef bool cat_write_fn(void *arg, struct span bytes, struct err *e);
bool cat_run(struct repo *r, const struct band *band, struct span path,
    const char *cache_dir, cat_write_fn *write, void *arg, struct err *e);

#endif
