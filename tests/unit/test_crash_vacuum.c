/*
 * Failures and crashes at every storage operation of vacuums and undeletes, and at every
 * one of the runs that come after a crash. Whatever happens, and at any time, every
 * complete snapshot restores; the next runs complete, and leave nothing but what is
 * alive.
 *
 * A vacuum is tried as a sole client's, which deletes at once, and as a sequence of daily
 * runs with a grace between them, in virtual time. After a crash come, each for itself:
 * the same client's next vacuum; its next backup, and vacuums after it; and another
 * client's vacuums, which have to wait for what the dead one has left.
 *
 * A client that dies before it reads leaves what it leaves behind its last change, so
 * only changes are crashed with all that may land of them. BALE_TEST_STRIDE=1 takes every
 * point, and crashes the recoveries too; by default every so many are taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "band/bands.h"
#include "base/mem.h"
#include "engine/restore.h"
#include "engine/torn.h"
#include "engine/undelete.h"
#include "engine/validate.h"
#include "store/fault.h"
#include "tests/support/check_snapshot.h"
#include "tests/support/copy.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/tree_compare.h"
#include "tests/support/vacuum_do.h"

#define MINUTE (60 * INT64_C(1000000000))
#define DAYS_MAX 16 /* runs, 25 hours apart, after which nothing may be left */

struct scene;
typedef bool program_fn(
    struct scene *s, struct store *store, const char *cache, struct err *e);

struct scene {
	const char *what;
	struct ages w;        /* its store is as it was when the run under test began */
	char *cache;
	bool sole;            /* vacuums are a sole client's */
	program_fn *program;  /* the run under test */
	int64_t begin;        /* its time */
	unsigned points;
	struct fault_plan plan; /* of the point at work, … */
	bool again;             /* … or `second`, of its recovery */
	struct fault_plan second;
};

static int64_t now; /* the clock of all runs */
static unsigned stride;
static char said[1200]; /* what is left to do */

static void failed(const struct scene *s, const char *doing, const char *why)
{
	struct buf plan = BUF_EMPTY;

	store_fault_describe(&s->plan, &plan);
	if (s->again) {
		buf_add_str(&plan, "; then ");
		store_fault_describe(&s->second, &plan);
	}
	fail_msg("%s, %s: %s: %s", s->what, buf_str(&plan), doing, why);
}

/* --- runs, each as a process of its own, a minute after the last */

static bool open_repo(
    struct store *store, struct repo **r, struct env **env, struct err *e)
{
	static uint64_t seeds = 900000;

	now += MINUTE;
	*env = env_fixed_new(now, 0, ++seeds);
	return repo_open(store_lend(store), *env, secret_right, NULL, r, e);
}

static bool vacuum(struct scene *s, struct store *store, const char *cache, struct err *e)
{
	struct vacuum_result res;
	struct vacuum_options o;
	struct repo *r;
	struct env *env;
	bool ok;

	vacuum_do_init(&o);
	o.run = true;
	o.sole_client = s->sole;
	o.below = 100;
	o.cache_dir = cache;
	ok = open_repo(store, &r, &env, e);
	if (ok) {
		r->patience = MINUTE;
		ok = vacuum_run(r, &o, NULL, &res, e);
		repo_close(r);
	}
	env_fixed_free(env);
	return ok;
}

static bool undelete(
    struct scene *s, struct store *store, const char *cache, struct err *e)
{
	struct undelete_options o = {.program = "bale test", .cache_dir = cache};
	struct undelete_result res;
	struct repo *r;
	struct env *env;
	bool ok;

	ok = open_repo(store, &r, &env, e);
	if (ok) {
		r->patience = MINUTE;
		ok = undelete_run(r, s->w.band[1], &o, NULL, &res, e);
		string_list_release(&res.paths);
		repo_close(r);
	}
	env_fixed_free(env);
	return ok;
}

static bool backup(struct scene *s, struct store *store, const char *cache, struct err *e)
{
	struct backup_do d = {.store = store, .cache = cache,
	    .source = scratch_path(s->w.dir, "src"), .now = now += MINUTE,
	    .patience = MINUTE};
	struct backup_result res;

	return backup_do(&d, &res, e);
}

static void pass_a_day(void)
{
	now += VACUUM_GRACE + 30 * MINUTE;
}

