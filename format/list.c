/*
 * Lists. Items stand one after the other rather than in columns: what they hold is mostly
 * ids, which do not compress, and a reader wants them in one pass. The table of bundles
 * goes before the items, so that one cursor reads all.
 */
#include "format/list.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define LIST_TAG      'L'
#define LIST_VERSION  1
#define LIST_ENDS_MIN 32
#define LIST_ENDS_MAX 512

struct list_writer {
	enum list_kind kind;
	uint32_t level;
	uint32_t count;
	struct buf items;
	struct buf last;
	struct hint_writer hints;
};

bool list_ends(const struct id *id, uint32_t count)
{
	if (count >= LIST_ENDS_MAX)
		return true;
	return id && count >= LIST_ENDS_MIN && (id->b[0] & 63) == 0;
}

struct list_writer *list_writer_new(enum list_kind kind, uint32_t level)
{
	struct list_writer *w = mem_zalloc(sizeof *w);

	assert(level <= LIST_LEVEL_MAX);
	w->kind = kind;
	w->level = level;
	return w;
}

void list_writer_free(struct list_writer *w)
{
	if (!w)
		return;
	buf_release(&w->items);
	buf_release(&w->last);
	hint_writer_release(&w->hints);
	free(w);
}

static void add_place(struct list_writer *w, const struct id *id, const struct hint *h)
{
	buf_add(&w->items, id->b, ID_SIZE);
	hint_writer_add(&w->hints, h, &w->items, &w->items);
}

void list_writer_add_hunk(struct list_writer *w, const struct hunk_ref *r)
{
	assert(w->kind == LIST_HUNKS && w->count < LIST_ITEMS_MAX);
	assert(r->length >= 1 && r->length <= CHUNK_MAX);
	assert(
	    r->entries >= 1 && r->entries <= (w->level ? INT64_MAX : HUNK_ENTRIES_MAX));
	add_place(w, &r->id, &r->hint);
	buf_add_varint(&w->items, r->length);
	buf_add_varint(&w->items, r->entries);
	apath_encode(&w->items, &w->items, &w->last, r->first);
	w->count++;
}

void list_writer_add_extent(struct list_writer *w, const struct extent *x)
{
	assert(w->kind == LIST_EXTENTS && w->count < LIST_ITEMS_MAX);
	assert(x->length >= 1);
	assert(x->length <= (x->hole || w->level > 0 ? INT64_MAX : CHUNK_MAX));
	assert(!x->hole || w->level == 0);
	buf_add_varint(&w->items, x->length << 1 | x->hole);
	if (!x->hole)
		add_place(w, &x->id, &x->hint);
	w->count++;
}

uint32_t list_writer_count(const struct list_writer *w)
{
	return w->count;
}

const uint32_t *list_writer_bundles(const struct list_writer *w, uint32_t *n)
{
	*n = w->hints.n;
	return w->hints.numbers;
}

void list_writer_finish(
    struct list_writer *w, const struct bundle_ref *refs, struct buf *out)
{
	assert(w->count > 0);
	buf_add_byte(out, LIST_TAG);
	buf_add_byte(out, LIST_VERSION);
	buf_add_byte(out, (uint8_t)w->kind);
	buf_add_byte(out, (uint8_t)w->level);
	buf_add_varint(out, w->count);
	buf_add_varint(out, w->hints.n);
	bundle_table_encode(refs, w->hints.n, out);
	buf_add_span(out, buf_span(&w->items));
	w->count = 0;
	buf_clear(&w->items);
	buf_clear(&w->last);
	hint_writer_clear(&w->hints);
}

