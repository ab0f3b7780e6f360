/*
 * Undelete: bring a removed snapshot back as a new band with the old one's index, times
 * and set. A run like a backup that reads no source (design.md, section 9).
 */
#ifndef BALE_ENGINE_UNDELETE_H
#define BALE_ENGINE_UNDELETE_H

#include "band/bands.h"
#include "base/monitor.h"

#define UNDELETE_PATHS 20 /* told of, of all that are concerned */

struct undelete_options {
	const char *program;
	const char *cache_dir;     /* may be NULL */
	const volatile bool *stop; /* may be NULL */
};

struct undelete_result {
	char snapshot[BAND_MAX_LEN + 1]; /* the new band; "" before its head was written */
	bool complete;
	uint64_t lost;            /* entries that need what cannot be relied on */
	/* The first of those that need what is gone; released by the caller. */
	struct string_list paths;
};

/*
 * By the removed one's name or its beginning (removed_find). ERR_EXISTS where it is back
 * already; ERR_REFUSED where something that it needs resolves nowhere, or may not be
 * relied on in strict mode: out->lost > 0, and the new band is declared dead; or where it
 * was never complete.
 */
bool undelete_run(struct repo *r, const char *name, const struct undelete_options *o,
    struct monitor *m, struct undelete_result *out, struct err *e);

#endif
