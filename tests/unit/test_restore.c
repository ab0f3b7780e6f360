/* Back up a tree with one of everything, and restore it: whole, in part, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "bundle/read.h"
#include "engine/backup.h"
#include "engine/restore.h"
#include "store/fault.h"
#include "tests/support/band_make.h"
#include "tests/support/bytes.h"
#include "tests/support/index_make.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/tree_compare.h"

static struct env *env;
static char *home, *src; /* a scratch folder, and the tree in it */
static struct store *mem;
static struct repo *repo;
static struct band band;

/* --- what an engine tells */

struct told {
	struct monitor monitor;
	unsigned problems[PROBLEM_NOTE + 1];
	char last[2000];
};

static void hear(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	struct told *t = (struct told *)m;

	t->problems[what]++;
	snprintf(t->last, sizeof t->last, "%.*s: %s", (int)subject.n, subject.p, e->text);
}

static bool restore(struct repo *r, const struct band *b, const char *path,
    const char *to, unsigned threads, struct restore_result *out, struct told *t,
    struct err *e)
{
	struct restore_options o = {
	    .target = scratch_path(home, to),
	    .path = span_str(path),
	    .threads = threads,
	    .transfers = threads,
	    .numeric = true,
	};

	*t = (struct told){.monitor.problem = hear};
	return restore_run(r, b, &o, &t->monitor, out, e);
}

static void drop(const char *name)
{
	scratch_free(mem_strdup(scratch_path(home, name)));
}

static void same(const char *a, const char *b)
{
	const char *differs = tree_differs(a, b);

	if (differs)
		fail_msg("%s", differs);
}

/* --- the tree */

