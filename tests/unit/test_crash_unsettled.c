/*
 * A client and its mount die together where a close means nothing: of the last files that
 * a backup put, any may be lost, or cut short, or reach the storage long after. Whatever
 * happens: what was settled before restores; whatever is listed as a complete snapshot
 * restores, or validate names it, and restore does not call it whole; the next backup,
 * with the client's cache as it was at the crash, or before the run, or without one,
 * makes a snapshot that restores, and heals what lacks nothing but content. Of a run that
 * has the mount settled (--settle), a snapshot that is listed always restores.
 *
 * All subsets of a small run; of a larger one and its crashes, some by chance: so many as
 * BALE_TORTURE says, if it is more than 1.
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
#include "engine/restore.h"
#include "engine/validate.h"
#include "store/fault.h"
#include "tests/support/backup_do.h"
#include "tests/support/bytes.h"
#include "tests/support/check_snapshot.h"
#include "tests/support/copy.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"

#define UNSETTLED 10 /* files at the end of a run that may be lost */
#define TREES     2

enum cache_then { CACHE_NOW, CACHE_BEFORE, CACHE_NONE, CACHES };

/* A tree, its states, and a storage with a settled snapshot of each but the last. */
struct scene {
	const char *what;
	char *tree[TREES]; /* tree[0] is the source as it was */
	char *source;      /* as it is */
	struct store *base;
	char *cache;       /* of when `base` was as it is */
	char first[BAND_MAX_LEN + 1]; /* the settled snapshot; "" for none */
	uint64_t checkpoint;
	bool settles;      /* the run under test does */
	struct store_listing log; /* what it put, "folder/name" */
	size_t settled;    /* so many of them are on the storage */
	size_t lost;       /* so many files, … */
	bool only_data;    /* … all of them bundles of data */
	bool healed;       /* so by now all must restore */
	/* the case at work */
	uint64_t seed;
	unsigned mask;
	enum cache_then then;
	unsigned cases, told, heals;
};

static void failed(const struct scene *w, const char *doing, const char *why)
{
	fail_msg("%s, seed %llu mask %x cache %d: %s: %s", w->what,
	    (unsigned long long)w->seed, w->mask, (int)w->then, doing, why);
}

/* --- looking */

/* The snapshots that a validation names. */
struct named {
	char bands[16][BAND_MAX_LEN + 1];
	size_t n;
};

static void note_damage(void *arg, const struct damage_report *d)
{
	struct named *named = arg;

	for (size_t i = 0; i < d->n_snapshots && named->n < 16; i++)
		snprintf(named->bands[named->n++], BAND_MAX_LEN + 1, "%s", d->snapshots[i]);
}

static bool names(const struct named *named, const char *band)
{
	for (size_t i = 0; i < named->n; i++)
		if (strcmp(named->bands[i], band) == 0)
			return true;
	return false;
}

static void validate_at(struct scene *w, struct repo *r, enum validate_level level,
    struct named *out, const char *doing)
{
	struct validate_options o = {.level = level, .damage = note_damage, .arg = out};
	struct validate_result result;
	struct err e = ERR_EMPTY;

	out->n = 0;
	if (!validate_run(r, &o, NULL, &result, &e))
		failed(w, doing, e.text);
}

/* A snapshot that is not whole is not restored as if it were. */
static void restore_tells(
    struct scene *w, struct repo *r, struct band *b, const char *doing)
{
	char *top = scratch_new(), *to = mem_strdup(scratch_path(top, "to"));
	struct restore_options o = {.target = to, .path = span_str(w->source)};
	struct restore_result result;
	struct err e = ERR_EMPTY;

	if (restore_run(r, b, &o, NULL, &result, &e) && result.damaged == 0)
		failed(w, doing, "restored as if it were whole, and is not");
	free(to);
	scratch_free(top);
}

static bool is_right(struct scene *w, struct repo *r, const char *band, const char *tree,
    struct err *e)
{
	return check_snapshot(r, band, w->source, tree, NULL, e);
}

/* Every snapshot of the storage. */
static void look(struct scene *w, struct store *s, const char *must, const char *doing)
{
	struct repo *r = backup_open(s);
	struct named quick, full;
	struct err e = ERR_EMPTY;
	struct bands bands;

	if (!bands_list(r, &bands, &e))
		failed(w, doing, e.text);
	validate_at(w, r, VALIDATE_QUICK, &quick, doing);
	validate_at(w, r, VALIDATE_FULL, &full, doing);
	for (size_t i = 0; i < bands.n; i++) {
		const struct band_info *info = &bands.v[i];
		const char *name = info->name.text;
		bool old = strcmp(name, w->first) == 0;
		enum band_file kind;
		struct band b;

		if (!band_looks_complete(info))
			continue;
		if (!band_read(r, info, &kind, &b, &e)) {
			if (!names(&quick, name))
				failed(w, doing, "a tail is torn, and validate is silent");
		} else if (!is_right(w, r, name, old ? w->tree[0] : w->source, &e)) {
			if (old || w->settles || w->healed || (must && strcmp(name, must) == 0))
				failed(w, doing, e.text);
			if (!names(&quick, name) || !names(&full, name))
				failed(w, doing, "a snapshot is not whole, and validate is silent");
			restore_tells(w, r, &b, doing);
			w->told++;
		}
		band_release(&b);
	}
	if (must && names(&full, must))
		failed(w, doing, "validate names a snapshot that restores");
	bands_release(&bands);
	repo_close(r);
}

