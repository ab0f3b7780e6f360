/*
 * Marking. The references of all bands that count are followed down through lists and
 * hunks, each of which is read once, however many bands share it.
 *
 * What a hunk refers to is resolved and marked at once. A hunk or list whose place is not
 * known waits until all misses have been looked for.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/vacuum_internal.h"

enum { READ_HALF = 1, READ_NEEDED = 2 };

/* --- the queue */

static void push(
    struct vac_chunk **list, size_t *n, size_t *cap, const struct vac_chunk *c)
{
	*list = mem_grow(*list, cap, *n + 1, sizeof **list);
	(*list)[(*n)++] = *c;
}

/* A reference to a hunk or list; c->held and slot are its hint. */
static bool queue(
    struct vac *v, const struct vac_chunk *c, struct span path, struct err *e)
{
	uint64_t *before = map_get(&v->read, &c->id);
	struct vac_chunk x = *c;
	uint64_t state = c->needed ? READ_NEEDED : READ_HALF;

	if (before && *before >= state)
		return true;
	map_put(&v->read, &c->id, state);
	if (!vac_resolve(v, FILE_HUNKS, &x.id, x.needed, path, &x.held, &x.slot, e))
		return false;
	if (x.held == NO_HELD)
		push(&v->stuck, &v->n_stuck, &v->stuck_cap, &x);
	else
		push(&v->todo, &v->n_todo, &v->todo_cap, &x);
	return true;
}

static bool queue_band(struct vac *v, const struct vac_band *b, struct err *e)
{
	const struct band *band = &b->band;
	const struct band_ref *r;
	struct vac_chunk c;
	size_t i;

	for (i = 0; i < band->n_refs; i++) {
		r = &band->refs[i];
		c = (struct vac_chunk){.id = r->ref.id, .slot = r->ref.hint.slot,
		    .kind = band->list_level ? LIST_HUNKS : 0,
		    .level = (uint8_t)(band->list_level ? band->list_level - 1 : 0),
		    .needed = b->state == VAC_COUNTS};
		c.held = vac_held(v, FILE_HUNKS, &r->bundle.name, r->bundle.size);
		if (!queue(v, &c, span_str(band->name.text), e))
			return false;
	}
	return true;
}

/* --- what a hunk or list refers to */

/* Ordinals of a table of bundles as numbers, looked up when first needed. */
struct table {
	const struct bundle_ref *refs;
	uint32_t *numbers;
	uint32_t n;
};

static void table_open(struct table *t, const struct bundle_ref *refs, uint32_t n)
{
	uint32_t i;

	t->refs = refs;
	t->n = n;
	t->numbers = mem_array(n, sizeof *t->numbers);
	for (i = 0; i < n; i++)
		t->numbers[i] = NO_HELD;
}

static uint32_t number_of(struct vac *v, struct table *t, enum file_type type, uint32_t i)
{
	if (t->numbers[i] == NO_HELD)
		t->numbers[i] = vac_held(v, type, &t->refs[i].name, t->refs[i].size);
	return t->numbers[i];
}

static bool mark_extent(struct vac *v, struct table *t, const struct extent *x, bool list,
    uint32_t level, bool needed, struct span path, struct err *e)
{
	uint32_t held, slot = x->hint.slot;
	struct vac_chunk c;

	if (x->hole)
		return true;
	held = number_of(v, t, list ? FILE_HUNKS : FILE_DATA, x->hint.bundle);
	if (!list)
		return vac_resolve(v, FILE_DATA, &x->id, needed, path, &held, &slot, e);
	c = (struct vac_chunk){x->id, held, slot, LIST_EXTENTS, (uint8_t)level, needed};
	return queue(v, &c, path, e);
}

static bool mark_entry(
    struct vac *v, struct table *t, const struct entry *en, bool needed, struct err *e)
{
	bool list = en->content == CONTENT_LIST;
	uint32_t i;

	if (!list && en->content != CONTENT_EXTENTS)
		return true;
	for (i = 0; i < en->n_extents; i++)
		if (!mark_extent(
		        v, t, &en->extents[i], list, en->list_level, needed, en->apath, e))
			return false;
	return true;
}

static bool take_hunk(struct vac *v, const struct vac_chunk *c, struct span plain,
    struct err *e)
{
	struct hunk_iter it;
	struct table t;
	struct entry en;
	struct fault f;
	enum step st;
	bool ok = true;

	v->result->hunks++;
	if (!hunk_open(&it, plain, &f))
		return err_fault(e, &f);
	table_open(&t, it.bundles, it.n_bundles);
	while (ok && (st = hunk_next(&it, &en, &f)) != STEP_END)
		ok = st == STEP_FAILED ? err_fault(e, &f) : mark_entry(v, &t, &en, c->needed, e);
	free(t.numbers);
	hunk_close(&it);
	return ok;
}

