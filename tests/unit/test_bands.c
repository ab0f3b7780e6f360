/* Bands from a listing, and the reading of their files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "band/bands.h"
#include "tests/support/band_make.h"
#include "tests/support/repo_make.h"
#include "tests/support/steady.h"

static struct repo *fresh(void)
{
	return repo_make(store_mem_new(env), env, true);
}

static void spoil(struct repo *r, const char *file)
{
	store_replace(r->store, "bands", file, span_str("{\"bale\":1,\"type\":\"ta"));
}

static void junk(struct repo *r, const char *name)
{
	struct span s = span_str("x");

	assert_true(store_put(r->store, "bands", name, &s, 1, NULL));
}

/* The only band of a repository, read. */
static bool read_only_band(
    struct repo *r, enum band_file *kind, struct band *b, struct err *e)
{
	struct bands bands;
	bool ok;

	assert_true(bands_list(r, &bands, e));
	assert_int_equal(bands.n, 1);
	ok = band_read(r, &bands.v[0], kind, b, e);
	bands_release(&bands);
	return ok;
}

static void test_listing(void **state)
{
	struct repo *r = fresh();
	struct bands bands;
	struct band b[3];
	struct err e;

	(void)state;
	assert_true(bands_list(r, &bands, &e));
	assert_int_equal(bands.n, 0);
	bands_release(&bands);
	for (int i = 2; i >= 0; i--) {
		band_start(&b[i], STEADY_NOW + i, (uint64_t)i + 9, "home");
		band_store(r, &b[i], BAND_HEAD, NULL);
	}
	for (unsigned part = 12; part >= 9; part--) {
		b[1].part = part;
		band_store(r, &b[1], BAND_PART, NULL);
	}
	band_store(r, &b[0], BAND_TAIL, NULL);
	band_store(r, &b[0], BAND_TAIL, NULL);
	band_store(r, &b[2], BAND_TAIL, NULL);
	band_mark(r, &b[0], BAND_REMOVED, NULL);
	band_mark(r, &b[1], BAND_FENCE, NULL);
	junk(r, "desktop.ini");
	junk(r, "20270115080000-0123456789abcdef-9-tail");
	junk(r, "20270115080000-0123456789abcdef-9-nail-00000000000000000000000000");
	assert_true(bands_list(r, &bands, &e));
	assert_int_equal(bands.n, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(bands.v[i].name.text, b[i].name.text);
		assert_ptr_equal(bands_find(&bands, b[i].name.text), &bands.v[i]);
		assert_int_equal(bands.v[i].heads.n, 1);
	}
	assert_null(bands_find(&bands, "20270115080000-0123456789abcdef-8"));
	assert_int_equal(bands.v[0].tails.n, 2);
	assert_int_equal(bands.v[0].removed.n, 1);
	assert_int_equal(bands.v[1].fences.n, 1);
	assert_int_equal(bands.v[1].parts.n, 4);
	for (size_t i = 0; i < 4; i++) {
		char want[16];

		snprintf(want, sizeof want, "-part-%04zu-", i + 9);
		assert_non_null(strstr(bands.v[1].parts.v[i], want));
	}
	assert_false(band_looks_complete(&bands.v[0]));
	assert_false(band_looks_complete(&bands.v[1]));
	assert_true(band_looks_complete(&bands.v[2]));
	bands_release(&bands);
	for (int i = 0; i < 3; i++)
		band_release(&b[i]);
	repo_close(r);
}

/* Within a second, 10 comes after 9. */
static void test_second(void **state)
{
	struct repo *r = fresh();
	struct bands bands;
	struct band b[12];
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		band_start(&b[i], STEADY_NOW, i + 1, "home");
		band_store(r, &b[i], BAND_HEAD, NULL);
	}
	assert_true(bands_list(r, &bands, &e));
	assert_int_equal(bands.n, 12);
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(bands.v[i].name.counter, i + 1);
		assert_ptr_equal(bands_find(&bands, b[i].name.text), &bands.v[i]);
		band_release(&b[i]);
	}
	assert_null(bands_find(&bands, "no band"));
	bands_release(&bands);
	repo_close(r);
}

