/*
 * A full file system: removing snapshots, vacuuming as a sole client and backing up again
 * work with a few KiB left; with less, they fail for want of room and harm nothing. Takes
 * root, for a small file system of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <cmocka.h>

#include "engine/remove.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"
#include "tests/support/watch.h"

#define SMALL "/mnt/small"
#define KIB   1024u

static bool root;

struct full {
	struct ages w;        /* its store lies on the small file system */
	struct store *mem;    /* the repository as it was made */
	struct store *dir;
	char cache[4096];     /* elsewhere */
	/* Over it: tells no room, so that backups do not keep any free. */
	struct watch watch;
};

static void put_file(void *arg, const char *folder, const char *name, struct span content)
{
	struct err e = ERR_EMPTY;

	if (!store_put(arg, folder, name, &content, 1, &e))
		fail_msg("%s", e.text);
}

static uint64_t room(void)
{
	struct statvfs v;

	assert_int_equal(statvfs(SMALL, &v), 0);
	return (uint64_t)v.f_bavail * v.f_bsize;
}

static void ballast(uint64_t bytes)
{
	static char zeros[64 * KIB];
	FILE *f = fopen(SMALL "/ballast", "w");

	assert_non_null(f);
	for (; bytes > 0; bytes -= bytes < sizeof zeros ? bytes : sizeof zeros)
		assert_true(fwrite(zeros, bytes < sizeof zeros ? bytes : sizeof zeros, 1, f));
	assert_int_equal(fclose(f), 0);
}

/* The repository on a file system of its own with so much room left. */
static void full_begin(struct full *f, uint64_t left)
{
	struct err e = ERR_EMPTY;

	mkdir(SMALL, 0700);
	assert_int_equal(mount("none", SMALL, "tmpfs", 0, "size=24m"), 0);
	f->dir = store_dir_open(SMALL "/repo", true, env_real(), &e);
	assert_non_null(f->dir);
	stores_each(f->mem, put_file, f->dir);
	watch_init(&f->watch, f->dir);
	f->watch.silent = true;
	f->w.store = &f->watch.store;
	assert_true(room() > left);
	ballast(room() - left);
	assert_true(room() <= left);
}

static void full_end(struct full *f)
{
	watch_release(&f->watch);
	store_free(f->dir);
	f->w.store = f->mem;
	memset(f->w.removed, 0, sizeof f->w.removed);
	assert_int_equal(umount(SMALL), 0);
}

static bool vacuum(struct full *f, bool tells, struct vacuum_result *res, struct err *e)
{
	struct vacuum_options o;

	vacuum_do_init(&o);
	o.run = o.sole_client = true;
	o.below = 100;
	o.cache_dir = f->cache;
	f->watch.silent = !tells;
	err_clear(e);
	return vacuum_do(f->w.store, &o, res, e);
}

/* Remove all but the last; false where there was no room to. */
static bool remove_old(struct full *f)
{
	struct repo *r = backup_open(f->w.store);
	struct err e = ERR_EMPTY;
	struct band_info *info;
	struct bands bands;
	uint64_t n;
	unsigned i;
	bool ok;

	assert_true(bands_list(r, &bands, &e));
	for (i = 0, ok = true; ok && i + 1 < f->w.generations; i++) {
		info = bands_find(&bands, f->w.band[i]);
		ok = remove_run(r, NULL, &info, 1, NULL, &n, &e);
		f->w.removed[i] = ok;
		if (!ok) {
			assert_int_equal(e.kind, ERR_NOSPACE);
			assert_non_null(strstr(e.text, "--sole-client"));
		}
	}
	bands_release(&bands);
	repo_close(r);
	return ok;
}

static void generations(struct full *f, unsigned n, unsigned percent)
{
	unsigned i;

	ages_init(&f->w, 60, 1u << 20);
	scratch_mkdir(f->w.dir, "cache");
	snprintf(f->cache, sizeof f->cache, "%s/cache", f->w.dir);
	for (i = 0; i < n; i++) {
		if (i)
			ages_change(&f->w, percent);
		ages_backup(&f->w, NULL);
	}
	f->mem = f->w.store;
}

