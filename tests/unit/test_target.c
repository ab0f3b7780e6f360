/* Restoring: the same tree comes out, and nothing is ever made outside of it. */
#include "tree/target.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/sys.h"
#include "tests/support/scratch.h"
#include "tree/later.h"
#include "tree/source.h"
#include "tree/walk.h"

static struct buf told;

static void on_lost(void *arg, struct span path, const char *what, int sys)
{
	(void)arg;
	buf_printf(&told, "%.*s: %s %s\n", (int)path.n, (const char *)path.p, what,
	    strerrorname_np(sys));
}

static const struct target_options options = {.lost = on_lost};

static struct target *open_in(const char *top, const char *name)
{
	struct err e = ERR_EMPTY;
	struct target *t;

	buf_clear(&told);
	if (!target_open(scratch_path(top, name), &options, &t, &e))
		fail_msg("%s", e.text);
	return t;
}

static struct entry entry_of(enum entry_kind kind, uint32_t mode)
{
	return (struct entry){
	    .kind = kind,
	    .mode = mode,
	    .mtime_s = 1000000000,
	    .mtime_ns = 123456789,
	};
}

static bool make_file(
    struct target *t, const char *path, const struct entry *en, struct err *e)
{
	struct target_file *f;

	return target_create(t, span_str(path), &f, e) &&
	       target_write(f, "hello", 5, 0, e) && target_file_finish(f, en, e);
}

/* --- a whole tree, there and back */

static int run(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	assert_true(r > 0);
	r = system(text);
	free(text);
	return WIFEXITED(r) ? WEXITSTATUS(r) : -1;
}

static void copy_data(struct target_file *out, struct source *s)
{
	struct err e = ERR_EMPTY;
	struct segment seg;
	uint64_t end = 0;
	size_t got;
	char *p;

	while (source_next(s, &seg, &e) == STEP_ITEM) {
		if (seg.hole)
			continue;
		p = mem_alloc(seg.length);
		assert_true(source_read(s, p, seg.length, seg.at, &got, &e));
		assert_true(target_write(out, p, got, seg.at, &e));
		end = seg.at + got;
		free(p);
	}
	if (end < s->facts.size)
		assert_true(target_truncate(out, s->facts.size, &e));
}

static void copy_item(struct target *t, const struct walk_item *it, struct span path,
    char **first)
{
	struct buf xattrs = BUF_EMPTY, link = BUF_EMPTY;
	struct source s = SOURCE_CLOSED;
	struct entry en = {.apath = it->apath};
	struct err e = ERR_EMPTY;
	struct target_file *out;

	facts_to_entry(&it->facts, &en);
	assert_true(source_xattrs_at(it->dir, it->name, it->follow, &xattrs, &e));
	en.xattrs = buf_span(&xattrs);
	if (en.kind == ENTRY_DIR) {
		assert_true(target_mkdir(t, path, &en, &e));
	} else if (en.kind == ENTRY_FILE && it->facts.nlink > 1 && *first) {
		assert_true(target_link(t, path, span_str(*first), &e));
	} else if (en.kind == ENTRY_FILE) {
		if (it->facts.nlink > 1) {
			*first = mem_zalloc(path.n + 1);
			memcpy(*first, path.p, path.n);
		}
		assert_true(source_open(it->dir, it->name, &it->facts, &s, &e));
		assert_true(target_create(t, path, &out, &e));
		copy_data(out, &s);
		assert_true(target_file_finish(out, &en, &e));
		source_close(&s);
	} else {
		if (en.kind == ENTRY_SYMLINK)
			assert_true(source_readlink(it->dir, it->name, &link, &e));
		en.target = buf_span(&link);
		assert_true(target_special(t, path, &en, &e));
	}
	buf_release(&xattrs);
	buf_release(&link);
}

static void copy_tree(const char *from, struct target *t)
{
	struct pool *pool = pool_new(0);
	struct walk_options opt = {0};
	const struct walk_item *it;
	struct err e = ERR_EMPTY;
	char *first = NULL;
	size_t n = strlen(from);
	struct walk *w;

	assert_true(walk_open(pool, &from, 1, &opt, &w, &e));
	while (walk_next(w, &it) == STEP_ITEM)
		if (it->apath.n >= n && memcmp(it->apath.p, from, n) == 0)
			copy_item(t, it, span_of(it->apath.p + n + (it->apath.n > n),
			    it->apath.n - n - (it->apath.n > n)), &first);
	walk_close(w);
	pool_free(pool);
	free(first);
	if (!target_finish(t, &e))
		fail_msg("%s", e.text);
}

