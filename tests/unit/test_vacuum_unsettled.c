/*
 * Vacuums and undeletes over a mount that uploads later, whose client dies with it: of
 * the last files that it put any may be lost, or cut short, or land long after, while
 * what it deleted is gone. Whatever happens, every snapshot that was whole before is
 * whole, at once and through all that others do then.
 *
 * All subsets of the files of one run, and crashes with subsets by chance: so many as
 * BALE_TORTURE says, if it is more than 1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "engine/client.h"
#include "engine/undelete.h"
#include "store/fault.h"
#include "tests/support/copy.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"

#define UNSETTLED 10 /* files at the end that may be lost */
#define DAYS      3

struct scene;
typedef bool program_fn(struct scene *x, struct store *s, struct err *e);

struct scene {
	const char *what;
	program_fn *program;
	bool settles;             /* the run under test */
	struct ages w;            /* its store is as it was when that began */
	char *cache;              /* of its client, and … */
	char *at_work;            /* … the copy with which it runs */
	struct store_listing log; /* what it put, "folder/name" */
	size_t settled;           /* so many of them are on the storage */
	/* the case at work */
	uint64_t seed;
	unsigned mask;
	unsigned cases, deleted;
};

static void failed(const struct scene *x, const char *doing, const char *why)
{
	fail_msg("%s, seed %ju mask %x: %s: %s", x->what, (uintmax_t)x->seed, x->mask, doing,
	    why);
}

/* --- programs */

static bool settle(void *arg, struct err *e)
{
	struct scene *x = arg;

	(void)e;
	x->settled = x->log.n;
	return true;
}

static void pass_a_day(void)
{
	for (unsigned minutes = 25 * 60; minutes > 0; minutes--)
		backup_clock();
}

static bool vacuum(struct scene *x, struct store *s, bool sole, struct err *e)
{
	struct vacuum_result res;
	struct vacuum_options o;
	bool ok;

	vacuum_do_init(&o);
	o.run = true;
	o.sole_client = sole;
	o.below = 100;
	o.cache_dir = x->at_work;
	ok = vacuum_do_settled(s, &o, x->settles ? settle : NULL, x, &res, e);
	x->deleted += res.deleted_files > 0;
	return ok;
}

static bool vacuum_sole(struct scene *x, struct store *s, struct err *e)
{
	return vacuum(x, s, true, e);
}

static bool vacuum_daily(struct scene *x, struct store *s, struct err *e)
{
	for (unsigned day = 0; day < DAYS; day++) {
		if (!vacuum(x, s, false, e))
			return false;
		pass_a_day();
	}
	return true;
}

/* Of the newest of those that were removed. */
static bool undelete(struct scene *x, struct store *s, struct err *e)
{
	struct undelete_options o = {.program = "bale test", .cache_dir = x->at_work};
	struct env *env = env_fixed_new(backup_clock(), 0, 70000 + x->seed);
	struct undelete_result res;
	struct repo *r;
	bool ok = repo_open(store_lend(s), env, secret_right, NULL, &r, e);

	if (ok) {
		r->patience = 0;
		r->settle = x->settles ? settle : NULL;
		r->settle_arg = x;
		ok = undelete_run(r, x->w.band[x->w.generations - 2], &o, NULL, &res, e);
		string_list_release(&res.paths);
		repo_close(r);
	}
	env_fixed_free(env);
	return ok;
}

/* --- losing */

static bool read_file(struct store *s, const char *path, char folder[16], struct buf *b)
{
	const char *slash = strrchr(path, '/');

	snprintf(folder, 16, "%.*s", (int)(slash - path), path);
	return store_get(s, folder, slash + 1, 0, SIZE_MAX, b, NULL, NULL);
}

/* What is on the storage, of the last files without those whose bit is set. */
static struct store *lose(struct scene *x, struct store *s, uint64_t torn)
{
	struct store *left = store_mem_clone(s);
	size_t first = x->log.n > UNSETTLED ? x->log.n - UNSETTLED : 0;

	if (first < x->settled)
		first = x->settled;
	for (size_t i = first; i < x->log.n; i++, torn /= 8) {
		const char *path = x->log.names[i], *name = strrchr(path, '/') + 1;
		struct buf b = BUF_EMPTY;
		char folder[16];

		if (!(x->mask >> (i - first) & 1) || !read_file(s, path, folder, &b))
			continue; /* or it has deleted it itself */
		if (torn % 8 > 1)
			assert_true(store_remove(left, folder, name, NULL));
		else
			store_replace(left, folder, name, span_of(b.p, torn % 8 ? 0 : b.n / 2));
		buf_release(&b);
	}
	return left;
}

static void land_late(struct scene *x, struct store *s, struct store *left)
{
	for (size_t i = 0; i < x->log.n; i++) {
		struct buf b = BUF_EMPTY;
		char folder[16];

		if (read_file(s, x->log.names[i], folder, &b))
			store_replace(
			    left, folder, strrchr(x->log.names[i], '/') + 1, buf_span(&b));
		buf_release(&b);
	}
}

/* --- what must hold */

static void check(struct scene *x, struct store *s, const char *doing)
{
	struct err e = ERR_EMPTY;

	for (unsigned i = 0; i < x->w.generations; i++)
		if (!x->w.removed[i] && !ages_whole(&x->w, s, i, &e))
			failed(x, doing, e.text);
}

