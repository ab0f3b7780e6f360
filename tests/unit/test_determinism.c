/*
 * The same source, clock and seed give the same files on the storage, name by name and
 * byte by byte, whatever the number of threads: of a first backup and of an incremental
 * one, with checkpoints and without.
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

#include <fcntl.h>
#include <sys/stat.h>

#include "format/hunk.h"
#include "tests/support/backup_do.h"
#include "tests/support/bytes.h"
#include "tests/support/check_snapshot.h"
#include "tests/support/copy.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"

static void put(const char *dir, const char *name, size_t n, uint64_t seed, bool noise)
{
	struct buf b = BUF_EMPTY;

	if (noise)
		bytes_noise(&b, n, seed);
	else
		bytes_text(&b, n, seed);
	scratch_file(dir, name, b.p, b.n);
	buf_release(&b);
}

/* Data, a hole, data, a hole. */
static void put_sparse(const char *dir, const char *name, size_t part, uint64_t seed)
{
	struct buf b = BUF_EMPTY;
	int fd = open(scratch_path(dir, name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	bytes_text(&b, 2 * part, seed);
	assert_int_equal(pwrite(fd, b.p, part, 0), part);
	assert_int_equal(pwrite(fd, b.p + part, part, (off_t)(3 * part)), part);
	assert_int_equal(ftruncate(fd, (off_t)(6 * part)), 0);
	close(fd);
	buf_release(&b);
}

static void put_link(const char *dir, const char *from, const char *to)
{
	assert_int_equal(link(scratch_path(dir, from), scratch_path(dir, to)), 0);
}

/* Small ones of all sizes, some of them equal, in directories with links between them. */
static void make_small(const char *dir, unsigned dirs, unsigned files)
{
	char name[64], other[64];
	unsigned d, f, n;

	for (d = 0; d < dirs; d++) {
		snprintf(name, sizeof name, "d%02u", d);
		scratch_mkdir(dir, name);
		for (f = 0; f < files; f++) {
			n = d * files + f;
			snprintf(name, sizeof name, "d%02u/f%03u", d, f);
			put(dir, name, n * 37 % 4000, n % 11 ? n + 1 : 7, n % 3 == 0);
		}
		snprintf(name, sizeof name, "d%02u/link", d);
		scratch_symlink(dir, name, "f001");
		snprintf(name, sizeof name, "d%02u/f002", d);
		snprintf(other, sizeof other, "d%02u/hard%u", d ? d - 1 : 0, d);
		put_link(dir, name, other);
	}
}

/* A last name in a folder with which a hunk ends, if it has 256 entries by then. */
static void put_end(const char *dir, const char *in)
{
	char name[64];
	unsigned i;

	for (i = 0; i == 0 || !hunk_ends(span_str(scratch_path(dir, name)), 256, 0); i++)
		snprintf(name, sizeof name, "%s/z%u", in, i);
	scratch_file(dir, name, "end", 3);
}

static void make_tree(const char *dir)
{
	make_small(dir, 12, 150);
	put_end(dir, "d02");
	put_end(dir, "d06");
	put_end(dir, "d09");
	put(dir, "a-large", 5u << 20, 1, false);
	put(dir, "d05/large", 6u << 20, 2, true);
	put(dir, "d05/large-again", 6u << 20, 2, true);
	put(dir, "z-middling", 300000, 3, true);
	put_sparse(dir, "d03/sparse", 100000, 4);
	put_sparse(dir, "d07/sparse-large", 1u << 20, 5);
	scratch_mkdir(dir, "d08/empty");
	scratch_file(dir, "d08/nothing", "", 0);
}

/* Some of everything: changed, new, removed, grown, moved. */
static void change_tree(const char *dir)
{
	put(dir, "d01/new", 100000, 11, false);
	put(dir, "d02/f003", 3000, 12, true);
	put(dir, "d05/large", 6500000, 2, true);
	put(dir, "e-large", 5u << 20, 13, true);
	assert_int_equal(unlink(scratch_path(dir, "d09/f010")), 0);
	assert_int_equal(
	    rename(scratch_path(dir, "d10"), scratch_path(dir, "d04/moved")), 0);
}

struct config {
	unsigned threads, transfers, puts;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW true
static const struct config configs[] = {{0, 0, 0}, {2, 4, 4}, {8, 1, 0}};
#else
#define SLOW false
static const struct config configs[] = {{0, 0, 0}, {0, 4, 0}, {1, 1, 0}, {2, 0, 0},
    {2, 4, 4}, {8, 0, 3}, {8, 1, 0}, {8, 4, 0}, {2, 8, 8}};
#endif
#define CONFIGS (sizeof configs / sizeof *configs)

static bool same(struct store *a, struct store *b, const struct config *c)
{
	struct buf why = BUF_EMPTY;
	bool ok = stores_within(a, b, &why) && stores_within(b, a, &why);

	if (!ok)
		print_message(
		    "# threads %u, transfers %u: %s\n", c->threads, c->transfers, buf_str(&why));
	buf_release(&why);
	return ok;
}

/* When the folders above were changed last: they too are told of in the snapshots. */
static int64_t last_change(const char *dir)
{
	char path[4096], *slash;
	int64_t last = 0, t;
	struct stat st;

	snprintf(path, sizeof path, "%s", dir);
	while ((slash = strrchr(path, '/'))) {
		slash[slash == path] = '\0';
		assert_int_equal(stat(path, &st), 0);
		t = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
		last = t > last ? t : last;
		if (slash == path)
			break;
	}
	return last;
}

static void check_all(const char *dir, struct store *s, const char *band)
{
	struct repo *r = backup_open(s);
	struct check_result got;
	struct err e = ERR_EMPTY;

	if (!check_snapshot(r, band, dir, dir, &got, &e))
		fail_msg("%s", e.text);
	assert_true(got.hunks >= 4);
	assert_true(got.holes >= 4);
	assert_true(got.lists >= 3);
	repo_close(r);
}

static char *folder(const char *top, const char *name)
{
	scratch_mkdir(top, name);
	return strdup(scratch_path(top, name));
}

static bool run_all(bool encrypted, uint64_t checkpoint, bool *disturbed)
{
	char *top = scratch_new(), *dir = folder(top, "source"), *cache[CONFIGS], name[32];
	struct store *s[CONFIGS];
	struct backup_result result;
	int64_t now[2], change;
	bool ok = true;
	size_t i, k;

	for (i = 0; i < CONFIGS; i++) {
		snprintf(name, sizeof name, "cache-%zu", i);
		cache[i] = folder(top, name);
		s[i] = store_mem_new(env_real());
		backup_init(s[i], encrypted, 1);
	}
	make_tree(dir);
	change = last_change(dir);
	for (k = 0; ok && k < 2; k++) {
		if (k == 1)
			change_tree(dir);
		now[k] = backup_clock();
		for (i = 0; ok && i < CONFIGS; i++) {
			struct backup_do d = {.store = s[i], .cache = cache[i], .source = dir,
			    .threads = configs[i].threads, .transfers = configs[i].transfers,
			    .puts = configs[i].puts, .checkpoint = checkpoint, .now = now[k],
			    .seed = 5 + k};

			backup_must(&d, &result);
			assert_true(result.complete);
			assert_true(checkpoint == 0 || result.parts >= (k ? 4 : 8));
			ok = same(s[0], s[i], &configs[i]);
		}
		check_all(dir, s[0], result.snapshot);
	}
	for (i = 0; i < CONFIGS; i++) {
		store_free(s[i]);
		free(cache[i]);
	}
	*disturbed = last_change(dir) != change;
	free(dir);
	scratch_free(top);
	return ok;
}

/* Others may have made files beside the tree meanwhile: then that is no result. */
static void run(bool encrypted, uint64_t checkpoint)
{
	bool disturbed = true, ok = false;
	int tries;

	for (tries = 0; !ok && disturbed && tries < 5; tries++)
		ok = run_all(encrypted, checkpoint, &disturbed);
	assert_true(ok);
}

static void test_plain(void **state)
{
	(void)state;
	run(false, 0);
}

static void test_encrypted(void **state)
{
	(void)state;
	if (!SLOW)
		run(true, 0);
}

static void test_checkpoints(void **state)
{
	(void)state;
	run(SLOW, 1u << 20); /* there, instead of test_encrypted */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_encrypted),
	    cmocka_unit_test(test_checkpoints),
	};

	copy_home();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
