/*
 * Vacuums over a mount that uploads later, with a command that waits for it: when it is
 * asked, and what may be deleted then that may not without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/client.h"
#include "tests/support/scratch.h"
#include "tests/support/vacuum_do.h"
#include "tests/support/watch.h"

#define MINUTES 60 /* of grace */

struct world {
	struct ages w;
	char cache[4096];
	struct watch watch;
	struct vacuum_options o;
	struct vacuum_result res;
	unsigned calls, fails_at; /* of the command, from 1; 0: never */
	char after[16][24];       /* the folder of what was put last, at each call */
};

static bool settle(void *arg, struct err *e)
{
	struct world *x = arg;
	size_t i = x->watch.n;

	while (i > 0 && x->watch.v[i - 1].op != OP_PUT)
		i--;
	if (i > 0 && x->calls < 16)
		snprintf(x->after[x->calls], sizeof x->after[0], "%s", x->watch.v[i - 1].folder);
	return ++x->calls != x->fails_at || err_set(e, ERR_IO, "the uploads do not end");
}

static bool vacuum(struct world *x, bool settles)
{
	struct err e = ERR_EMPTY;

	x->calls = 0;
	return vacuum_do_settled(
	    &x->watch.store, &x->o, settles ? settle : NULL, x, &x->res, &e);
}

static void backup(struct world *x)
{
	struct backup_do d = {.store = &x->watch.store,
	    .cache = x->cache,
	    .source = scratch_path(x->w.dir, "src")};
	struct backup_result res;
	char command[9000], name[32];

	snprintf(name, sizeof name, "gen-%u", x->w.generations);
	snprintf(command, sizeof command, "cp -a '%s' '%s'", d.source,
	    scratch_path(x->w.dir, name));
	assert_int_equal(system(command), 0);
	backup_must(&d, &res);
	memcpy(x->w.band[x->w.generations++], res.snapshot, sizeof res.snapshot);
}

/* Two snapshots, the first of which is removed: part of what it wrote the other needs. */
static void setup(struct world *x)
{
	struct repo *r;

	*x = (struct world){.calls = 0};
	ages_init(&x->w, 24, 60000);
	snprintf(x->cache, sizeof x->cache, "%s/cache", x->w.dir);
	scratch_mkdir(x->w.dir, "cache");
	watch_init(&x->watch, x->w.store);
	x->watch.store.mount = MOUNT_WRITE_BACK;
	vacuum_do_init(&x->o);
	x->o.run = true;
	x->o.grace = MINUTES * VACUUM_HOUR / 60;
	x->o.below = 100;
	x->o.cache_dir = x->cache;
	r = backup_open(x->w.store);
	client_state_found(r, x->cache);
	repo_close(r);
	backup(x);
	ages_change(&x->w, 30);
	backup(x);
	ages_remove(&x->w, 0);
}

static void teardown(struct world *x)
{
	ages_check(&x->w, x->w.store);
	watch_release(&x->watch);
	ages_release(&x->w);
}

static void pass(unsigned minutes)
{
	while (minutes--)
		backup_clock();
}

/* Whatever is waited for from the moment when it was put has arrived by then. */
static void test_order(void **state)
{
	static const char *const order[] = {
	    "bands", "index", "tombstones", "tombstones", "bands"};
	struct world x;
	unsigned i;

	(void)state;
	setup(&x);
	assert_true(vacuum(&x, true));
	assert_true(x.res.copied_bytes > 0);
	assert_int_equal(x.calls, 5);
	for (i = 0; i < x.calls; i++)
		assert_string_equal(x.after[i], order[i]);
	teardown(&x);
}

/* What was moved by a run that nothing settled may go once another has settled it. */
static void test_survivor(void **state)
{
	struct world x;

	(void)state;
	setup(&x);
	assert_true(vacuum(&x, false));
	assert_true(x.res.copied_bytes > 0);
	pass(2 * MINUTES);
	x.o.below = 0;
	assert_true(vacuum(&x, false));
	assert_true(x.res.kept_bundles > 0);
	assert_true(vacuum(&x, true));
	assert_int_equal(x.res.kept_bundles, 0);
	assert_true(x.res.deleted_bytes > 50000);
	teardown(&x);
}

/* Each call fails in turn: the run fails, and the next one goes on. */
static void test_failing(void **state)
{
	struct world x;
	unsigned nth;
	bool ok = false;

	(void)state;
	for (nth = 1; !ok; nth++) {
		setup(&x);
		assert_true(vacuum(&x, true));
		pass(2 * MINUTES);
		x.fails_at = nth;
		ok = vacuum(&x, true);
		assert_int_equal(ok, x.calls < nth);
		if (nth == 1)
			assert_int_equal(watch_count(&x.watch, OP_REMOVE, ""), 0);
		x.fails_at = 0;
		assert_true(vacuum(&x, true));
		assert_true(watch_count(&x.watch, OP_REMOVE, "data") > 0);
		teardown(&x);
	}
	assert_true(nth > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_survivor),
	    cmocka_unit_test(test_failing),
	};

	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
