/*
 * Crashes and failures at every storage operation of a first, a resumed and an
 * incremental backup. Whatever happens: what is complete restores to the tree it was
 * taken of, nothing that was stored is touched, and the next run, with the client's cache
 * or without, completes.
 *
 * The tree is small but ends in several bundles, hunks and parts; most of its entries are
 * further names of a file, which cost next to nothing.
 *
 * The recovery from a crash is crashed too: here and there, each time at another of its
 * operations; with BALE_TORTURE set, each recovery at each operation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "band/bands.h"
#include "base/mem.h"
#include "format/hunk.h"
#include "store/fault.h"
#include "tests/support/backup_do.h"
#include "tests/support/bytes.h"
#include "tests/support/check_snapshot.h"
#include "tests/support/copy.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"

#define NAMES 256       /* in a folder: a hunk can end behind them */
#if defined(__SANITIZE_ADDRESS__)
#define SLOW   true /* there the crashes at puts must do */
#define STRIDE 509
#else
#define SLOW   false
#define STRIDE 131
#endif
#define CHECKPOINT 80000 /* bytes: a folder's */

/* --- the tree */

static void put(const char *dir, const char *name, size_t n, uint64_t seed)
{
	struct buf b = BUF_EMPTY;

	bytes_noise(&b, n, seed);
	scratch_file(dir, name, b.p, b.n);
	buf_release(&b);
}

/* A folder with a bundle of data in it, and a hunk's worth of names. */
static void put_folder(const char *dir, const char *in, uint64_t seed)
{
	char first[64], name[64];
	unsigned i;

	scratch_mkdir(dir, in);
	snprintf(first, sizeof first, "%s/f", in);
	put(dir, first, 40, seed);
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "%s/n%03u", in, i);
		assert_int_equal(
		    link(scratch_path(dir, first), scratch_path(dir, name)), 0);
	}
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "%s/data%u", in, i);
		put(dir, name, i < 2 ? 41000 : 500 * i, seed + 1 + i);
	}
	snprintf(name, sizeof name, "%s/link", in);
	scratch_symlink(dir, name, "data1");
	for (i = 0; i == 0 || !hunk_ends(span_str(scratch_path(dir, name)), 256, 0); i++)
		snprintf(name, sizeof name, "%s/z%u", in, i);
	assert_int_equal(link(scratch_path(dir, first), scratch_path(dir, name)), 0);
}

static void make_tree(const char *dir)
{
	put_folder(dir, "a", 100);
	put_folder(dir, "b", 200);
	put_folder(dir, "c", 300);
}

static void change_tree(const char *dir)
{
	put(dir, "a/data1", 41000, 400);
	put(dir, "a/new", 40000, 401);
	put(dir, "b/data5", 2000, 402);
	put(dir, "c/new", 82000, 403);
	assert_int_equal(unlink(scratch_path(dir, "b/data0")), 0);
}

static char *copy_cache(const char *from)
{
	char *to = scratch_new();

	copy_plain(from, to);
	return to;
}

/* --- a matrix */

struct matrix {
	const char *what;
	char *source, *then;  /* the source, and a copy of it as of the first snapshot */
	struct store *base;   /* the storage when the run under test begins, … */
	char *cache;          /* … and its cache */
	char *first;          /* the band of the first snapshot, or NULL */
	bool puts;            /* only crashes, and only at puts */
	unsigned threads;
	uint64_t total;       /* bytes that a first backup reads */
	unsigned points, twice; /* the second: of crashed recoveries */
	struct fault_plan plan; /* of the point at work */
};

static void failed(const struct matrix *m, const char *doing, const char *why)
{
	struct buf plan = BUF_EMPTY;

	store_fault_describe(&m->plan, &plan);
	fail_msg("%s, %s: %s: %s", m->what, buf_str(&plan), doing, why);
}

/* What the bands of a storage come to. */
struct state {
	unsigned complete, open; /* with a whole tail; without, and without a fence */
	uint64_t read;           /* bytes, as their last parts and tails tell */
};

/*
 * All that is complete is right; those of the bands that begin with `only`, if not NULL.
 */
static struct state look(
    const struct matrix *m, struct store *s, const char *only, const char *doing)
{
	struct repo *r = backup_open(s);
	struct state state = {0};
	struct err e = ERR_EMPTY;
	struct bands bands;
	size_t i;

	if (!bands_list(r, &bands, &e))
		failed(m, doing, e.text);
	for (i = 0; i < bands.n; i++) {
		const struct band_info *info = &bands.v[i];
		const char *name = info->name.text;
		bool old = m->first && strcmp(name, m->first) == 0;
		enum band_file kind = BAND_HEAD;
		struct band b;
		bool read;

		if (band_is_trace(info))
			continue;
		read = band_read(r, info, &kind, &b, &e);

		if (!read && e.kind != ERR_CORRUPT)
			failed(m, doing, e.text);
		if (!read && info->parts.n > 0) {
			/* A torn tail does not take from what the parts hold. */
			struct band_info rest = *info;
			enum band_file part;

			band_release(&b);
			rest.tails.n = 0;
			if (!band_read(r, &rest, &part, &b, &e))
				failed(m, doing, e.text);
		}
		state.read += b.totals.bytes_read;
		band_release(&b);
		if (!read || kind != BAND_TAIL || info->fences.n > 0) {
			state.open += info->heads.n > 0 && info->fences.n == 0;
			continue;
		}
		state.complete++;
		if (!only || strcmp(name, only) == 0)
			if (!check_snapshot(
			        r, name, m->source, old ? m->then : m->source, NULL, &e))
				failed(m, doing, e.text);
	}
	bands_release(&bands);
	repo_close(r);
	return state;
}

