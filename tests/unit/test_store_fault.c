/* Simulated faults: each mode does what its name says, and does it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "store/fault.h"
#include "store_contract.h"

static struct store *with(const struct fault_plan *plan)
{
	return store_fault_new(store_mem_new(env_real()), plan);
}

static void test_nothing_happens(void **state)
{
	struct fault_plan plan = {0};
	struct store *s = with(&plan);

	(void)state;
	contract_run(s);
	assert_false(store_fault_fired(s));
	assert_false(store_fault_crashed(s));
	assert_true(store_fault_ops(s) > 20);
	store_free(s);
}

/* Six operations, of each kind; how many succeed before the first failure. */
static unsigned sequence(struct store *s, struct err *first)
{
	struct buf got = BUF_EMPTY;
	struct store_listing l = {NULL, 0, 0};
	struct err e[6] = {ERR_EMPTY};
	uint64_t size;
	bool ok[6];
	unsigned n = 0;

	ok[0] = put_text(s, "d", "a", "0123456789", &e[0]);
	ok[1] = store_get(s, "d", "a", 0, 4, &got, &size, &e[1]);
	ok[2] = put_text(s, "d", "b", "abcdefghij", &e[2]);
	ok[3] = store_list(s, "d", &l, &e[3]);
	ok[4] = store_stat(s, "d", "b", &size, &e[4]);
	ok[5] = store_remove(s, "d", "b", &e[5]);
	buf_release(&got);
	store_listing_release(&l);
	while (n < 6 && ok[n])
		n++;
	if (n < 6)
		*first = e[n];
	return n;
}

static void test_nth_once_and_forever(void **state)
{
	struct err e;
	bool fired = true;
	uint64_t n;

	(void)state;
	for (n = 0; fired; n++) {
		struct fault_plan plan = {
		    .how = FAIL_ONCE, .nth = n, .err = ERR_UNREACHABLE};
		struct store *s = with(&plan);

		assert_int_equal(sequence(s, &e), n);
		fired = store_fault_fired(s);
		assert_int_equal(fired, n < 6);
		assert_int_equal(store_fault_ops(s), 6);
		if (fired)
			assert_int_equal(e.kind, ERR_UNREACHABLE);
		assert_int_equal(
		    put_text(s, "d", "c", "x", &e), n != 6); /* the seventh */
		store_free(s);
		plan.how = FAIL_FOREVER;
		s = with(&plan);
		assert_int_equal(sequence(s, &e), n);
		assert_int_equal(put_text(s, "d", "c", "x", &e), n > 6);
		store_free(s);
	}
	assert_int_equal(n, 7);
}

static void test_kinds(void **state)
{
	struct fault_plan plan = {.how = FAIL_ONCE, .nth = 1, .kinds = OP_PUT};
	struct store *s = with(&plan);
	struct err e;

	(void)state;
	assert_int_equal(sequence(s, &e), 2);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(store_fault_ops(s), 2);
	store_free(s);
	plan =
	    (struct fault_plan){.how = FAIL_ONCE, .nth = 1, .kinds = OP_STAT | OP_LIST};
	s = with(&plan);
	assert_int_equal(sequence(s, &e), 4);
	store_free(s);
}

static void test_crash_tears(void **state)
{
	static const char *const content[] = {[LAND_NOTHING] = NULL,
	    [LAND_EMPTY] = "",
	    [LAND_ONE] = "a",
	    [LAND_HALF] = "abcde",
	    [LAND_BUT_ONE] = "abcdefghi",
	    [LAND_WHOLE] = "abcdefghij"};
	struct err e;

	(void)state;
	for (unsigned land = LAND_NOTHING; land <= LAND_WHOLE; land++) {
		struct fault_plan plan = {.how = FAIL_CRASH, .nth = 2, .land = land};
		struct store *s = with(&plan), *inner;
		struct buf got = BUF_EMPTY;

		assert_int_equal(sequence(s, &e), 2);
		assert_int_equal(e.kind, ERR_STOPPED);
		assert_true(store_fault_crashed(s) && store_fault_fired(s));
		assert_int_equal(store_fault_ops(s), 3);
		assert_false(put_text(s, "d", "later", "x", &e));
		assert_int_equal(e.kind, ERR_STOPPED);
		assert_false(store_remove(s, "d", "a", &e));
		assert_false(store_get(s, "d", "a", 0, 1, &got, NULL, &e));
		assert_int_equal(e.kind, ERR_STOPPED);
		inner = store_fault_release_inner(s);
		store_free(s);
		check_listing(inner, "d", land ? "a b " : "a ");
		if (land)
			check_content(inner, "d", "b", content[land]);
		store_free(inner);
	}
}

static void test_crash_around_remove(void **state)
{
	struct err e;

	(void)state;
	for (int after = 0; after < 2; after++) {
		struct fault_plan plan = {.how = FAIL_CRASH,
		    .kinds = OP_REMOVE,
		    .land = after ? LAND_WHOLE : LAND_HALF};
		struct store *s = with(&plan), *inner;

		assert_int_equal(sequence(s, &e), 5);
		inner = store_fault_release_inner(s);
		store_free(s);
		check_listing(inner, "d", after ? "a " : "a b ");
		store_free(inner);
	}
}

static void test_failed_put_may_land(void **state)
{
	struct fault_plan plan = {.how = FAIL_ONCE, .land = LAND_WHOLE};
	struct store *s = with(&plan);
	struct err e;

	(void)state;
	assert_false(put_text(s, "", "a", "whole", &e));
	assert_int_equal(e.kind, ERR_IO);
	check_content(s, "", "a", "whole");
	assert_false(store_fault_crashed(s));
	store_free(s);
}

