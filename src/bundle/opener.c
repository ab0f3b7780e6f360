/*
 * An open bundle holds up to BUNDLE_TAIL and its directory: WINDOW of them, 16 MiB at
 * most.
 */
#include "bundle/opener.h"

#include <stdlib.h>

#include "base/ahead.h"
#include "base/map.h"
#include "base/mem.h"

#define WINDOW 32

struct opening {
	struct job job;
	struct repo *r;
	enum file_type type;
	struct id name;
	struct bundle *bundle; /* NULL: it failed */
};

struct opener {
	struct repo *r;
	enum file_type type;
	struct id *v;
	struct map at; /* name → index */
	size_t next;
	struct pool *pool;
	struct ahead *ahead;
};

static void opening_run(struct job *job)
{
	struct opening *o = (struct opening *)job;
	struct err why;

	bundle_open(o->r, o->type, &o->name, &o->bundle, &why);
}

static struct job *opening_make(void *arg, size_t i)
{
	struct opener *o = arg;
	struct opening *x = mem_zalloc(sizeof *x);

	x->job.run = opening_run;
	x->r = o->r;
	x->type = o->type;
	x->name = o->v[i];
	return &x->job;
}

static void opening_drop(struct job *job)
{
	struct opening *x = (struct opening *)job;

	bundle_free(x->bundle);
	free(x);
}

struct opener *opener_new(
    struct repo *r, enum file_type type, const struct id *bundles, size_t n)
{
	struct opener *o = mem_zalloc(sizeof *o);
	struct ahead_options ao = {.window = WINDOW, .window_max = WINDOW,
	    .make = opening_make, .drop = opening_drop, .arg = o};
	size_t threads = r->transfers < WINDOW ? r->transfers : WINDOW;

	o->r = r;
	o->type = type;
	o->v = mem_array(n, sizeof *o->v);
	memcpy(o->v, bundles, n * sizeof *o->v);
	map_init(&o->at, ID_SIZE);
	for (size_t i = 0; i < n; i++)
		map_put(&o->at, &o->v[i], i);
	ao.pool = o->pool = pool_new((unsigned)(n < threads ? n : threads));
	o->ahead = ahead_new(&ao, n);
	return o;
}

void opener_free(struct opener *o)
{
	if (!o)
		return;
	ahead_free(o->ahead);
	pool_free(o->pool);
	map_release(&o->at);
	free(o->v);
	free(o);
}

bool opener_take(
    struct opener *o, enum file_type type, const struct id *name, struct bundle **out)
{
	const uint64_t *at = type == o->type ? map_get(&o->at, name) : NULL;
	struct opening *x;

	if (!at || *at < o->next)
		return false;
	o->next = *at + 1;
	x = (struct opening *)ahead_take(o->ahead, *at);
	*out = x->bundle;
	x->bundle = NULL;
	opening_drop(&x->job);
	return *out != NULL;
}
