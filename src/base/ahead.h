/*
 * Jobs done ahead of who will take their results: a row of them, a window of which is
 * under way. Taken in order, but some may be passed over: these are dropped. One thread.
 */
#ifndef BALE_BASE_AHEAD_H
#define BALE_BASE_AHEAD_H

#include "base/pool.h"

struct ahead;

struct ahead_options {
	struct pool *pool; /* borrowed; of 0 threads: nothing is done ahead */
	size_t window;     /* jobs under way or done, and not taken */
	size_t window_max; /* one more at each taking, up to here */
	struct job *(*make)(void *arg, size_t i); /* the ith, not begun */
	void (*drop)(struct job *job);            /* free one that nobody wants */
	void *arg;
};

/* A row of n. */
struct ahead *ahead_new(const struct ahead_options *o, size_t n);
void ahead_free(struct ahead *a); /* waits for what is under way; NULL is harmless */

/* The ith, done; those before it can not be taken any more. */
struct job *ahead_take(struct ahead *a, size_t i);

/* Have a smaller window, for the time being. */
void ahead_narrow(struct ahead *a, size_t window);

#endif