static void make_everything(const char *top)
{
	assert_int_equal(run(
	    "cd %s && mkdir -p s/a/b s/ro s/dacl s/sticky && cd s &&"
	    "printf hello >a/file && printf x >'a/new\nline' && : >empty &&"
	    "printf y >ro/f && chmod 0400 ro/f && chmod 0555 ro && chmod 01777 sticky &&"
	    "printf z >suid && chown 1234:2345 suid && chmod 06755 suid &&"
	    "mkdir sgid && chown 1:2345 sgid && chmod 02775 sgid &&"
	    "ln -s /nowhere a/link && chown -h 77:88 a/link &&"
	    "touch -h -d 2001-01-01 a/link &&"
	    "mkfifo -m 0640 fifo && ln a/file a/b/hard && ln a/file hard2 &&"
	    "truncate -s 10M holes && printf data |"
	    "dd of=holes bs=1 seek=5000000 conv=notrunc status=none &&"
	    "truncate -s 3M onlyhole && chmod 0000 empty &&"
	    "touch -d '1960-02-03 04:05:06.7' a/file &&"
	    "touch -d 2000-01-01 a a/b ro .", top), 0);
	/* Where the file system or this user cannot, the rest is test enough. */
	run("cd %s/s && (mknod chr c 5 7; mknod blk b 300 70000; chmod 0612 chr; "
	    "chown 3:4 blk) 2>/dev/null", top);
	run("cd %s/s && (setfattr -n user.one -v 1 a/file; setfattr -n user.empty a/b; "
	    "setfattr -n trusted.x -v 2 a/link; setcap cap_net_raw+ep suid; "
	    "setfattr -n user.ro -v 3 ro/f) 2>/dev/null", top);
	run("cd %s/s && (setfacl -m u:1234:rwx,m::rx a/file; setfacl -m u:55:r,g::- a/b; "
	    "setfacl -d -m u:1234:rwx,g:7:r dacl; printf q >dacl/inherits;"
	    "mkdir dacl/sub) 2>/dev/null; touch -d 1999-09-09 dacl", top);
}

static bool has_capability(const char *path)
{
	return getxattr(path, "security.capability", NULL, 0) > 0;
}

