/* A lane holds the window; what is passed over before it was begun is never begun. */
#include "base/ahead.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct ahead {
	struct ahead_options o;
	struct lane *lane;
	size_t n;
	size_t next;    /* that may be taken: in the lane, if it is begun */
	size_t started; /* those before it are begun, or passed over */
	size_t window;
};

struct ahead *ahead_new(const struct ahead_options *o, size_t n)
{
	struct ahead *a = mem_zalloc(sizeof *a);

	a->o = *o;
	a->n = n;
	a->window = o->window;
	a->lane = lane_new(o->pool);
	return a;
}

static void pass_over(struct ahead *a, size_t i)
{
	while (a->next < i && a->next < a->started) {
		a->o.drop(lane_take(a->lane));
		a->next++;
	}
	a->next = i;
	if (a->started < i)
		a->started = i;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	pass_over(a, a->n);
	lane_free(a->lane);
	free(a);
}

static void go_on(struct ahead *a, size_t window)
{
	while (a->started < a->n && lane_jobs(a->lane) < window)
		lane_put(a->lane, a->o.make(a->o.arg, a->started++));
}

struct job *ahead_take(struct ahead *a, size_t i)
{
	bool threads = pool_threads(a->o.pool) > 0;
	struct job *j;

	assert(i >= a->next && i < a->n);
	pass_over(a, i);
	go_on(a, threads ? a->window : 1);
	j = lane_take(a->lane);
	a->next++;
	if (a->window < a->o.window_max)
		a->window++;
	if (threads)
		go_on(a, a->window);
	return j;
}

void ahead_narrow(struct ahead *a, size_t window)
{
	if (a->window > window)
		a->window = window > 0 ? window : 1;
}
