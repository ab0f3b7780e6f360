/*
 * The mounted folder: its contract with the storage. Each system call is made to fail in
 * turn, and the calls are counted, since what must not be called matters as much.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/sys.h"
#include "store_contract.h"
#include "tests/support/scratch.h"

#define CALLS (SYS_META + 1)

static char *root;
static struct store *s;

/* What the hook does, and what it saw. */
static struct {
	enum sys_call call;
	int nth; /* -1: never */
	int sys;
	enum sys_call call2; /* a second one that always fails, if sys2 */
	int sys2;
	void (*act)(void); /* done instead of failing, where sys is 0 */
	int seen[CALLS];
} hook;

static int run_hook(enum sys_call call, const char *path)
{
	int n = hook.seen[call]++;

	(void)path;
	if (hook.sys2 && call == hook.call2)
		return hook.sys2;
	if (call != hook.call || n != hook.nth)
		return 0;
	if (hook.act)
		hook.act();
	return hook.sys;
}

static void arm(enum sys_call call, int nth, int sys)
{
	memset(&hook, 0, sizeof hook);
	hook.call = call;
	hook.nth = nth;
	hook.sys = sys;
	sys_fault = run_hook;
}

static int set_up(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	root = scratch_new();
	s = store_dir_open(root, false, env_real(), &e);
	if (!s)
		fail_msg("%s", e.text);
	s->mount = MOUNT_THROUGH; /* wherever the test runs */
	return 0;
}

static int tear_down(void **state)
{
	char tiny[512];

	(void)state;
	sys_fault = NULL;
	store_free(s);
	snprintf(tiny, sizeof tiny, "%s/tiny", root);
	umount2(tiny, MNT_DETACH); /* where a test failed before it did so */
	scratch_free(root);
	return 0;
}

static bool on_disk(const char *path)
{
	char full[512];

	snprintf(full, sizeof full, "%s/%s", root, path);
	return access(full, F_OK) == 0;
}

static void write_raw(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof full, "%s/%s", root, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_contract(void **state)
{
	(void)state;
	contract_run(s);
}

static void test_each_call_of_a_put(void **state)
{
	static const struct {
		enum sys_call call;
		int nth, sys;
		enum err_kind kind; /* ERR_NONE: the put succeeds */
		int closes, unlinks;
	} cases[] = {
	    {SYS_OPEN, 0, EIO, ERR_IO, 0, 0},
	    {SYS_OPEN, 0, ETIMEDOUT, ERR_IO, 0, 0},
	    {SYS_OPEN, 0, ESTALE, ERR_IO, 0, 0},
	    {SYS_OPEN, 0, ENOSPC, ERR_NOSPACE, 0, 0},
	    {SYS_OPEN, 0, EDQUOT, ERR_NOSPACE, 0, 0},
	    {SYS_OPEN, 0, EROFS, ERR_REFUSED, 0, 0},
	    {SYS_OPEN, 0, EACCES, ERR_REFUSED, 0, 0},
	    {SYS_OPEN, 0, EPERM, ERR_REFUSED, 0, 0},
	    {SYS_OPEN, 0, ENOTCONN, ERR_UNREACHABLE, 0, 0},
	    {SYS_OPEN, 0, EHOSTDOWN, ERR_UNREACHABLE, 0, 0},
	    {SYS_OPEN, 0, ENODEV, ERR_UNREACHABLE, 0, 0},
	    {SYS_OPEN, 0, ECONNABORTED, ERR_UNREACHABLE, 0, 0},
	    {SYS_OPEN, 0, EEXIST, ERR_EXISTS, 0, 0},
	    {SYS_WRITE, 0, EIO, ERR_IO, 1, 1},
	    {SYS_WRITE, 0, ENOSPC, ERR_NOSPACE, 1, 1},
	    {SYS_WRITE, 1, EIO, ERR_IO, 1, 1},
	    {SYS_FSYNC, 0, EIO, ERR_IO, 1, 1},
	    {SYS_FSYNC, 0, EDQUOT, ERR_NOSPACE, 1, 1},
	    {SYS_FSYNC, 0, EINVAL, ERR_NONE, 2, 0},
	    {SYS_FSYNC, 0, ENOSYS, ERR_NONE, 2, 0},
	    {SYS_FSYNC, 0, ENOTSUP, ERR_NONE, 2, 0},
	    {SYS_CLOSE, 0, EIO, ERR_IO, 1, 1},
	    {SYS_CLOSE, 0, EINTR, ERR_IO, 1, 1},
	    {SYS_CLOSE, 0, ENOSPC, ERR_NOSPACE, 1, 1},
	    {SYS_OPEN, 1, ENOENT, ERR_IO, 1, 1},
	    {SYS_OPEN, 1, EEXIST, ERR_IO, 1, 1},
	    {SYS_OPEN, 1, ENOTCONN, ERR_UNREACHABLE, 1, 1},
	    {SYS_STAT, 0, EIO, ERR_IO, 2, 1},
	    {SYS_READ, 0, EIO, ERR_IO, 2, 1},
	    {SYS_CLOSE, 1, EIO, ERR_NONE, 2, 0},
	};
	static uint8_t big[3u << 19];
	struct span part = span_of(big, sizeof big);
	struct err e = ERR_EMPTY;
	char path[40];
	bool ok;

	(void)state;
	assert_true(put_text(s, "d", "first", "x", &e));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(path, sizeof path, "d/f%zu", i);
		arm(cases[i].call, cases[i].nth, cases[i].sys);
		err_clear(&e);
		ok = store_put(s, "d", path + 2, &part, 1, &e);
		sys_fault = NULL;
		if (ok != (cases[i].kind == ERR_NONE) || e.kind != cases[i].kind ||
		    hook.seen[SYS_CLOSE] != cases[i].closes ||
		    hook.seen[SYS_UNLINK] != cases[i].unlinks || on_disk(path) != ok ||
		    hook.seen[SYS_MKDIR] != 0)
			fail_msg("case %zu: %s, %d closes, %d unlinks, %s", i,
			    ok ? "ok" : e.text, hook.seen[SYS_CLOSE],
			    hook.seen[SYS_UNLINK], on_disk(path) ? "there" : "absent");
		assert_int_equal(
		    hook.seen[SYS_RENAME] + hook.seen[SYS_LINK] + hook.seen[SYS_META], 0);
	}
}