/* --- losing */

static struct span read_file(
    struct store *s, const char *path, char folder[16], struct buf *b)
{
	const char *slash = strrchr(path, '/');
	struct err e = ERR_EMPTY;

	snprintf(folder, 16, "%.*s", (int)(slash - path), path);
	assert_true(store_get(s, folder, slash + 1, 0, SIZE_MAX, b, NULL, &e));
	return buf_span(b);
}

/* What has not reached the storage: of the last files those whose bit is set. */
static struct store *lose(struct scene *w, struct store *s, uint64_t torn)
{
	const struct store_listing *log = &w->log;
	struct store *left = store_mem_clone(s);
	size_t first = log->n > UNSETTLED ? log->n - UNSETTLED : 0;

	if (first < w->settled)
		first = w->settled;
	w->lost = 0;
	w->only_data = true;
	w->healed = false;
	for (size_t i = first; i < log->n; i++) {
		const char *path = log->names[i], *name = strrchr(path, '/') + 1;
		struct buf b = BUF_EMPTY;
		struct span all;
		char folder[16];

		if (!(w->mask >> (i - first) & 1))
			continue;
		w->lost++;
		w->only_data = w->only_data && strncmp(path, "data/", 5) == 0;
		all = read_file(s, path, folder, &b);
		store_replace(left, folder, name, span_of(all.p, torn % 8 ? 0 : all.n / 2));
		if (torn % 4 != 0)
			assert_true(store_remove(left, folder, name, NULL));
		torn /= 8;
		buf_release(&b);
	}
	return left;
}

/* The rest of it, late; where a name is taken by what was torn, whole now. */
static void land_late(
    struct store *s, struct store *left, const struct store_listing *log)
{
	for (size_t i = 0; i < log->n; i++) {
		struct buf b = BUF_EMPTY;
		char folder[16];
		struct span all = read_file(s, log->names[i], folder, &b);

		store_replace(left, folder, strrchr(log->names[i], '/') + 1, all);
		buf_release(&b);
	}
}

static char *copy_of(const char *cache)
{
	char *to = scratch_new();

	copy_plain(cache, to);
	return to;
}

static struct backup_do run_of(const struct scene *w, struct store *s, const char *cache)
{
	return (struct backup_do){.store = s, .cache = cache, .source = w->source,
	    .checkpoint = w->checkpoint, .patience = 60 * INT64_C(1000000000)};
}

/* The next backup; then what was lost comes after all. */
static void go_on(struct scene *w, struct store *s, struct store *left, const char *cache)
{
	struct backup_do d = run_of(w, left, cache);
	struct backup_result result, again;
	struct err e = ERR_EMPTY;

	look(w, left, NULL, "after the crash");
	if (!backup_do(&d, &result, &e))
		failed(w, "the next backup", e.text);
	if (!result.complete || result.totals.unreadable)
		failed(w, "the next backup", "is not complete");
	w->healed = w->lost > 0 && w->only_data;
	w->heals += w->healed;
	look(w, left, result.snapshot, "after the next backup");
	land_late(s, left, &w->log);
	look(w, left, result.snapshot, "when the rest has come");
	if (!backup_do(&d, &again, &e))
		failed(w, "the backup after", e.text);
	look(w, left, again.snapshot, "after the backup after");
}

/* One crash: the run on `s` has ended as it has, with `cache`. */
static void one_case(struct scene *w, struct store *s, const char *cache, uint64_t torn)
{
	struct store *left = lose(w, s, torn);
	char *copy = w->then == CACHE_NOW      ? copy_of(cache)
	             : w->then == CACHE_BEFORE ? copy_of(w->cache)
	                                       : scratch_new();

	go_on(w, s, left, copy);
	w->cases++;
	copy_free(copy);
	store_free(left);
}

static bool settle(void *arg, struct err *e)
{
	struct scene *w = arg;

	(void)e;
	w->settled = w->log.n;
	return true;
}

/*
 * A run over a mount that writes back, which dies at its nth put; or, UINT64_MAX, after
 * it.
 */
