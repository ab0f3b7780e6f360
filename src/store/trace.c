/*
 * Counts what passes. An operation counts when it is asked for, whatever becomes of it: a
 * failed one has cost a round trip too. Bytes count when they have arrived.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/store.h"

struct store_trace {
	struct store store;
	struct store *inner;
	_Atomic uint64_t put, get, list, remove, stat, bytes_out, bytes_in;
};

static struct store_trace *trace_of(struct store *s)
{
	return (struct store_trace *)s;
}

static bool trace_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct store_trace *t = trace_of(s);
	bool ok = store_put(t->inner, folder, name, parts, n_parts, e);

	t->put++;
	s->folders_made = t->inner->folders_made;
	for (size_t i = 0; ok && i < n_parts; i++)
		t->bytes_out += parts[i].n;
	return ok;
}

static bool trace_put_from(struct store *s, const char *folder, const char *name,
    const struct store_source *source, struct err *e)
{
	struct store_trace *t = trace_of(s);
	bool ok = store_put_from(t->inner, folder, name, source, e);

	t->put++;
	s->folders_made = t->inner->folders_made;
	if (ok)
		t->bytes_out += source->size;
	return ok;
}

static bool trace_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct store_trace *t = trace_of(s);
	size_t before = out->n;
	bool ok = t->inner->ops->get(t->inner, folder, name, at, n, out, size, e);

	t->get++;
	if (ok)
		t->bytes_in += out->n - before;
	return ok;
}

static bool trace_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	trace_of(s)->list++;
	return store_list(trace_of(s)->inner, folder, out, e);
}

static bool trace_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	trace_of(s)->stat++;
	return store_stat(trace_of(s)->inner, folder, name, size, e);
}

static bool trace_remove(
    struct store *s, const char *folder, const char *name, struct err *e)
{
	trace_of(s)->remove++;
	return store_remove(trace_of(s)->inner, folder, name, e);
}

static bool trace_space(struct store *s, uint64_t *free_bytes)
{
	return store_space(trace_of(s)->inner, free_bytes);
}

static void trace_folder(struct store *s, const char *folder)
{
	store_folder(trace_of(s)->inner, folder);
	s->folders_made = trace_of(s)->inner->folders_made;
}

static void trace_free(struct store *s)
{
	store_free(trace_of(s)->inner);
	free(s);
}

static const struct store_ops trace_ops = {
    .put = trace_put,
    .put_from = trace_put_from,
    .get = trace_get,
    .list = trace_list,
    .stat = trace_stat,
    .remove = trace_remove,
    .space = trace_space,
    .free = trace_free,
    .folder = trace_folder,
};

struct store *store_trace_new(struct store *inner)
{
	struct store_trace *t = mem_zalloc(sizeof *t);

	t->store.ops = &trace_ops;
	t->store.mount = inner->mount;
	t->store.describe = inner->describe;
	t->inner = inner;
	return &t->store;
}

void store_trace_counts(struct store *trace, struct store_counts *out)
{
	struct store_trace *t = trace_of(trace);

	*out = (struct store_counts){
	    .put = t->put,
	    .get = t->get,
	    .list = t->list,
	    .remove = t->remove,
	    .mkdir = t->inner->folders_made,
	    .stat = t->stat,
	    .bytes_out = t->bytes_out,
	    .bytes_in = t->bytes_in,
	};
}
