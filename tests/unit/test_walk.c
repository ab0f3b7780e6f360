/*
 * The walk: its order, what it tells of, and that it is the same with any number of
 * threads.
 */
#include "tree/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sys.h"
#include "tests/support/scratch.h"

/* What one walk of one scratch directory said, its own path and the parents' left out. */
struct seen {
	const char *top;
	struct buf items; /* a line each: the path below top, with marks behind it */
	struct buf notes;
	size_t above; /* entries given out on the way to top */
	size_t max_fds;
	struct buf last;
};

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct span below(const struct seen *s, struct span apath)
{
	size_t n = strlen(s->top);

	if (apath.n < n || memcmp(apath.p, s->top, n) != 0)
		return SPAN_EMPTY;
	return span_of(apath.p + n, apath.n - n);
}

static void on_note(void *arg, enum walk_note what, struct span apath, int sys)
{
	static const char *const words[] = {
	    "missing", "vanished", "unreadable", "socket", "own", "cache"};
	struct seen *s = arg;
	struct span rel = below(s, apath);

	buf_printf(&s->notes, "%s %.*s %s\n", words[what], (int)rel.n,
	    (const char *)rel.p, sys ? strerrorname_np(sys) : "-");
}

static void on_item(struct seen *s, const struct walk_item *it)
{
	struct span rel = below(s, it->apath);
	struct stat st;

	assert_true(apath_valid(it->apath));
	assert_int_equal(it->apath.p[it->apath.n], 0);
	if (!it->below) {
		assert_true(
		    s->last.n == 0 || apath_compare(buf_span(&s->last), it->apath) < 0);
		buf_clear(&s->last);
		buf_add_span(&s->last, it->apath);
	}
	if (!rel.p) {
		s->above++;
		assert_int_equal(it->facts.kind, ENTRY_DIR);
		return;
	}
	if (!it->unreadable) {
		assert_int_equal(fstatat(dir_fd(it->dir), it->name, &st,
		    it->follow ? 0 : AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_ino, it->facts.ino);
	}
	buf_add_span(&s->items, rel);
	if (it->facts.kind == ENTRY_DIR && !it->below)
		buf_add_str(&s->items, "/");
	if (it->facts.kind == ENTRY_SYMLINK)
		buf_add_str(&s->items, "@");
	if (it->unreadable)
		buf_printf(&s->items, " %s%s", it->below ? "below " : "",
		    strerrorname_np(it->unreadable));
	buf_add_str(&s->items, "\n");
}

static void walk_with(struct seen *s, unsigned threads, struct walk_options opt,
    const char *const *sources, size_t n)
{
	struct pool *pool = pool_new(threads);
	const struct walk_item *it;
	struct err e = ERR_EMPTY;
	struct walk *w;
	size_t fds, i = 0;

	buf_clear(&s->items);
	buf_clear(&s->notes);
	buf_clear(&s->last);
	s->above = 0;
	opt.note = on_note;
	opt.arg = s;
	assert_true(walk_open(pool, sources, n, &opt, &w, &e));
	while (walk_next(w, &it) == STEP_ITEM) {
		on_item(s, it);
		if (i++ % 64 == 0 && (fds = open_fds()) > s->max_fds)
			s->max_fds = fds;
	}
	assert_int_equal(walk_next(w, &it), STEP_END);
	walk_close(w);
	pool_free(pool);
}

static void seen_release(struct seen *s)
{
	buf_release(&s->items);
	buf_release(&s->notes);
	buf_release(&s->last);
}

/* Walk sources below top (separated by spaces; "" is top itself) and compare. */
static void expect(const char *top, struct walk_options opt, const char *sources,
    const char *items, const char *notes)
{
	struct seen s = {.top = top};
	const char *list[8];
	char *text = mem_strdup(sources), *rest = text, *one;
	unsigned threads;
	size_t n = 0;

	while ((one = strsep(&rest, " ")))
		list[n++] = mem_printf("%s%s", top, one);
	for (threads = 0; threads < 3; threads++) {
		walk_with(&s, threads, opt, list, n);
		assert_string_equal(buf_str(&s.items), items);
		assert_string_equal(buf_str(&s.notes), notes);
	}
	while (n > 0)
		free((char *)list[--n]);
	free(text);
	seen_release(&s);
}

static const struct walk_options plain;

static char *small_tree(void)
{
	char *top = scratch_new();

	scratch_mkdir(top, "a/b");
	scratch_mkdir(top, "a-x");
	scratch_file(top, "a/b/f", "1", 1);
	scratch_file(top, "a/z", "", 0);
	scratch_file(top, "a-x/f", "22", 2);
	scratch_file(top, "c", "333", 3);
	scratch_symlink(top, "l", "a/b");
	return top;
}

#define SMALL "/\n/a/\n/a-x/\n/c\n/l@\n/a/b/\n/a/z\n/a/b/f\n/a-x/f\n"

static void test_order(void **state)
{
	char *top = small_tree();
	struct seen s = {.top = top};
	const char *slash = top;
	size_t depth = 0;

	(void)state;
	expect(top, plain, "", SMALL, "");
	for (const char *p = top; *p; p++)
		depth += *p == '/';
	walk_with(&s, 0, plain, &slash, 1);
	assert_int_equal(s.above, depth);
	seen_release(&s);
	scratch_free(top);
}

static void test_sources(void **state)
{
	char *top = small_tree();

	(void)state;
	expect(top, plain, "/a  /a/b", SMALL, "");
	expect(top, plain, "/c /a/b", "/\n/a/\n/c\n/a/b/\n/a/b/f\n", "");
	expect(top, plain, "/a/../a-x/. /c", "/\n/a-x/\n/c\n/a-x/f\n", "");
	expect(top, plain, "/l", "/\n/l@\n", "");
	expect(top, plain, "/l/", "/\n/l/\n/l/f\n", "");
	expect(top, plain, "/l/f", "/\n/l/\n/l/f\n", "");
	expect(top, plain, " /l/f",
	    "/\n/a/\n/a-x/\n/c\n/l/\n/a/b/\n/a/z\n/a/b/f\n/a-x/f\n/l/f\n", "");
	scratch_free(top);
}

static void test_relative_source(void **state)
{
	char *top = small_tree(), *cwd = getcwd(NULL, 0);
	struct seen s = {.top = top};
	const char *source = "../a-x/./";

	(void)state;
	assert_int_equal(chdir(scratch_path(top, "a")), 0);
	walk_with(&s, 0, plain, &source, 1);
	assert_int_equal(chdir(cwd), 0);
	assert_string_equal(buf_str(&s.items), "/\n/a-x/\n/a-x/f\n");
	seen_release(&s);
	free(cwd);
	scratch_free(top);
}

static void test_no_source(void **state)
{
	struct pool *pool = pool_new(0);
	struct err e = ERR_EMPTY;
	const char *empty = "";
	struct walk *w;

	(void)state;
	assert_false(walk_open(pool, NULL, 0, &plain, &w, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_false(walk_open(pool, &empty, 1, &plain, &w, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	walk_close(NULL);
	pool_free(pool);
}

static void test_missing(void **state)
{
	char *top = small_tree();

	(void)state;
	expect(top, plain, "/no /c", "/\n/c\n", "missing /no ENOENT\n");
	expect(top, plain, " /no/such /no", SMALL,
	    "missing /no ENOENT\nmissing /no/such ENOENT\n");
	expect(top, plain, "/c/d/e", "/\n/c\n", "missing /c/d/e ENOTDIR\n");
	unlink(scratch_path(top, "a/b/f"));
	rmdir(scratch_path(top, "a/b"));
	expect(top, plain, "/l/f", "/\n/l@\n", "missing /l/f ENOTDIR\n");
	scratch_free(top);
}

static enum sys_call fault_call;
static const char *fault_name;
static int fault_sys;

static int fault(enum sys_call call, const char *path)
{
	if (call == fault_call && path && strcmp(path, fault_name) == 0)
		return fault_sys;
	return 0;
}

static void expect_fault(const char *top, enum sys_call call, const char *name, int sys,
    const char *items, const char *notes)
{
	fault_call = call;
	fault_name = name;
	fault_sys = sys;
	sys_fault = fault;
	expect(top, plain, "", items, notes);
	sys_fault = NULL;
}

static void test_vanished(void **state)
{
	char *top = small_tree();

	(void)state;
	expect_fault(top, SYS_STAT, "z", ENOENT,
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a/b/\n/a/b/f\n/a-x/f\n", "vanished /a/z ENOENT\n");
	expect_fault(top, SYS_OPEN, "b", ENOENT,
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a/b/\n/a/z\n/a-x/f\n", "vanished /a/b ENOENT\n");
	expect_fault(top, SYS_OPEN, "b", ELOOP,
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a/b/\n/a/z\n/a-x/f\n", "vanished /a/b ELOOP\n");
	scratch_free(top);
}

static void test_unreadable(void **state)
{
	char *top = small_tree();

	(void)state;
	expect_fault(top, SYS_OPEN, "a", EACCES,
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a below EACCES\n/a-x/f\n",
	    "unreadable /a EACCES\n");
	expect_fault(top, SYS_READDIR, "a", EIO,
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a below EIO\n/a-x/f\n", "unreadable /a EIO\n");
	/* Not even known to be a directory. */
	expect_fault(top, SYS_STAT, "a", EACCES,
	    "/\n/a EACCES\n/a-x/\n/c\n/l@\n/a below EACCES\n/a-x/f\n",
	    "unreadable /a EACCES\n");
	expect_fault(top, SYS_STAT, "c", EACCES,
	    "/\n/a/\n/a-x/\n/c EACCES\n/l@\n/a/b/\n/a/z\n/a/b/f\n/a-x/f\n",
	    "unreadable /c EACCES\n");
	scratch_free(top);
}

static void test_one_file_system(void **state)
{
	char *top = small_tree();
	struct walk_options opt = {.one_file_system = true};

	(void)state;
	if (mount("none", scratch_path(top, "a/b"), "tmpfs", 0, "size=64k") != 0) {
		scratch_free(top);
		skip();
	}
	scratch_file(top, "a/b/other", "", 0);
	expect(top, opt, "", "/\n/a/\n/a-x/\n/c\n/l@\n/a/b/\n/a/z\n/a-x/f\n", "");
	expect(top, opt, " /a/b",
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a/b/\n/a/z\n/a/b/other\n/a-x/f\n", "");
	expect(top, opt, "/a/b", "/\n/a/\n/a/b/\n/a/b/other\n", "");
	umount(scratch_path(top, "a/b"));
	scratch_free(top);
}

static void test_cachedir(void **state)
{
	static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\nmore";
	char *top = small_tree();
	struct walk_options opt = {.cachedir = true};

	(void)state;
	scratch_file(top, "a/CACHEDIR.TAG", tag, sizeof tag - 1);
	scratch_file(top, "a-x/CACHEDIR.TAG", tag, 20);
	expect(top, opt, "",
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a/CACHEDIR.TAG\n/a-x/CACHEDIR.TAG\n/a-x/f\n",
	    "cache /a -\n");
	expect(top, opt, " /a/b/f",
	    "/\n/a/\n/a-x/\n/c\n/l@\n/a/CACHEDIR.TAG\n/a/b/\n/a/b/f\n"
	    "/a-x/CACHEDIR.TAG\n/a-x/f\n",
	    "cache /a -\n");
	scratch_free(top);
}

static void test_own(void **state)
{
	char *top = small_tree();
	struct walk_inode own;
	struct walk_options opt = {.own = &own, .n_own = 1};
	struct stat st;

	(void)state;
	assert_int_equal(stat(scratch_path(top, "a"), &st), 0);
	own = (struct walk_inode){st.st_dev, st.st_ino};
	expect(top, opt, "", "/\n/a-x/\n/c\n/l@\n/a-x/f\n", "own /a -\n");
	scratch_free(top);
}

static void test_socket(void **state)
{
	char *top = small_tree();
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(un.sun_path, sizeof un.sun_path, "%s/a/sock", top);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	assert_int_equal(mkfifo(scratch_path(top, "a/fifo"), 0600), 0);
	expect(top, plain, "/a", "/\n/a/\n/a/b/\n/a/fifo\n/a/z\n/a/b/f\n",
	    "socket /a/sock -\n");
	close(fd);
	scratch_free(top);
}

static void test_filter(void **state)
{
	char *top = small_tree();
	struct filter *f = filter_new();
	struct walk_options opt = {.filter = f};
	struct err e = ERR_EMPTY;
	char *whole;

	(void)state;
	assert_true(filter_add(f, "a/", &e));
	expect(top, opt, "", "/\n/a-x/\n/c\n/l@\n/a-x/f\n", "");
	/* A source, and the way to it, stays; what else is on the way does not. */
	expect(top, opt, "/a", "/\n/a/\n/a/b/\n/a/z\n/a/b/f\n", "");
	expect(top, opt, " /a/b", "/\n/a/\n/a-x/\n/c\n/l@\n/a/b/\n/a/b/f\n/a-x/f\n", "");
	whole = mem_printf("%s/a-x", top);
	assert_true(filter_add(f, whole, &e));
	assert_true(filter_add(f, "/c", &e));
	expect(top, opt, "", "/\n/l@\n", "");
	/* What is excluded need not be one that can be looked at. */
	fault_call = SYS_STAT;
	fault_name = "c";
	fault_sys = EACCES;
	sys_fault = fault;
	expect(top, opt, "", "/\n/l@\n", "");
	sys_fault = NULL;
	free(whole);
	filter_free(f);
	scratch_free(top);
}

/* Many names, many directories, some depth. */
static char *large_tree(void)
{
	char *top = scratch_new(), name[64];
	unsigned i;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "wide/d%u/e%u", i, i % 7);
		scratch_mkdir(top, name);
	}
	for (i = 0; i < 1300; i++) {
		snprintf(name, sizeof name, "wide/file-with-a-name-%u", i);
		scratch_file(top, name, "", 0);
	}
	for (i = 0; i < 400; i++) {
		snprintf(name, sizeof name, "m%u/n%u/o%u", i % 11, i % 13, i % 3);
		scratch_mkdir(top, name);
		snprintf(name, sizeof name, "m%u/n%u/f%u", i % 11, i % 13, i);
		scratch_file(top, name, "", 0);
	}
	return top;
}

static void test_threads(void **state)
{
	static const unsigned threads[] = {1, 2, 8};
	char *top = large_tree();
	struct seen serial = {.top = top}, s = {.top = top};
	const char *source = top;
	size_t i, lines = 0;

	(void)state;
	walk_with(&serial, 0, plain, &source, 1);
	for (i = 0; i < serial.items.n; i++)
		lines += serial.items.p[i] == '\n';
	assert_int_equal(lines, 1 + 1 + 200 + 1300 + 11 + 143 + 400 + 400);
	for (i = 0; i < 3; i++) {
		walk_with(&s, threads[i], plain, &source, 1);
		assert_true(span_equal(buf_span(&s.items), buf_span(&serial.items)));
	}
	seen_release(&serial);
	seen_release(&s);
	scratch_free(top);
}

static void test_deep(void **state)
{
	char *top = scratch_new(), name[201], *source;
	struct seen s = {.top = top};
	const char *list[1];
	unsigned threads;

	(void)state;
	memset(name, 'n', 200);
	name[200] = 0;
	scratch_deep(top, name, 40);
	scratch_deep(top, "c", 500);
	source = mem_printf("%s/", top);
	list[0] = source;
	for (threads = 0; threads < 3; threads += 2) {
		walk_with(&s, threads, plain, list, 1);
		assert_string_equal(buf_str(&s.notes), "");
		assert_non_null(strstr(buf_str(&s.items), "/c/c/f\n"));
		assert_non_null(strstr(buf_str(&s.items), "nnn/f\n"));
		assert_true(s.max_fds < 64);
	}
	free(source);
	seen_release(&s);
	scratch_free(top);
}

/* A comb: at each of many levels another directory is still to come. */
static void test_held(void **state)
{
	char *top = scratch_new();
	struct seen s = {.top = top};
	const char *source = top;
	int fd = open(top, O_PATH | O_DIRECTORY), next;
	size_t i, found = 0;
	const char *p;
	unsigned threads;

	(void)state;
	for (i = 0; i < 300; i++) {
		mkdirat(fd, "a", 0755);
		mkdirat(fd, "b", 0755);
		mkdirat(fd, "b/c", 0755);
		next = openat(fd, "a", O_PATH | O_DIRECTORY);
		close(fd);
		fd = next;
	}
	close(fd);
	for (threads = 0; threads < 3; threads += 2) {
		found = 0;
		s.max_fds = 0;
		walk_with(&s, threads, plain, &source, 1);
		assert_string_equal(buf_str(&s.notes), "");
		for (p = buf_str(&s.items); (p = strstr(p, "/b/c/\n")); p++)
			found++;
		assert_int_equal(found, 300);
		assert_true(s.max_fds < 220);
	}
	seen_release(&s);
	scratch_free(top);
}

/* A walk may be closed at any item, with references to its directories left. */
static void test_close(void **state)
{
	char *top = large_tree();
	const char *source = top;
	struct pool *pool = pool_new(2);
	const struct walk_item *it = NULL;
	struct dir *dir = NULL;
	struct err e = ERR_EMPTY;
	struct stat st;
	struct walk *w;
	size_t n, i;

	(void)state;
	for (n = 0; n < 2400; n += 397) {
		assert_true(walk_open(pool, &source, 1, &plain, &w, &e));
		for (i = 0; i < n; i++)
			assert_int_equal(walk_next(w, &it), STEP_ITEM);
		if (it && !dir)
			dir = dir_ref(it->dir);
		walk_close(w);
	}
	assert_int_equal(fstat(dir_fd(dir), &st), 0);
	dir_unref(dir);
	pool_free(pool);
	scratch_free(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_sources),
	    cmocka_unit_test(test_relative_source),
	    cmocka_unit_test(test_no_source),
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_vanished),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_one_file_system),
	    cmocka_unit_test(test_cachedir),
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_socket),
	    cmocka_unit_test(test_filter),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_held),
	    cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
