/*
 * What a storage really does: each operation of the contract tried on files of its own,
 * timed and judged. It needs no repository. The files lie in the folder "doctor", which
 * readers of a repository ignore, under fresh random names, and are removed at the end;
 * whoever is killed leaves nothing but them.
 *
 * What is seen is seen through one mount: other machines may see a file later.
 */
#ifndef BALE_ENGINE_DOCTOR_H
#define BALE_ENGINE_DOCTOR_H

#include "store/store.h"

#define DOCTOR_LARGE (8u << 20) /* bytes of the file that throughput is measured with */
#define DOCTOR_WAIT 10          /* seconds that a listing is given to tell the truth */

/* In the order in which they are told. */
enum doctor_op {
	DOCTOR_FOLDER,    /* make the folder; not tried where it is there */
	DOCTOR_PUT,       /* create, write, sync, close: 4 KiB */
	DOCTOR_SHOWN,     /* a listing shows what was written */
	DOCTOR_EXCLUSIVE, /* a second file of the same name is refused */
	DOCTOR_GET,       /* read it back: the same bytes */
	DOCTOR_RANGE,     /* read from its middle */
	DOCTOR_SIZE,      /* ask for its size */
	DOCTOR_LIST,
	DOCTOR_PUT_LARGE,
	DOCTOR_GET_LARGE,
	DOCTOR_REMOVE,
	DOCTOR_GONE, /* a listing no longer shows what was removed */
	DOCTOR_OPS,
};

struct doctor_probe {
	bool tried; /* not: what it needs has failed; the folder: it was there */
	bool ok;
	/*
	 * The median of those that were made. SHOWN, GONE: until the end of the first
	 * listing that told so, and 0 where that was the very first.
	 */
	double seconds;
	struct err why; /* where not ok */
};

struct doctor_result {
	struct doctor_probe probes[DOCTOR_OPS];
	bool ok;         /* all of them */
	unsigned litter; /* files of ours that could not be removed */
	size_t others;   /* files in the folder that are not ours: left by an earlier run,
			    or another one is at it */
	bool has_space;
	uint64_t space; /* bytes free */
};

struct doctor_options {
	struct env *env;
	const volatile bool *stop; /* may be NULL */
	/* Each probe as soon as it is known; may be NULL. */
	void (*on_probe)(void *arg, enum doctor_op op, const struct doctor_probe *probe);
	void *arg;
};

/* True also where nothing works: *out tells. ERR_STOPPED. */
bool doctor_run(struct store *s, const struct doctor_options *o,
    struct doctor_result *out, struct err *e);

#endif