static struct backup_do run_of(const struct matrix *m, struct store *s, const char *cache)
{
	return (struct backup_do){.store = s, .cache = cache, .source = m->source,
	    .threads = m->threads, .transfers = m->threads, .checkpoint = CHECKPOINT,
	    .patience = 60 * INT64_C(1000000000)};
}

/*
 * A run that nothing hinders: completes, adds one snapshot, and touches nothing. With its
 * own cache it also leaves no band of its own open, and what is in a part is not read
 * again.
 */
static void recover(
    struct matrix *m, struct store *s, const char *cache, const char *doing)
{
	struct backup_do d = run_of(m, s, cache);
	struct state before = look(m, s, "none", doing), after;
	struct backup_result result;
	struct err e = ERR_EMPTY;
	struct buf why = BUF_EMPTY;

	if (!backup_do(&d, &result, &e))
		failed(m, doing, e.text);
	if (!result.complete || result.totals.unreadable || result.totals.vanished)
		failed(m, doing, "the snapshot is not whole");
	after = look(m, s, result.snapshot, doing);
	if (after.complete != before.complete + 1)
		failed(m, doing, "not one snapshot more");
	if (cache && after.open)
		failed(m, doing, "a band of its own is open still");
	if (!m->first && result.totals.bytes_read + before.read > m->total)
		failed(m, doing, "what was read is read again");
	if (!stores_within(m->base, s, &why))
		failed(m, doing, buf_str(&why));
	buf_release(&why);
}

/* At the plan's nth operation, and at each that comes so many after it. */
static void recover_crashed(struct matrix *m, struct store *s, const char *cache,
    struct fault_plan plan, unsigned stride)
{
	struct backup_do d = run_of(m, NULL, NULL);
	struct backup_result result;
	bool fired = true;

	for (; fired; plan.nth += stride) {
		struct store *twin = store_mem_clone(s);
		struct store *f = store_fault_new(twin, &plan);
		char *copy = copy_cache(cache);
		struct err e = ERR_EMPTY;

		d.store = f;
		d.cache = copy;
		backup_do(&d, &result, &e);
		fired = store_fault_fired(f);
		store_fault_release_inner(f);
		store_free(f);
		if (fired) {
			look(m, twin, NULL, "after a second crash");
			recover(m, twin, copy, "after a second crash");
			m->twice++;
		}
		store_free(twin);
		copy_free(copy);
	}
}

static void recover_crashed_ways(struct matrix *m, struct store *s, const char *cache)
{
	struct fault_plan half = {.how = FAIL_CRASH, .land = LAND_HALF};
	struct fault_plan after = {.how = FAIL_CRASH, .land = LAND_WHOLE, .kinds = OP_PUT};
	bool torture = getenv("BALE_TORTURE") && m->threads == 0;

	if (torture) {
		recover_crashed(m, s, cache, half, 1);
		recover_crashed(m, s, cache, after, 1);
	} else if (m->points % 2) {
		half.nth = m->points * 7 % STRIDE;
		recover_crashed(m, s, cache, half, STRIDE);
	} else {
		after.nth = m->points * 7 % (STRIDE / 4);
		recover_crashed(m, s, cache, after, STRIDE);
	}
}

/* One run with the plan of m; false where its nth operation is beyond the end. */
static bool point(struct matrix *m)
{
	struct store *s = store_mem_clone(m->base), *twin, *f = store_fault_new(s, &m->plan);
	char *cache = copy_cache(m->cache);
	struct backup_do d = run_of(m, f, cache);
	struct backup_result result;
	struct err e = ERR_EMPTY;
	struct buf why = BUF_EMPTY;
	bool ok = backup_do(&d, &result, &e), fired = store_fault_fired(f);

	store_fault_release_inner(f);
	store_free(f);
	if (fired && m->plan.how == FAIL_ONCE && !ok)
		failed(m, "one failure is one too many", e.text);
	if (fired && m->plan.how == FAIL_CRASH && ok)
		failed(m, "the run", "has not noticed that it is dead");
	if (!stores_within(m->base, s, &why))
		failed(m, "the run", buf_str(&why));
	look(m, s, NULL, "the run");
	if (fired && m->plan.how != FAIL_ONCE) {
		twin = store_mem_clone(s);
		recover(m, twin, NULL, "without the cache");
		store_free(twin);
	}
	if (fired) {
		m->points++;
		if (m->plan.how == FAIL_CRASH)
			recover_crashed_ways(m, s, cache);
		recover(m, s, cache, "next");
	}
	buf_release(&why);
	copy_free(cache);
	store_free(s);
	return fired;
}

