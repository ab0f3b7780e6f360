/*
 * A walk down the lists to the hunks, and through them.
 *
 * Open lists form a path from the band's own references (branch 0) down to the references
 * to hunks. Of each list one item is looked at ahead: an item's entries end where those
 * of the next begin, so a seek passes over items by their `first` alone, from the top
 * down, and reads one list a level and one hunk.
 *
 * Whatever a reference tells (id, first apath, number of entries) is held against what is
 * found behind it. A mismatch costs the hunk, never the rest of the stream.
 */
#include "band/stream.h"

#include <stdlib.h>

#include "base/mem.h"

#define NO_NUMBER UINT32_MAX

/* Ordinals of a table of bundles as inventory numbers, looked up when first needed. */
struct numbers {
	const struct bundle_ref *table;
	uint32_t *v;
	uint32_t n;
	size_t cap;
};

struct branch {
	const struct band *band; /* of branch 0; else a list: */
	struct list_iter it;
	struct buf plain;
	struct numbers numbers;
	size_t at;          /* items looked at */
	uint32_t level; /* its items are hunks where 0, else lists of the level below */
	uint64_t entries;   /* below it, by the reference to it */
	uint64_t passed;    /* of them below the items looked at */
	struct hunk_ref next; /* borrowed from the iterator or the band */
	bool have;          /* next is looked at and not taken */
};

struct stream {
	struct repo *repo;
	struct chunk_reader *cr;
	struct stream_options o;
	struct branch branch[LIST_LEVEL_MAX + 2];
	unsigned depth; /* branches open */
	struct hunk_ref ref; /* the item taken last; first is in `first` */
	struct buf first;
	struct hunk_iter hunk;
	struct buf plain; /* of the hunk */
	struct numbers numbers;
	uint32_t given;   /* entries of the hunk */
	bool in_hunk, begun;
	struct buf last;  /* apath of the last entry */
	bool any;         /* there was one */
	struct buf target;
	bool seek, skip;  /* the lists, the entries are to be passed over up to target */
	uint64_t lost;
	struct extent extents[ENTRY_EXTENTS];
};

static void numbers_reset(struct numbers *m, const struct bundle_ref *table, uint32_t n)
{
	m->table = table;
	m->n = n;
	m->v = mem_grow(m->v, &m->cap, n, sizeof *m->v);
	for (uint32_t i = 0; i < n; i++)
		m->v[i] = NO_NUMBER;
}

static void numbers_put(
    struct inventory *inv, struct numbers *m, enum file_type type, struct hint *h)
{
	uint32_t i = h->bundle;

	if (m->v[i] == NO_NUMBER)
		m->v[i] =
		    inventory_number(inv, type, &m->table[i].name, m->table[i].size);
	h->bundle = m->v[i];
}

/* Set *plain to a hunk's or list's bytes. */
static bool fetch(struct stream *s, const struct id *id, const struct hint *hint,
    struct buf *plain, struct err *e)
{
	struct found found = {
	    inventory_get(s->o.inventory, hint->bundle)->name, hint->slot};
	struct span bytes;
	struct id got;

	buf_clear(plain);
	if (s->o.cache && s->o.cache(s->o.cache_arg, id, plain)) {
		chunk_id(s->repo, FILE_HUNKS, buf_span(plain), &got);
		if (id_equal(&got, id))
			return true;
		buf_clear(plain);
	}
	if (!resolver_read(s->o.resolver, s->cr, FILE_HUNKS, &found, id, &bytes, e))
		return false;
	buf_add_span(plain, bytes);
	return true;
}

/* --- branches */

static void branch_close(struct branch *b)
{
	if (!b->band)
		list_close(&b->it);
	b->have = false;
}

/* STEP_FAILED: the list is not what it should be. */
static enum step branch_look(struct stream *s, struct branch *b, struct err *e)
{
	struct fault f;
	enum step st;

