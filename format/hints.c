/*
 * The coding of hints. A writer knows its bundles by numbers of its own, sparse and in no
 * order; the small hash table here turns them into ordinals.
 */
#include "format/hints.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "format/bundle.h"

void hint_writer_release(struct hint_writer *w)
{
	free(w->numbers);
	free(w->next);
	free(w->cells);
	*w = (struct hint_writer){0};
}

void hint_writer_clear(struct hint_writer *w)
{
	w->n = 0;
	w->last = 0;
	if (w->cells)
		memset(w->cells, 0, w->n_cells * sizeof *w->cells);
}

/* The number's cell, or the empty one where it belongs. */
static uint32_t *cell_of(const struct hint_writer *w, uint32_t number)
{
	size_t mask = w->n_cells - 1;
	size_t i = (number * 0x9e3779b1u) >> 7 & mask;

	while (w->cells[i] && w->numbers[w->cells[i] - 1] != number)
		i = (i + 1) & mask;
	return &w->cells[i];
}

static void cells_grow(struct hint_writer *w)
{
	uint32_t i;

	free(w->cells);
	w->n_cells = w->n_cells ? w->n_cells * 2 : 64;
	w->cells = mem_array(w->n_cells, sizeof *w->cells);
	for (i = 0; i < w->n; i++)
		*cell_of(w, w->numbers[i]) = i + 1;
}

static uint32_t ordinal_of(struct hint_writer *w, uint32_t number)
{
	uint32_t *cell;

	if (w->n > 0 && w->numbers[w->last] == number)
		return w->last;
	if (2 * (size_t)w->n >= w->n_cells)
		cells_grow(w);
	cell = cell_of(w, number);
	if (*cell)
		return *cell - 1;
	assert(w->n < HUNK_BUNDLES_MAX);
	w->numbers = mem_grow(w->numbers, &w->numbers_cap, w->n + 1, sizeof *w->numbers);
	w->next = mem_grow(w->next, &w->next_cap, w->n + 1, sizeof *w->next);
	w->numbers[w->n] = number;
	w->next[w->n] = 0;
	*cell = ++w->n;
	return w->n - 1;
}

void hint_writer_add(
    struct hint_writer *w, const struct hint *h, struct buf *bundle, struct buf *slot)
{
	uint32_t before = w->last;
	uint32_t ordinal = ordinal_of(w, h->bundle);

	assert(h->slot < BUNDLE_CHUNKS_MAX);
	buf_add_signed(bundle, (int64_t)ordinal - before);
	buf_add_signed(slot, (int64_t)h->slot - w->next[ordinal]);
	w->next[ordinal] = h->slot + 1;
	w->last = ordinal;
}

void bundle_table_encode(const struct bundle_ref *refs, uint32_t n, struct buf *out)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		assert(refs[i].size >= BUNDLE_MIN && refs[i].size <= BUNDLE_MAX);
		buf_add(out, refs[i].name.b, ID_SIZE);
		buf_add_varint(out, refs[i].size);
	}
}

struct bundle_ref *bundle_table_decode(struct cursor *c, uint32_t n)
{
	struct bundle_ref *refs;
	uint32_t i;

	if (cursor_left(c) < n * (size_t)(ID_SIZE + 1))
		cursor_fail(c, FAULT_TRUNCATED, "bundle table: shorter than its count");
	if (c->bad || n == 0)
		return NULL;
	refs = mem_array(n, sizeof *refs);
	for (i = 0; i < n; i++) {
		cursor_id(c, &refs[i].name, "bundle table: name");
		refs[i].size = cursor_varint(c, BUNDLE_MAX, "bundle table: size");
		if (refs[i].size < BUNDLE_MIN)
			cursor_fail(c, FAULT_CORRUPT, "bundle table: size");
	}
	if (!c->bad)
		return refs;
	free(refs);
	return NULL;
}

void hint_reader_init(struct hint_reader *r, uint32_t n)
{
	*r = (struct hint_reader){.n = n};
	if (n > 0)
		r->next = mem_array(n, sizeof *r->next);
}

void hint_reader_release(struct hint_reader *r)
{
	free(r->next);
	*r = (struct hint_reader){0};
}

void hint_reader_next(
    struct hint_reader *r, struct cursor *bundle, struct cursor *slot, struct hint *h)
{
	int64_t step = cursor_signed(bundle, "hint: bundle");
	int64_t move = cursor_signed(slot, "hint: slot");
	uint64_t ordinal = (uint64_t)r->last + (uint64_t)step;
	uint64_t at;

	if (bundle->bad || slot->bad)
		return;
	/* A bundle that is new here is the next of the table: no other order, no gap. */
	if (ordinal > r->seen || ordinal >= r->n) {
		cursor_fail(
		    bundle, FAULT_CORRUPT, "hint: bundle out of the table's order");
		return;
	}
	at = r->next[ordinal] + (uint64_t)move;
	if (at >= BUNDLE_CHUNKS_MAX) {
		cursor_fail(slot, FAULT_LIMIT, "hint: slot");
		return;
	}
	if (ordinal == r->seen)
		r->seen++;
	r->next[ordinal] = (uint32_t)at + 1;
	r->last = (uint32_t)ordinal;
	h->bundle = (uint32_t)ordinal;
	h->slot = (uint32_t)at;
}