static void attributes(const char *name, mode_t mode, long ns)
{
	const char *path = scratch_path(src, name);
	struct timespec times[2] = {{0, UTIME_OMIT}, {1700000000, ns}};

	if (mode)
		assert_int_equal(chmod(path, mode), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_file(const char *name, size_t n, uint64_t seed)
{
	struct buf b = BUF_EMPTY;

	bytes_noise(&b, n, seed);
	scratch_file(src, name, b.p, n);
	attributes(name, 0640, (long)(seed * 1000003));
	buf_release(&b);
}

/* Data, a hole, data; and where asked for, a hole at the end. */
static void make_sparse(const char *name, bool open_end)
{
	int fd = open(scratch_path(src, name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "middle", 6, 1 << 20), 6);
	if (open_end)
		assert_int_equal(ftruncate(fd, 3 << 20), 0);
	close(fd);
	attributes(name, 0600, 5);
}

static void make_tree(void)
{
	char name[32];

	scratch_mkdir(src, "many");
	scratch_mkdir(src, "sub/deep");
	scratch_mkdir(src, "sub/empty");
	make_file("sub/nothing", 0, 1);
	make_file("sub/tiny", 40, 2);
	make_file("sub/whole", 1500, 3);
	make_file("sub/deep/cut", 60000, 4);
	make_file("sub/deep/lists", 700000, 5);
	make_file("sub/\xff\n name", 900, 6);
	make_file("sub/set-id", 100, 7);
	make_sparse("sub/sparse", false);
	make_sparse("sub/open-end", true);
	assert_int_equal(truncate(scratch_path(src, "sub/nothing"), 0), 0);
	assert_int_equal(chown(scratch_path(src, "sub/set-id"), 12345, 54321), 0);
	attributes("sub/set-id", 06755, 8);
	setxattr(scratch_path(src, "sub/whole"), "user.colour", "blue", 4, 0);
	setxattr(scratch_path(src, "sub/deep"), "user.depth", "2", 1, 0);
	attributes("sub/whole", 0640, 77);
	for (unsigned i = 0; i < 150; i++) {
		snprintf(name, sizeof name, "many/%03u", i);
		make_file(name, 30 + i * 23, 100 + i % 120); /* some are the same */
	}
	make_file("all-hole", 0, 1);
	assert_int_equal(truncate(scratch_path(src, "all-hole"), 100000), 0);
	attributes("all-hole", 0600, 3);
	scratch_symlink(src, "link", "../elsewhere/nowhere");
	attributes("link", 0, 999999999);
	assert_int_equal(mkfifo(scratch_path(src, "fifo"), 0600), 0);
	attributes("fifo", 0604, 4);
	make_file("first", 5000, 50);
	assert_int_equal(
	    link(scratch_path(src, "first"), scratch_path(src, "second")), 0);
	assert_int_equal(
	    link(scratch_path(src, "first"), scratch_path(src, "sub/third")), 0);
	assert_int_equal(
	    link(scratch_path(src, "first"), scratch_path(src, "sub/deep/fourth")), 0);
	attributes("sub/deep", 0500, 11);
	attributes("sub/empty", 01777, 12);
	attributes("sub", 0750, 13);
	attributes("many", 0711, 14);
	assert_int_equal(chmod(src, 0711), 0);
}

/* Small chunks, frames and bundles, so that a small tree has many. */
static struct repo *make_repo(struct store *s)
{
	struct secret secret = {SECRET_PASSPHRASE, span_str(TEST_PASSPHRASE)};
	struct repo_options o;
	struct repo *r;
	struct err e;

	repo_options_init(&o);
	o.kdf_ops = 1;
	o.kdf_mem = 8192;
	o.params.cut.whole_max = 2048;
	o.params.cut.tier[0].min = 512;
	o.params.cut.tier[0].average = 1024;
	o.params.cut.tier[0].max = 4096;
	o.params.frame_plain = 1u << 16;
	o.params.bundle_target = 150000;
	if (!repo_create(s, env, &o, &secret, &r, &e))
		fail_msg("%s", e.text);
	return r;
}

static void read_band(struct repo *r, struct band *b)
{
	struct band_info *info;
	struct bands bands;
	enum band_file kind;
	struct err e;

	assert_true(bands_list(r, &bands, &e));
	assert_true(snapshot_resolve(r, &bands, span_str("latest"), &info, &kind, b, &e));
	bands_release(&bands);
}

static void back_up(struct repo *r)
{
	const char *paths[] = {src};
	struct backup_result res;
	struct backup_options o;
	struct err e;

	backup_options_init(&o);
	o.set = "home";
	o.host = o.user = "ana";
	o.program = "test";
	o.paths = paths;
	o.n_paths = 1;
	o.threads = 1;
	o.transfers = 1;
	o.level = 1;
	if (!backup_run(r, &o, NULL, &res, &e))
		fail_msg("%s", e.text);
	assert_int_equal(res.totals.unreadable, 0);
}

static int make_all(void **state)
{
	(void)state;
	umask(022);
	env = env_fixed_new(INT64_C(1800000000000000000), 1000, 7);
	home = scratch_new();
	scratch_mkdir(home, "src");
	src = mem_strdup(scratch_path(home, "src"));
	make_tree();
	mem = store_mem_new(env);
	repo = make_repo(mem);
	back_up(repo);
	read_band(repo, &band);
	return 0;
}

static int drop_all(void **state)
{
	(void)state;
	band_release(&band);
	repo_close(repo);
	free(src);
	scratch_free(home);
	env_fixed_free(env);
	return 0;
}

/* --- whole and in part */

static void test_round_trip(void **state)
{
	static const unsigned threads[] = {0, 1, 2, 4};
	struct restore_result res;
	struct told t;
	struct err e;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		if (!restore(repo, &band, src, "out", threads[i], &res, &t, &e))
			fail_msg("%s", e.text);
		same(src, scratch_path(home, "out"));
		assert_int_equal(res.damaged + res.refused + res.attributes, 0);
		assert_int_equal(res.files, 164);
		assert_int_equal(res.dirs, 5);
		assert_int_equal(res.others, 2);
		assert_int_equal(stat(scratch_path(home, "out/sub/open-end"), &st), 0);
		assert_true(st.st_blocks * 512 < 1 << 20);
		drop("out");
	}
}

static void test_parts(void **state)
{
	char path[4096];
	struct restore_result res;
	struct told t;
	struct err e;
	struct stat a, b;

	(void)state;
	/* The root: the tree stands below its own path. */
	assert_true(restore(repo, &band, "/", "all", 2, &res, &t, &e));
	snprintf(path, sizeof path, "all%s", src);
	same(src, scratch_path(home, path));
	drop("all");
	/*
	 * A directory: hard links whose first is not part of it hang together all the
	 * same.
	 */
	snprintf(path, sizeof path, "%s/sub", src);
	assert_true(restore(repo, &band, path, "sub", 2, &res, &t, &e));
	assert_int_equal(stat(scratch_path(home, "sub/third"), &a), 0);
	assert_int_equal(stat(scratch_path(home, "sub/deep/fourth"), &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_nlink, 2);
	assert_int_equal(a.st_size, 5000);
	assert_int_equal(stat(scratch_path(home, "sub"), &a), 0);
	assert_int_equal(a.st_mode & 07777, 0750);
	drop("sub");
	/* One file, one link to one, one symlink: themselves. */
	snprintf(path, sizeof path, "%s/sub/deep/lists", src);
	assert_true(restore(repo, &band, path, "one", 2, &res, &t, &e));
	assert_int_equal(res.files, 1);
	same(path, scratch_path(home, "one/lists"));
	drop("one");
	snprintf(path, sizeof path, "%s/sub/third", src);
	assert_true(restore(repo, &band, path, "one", 2, &res, &t, &e));
	assert_int_equal(stat(scratch_path(home, "one/third"), &a), 0);
	assert_int_equal(a.st_size, 5000);
	drop("one");
	snprintf(path, sizeof path, "%s/link", src);
	assert_true(restore(repo, &band, path, "one", 2, &res, &t, &e));
	same(path, scratch_path(home, "one/link"));
	drop("one");
}

static void test_refusals(void **state)
{
	char path[4096];
	struct restore_result res;
	volatile bool stop = true;
	struct restore_options o = {.path = span_str(src), .stop = &stop};
	struct told t;
	struct err e;

	(void)state;
	snprintf(path, sizeof path, "%s/su", src);
	assert_false(restore(repo, &band, path, "out", 0, &res, &t, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(restore(repo, &band, "home", "out", 0, &res, &t, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_int_equal(access(scratch_path(home, "out"), F_OK), -1);
	assert_false(restore(repo, &band, src, "src", 0, &res, &t, &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	o.target = scratch_path(home, "out");
	assert_false(restore_run(repo, &band, &o, NULL, &res, &e));
	assert_int_equal(e.kind, ERR_STOPPED);
	drop("out");
}

/* --- damage */

/* Flip a byte of the frame that holds a slot of a bundle of data or hunks. */
static void spoil(
    struct repo *r, enum file_type type, const struct id *name, uint32_t slot)
{
	char text[2 * ID_SIZE + 1], folder[16];
	struct buf file = BUF_EMPTY;
	struct bundle *b;
	struct err e;

	name_of_id(name, text);
	folder_of(type, name, folder);
	assert_true(bundle_open(r, type, name, &b, &e));
	assert_true(store_get(r->store, folder, text, 0, SIZE_MAX, &file, NULL, &e));
	file.p[b->dir.frames[directory_frame_of(&b->dir, slot)].at + 60] ^= 4;
	store_replace(r->store, folder, text, buf_span(&file));
	bundle_free(b);
	buf_release(&file);
}

static struct repo *twin(void)
{
	return repo_reopen(store_mem_clone(mem), env);
}

/* The nth of the band's bundles of data, or of hunks. */
static const struct band_bundle *nth_bundle(bool hunks, unsigned n)
{
	for (size_t i = 0; i < band.n_bundles; i++)
		if (band.bundles[i].hunks == hunks && n-- == 0)
			return &band.bundles[i];
	fail_msg("not so many bundles");
	return NULL;
}

/* What is there is right, and what is not was told of. */
static void check_damaged(const struct restore_result *res, const struct told *t)
{
	unsigned missing;
	const char *differs = tree_exceeds(src, scratch_path(home, "out"), &missing);

	if (differs)
		fail_msg("%s", differs);
	assert_int_equal(missing, res->damaged);
	assert_int_equal(t->problems[PROBLEM_DAMAGED], missing);
	assert_true(missing > 0);
}

static void test_damaged_frame(void **state)
{
	struct restore_result res;
	struct told t;
	struct err e;

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		struct repo *r = twin();

		spoil(r, FILE_DATA, &nth_bundle(false, n)->name, 3);
		assert_true(restore(r, &band, src, "out", n, &res, &t, &e));
		check_damaged(&res, &t);
		assert_non_null(strstr(t.last, "not restored"));
		drop("out");
		repo_close(r);
	}
}

static void test_missing_bundle(void **state)
{
	const struct id *name = &nth_bundle(false, 1)->name;
	char text[2 * ID_SIZE + 1], folder[16];
	struct restore_result res;
	struct repo *r = twin();
	struct span chunks[400];
	struct buf plain[100], stored = BUF_EMPTY;
	struct bundle *b;
	struct told t;
	struct err e;
	struct id copy;

	(void)state;
	name_of_id(name, text);
	folder_of(FILE_DATA, name, folder);
	assert_true(bundle_open(r, FILE_DATA, name, &b, &e));
	assert_true(b->dir.n_chunks <= 400 && b->dir.n_frames <= 100);
	for (uint32_t i = 0; i < b->dir.n_frames; i++) {
		const struct frame_rec *f = &b->dir.frames[i];

		plain[i] = (struct buf)BUF_EMPTY;
		buf_clear(&stored);
		assert_true(frame_get(r, b, i, &stored, &e));
		assert_true(frame_open(r, f, buf_span(&stored), &plain[i], &e));
		for (uint32_t k = f->first; k < f->first + f->chunks; k++)
			assert_true(chunk_in_frame(r, b, k, buf_span(&plain[i]),
			    &b->dir.ids[k], &chunks[k], &e));
	}
	assert_true(store_remove(r->store, folder, text, &e));
	assert_true(restore(r, &band, src, "out", 2, &res, &t, &e));
	check_damaged(&res, &t);
	drop("out");
	/* The same chunks elsewhere, and no delta that says so. */
	bundle_store(r, FILE_DATA, chunks, b->dir.n_chunks, 7, &copy);
	assert_true(restore(r, &band, src, "out", 2, &res, &t, &e));
	assert_int_equal(res.damaged, 0);
	same(src, scratch_path(home, "out"));
	drop("out");
	/* One of them too is damaged: of the two, nobody has its chunks now. */
	spoil(r, FILE_DATA, &copy, 10);
	assert_true(restore(r, &band, src, "out", 2, &res, &t, &e));
	check_damaged(&res, &t);
	drop("out");
	for (uint32_t i = 0; i < b->dir.n_frames; i++)
		buf_release(&plain[i]);
	buf_release(&stored);
	bundle_free(b);
	repo_close(r);
}

/*
 * A lost hunk takes its own entries with it; what stands in lost directories is restored.
 */
static void test_damaged_index(void **state)
{
	struct index_make m = {.per_hunk = 2};
	struct entry entries[6];
	static const char *const paths[6] = {"/", "/a", "/b", "/a/x", "/a/y", "/b/z"};
	struct restore_result res;
	struct span chunk =
	    span_str("some content, longer than what stands in its entry, so "
		     "that it is a chunk of its own");
	struct extent x;
	struct band b;
	struct told t;
	struct err e;
	struct stat st;

	(void)state;
	m.r = twin();
	memset(entries, 0, sizeof entries);
	m.data = index_bundle(m.r, FILE_DATA, &chunk, 1, 1);
	index_extent(&m, 0, chunk, &x);
	for (size_t i = 0; i < 6; i++) {
		entries[i].apath = span_str(paths[i]);
		entries[i].kind = i < 3 ? ENTRY_DIR : ENTRY_FILE;
		entries[i].mode = 0755;
		if (i >= 3) {
			entries[i].content = CONTENT_EXTENTS;
			entries[i].extents = &x;
			entries[i].n_extents = 1;
			entries[i].size = chunk.n;
		}
	}
	band_start(&b, 1800000000, 5, "hand");
	index_store(&m, entries, 6, &b);
	assert_true(restore(m.r, &b, "/", "out", 1, &res, &t, &e));
	assert_int_equal(res.files, 3);
	drop("out");
	b.refs[0].ref.id.b[0] ^= 1; /* the root and /a */
	assert_true(restore(m.r, &b, "/", "out", 1, &res, &t, &e));
	assert_int_equal(res.files, 3);
	assert_int_equal(res.dirs, 1);
	assert_int_equal(res.damaged, 2);
	assert_int_equal(t.problems[PROBLEM_DAMAGED], 1);
	assert_int_equal(stat(scratch_path(home, "out/a/y"), &st), 0);
	drop("out");
	assert_true(restore(m.r, &b, "/a", "out", 1, &res, &t, &e));
	assert_int_equal(res.files, 2);
	drop("out");
	b.refs[1].ref.id.b[0] ^= 1; /* /b and /a/x */
	b.refs[2].ref.id.b[0] ^= 1; /* /a/y and /b/z */
	assert_false(restore(m.r, &b, "/a", "out", 1, &res, &t, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	band_release(&b);
	repo_close(m.r);
}

/* The first of a group of hard links is damaged: so are all, and none has wrong bytes. */
static void test_damaged_links(void **state)
{
	struct restore_result res;
	struct repo *r = twin();
	struct told t;
	struct err e;

	(void)state;
	for (unsigned n = 0; n < 9; n++) {
		const struct id *name = &nth_bundle(false, n)->name;
		struct bundle *b;

		if (!bundle_open(r, FILE_DATA, name, &b, &e))
			break;
		for (uint32_t k = 0; k < b->dir.n_frames; k++)
			spoil(r, FILE_DATA, name, b->dir.frames[k].first);
		bundle_free(b);
		if (n + 1 >= 3)
			break;
	}
	assert_true(restore(r, &band, src, "out", 2, &res, &t, &e));
	check_damaged(&res, &t);
	drop("out");
	repo_close(r);
}

/* --- the storage */

/*
 * Each operation fails in turn: a restore that says yes is right, and any is never wrong.
 */
static void test_storage_fails(void **state)
{
	bool fired = true;
	uint64_t first = 0;

	(void)state;
	for (uint64_t n = 0; fired; n++) {
		struct fault_plan plan = {
		    .how = FAIL_ONCE, .nth = first + n, .err = ERR_UNREACHABLE};
		struct store *fault = store_fault_new(store_mem_clone(mem), &plan);
		struct restore_result res;
		struct told t;
		unsigned missing;
		struct repo *r;
		struct err e;
		bool ok;

		if (!repo_open(fault, env, secret_right, NULL, &r, &e))
			continue;
		ok = restore(r, &band, src, "out", (unsigned)n % 3, &res, &t, &e);
		fired = store_fault_fired(fault);
		if (ok)
			assert_false(fired);
		else
			assert_int_equal(e.kind, ERR_UNREACHABLE);
		if (access(scratch_path(home, "out"), F_OK) == 0) {
			const char *differs =
			    tree_exceeds(src, scratch_path(home, "out"), &missing);

			if (differs)
				fail_msg("operation %d: %s", (int)n, differs);
			drop("out");
		}
		repo_close(r);
	}
}

/* --- the target */

static enum sys_call fail_call;
static const char *fail_name; /* in the path, or NULL: any */
static int fail_after, fail_errno;
static pthread_mutex_t fail_lock = PTHREAD_MUTEX_INITIALIZER; /* guards fail_after */

static int fail_sys(enum sys_call call, const char *path)
{
	int sys = 0;

	if (call != fail_call || (fail_name && (!path || !strstr(path, fail_name))))
		return 0;
	pthread_mutex_lock(&fail_lock);
	if (fail_after-- <= 0)
		sys = fail_errno;
	pthread_mutex_unlock(&fail_lock);
	return sys;
}

/* A full disk ends the restore; what is there is whole. */
static void test_target_full(void **state)
{
	(void)state;
	for (int n = 0; n < 160; n += 13) {
		struct restore_result res;
		unsigned missing;
		const char *differs;
		struct told t;
		struct err e;
		bool ok;

		fail_call = SYS_WRITE;
		fail_name = NULL;
		fail_after = n;
		fail_errno = ENOSPC;
		sys_fault = fail_sys;
		ok = restore(repo, &band, src, "out", (unsigned)n % 3, &res, &t, &e);
		sys_fault = NULL;
		assert_false(ok);
		assert_int_equal(e.kind, ERR_NOSPACE);
		assert_non_null(strstr(e.text, src));
		assert_int_equal(t.problems[PROBLEM_DAMAGED], 0);
		differs = tree_exceeds(src, scratch_path(home, "out"), &missing);
		if (differs)
			fail_msg("%s", differs);
		drop("out");
	}
}

/* A name that the target cannot have is told of, and the rest goes on. */
static void test_target_refuses(void **state)
{
	static const struct {
		const char *name;
		enum sys_call call;
	} cases[] = {
	    {"name", SYS_OPEN},   /* a file of one chunk */
	    {"lists", SYS_OPEN},  /* of many */
	    {"tiny", SYS_OPEN},   /* of none */
	    {"empty", SYS_MKDIR}, /* a directory, with nothing in it */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct restore_result res;
		const char *differs;
		unsigned missing;
		struct told t;
		struct err e;
		bool ok;

		fail_call = cases[i].call;
		fail_name = cases[i].name;
		fail_after = 0;
		fail_errno = ENAMETOOLONG;
		sys_fault = fail_sys;
		ok = restore(repo, &band, src, "out", (unsigned)i % 3, &res, &t, &e);
		sys_fault = NULL;
		if (!ok)
			fail_msg("%s: %s", cases[i].name, e.text);
		assert_int_equal(res.refused, 1);
		assert_int_equal(t.problems[PROBLEM_REFUSED], 1);
		assert_non_null(strstr(t.last, cases[i].name));
		assert_int_equal(res.damaged, 0);
		differs = tree_exceeds(src, scratch_path(home, "out"), &missing);
		if (differs)
			fail_msg("%s", differs);
		assert_int_equal(missing, cases[i].call == SYS_OPEN);
		drop("out");
	}
}

static void fail_with(enum sys_call call, const char *name, int sys)
{
	fail_call = call;
	fail_name = name;
	fail_after = 0;
	fail_errno = sys;
	sys_fault = fail_sys;
}

/* Each entry that lacks attributes is told of once. */
static void test_attributes(void **state)
{
	(void)state;
	for (unsigned threads = 0; threads < 3; threads++) {
		struct restore_result res;
		struct told t;
		struct err e;
		bool ok;

		fail_with(SYS_META, threads ? NULL : "times", EPERM);
		ok = restore(repo, &band, src, "out", threads, &res, &t, &e);
		sys_fault = NULL;
		assert_true(ok);
		/*
		 * All but the three further links, whose attributes are their first's. Where
		 * nothing goes, the fifo cannot be made at all.
		 */
		assert_int_equal(res.refused, threads > 0);
		assert_int_equal(t.problems[PROBLEM_ATTRIBUTE], res.attributes);
		assert_int_equal(res.damaged, 0);
		assert_int_equal(res.attributes + res.refused, 161 + 5 + 2);
		drop("out");
	}
}

/* Where there are no hard links, there are copies, and it is told. */
static void test_no_links(void **state)
{
	struct restore_result res;
	const char *differs;
	unsigned missing;
	struct told t;
	struct err e;
	bool ok;

	(void)state;
	fail_with(SYS_LINK, NULL, EPERM);
	ok = restore(repo, &band, src, "out", 2, &res, &t, &e);
	sys_fault = NULL;
	if (!ok)
		fail_msg("%s", e.text);
	assert_int_equal(res.files, 164);
	assert_int_equal(res.attributes, 3);
	assert_int_equal(t.problems[PROBLEM_ATTRIBUTE], 3);
	differs = tree_exceeds(src, scratch_path(home, "out"), &missing);
	if (differs)
		fail_msg("%s", differs);
	assert_int_equal(missing, 0);
	drop("out");
}

/* --- many windows */

#define CHUNKS 400
#define FILES  60
#define PIECES 200

static uint64_t gets(struct store *trace)
{
	struct store_counts c;

	store_trace_counts(trace, &c);
	return c.get;
}

/*
 * 12,000 extents scattered over 400 chunks, in an order that has nothing to do with
 * theirs, and every now and then a hint that is wrong.
 */
static void test_windows(void **state)
{
	static uint32_t slots[FILES][PIECES];
	static struct extent extents[FILES][PIECES];
	static struct buf content[CHUNKS];
	static struct entry entries[FILES + 1];
	struct index_make m = {.per_hunk = 16, .per_list = 3};
	static struct span chunks[CHUNKS];
	static char paths[FILES][16];
	struct restore_result res;
	struct band b;
	struct told t;
	struct err e;
	struct store *trace = store_trace_new(store_mem_clone(mem));
	uint64_t before;

	(void)state;
	m.r = repo_reopen(trace, env);
	for (size_t i = 0; i < CHUNKS; i++) {
		bytes_noise(&content[i], 200 + i * 3, i + 1);
		chunks[i] = buf_span(&content[i]);
	}
	m.data = index_bundle(m.r, FILE_DATA, chunks, CHUNKS, 3);
	entries[0] =
	    (struct entry){.apath = span_str("/"), .kind = ENTRY_DIR, .mode = 0755};
	for (uint32_t i = 0; i < FILES; i++) {
		struct entry *en = &entries[i + 1];

		snprintf(paths[i], sizeof paths[i], "/f%03u", i);
		*en = (struct entry){.apath = span_str(paths[i]),
		    .mode = 0600,
		    .content = CONTENT_EXTENTS,
		    .extents = extents[i],
		    .n_extents = PIECES};
		for (uint32_t k = 0; k < PIECES; k++) {
			uint32_t slot = (i * 977 + k * k * 31 + k * 7) % CHUNKS;

			slots[i][k] = slot;
			index_extent(&m, slot, chunks[slot], &extents[i][k]);
			if (k % 17 == 3)
				extents[i][k].hint.slot = k % 34 == 3 ? 65535 : slot ^ 1;
			en->size += chunks[slot].n;
		}
	}
	band_start(&b, 1800000000, 5, "hand");
	index_store(&m, entries, FILES + 1, &b);
	for (unsigned threads = 0; threads < 3; threads++) {
		before = gets(trace);
		assert_true(restore(m.r, &b, "/", "out", threads, &res, &t, &e));
		assert_int_equal(res.files, FILES);
		/*
		 * The index, the bundle's end and few runs; what hints say costs nothing.
		 */
		assert_true(gets(trace) - before < 80);
		for (uint32_t i = 0; i < FILES; i++) {
			char got[4096];
			struct buf x = BUF_EMPTY;
			int fd;

			snprintf(got, sizeof got, "%s/out%s", home, paths[i]);
			fd = open(got, O_RDONLY);
			assert_true(fd >= 0);
			buf_extend(&x, entries[i + 1].size + 1);
			assert_int_equal(read(fd, x.p, x.n), entries[i + 1].size);
			close(fd);
			for (uint32_t k = 0, at = 0; k < PIECES; k++) {
				uint32_t slot = slots[i][k];

				assert_memory_equal(
				    x.p + at, chunks[slot].p, chunks[slot].n);
				at += (uint32_t)chunks[slot].n;
			}
			buf_release(&x);
		}
		drop("out");
	}
	for (size_t i = 0; i < CHUNKS; i++)
		buf_release(&content[i]);
	band_release(&b);
	repo_close(m.r);
}

/* --- cat */

static bool collect(void *arg, struct span bytes, struct err *e)
{
	(void)e;
	buf_add_span(arg, bytes);
	return true;
}

static void test_cat(void **state)
{
	static const char *const names[] = {"sub/nothing", "sub/tiny", "sub/deep/lists",
	    "sub/sparse", "sub/open-end", "second"};
	char path[4096], *command;
	struct buf got = BUF_EMPTY;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", src, names[i]);
		buf_clear(&got);
		assert_true(
		    cat_run(repo, &band, span_str(path), NULL, collect, &got, &e));
		scratch_file(home, "cat", got.p ? got.p : (uint8_t *)"", got.n);
		command = mem_printf("cmp -s '%s' '%s/cat'", path, home);
		assert_int_equal(system(command), 0);
		free(command);
	}
	assert_false(cat_run(repo, &band, span_str(src), NULL, collect, &got, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	snprintf(path, sizeof path, "%s/link", src);
	assert_false(cat_run(repo, &band, span_str(path), NULL, collect, &got, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.text, "../elsewhere/nowhere"));
	snprintf(path, sizeof path, "%s/nolink", src);
	assert_false(cat_run(repo, &band, span_str(path), NULL, collect, &got, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	buf_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_damaged_frame),
		cmocka_unit_test(test_missing_bundle),
		cmocka_unit_test(test_damaged_index),
		cmocka_unit_test(test_damaged_links),
		cmocka_unit_test(test_storage_fails),
		cmocka_unit_test(test_target_full),
		cmocka_unit_test(test_target_refuses),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_no_links),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_cat),
	};

	return cmocka_run_group_tests(tests, make_all, drop_all);
}
