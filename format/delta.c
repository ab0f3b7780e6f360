/*
 * Deltas. Records of three kinds end to end; bundles and superseded names ascend, so that
 * a reader sees in passing that each stands once, and equal sets give equal bytes.
 */
#include "format/delta.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* The least that one record takes. */
#define BUNDLE_REC_MIN (ID_SIZE + 8)
#define MOVE_REC_MIN   (2 * ID_SIZE + 3)

void delta_writer_release(struct delta_writer *w)
{
	buf_release(&w->bundles);
	buf_release(&w->moves);
	buf_release(&w->gone);
	free(w->places);
	*w = (struct delta_writer)DELTA_WRITER_EMPTY;
}

static bool run_valid(struct span run)
{
	return run.n <= BAND_MAX_LEN && name_valid(run);
}

void delta_add_bundle(struct delta_writer *w, const struct delta_bundle *b)
{
	struct buf *out = &w->bundles;

	assert(b->type == FILE_DATA || b->type == FILE_HUNKS);
	assert(b->size >= BUNDLE_MIN && b->size <= BUNDLE_MAX && run_valid(b->run));
	assert(b->directory.n >= 2 && b->directory.n <= DIRECTORY_MAX);
	w->places =
	    mem_grow(w->places, &w->places_cap, w->n_bundles + 1, sizeof *w->places);
	w->places[w->n_bundles++] = out->n;
	buf_add(out, b->name.b, ID_SIZE);
	buf_add_byte(out, (uint8_t)b->type);
	buf_add_varint(out, b->size);
	buf_add_varint(out, b->run.n);
	buf_add_span(out, b->run);
	buf_add_varint(out, b->directory.n);
	buf_add_span(out, b->directory);
}

static bool slots_valid(uint32_t slot, uint32_t count)
{
	return count <= BUNDLE_CHUNKS_MAX && slot <= BUNDLE_CHUNKS_MAX - count;
}

void delta_add_move(struct delta_writer *w, const struct delta_move *m)
{
	assert(m->count >= 1 && !id_equal(&m->from, &m->to) && w->n_moves < DELTA_MOVES);
	assert(slots_valid(m->slot, m->count) && slots_valid(m->to_slot, m->count));
	buf_add(&w->moves, m->from.b, ID_SIZE);
	buf_add(&w->moves, m->to.b, ID_SIZE);
	buf_add_varint(&w->moves, m->slot);
	buf_add_varint(&w->moves, m->count);
	buf_add_varint(&w->moves, m->to_slot);
	w->n_moves++;
}

void delta_add_superseded(struct delta_writer *w, const struct id *delta)
{
	buf_add(&w->gone, delta->b, ID_SIZE);
	w->n_gone++;
}

/* A record to be sorted: its place, and its name for the comparison. */
struct record {
	const uint8_t *p;
	size_t n;
};

/* By name, and what was added first (and so lies lower in the same buf) first. */
static int by_name(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int order = memcmp(x->p, y->p, ID_SIZE);

	if (order == 0)
		order = x->p < y->p ? -1 : x->p > y->p;
	return order;
}

/* Sorts, and drops all but the first of each name; returns how many are left. */
static uint32_t sort_records(struct record *r, uint32_t n)
{
	uint32_t i, kept = 0;

	if (n > 0)
		qsort(r, n, sizeof *r, by_name);
	for (i = 0; i < n; i++)
		if (kept == 0 || memcmp(r[kept - 1].p, r[i].p, ID_SIZE) != 0)
			r[kept++] = r[i];
	return kept;
}

void delta_encode(const struct delta_writer *w, struct span run, struct buf *out)
{
	struct record *bundles = mem_array(w->n_bundles, sizeof *bundles);
	struct record *gone = mem_array(w->n_gone, sizeof *gone);
	uint32_t i, n_bundles, n_gone;
	size_t end;

	assert(run_valid(run));
	for (i = 0; i < w->n_bundles; i++) {
		end = i + 1 < w->n_bundles ? w->places[i + 1] : w->bundles.n;
		bundles[i] =
		    (struct record){w->bundles.p + w->places[i], end - w->places[i]};
	}
	for (i = 0; i < w->n_gone; i++)
		gone[i] = (struct record){w->gone.p + i * (size_t)ID_SIZE, ID_SIZE};
	n_bundles = sort_records(bundles, w->n_bundles);
	n_gone = sort_records(gone, w->n_gone);

	buf_add_varint(out, n_bundles);
	buf_add_varint(out, w->n_moves);
	buf_add_varint(out, n_gone);
	buf_add_varint(out, run.n);
	buf_add_span(out, run);
	for (i = 0; i < n_bundles; i++)
		buf_add(out, bundles[i].p, bundles[i].n);
	buf_add_span(out, buf_span(&w->moves));
	for (i = 0; i < n_gone; i++)
		buf_add(out, gone[i].p, gone[i].n);
	free(bundles);
	free(gone);
}

