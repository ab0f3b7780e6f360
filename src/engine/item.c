/* Items: one allocation for what every entry has, more only for what few have. */
#include "engine/item.h"

#include <stdlib.h>

#include "base/mem.h"

static struct item *make(struct span apath, const char *name)
{
	size_t len = strlen(name) + 1;
	struct item *it = mem_zalloc(sizeof *it + apath.n + 1 + len);

	memcpy(it->text, apath.p, apath.n);
	memcpy(it->text + apath.n + 1, name, len);
	it->entry.apath = span_of(it->text, apath.n);
	it->name = (const char *)it->text + apath.n + 1;
	return it;
}

struct item *item_new(const struct walk_item *wi)
{
	struct item *it = make(wi->apath, wi->name);

	it->dir = dir_ref(wi->dir);
	it->facts = wi->facts;
	it->follow = wi->follow;
	facts_to_entry(&wi->facts, &it->entry);
	return it;
}

static struct span keep(struct buf *b, struct span s)
{
	buf_clear(b);
	buf_add_span(b, s);
	return buf_span(b);
}

struct item *item_copy(const struct entry *entry)
{
	struct item *it = make(entry->apath, "");
	struct span apath = it->entry.apath;
	struct buf names = BUF_EMPTY;

	it->entry = *entry;
	it->entry.apath = apath;
	it->entry.xattrs = keep(&it->xattrs, entry->xattrs);
	/* A symlink's target and a file's owners share one buffer, the target first. */
	buf_add_span(&names, entry->target);
	buf_add_span(&names, entry->user);
	buf_add_span(&names, entry->group);
	buf_add_span(&names, entry->hardlink);
	it->target = names;
	it->entry.target = span_of(names.p, entry->target.n);
	it->entry.user = span_of(names.p + entry->target.n, entry->user.n);
	it->entry.group = span_of(names.p + entry->target.n + entry->user.n, entry->group.n);
	it->entry.hardlink = span_of(
	    names.p + names.n - entry->hardlink.n, entry->hardlink.n);
	it->entry.inline_data = keep(&it->inline_data, entry->inline_data);
	it->entry.extents = NULL;
	it->entry.n_extents = 0;
	it->list = entry->content == CONTENT_LIST;
	return it;
}

void item_free(struct item *it)
{
	if (!it)
		return;
	item_free(it->fallback);
	dir_unref(it->dir);
	free(it->why);
	free(it->pieces);
	buf_release(&it->xattrs);
	buf_release(&it->target);
	buf_release(&it->inline_data);
	free(it);
}

void item_add_piece(struct item *it, const struct extent *x, uint64_t ticket, size_t at)
{
	if (it->n_pieces == it->cap) {
		it->cap = it->cap ? it->cap * 2 : 1;
		it->pieces = mem_realloc(it->pieces, it->cap * sizeof *it->pieces);
	}
	it->pieces[it->n_pieces++] = (struct piece){*x, ticket, at};
}

static bool same_pieces(const struct item *a, const struct item *b)
{
	size_t i;

	if (a->n_pieces != b->n_pieces || a->list != b->list)
		return false;
	for (i = 0; i < a->n_pieces; i++)
		if (a->pieces[i].x.length != b->pieces[i].x.length ||
		    !id_equal(&a->pieces[i].x.id, &b->pieces[i].x.id))
			return false;
	return true;
}

bool item_same(const struct item *a, const struct item *b)
{
	const struct entry *x = &a->entry, *y = &b->entry;

	return x->kind == y->kind && x->size == y->size && x->mode == y->mode &&
	    x->uid == y->uid && x->gid == y->gid && x->mtime_s == y->mtime_s &&
	    x->mtime_ns == y->mtime_ns && span_equal(x->xattrs, y->xattrs) &&
	    span_equal(x->target, y->target) && span_equal(x->inline_data, y->inline_data) &&
	    same_pieces(a, b);
}

void item_share(struct item *it, const struct item *from)
{
	size_t i;

	it->n_pieces = 0;
	for (i = 0; i < from->n_pieces; i++)
		item_add_piece(it, &from->pieces[i].x, from->pieces[i].ticket, 0);
	it->list = from->list;
	it->entry.size = from->entry.size;
	it->entry.content = from->entry.content;
	it->entry.list_level = from->entry.list_level;
	it->entry.mtime_s = from->entry.mtime_s;
	it->entry.mtime_ns = from->entry.mtime_ns;
	it->entry.ctime_s = from->entry.ctime_s;
	it->entry.ctime_ns = from->entry.ctime_ns;
	it->entry.stale = from->entry.stale;
	it->entry.inline_data = keep(&it->inline_data, buf_span(&from->inline_data));
	it->entry.xattrs = keep(&it->xattrs, buf_span(&from->xattrs));
	it->entry.target = keep(&it->target, buf_span(&from->target));
}

void item_fail(struct item *it, int sys)
{
	if (!it->why)
		it->why = mem_zalloc(sizeof *it->why);
	err_sys(it->why, sys, "cannot be read");
	it->outcome = it->why->kind == ERR_MISSING ? ITEM_VANISHED : ITEM_UNREADABLE;
}

size_t item_weight(const struct item *it)
{
	return 48 + it->entry.apath.n + 40 * it->n_pieces + it->xattrs.n + it->target.n +
	    it->inline_data.n;
}
