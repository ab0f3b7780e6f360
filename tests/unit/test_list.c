/* Lists of both kinds: random items, truncations, vectors, where lists end. */
#include "format/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/codec.h"

static uint64_t state = 362436069362436069u;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static void random_place(struct id *id, struct hint *h)
{
	size_t i;

	for (i = 0; i < ID_SIZE; i++)
		id->b[i] = (uint8_t)chance(256);
	h->bundle = (uint32_t)chance(70) * 1000003;
	h->slot = (uint32_t)chance(BUNDLE_CHUNKS_MAX);
}

static void finish(struct list_writer *w, struct buf *out)
{
	uint32_t i, n;
	const uint32_t *numbers = list_writer_bundles(w, &n);
	struct bundle_ref *refs = mem_array(n, sizeof *refs);

	for (i = 0; i < n; i++) {
		refs[i].size = 300 + numbers[i];
		put_u32(refs[i].name.b, numbers[i]);
	}
	list_writer_finish(w, refs, out);
	free(refs);
}

static bool walk(
    struct span s, struct list_writer **w, struct bundle_ref **refs, struct fault *f)
{
	struct hunk_ref r;
	struct extent x;
	struct list_iter it;
	enum step step;

	if (!list_open(&it, s, f))
		return false;
	if (w)
		*w = list_writer_new(it.kind, it.level);
	do {
		if (it.kind == LIST_HUNKS)
			step = list_next_hunk(&it, &r, f);
		else
			step = list_next_extent(&it, &x, f);
		if (w && step == STEP_ITEM && it.kind == LIST_HUNKS)
			list_writer_add_hunk(*w, &r);
		if (w && step == STEP_ITEM && it.kind == LIST_EXTENTS)
			list_writer_add_extent(*w, &x);
	} while (step == STEP_ITEM);
	if (refs) {
		*refs = it.bundles;
		it.bundles = NULL;
	}
	list_close(&it);
	return step == STEP_END;
}

static bool decodes(struct span s, struct fault *f)
{
	return walk(s, NULL, NULL, f);
}

static void recode(struct span s, struct buf *out)
{
	struct bundle_ref *refs;
	struct list_writer *w;

	assert_true(walk(s, &w, &refs, NULL));
	list_writer_finish(w, refs, out);
	list_writer_free(w);
	free(refs);
}

static const struct codec codec = {"list", decodes, recode};

static void check_same_place(const struct list_iter *it, const struct id *id,
    const struct hint *h, const struct id *id2, const struct hint *h2)
{
	assert_true(id_equal(id, id2));
	assert_int_equal(h->slot, h2->slot);
	assert_true(h2->bundle < it->n_bundles);
	assert_int_equal(get_u32(it->bundles[h2->bundle].name.b), h->bundle);
	assert_int_equal(it->bundles[h2->bundle].size, 300 + h->bundle);
}

static void round_trip_hunks(struct list_writer *w, uint32_t level, uint32_t n)
{
	struct hunk_ref *refs = mem_array(n, sizeof *refs), *r, got;
	char (*names)[32] = mem_array(n, sizeof *names);
	struct buf out = BUF_EMPTY, again = BUF_EMPTY;
	struct list_iter it;
	uint32_t i;

	for (i = 0; i < n; i++) {
		r = &refs[i];
		random_place(&r->id, &r->hint);
		snprintf(names[i], sizeof *names, "/d%05u/%u", i, (unsigned)chance(1000));
		r->first = span_str(names[i]);
		r->length = 1 + (uint32_t)chance(CHUNK_MAX);
		r->entries = 1 + chance(level ? INT64_MAX : HUNK_ENTRIES_MAX);
		list_writer_add_hunk(w, r);
	}
	assert_int_equal(list_writer_count(w), n);
	finish(w, &out);
	assert_true(list_open(&it, buf_span(&out), NULL));
	assert_true(it.kind == LIST_HUNKS && it.level == level && it.count == n);
	for (i = 0; i < n; i++) {
		r = &refs[i];
		assert_int_equal(list_next_hunk(&it, &got, NULL), STEP_ITEM);
		check_same_place(&it, &r->id, &r->hint, &got.id, &got.hint);
		assert_true(r->length == got.length && r->entries == got.entries);
		assert_true(span_equal(r->first, got.first));
	}
	assert_int_equal(list_next_hunk(&it, &got, NULL), STEP_END);
	list_close(&it);
	recode(buf_span(&out), &again);
	assert_true(span_equal(buf_span(&out), buf_span(&again)));
	assert_true(n > 20 || codec_truncations(&codec, buf_span(&out)));
	buf_release(&out);
	buf_release(&again);
	free(refs);
	free(names);
}

static void round_trip_extents(struct list_writer *w, uint32_t level, uint32_t n)
{
	struct extent *extents = mem_array(n, sizeof *extents), *x, got;
	struct buf out = BUF_EMPTY, again = BUF_EMPTY;
	struct list_iter it;
	uint32_t i;

	for (i = 0; i < n; i++) {
		x = &extents[i];
		x->hole = level == 0 && chance(5) == 0;
		x->length = 1 + chance(x->hole ? INT64_MAX : CHUNK_MAX);
		if (!x->hole)
			random_place(&x->id, &x->hint);
		list_writer_add_extent(w, x);
	}
	finish(w, &out);
	assert_true(list_open(&it, buf_span(&out), NULL));
	assert_true(it.kind == LIST_EXTENTS && it.level == level && it.count == n);
	for (i = 0; i < n; i++) {
		x = &extents[i];
		assert_int_equal(list_next_extent(&it, &got, NULL), STEP_ITEM);
		assert_true(x->length == got.length && x->hole == got.hole);
		if (!x->hole)
			check_same_place(&it, &x->id, &x->hint, &got.id, &got.hint);
	}
	assert_int_equal(list_next_extent(&it, &got, NULL), STEP_END);
	list_close(&it);
	recode(buf_span(&out), &again);
	assert_true(span_equal(buf_span(&out), buf_span(&again)));
	assert_true(n > 20 || codec_truncations(&codec, buf_span(&out)));
	buf_release(&out);
	buf_release(&again);
	free(extents);
}

/* Each writer twice: finish must leave it as new. */
static void test_round_trip(void **s)
{
	struct list_writer *hunks, *extents;
	uint32_t level, round;

	(void)s;
	for (level = 0; level <= LIST_LEVEL_MAX; level++) {
		hunks = list_writer_new(LIST_HUNKS, level);
		extents = list_writer_new(LIST_EXTENTS, level);
		for (round = 0; round < 4; round++) {
			round_trip_hunks(
			    hunks, level, 1 + (uint32_t)chance(round & 1 ? 20 : 600));
			round_trip_extents(
			    extents, level, 1 + (uint32_t)chance(round & 1 ? 20 : 600));
		}
		list_writer_free(hunks);
		list_writer_free(extents);
	}
	list_writer_free(NULL);
}

static void test_vectors(void **s)
{
	(void)s;
	assert_true(codec_vectors(&codec, 4, 20, 2));
}

static void test_ends(void **s)
{
	struct id ends = {{0xc0}}, other = {{0xc1}};

	(void)s;
	assert_false(list_ends(&ends, 31));
	assert_true(list_ends(&ends, 32));
	assert_false(list_ends(&other, 511));
	assert_true(list_ends(&other, 512));
	assert_false(list_ends(NULL, 511));
	assert_true(list_ends(NULL, 512));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
