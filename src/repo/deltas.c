/*
 * How long a delta is shows only when it is here, so the window begins small, and grows as far
 * as so many of the length of the last one may be held.
 */
#include "repo/deltas.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pool.h"

#define WINDOW_FIRST 4
#define WINDOW_MAX   16
#define WINDOW_BYTES (16u << 20)

struct fetch {
	struct job job;
	struct repo *r;
	struct id name;
	size_t at;
	struct buf plain;
	bool ok;
	struct err why;
};

struct deltas {
	struct repo *r;
	struct pool *pool; /* made when the first is wanted */
	struct lane *lane;
	struct id *v;
	size_t n, cap;
	size_t at;      /* of the next that may be wanted */
	size_t started; /* those before it are under way, or not wanted */
	size_t window;
};

struct deltas *deltas_new(struct repo *r)
{
	struct deltas *d = mem_zalloc(sizeof *d);

	d->r = r;
	return d;
}

static void fetch_free(struct fetch *f)
{
	buf_release(&f->plain);
	free(f);
}

static void drop_all(struct deltas *d)
{
	struct job *j;

	while (d->lane && (j = lane_take(d->lane)))
		fetch_free((struct fetch *)j);
}

void deltas_free(struct deltas *d)
{
	if (!d)
		return;
	drop_all(d);
	lane_free(d->lane);
	pool_free(d->pool);
	free(d->v);
	free(d);
}

void deltas_add(struct deltas *d, const struct id *name)
{
	assert(!d->pool);
	d->v = mem_grow(d->v, &d->cap, d->n + 1, sizeof *d->v);
	d->v[d->n++] = *name;
}

static void fetch_run(struct job *job)
{
	struct fetch *f = (struct fetch *)job;

	f->ok = repo_get_delta(f->r, &f->name, &f->plain, &f->why);
}

static void start(struct deltas *d)
{
	unsigned threads = d->r->transfers;

	if (threads > WINDOW_MAX)
		threads = WINDOW_MAX;
	d->pool = pool_new(d->n < threads ? (unsigned)d->n : threads);
	d->lane = lane_new(d->pool);
	d->window = pool_threads(d->pool) ? WINDOW_FIRST : 1;
}

static void go_on(struct deltas *d)
{
	struct fetch *f;

	while (d->started < d->n && lane_jobs(d->lane) < d->window) {
		f = mem_zalloc(sizeof *f);
		f->job.run = fetch_run;
		f->r = d->r;
		f->name = d->v[d->started];
		f->at = d->started++;
		lane_put(d->lane, &f->job);
	}
}

static void adapt(struct deltas *d, size_t seen)
{
	size_t most = WINDOW_BYTES / (seen + 1) + 1;

	if (d->window < WINDOW_MAX && pool_threads(d->pool) > 0)
		d->window++;
	if (d->window > most)
		d->window = most;
}

bool deltas_get(struct deltas *d, const struct id *name, struct buf *plain, struct err *e)
{
	struct fetch *f;
	size_t at = d->at;
	bool ok;

	if (!d->pool)
		start(d);
	while (!id_equal(&d->v[at], name)) {
		at++;
		assert(at < d->n);
	}
	if (at >= d->started) {
		drop_all(d);
		d->started = at;
	}
	go_on(d);
	while ((f = (struct fetch *)lane_take(d->lane)) && f->at != at)
		fetch_free(f);
	d->at = at + 1;
	adapt(d, f->plain.n);
	if (pool_threads(d->pool))
		go_on(d);
	ok = f->ok;
	buf_release(plain);
	*plain = f->plain;
	f->plain = (struct buf)BUF_EMPTY;
	if (!ok && e)
		*e = f->why;
	fetch_free(f);
	return ok;
}