static bool vacuum_daily(
    struct scene *s, struct store *store, const char *cache, struct err *e)
{
	for (unsigned day = 0; day < 4; day++) {
		if (!vacuum(s, store, cache, e))
			return false;
		pass_a_day();
	}
	return true;
}

/* --- what must hold */

/* What a band must restore to: the source as it was at the time that its name tells. */
static const char *source_of(const struct scene *s, const char *band)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/src", s->w.dir);
	for (unsigned i = 0; i < s->w.generations; i++)
		if (memcmp(s->w.band[i], band, 14) == 0)
			snprintf(path, sizeof path, "%s/gen-%u", s->w.dir, i);
	return path;
}

/* By the engine that users restore with. */
static void restore_one(
    const struct scene *s, struct repo *r, const struct band *b, const char *doing)
{
	char source[4096];
	char *out = scratch_new();
	const char *differs;
	struct restore_options o = {.target = out, .path = span_str(source), .numeric = true};
	struct restore_result res;
	struct err e = ERR_EMPTY;

	snprintf(source, sizeof source, "%s/src", s->w.dir);
	o.path = span_str(source);
	if (!restore_run(r, b, &o, NULL, &res, &e))
		failed(s, doing, e.text);
	differs = tree_differs(source_of(s, b->name.text), out);
	if (differs)
		failed(s, doing, differs);
	copy_free(out);
}

/* Every complete snapshot is whole; how many of those that were there at first are. */
static unsigned check_bands(const struct scene *s, struct repo *r, const char *doing)
{
	char source[4096];
	struct err e = ERR_EMPTY;
	enum band_file kind;
	struct bands bands;
	unsigned old = 0;
	struct band b;
	size_t i;

	snprintf(source, sizeof source, "%s/src", s->w.dir);
	if (!bands_list(r, &bands, &e))
		failed(s, doing, e.text);
	for (i = 0; i < bands.n; i++) {
		if (!band_looks_complete(&bands.v[i]) ||
		    !band_read(r, &bands.v[i], &kind, &b, NULL))
			continue;
		if (b.kind == BAND_BACKUP) {
			if (!check_snapshot(
			        r, b.name.text, source, source_of(s, b.name.text), NULL, &e))
				failed(s, doing, e.text);
			restore_one(s, r, &b, doing);
			for (unsigned g = 0; g < s->w.generations; g++)
				old += !s->w.removed[g] && strcmp(s->w.band[g], b.name.text) == 0;
		}
		band_release(&b);
	}
	bands_release(&bands);
	return old;
}

/* Files of attempts at a file of a band: they go when the band goes. */
static size_t attempts(const struct scene *s, struct repo *r, const char *doing)
{
	struct store_listing l = {NULL, 0, 0};
	struct err e = ERR_EMPTY;
	size_t i, n = 0;
	bool torn;

	if (!repo_list(r, "bands", &l, &e))
		failed(s, doing, e.text);
	for (i = 0; i < l.n; i++) {
		if (!file_torn(r, "bands", l.names[i], &torn, &e))
			failed(s, doing, e.text);
		n += torn;
	}
	store_listing_release(&l);
	return n;
}

static void hear(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	(void)m;
	(void)what;
	snprintf(said, sizeof said, "%.*s: %s", (int)subject.n, subject.p, e ? e->text : "");
}

/* No path is damaged; whether it finds nothing at all to tell of. */
static bool check_full(const struct scene *s, struct store *store, const char *doing)
{
	struct validate_options o = {.level = VALIDATE_FULL};
	struct monitor m = {.problem = hear};
	struct store *twin = store_mem_clone(store); /* it leaves notes */
	struct repo *r = backup_open(twin);
	struct validate_result res;
	struct err e = ERR_EMPTY;
	bool clean;

	strcpy(said, "an unfinished band");
	if (!validate_run(r, &o, &m, &res, &e))
		failed(s, doing, e.text);
	if (res.damaged_paths > 0)
		failed(s, doing, "validate finds damage");
	clean = res.damaged_files == 0 && res.incomplete == 0 &&
	    res.litter <= attempts(s, r, doing);
	repo_close(r);
	store_free(twin);
	return clean;
}

