/*
 * What the everyday commands ask of the storage, counted by kind of operation. Where one
 * costs 100 ms, these numbers are the time that a command takes; none may grow unseen.
 * The repository is encrypted, so opening it is bale.json, a listing of the keys, and a
 * key.
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
#include "engine/list.h"
#include "engine/restore.h"
#include "engine/validate.h"
#include "repo/json_cache.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"

#define FILES 400
#define LARGE 1500000

struct scene {
	struct ages w;
	char *cache; /* of the machine that backs up */
};

/* One command: a process of its own, its operations counted from the opening on. */
struct command {
	struct store *trace;
	struct repo *r;
	struct bands bands;
	struct band band;
};

static void scene_begin(struct scene *s, unsigned backups)
{
	ages_init(&s->w, FILES, LARGE);
	s->cache = mem_strdup(scratch_path(s->w.dir, "cache"));
	while (backups-- > 0) {
		ages_backup(&s->w, s->cache);
		if (backups > 0)
			ages_change(&s->w, 10);
	}
}

static void scene_end(struct scene *s)
{
	free(s->cache);
	ages_release(&s->w);
}

static void command_begin(struct command *c, const struct scene *s, const char *cache)
{
	c->trace = store_trace_new(store_lend(s->w.store));
	c->r = repo_reopen(c->trace, env_real());
	if (cache)
		json_cache_open(c->r, cache);
}

/* The newest snapshot, as restore and cat find it. */
static void command_latest(struct command *c)
{
	struct band_info *info;
	enum band_file kind;
	struct err e;

	assert_true(bands_list(c->r, &c->bands, &e));
	assert_true(snapshot_resolve(
	    c->r, &c->bands, span_str("latest"), &info, &kind, &c->band, &e));
}

static void command_end(struct command *c, struct store_counts *n)
{
	store_trace_counts(c->trace, n);
	repo_close(c->r);
}

static void assert_counts(const struct store_counts *n, unsigned put, unsigned get,
    unsigned list, unsigned stat)
{
	char got[128], want[128];

	snprintf(got, sizeof got, "%u put, %u get, %u list, %u stat", (unsigned)n->put,
	    (unsigned)n->get, (unsigned)n->list, (unsigned)n->stat);
	snprintf(want, sizeof want, "%u put, %u get, %u list, %u stat", put, get, list, stat);
	assert_string_equal(got, want);
}

/* --- backup */

static void backup(const struct scene *s, const char *cache, struct store_counts *n)
{
	struct store *trace = store_trace_new(store_lend(s->w.store));
	struct backup_result res;
	struct backup_do d = {
	    .store = trace, .cache = cache, .source = scratch_path(s->w.dir, "src")};

	backup_must(&d, &res);
	store_trace_counts(trace, n);
	store_free(trace);
}

/* Head and tail; the opening and the last tail; bands twice, keys, clients, notes, 17. */
static void test_unchanged(void **state)
{
	struct store_counts n;
	struct scene s;

	(void)state;
	scene_begin(&s, 3);
	backup(&s, s.cache, &n);
	assert_counts(&n, 2, 3, 23, 0);
	backup(&s, s.cache, &n);
	assert_counts(&n, 2, 3, 23, 0);
	scene_end(&s);
}

/* One bundle of data and one of hunks, and their delta; the index is listed. */
static void test_one_changed(void **state)
{
	const char bytes[70] = "too many to stand in the entry";
	struct store_counts n;
	struct scene s;

	(void)state;
	scene_begin(&s, 3);
	scratch_file(s.w.dir, "src/d0/f0", "changed", 7);
	scratch_file(s.w.dir, "src/d0/f7", bytes, sizeof bytes);
	backup(&s, s.cache, &n);
	assert_true(n.put <= 5);
	assert_true(n.get <= 3);
	assert_counts(&n, (unsigned)n.put, (unsigned)n.get, 24, 0);
	scene_end(&s);
}

/* --- one file */

static bool add_bytes(void *arg, struct span bytes, struct err *e)
{
	(void)e;
	buf_add_span(arg, bytes);
	return true;
}

static void check_file(const struct scene *s, const char *name, struct span got)
{
	struct buf want = BUF_EMPTY;
	FILE *f = fopen(scratch_path(s->w.dir, name), "r");
	int c;

	while (f && (c = getc(f)) != EOF)
		buf_add_byte(&want, (uint8_t)c);
	if (f)
		fclose(f);
	assert_true(want.n > 0 && span_equal(buf_span(&want), got));
	buf_release(&want);
}

static void cat(const struct scene *s, const char *name, struct store_counts *n)
{
	char *path = mem_strdup(scratch_path(s->w.dir, name));
	struct buf got = BUF_EMPTY;
	struct command c;
	struct err e;

	command_begin(&c, s, NULL);
	command_latest(&c);
	assert_true(cat_run(c.r, &c.band, span_str(path), NULL, add_bytes, &got, &e));
	check_file(s, name, buf_span(&got));
	band_release(&c.band);
	bands_release(&c.bands);
	command_end(&c, n);
	buf_release(&got);
	free(path);
}

static unsigned restored;