	if (b->have)
		return STEP_ITEM;
	if (b->band) {
		const struct band_ref *r;

		if (b->at == b->band->n_refs)
			return STEP_END;
		r = &b->band->refs[b->at];
		b->next = r->ref;
		b->next.hint.bundle = inventory_number(
		    s->o.inventory, FILE_HUNKS, &r->bundle.name, r->bundle.size);
	} else {
		st = list_next_hunk(&b->it, &b->next, &f);
		if (st == STEP_FAILED) {
			err_fault(e, &f);
			return STEP_FAILED;
		}
		if (st == STEP_END) {
			if (b->passed == b->entries)
				return STEP_END;
			err_set(e, ERR_CORRUPT, "its items do not add up to its entries");
			return STEP_FAILED;
		}
		numbers_put(s->o.inventory, &b->numbers, FILE_HUNKS, &b->next.hint);
		if (b->next.entries > b->entries - b->passed) {
			err_set(e, ERR_CORRUPT, "its items have more entries than it");
			return STEP_FAILED;
		}
		b->passed += b->next.entries;
	}
	b->at++;
	b->have = true;
	return STEP_ITEM;
}

static void branch_take(struct stream *s, struct branch *b)
{
	s->ref = b->next;
	buf_clear(&s->first);
	buf_add_span(&s->first, b->next.first);
	s->ref.first = buf_span(&s->first);
	b->have = false;
}

static bool list_agrees(struct stream *s, struct branch *b, struct err *e)
{
	if (b->it.kind != LIST_HUNKS || b->it.level != b->level)
		return err_set(e, ERR_CORRUPT, "not a list of the level it should be");
	if (branch_look(s, b, e) != STEP_ITEM)
		return e->kind != ERR_NONE ? false
					   : err_set(e, ERR_CORRUPT, "an empty list");
	if (!span_equal(b->next.first, s->ref.first))
		return err_set(
		    e, ERR_CORRUPT, "it does not begin as its reference tells");
	return true;
}

/* Open the list that was taken. */
static bool list_descend(struct stream *s, uint32_t level, struct err *e)
{
	struct branch *b = &s->branch[s->depth];
	struct fault f;

	if (!fetch(s, &s->ref.id, &s->ref.hint, &b->plain, e))
		return false;
	b->band = NULL;
	b->at = 0;
	b->have = false;
	b->level = level;
	b->entries = s->ref.entries;
	b->passed = 0;
	if (!list_open(&b->it, buf_span(&b->plain), &f))
		return err_fault(e, &f);
	numbers_reset(&b->numbers, b->it.bundles, b->it.n_bundles);
	if (!list_agrees(s, b, e)) {
		branch_close(b);
		return false;
	}
	s->depth++;
	return true;
}

static void hunk_leave(struct stream *s)
{
	if (s->in_hunk)
		hunk_close(&s->hunk);
	s->in_hunk = false;
}

/* Open the hunk that was taken. */
static bool hunk_enter(struct stream *s, struct err *e)
{
	struct fault f;

	if (!fetch(s, &s->ref.id, &s->ref.hint, &s->plain, e))
		return false;
	if (!hunk_open(&s->hunk, buf_span(&s->plain), &f))
		return err_fault(e, &f);
	s->in_hunk = true;
	s->begun = false;
	s->given = 0;
	if (s->hunk.count != s->ref.entries)
		return err_set(e, ERR_CORRUPT,
		    "%u entries where its reference tells of %ju", s->hunk.count,
		    (uintmax_t)s->ref.entries);
	numbers_reset(&s->numbers, s->hunk.bundles, s->hunk.n_bundles);
	return true;
}

/* --- finding the way */

static enum stream_step damaged(struct stream *s, uint64_t lost, struct err *e)
{
	s->lost = lost;
	err_wrap(e, "the index from %.*s on", (int)(s->first.n < 300 ? s->first.n : 300),
	    s->first.p ? (char *)s->first.p : "");
	return err_is_damage(e) ? STREAM_DAMAGED : STREAM_FAILED;
}

/* Open what was taken from a branch. STREAM_ENTRY: done. */
static enum stream_step enter(struct stream *s, uint32_t level, struct err *e)
{
	bool ok = level == 0 ? hunk_enter(s, e) : list_descend(s, level - 1, e);

	if (ok)
		return STREAM_ENTRY;
	hunk_leave(s);
	return damaged(s, s->ref.entries, e);
}

static void cut_below(struct stream *s, unsigned depth)
{
	hunk_leave(s);
	while (s->depth > depth)
		branch_close(&s->branch[--s->depth]);
}