static void read_head(struct cursor *c, struct list_iter *it)
{
	uint8_t version, kind, level;

	if (cursor_u8(c, "list: tag") != LIST_TAG)
		cursor_fail(c, FAULT_FOREIGN, "list: tag");
	version = cursor_u8(c, "list: version");
	if (version != LIST_VERSION)
		cursor_fail(c, version ? FAULT_NEWER : FAULT_CORRUPT, "list: version");
	kind = cursor_u8(c, "list: kind");
	if (kind != LIST_HUNKS && kind != LIST_EXTENTS)
		cursor_fail(c, kind ? FAULT_NEWER : FAULT_CORRUPT, "list: kind");
	level = cursor_u8(c, "list: level");
	if (level > LIST_LEVEL_MAX)
		cursor_fail(c, FAULT_LIMIT, "list: level");
	it->kind = kind;
	it->level = level;
	it->count = (uint32_t)cursor_varint(c, LIST_ITEMS_MAX, "list: count");
	if (it->count == 0)
		cursor_fail(c, FAULT_CORRUPT, "list: no items");
	it->n_bundles = (uint32_t)cursor_varint(c, HUNK_BUNDLES_MAX, "list: bundles");
}

bool list_open(struct list_iter *it, struct span plain, struct fault *f)
{
	struct cursor *c = &it->c;

	*it = (struct list_iter){0};
	cursor_init(c, plain);
	if (plain.n > CHUNK_MAX)
		cursor_fail(c, FAULT_LIMIT, "list: too long");
	read_head(c, it);
	it->bundles = bundle_table_decode(c, it->n_bundles);
	if (c->bad) {
		if (f)
			*f = c->fault;
		list_close(it);
		return false;
	}
	it->left = it->count;
	hint_reader_init(&it->hints, it->n_bundles);
	return true;
}

void list_close(struct list_iter *it)
{
	free(it->bundles);
	hint_reader_release(&it->hints);
	buf_release(&it->last);
	*it = (struct list_iter){0};
}

/* The end, or a failure; also where there is an item, what came of it. */
static enum step settle(struct list_iter *it, bool item, struct fault *f)
{
	struct cursor *c = &it->c;

	if (!item && !c->bad && it->hints.seen < it->hints.n)
		cursor_fail(c, FAULT_CORRUPT, "list: bundle never named");
	if (!item)
		return cursor_end(c, f, "list: trailing bytes") ? STEP_END : STEP_FAILED;
	if (!c->bad) {
		it->left--;
		return STEP_ITEM;
	}
	if (f)
		*f = c->fault;
	return STEP_FAILED;
}

static void read_place(struct list_iter *it, struct id *id, struct hint *h)
{
	cursor_id(&it->c, id, "list: id");
	hint_reader_next(&it->hints, &it->c, &it->c, h);
}

enum step list_next_hunk(struct list_iter *it, struct hunk_ref *r, struct fault *f)
{
	struct cursor *c = &it->c;

	assert(it->kind == LIST_HUNKS);
	if (it->left == 0)
		return settle(it, false, f);
	*r = (struct hunk_ref){0};
	read_place(it, &r->id, &r->hint);
	r->length = (uint32_t)cursor_varint(c, CHUNK_MAX, "list: length");
	r->entries =
	    cursor_varint(c, it->level ? INT64_MAX : HUNK_ENTRIES_MAX, "list: entries");
	if (r->length == 0 || r->entries == 0)
		cursor_fail(c, FAULT_CORRUPT, "list: empty hunk");
	if (apath_decode(c, c, &it->last))
		r->first = buf_span(&it->last);
	return settle(it, true, f);
}

enum step list_next_extent(struct list_iter *it, struct extent *x, struct fault *f)
{
	struct cursor *c = &it->c;
	uint64_t v;

	assert(it->kind == LIST_EXTENTS);
	if (it->left == 0)
		return settle(it, false, f);
	*x = (struct extent){0};
	v = cursor_varint(c, UINT64_MAX, "list: length");
	x->length = v >> 1;
	x->hole = v & 1;
	if (x->length == 0 || (x->hole && it->level > 0))
		cursor_fail(c, FAULT_CORRUPT, "list: extent");
	if (!x->hole && it->level == 0 && x->length > CHUNK_MAX)
		cursor_fail(c, FAULT_LIMIT, "list: length of a chunk");
	if (!x->hole)
		read_place(it, &x->id, &x->hint);
	return settle(it, true, f);
}