static void check(const struct scene *s, struct store *store, const char *doing)
{
	struct repo *r = backup_open(store);
	unsigned want = 0;

	for (unsigned g = 0; g < s->w.generations; g++)
		want += !s->w.removed[g];
	if (check_bands(s, r, doing) != want)
		failed(s, doing, "a snapshot is gone");
	repo_close(r);
	check_full(s, store, doing);
}

/* Whether nothing is left but what is alive; where something is, `said` tells. */
static bool quiet(const struct scene *s, struct store *store, const char *doing)
{
	struct vacuum_options o;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;

	vacuum_do_init(&o);
	if (!vacuum_do(store, &o, &res, &e))
		failed(s, doing, e.text);
	if (res.total_bytes != store_bytes(store))
		failed(s, doing, "the totals do not add up");
	if (!check_full(s, store, doing))
		return false;
	strcpy(said, "tombstones");
	if (stores_count(store, "tombstones") > 2)
		return false;
	snprintf(said, sizeof said, "dead %ju, condemned %ju, unknown %ju bytes",
	    (uintmax_t)res.dead_bytes, (uintmax_t)res.condemned_bytes,
	    (uintmax_t)res.unknown_bytes);
	return res.dead_bytes + res.condemned_bytes + res.unknown_bytes == 0;
}

/* --- what comes after a crash */

/* Vacuums until nothing is left to do. */
static void settle(
    struct scene *s, struct store *store, const char *cache, const char *doing)
{
	struct err e = ERR_EMPTY;
	unsigned day = 0;

	do {
		if (day++ == DAYS_MAX)
			failed(s, doing, said);
		if (!vacuum(s, store, cache, &e))
			failed(s, doing, e.text);
		check(s, store, doing);
		pass_a_day();
	} while (!quiet(s, store, doing));
}

enum recovery { BY_VACUUM, BY_BACKUP, BY_ANOTHER, BY_UNDELETE, RECOVERIES };

static void recover(
    struct scene *s, enum recovery how, struct store *left, const char *cache)
{
	static const char *const doing[] = {"then its next vacuum", "then its next backup",
	    "then another client's vacuums", "then another undelete"};
	struct store *store = store_mem_clone(left);
	char *own = scratch_new();
	struct err e = ERR_EMPTY;

	if (how != BY_ANOTHER)
		copy_plain(cache, own);
	if (how == BY_BACKUP && !backup(s, store, own, &e))
		failed(s, doing[how], e.text);
	if (how == BY_UNDELETE && !undelete(s, store, own, &e) && e.kind != ERR_EXISTS)
		failed(s, doing[how], e.text);
	if (how == BY_BACKUP || how == BY_UNDELETE)
		check(s, store, doing[how]);
	settle(s, store, own, doing[how]);
	copy_free(own);
	store_free(store);
}

static void recover_all(struct scene *s, struct store *left, const char *cache)
{
	recover(s, BY_VACUUM, left, cache);
	recover(s, BY_BACKUP, left, cache);
	if (!s->sole)
		recover(s, BY_ANOTHER, left, cache);
	if (s->program == undelete)
		recover(s, BY_UNDELETE, left, cache);
}

/* --- points */

/*
 * A program with a plan; *left and *cache are what is there after it. False: not reached.
 */
static bool run_faulty(struct scene *s, program_fn *program,
    const struct fault_plan *plan, struct store *from, const char *cache,
    struct store **left, char **cache_left, bool *ok)
{
	struct store *fault = store_fault_new(store_mem_clone(from), plan);
	struct err e = ERR_EMPTY;
	bool fired;

	*cache_left = scratch_new();
	copy_plain(cache, *cache_left);
	*ok = program(s, fault, *cache_left, &e);
	fired = store_fault_fired(fault);
	*left = store_fault_release_inner(fault);
	store_free(fault);
	if (fired && plan->how == FAIL_ONCE && !*ok)
		failed(s, "one failure is one too many", e.text);
	if (fired && plan->how == FAIL_CRASH && *ok)
		failed(s, "the run", "has not noticed that it is dead");
	return fired;
}

static const enum fail_land lands[] = {
    LAND_NOTHING, LAND_EMPTY, LAND_ONE, LAND_HALF, LAND_BUT_ONE, LAND_WHOLE};
#define LANDS (sizeof lands / sizeof *lands)

