/*
 * What all stores share: the dispatch, which asserts that callers keep to the rule for
 * names, and listings. A name outside the rule is a bug of ours, never the storage's, so
 * it ends the program here, before any implementation sees it.
 */
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/wire.h"

bool store_name_ok(const char *name)
{
	return name_valid(span_str(name)) || strcmp(name, "README.txt") == 0;
}

static bool folder_ok(const char *folder)
{
	const char *end;

	if (!*folder)
		return true;
	for (;; folder = end + 1) {
		end = strchrnul(folder, '/');
		if (!name_valid(span_of(folder, (size_t)(end - folder))))
			return false;
		if (!*end)
			return true;
	}
}

bool store_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	assert(folder_ok(folder) && store_name_ok(name));
	return s->ops->put(s, folder, name, parts, n_parts, e);
}

static bool gather(const struct store_source *source, struct buf *out, struct err *e)
{
	struct span piece;

	while (out->n < source->size) {
		if (!source->read(source->arg, out->n, (size_t)source->size - out->n, &piece, e))
			return false;
		buf_add_span(out, piece);
	}
	return true;
}

bool store_put_from(struct store *s, const char *folder, const char *name,
    const struct store_source *source, struct err *e)
{
	struct buf all = BUF_EMPTY;
	struct span part;
	bool ok;

	assert(folder_ok(folder) && store_name_ok(name));
	if (s->ops->put_from)
		return s->ops->put_from(s, folder, name, source, e);
	ok = gather(source, &all, e);
	if (!ok && e && e->kind == ERR_IO)
		e->kind = ERR_REFUSED;
	part = buf_span(&all);
	ok = ok && s->ops->put(s, folder, name, &part, 1, e);
	buf_release(&all);
	return ok;
}

bool store_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	assert(folder_ok(folder) && store_name_ok(name));
	assert(at != STORE_TAIL);
	return s->ops->get(s, folder, name, at, n, out, size, e);
}

bool store_get_tail(struct store *s, const char *folder, const char *name, size_t n,
    struct buf *out, uint64_t *size, struct err *e)
{
	assert(folder_ok(folder) && store_name_ok(name));
	return s->ops->get(s, folder, name, STORE_TAIL, n, out, size, e);
}

bool store_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	assert(folder_ok(folder));
	if (s->ops->list(s, folder, out, e))
		return true;
	store_listing_release(out); /* half a listing must not pass for one */
	return false;
}

bool store_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	assert(folder_ok(folder) && store_name_ok(name));
	return s->ops->stat(s, folder, name, size, e);
}

bool store_remove(struct store *s, const char *folder, const char *name, struct err *e)
{
	assert(folder_ok(folder) && store_name_ok(name));
	return s->ops->remove(s, folder, name, e);
}

void store_folder(struct store *s, const char *folder)
{
	assert(folder_ok(folder));
	if (s->ops->folder)
		s->ops->folder(s, folder);
}

bool store_space(struct store *s, uint64_t *free_bytes)
{
	return s->ops->space(s, free_bytes);
}

void store_free(struct store *s)
{
	if (s)
		s->ops->free(s);
}

void store_listing_release(struct store_listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	*l = (struct store_listing){NULL, 0, 0};
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool store_listing_has(const struct store_listing *l, const char *name)
{
	return l->n > 0 &&
	       bsearch(&name, l->names, l->n, sizeof *l->names, compare_names);
}

void store_listing_add(struct store_listing *l, const char *name)
{
	l->names = mem_grow(l->names, &l->cap, l->n + 1, sizeof *l->names);
	l->names[l->n++] = mem_strdup(name);
}

void store_listing_sort(struct store_listing *l)
{
	size_t kept = 0;

	if (l->n == 0)
		return;
	qsort(l->names, l->n, sizeof *l->names, compare_names);
	for (size_t i = 1; i < l->n; i++) {
		if (strcmp(l->names[i], l->names[kept]) == 0)
			free(l->names[i]);
		else
			l->names[++kept] = l->names[i];
	}
	l->n = kept + 1;
}
