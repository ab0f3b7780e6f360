/*
 * How long a delta is shows only when it is here, so the window begins small, and grows
 * as far as so many of the length of the last one may be held.
 */
#include "repo/deltas.h"

#include <assert.h>
#include <stdlib.h>

#include "base/ahead.h"
#include "base/mem.h"

#define WINDOW_FIRST 4
#define WINDOW_MAX   16
#define WINDOW_BYTES (16u << 20)

struct fetch {
	struct job job;
	struct repo *r;
	struct id name;
	struct buf plain;
	bool ok;
	struct err why;
};

struct deltas {
	struct repo *r;
	struct pool *pool;
	struct ahead *ahead; /* made when the first is wanted */
	struct id *v;
	size_t n, cap, at;
};

struct deltas *deltas_new(struct repo *r)
{
	struct deltas *d = mem_zalloc(sizeof *d);

	d->r = r;
	return d;
}

void deltas_free(struct deltas *d)
{
	if (!d)
		return;
	ahead_free(d->ahead);
	pool_free(d->pool);
	free(d->v);
	free(d);
}

void deltas_add(struct deltas *d, const struct id *name)
{
	assert(!d->ahead);
	d->v = mem_grow(d->v, &d->cap, d->n + 1, sizeof *d->v);
	d->v[d->n++] = *name;
}

static void fetch_run(struct job *job)
{
	struct fetch *f = (struct fetch *)job;

	f->ok = repo_get_delta(f->r, &f->name, &f->plain, &f->why);
}

static struct job *fetch_make(void *arg, size_t i)
{
	struct deltas *d = arg;
	struct fetch *f = mem_zalloc(sizeof *f);

	f->job.run = fetch_run;
	f->r = d->r;
	f->name = d->v[i];
	return &f->job;
}

static void fetch_drop(struct job *job)
{
	struct fetch *f = (struct fetch *)job;

	buf_release(&f->plain);
	free(f);
}

static void start(struct deltas *d)
{
	struct ahead_options o = {.window = WINDOW_FIRST, .window_max = WINDOW_MAX,
	    .make = fetch_make, .drop = fetch_drop, .arg = d};
	size_t threads = d->r->transfers < WINDOW_MAX ? d->r->transfers : WINDOW_MAX;

	o.pool = d->pool = pool_new((unsigned)(d->n < threads ? d->n : threads));
	d->ahead = ahead_new(&o, d->n);
}

bool deltas_get(struct deltas *d, const struct id *name, struct buf *plain, struct err *e)
{
	struct fetch *f;
	bool ok;

	if (!d->ahead)
		start(d);
	while (!id_equal(&d->v[d->at], name)) {
		d->at++;
		assert(d->at < d->n);
	}
	f = (struct fetch *)ahead_take(d->ahead, d->at++);
	ahead_narrow(d->ahead, WINDOW_BYTES / (f->plain.n + 1) + 1);
	ok = f->ok;
	buf_release(plain);
	*plain = f->plain;
	f->plain = (struct buf)BUF_EMPTY;
	if (!ok && e)
		*e = f->why;
	fetch_drop(&f->job);
	return ok;
}