/* An item of a list of hunks, or of lists of them. */
static enum step take_ref(struct vac *v, const struct vac_chunk *c, struct list_iter *it,
    struct table *t, struct err *e)
{
	struct vac_chunk below = {.needed = c->needed};
	struct hunk_ref r;
	struct fault f;
	enum step st = list_next_hunk(it, &r, &f);

	if (st == STEP_FAILED)
		err_fault(e, &f);
	if (st != STEP_ITEM)
		return st;
	below.id = r.id;
	below.kind = c->level ? LIST_HUNKS : 0;
	below.level = (uint8_t)(c->level ? c->level - 1 : 0);
	below.held = number_of(v, t, FILE_HUNKS, r.hint.bundle);
	below.slot = r.hint.slot;
	return queue(v, &below, r.first, e) ? STEP_ITEM : STEP_FAILED;
}

static enum step take_extent(struct vac *v, const struct vac_chunk *c,
    struct list_iter *it, struct table *t, struct err *e)
{
	struct extent x;
	struct fault f;
	enum step st = list_next_extent(it, &x, &f);

	if (st == STEP_FAILED)
		err_fault(e, &f);
	if (st != STEP_ITEM)
		return st;
	return mark_extent(v, t, &x, c->level > 0, c->level - 1u, c->needed,
	           span_str("a large file"), e)
	    ? STEP_ITEM
	    : STEP_FAILED;
}

static bool take_list(struct vac *v, const struct vac_chunk *c, struct span plain,
    struct err *e)
{
	enum step st = STEP_FAILED;
	struct list_iter it;
	struct table t;
	struct fault f;

	if (!list_open(&it, plain, &f))
		return err_fault(e, &f);
	table_open(&t, it.bundles, it.n_bundles);
	if (it.kind != (enum list_kind)c->kind || it.level != c->level)
		err_set(e, ERR_CORRUPT, "not the list that it should be");
	else
		do
			st = c->kind == LIST_HUNKS ? take_ref(v, c, &it, &t, e)
			                           : take_extent(v, c, &it, &t, e);
		while (st == STEP_ITEM);
	free(t.numbers);
	list_close(&it);
	return st == STEP_END;
}

bool vac_take(struct vac *v, const struct vac_chunk *c, struct span plain, struct err *e)
{
	char hex[2 * ID_SIZE + 1];

	if (c->kind == 0 ? take_hunk(v, c, plain, e) : take_list(v, c, plain, e))
		return true;
	name_of_id(&c->id, hex);
	return err_wrap(e, "%s %.12s", c->kind ? "list" : "hunk", hex);
}

/* --- rounds */

static int by_place(const void *a, const void *b)
{
	const struct vac_chunk *x = a, *y = b;

	if (x->needed != y->needed)
		return x->needed ? -1 : 1;
	if (x->held != y->held)
		return x->held < y->held ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Read all that are queued; what they name is queued in their place. */
static bool take_round(struct vac *v, struct err *e)
{
	struct vac_chunk *c = v->todo;
	size_t n = v->n_todo;
	bool ok;

	v->todo = NULL;
	v->n_todo = v->todo_cap = 0;
	qsort(c, n, sizeof *c, by_place);
	ok = vac_read_chunks(v, c, n, e);
	free(c);
	return ok;
}

/* Those that have a place by now are queued; nobody demands the others. */
static void release_stuck(struct vac *v)
{
	struct vac_chunk c;
	uint64_t *at;
	size_t i;

	for (i = 0; i < v->n_stuck; i++) {
		c = v->stuck[i];
		at = map_get(&v->misses, &c.id);
		if (!at || v->miss[*at].held == NO_HELD)
			continue;
		c.held = v->miss[*at].held;
		c.slot = v->miss[*at].slot;
		push(&v->todo, &v->n_todo, &v->todo_cap, &c);
	}
	v->n_stuck = 0;
}

bool vac_mark(struct vac *v, struct err *e)
{
	size_t i;

	vac_open_packs(v);
	for (i = 0; i < v->n_v; i++)
		if (v->v[i].state != VAC_GONE && !queue_band(v, &v->v[i], e))
			return err_wrap(e, "snapshot %s", v->v[i].info->name.text);
	while (v->n_todo > 0 || v->missed < v->n_miss) {
		if (v->n_todo > 0) {
			if (!take_round(v, e))
				return false;
		} else if (!vac_find_missed(v, e)) {
			return false;
		} else {
			release_stuck(v);
		}
	}
	return true;
}