static struct span read_run(struct cursor *c)
{
	size_t n =
	    (size_t)cursor_varint(c, BAND_MAX_LEN, "delta: length of a run's name");
	struct span run = cursor_bytes(c, n, "delta: run");

	if (!c->bad && !name_valid(run))
		cursor_fail(c, FAULT_CORRUPT, "delta: run");
	return run;
}

static bool failed(const struct cursor *c, struct fault *f)
{
	if (c->bad && f)
		*f = c->fault;
	return c->bad;
}

bool delta_open(struct delta_iter *it, struct span plain, struct fault *f)
{
	struct cursor *c = &it->c;

	*it = (struct delta_iter){0};
	cursor_init(c, plain);
	if (plain.n > DELTA_MAX)
		cursor_fail(c, FAULT_LIMIT, "delta: too long");
	it->bundles = (uint32_t)cursor_varint(c, UINT32_MAX, "delta: bundles");
	it->moves = (uint32_t)cursor_varint(c, DELTA_MOVES, "delta: moves");
	it->gone = (uint32_t)cursor_varint(c, UINT32_MAX, "delta: superseded");
	it->run = read_run(c);
	if (cursor_left(c) < it->bundles * (uint64_t)BUNDLE_REC_MIN +
	        it->moves * (uint64_t)MOVE_REC_MIN + it->gone * (uint64_t)ID_SIZE)
		cursor_fail(c, FAULT_TRUNCATED, "delta: shorter than its counts");
	return !failed(c, f);
}

/* A name that must be above the one before. */
static void read_name(struct delta_iter *it, struct id *name)
{
	struct span s = cursor_bytes(&it->c, ID_SIZE, "delta: name");

	*name = (struct id){{0}};
	if (it->c.bad)
		return;
	if (it->last.n > 0 && memcmp(it->last.p, s.p, ID_SIZE) >= 0)
		cursor_fail(&it->c, FAULT_CORRUPT, "delta: names out of order");
	it->last = s;
	memcpy(name->b, s.p, ID_SIZE);
}

enum step delta_next_bundle(
    struct delta_iter *it, struct delta_bundle *b, struct fault *f)
{
	struct cursor *c = &it->c;
	uint8_t type;
	size_t n;

	if (it->bundles == 0)
		return failed(c, f) ? STEP_FAILED : STEP_END;
	*b = (struct delta_bundle){0};
	read_name(it, &b->name);
	type = cursor_u8(c, "delta: type of a bundle");
	if (type != FILE_DATA && type != FILE_HUNKS)
		cursor_fail(c, FAULT_NEWER, "delta: type of a bundle");
	b->type = type;
	b->size = cursor_varint(c, BUNDLE_MAX, "delta: size of a bundle");
	if (b->size < BUNDLE_MIN)
		cursor_fail(c, FAULT_CORRUPT, "delta: size of a bundle");
	b->run = read_run(c);
	n = (size_t)cursor_varint(c, DIRECTORY_MAX, "delta: length of a directory");
	if (n < 2)
		cursor_fail(c, FAULT_CORRUPT, "delta: length of a directory");
	b->directory = cursor_bytes(c, n, "delta: directory");
	if (failed(c, f))
		return STEP_FAILED;
	if (--it->bundles == 0)
		it->last = SPAN_EMPTY;
	return STEP_ITEM;
}

enum step delta_next_move(struct delta_iter *it, struct delta_move *m, struct fault *f)
{
	struct cursor *c = &it->c;

	assert(it->bundles == 0 || c->bad);
	if (it->moves == 0)
		return failed(c, f) ? STEP_FAILED : STEP_END;
	cursor_id(c, &m->from, "delta: bundle moved from");
	cursor_id(c, &m->to, "delta: bundle moved to");
	m->slot = (uint32_t)cursor_varint(c, BUNDLE_CHUNKS_MAX, "delta: slot");
	m->count = (uint32_t)cursor_varint(c, BUNDLE_CHUNKS_MAX, "delta: slots moved");
	m->to_slot = (uint32_t)cursor_varint(c, BUNDLE_CHUNKS_MAX, "delta: new slot");
	if (m->count == 0 || id_equal(&m->from, &m->to))
		cursor_fail(c, FAULT_CORRUPT, "delta: move of nothing");
	if (!slots_valid(m->slot, m->count) || !slots_valid(m->to_slot, m->count))
		cursor_fail(c, FAULT_LIMIT, "delta: slot");
	if (failed(c, f))
		return STEP_FAILED;
	it->moves--;
	return STEP_ITEM;
}

enum step delta_next_superseded(struct delta_iter *it, struct id *name, struct fault *f)
{
	assert((it->bundles == 0 && it->moves == 0) || it->c.bad);
	if (it->gone == 0)
		return cursor_end(&it->c, f, "delta: left over") ? STEP_END : STEP_FAILED;
	read_name(it, name);
	if (failed(&it->c, f))
		return STEP_FAILED;
	it->gone--;
	return STEP_ITEM;
}
