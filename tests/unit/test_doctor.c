/* The doctor, on storage with one thing wrong each: it says which, and leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine/doctor.h"
#include "store/fault.h"
#include "tests/support/stores.h"

#define BIT(op) (1u << (op))
#define ALL_BITS (BIT(DOCTOR_OPS) - 1)

/* What needs a file, and so is not tried where none could be written. */
#define NEED_FILE (ALL_BITS & ~(BIT(DOCTOR_FOLDER) | BIT(DOCTOR_PUT) | BIT(DOCTOR_LIST)))

static struct env *env;

static int setup(void **state)
{
	(void)state;
	env = env_fixed_new(1000000000, 1000, 7);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	env_fixed_free(env);
	return 0;
}

static void examine(struct store *s, struct doctor_result *out)
{
	struct doctor_options o = {.env = env};
	struct err e = ERR_EMPTY;

	if (!doctor_run(s, &o, out, &e))
		fail_msg("%s", e.text);
}

static unsigned failed(const struct doctor_result *r)
{
	unsigned bits = 0;

	for (int i = 0; i < DOCTOR_OPS; i++) {
		if (!r->probes[i].ok)
			bits |= BIT(i);
		if (r->probes[i].tried && !r->probes[i].ok)
			assert_true(r->probes[i].why.text[0]);
	}
	assert_int_equal(r->ok, bits == 0 && r->litter == 0);
	return bits;
}

static void test_healthy(void **state)
{
	struct store *s = store_mem_new(env);
	struct doctor_result r;

	(void)state;
	examine(s, &r);
	assert_int_equal(failed(&r), 0);
	assert_true(r.ok);
	for (int i = 0; i < DOCTOR_OPS; i++)
		assert_true(r.probes[i].tried);
	assert_int_equal(r.litter, 0);
	assert_int_equal(r.others, 0);
	assert_int_equal(stores_count(s, "doctor"), 0);
	assert_true(r.probes[DOCTOR_PUT].seconds > 0);
	assert_true(r.probes[DOCTOR_PUT].seconds < 0.1);
	assert_true(r.probes[DOCTOR_SHOWN].seconds <= 0);
	store_free(s);
}

/* A second run finds the folder, and files that are not its own stay. */
static void test_again(void **state)
{
	struct span text = span_str("x");
	struct store *s = store_mem_new(env);
	struct doctor_result r;
	struct err e;

	(void)state;
	assert_true(store_put(s, "doctor", "stranger", &text, 1, &e));
	examine(s, &r);
	assert_true(r.ok);
	assert_false(r.probes[DOCTOR_FOLDER].tried);
	assert_int_equal(r.others, 1);
	assert_int_equal(stores_count(s, "doctor"), 1);
	store_free(s);
}

static void test_planned(void **state)
{
	static const struct {
		struct fault_plan plan;
		unsigned failed, litter;
	} cases[] = {
	    {{.how = FAIL_FOREVER, .kinds = OP_PUT},
		NEED_FILE | BIT(DOCTOR_FOLDER) | BIT(DOCTOR_PUT), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_PUT, .nth = 2, .land = LAND_HALF},
		BIT(DOCTOR_PUT), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_PUT, .nth = 5}, BIT(DOCTOR_EXCLUSIVE), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_PUT, .nth = 10, .land = LAND_BUT_ONE},
		BIT(DOCTOR_PUT_LARGE) | BIT(DOCTOR_GET_LARGE), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_GET, .nth = 4}, BIT(DOCTOR_GET), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_GET, .nth = 5}, BIT(DOCTOR_RANGE), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_GET, .nth = 10}, BIT(DOCTOR_GET_LARGE), 0},
	    {{.how = FAIL_FOREVER, .kinds = OP_GET},
		BIT(DOCTOR_GET) | BIT(DOCTOR_RANGE) | BIT(DOCTOR_GET_LARGE), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_STAT, .nth = 4}, BIT(DOCTOR_SIZE), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_LIST}, BIT(DOCTOR_SHOWN), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_LIST, .nth = 5}, BIT(DOCTOR_LIST), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_LIST, .nth = 6}, BIT(DOCTOR_GONE), 0},
	    {{.how = FAIL_FOREVER, .kinds = OP_LIST},
		BIT(DOCTOR_SHOWN) | BIT(DOCTOR_LIST) | BIT(DOCTOR_GONE), 0},
	    {{.how = FAIL_ONCE, .kinds = OP_REMOVE, .nth = 3}, BIT(DOCTOR_REMOVE), 0},
	    {{.how = FAIL_FOREVER, .kinds = OP_REMOVE},
		BIT(DOCTOR_REMOVE) | BIT(DOCTOR_GONE), 6},
	    {{.how = FAIL_FOREVER, .kinds = OP_REMOVE, .nth = 2}, BIT(DOCTOR_REMOVE), 4},
	    {{.space = 65536}, BIT(DOCTOR_PUT_LARGE) | BIT(DOCTOR_GET_LARGE), 0},
	    {{.ghost = 1000}, BIT(DOCTOR_GONE), 0},
	    {{.lost = 1000},
		ALL_BITS & ~(BIT(DOCTOR_PUT) | BIT(DOCTOR_FOLDER) | BIT(DOCTOR_LIST) |
			       BIT(DOCTOR_PUT_LARGE)),
		0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct store *inner = store_mem_new(env);
		struct store *s = store_fault_new(store_lend(inner), &cases[i].plan);
		struct doctor_result r;

		examine(s, &r);
		if (failed(&r) != cases[i].failed || r.litter != cases[i].litter)
			fail_msg("case %zu: failed %x instead of %x, litter %u", i,
			    failed(&r), cases[i].failed, r.litter);
		assert_int_equal(r.others, 0);
		assert_true(store_fault_fired(s));
		assert_int_equal(stores_count(inner, "doctor"), cases[i].litter);
		store_free(s);
		store_free(inner);
	}
}

