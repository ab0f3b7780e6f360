/* Stores: lending, listing, comparing. */
#include "stores.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct lent {
	struct store store;
	struct store *inner;
	struct store_listing *log; /* may be NULL */
};

static struct store *inner_of(struct store *s)
{
	return ((struct lent *)s)->inner;
}

static bool lent_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct lent *l = (struct lent *)s;
	char *path;

	if (!l->inner->ops->put(l->inner, folder, name, parts, n_parts, e))
		return false;
	if (l->log) {
		path = mem_printf("%s/%s", folder, name);
		store_listing_add(l->log, path);
		free(path);
	}
	return true;
}

static bool lent_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	return inner_of(s)->ops->get(inner_of(s), folder, name, at, n, out, size, e);
}

static bool lent_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	return store_list(inner_of(s), folder, out, e);
}

static bool lent_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	return store_stat(inner_of(s), folder, name, size, e);
}

static bool lent_remove(
    struct store *s, const char *folder, const char *name, struct err *e)
{
	return store_remove(inner_of(s), folder, name, e);
}

static bool lent_space(struct store *s, uint64_t *free_bytes)
{
	return store_space(inner_of(s), free_bytes);
}

static void lent_free(struct store *s)
{
	free(s);
}

static const struct store_ops lent_ops = {
    .put = lent_put,
    .get = lent_get,
    .list = lent_list,
    .stat = lent_stat,
    .remove = lent_remove,
    .space = lent_space,
    .free = lent_free,
};

struct store *store_lend_logged(struct store *inner, struct store_listing *log)
{
	struct store *s = store_lend(inner);

	((struct lent *)s)->log = log;
	return s;
}

struct store *store_lend(struct store *inner)
{
	struct lent *l = mem_zalloc(sizeof *l);

	l->store.ops = &lent_ops;
	l->store.mount = inner->mount;
	l->store.describe = inner->describe;
	l->inner = inner;
	return &l->store;
}

static void die(const char *folder, const char *name, const struct err *e)
{
	fprintf(stderr, "%s/%s: %s\n", folder, name, e->text);
	exit(99);
}

static const char *const folders[] = {"", "bands", "clients", "data/0", "data/1",
    "data/2", "data/3", "data/4", "data/5", "data/6", "data/7", "data/8", "data/9",
    "data/a", "data/b", "data/c", "data/d", "data/e", "data/f", "health", "hunks",
    "index", "keys", "marks", "tombstones"};

void stores_each(struct store *s, stores_fn *fn, void *arg)
{
	struct err e = ERR_EMPTY;
	size_t i, k;

	for (i = 0; i < sizeof folders / sizeof *folders; i++) {
		struct store_listing l = {NULL, 0, 0};

		if (!store_list(s, folders[i], &l, &e))
			die(folders[i], "", &e);
		for (k = 0; k < l.n; k++) {
			struct buf content = BUF_EMPTY;

			if (!store_get(s, folders[i], l.names[k], 0, SIZE_MAX, &content, NULL, &e))
				die(folders[i], l.names[k], &e);
			fn(arg, folders[i], l.names[k], buf_span(&content));
			buf_release(&content);
		}
		store_listing_release(&l);
	}
}

size_t stores_count(struct store *s, const char *folder)
{
	struct store_listing l = {NULL, 0, 0};
	struct err e = ERR_EMPTY;
	size_t n;

	if (!store_list(s, folder, &l, &e))
		die(folder, "", &e);
	n = l.n;
	store_listing_release(&l);
	return n;
}

struct within {
	struct store *b;
	struct buf *why;
	bool ok;
};

static void look(void *arg, const char *folder, const char *name, struct span content)
{
	struct within *w = arg;
	struct buf other = BUF_EMPTY;
	struct err e = ERR_EMPTY;

	if (!w->ok)
		return;
	if (!store_get(w->b, folder, name, 0, SIZE_MAX, &other, NULL, &e)) {
		buf_printf(w->why, "%s/%s is in one only", folder, name);
		w->ok = false;
	} else if (!span_equal(content, buf_span(&other))) {
		buf_printf(w->why, "%s/%s differs", folder, name);
		w->ok = false;
	}
	buf_release(&other);
}

bool stores_within(struct store *a, struct store *b, struct buf *why)
{
	struct within w = {b, why, true};

	stores_each(a, look, &w);
	return w.ok;
}