static void generations_end(struct full *f)
{
	ages_release(&f->w);
}

/* However little is left: what does not fit fails for that, and nothing is harmed. */
static void test_little_room(void **state)
{
	static const unsigned left[] = {0, 4, 8, 12, 16, 20, 20, 28, 28, 40, 64, 64};
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	struct full f;
	unsigned i;
	bool removed, ok;

	(void)state;
	if (!root)
		skip();
	generations(&f, 3, 100);
	for (i = 0; i < sizeof left / sizeof *left; i++) {
		full_begin(&f, left[i] * KIB);
		removed = remove_old(&f);
		ok = vacuum(&f, i % 2, &res, &e);
		if (!ok && e.kind != ERR_NOSPACE)
			fail_msg("%u KiB: %s", left[i], e.text);
		/* Where the storage does not tell its room, what must be copied may not fit. */
		if (left[i] >= 40 && (!removed || (!ok && i % 2 == 1)))
			fail_msg("%u KiB: %s", left[i], e.text);
		if ((removed && ok) || left[i] >= 40)
			assert_true(room() > (left[i] + 8) * KIB);
		ages_check(&f.w, f.w.store);

		/* With some room everything goes on, and nothing of what failed stays. */
		unlink(SMALL "/ballast");
		assert_true(remove_old(&f));
		if (!vacuum(&f, true, &res, &e) || !vacuum(&f, true, &res, &e))
			fail_msg("%u KiB: %s", left[i], e.text);
		assert_int_equal(res.dead_bytes + res.condemned_bytes + res.unknown_bytes, 0);
		ages_check(&f.w, f.w.store);
		full_end(&f);
	}
	generations_end(&f);
}

/* Prune, vacuum, back up: with a backup that writes until nothing is left. */
static void test_next_backup(void **state)
{
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	struct full f;

	(void)state;
	if (!root)
		skip();
	generations(&f, 3, 100);
	full_begin(&f, 64 * KIB);
	assert_true(remove_old(&f));
	if (!vacuum(&f, true, &res, &e))
		fail_msg("%s", e.text);
	f.watch.silent = true;
	ages_change(&f.w, 30);
	ages_backup(&f.w, NULL);
	ages_check(&f.w, f.w.store);
	f.w.generations--;
	full_end(&f);
	generations_end(&f);
}

/*
 * Nothing is wholly dead, and there is no room to copy all that is alive: each run does
 * what fits, says what it left, and makes room for the next. Where the storage does not
 * tell its room, it fails and harms nothing.
 */
static void test_copies_must_fit(void **state)
{
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	uint64_t before;
	struct full f;
	unsigned runs;

	(void)state;
	if (!root)
		skip();
	generations(&f, 8, 12);
	full_begin(&f, 2000 * KIB);
	assert_true(remove_old(&f));
	vacuum(&f, false, &res, &e);
	assert_true(e.kind == ERR_NONE || e.kind == ERR_NOSPACE);
	ages_check(&f.w, f.w.store);
	full_end(&f);

	full_begin(&f, 1300 * KIB);
	assert_true(remove_old(&f));
	before = room();
	for (runs = 0, res.unmoved = 1; res.unmoved > 0 && runs < 10; runs++) {
		if (!vacuum(&f, true, &res, &e))
			fail_msg("%s", e.text);
		assert_true(room() + 16 * KIB > before); /* it writes a little itself */
		before = room();
		ages_check(&f.w, f.w.store);
	}
	assert_true(runs > 1 && runs < 10);
	assert_true(room() > 1450 * KIB);
	assert_true(vacuum(&f, true, &res, &e));
	assert_int_equal(res.dead_bytes + res.condemned_bytes, 0);
	full_end(&f);
	generations_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_little_room),
	    cmocka_unit_test(test_next_backup),
	    cmocka_unit_test(test_copies_must_fit),
	};

	root = scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