/* What tells most of a band is what is read. */
static void test_order(void **state)
{
	struct repo *r = fresh();
	char first[NAME_MAX_LEN + 1], second[NAME_MAX_LEN + 1];
	enum band_file kind;
	struct band b, got;
	struct err e;

	(void)state;
	band_start(&b, STEADY_NOW, 1, "home");
	band_store(r, &b, BAND_HEAD, NULL);
	assert_true(read_only_band(r, &kind, &got, &e));
	assert_int_equal(kind, BAND_HEAD);
	assert_string_equal(got.set, "home");
	band_release(&got);
	b.part = 1;
	band_store(r, &b, BAND_PART, first);
	b.part = 2;
	band_store(r, &b, BAND_PART, second);
	assert_true(read_only_band(r, &kind, &got, &e));
	assert_int_equal(kind, BAND_PART);
	assert_int_equal(got.part, 2);
	band_release(&got);
	spoil(r, second);
	assert_true(read_only_band(r, &kind, &got, &e));
	assert_int_equal(kind, BAND_PART);
	assert_int_equal(got.part, 1);
	band_release(&got);
	spoil(r, first);
	assert_true(read_only_band(r, &kind, &got, &e));
	assert_int_equal(kind, BAND_HEAD);
	band_release(&got);
	band_release(&b);
	repo_close(r);
}

static void test_torn_tail(void **state)
{
	struct repo *r = fresh();
	char tails[2][NAME_MAX_LEN + 1];
	enum band_file kind;
	struct band b, got;
	struct err e;

	(void)state;
	band_start(&b, STEADY_NOW, 1, "home");
	band_store(r, &b, BAND_HEAD, NULL);
	b.part = 1;
	band_store(r, &b, BAND_PART, NULL);
	b.part = 0;
	band_store(r, &b, BAND_TAIL, tails[0]);
	band_store(r, &b, BAND_TAIL, tails[1]);
	/* Whichever of the two is torn. */
	for (int i = 0; i < 2; i++) {
		struct repo *twin =
		    repo_reopen(store_mem_clone(r->store), env);

		spoil(twin, tails[i]);
		assert_true(read_only_band(twin, &kind, &got, &e));
		assert_int_equal(kind, BAND_TAIL);
		band_release(&got);
		/* Both: not a reason to take it for unfinished. */
		spoil(twin, tails[1 - i]);
		assert_false(read_only_band(twin, &kind, &got, &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_non_null(strstr(e.text, "-tail-"));
		band_release(&got);
		repo_close(twin);
	}
	band_release(&b);
	repo_close(r);
}

/* A file that was copied to another one's name. */
static void test_foreign_content(void **state)
{
	struct repo *r = fresh();
	char mine[NAME_MAX_LEN + 1], other[NAME_MAX_LEN + 1];
	struct band b, c, got;
	struct buf bytes = BUF_EMPTY;
	struct err e;

	(void)state;
	band_start(&b, STEADY_NOW, 1, "home");
	band_start(&c, STEADY_NOW + 5, 2, "home");
	band_store(r, &b, BAND_TAIL, mine);
	band_store(r, &c, BAND_TAIL, other);
	assert_true(store_get(r->store, "bands", other, 0, SIZE_MAX, &bytes, NULL, &e));
	store_replace(r->store, "bands", mine, buf_span(&bytes));
	assert_false(band_read_file(r, mine, BAND_TAIL, &got, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	band_release(&got);
	assert_false(band_read_file(r, mine, BAND_HEAD, &got, &e));
	band_release(&got);
	buf_release(&bytes);
	band_release(&b);
	band_release(&c);
	repo_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_second),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_torn_tail),
		cmocka_unit_test(test_foreign_content),
	};

	return cmocka_run_group_tests(tests, steady_begin, steady_end);
}