/* After an early failure, nothing later may turn the outcome, nor its reason. */
static void test_first_failure_counts(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	arm(SYS_WRITE, 0, ENOSPC);
	hook.call2 = SYS_CLOSE;
	hook.sys2 = EIO;
	assert_false(put_text(s, "", "a", "x", &e));
	assert_int_equal(e.kind, ERR_NOSPACE);
	assert_int_equal(hook.seen[SYS_FSYNC], 0);
	assert_int_equal(hook.seen[SYS_CLOSE], 1);

	arm(SYS_CLOSE, 0, EIO);
	hook.call2 = SYS_UNLINK;
	hook.sys2 = EROFS;
	assert_false(put_text(s, "", "b", "x", &e));
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(hook.seen[SYS_UNLINK], 1);
}

static void test_stale_root_is_unreachable(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	arm(SYS_OPEN, 0, ESTALE);
	hook.call2 = SYS_STAT;
	hook.sys2 = ESTALE;
	assert_false(put_text(s, "", "a", "x", &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	assert_false(put_text(s, "", "a", "x", NULL));
}

static void test_folders_only_when_wanted(void **state)
{
	struct store_listing l = {NULL, 0, 0};
	struct err e = ERR_EMPTY;

	(void)state;
	arm(SYS_META, -1, 0);
	assert_true(put_text(s, "data/7", "a", "x", &e));
	assert_int_equal(hook.seen[SYS_MKDIR], 3); /* data/7, data, data/7 */
	arm(SYS_META, -1, 0);
	assert_true(put_text(s, "data/7", "b", "x", &e));
	assert_int_equal(hook.seen[SYS_MKDIR], 0);
	assert_int_equal(hook.seen[SYS_STAT], 1); /* of the read-back */
	assert_int_equal(hook.seen[SYS_OPEN], 2);
	arm(SYS_META, -1, 0);
	assert_true(put_text(s, "data/8", "a", "x", &e));
	assert_int_equal(hook.seen[SYS_MKDIR], 1);
	assert_int_equal(s->folders_made, 3);

	/* Which has found out that it is not there. */
	assert_true(store_list(s, "hunks", &l, &e));
	assert_true(store_list(s, "index", &l, &e));
	arm(SYS_META, -1, 0);
	assert_true(put_text(s, "hunks", "a", "x", &e));
	assert_int_equal(hook.seen[SYS_MKDIR], 1);
	assert_int_equal(hook.seen[SYS_OPEN], 2); /* with that of the read-back */
	assert_true(put_text(s, "hunks", "b", "x", &e));
	store_folder(s, "index");
	store_folder(s, "index");
	store_folder(s, "elsewhere");
	assert_int_equal(hook.seen[SYS_MKDIR], 2);
	assert_int_equal(s->folders_made, 5);
	assert_true(store_list(s, "tombstones", &l, &e));
	arm(SYS_MKDIR, 0, EIO); /* a guess that fails is none */
	assert_true(put_text(s, "tombstones", "a", "x", &e));
	assert_int_equal(hook.seen[SYS_MKDIR], 2);

	arm(SYS_MKDIR, 0, EEXIST); /* another made it meanwhile, yet it is not seen */
	assert_false(put_text(s, "data/9", "a", "x", &e));
	assert_int_equal(e.kind, ERR_IO);
	arm(SYS_MKDIR, 0, EACCES);
	assert_false(put_text(s, "data/9", "a", "x", &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	arm(SYS_MKDIR, 1, ENOSPC);
	assert_false(put_text(s, "new/9", "a", "x", &e));
	assert_int_equal(e.kind, ERR_NOSPACE);
	sys_fault = NULL;
	assert_true(put_text(s, "data/9", "a", "x", &e));
}

static void test_root_removed(void **state)
{
	struct store_listing l = {NULL, 0, 0};
	struct err e = ERR_EMPTY;

	(void)state;
	assert_int_equal(rmdir(root), 0);
	assert_false(put_text(s, "", "a", "x", &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	assert_false(put_text(s, "data/7", "a", "x", &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	assert_false(store_list(s, "", &l, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(on_disk(""));
}

static void test_pieces(void **state)
{
	static uint8_t bytes[(4u << 20) + 77];
	struct span parts[] = {span_of(bytes, 3), span_of(bytes + 3, 1u << 20),
	    span_of(bytes + (1u << 20) + 3, 5u << 19),
	    span_of(bytes + (1u << 20) + 3 + (5u << 19),
		sizeof bytes - 3 - (1u << 20) - (5u << 19))};
	struct buf got = BUF_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	arm(SYS_META, -1, 0);
	assert_true(store_put(s, "", "big", parts, 4, &e));
	assert_int_equal(hook.seen[SYS_WRITE], 5);
	sys_fault = NULL;
	assert_true(store_get(s, "", "big", 0, SIZE_MAX, &got, NULL, &e));
	assert_true(span_equal(buf_span(&got), span_of(bytes, sizeof bytes)));
	buf_release(&got);
}

static void flip_last(void)
{
	write_raw("victim", "0123456788");
}

static void cut_short(void)
{
	write_raw("victim", "012345678");
}

static void shift_on(void)
{
	write_raw("victim", "x0123456789");
}

static void grow(void)
{
	write_raw("victim", "0123456789x");
}

static void test_read_back(void **state)
{
	static void (*const tricks[])(void) = {flip_last, cut_short, shift_on, grow};
	struct err e = ERR_EMPTY;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		arm(SYS_CLOSE, 0, 0); /* the storage changes it once it is closed */
		hook.act = tricks[i];
		assert_false(put_text(s, "", "victim", "0123456789", &e));
		assert_int_equal(e.kind, ERR_IO);
		assert_non_null(strstr(e.text, "read back differs"));
		assert_false(on_disk("victim"));
	}
	for (int i = 0; i < 2; i++) {
		s->mount = i ? MOUNT_UNKNOWN : MOUNT_WRITE_BACK;
		arm(SYS_META, -1, 0);
		assert_true(put_text(s, "", i ? "b" : "a", "0123456789", &e));
		assert_int_equal(
		    hook.seen[SYS_OPEN], 1); /* it would ask the cache only */
	}
}

static void grow_odd_things(void)
{
	char full[512];

	snprintf(full, sizeof full, "%s/d/folder", root);
	assert_int_equal(mkdir(full, 0700), 0);
	snprintf(full, sizeof full, "%s/d/link", root);
	assert_int_equal(symlink("good", full), 0);
	snprintf(full, sizeof full, "%s/d/fifo", root);
	assert_int_equal(mkfifo(full, 0600), 0);
	write_raw("d/Upper", "x");
	write_raw("d/under_score", "x");
	write_raw("d/.hidden", "x");
	write_raw("d/bad\x01", "x");
}

static void test_list(void **state)
{
	struct store_listing l = {NULL, 0, 0};
	struct err e = ERR_EMPTY;

	(void)state;
	assert_true(put_text(s, "d", "good", "x", &e));
	assert_true(put_text(s, "d", "also", "x", &e));
	grow_odd_things();
	check_listing(s, "d", ".hidden also good ");
	for (int n = 0; n < 12; n++) { /* nine entries, "." and "..", the end */
		arm(SYS_READDIR, n, EIO);
		assert_false(store_list(s, "d", &l, &e));
		assert_int_equal(e.kind, ERR_IO);
		assert_int_equal(l.n, 0);
	}
	arm(SYS_OPEN, 0, EACCES);
	assert_false(store_list(s, "d", &l, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	arm(SYS_OPEN, 0, ENOTCONN);
	assert_false(store_list(s, "", &l, &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	arm(SYS_OPEN, 0, ENOENT);
	assert_false(store_list(s, "", &l, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	arm(SYS_OPEN, 0, ENOENT);
	check_listing(s, "d", "");
}

static void cut_victim(void)
{
	write_raw("d/good", "01");
}

static unsigned listed(const char *folder)
{
	struct store_listing l = {NULL, 0, 0};
	struct err e = ERR_EMPTY;
	unsigned n;

	assert_true(store_list(s, folder, &l, &e));
	n = (unsigned)l.n;
	store_listing_release(&l);
	return n;
}

/*
 * Folders side by side are looked at together; each listing of one is a look of its own.
 */
static void test_list_below(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	/* There is no data at all. */
	assert_int_equal(listed("data/1") + listed("data/2"), 0);
	assert_true(put_text(s, "data/1", "a", "x", &e));
	assert_true(put_text(s, "data/3", "a", "x", &e));
	arm(SYS_OPEN, -1, 0);
	assert_int_equal(listed("data/1"), 1);
	assert_int_equal(listed("data/2"), 0);
	assert_int_equal(listed("data/3"), 1);
	assert_int_equal(hook.seen[SYS_OPEN], 3); /* data, data/1, data/3 */
	assert_true(put_text(s, "data/2", "a", "x", &e));
	assert_int_equal(listed("data/2"), 1);
	assert_int_equal(listed("hunks/2"), 0); /* another folder is another look */
	assert_int_equal(listed("data/2"), 1);

	assert_true(put_text(s, "data/5", "a", "x", &e));
	/* What cannot be read above is no reason to take what is below for absent. */
	arm(SYS_READDIR, 0, EIO);
	assert_int_equal(listed("data/5"), 1);
	arm(SYS_OPEN, 0, EIO);
	assert_int_equal(listed("data/5"), 1);
	arm(SYS_OPEN, 1, EIO);
	assert_false(store_list(s, "data/5", &(struct store_listing){NULL, 0, 0}, &e));
}

/*
 * Of the top folder what is not there is told by one reading, the first of which was made
 * when it was opened; after a put, and when a name is asked for again, by another.
 */
static void test_list_top(void **state)
{
	struct err e = ERR_EMPTY;
	char full[512];

	(void)state;
	assert_true(put_text(s, "here", "a", "x", &e));
	store_free(s);
	s = store_dir_open(root, false, env_real(), &e);
	assert_non_null(s);
	arm(SYS_OPEN, -1, 0);
	assert_int_equal(listed("one") + listed("two") + listed("three"), 0);
	assert_int_equal(hook.seen[SYS_OPEN], 0);
	assert_int_equal(listed("here"), 1);
	assert_int_equal(hook.seen[SYS_OPEN], 1);
	snprintf(full, sizeof full, "%s/two", root); /* by somebody else */
	assert_int_equal(mkdir(full, 0700), 0);
	write_raw("two/a", "x");
	assert_int_equal(listed("two"), 1);
	assert_int_equal(listed("one"), 0);
	assert_int_equal(hook.seen[SYS_OPEN], 3); /* the top, two */

	snprintf(full, sizeof full, "%s/three", root);
	assert_int_equal(mkdir(full, 0700), 0);
	write_raw("three/a", "x");
	assert_true(put_text(s, "here", "b", "x", &e));
	assert_int_equal(listed("three"), 1);

	/* What cannot be read is not taken for absent. */
	snprintf(full, sizeof full, "%s/four", root);
	assert_int_equal(mkdir(full, 0700), 0);
	write_raw("four/a", "x");
	assert_true(put_text(s, "here", "c", "x", &e));
	arm(SYS_READDIR, 0, EIO);
	assert_int_equal(listed("four"), 1);
	arm(SYS_OPEN, 0, EIO);
	assert_int_equal(listed("four"), 1);
}

static void test_get_stat_remove_fail(void **state)
{
	struct buf got = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	uint64_t size;

	(void)state;
	assert_true(put_text(s, "d", "good", "0123456789", &e));
	grow_odd_things();
	buf_add_str(&got, "kept");
	for (int i = 0; i < 3; i++) {
		arm(i == 0 ? SYS_OPEN : i == 1 ? SYS_STAT : SYS_READ, 0, EIO);
		assert_false(store_get(s, "d", "good", 0, 4, &got, NULL, &e));
		assert_int_equal(e.kind, ERR_IO);
		assert_int_equal(hook.seen[SYS_CLOSE], i > 0);
		assert_string_equal(buf_str(&got), "kept");
	}
	arm(SYS_READ, 0, 0);
	hook.act = cut_victim;
	assert_false(store_get(s, "d", "good", 0, 10, &got, NULL, &e));
	assert_int_equal(e.kind, ERR_IO);
	assert_string_equal(buf_str(&got), "kept");
	arm(SYS_STAT, 0, ESTALE);
	assert_false(store_stat(s, "d", "good", &size, &e));
	assert_int_equal(e.kind, ERR_IO);
	arm(SYS_UNLINK, 0, EROFS);
	assert_false(store_remove(s, "d", "good", &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	sys_fault = NULL;
	assert_false(store_get(s, "d", "folder", 0, 4, &got, NULL, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(store_get(s, "d", "link", 0, 4, &got, NULL, &e));
	assert_false(store_stat(s, "d", "link", &size, &e));
	assert_false(store_stat(s, "d", "folder", &size, &e));
	assert_false(store_remove(s, "d", "folder", &e));
	buf_release(&got);
}

static void test_open(void **state)
{
	char path[512], deeper[600];
	struct err e = ERR_EMPTY;
	struct store *other;

	(void)state;
	snprintf(path, sizeof path, "%s/new", root);
	assert_null(store_dir_open(path, false, env_real(), &e));
	assert_int_equal(e.kind, ERR_MISSING);
	snprintf(deeper, sizeof deeper, "%s/deep", path);
	assert_null(store_dir_open(deeper, true, env_real(), &e)); /* the last one only */
	assert_int_equal(e.kind, ERR_MISSING);
	other = store_dir_open(path, true, env_real(), &e);
	assert_non_null(other);
	assert_string_equal(other->describe, path);
	store_free(other);
	other = store_dir_open(path, true, env_real(), &e);
	assert_non_null(other);
	store_free(other);
	write_raw("file", "x");
	snprintf(path, sizeof path, "%s/file", root);
	assert_null(store_dir_open(path, true, env_real(), &e));
	assert_int_equal(e.kind, ERR_MISSING);
}

static void test_full_disk(void **state)
{
	static uint8_t big[2u << 20];
	struct span part = span_of(big, sizeof big);
	struct err e = ERR_EMPTY;
	struct store *tiny;
	char path[512];
	uint64_t left;

	(void)state;
	assert_true(store_space(s, &left));
	snprintf(path, sizeof path, "%s/tiny", root);
	assert_int_equal(mkdir(path, 0700), 0);
	if (mount("none", path, "tmpfs", 0, "size=1m") != 0) {
		print_message("SKIPPED: a full disk needs the right to mount a tmpfs\n");
		skip();
	}
	tiny = store_dir_open(path, false, env_real(), &e);
	assert_non_null(tiny);
	assert_int_equal(tiny->mount, MOUNT_THROUGH);
	assert_true(store_space(tiny, &left));
	assert_int_equal(left, 1u << 20);
	assert_false(store_put(tiny, "data/0", "big", &part, 1, &e));
	assert_int_equal(e.kind, ERR_NOSPACE);
	check_listing(tiny, "data/0", "");
	assert_true(store_space(tiny, &left));
	assert_int_equal(left, 1u << 20); /* the torn file has been removed */
	assert_true(put_text(tiny, "data/0", "small", "x", &e));
	assert_int_equal(umount2(path, 0), -1); /* held: it cannot vanish unnoticed */
	store_free(tiny);
	assert_int_equal(umount2(path, 0), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(test_contract),
	    T(test_each_call_of_a_put),
	    T(test_first_failure_counts),
	    T(test_stale_root_is_unreachable),
	    T(test_folders_only_when_wanted),
	    T(test_root_removed),
	    T(test_pieces),
	    T(test_read_back),
	    T(test_list),
	    T(test_list_below),
	    T(test_list_top),
	    T(test_get_stat_remove_fail),
	    T(test_open),
	    T(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