static void test_everything(void **state)
{
	char *top = scratch_new();
	struct stat st;
	struct target *t;
	char *from;

	(void)state;
	if (geteuid() != 0 || run("rsync --version >/dev/null 2>&1") != 0) {
		scratch_free(top);
		skip();
	}
	make_everything(top);
	from = mem_printf("%s/s", top);
	t = open_in(top, "t");
	copy_tree(from, t);
	assert_string_equal(buf_str(&told), "");
	target_close(t);
	run("cd %s && rsync -aHAXnic --delete s/ t/ >diff 2>&1; cat diff >&2", top);
	assert_int_equal(stat(scratch_path(top, "diff"), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(stat(scratch_path(top, "t/holes"), &st), 0);
	assert_int_equal(st.st_size, 10 << 20);
	assert_true(st.st_blocks < 100);
	assert_int_equal(stat(scratch_path(top, "t/onlyhole"), &st), 0);
	assert_int_equal(st.st_blocks, 0);
	if (has_capability(scratch_path(top, "s/suid")))
		assert_true(has_capability(scratch_path(top, "t/suid")));
	free(from);
	scratch_free(top);
}

/* A target whose own access list files would inherit: they must not keep it. */
static void test_inherited_acl(void **state)
{
	char *top = scratch_new();
	struct entry en = entry_of(ENTRY_FILE, 0640), dir = entry_of(ENTRY_DIR, 0750);
	struct err e = ERR_EMPTY;
	struct target *t;
	struct stat st;

	(void)state;
	scratch_mkdir(top, "t");
	if (run("setfacl -d -m u:1234:rwx %s/t 2>/dev/null", top) != 0) {
		scratch_free(top);
		skip();
	}
	t = open_in(top, "t");
	assert_true(target_mkdir(t, span_str("d"), &dir, &e));
	assert_true(make_file(t, "d/f", &en, &e));
	assert_true(target_finish(t, &e));
	target_close(t);
	assert_int_equal(run("test -z \"$(getfacl -cps %s/t/d %s/t/d/f)\"", top, top), 0);
	stat(scratch_path(top, "t/d/f"), &st);
	assert_int_equal(st.st_mode & 07777, 0640);
	scratch_free(top);
}

/* --- staying inside */

static int once_sys;

static int fault_once(enum sys_call call, const char *path)
{
	int sys = once_sys;

	if (call != SYS_OPEN || strcmp(path, "first") != 0)
		return 0;
	once_sys = 0;
	return sys;
}

/* Both ways of finding directories: openat2, and without it. */
static void each_way(void (*test)(struct target *t, const char *top))
{
	static const int ways[] = {0, ENOSYS, EPERM};
	struct entry dir = entry_of(ENTRY_DIR, 0700);
	struct err e = ERR_EMPTY;
	char *top;
	struct target *t;

	for (size_t i = 0; i < 3; i++) {
		top = scratch_new();
		t = open_in(top, "t");
		once_sys = ways[i];
		sys_fault = fault_once;
		assert_true(target_mkdir(t, span_str("first"), &dir, &e));
		assert_true(target_mkdir(t, span_str("first/second"), &dir, &e));
		sys_fault = NULL;
		assert_int_equal(once_sys, 0);
		test(t, top);
		target_close(t);
		scratch_free(top);
	}
}

static void refuse_paths(struct target *t, const char *top)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a/../x", "a//x", "/x",
	    "a/", "a/.", "a/..", "./x"};
	struct entry en = entry_of(ENTRY_FILE, 0600), dir = entry_of(ENTRY_DIR, 0700);
	struct err e = ERR_EMPTY;
	size_t i;

	assert_true(target_mkdir(t, span_str("a"), &dir, &e));
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(make_file(t, bad[i], &en, &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_false(target_special(t, span_str(bad[i]), &en, &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_false(target_link(t, span_str("a/x"), span_str(bad[i]), &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		if (i > 0) {
			assert_false(target_mkdir(t, span_str(bad[i]), &dir, &e));
			assert_int_equal(e.kind, ERR_CORRUPT);
		}
	}
	assert_false(target_mkdir(t, span_of("a/b\0c", 5), &dir, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(access(scratch_path(top, "x"), F_OK), -1);
}

static void refuse_links(struct target *t, const char *top)
{
	struct entry en = entry_of(ENTRY_FILE, 0600), dir = entry_of(ENTRY_DIR, 0700);
	struct entry link = entry_of(ENTRY_SYMLINK, 0777);
	struct err e = ERR_EMPTY;

	scratch_mkdir(top, "out/d");
	link.target = span_str("../out");
	assert_true(target_special(t, span_str("l"), &link, &e));
	assert_false(make_file(t, "l/x", &en, &e));
	assert_false(make_file(t, "l/d/x", &en, &e));
	assert_false(target_mkdir(t, span_str("l/n"), &dir, &e));
	assert_false(target_link(t, span_str("x"), span_str("l/d"), &e));
	/* Nor one that stays inside: the entry was another one's. */
	link.target = span_str("first");
	assert_true(target_special(t, span_str("in"), &link, &e));
	assert_false(make_file(t, "in/x", &en, &e));
	/* The last component, too. */
	link.target = span_str("../out/x");
	assert_true(target_special(t, span_str("m"), &link, &e));
	assert_false(make_file(t, "m", &en, &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_false(target_mkdir(t, span_str("m"), &dir, &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_int_equal(access(scratch_path(top, "out/x"), F_OK), -1);
	assert_int_equal(access(scratch_path(top, "out/n"), F_OK), -1);
	/* A directory that was replaced before its attributes are applied. */
	assert_true(target_mkdir(t, span_str("r"), &dir, &e));
	assert_int_equal(rmdir(scratch_path(top, "t/r")), 0);
	scratch_symlink(top, "t/r", "../out");
	assert_int_equal(chmod(scratch_path(top, "out"), 0711), 0);
	assert_false(target_finish(t, &e));
	struct stat st;
	assert_int_equal(stat(scratch_path(top, "out"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

struct racer {
	const char *top;
	atomic_bool stop;
};

/* Exchange the directory d with a link that leads outside, again and again. */
static void *exchange(void *arg)
{
	struct racer *r = arg;
	const char *d = scratch_path(r->top, "t/d"), *l = scratch_path(r->top, "t/link");

	while (!atomic_load(&r->stop))
		renameat2(AT_FDCWD, d, AT_FDCWD, l, RENAME_EXCHANGE);
	return NULL;
}

static void race(struct target *t, const char *top)
{
	struct entry en = entry_of(ENTRY_FILE, 0600);
	struct racer r = {.top = top};
	struct err e = ERR_EMPTY;
	pthread_t thread;
	char path[64];
	unsigned i, made = 0;

	for (i = 0; i < 40; i++) {
		snprintf(path, sizeof path, "t/d/s%u", i);
		scratch_mkdir(top, path);
		snprintf(path, sizeof path, "out/s%u", i);
		scratch_mkdir(top, path);
	}
	scratch_symlink(top, "t/link", "../out");
	assert_int_equal(pthread_create(&thread, NULL, exchange, &r), 0);
	/* On a busy machine the link may stand there for long. */
	for (i = 0; i < 1500 || (made == 0 && i < 1000000); i++) {
		snprintf(path, sizeof path, "d/s%u/f%u", i % 40, i);
		err_clear(&e);
		made += make_file(t, path, &en, &e);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	assert_true(made > 0);
	assert_int_equal(run("test -z \"$(find %s/out -type f)\"", top), 0);
}

static void deep(struct target *t, const char *top)
{
	struct entry en = entry_of(ENTRY_FILE, 0640), dir = entry_of(ENTRY_DIR, 0750);
	struct buf path = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct target_file *f;
	int i;

	(void)top;
	for (i = 0; i < 60; i++) {
		if (i > 0)
			buf_add_byte(&path, '/');
		memset(buf_extend(&path, 200), 'a' + i % 26, 200);
		assert_true(target_mkdir(t, buf_span(&path), &dir, &e));
	}
	buf_add_str(&path, "/f");
	assert_true(target_create(t, buf_span(&path), &f, &e));
	assert_true(target_file_finish(f, &en, &e));
	path.n -= 2;
	memset(path.p, 'x', path.n);
	assert_false(target_create(t, buf_span(&path), &f, &e));
	if (!target_finish(t, &e))
		fail_msg("%s", e.text);
	buf_release(&path);
}

static void test_inside(void **state)
{
	(void)state;
	each_way(refuse_paths);
	each_way(refuse_links);
	each_way(race);
	each_way(deep);
}

/* --- what cannot be restored */

static const char *denied;

static int deny(enum sys_call call, const char *what)
{
	bool is = call == SYS_META || call == SYS_OWNER;

	return is && strcmp(what, denied) == 0 ? EPERM : 0;
}

static void expect_lost(const char *what, uint32_t mode, uint32_t left, const char *lost)
{
	char *top = scratch_new();
	struct target *t = open_in(top, "t");
	struct entry en = entry_of(ENTRY_FILE, mode);
	struct buf xattrs = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct stat st;

	xattrs_add(&xattrs, span_str("user.a"), span_str("1"));
	en.xattrs = buf_span(&xattrs);
	en.uid = geteuid() + 1;
	en.gid = getegid() + 1;
	denied = what;
	sys_fault = deny;
	assert_true(make_file(t, "f", &en, &e));
	sys_fault = NULL;
	assert_string_equal(buf_str(&told), lost);
	assert_int_equal(target_lost(t), strchr(strchr(lost, '\n') + 1, '\n') ? 2 : 1);
	stat(scratch_path(top, "t/f"), &st);
	assert_int_equal(st.st_mode & 07777, left);
	target_close(t);
	buf_release(&xattrs);
	scratch_free(top);
}

/*
 * An owner whose name cannot be looked up is not one whose name is unknown here, who is
 * given the file by number: the file stays who restores it, without its set-id bits.
 */
static void test_owner_untold(void **state)
{
	static const char *const which[] = {"user", "group"};
	struct entry en = entry_of(ENTRY_FILE, 06755);
	struct err e = ERR_EMPTY;
	struct target *t;
	struct stat st;
	char *top;
	size_t i;

	(void)state;
	if (geteuid() != 0)
		skip();
	en.user = en.group = span_str("no-such-name");
	en.uid = 12345;
	en.gid = 54321;
	for (i = 0; i < 2; i++) {
		top = scratch_new();
		t = open_in(top, "t");
		denied = which[i];
		sys_fault = deny;
		assert_true(make_file(t, "f", &en, &e));
		sys_fault = NULL;
		assert_string_equal(buf_str(&told),
		    "f: owner, whose name cannot be looked up EPERM\n"
		    "f: set-id bits EPERM\n");
		stat(scratch_path(top, "t/f"), &st);
		assert_int_equal(st.st_uid, i == 0 ? geteuid() : 12345);
		assert_int_equal(st.st_gid, i == 0 ? 54321 : getegid());
		assert_int_equal(st.st_mode & 07777, i == 0 ? 02755 : 04755);
		target_close(t);
		scratch_free(top);
	}
}

static void test_lost(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	expect_lost("owner", 0755, 0755, "f: owner EPERM\n");
	expect_lost("owner", 06755, 0755, "f: owner EPERM\nf: set-id bits EPERM\n");
	expect_lost("mode", 0755, 0600, "f: mode EPERM\n");
	expect_lost("times", 04755, 04755, "f: times EPERM\n");
	expect_lost("user.a", 0700, 0700, "f: user.a EPERM\n");
}

/* user::rw- user:1234:rw- group::--- mask::rw- other::--- */
static const uint8_t acl[] = {
    2, 0, 0, 0, /* version */
    1, 0, 6, 0, 255, 255, 255, 255,
    2, 0, 6, 0, 0xd2, 4, 0, 0,
    4, 0, 0, 0, 255, 255, 255, 255,
    16, 0, 6, 0, 255, 255, 255, 255,
    32, 0, 0, 0, 255, 255, 255, 255,
};

static void test_lost_acl(void **state)
{
	char *top = scratch_new();
	struct target *t = open_in(top, "t");
	struct entry en = entry_of(ENTRY_FILE, 0660);
	struct buf xattrs = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct stat st;

	(void)state;
	xattrs_add(
	    &xattrs, span_str("system.posix_acl_access"), span_of(acl, sizeof acl));
	en.xattrs = buf_span(&xattrs);
	en.uid = geteuid();
	en.gid = getegid();
	denied = "system.posix_acl_access";
	sys_fault = deny;
	assert_true(make_file(t, "f", &en, &e));
	sys_fault = NULL;
	assert_string_equal(buf_str(&told), "f: system.posix_acl_access EPERM\n");
	stat(scratch_path(top, "t/f"), &st);
	assert_int_equal(st.st_mode & 07777, 0600);
	target_close(t);
	buf_release(&xattrs);
	scratch_free(top);
}

static void test_lost_device(void **state)
{
	char *top = scratch_new();
	struct target *t = open_in(top, "t");
	struct entry en = entry_of(ENTRY_CHAR, 0600);
	struct err e = ERR_EMPTY;

	(void)state;
	denied = "device";
	sys_fault = deny;
	assert_true(target_special(t, span_str("dev"), &en, &e));
	en.kind = ENTRY_FIFO;
	assert_false(target_special(t, span_str("fifo"), &en, &e));
	sys_fault = NULL;
	assert_string_equal(buf_str(&told), "dev: device EPERM\n");
	target_close(t);
	scratch_free(top);
}

/* As somebody who may not give files away. */
static void test_unprivileged(void **state)
{
	char *top = scratch_new();
	struct entry en = entry_of(ENTRY_FILE, 04444), dir = entry_of(ENTRY_DIR, 0500);
	struct err e = ERR_EMPTY;
	struct target *t;
	int status;
	pid_t pid;
	bool ok;

	(void)state;
	if (geteuid() != 0) {
		scratch_free(top);
		skip();
	}
	assert_int_equal(chmod(top, 0777), 0);
	pid = fork();
	if (pid == 0) {
		ok = setgid(65534) == 0 && setuid(65534) == 0;
		t = open_in(top, "t");
		ok = ok && target_mkdir(t, SPAN_EMPTY, &dir, &e) &&
		     target_mkdir(t, span_str("d"), &dir, &e) &&
		     make_file(t, "d/f", &en, &e) && target_finish(t, &e);
		ok = ok && strcmp(buf_str(&told),
		               "d/f: owner EPERM\nd/f: set-id bits EPERM\n"
		               "d: owner EPERM\n: owner EPERM\n") == 0;
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(run("cd %s && stat -c '%%a %%u' t t/d t/d/f >got && printf "
	                     "'500 65534\\n500 65534\\n444 65534\\n' | cmp got", top), 0);
	scratch_free(top);
}

/* --- the rest */

static void expect_refused(const char *path, enum err_kind kind)
{
	struct err e = ERR_EMPTY;
	struct target *t;

	assert_false(target_open(path, &options, &t, &e));
	assert_int_equal(e.kind, kind);
	assert_null(t);
}

static void test_open(void **state)
{
	char *top = scratch_new();

	(void)state;
	scratch_mkdir(top, "full");
	scratch_file(top, "full/.x", "", 0);
	expect_refused(scratch_path(top, "full"), ERR_EXISTS);
	expect_refused(scratch_path(top, "full/.x"), ERR_EXISTS);
	expect_refused(scratch_path(top, "no/such"), ERR_MISSING);
	scratch_mkdir(top, "empty");
	target_close(open_in(top, "empty"));
	target_close(open_in(top, "absent"));
	target_close(NULL);
	scratch_free(top);
}

static void test_abandon(void **state)
{
	char *top = scratch_new();
	struct target *t = open_in(top, "t");
	struct entry en = entry_of(ENTRY_FILE, 0600);
	struct err e = ERR_EMPTY;
	struct target_file *f;

	(void)state;
	assert_true(make_file(t, "f", &en, &e));
	assert_false(target_create(t, span_str("f"), &f, &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_false(target_create(t, span_str("no/f"), &f, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_true(target_create(t, span_str("g"), &f, &e));
	target_file_abandon(f);
	target_file_abandon(NULL);
	assert_int_equal(access(scratch_path(top, "t/g"), F_OK), -1);
	target_close(t);
	scratch_free(top);
}

struct making {
	struct job job;
	struct target *t;
	char path[32];
	bool ok;
};

static void make_run(struct job *job)
{
	struct making *m = (struct making *)job;
	struct entry en = entry_of(ENTRY_FILE, 0644);
	struct err e = ERR_EMPTY;

	m->ok = make_file(m->t, m->path, &en, &e);
}

static void test_threads(void **state)
{
	char *top = scratch_new();
	struct target *t = open_in(top, "t");
	struct pool *pool = pool_new(4);
	struct lane *lane = lane_new(pool);
	struct entry dir = entry_of(ENTRY_DIR, 0755);
	struct making *m;
	struct err e = ERR_EMPTY;
	char path[32];
	int i;

	(void)state;
	for (i = 0; i < 400; i++) {
		if (i < 40) {
			snprintf(path, sizeof path, "d%d", i);
			assert_true(target_mkdir(t, span_str(path), &dir, &e));
		}
		m = mem_zalloc(sizeof *m);
		m->job.run = make_run;
		m->t = t;
		snprintf(m->path, sizeof m->path, "d%d/f%d", i < 40 ? i : i * 7 % 40, i);
		lane_put(lane, &m->job);
	}
	while ((m = (struct making *)lane_take(lane))) {
		assert_true(m->ok);
		free(m);
	}
	assert_true(target_finish(t, &e));
	lane_free(lane);
	pool_free(pool);
	target_close(t);
	scratch_free(top);
}

/* More directories than memory is given for: they come back in reverse. */
static void test_later(void **state)
{
	char *top = scratch_new(), name[32];
	int fd = open(top, O_RDONLY | O_DIRECTORY), i;
	struct later *l = later_new(fd);
	struct entry en = entry_of(ENTRY_DIR, 0), back;
	struct buf xattrs = BUF_EMPTY;
	struct span path;

	(void)state;
	memset(buf_extend(&xattrs, 1000), 'x', 1000);
	en.user = span_str("ana");
	en.xattrs = buf_span(&xattrs);
	for (i = 0; i < 13000; i++) {
		snprintf(name, sizeof name, "dir/%d", i);
		en.mode = i & 07777;
		en.mtime_s = -i;
		later_push(l, span_str(name), &en);
	}
	while (i-- > 0) {
		assert_int_equal(later_pop(l, &path, &back), STEP_ITEM);
		snprintf(name, sizeof name, "dir/%d", i);
		assert_true(span_equal(path, span_str(name)));
		assert_int_equal(back.mode, i & 07777);
		assert_int_equal(back.mtime_s, -i);
		assert_true(span_equal(back.user, en.user) && back.group.n == 0);
		assert_true(span_equal(back.xattrs, en.xattrs));
	}
	assert_int_equal(later_pop(l, &path, &back), STEP_END);
	assert_int_equal(rmdir(top), 0);
	assert_int_equal(mkdir(top, 0700), 0);
	later_free(l);
	close(fd);
	buf_release(&xattrs);
	scratch_free(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_inherited_acl),
	    cmocka_unit_test(test_inside),
	    cmocka_unit_test(test_lost),
	    cmocka_unit_test(test_owner_untold),
	    cmocka_unit_test(test_lost_acl),
	    cmocka_unit_test(test_lost_device),
	    cmocka_unit_test(test_unprivileged),
	    cmocka_unit_test(test_open),
	    cmocka_unit_test(test_abandon),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_later),
	};
	int failed = cmocka_run_group_tests_name("target", tests, NULL, NULL);

	buf_release(&told);
	return failed;
}
