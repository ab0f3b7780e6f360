/* Deltas: random records, sorting, truncations, vectors. */
#include "format/delta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/codec.h"

static uint64_t state = 88675123886751u;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static struct id random_id(void)
{
	struct id id;
	size_t i;

	for (i = 0; i < ID_SIZE; i++)
		id.b[i] = (uint8_t)chance(256);
	return id;
}

/* Reads all, and adds it to *w where there is one. */
static bool walk(struct span s, struct delta_writer *w, struct span *run, struct fault *f)
{
	struct delta_iter it;
	struct delta_bundle b;
	struct delta_move m;
	struct id name;
	enum step step;

	if (!delta_open(&it, s, f))
		return false;
	*run = it.run;
	while ((step = delta_next_bundle(&it, &b, f)) == STEP_ITEM)
		if (w)
			delta_add_bundle(w, &b);
	if (step == STEP_FAILED)
		return false;
	while ((step = delta_next_move(&it, &m, f)) == STEP_ITEM)
		if (w)
			delta_add_move(w, &m);
	if (step == STEP_FAILED)
		return false;
	while ((step = delta_next_superseded(&it, &name, f)) == STEP_ITEM)
		if (w)
			delta_add_superseded(w, &name);
	return step == STEP_END;
}

static bool decodes(struct span s, struct fault *f)
{
	struct span run;

	return walk(s, NULL, &run, f);
}

static void recode(struct span s, struct buf *out)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	struct span run;

	assert_true(walk(s, &w, &run, NULL));
	delta_encode(&w, run, out);
	delta_writer_release(&w);
}

static const struct codec codec = {"delta", decodes, recode};

#define N 20

struct sample {
	struct delta_bundle bundles[N];
	struct delta_move moves[N];
	struct id gone[N];
};

static void fill(struct sample *x)
{
	static const uint8_t directory[300];
	unsigned i;

	for (i = 0; i < N; i++) {
		x->bundles[i].name = random_id();
		x->bundles[i].type = chance(2) ? FILE_DATA : FILE_HUNKS;
		x->bundles[i].size = BUNDLE_MIN + chance(BUNDLE_MAX - BUNDLE_MIN);
		x->bundles[i].run = span_str(chance(2) ? "a" : "20261121060000-ab-1");
		x->bundles[i].directory = span_of(directory, 2 + chance(298));
		x->moves[i].from = random_id();
		x->moves[i].to = random_id();
		x->moves[i].count = 1 + (uint32_t)chance(100);
		x->moves[i].slot = (uint32_t)chance(65000);
		x->moves[i].to_slot = BUNDLE_CHUNKS_MAX - x->moves[i].count;
		x->gone[i] = random_id();
	}
}

static const struct delta_bundle *find(const struct sample *x, const struct id *name)
{
	unsigned i;

	for (i = 0; i < N; i++)
		if (id_equal(&x->bundles[i].name, name))
			return &x->bundles[i];
	return NULL;
}

static void check_bundles(struct delta_iter *it, const struct sample *x)
{
	const struct delta_bundle *a;
	struct delta_bundle b;
	struct id last = {{0}};
	unsigned i;

	for (i = 0; i < N; i++) {
		assert_int_equal(delta_next_bundle(it, &b, NULL), STEP_ITEM);
		assert_true(memcmp(last.b, b.name.b, ID_SIZE) < 0);
		last = b.name;
		a = find(x, &b.name);
		assert_non_null(a);
		assert_true(a->type == b.type && a->size == b.size);
		assert_true(span_equal(a->run, b.run));
		assert_true(span_equal(a->directory, b.directory));
	}
	assert_int_equal(delta_next_bundle(it, &b, NULL), STEP_END);
}

static void check_rest(struct delta_iter *it, const struct sample *x)
{
	const struct delta_move *a;
	struct delta_move m;
	struct id name;
	unsigned i;

	for (i = 0; i < N; i++) {
		assert_int_equal(delta_next_move(it, &m, NULL), STEP_ITEM);
		a = &x->moves[i];
		assert_true(id_equal(&a->from, &m.from) && id_equal(&a->to, &m.to));
		assert_true(a->slot == m.slot && a->count == m.count);
		assert_int_equal(a->to_slot, m.to_slot);
	}
	assert_int_equal(delta_next_move(it, &m, NULL), STEP_END);
	for (i = 0; i < N; i++)
		assert_int_equal(delta_next_superseded(it, &name, NULL), STEP_ITEM);
	assert_int_equal(delta_next_superseded(it, &name, NULL), STEP_END);
}

/* Twice the same records, the second time backwards, give the bytes of once. */
static void add(struct delta_writer *w, const struct sample *x, bool backwards)
{
	unsigned i, k;

	for (i = 0; i < N; i++) {
		k = backwards ? N - 1 - i : i;
		delta_add_bundle(w, &x->bundles[k]);
		delta_add_superseded(w, &x->gone[k]);
	}
}

static void test_round_trip(void **s)
{
	struct delta_writer w = DELTA_WRITER_EMPTY, v = DELTA_WRITER_EMPTY;
	struct buf out = BUF_EMPTY, again = BUF_EMPTY;
	struct delta_iter it;
	struct sample x;
	unsigned i;

	(void)s;
	fill(&x);
	add(&w, &x, false);
	add(&v, &x, true);
	add(&v, &x, false);
	for (i = 0; i < N; i++) {
		delta_add_move(&w, &x.moves[i]);
		delta_add_move(&v, &x.moves[i]);
	}
	delta_encode(&w, span_str("run"), &out);
	delta_encode(&v, span_str("run"), &again);
	assert_true(span_equal(buf_span(&out), buf_span(&again)));
	assert_true(delta_open(&it, buf_span(&out), NULL));
	assert_true(span_equal(it.run, span_str("run")));
	check_bundles(&it, &x);
	check_rest(&it, &x);
	assert_true(codec_truncations(&codec, buf_span(&out)));
	delta_writer_release(&w);
	delta_writer_release(&v);
	buf_release(&out);
	buf_release(&again);
}

static void test_vectors(void **s)
{
	(void)s;
	assert_true(codec_vectors(&codec, 2, 20, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