/* Vacuums of another client, which may refuse what they see, but do no harm. */
static void vacuums(struct scene *x, struct store *s, const char *doing)
{
	char *cache = scratch_new();
	struct vacuum_options o;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;

	vacuum_do_init(&o);
	o.run = true;
	o.below = 100;
	o.cache_dir = cache;
	for (unsigned day = 0; day < DAYS; day++) {
		if (!vacuum_do(s, &o, &res, &e) && e.kind != ERR_MISSING &&
		    e.kind != ERR_CORRUPT && e.kind != ERR_REFUSED)
			failed(x, doing, e.text);
		check(x, s, doing);
		pass_a_day();
	}
	copy_free(cache);
}

static void aftermath(struct scene *x, struct store *s, uint64_t torn)
{
	struct store *left = lose(x, s, torn);
	struct backup_do d = {.store = left, .source = scratch_path(x->w.dir, "src")};
	struct backup_result res;
	struct err e = ERR_EMPTY;

	check(x, left, "after the crash");
	if (!backup_do(&d, &res, &e))
		failed(x, "another client's backup", e.text);
	check(x, left, "after another client's backup");
	vacuums(x, left, "after its vacuums");
	land_late(x, s, left);
	check(x, left, "when the rest has come");
	vacuums(x, left, "and vacuums after that");
	store_free(left);
	x->cases++;
}

/* The run dies at its nth operation; or, UINT64_MAX, after it. */
static struct store *run_and_die(struct scene *x, uint64_t nth)
{
	struct fault_plan plan = {.how = FAIL_CRASH, .nth = nth};
	struct store *s = store_mem_clone(x->w.store), *logged, *fault;
	struct err e = ERR_EMPTY;

	store_listing_release(&x->log);
	x->log = (struct store_listing){NULL, 0, 0};
	x->settled = 0;
	x->at_work = scratch_new();
	copy_plain(x->cache, x->at_work);
	logged = store_lend_logged(s, &x->log);
	logged->mount = MOUNT_WRITE_BACK;
	fault = store_fault_new(logged, &plan);
	if (!x->program(x, fault, &e) && nth == UINT64_MAX)
		failed(x, "the run", e.text);
	store_free(fault);
	copy_free(x->at_work);
	return s;
}

static void all_subsets(struct scene *x)
{
	struct store *s = run_and_die(x, UINT64_MAX);
	unsigned n = x->log.n < UNSETTLED ? (unsigned)x->log.n : UNSETTLED;
	unsigned step = getenv("BALE_TORTURE") ? 1 : getenv("BALE_TEST_STRIDE") ? 101 : 13;

	for (x->mask = 1; x->mask < 1u << n; x->mask += step)
		aftermath(x, s, UINT64_MAX);
	store_free(s);
}

static uint64_t operations(struct scene *x)
{
	struct fault_plan plan = {.how = FAIL_NEVER};
	struct store *s = store_mem_clone(x->w.store);
	struct store *fault = store_fault_new(s, &plan);
	struct err e = ERR_EMPTY;
	uint64_t n;

	x->at_work = scratch_new();
	copy_plain(x->cache, x->at_work);
	if (!x->program(x, fault, &e))
		failed(x, "the run", e.text);
	n = store_fault_ops(fault);
	store_free(fault);
	copy_free(x->at_work);
	return n;
}

static void by_chance(struct scene *x)
{
	const char *s = getenv("BALE_TORTURE");
	unsigned few = getenv("BALE_TEST_STRIDE") ? 3 : 20;
	unsigned cases = s && atoi(s) > 1 ? (unsigned)atoi(s) : s ? 2000 : few;
	uint64_t n = operations(x);

	for (x->seed = 1; x->seed <= cases; x->seed++) {
		uint64_t random = x->seed;
		struct store *died = run_and_die(x, splitmix(&random) % n);

		x->mask = (unsigned)(splitmix(&random) & splitmix(&random)) % (1u << UNSETTLED);
		x->mask |= 1u << x->seed % UNSETTLED;
		aftermath(x, died, splitmix(&random));
		store_free(died);
	}
}

/* Snapshots of which all but the newest are removed, and their client's cache. */
static void scene_begin(
    struct scene *x, const char *what, program_fn *program, bool settles)
{
	struct repo *r;

	*x = (struct scene){
	    .what = what, .program = program, .settles = settles, .cache = scratch_new()};
	ages_init(&x->w, 24, 60000);
	r = backup_open(x->w.store);
	client_state_found(r, x->cache); /* who needs nobody's leave */
	repo_close(r);
	for (unsigned i = 0; i < 3; i++) {
		if (i)
			ages_change(&x->w, 30);
		ages_backup(&x->w, x->cache);
	}
	for (unsigned i = 0; i < 2; i++)
		ages_remove(&x->w, i);
}

static void scene_end(struct scene *x)
{
	print_message("# %s, %s: %u crashes, %u runs that deleted\n", x->what,
	    x->settles ? "settled" : "not settled", x->cases, x->deleted);
	store_listing_release(&x->log);
	copy_free(x->cache);
	ages_release(&x->w);
}

static void run(const char *what, program_fn *program, bool deletes)
{
	struct scene x;

	for (int settles = 0; settles < 2; settles++) {
		scene_begin(&x, what, program, settles);
		all_subsets(&x);
		by_chance(&x);
		assert_true(!deletes || x.deleted > 0);
		scene_end(&x);
	}
}

static void test_sole(void **state)
{
	(void)state;
	run("sole client's vacuum", vacuum_sole, true);
}

static void test_daily(void **state)
{
	(void)state;
	run("daily vacuums", vacuum_daily, true);
}

static void test_undelete(void **state)
{
	(void)state;
	run("undelete", undelete, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sole),
	    cmocka_unit_test(test_daily),
	    cmocka_unit_test(test_undelete),
	};

	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
