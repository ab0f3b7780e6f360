/*
 * Generations of a changing source, pruned; then a vacuum at each threshold, from the
 * same beginning, and the same once more. tests/bench/generations.sh does it at real
 * sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "engine/restore.h"
#include "tests/support/bytes.h"
#include "tests/support/generations.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"

#define ALL  16
#define LEFT 4

static struct ages w;

static int begin(void **state)
{
	unsigned i;

	(void)state;
	ages_init(&w, 400, 2u << 20);
	for (i = 0; i < ALL; i++) {
		if (i)
			ages_change(&w, 8);
		ages_backup(&w, NULL);
	}
	for (i = 0; i < ALL - LEFT; i++)
		ages_remove(&w, i);
	return 0;
}

static int end(void **state)
{
	(void)state;
	ages_release(&w);
	return 0;
}

static void look(struct store *s, struct vacuum_result *res)
{
	struct vacuum_options o;

	vacuum_do_init(&o);
	vacuum_must(s, &o, res);
}

static void act(struct store *s, int below, struct vacuum_result *res)
{
	struct vacuum_options o;

	vacuum_do_init(&o);
	o.run = o.sole_client = true;
	o.below = below;
	vacuum_must(s, &o, res);
	ages_check(&w, s);
}

struct apart {
	struct store *other;
	uint64_t bundles, bytes;
};

static void count_apart(
    void *arg, const char *folder, const char *name, struct span content)
{
	struct apart *a = arg;

	if ((strncmp(folder, "data/", 5) != 0 && strcmp(folder, "hunks") != 0) ||
	    store_stat(a->other, folder, name, &(uint64_t){0}, NULL))
		return;
	a->bundles++;
	a->bytes += content.n;
}

/* Bundles of one that the other has not. */
static struct apart apart(struct store *s, struct store *other)
{
	struct apart a = {.other = other};

	stores_each(s, count_apart, &a);
	return a;
}

static void at_threshold(unsigned k, struct store *fresh)
{
	struct store *was = store_mem_clone(w.store), *s = store_mem_clone(w.store), *once;
	struct vacuum_result before, res;
	const struct vacuum_threshold *t = &before.thresholds[k], *dead = before.thresholds;
	struct apart gone, new;
	uint64_t live;

	look(s, &before);
	act(s, t->below, &res);
	gone = apart(was, s);
	new = apart(s, was);
	assert_int_equal(gone.bundles, t->bundles);
	live = t->free_bytes + t->write_bytes - dead->free_bytes - dead->write_bytes -
	    (dead->dead_bytes - t->dead_bytes);
	if (new.bytes * 100 > live * 105)
		fail_msg("below %d: %ju moved, %ju live", t->below, (uintmax_t)new.bytes,
		    (uintmax_t)live);
	look(s, &res);
	assert_true(res.dead_bytes <= t->dead_bytes + 1024);
	assert_true(res.dead_bytes > 0 || t->below == 100);
	once = store_mem_clone(s);
	act(s, t->below, &res);
	assert_int_equal(apart(once, s).bundles + apart(s, once).bundles, 0);
	if (t->below == 100)
		assert_true(store_bytes(s) * 100 <= store_bytes(fresh) * 105);
	store_free(once);
	store_free(was);
	store_free(s);
}

static void test_thresholds(void **state)
{
	struct store *fresh = ages_fresh(&w);

	(void)state;
	for (unsigned k = 0; k < VACUUM_THRESHOLDS; k++)
		at_threshold(k, fresh);
	store_free(fresh);
}

/* --- what a restore reads */

#define FILES 1000
#define AGED  10

/*
 * Frames of 64 KiB in bundles of 4 MiB: their ends, which are read to open them, are
 * little.
 */
static void init_repo(struct store *store)
{
	struct env *env = env_fixed_new(INT64_C(1700000000000000000), 0, 5);
	struct secret secret = {SECRET_NONE, {NULL, 0}};
	struct repo_options o;
	struct err e = ERR_EMPTY;
	struct repo *r;
	int i;

	repo_options_init(&o);
	o.kdf_ops = 1;
	o.kdf_mem = 8192;
	o.params.frame_plain = 65536;
	o.params.bundle_target = 4u << 20;
	o.params.cut.whole_max = 2048;
	for (i = 0; i < CUT_TIERS; i++) {
		o.params.cut.tier[i].min = 1024;
		o.params.cut.tier[i].average = 2048;
		o.params.cut.tier[i].max = 8192;
	}
	secret_right(NULL, &secret, &e);
	if (!repo_create(store_lend(store), env, &o, &secret, &r, &e))
		fail_msg("%s", e.text);
	repo_close(r);
	env_fixed_free(env);
}

static void put_file(const char *dir, unsigned i, uint64_t seed)
{
	struct buf b = BUF_EMPTY;
	char name[16];

	snprintf(name, sizeof name, "f%03u", i);
	unlink(scratch_path(dir, name));
	bytes_noise(&b, 6000, seed);
	scratch_file(dir, name, b.p, b.n);
	buf_release(&b);
}

/* Each backup finds another tenth of the files changed, spread evenly. */
static void make_aged(struct store *s, const char *dir, char last[BAND_MAX_LEN + 1])
{
	struct backup_do d = {.store = s, .source = dir};
	struct backup_result res;
	unsigned g, i;

	init_repo(s);
	for (g = 0; g < AGED; g++) {
		for (i = 0; i < FILES; i++)
			if (g == 0 || i % AGED == g)
				put_file(dir, i, 1 + i + g * FILES);
		backup_must(&d, &res);
	}
	memcpy(last, res.snapshot, sizeof res.snapshot);
}

static uint64_t restore_reads(struct store *s, const char *name)
{
	struct store *counted = store_trace_new(store_lend(s));
	struct env *env = env_fixed_new(backup_clock(), 0, 1);
	struct repo *r = repo_reopen(counted, env);
	char *to = scratch_new();
	struct restore_options o = {.target = to, .path = span_str("/"), .numeric = true};
	struct store_counts before, after;
	struct restore_result res;
	struct err e = ERR_EMPTY;
	struct band b;

	assert_true(tail_read(r, name, &b));
	store_trace_counts(counted, &before);
	if (!restore_run(r, &b, &o, NULL, &res, &e))
		fail_msg("%s", e.text);
	store_trace_counts(counted, &after);
	assert_int_equal(res.damaged + res.refused, 0);
	assert_int_equal(res.files, FILES);
	band_release(&b);
	repo_close(r);
	env_fixed_free(env);
	scratch_free(to);
	return after.bytes_in - before.bytes_in;
}

/* No frame twice, though each holds something of every part of the tree. */
static void test_restore_reads(void **state)
{
	struct env *env = env_fixed_new(0, 0, 1);
	struct store *s = store_mem_new(env);
	char *dir = scratch_new(), last[BAND_MAX_LEN + 1];
	struct vacuum_result res;
	struct vacuum_options o;
	uint64_t reads;

	(void)state;
	make_aged(s, dir, last);
	vacuum_do_init(&o);
	vacuum_must(s, &o, &res);
	reads = restore_reads(s, last);
	if (reads * 10 > res.live_frames * 11)
		fail_msg("%ju bytes read of frames of %ju", (uintmax_t)reads,
		    (uintmax_t)res.live_frames);
	scratch_free(dir);
	store_free(s);
	env_fixed_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_thresholds),
	    cmocka_unit_test(test_restore_reads),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
