/*
 * Vacuum with each storage operation failing once, and with the client dying at each that
 * changes anything, whatever of it still happens: no snapshot suffers, at any time, and the
 * next runs leave nothing but what is alive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/fault.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"

struct crash {
	struct ages w;
	char cache[4096];
	struct vacuum_options o;
};

static void crash_setup(struct crash *c)
{
	unsigned i;

	ages_init(&c->w, 12, 100000);
	for (i = 0; i < 3; i++) {
		if (i)
			ages_change(&c->w, 20);
		ages_backup(&c->w, NULL);
	}
	ages_remove(&c->w, 0);
	ages_remove(&c->w, 1);
	scratch_mkdir(c->w.dir, "cache");
	snprintf(c->cache, sizeof c->cache, "%s/cache", c->w.dir);
	vacuum_do_init(&c->o);
	c->o.run = c->o.deletes = c->o.sole_client = true;
	c->o.below = 100;
	c->o.cache_dir = c->cache;
}

static void empty_cache(struct crash *c)
{
	char command[5000];

	snprintf(command, sizeof command, "rm -rf '%s'", c->cache);
	assert_int_equal(system(command), 0);
	scratch_mkdir(c->w.dir, "cache");
}

/* One run on a copy of the store, with the nth operation going wrong; then, if it crashed: */
static bool run_faulty(struct crash *c, struct store *from, const struct fault_plan *plan,
    struct store **left)
{
	struct store *fault = store_fault_new(store_mem_clone(from), plan);
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	bool fired;

	vacuum_do(fault, &c->o, &res, &e);
	fired = store_fault_fired(fault);
	*left = store_fault_release_inner(fault);
	store_free(fault);
	return fired;
}

/* Whatever happened before, two runs leave nothing but what is alive. */
static void recover(struct crash *c, struct store *s)
{
	struct vacuum_options look;
	struct vacuum_result res;

	ages_check(&c->w, s);
	vacuum_must(s, &c->o, &res);
	ages_check(&c->w, s);
	vacuum_must(s, &c->o, &res);
	vacuum_do_init(&look);
	vacuum_must(s, &look, &res);
	assert_int_equal(res.total_bytes, store_bytes(s));
	assert_int_equal(res.dead_bytes, 0);
	assert_int_equal(res.condemned_bytes, 0);
	assert_int_equal(res.unknown_bytes, 0);
	ages_check(&c->w, s);
}

static void test_failure(void **state)
{
	struct fault_plan plan = {.how = FAIL_ONCE};
	struct crash c;
	struct store *left;
	bool fired = true;

	(void)state;
	crash_setup(&c);
	for (plan.nth = 0; fired; plan.nth++) {
		empty_cache(&c);
		fired = run_faulty(&c, c.w.store, &plan, &left);
		recover(&c, left);
		store_free(left);
	}
	assert_true(plan.nth > 80);
	ages_release(&c.w);
}

static void test_crash(void **state)
{
	static const enum fail_land lands[] = {
	    LAND_NOTHING, LAND_EMPTY, LAND_ONE, LAND_HALF, LAND_BUT_ONE, LAND_WHOLE};
	struct fault_plan plan = {.how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE};
	struct crash c;
	struct store *left;
	bool fired;
	unsigned i;

	(void)state;
	crash_setup(&c);
	for (i = 0; i < 6; i++) {
		plan.land = lands[i];
		fired = true;
		for (plan.nth = 0; fired; plan.nth++) {
			empty_cache(&c);
			fired = run_faulty(&c, c.w.store, &plan, &left);
			recover(&c, left);
			store_free(left);
		}
	}
	assert_true(plan.nth > 10);
	ages_release(&c.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_failure),
	    cmocka_unit_test(test_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
