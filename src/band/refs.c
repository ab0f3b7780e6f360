/* One chunk after another, none of them kept: who asks knows what it has seen. */
#include "band/refs.h"

#include <stdlib.h>

#include "base/mem.h"

#define PREFETCH_MAX (32u << 20) /* a larger bundle is read frame by frame */

/* Replaces *plain. */
static bool fetch(const struct refs *s, const struct id *id, const struct hint *hint,
    struct buf *plain, struct err *e)
{
	struct found found = {inventory_get(s->inventory, hint->bundle)->name, hint->slot};
	struct span bytes;
	struct id got;

	buf_clear(plain);
	if (s->cache && s->cache(s->cache_arg, id, plain)) {
		chunk_id(s->repo, FILE_HUNKS, buf_span(plain), &got);
		if (id_equal(&got, id))
			return true;
		buf_clear(plain);
	}
	if (!resolver_read(s->resolver, s->chunks, FILE_HUNKS, &found, id, &bytes, e))
		return false;
	buf_add_span(plain, bytes);
	return true;
}

/* A table of bundles as inventory numbers, each looked up when it is first needed. */
struct numbers {
	const struct refs *s;
	const struct bundle_ref *table;
	uint32_t *v; /* number + 1; 0: not looked up */
};

static void numbers_init(
    struct numbers *m, const struct refs *s, const struct bundle_ref *table, uint32_t n)
{
	*m = (struct numbers){s, table, mem_array(n + 1, sizeof *m->v)};
}

static void number(struct numbers *m, enum file_type type, struct hint *h)
{
	const struct bundle_ref *t = &m->table[h->bundle];
	uint32_t *v = &m->v[h->bundle];

	if (*v == 0)
		*v = inventory_number(m->s->inventory, type, &t->name, t->size) + 1;
	h->bundle = *v - 1;
}

bool refs_band(const struct refs *s, const struct band *b, refs_hunk_fn *fn, void *arg,
    struct err *e)
{
	for (size_t i = 0; i < b->n_refs; i++) {
		struct hunk_ref r = b->refs[i].ref;

		r.hint.bundle = inventory_number(s->inventory, FILE_HUNKS,
		    &b->refs[i].bundle.name, b->refs[i].bundle.size);
		if (!fn(arg, &r, e))
			return false;
	}
	return true;
}

/* A list while it is read. */
struct reading {
	struct buf plain;
	struct list_iter it;
	struct numbers numbers;
};

static void reading_end(struct reading *l)
{
	list_close(&l->it);
	free(l->numbers.v);
	buf_release(&l->plain);
}

static bool reading_begin(struct reading *l, const struct refs *s, const struct id *id,
    const struct hint *hint, enum list_kind kind, uint32_t level, struct err *e)
{
	struct fault f;

	l->plain = (struct buf)BUF_EMPTY;
	if (!fetch(s, id, hint, &l->plain, e) ||
	    (!list_open(&l->it, buf_span(&l->plain), &f) && !err_fault(e, &f))) {
		buf_release(&l->plain);
		return false;
	}
	numbers_init(&l->numbers, s, l->it.bundles, l->it.n_bundles);
	if (l->it.kind == kind && l->it.level == level)
		return true;
	reading_end(l);
	return err_set(e, ERR_CORRUPT, "not a list of the level it should be");
}

bool refs_list(const struct refs *s, const struct hunk_ref *list, uint32_t level,
    refs_hunk_fn *fn, void *arg, struct err *e)
{
	struct reading l;
	struct hunk_ref r;
	struct fault f;
	enum step st;
	bool ok = true;

	if (!reading_begin(&l, s, &list->id, &list->hint, LIST_HUNKS, level, e))
		return false;
	while (ok && (st = list_next_hunk(&l.it, &r, &f)) != STEP_END) {
		ok = st == STEP_ITEM || err_fault(e, &f);
		if (!ok)
			break;
		number(&l.numbers, FILE_HUNKS, &r.hint);
		ok = fn(arg, &r, e);
	}
	reading_end(&l);
	return ok;
}

/* `room` takes ENTRY_EXTENTS. */
static void translate(struct numbers *numbers, struct entry *en, struct extent *room)
{
	if (en->content != CONTENT_EXTENTS && en->content != CONTENT_LIST)
		return;
	for (uint32_t i = 0; i < en->n_extents; i++) {
		room[i] = en->extents[i];
		if (!room[i].hole)
			number(numbers, en->content == CONTENT_LIST ? FILE_HUNKS : FILE_DATA,
			    &room[i].hint);
	}
	en->extents = room;
}

bool refs_hunk(const struct refs *s, const struct hunk_ref *hunk, refs_entry_fn *fn,
    void *arg, struct err *e)
{
	struct extent room[ENTRY_EXTENTS];
	struct buf plain = BUF_EMPTY;
	struct numbers numbers;
	struct hunk_iter it;
	struct entry en;
	struct fault f;
	enum step st;
	bool ok;

	if (!fetch(s, &hunk->id, &hunk->hint, &plain, e) ||
	    (!hunk_open(&it, buf_span(&plain), &f) && !err_fault(e, &f))) {
		buf_release(&plain);
		return false;
	}
	numbers_init(&numbers, s, it.bundles, it.n_bundles);
	ok = it.count == hunk->entries ||
	     err_set(e, ERR_CORRUPT, "not as many entries as its reference tells of");
	while (ok && (st = hunk_next(&it, &en, &f)) != STEP_END) {
		ok = st == STEP_ITEM || err_fault(e, &f);
		if (!ok)
			break;
		translate(&numbers, &en, room);
		ok = fn(arg, &en, e);
	}
	hunk_close(&it);
	free(numbers.v);
	buf_release(&plain);
	return ok;
}

bool refs_extents(const struct refs *s, const struct extent *list, uint32_t level,
    refs_extent_fn *fn, void *arg, struct err *e)
{
	struct reading l;
	struct extent x;
	struct fault f;
	enum step st;
	bool ok = true;

	if (!reading_begin(&l, s, &list->id, &list->hint, LIST_EXTENTS, level, e))
		return false;
	while (ok && (st = list_next_extent(&l.it, &x, &f)) != STEP_END) {
		ok = st == STEP_ITEM || err_fault(e, &f);
		if (!ok)
			break;
		if (!x.hole)
			number(&l.numbers, level ? FILE_HUNKS : FILE_DATA, &x.hint);
		ok = fn(arg, &x, e);
	}
	reading_end(&l);
	return ok;
}

void refs_prefetch(const struct refs *s, uint32_t bundle)
{
	const struct stocked *in = inventory_get(s->inventory, bundle);
	char name[2 * ID_SIZE + 1], folder[16];
	struct buf whole = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct bundle *b;

	if (!chunk_reader_bundle(s->chunks, FILE_HUNKS, &in->name, &b, &e) ||
	    b->tail_at == 0 || b->size > PREFETCH_MAX)
		return;
	name_of_id(&b->name, name);
	if (repo_get(s->repo, folder_of(FILE_HUNKS, &b->name, folder), name, 0, b->tail_at,
	        &whole, NULL, &e) && whole.n == b->tail_at) {
		buf_add_span(&whole, buf_span(&b->tail));
		buf_release(&b->tail);
		b->tail = whole;
		b->tail_at = 0;
		return;
	}
	buf_release(&whole);
}