static char *run_and_die(struct scene *w, uint64_t nth, struct store **s)
{
	struct fault_plan plan = {.how = FAIL_CRASH, .kinds = OP_PUT, .nth = nth};
	char *cache = copy_of(w->cache);
	struct backup_do d = run_of(w, NULL, cache);
	struct backup_result result;
	struct err e = ERR_EMPTY;
	struct store *logged;

	*s = store_mem_clone(w->base);
	store_listing_release(&w->log);
	w->log = (struct store_listing){0};
	w->settled = 0;
	if (w->settles) {
		d.settle = settle;
		d.settle_arg = w;
	}
	logged = store_lend_logged(*s, &w->log);
	logged->mount = MOUNT_WRITE_BACK;
	d.store = store_fault_new(logged, &plan);
	if (!backup_do(&d, &result, &e) && nth == UINT64_MAX)
		failed(w, "the run", e.text);
	store_free(d.store);
	if (result.complete && result.confirmed != w->settles)
		failed(w, "the run", "confirmed, or not, against the truth");
	return cache;
}

/* --- scenes */

static void put(const char *dir, const char *name, size_t n, uint64_t seed)
{
	struct buf b = BUF_EMPTY;

	bytes_noise(&b, n, seed);
	scratch_file(dir, name, b.p, b.n);
	buf_release(&b);
}

static void scene_begin(
    struct scene *w, const char *what, bool first, bool settles, unsigned files)
{
	char name[16];

	*w = (struct scene){.what = what, .source = scratch_new(), .cache = scratch_new(),
	    .settles = settles, .base = store_mem_new(env_real())};
	backup_init(w->base, true, 31);
	for (unsigned i = 0; i < files; i++) {
		snprintf(name, sizeof name, "f%02u", i);
		put(w->source, name, 500 + 9000 * (i % 3), 60 + i);
	}
	w->tree[0] = scratch_new();
	copy_tree(w->source, w->tree[0]);
	if (first) {
		struct backup_do d = run_of(w, w->base, w->cache);
		struct backup_result result;

		backup_must(&d, &result);
		strcpy(w->first, result.snapshot);
		put(w->source, "f01", 9500, 90);
		for (unsigned i = 0; i < files / 3; i++) {
			snprintf(name, sizeof name, "new%u", i);
			put(w->source, name, 30000, 91 + i);
		}
	}
}

static void scene_end(struct scene *w, const char *how)
{
	print_message(
	    "# %s, %s, %s: %u crashes, %u to be healed; %u times a snapshot that is not "
	    "whole was told\n",
	    w->what, w->settles ? "settled" : "not settled", how, w->cases, w->heals,
	    w->told);
	store_listing_release(&w->log);
	store_free(w->base);
	scratch_free(w->source);
	scratch_free(w->tree[0]);
	scratch_free(w->cache);
}

static void all_subsets(struct scene *w)
{
	struct store *s;
	char *cache = run_and_die(w, UINT64_MAX, &s);
	bool torture = getenv("BALE_TORTURE");
	unsigned step = getenv("BALE_TEST_STRIDE") ? 5 : 1; /* slow builds */

	assert_true(w->log.n >= 5 && w->log.n <= UNSETTLED);
	for (w->mask = 1; w->mask < 1u << w->log.n; w->mask += step)
		for (unsigned c = 0; c < CACHES; c++) {
			w->then = torture ? c : (w->mask + w->mask / 4) % CACHES;
			one_case(w, s, cache, UINT64_MAX);
			if (!torture)
				break;
		}
	store_free(s);
	copy_free(cache);
}

static void test_subsets(void **state)
{
	struct scene w;

	(void)state;
	scene_begin(&w, "first backup", false, false, 3);
	all_subsets(&w);
	scene_end(&w, "all subsets");
	scene_begin(&w, "incremental backup", true, false, 3);
	all_subsets(&w);
	scene_end(&w, "all subsets");
}

static void by_chance(struct scene *w, unsigned cases)
{
	size_t puts;
	struct store *s;

	copy_free(run_and_die(w, UINT64_MAX, &s));
	store_free(s);
	puts = w->log.n;
	assert_true(puts > UNSETTLED);
	for (w->seed = 1; w->seed <= cases; w->seed++) {
		uint64_t random = w->seed;
		char *cache;

		/* Every other run is through with its puts when the client dies. */
		cache = run_and_die(w, splitmix(&random) % (2 * puts), &s);
		w->mask = (unsigned)(splitmix(&random) & splitmix(&random)) % (1u << UNSETTLED);
		w->mask |= 1u << w->seed % UNSETTLED;
		w->then = splitmix(&random) % CACHES;
		one_case(w, s, cache, splitmix(&random));
		store_free(s);
		copy_free(cache);
	}
}

static void test_chance(void **state)
{
	const char *s = getenv("BALE_TORTURE");
	unsigned few = getenv("BALE_TEST_STRIDE") ? 12 : 60;
	unsigned cases = s && atoi(s) > 1 ? (unsigned)atoi(s) : s ? 3000 : few;
	struct scene w;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool first = i % 2 == 0, settles = i / 2;

		scene_begin(
		    &w, first ? "first backup" : "incremental backup", !first, settles, 24);
		w.checkpoint = first ? 30000 : 10000;
		by_chance(&w, cases);
		scene_end(&w, "by chance");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_subsets),
	    cmocka_unit_test(test_chance),
	};

	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
