/*
 * Worker threads, and lanes that give results back in the order the work was put in
 * (ticket order), whichever worker finishes first. The only place that creates threads.
 *
 * A pool may serve several lanes; a lane belongs to one thread (the one that puts and
 * takes), a job's run function to one worker. A pool of 0 threads runs each job inside
 * lane_put, so that the same code is serial.
 */
#ifndef BALE_BASE_POOL_H
#define BALE_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool;
struct lane;

/*
 * One piece of work, embedded as the first member of a larger struct that owns the inputs
 * and outputs. From lane_put until lane_take returns it, it belongs to the pool.
 */
struct job {
	void (*run)(struct job *job);
	size_t weight; /* bytes it holds; the lane adds them up */
	/* private */
	struct job *next_work, *next_ticket;
	struct lane *lane;
	bool done;
};

/* Start `threads` workers with all signals blocked. */
struct pool *pool_new(unsigned threads);
void pool_free(struct pool *p); /* every lane of it must be empty; NULL is harmless */
unsigned pool_threads(const struct pool *p);

struct lane *lane_new(struct pool *p);
void lane_free(struct lane *l); /* must be empty; NULL is harmless */

void lane_put(struct lane *l, struct job *j);

/* The oldest job, once it is done; NULL when the lane is empty. Waits. */
struct job *lane_take(struct lane *l);

/* The oldest job if it is done already, else NULL. Does not wait. */
struct job *lane_poll(struct lane *l);

size_t lane_jobs(const struct lane *l);   /* put and not yet taken */
size_t lane_weight(const struct lane *l); /* their bytes */

#endif