static void restore(const struct scene *s, const char *name, struct store_counts *n)
{
	char *path = mem_strdup(scratch_path(s->w.dir, name));
	char *to = mem_printf("%s/to-%u", s->w.dir, ++restored);
	struct restore_options o = {.target = to, .path = span_str(path)};
	struct restore_result res;
	struct command c;
	struct err e;

	command_begin(&c, s, NULL);
	command_latest(&c);
	assert_true(restore_run(c.r, &c.band, &o, NULL, &res, &e));
	assert_int_equal(res.files, 1);
	band_release(&c.band);
	bands_release(&c.bands);
	command_end(&c, n);
	free(path);
	free(to);
}

/*
 * bale.json, key, tail; an end of a bundle of hunks, and one of data with what is wanted.
 */
static void test_one_file(void **state)
{
	struct store_counts n;
	struct scene s;

	(void)state;
	scene_begin(&s, 3);
	cat(&s, "src/d3/f3", &n);
	assert_counts(&n, 0, 6, 2, 0);
	restore(&s, "src/d3/f3", &n);
	assert_counts(&n, 0, 6, 2, 0);
	scene_end(&s);
}

/*
 * A vacuum has rewritten what little is left of the first backup's bundles, and deleted
 * them: a read that finds nothing there; then the index listed, and of its deltas the
 * one that tells of moves.
 */
static void test_moved(void **state)
{
	struct vacuum_options o;
	struct vacuum_result res;
	struct store_counts n;
	struct store_listing index = {0};
	struct scene s;
	struct err e;
	uint64_t most = 0;

	(void)state;
	scene_begin(&s, 1);
	for (unsigned i = 0; i < 3; i++) {
		ages_change(&s.w, 60);
		ages_backup(&s.w, s.cache);
		ages_remove(&s.w, i);
	}
	vacuum_do_init(&o);
	o.run = o.sole_client = true;
	o.below = 100;
	vacuum_must(s.w.store, &o, &res);
	assert_true(res.copied_bytes > 0 && res.deleted_files > 0);
	assert_true(store_list(s.w.store, "index", &index, &e));
	assert_true(index.n >= 4);
	store_listing_release(&index);
	for (unsigned i = 0; i < FILES; i++) {
		char name[32];

		snprintf(name, sizeof name, "src/d%u/f%u", i % 7, i);
		if (access(scratch_path(s.w.dir, name), F_OK) != 0)
			continue;
		cat(&s, name, &n);
		assert_true(n.get <= 7 || n.list == 3);
		most = n.get > most ? n.get : most;
	}
	assert_true(most > 7 && most <= 7 + 2);
	scene_end(&s);
}

/* --- list */

static bool see(void *arg, const struct band_info *info, enum band_file state,
    const struct band *band, bool pinned, struct err *e)
{
	(void)info;
	(void)state;
	(void)band;
	(void)pinned;
	(void)e;
	++*(unsigned *)arg;
	return true;
}

/* Once a machine has seen the tails, two listings tell all. */
static void test_list(void **state)
{
	struct list_result res;
	struct store_counts n;
	struct scene s;
	unsigned seen;
	struct err e;

	(void)state;
	scene_begin(&s, 6);
	for (unsigned warm = 0; warm < 2; warm++) {
		struct command c;

		command_begin(&c, &s, s.cache);
		seen = 0;
		assert_true(list_run(c.r, false, see, &seen, NULL, &res, &e));
		assert_int_equal(seen, 6);
		command_end(&c, &n);
		assert_counts(&n, 0, warm ? 2 : 8, 3, 0);
	}
	scene_end(&s);
}

/* --- quick validation */

/*
 * Each tail, delta and bundle of hunks once (the small ones whole), a size of each bundle
 * of data and of what is not read, each folder; and the opening.
 */
static void test_validate_quick(void **state)
{
	struct validate_options o = {.level = VALIDATE_QUICK};
	struct validate_result res;
	struct store_counts n;
	struct command c;
	struct scene s;
	struct err e;

	(void)state;
	scene_begin(&s, 4);
	command_begin(&c, &s, NULL);
	assert_true(validate_run(c.r, &o, NULL, &res, &e));
	assert_int_equal(res.damaged_files, 0);
	command_end(&c, &n);
	assert_counts(&n, 0, 20, 29, 26);
	scene_end(&s);
}

/* --- analysis for a vacuum */

/*
 * Each tail and delta once, of hunks the frames alone; sizes of all but bundles; each
 * folder twice; and the opening.
 */
static void test_analysis(void **state)
{
	struct vacuum_options o;
	struct vacuum_result res;
	struct store_counts n;
	struct command c;
	struct scene s;
	struct err e;

	(void)state;
	scene_begin(&s, 4);
	vacuum_do_init(&o);
	o.transfers = 4;
	command_begin(&c, &s, NULL);
	assert_true(vacuum_run(c.r, &o, NULL, &res, &e));
	assert_int_equal(res.unknown_bytes, 0);
	command_end(&c, &n);
	assert_counts(&n, 0, 19, 51, 15);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unchanged),
	    cmocka_unit_test(test_one_changed),
	    cmocka_unit_test(test_one_file),
	    cmocka_unit_test(test_moved),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_validate_quick),
	    cmocka_unit_test(test_analysis),
	};

	/* Folders above the source are in the snapshots: nobody else may change them. */
	if (!scratch_private()) {
		printf("1..0 # SKIP needs a file system of its own\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
