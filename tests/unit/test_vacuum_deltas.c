/*
 * Vacuum: the number of deltas stays bounded, and none is written anew again and again.
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
#include "engine/remove.h"
#include "engine/validate.h"
#include "format/delta.h"
#include "tests/support/bytes.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"
#include "tests/support/watch.h"

#define FEW 16

struct deltas {
	struct span names[1000]; /* of their content; borrowed */
	char hex[1000][64];
	size_t n;
};

static void take(void *arg, const char *folder, const char *name, struct span content)
{
	struct deltas *d = arg;

	if (strcmp(folder, "index") != 0)
		return;
	assert_true(d->n < 1000);
	snprintf(d->hex[d->n], sizeof d->hex[0], "%s", name);
	d->names[d->n++] = content;
}

static bool has(const struct deltas *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->hex[i], name) == 0)
			return true;
	return false;
}

/* The largest that one of the two has and the other has not. */
static size_t largest_without(const struct deltas *d, const struct deltas *other)
{
	size_t most = 0, i;

	for (i = 0; i < d->n; i++)
		if (!has(other, d->hex[i]) && d->names[i].n > most)
			most = d->names[i].n;
	return most;
}

static void put(const char *dir, const char *name, size_t n, uint64_t seed)
{
	struct buf b = BUF_EMPTY;

	unlink(scratch_path(dir, name));
	bytes_noise(&b, n, seed);
	scratch_file(dir, name, b.p, b.n);
	buf_release(&b);
}

static void vacuum_now(struct store *s, int below)
{
	struct vacuum_options o;
	struct vacuum_result res;

	vacuum_do_init(&o);
	o.run = o.sole_client = true;
	o.below = below;
	vacuum_must(s, &o, &res);
}

static void all_whole(struct store *s)
{
	struct validate_options o = {.level = VALIDATE_FULL};
	struct repo *r = backup_open(s);
	struct validate_result res;
	struct err e = ERR_EMPTY;

	if (!validate_run(r, &o, NULL, &res, &e))
		fail_msg("%s", e.text);
	assert_int_equal(res.damaged_files + res.damaged_paths, 0);
	repo_close(r);
}

/*
 * One change a backup, a vacuum now and then: what is superseded is at most half as large
 * as what supersedes it, but for what a few lines about what is gone take.
 */
static void test_bounded(void **state)
{
	struct env *env = env_fixed_new(0, 0, 1);
	struct store *s = store_mem_new(env), *was;
	struct deltas *before = calloc(1, sizeof *before), *after = calloc(1, sizeof *after);
	char *dir = scratch_new();
	struct backup_do d = {.store = s, .source = dir};
	struct backup_result res;
	size_t old, new, most = 0;
	unsigned i;

	(void)state;
	backup_init(s, true, 1);
	put(dir, "large", 300000, 1);
	for (i = 1; i <= 240; i++) {
		put(dir, "small", 3000, i);
		backup_must(&d, &res);
		if (i % (i < 120 ? 12 : 30))
			continue;
		was = store_mem_clone(s);
		before->n = after->n = 0;
		stores_each(was, take, before);
		vacuum_now(s, 0);
		stores_each(s, take, after);
		old = largest_without(before, after);
		new = largest_without(after, before);
		if (old * 2 > new + 200)
			fail_msg("run %u: a delta of %zu bytes went into one of %zu", i, old, new);
		most = after->n > most ? after->n : most;
		store_free(was);
	}
	assert_true(most <= FEW);
	all_whole(s);
	free(before);
	free(after);
	scratch_free(dir);
	store_free(s);
	env_fixed_free(env);
}

/* A delta that tells mostly of what is gone is cleaned, however few there are. */
static void test_cleaned(void **state)
{
	struct env *env = env_fixed_new(0, 0, 1);
	struct store *s = store_mem_new(env);
	char *dir = scratch_new();
	struct backup_do d = {.store = s, .source = dir};
	struct backup_result res, first;
	struct err e = ERR_EMPTY;
	struct bands bands;
	struct band_info *info;
	struct repo *r;
	uint64_t n;

	(void)state;
	backup_init_cut(s, true, 1, 256);
	put(dir, "large", 1500000, 1);
	backup_must(&d, &first);
	put(dir, "large", 2000, 2);
	backup_must(&d, &res);
	assert_true(folder_bytes(s, "index") > 100000);
	r = backup_open(s);
	assert_true(bands_list(r, &bands, &e));
	info = bands_find(&bands, first.snapshot);
	assert_true(remove_run(r, NULL, &info, 1, NULL, &n, &e));
	bands_release(&bands);
	repo_close(r);
	vacuum_now(s, 0); /* deletes the bundles */
	vacuum_now(s, 0);
	assert_true(folder_bytes(s, "index") < 10000);
	all_whole(s);
	scratch_free(dir);
	store_free(s);
	env_fixed_free(env);
}

/* So many more, of runs of which nothing else is left; they tell of no bundle. */
static void put_deltas(struct store *s, unsigned n)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	struct repo *r = backup_open(s);
	struct buf plain = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	char run[64];
	struct id name;

	for (unsigned i = 0; i < n; i++) {
		snprintf(run, sizeof run, "20200101000000-0123456789abcdef-%06u", i);
		plain.n = 0;
		delta_encode(&w, span_str(run), &plain);
		assert_true(repo_put_delta(r, buf_span(&plain), &name, NULL, &e));
	}
	buf_release(&plain);
	repo_close(r);
}

/*
 * Mounts forget after some seconds what a listing told them of names, and to read very
 * many files takes longer: their folder is listed again on the way.
 */
static void test_listed_again(void **state)
{
	static const unsigned more[] = {1100, 1300, 2300};
	struct env *env = env_fixed_new(0, 0, 1);
	struct vacuum_options o;
	struct vacuum_result res;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct store *s = store_mem_new(env);
		struct watch w;

		backup_init(s, true, 1);
		put_deltas(s, more[i]);
		watch_init(&w, s);
		vacuum_do_init(&o);
		vacuum_must(&w.store, &o, &res);
		assert_int_equal(watch_count(&w, OP_LIST, "index"), 3 + i);
		watch_release(&w);
		store_free(s);
	}
	env_fixed_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_cleaned),
	    cmocka_unit_test(test_listed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