static void test_lost_and_late(void **state)
{
	struct fault_plan lost = {.lost = 1000}, late = {.late = 1000, .late_for = 3};
	struct store *s = with(&lost);
	struct buf got = BUF_EMPTY;
	struct err e;
	uint64_t size;

	(void)state;
	assert_true(put_text(s, "d", "a", "x", &e));
	check_listing(s, "d", "");
	assert_true(store_fault_fired(s));
	store_free(s);

	s = with(&late);
	assert_true(put_text(s, "d", "a", "x", &e));
	check_listing(s, "d", "");
	assert_false(store_get(s, "d", "a", 0, 1, &got, NULL, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(store_stat(s, "d", "a", &size, &e));
	check_listing(s, "d", "a ");
	check_content(s, "d", "a", "x");
	assert_true(store_stat(s, "d", "a", &size, &e));
	store_free(s);
}

static void test_missing_while_young(void **state)
{
	struct fault_plan plan = {.missing = 1000, .young_for = 2};
	struct store *s = with(&plan);
	struct err e;

	(void)state;
	assert_true(put_text(s, "d", "a", "x", &e));
	assert_true(put_text(s, "d", "b", "x", &e));
	check_listing(s, "d", "");
	check_content(s, "d", "b", "x");
	check_listing(s, "d", "a b ");
	store_free(s);
}

static void test_ghosts(void **state)
{
	struct fault_plan plan = {.ghost = 1000, .linger = 2};
	struct store *s = with(&plan);
	struct buf got = BUF_EMPTY;
	struct err e;

	(void)state;
	assert_true(put_text(s, "d", "a", "x", &e));
	assert_true(store_remove(s, "d", "a", &e));
	check_listing(s, "d", "a ");
	assert_false(store_get(s, "d", "a", 0, 1, &got, NULL, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	check_listing(s, "d", "");
	store_free(s);
}

static void test_phantoms(void **state)
{
	struct fault_plan plan = {.error_put = 1000, .phantom = 1000};
	struct store *s = with(&plan);
	struct buf got = BUF_EMPTY;
	struct err e;
	uint64_t size;

	(void)state;
	assert_false(put_text(s, "d", "a", "1234567", &e));
	assert_int_equal(e.kind, ERR_IO);
	for (int i = 0; i < 20; i++)
		check_listing(s, "d", "a ");
	assert_true(store_stat(s, "d", "a", &size, &e));
	assert_int_equal(size, 7);
	assert_false(store_get(s, "d", "a", 0, 1, &got, NULL, &e));
	assert_int_equal(e.kind, ERR_IO);
	assert_false(store_remove(s, "d", "a", &e));
	assert_int_equal(e.kind, ERR_IO);
	store_free(s);
}

static void test_space(void **state)
{
	struct fault_plan plan = {.space = 25};
	struct store *s = with(&plan);
	struct err e;
	uint64_t left;

	(void)state;
	assert_true(put_text(s, "d", "a", "0123456789", &e));
	assert_true(put_text(s, "d", "b", "0123456789", &e));
	assert_true(store_space(s, &left));
	assert_int_equal(left, 5);
	assert_false(store_fault_fired(s));
	assert_false(put_text(s, "d", "c", "012345", &e));
	assert_int_equal(e.kind, ERR_NOSPACE);
	assert_true(store_fault_fired(s));
	assert_true(put_text(s, "d", "d", "01234", &e));
	assert_true(store_remove(s, "d", "a", &e));
	assert_true(put_text(s, "d", "e", "012345", &e));
	store_free(s);
}

/* One bit an operation: which of many failed. */
static void fingerprint(uint64_t seed, char *out, size_t n)
{
	struct fault_plan plan = {.seed = seed,
	    .error_put = 200,
	    .error_get = 200,
	    .error_remove = 200,
	    .lost = 100,
	    .late = 100,
	    .late_for = 5};
	struct store *s = with(&plan);
	struct buf got = BUF_EMPTY;
	struct err e;
	char name[16];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "f%zu", i / 3);
		if (i % 3 == 0)
			out[i] = put_text(s, "d", name, "x", &e);
		else if (i % 3 == 1)
			out[i] = store_get(s, "d", name, 0, 1, &got, NULL, &e);
		else
			out[i] = store_remove(s, "d", name, &e);
	}
	buf_release(&got);
	store_free(s);
}

static void test_same_seed_same_fate(void **state)
{
	char a[300], b[300], c[300];
	unsigned failed = 0;

	(void)state;
	fingerprint(7, a, sizeof a);
	fingerprint(7, b, sizeof b);
	fingerprint(8, c, sizeof c);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, c, sizeof a);
	for (size_t i = 0; i < sizeof a; i++)
		failed += !a[i];
	assert_in_range(failed, 60, 180);
}

static void test_describe(void **state)
{
	struct fault_plan plan = {.how = FAIL_CRASH,
	    .nth = 12,
	    .land = LAND_BUT_ONE,
	    .kinds = OP_PUT,
	    .seed = 99,
	    .ghost = 5};
	struct buf text = BUF_EMPTY;

	(void)state;
	store_fault_describe(&plan, &text);
	assert_string_equal(
	    buf_str(&text), "how=crash nth=12 land=but-one kinds=1 seed=99 ghost=5");
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_happens),
	    cmocka_unit_test(test_nth_once_and_forever),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_crash_tears),
	    cmocka_unit_test(test_crash_around_remove),
	    cmocka_unit_test(test_failed_put_may_land),
	    cmocka_unit_test(test_lost_and_late),
	    cmocka_unit_test(test_missing_while_young),
	    cmocka_unit_test(test_ghosts),
	    cmocka_unit_test(test_phantoms),
	    cmocka_unit_test(test_space),
	    cmocka_unit_test(test_same_seed_same_fate),
	    cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