/* The branch's list ends in a fault: it is left, and what it had not shown is lost. */
static enum stream_step branch_damaged(struct stream *s, struct branch *b, struct err *e)
{
	uint64_t lost = b->entries - b->passed;

	cut_below(s, (unsigned)(b - s->branch));
	return damaged(s, lost, e);
}

/* Go on to the next hunk. STREAM_ENTRY: one is open. */
static enum stream_step advance(struct stream *s, struct err *e)
{
	while (!s->in_hunk) {
		struct branch *b;
		enum stream_step st;

		if (s->depth == 0)
			return STREAM_END;
		b = &s->branch[s->depth - 1];
		switch (branch_look(s, b, e)) {
		case STEP_FAILED:
			return branch_damaged(s, b, e);
		case STEP_END:
			branch_close(&s->branch[--s->depth]);
			break;
		case STEP_ITEM:
			branch_take(s, b);
			st = enter(s, b->level, e);
			if (st != STREAM_ENTRY)
				return st;
		}
	}
	return STREAM_ENTRY;
}

/*
 * Pass over what ends before the target. Where an item is left for a later one, what was
 * open below it is closed; an item that is already open and still the right one stays.
 */
static enum stream_step seek_down(struct stream *s, struct err *e)
{
	struct span target = buf_span(&s->target);

	s->seek = false;
	for (unsigned i = 0; i < s->depth; i++) {
		struct branch *b = &s->branch[i];
		enum step look;
		bool took = false;

		while ((look = branch_look(s, b, e)) == STEP_ITEM &&
		       apath_compare(b->next.first, target) <= 0) {
			if (!took)
				cut_below(s, i + 1);
			branch_take(s, b);
			took = true;
		}
		if (look == STEP_FAILED)
			return branch_damaged(s, b, e);
		if (took) {
			enum stream_step st = enter(s, b->level, e);

			if (st != STREAM_ENTRY)
				return st;
		}
	}
	return STREAM_ENTRY;
}

/* --- entries */

/* Hints of its extents become inventory numbers. */
static void translate(struct stream *s, struct entry *en)
{
	enum file_type type = en->content == CONTENT_LIST ? FILE_HUNKS : FILE_DATA;

	if (en->content != CONTENT_EXTENTS && en->content != CONTENT_LIST)
		return;
	for (uint32_t i = 0; i < en->n_extents; i++) {
		s->extents[i] = en->extents[i];
		if (!en->extents[i].hole)
			numbers_put(
			    s->o.inventory, &s->numbers, type, &s->extents[i].hint);
	}
	en->extents = s->extents;
}

/* The next entry of the hunk. */
static enum step hunk_entry(struct stream *s, struct entry *en, struct err *e)
{
	struct fault f;
	enum step st = hunk_next(&s->hunk, en, &f);

	if (st == STEP_END && s->given == s->hunk.count)
		return STEP_END;
	if (st == STEP_END)
		err_set(e, ERR_CORRUPT, "it ends early");
	else if (st == STEP_FAILED)
		err_fault(e, &f);
	else if (!s->begun && !span_equal(en->apath, s->ref.first))
		err_set(e, ERR_CORRUPT, "it does not begin as its reference tells");
	else if (s->any && apath_compare(buf_span(&s->last), en->apath) >= 0)
		err_set(e, ERR_CORRUPT, "its entries stand before those already seen");
	else {
		s->begun = s->any = true;
		s->given++;
		buf_clear(&s->last);
		buf_add_span(&s->last, en->apath);
		return STEP_ITEM;
	}
	return STEP_FAILED;
}

enum stream_step stream_next(struct stream *s, struct entry *entry, struct err *e)
{
	struct err ignored;
	enum stream_step st;

	if (!e)
		e = &ignored;
	err_clear(e);
	if (s->seek) {
		st = seek_down(s, e);
		if (st != STREAM_ENTRY)
			return st;
	}
	for (;;) {
		st = advance(s, e);
		if (st != STREAM_ENTRY)
			return st;
		switch (hunk_entry(s, entry, e)) {
		case STEP_END:
			hunk_leave(s);
			continue;
		case STEP_FAILED:
			hunk_leave(s);
			return damaged(s, s->ref.entries - s->given, e);
		case STEP_ITEM:
			break;
		}
		if (s->skip && apath_compare(entry->apath, buf_span(&s->target)) < 0)
			continue;
		s->skip = false;
		translate(s, entry);
		return STREAM_ENTRY;
	}
}