/* One failure, wherever it is, is told and leaves nothing behind. */
static void test_each_once(void **state)
{
	bool fired = true;

	(void)state;
	for (uint64_t n = 0; fired; n++) {
		struct fault_plan plan = {.how = FAIL_ONCE,
		    .nth = n,
		    .land = LAND_WHOLE,
		    .err = ERR_UNREACHABLE};
		struct store *inner = store_mem_new(env);
		struct store *s = store_fault_new(store_lend(inner), &plan);
		struct doctor_result r;

		examine(s, &r);
		fired = store_fault_fired(s);
		assert_int_equal(r.ok, !fired);
		assert_int_equal(failed(&r) == 0, !fired);
		assert_int_equal(r.litter, 0);
		assert_int_equal(stores_count(inner, "doctor"), 0);
		assert_true(fired || n > 30);
		store_free(s);
		store_free(inner);
	}
}

static void check_place(
    void *arg, const char *folder, const char *name, struct span content)
{
	(void)arg;
	(void)name;
	(void)content;
	assert_string_equal(folder, "doctor");
}

/* Killed, it leaves files in its own folder only. */
static void test_crash(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 40; n += 3) {
		struct fault_plan plan = {.how = FAIL_CRASH, .nth = n, .land = LAND_HALF};
		struct store *inner = store_mem_new(env);
		struct store *s = store_fault_new(store_lend(inner), &plan);
		struct doctor_result r;

		examine(s, &r);
		assert_false(r.ok && store_fault_crashed(s));
		stores_each(inner, check_place, NULL);
		store_free(s);
		store_free(inner);
	}
}

/* What shows late is waited for, and the time told; what never shows is a failure. */
static void test_late(void **state)
{
	struct fault_plan plan = {.late = 1000, .late_for = 12};
	struct store *s = store_fault_new(store_mem_new(env), &plan);
	struct doctor_result r;

	(void)state;
	examine(s, &r);
	assert_true(r.probes[DOCTOR_SHOWN].ok);
	assert_true(r.probes[DOCTOR_SHOWN].seconds > 0.02);
	assert_true(r.probes[DOCTOR_SHOWN].seconds < DOCTOR_WAIT);
	store_free(s);
	plan.late_for = 1000;
	s = store_fault_new(store_mem_new(env), &plan);
	examine(s, &r);
	assert_true(r.probes[DOCTOR_SHOWN].tried);
	assert_false(r.probes[DOCTOR_SHOWN].ok);
	assert_int_equal(r.probes[DOCTOR_SHOWN].why.kind, ERR_MISSING);
	assert_true(r.probes[DOCTOR_SHOWN].seconds >= DOCTOR_WAIT);
	store_free(s);
}

/* --- stores that lie, by one operation put in the place of store_mem's */

static const struct store_ops *honest;

static bool put_over(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	honest->remove(s, folder, name, e);
	return honest->put(s, folder, name, parts, n_parts, e);
}

static bool get_flipped(struct store *s, const char *folder, const char *name,
    uint64_t at, size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	bool ok = honest->get(s, folder, name, at, n, out, size, e);

	if (ok && n == SIZE_MAX)
		out->p[out->n - 1] ^= 1;
	return ok;
}

static bool stat_short(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	bool ok = honest->stat(s, folder, name, size, e);

	*size = 0;
	return ok;
}

static void check_lie(const struct store_ops *lie, unsigned want)
{
	struct store *s = store_mem_new(env);
	struct doctor_result r;

	s->ops = lie;
	examine(s, &r);
	assert_int_equal(failed(&r), want);
	assert_int_equal(stores_count(s, "doctor"), 0);
	store_free(s);
}

static void test_lies(void **state)
{
	struct store *s = store_mem_new(env);
	struct store_ops lie;

	(void)state;
	honest = s->ops;
	lie = *honest;
	lie.put = put_over;
	check_lie(&lie, BIT(DOCTOR_EXCLUSIVE));
	lie = *honest;
	lie.get = get_flipped;
	check_lie(&lie, BIT(DOCTOR_GET) | BIT(DOCTOR_GET_LARGE));
	lie = *honest;
	lie.stat = stat_short;
	check_lie(&lie, BIT(DOCTOR_SIZE));
	store_free(s);
}

static volatile bool stop;

static void stop_at(void *arg, enum doctor_op op, const struct doctor_probe *p)
{
	(void)p;
	if (op == *(enum doctor_op *)arg)
		stop = true;
}

/* A stop is obeyed at once, and cleans up. */
static void test_stop(void **state)
{
	(void)state;
	for (enum doctor_op at = 0; at < DOCTOR_GONE; at++) {
		struct doctor_options o = {
		    .env = env, .stop = &stop, .on_probe = stop_at, .arg = &at};
		struct store *s = store_mem_new(env);
		struct doctor_result r;
		struct err e = ERR_EMPTY;

		stop = false;
		assert_false(doctor_run(s, &o, &r, &e));
		assert_int_equal(e.kind, ERR_STOPPED);
		assert_false(r.probes[DOCTOR_GONE].ok);
		assert_int_equal(stores_count(s, "doctor"), 0);
		store_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_healthy),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_planned),
	    cmocka_unit_test(test_each_once),
	    cmocka_unit_test(test_crash),
	    cmocka_unit_test(test_late),
	    cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