static const struct fault_plan plans[] = {
    {.how = FAIL_ONCE},
    {.how = FAIL_ONCE, .kinds = OP_PUT, .land = LAND_HALF},
    {.how = FAIL_ONCE, .kinds = OP_PUT, .land = LAND_WHOLE},
    {.how = FAIL_FOREVER},
    {.how = FAIL_FOREVER, .err = ERR_NOSPACE, .kinds = OP_PUT},
    {.how = FAIL_CRASH},
    {.how = FAIL_CRASH, .kinds = OP_PUT, .land = LAND_EMPTY},
    {.how = FAIL_CRASH, .kinds = OP_PUT, .land = LAND_HALF},
    {.how = FAIL_CRASH, .kinds = OP_PUT, .land = LAND_BUT_ONE},
    {.how = FAIL_CRASH, .kinds = OP_PUT, .land = LAND_WHOLE},
};
#define PLANS (sizeof plans / sizeof *plans)

static void run_matrix(struct matrix *m, const char *what)
{
	unsigned before = m->points, twice = m->twice;
	size_t i;

	m->what = what;
	for (i = 0; i < PLANS; i++) {
		if (m->puts && (plans[i].how != FAIL_CRASH || plans[i].kinds != OP_PUT))
			continue;
		for (m->plan = plans[i]; point(m); m->plan.nth++)
			;
	}
	print_message("# %s: %u points, %u in recoveries\n", what, m->points - before,
	    m->twice - twice);
}

/* Run until the crash after the first part. */
static void interrupt(struct matrix *m)
{
	struct fault_plan plan = {.how = FAIL_CRASH, .kinds = OP_PUT, .land = LAND_HALF};
	struct backup_do d = run_of(m, NULL, m->cache);
	struct backup_result result = {.parts = 0};
	struct err e = ERR_EMPTY;
	struct store *f;

	while (result.parts < 2) {
		struct store *s = store_mem_clone(m->base);

		scratch_free(m->cache);
		m->cache = scratch_new();
		d.cache = m->cache;
		d.store = f = store_fault_new(s, &plan);
		assert_false(backup_do(&d, &result, &e));
		store_fault_release_inner(f);
		store_free(f);
		if (result.parts == 2) {
			store_free(m->base);
			m->base = s;
		} else {
			store_free(s);
		}
		plan.nth++;
	}
}

/* Enough of everything for a crash to come between. */
static void check_shape(
    const struct matrix *m, struct store *s, const struct backup_result *run)
{
	struct repo *r = backup_open(s);
	struct check_result got;
	struct err e = ERR_EMPTY;
	char folder[16];
	size_t bundles = 0;
	unsigned i;

	if (!check_snapshot(r, run->snapshot, m->source, m->source, &got, &e))
		failed(m, "undisturbed", e.text);
	for (i = 0; i < 16; i++) {
		snprintf(folder, sizeof folder, "data/%x", i);
		bundles += stores_count(s, folder);
	}
	assert_true(bundles >= 3);
	assert_true(got.hunks >= 3);
	assert_true(run->parts >= 2);
	repo_close(r);
}

static void test_matrix(bool encrypted, bool puts, unsigned threads)
{
	struct matrix m = {.puts = puts && !(getenv("BALE_TORTURE") && threads == 0),
	    .threads = threads, .source = scratch_new(), .then = scratch_new(),
	    .cache = scratch_new(), .base = store_mem_new(env_real())};
	struct backup_result result;
	struct store *empty;
	struct backup_do d;

	make_tree(m.source);
	copy_tree(m.source, m.then);
	backup_init(m.base, encrypted, 17);
	empty = store_mem_clone(m.base);
	d = run_of(&m, empty, NULL);
	backup_must(&d, &result);
	m.total = result.totals.bytes_read;
	check_shape(&m, empty, &result);
	store_free(empty);
	run_matrix(&m, "first backup");

	empty = store_mem_clone(m.base);
	interrupt(&m);
	run_matrix(&m, "resumed backup");

	store_free(m.base);
	m.base = empty;
	d = run_of(&m, m.base, m.cache);
	scratch_free(m.cache);
	m.cache = scratch_new();
	d.cache = m.cache;
	backup_must(&d, &result);
	m.first = result.snapshot;
	change_tree(m.source);
	run_matrix(&m, "incremental backup");

	store_free(m.base);
	scratch_free(m.cache);
	scratch_free(m.source);
	scratch_free(m.then);
}

static void test_plain(void **state)
{
	(void)state;
	test_matrix(false, SLOW, 0);
}

static void test_encrypted(void **state)
{
	(void)state;
	test_matrix(true, true, 0);
}

/* Which operation is hit is chance here, but not what must hold. */
static void test_threads(void **state)
{
	(void)state;
	test_matrix(true, true, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_encrypted),
	    cmocka_unit_test(test_threads),
	};

	scratch_private(); /* quick, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
