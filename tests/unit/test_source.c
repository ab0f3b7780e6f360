/*
 * Reading single files: what stands there, holes, changes, attributes; and owners' names.
 */
#include "tree/source.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sys.h"
#include "tests/support/scratch.h"
#include "tree/owner.h"

static char *top;
static struct dir *dir;
static struct err e;

static int set_up(void **state)
{
	(void)state;
	top = scratch_new();
	dir = dir_new(open(top, O_PATH | O_DIRECTORY | O_CLOEXEC));
	e = (struct err)ERR_EMPTY;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sys_fault = NULL;
	dir_unref(dir);
	scratch_free(top);
	return 0;
}

static struct facts facts(const char *name)
{
	struct facts f;
	struct stat st;

	assert_int_equal(fstatat(dir_fd(dir), name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(facts_of(&st, &f));
	return f;
}

static void open_it(const char *name, struct source *s)
{
	struct facts f = facts(name);

	if (!source_open(dir, name, &f, s, &e))
		fail_msg("%s", e.text);
}

static void expect_gone(const char *name, const struct facts *f)
{
	struct source s;

	err_clear(&e);
	assert_false(source_open(dir, name, f, &s, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	source_close(&s);
}

static void test_read(void **state)
{
	struct source s;
	struct segment seg;
	char got[16];
	size_t n;

	(void)state;
	scratch_file(top, "f", "hello", 5);
	open_it("f", &s);
	assert_int_equal(source_next(&s, &seg, &e), STEP_ITEM);
	assert_true(seg.at == 0 && seg.length == 5 && !seg.hole);
	assert_int_equal(source_next(&s, &seg, &e), STEP_END);
	assert_true(source_read(&s, got, 3, 2, &n, &e));
	assert_true(n == 3 && memcmp(got, "llo", 3) == 0);
	assert_true(source_read(&s, got, sizeof got, 3, &n, &e));
	assert_int_equal(n, 2);
	source_close(&s);
	source_close(&s);
	scratch_file(top, "empty", "", 0);
	open_it("empty", &s);
	assert_int_equal(source_next(&s, &seg, &e), STEP_END);
	source_close(&s);
}

/* Between the walk's look and the opening, anything may have taken the file's place. */
static void test_gone(void **state)
{
	struct facts f;

	(void)state;
	scratch_file(top, "f", "x", 1);
	f = facts("f");
	unlink(scratch_path(top, "f"));
	expect_gone("f", &f);
	scratch_file(top, "g", "x", 1);
	scratch_symlink(top, "f", "g");
	expect_gone("f", &f);
	unlink(scratch_path(top, "f"));
	scratch_mkdir(top, "f");
	expect_gone("f", &f);
	rmdir(scratch_path(top, "f"));
	assert_int_equal(mkfifo(scratch_path(top, "f"), 0600), 0);
	expect_gone("f", &f);
}

static int fault_sys;
static unsigned opened;

static int fail_open(enum sys_call call, const char *path)
{
	(void)path;
	if (call != SYS_OPEN)
		return 0;
	return opened++ == 0 ? fault_sys : 0;
}

static int fail_read(enum sys_call call, const char *path)
{
	(void)path;
	return call == SYS_READ ? EIO : 0;
}

static void test_failures(void **state)
{
	struct facts f;
	struct source s;
	size_t n;
	char c;

	(void)state;
	scratch_file(top, "f", "x", 1);
	f = facts("f");
	sys_fault = fail_open;
	opened = 0;
	fault_sys = EACCES;
	assert_false(source_open(dir, "f", &f, &s, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	/* Not the owner: without O_NOATIME, then. */
	opened = 0;
	fault_sys = EPERM;
	assert_true(source_open(dir, "f", &f, &s, &e));
	sys_fault = fail_read;
	assert_false(source_read(&s, &c, 1, 0, &n, &e));
	assert_int_equal(e.kind, ERR_IO);
	source_close(&s);
}

static void write_at(const char *name, const char *text, off_t at)
{
	int fd = open(scratch_path(top, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
	close(fd);
}

/* The segments cover the file without a gap; what is not zero is in no hole. */
static unsigned check_segments(const char *name, uint64_t size)
{
	struct segment seg;
	struct source s;
	uint64_t at = 0, i;
	unsigned holes = 0;
	size_t n;
	char *all = mem_alloc(size);

	open_it(name, &s);
	assert_int_equal(s.facts.size, size);
	assert_true(source_read(&s, all, size, 0, &n, &e));
	assert_int_equal(n, size);
	while (source_next(&s, &seg, &e) == STEP_ITEM) {
		assert_int_equal(seg.at, at);
		assert_true(seg.length > 0);
		for (i = 0; seg.hole && i < seg.length; i++)
			assert_int_equal(all[at + i], 0);
		at += seg.length;
		holes += seg.hole;
	}
	assert_int_equal(at, size);
	source_close(&s);
	free(all);
	return holes;
}

static void test_holes(void **state)
{
	(void)state;
	write_at("middle", "a", 0);
	write_at("middle", "b", 1 << 20);
	assert_int_equal(check_segments("middle", (1 << 20) + 1), 1);
	write_at("end", "a", 65536);
	assert_int_equal(truncate(scratch_path(top, "end"), 1 << 20), 0);
	assert_int_equal(check_segments("end", 1 << 20), 2);
	write_at("all", "", 0);
	assert_int_equal(truncate(scratch_path(top, "all"), 1 << 20), 0);
	assert_int_equal(check_segments("all", 1 << 20), 1);
	write_at("none", "abc", 0);
	assert_int_equal(check_segments("none", 3), 0);
}

static void test_changed(void **state)
{
	struct source s;
	bool changed = true;
	size_t n;
	char c[8];

	(void)state;
	scratch_file(top, "f", "hello", 5);
	open_it("f", &s);
	assert_true(source_changed(&s, &changed, &e));
	assert_false(changed);
	usleep(20000); /* past the tick of the file system's clock */
	assert_int_equal(chmod(scratch_path(top, "f"), 0600), 0);
	assert_true(source_changed(&s, &changed, &e));
	assert_true(changed);
	source_close(&s);
	open_it("f", &s);
	assert_int_equal(truncate(scratch_path(top, "f"), 2), 0);
	assert_true(source_changed(&s, &changed, &e));
	assert_true(changed);
	assert_true(source_read(&s, c, 5, 0, &n, &e));
	assert_int_equal(n, 2);
	source_close(&s);
}

static void test_readlink(void **state)
{
	struct buf to = BUF_EMPTY;
	char path[2000];

	(void)state;
	memset(path, 'p', sizeof path - 1);
	path[sizeof path - 1] = 0;
	for (size_t n = 1; n < sizeof path; n += n / 2 + 1) {
		char *target = mem_strdup(path);

		target[n] = 0;
		scratch_symlink(top, "l", target);
		assert_true(source_readlink(dir, "l", &to, &e));
		assert_true(span_equal(buf_span(&to), span_str(target)));
		unlink(scratch_path(top, "l"));
		free(target);
	}
	assert_false(source_readlink(dir, "l", &to, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	scratch_file(top, "l", "", 0);
	assert_false(source_readlink(dir, "l", &to, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	buf_release(&to);
}

static void test_xattrs(void **state)
{
	struct buf got = BUF_EMPTY, again = BUF_EMPTY, want = BUF_EMPTY;
	static char large[3000];
	char name[32];
	struct source s;
	const char *f;

	(void)state;
	scratch_file(top, "f", "", 0);
	scratch_symlink(top, "l", "f");
	open_it("f", &s);
	assert_true(source_xattrs(&s, &got, &e));
	assert_int_equal(got.n, 0);
	f = scratch_path(top, "f");
	if (setxattr(f, "user.z", "1", 1, 0) != 0)
		skip();
	/* Neither the list nor a value fits at first. */
	for (int i = 29; i >= 0; i--) {
		snprintf(name, sizeof name, "user.a-longish-name-%02d", i);
		assert_int_equal(setxattr(f, name, "", 0, 0), 0);
	}
	memset(large, 'v', sizeof large);
	assert_int_equal(setxattr(f, "user.large", large, 2000, 0), 0);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof name, "user.a-longish-name-%02d", i);
		xattrs_add(&want, span_str(name), SPAN_EMPTY);
	}
	xattrs_add(&want, span_str("user.large"), span_of(large, 2000));
	xattrs_add(&want, span_str("user.z"), span_str("1"));
	assert_true(source_xattrs(&s, &got, &e));
	assert_true(source_xattrs_at(dir, "f", false, &again, &e));
	assert_true(span_equal(buf_span(&got), buf_span(&want)));
	assert_true(span_equal(buf_span(&again), buf_span(&want)));
	buf_clear(&again);
	assert_true(source_xattrs_at(dir, "l", true, &again, &e));
	assert_true(span_equal(buf_span(&again), buf_span(&want)));
	buf_clear(&again);
	assert_true(source_xattrs_at(dir, "l", false, &again, &e));
	assert_int_equal(again.n, 0);
	assert_true(source_xattrs_at(dir, ".", false, &again, &e));
	assert_int_equal(again.n, 0);
	assert_false(source_xattrs_at(dir, "none", false, &again, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	source_close(&s);
	buf_release(&got);
	buf_release(&again);
	buf_release(&want);
}

static int fail_meta(enum sys_call call, const char *path)
{
	(void)path;
	return call == SYS_META ? fault_sys : 0;
}

static void test_xattrs_fail(void **state)
{
	struct buf got = BUF_EMPTY;

	(void)state;
	scratch_file(top, "f", "", 0);
	sys_fault = fail_meta;
	fault_sys = ENOTSUP;
	assert_true(source_xattrs_at(dir, "f", false, &got, &e));
	fault_sys = EIO;
	assert_false(source_xattrs_at(dir, "f", false, &got, &e));
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(got.n, 0);
	buf_release(&got);
}

typedef int to_name_fn(struct owners *o, uint32_t id, struct span *name);
typedef int to_id_fn(struct owners *o, struct span name, uint32_t *id);

static void names(struct owners *o, to_name_fn *fn, uint32_t id, const char *want)
{
	struct span name = span_str("left over");

	assert_int_equal(fn(o, id, &name), 0);
	assert_true(span_equal(name, span_str(want)));
}

static void numbers(struct owners *o, to_id_fn *fn, struct span name, uint32_t want)
{
	uint32_t id = 7;

	assert_int_equal(fn(o, name, &id), 0);
	assert_int_equal(id, want);
}

static void test_owners(void **state)
{
	struct owners *o = owners_new();
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		names(o, owners_user, 0, "root");
		names(o, owners_group, 0, "root");
		names(o, owners_user, 3999999999u, "");
		names(o, owners_group, 3999999999u, "");
		numbers(o, owners_uid, span_str("root"), 0);
		numbers(o, owners_gid, span_str("root"), 0);
		numbers(o, owners_uid, span_str("no such user"), 7);
		numbers(o, owners_gid, SPAN_EMPTY, 7);
		numbers(o, owners_uid, span_of("root\0", 5), 7);
	}
	owners_free(o);
	owners_free(NULL);
}

static int fail_owner(enum sys_call call, const char *what)
{
	(void)what;
	return call == SYS_OWNER ? fault_sys : 0;
}

/* A source of names that says by an errno that it has none; any other is no answer. */
static void test_owners_fail(void **state)
{
	static const int none[] = {ENOENT, ESRCH};
	struct owners *o = owners_new();
	struct span name;
	uint32_t id = 7;
	size_t i;

	(void)state;
	sys_fault = fail_owner;
	fault_sys = EIO;
	assert_int_equal(owners_user(o, 0, &name), EIO);
	assert_int_equal(name.n, 0);
	assert_int_equal(owners_gid(o, span_str("root"), &id), EIO);
	assert_int_equal(id, 7);
	fault_sys = 0; /* the answer stands: a run does not tell now this, now that */
	assert_int_equal(owners_user(o, 0, &name), EIO);
	assert_int_equal(owners_gid(o, span_str("root"), &id), EIO);
	names(o, owners_group, 0, "root");
	owners_free(o);
	for (i = 0; i < sizeof none / sizeof *none; i++) {
		o = owners_new();
		fault_sys = none[i];
		names(o, owners_user, 0, "");
		numbers(o, owners_uid, span_str("root"), 7);
		owners_free(o);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_read),
	    TEST(test_gone),
	    TEST(test_failures),
	    TEST(test_holes),
	    TEST(test_changed),
	    TEST(test_readlink),
	    TEST(test_xattrs),
	    TEST(test_xattrs_fail),
	    cmocka_unit_test(test_owners),
	    TEST(test_owners_fail),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