void stream_seek(struct stream *s, struct span apath)
{
	buf_clear(&s->target);
	buf_add_span(&s->target, apath);
	s->seek = s->skip = true;
}

const struct hunk_ref *stream_hunk(const struct stream *s)
{
	return &s->ref;
}

uint64_t stream_lost(const struct stream *s)
{
	return s->lost;
}

struct stream *stream_open(struct repo *r, struct chunk_reader *cr, const struct band *b,
    const struct stream_options *o)
{
	struct stream *s = mem_zalloc(sizeof *s);

	s->repo = r;
	s->cr = cr;
	s->o = *o;
	s->branch[0].band = b;
	s->branch[0].level = b->list_level;
	s->depth = 1;
	return s;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	cut_below(s, 0);
	for (size_t i = 0; i < sizeof s->branch / sizeof *s->branch; i++) {
		buf_release(&s->branch[i].plain);
		free(s->branch[i].numbers.v);
	}
	buf_release(&s->first);
	buf_release(&s->plain);
	buf_release(&s->last);
	buf_release(&s->target);
	free(s->numbers.v);
	free(s);
}

/* --- extents */

struct extent_walk {
	struct stream *s;
	stream_extent_fn *fn;
	void *arg;
	uint64_t left; /* bytes of the file */
};

static bool extent_give(struct extent_walk *w, const struct extent *x, struct err *e)
{
	if (x->length > w->left)
		return err_set(e, ERR_CORRUPT, "its extents are longer than the file");
	w->left -= x->length;
	return w->fn(w->arg, x, e);
}

static bool extent_list(
    struct extent_walk *w, const struct extent *ref, uint32_t level, struct err *e)
{
	struct inventory *inv = w->s->o.inventory;
	struct buf plain = BUF_EMPTY;
	struct numbers numbers = {0};
	uint64_t before = w->left;
	struct list_iter it;
	struct extent x;
	struct fault f;
	enum step st;
	bool ok = false;

	if (!fetch(w->s, &ref->id, &ref->hint, &plain, e))
		goto out;
	if (!list_open(&it, buf_span(&plain), &f)) {
		err_fault(e, &f);
		goto out;
	}
	numbers_reset(&numbers, it.bundles, it.n_bundles);
	ok = it.kind == LIST_EXTENTS && it.level == level;
	if (!ok)
		err_set(e, ERR_CORRUPT, "not a list of the level it should be");
	while (ok && (st = list_next_extent(&it, &x, &f)) != STEP_END) {
		if (st == STEP_FAILED) {
			ok = err_fault(e, &f);
			break;
		}
		if (!x.hole)
			numbers_put(
			    inv, &numbers, level ? FILE_HUNKS : FILE_DATA, &x.hint);
		if (level == 0)
			ok = extent_give(w, &x, e);
		else if (x.hole)
			ok = err_set(e, ERR_CORRUPT, "a hole where a list should be");
		else
			ok = extent_list(w, &x, level - 1, e);
	}
	if (ok && before - w->left != ref->length)
		ok = err_set(e, ERR_CORRUPT, "a list of extents does not add up");
	list_close(&it);
out:
	buf_release(&plain);
	free(numbers.v);
	return ok;
}

bool stream_extents(struct stream *s, const struct entry *entry, stream_extent_fn *fn,
    void *arg, struct err *e)
{
	struct extent_walk w = {s, fn, arg, entry->size};
	bool ok = true;

	for (uint32_t i = 0; ok && i < entry->n_extents; i++) {
		const struct extent *x = &entry->extents[i];

		if (entry->content != CONTENT_LIST)
			ok = extent_give(&w, x, e);
		else if (x->hole)
			ok = err_set(e, ERR_CORRUPT, "a hole where a list should be");
		else
			ok = extent_list(&w, x, entry->list_level, e);
	}
	if (ok && w.left)
		ok = err_set(e, ERR_CORRUPT, "its extents are shorter than the file");
	return ok;
}