/* The recovery dies too, at each of its changes. */
static void crash_recovery(struct scene *s, program_fn *next, struct store *store,
    const char *cache)
{
	struct store *left;
	char *cache_left;
	bool fired = true, ok;
	int64_t then = now;

	s->again = true;
	s->second = (struct fault_plan){.how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE};
	for (; fired; s->second.nth++) {
		s->second.land = lands[(s->plan.nth + s->second.nth) % LANDS];
		now = then;
		fired = run_faulty(s, next, &s->second, store, cache, &left, &cache_left, &ok);
		if (fired) {
			s->points++;
			check(s, left, "after a second crash");
			recover(s, BY_VACUUM, left, cache_left);
		}
		copy_free(cache_left);
		store_free(left);
	}
	s->again = false;
}

/* One run with the plan of s; false where its nth operation is beyond the end. */
static bool point(struct scene *s, bool deep)
{
	struct store *left;
	char *cache;
	bool fired, ok;
	int64_t then;

	now = s->begin;
	fired = run_faulty(s, s->program, &s->plan, s->w.store, s->cache, &left, &cache, &ok);
	if (fired) {
		s->points++;
		then = now;
		check(s, left, "the run");
		recover_all(s, left, cache);
		now = then;
		if (deep && s->plan.how == FAIL_CRASH) {
			crash_recovery(s, vacuum, left, cache);
			now = then;
			crash_recovery(s, backup, left, cache);
		}
	}
	copy_free(cache);
	store_free(left);
	return fired;
}

/* Every operation that there is, or every so many; each plan begins with another one. */
static void run_matrix(struct scene *s)
{
	static const struct fault_plan plans[] = {
	    {.how = FAIL_ONCE},
	    {.how = FAIL_ONCE, .kinds = OP_PUT, .land = LAND_HALF},
	    {.how = FAIL_ONCE, .kinds = OP_PUT | OP_REMOVE, .land = LAND_WHOLE},
	    {.how = FAIL_FOREVER},
	    {.how = FAIL_FOREVER, .err = ERR_NOSPACE, .kinds = OP_PUT},
	    {.how = FAIL_CRASH},
	};
	unsigned turn = 0;
	size_t i;

	for (i = 0; i < sizeof plans / sizeof *plans; i++)
		for (s->plan = plans[i], s->plan.nth = i % stride; point(s, false);
		     s->plan.nth += stride)
			;
	for (i = 0; i < LANDS; i++) {
		s->plan = (struct fault_plan){
		    .how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE, .land = lands[i]};
		for (s->plan.nth = i % stride; point(s, stride == 1 || turn++ % stride == 0);
		     s->plan.nth += stride)
			;
	}
	print_message("# %s: %u points\n", s->what, s->points);
}

/* --- scenes */

/* So many snapshots, then vacuums that find nothing to do; all removed but the last. */
static void scene_begin(
    struct scene *s, const char *what, unsigned generations, unsigned vacuums)
{
	struct err e = ERR_EMPTY;
	unsigned i;

	*s = (struct scene){.what = what, .cache = scratch_new()};
	ages_init(&s->w, 6, 60000);
	for (i = 0; i < generations; i++) {
		if (i)
			ages_change(&s->w, 25);
		ages_backup(&s->w, s->cache);
	}
	now = backup_clock();
	for (i = 0; i < vacuums; i++)
		if (!vacuum(s, s->w.store, s->cache, &e))
			fail_msg("%s", e.text);
	for (i = 0; i + 1 < generations; i++)
		ages_remove(&s->w, i);
	s->begin = now + MINUTE;
}

static void scene_end(struct scene *s)
{
	ages_release(&s->w);
	copy_free(s->cache);
}

static void test_sole(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, "sole client's vacuum", 3, 0);
	s.sole = true;
	s.program = vacuum;
	run_matrix(&s);
	scene_end(&s);
}

/* Enough deltas to be put together, and bands of vacuums to be removed. */
static void test_daily(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, "daily vacuums", 9, 9);
	s.program = vacuum_daily;
	run_matrix(&s);
	scene_end(&s);
}

static void test_undelete(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, "undelete", 3, 0);
	s.program = undelete;
	run_matrix(&s);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sole),
	    cmocka_unit_test(test_daily),
	    cmocka_unit_test(test_undelete),
	};
	const char *asked = getenv("BALE_TEST_STRIDE");

	stride = asked ? (unsigned)atoi(asked) : 37;
	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
