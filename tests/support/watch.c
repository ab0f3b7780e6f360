/* Watching a store. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool names(const char *begin, const char *folder, const char *name)
{
	char path[NAME_MAX_LEN + 32];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return begin && strncmp(path, begin, strlen(begin)) == 0;
}

/* Its number. */
static size_t note(struct watch *w, enum fail_op op, const char *folder, const char *name)
{
	struct watched *x;
	size_t number;

	if (w->hook)
		w->hook(w->hook_arg, op, folder, name);
	pthread_mutex_lock(&w->lock);
	w->v = mem_grow(w->v, &w->cap, w->n + 1, sizeof *w->v);
	number = w->n++;
	x = &w->v[number];
	*x = (struct watched){.op = op};
	snprintf(x->folder, sizeof x->folder, "%s", folder);
	snprintf(x->name, sizeof x->name, "%s", name);
	pthread_mutex_unlock(&w->lock);
	return number;
}

static bool watch_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct watch *w = (struct watch *)s;

	note(w, OP_PUT, folder, name);
	return store_put(w->inner, folder, name, parts, n_parts, e);
}

static bool watch_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct watch *w = (struct watch *)s;
	size_t number = note(w, OP_GET, folder, name), before = out->n;
	uint64_t whole = 0;

	if (w->unmounted)
		return err_set(e, ERR_MISSING, "%s/%s: not there", folder, name);
	if (names(w->unreadable, folder, name))
		return err_set(e, ERR_IO, "%s/%s: simulated fault", folder, name);
	if (!w->inner->ops->get(w->inner, folder, name, at, n, out, &whole, e))
		return false;
	pthread_mutex_lock(&w->lock);
	w->v[number].n = out->n - before;
	w->v[number].at = at == STORE_TAIL ? whole - w->v[number].n : at;
	pthread_mutex_unlock(&w->lock);
	if (size)
		*size = whole;
	return true;
}

static bool watch_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	struct watch *w = (struct watch *)s;
	size_t before, i, k = 0;

	pthread_mutex_lock(&w->lock);
	before = watch_count(w, OP_LIST, folder);
	pthread_mutex_unlock(&w->lock);
	note(w, OP_LIST, folder, "");
	if (!store_list(w->inner, folder, out, e))
		return false;
	for (i = 0; i < out->n; i++) {
		if (w->unmounted || (before >= w->hidden_from &&
		        names(w->hidden, folder, out->names[i])))
			free(out->names[i]);
		else
			out->names[k++] = out->names[i];
	}
	out->n = k;
	return true;
}

static bool watch_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	struct watch *w = (struct watch *)s;

	note(w, OP_STAT, folder, name);
	if (w->unmounted)
		return err_set(e, ERR_MISSING, "%s/%s: not there", folder, name);
	return store_stat(w->inner, folder, name, size, e);
}

static bool watch_remove(
    struct store *s, const char *folder, const char *name, struct err *e)
{
	struct watch *w = (struct watch *)s;

	note(w, OP_REMOVE, folder, name);
	return store_remove(w->inner, folder, name, e);
}

static bool watch_space(struct store *s, uint64_t *free_bytes)
{
	struct watch *w = (struct watch *)s;

	return !w->silent && store_space(w->inner, free_bytes);
}

static void watch_free(struct store *s)
{
	(void)s; /* watch_release */
}

static const struct store_ops watch_ops = {
    .put = watch_put,
    .get = watch_get,
    .list = watch_list,
    .stat = watch_stat,
    .remove = watch_remove,
    .space = watch_space,
    .free = watch_free,
};

void watch_init(struct watch *w, struct store *inner)
{
	*w = (struct watch){.inner = inner};
	w->store.ops = &watch_ops;
	w->store.mount = inner->mount;
	w->store.describe = inner->describe;
	pthread_mutex_init(&w->lock, NULL);
}

void watch_release(struct watch *w)
{
	free(w->v);
	pthread_mutex_destroy(&w->lock);
	*w = (struct watch){.inner = NULL};
}

size_t watch_count(const struct watch *w, unsigned kinds, const char *folder)
{
	size_t i, n = 0;

	for (i = 0; i < w->n; i++)
		n += (w->v[i].op & kinds) && strncmp(w->v[i].folder, folder, strlen(folder)) == 0;
	return n;
}
