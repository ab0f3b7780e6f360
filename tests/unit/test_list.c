/* What there is: snapshots, and entries of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/backup.h"
#include "engine/list.h"
#include "store/fault.h"
#include "tests/support/band_make.h"
#include "tests/support/index_make.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/steady.h"

struct told {
	struct monitor monitor;
	unsigned problems;
	char last[2000];
};

static void hear(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	struct told *t = (struct told *)m;

	assert_int_equal(what, PROBLEM_DAMAGED);
	t->problems++;
	snprintf(t->last, sizeof t->last, "%.*s: %s", (int)subject.n, subject.p, e->text);
}

/* --- snapshots */

static bool see_snapshot(void *arg, const struct band_info *info, enum band_file state,
    const struct band *b, bool pinned, struct err *e)
{
	static const char *const words[] = {"head", "part", "tail"};
	char line[100];

	(void)e;
	assert_false(pinned);
	snprintf(line, sizeof line, "%d %s %s\n", (int)info->name.counter, words[state],
	    b->set);
	buf_add_str(arg, line);
	return true;
}

static void test_list(void **state)
{
	struct fault_plan plan = {
	    .how = FAIL_FOREVER, .nth = 6, .kinds = OP_GET, .err = ERR_UNREACHABLE};
	struct store *mem = store_mem_new(env);
	struct repo *r = repo_make(mem, env, true), *failing;
	char torn[NAME_MAX_LEN + 1];
	struct list_result res;
	struct buf lines = BUF_EMPTY;
	struct told t = {.monitor.problem = hear};
	struct err e;

	(void)state;
	assert_true(list_run(r, false, see_snapshot, &lines, &t.monitor, &res, &e));
	assert_int_equal(res.snapshots, 0);
	for (uint64_t i = 6; i >= 1; i--) {
		struct band b;

		band_start(&b, 1800000000 + (int64_t)i, i, i % 2 ? "odd" : "even");
		if (i == 5)
			b.kind = BAND_VACUUM;
		band_store(r, &b, BAND_HEAD, NULL);
		b.part = 1;
		if (i == 4)
			band_store(r, &b, BAND_PART, NULL);
		if (i != 4 && i != 6)
			band_store(r, &b, BAND_TAIL, i == 3 ? torn : NULL);
		if (i == 2)
			band_mark(r, &b, BAND_REMOVED, NULL);
		band_release(&b);
	}
	assert_true(list_run(r, false, see_snapshot, &lines, &t.monitor, &res, &e));
	assert_string_equal(
	    buf_str(&lines), "1 tail odd\n3 tail odd\n4 part even\n6 head even\n");
	assert_int_equal(res.snapshots, 4);
	assert_int_equal(res.unreadable, 0);
	buf_clear(&lines);
	assert_true(list_run(r, true, see_snapshot, &lines, &t.monitor, &res, &e));
	assert_string_equal(buf_str(&lines), "2 tail even\n");
	store_replace(r->store, "bands", torn, span_str("{"));
	buf_clear(&lines);
	assert_true(list_run(r, false, see_snapshot, &lines, &t.monitor, &res, &e));
	assert_string_equal(buf_str(&lines), "1 tail odd\n4 part even\n6 head even\n");
	assert_int_equal(res.unreadable, 1);
	assert_int_equal(t.problems, 1);
	assert_non_null(strstr(t.last, "-3: "));
	failing = repo_reopen(store_fault_new(store_mem_clone(mem), &plan), env);
	failing->patience = 0;
	assert_false(
	    list_run(failing, false, see_snapshot, &lines, &t.monitor, &res, &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	repo_close(failing);
	buf_release(&lines);
	repo_close(r);
}

/* --- entries */

static const char *const paths[] = {"/", "/a", "/a-x", "/c", "/a/b", "/a/z", "/a-x/f",
	"/a/b/f", "/a/b/g"};

#define PATHS (sizeof paths / sizeof *paths)

static bool see_entry(void *arg, const struct entry *en, struct err *e)
{
	(void)e;
	buf_add_span(arg, en->apath);
	buf_add_byte(arg, ' ');
	return true;
}

struct scene {
	struct repo *r;
	struct band b;
	struct told told;
	struct buf seen;
};

static int by_apath(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return apath_compare(x->apath, y->apath);
}

static void scene_init(struct scene *s, uint32_t per_hunk)
{
	struct index_make m = {.per_hunk = per_hunk, .per_list = 2};
	struct entry entries[PATHS];

	memset(s, 0, sizeof *s);
	memset(entries, 0, sizeof entries);
	s->told.monitor.problem = hear;
	s->r = m.r = repo_make(store_mem_new(env), env, false);
	for (size_t i = 0; i < PATHS; i++) {
		size_t n = strlen(paths[i]);

		entries[i].apath = span_str(paths[i]);
		entries[i].mode = 0755;
		for (size_t k = 0; k < PATHS; k++)
			if (k != i && strlen(paths[k]) > n &&
			    memcmp(paths[i], paths[k], n) == 0 &&
			    (n == 1 || paths[k][n] == '/'))
				entries[i].kind = ENTRY_DIR;
	}
	qsort(entries, PATHS, sizeof *entries, by_apath);
	band_start(&s->b, 1800000000, 1, "home");
	index_store(&m, entries, PATHS, &s->b);
}

static void scene_release(struct scene *s)
{
	buf_release(&s->seen);
	band_release(&s->b);
	repo_close(s->r);
}

static const char *ls(
    struct scene *s, const char *path, bool recursive, uint64_t *damaged)
{
	struct err e = ERR_EMPTY;

	buf_clear(&s->seen);
	if (!ls_run(s->r, &s->b, span_str(path), recursive, NULL, see_entry, &s->seen,
		&s->told.monitor, damaged, &e))
		buf_printf(&s->seen, "error %d", e.kind);
	return buf_str(&s->seen);
}

static void test_ls(void **state)
{
	(void)state;
	for (uint32_t per_hunk = 1; per_hunk <= 5; per_hunk += 2) {
		struct scene s;
		uint64_t d;

		scene_init(&s, per_hunk);
		assert_string_equal(ls(&s, "/", false, &d), "/ /a /a-x /c ");
		assert_string_equal(ls(&s, "/", true, &d),
		    "/ /a /a-x /c /a/b /a/z /a/b/f /a/b/g /a-x/f ");
		assert_string_equal(ls(&s, "/a", false, &d), "/a /a/b /a/z ");
		assert_string_equal(
		    ls(&s, "/a", true, &d), "/a /a/b /a/z /a/b/f /a/b/g ");
		assert_string_equal(ls(&s, "/a/b", true, &d), "/a/b /a/b/f /a/b/g ");
		assert_string_equal(ls(&s, "/c", true, &d), "/c ");
		assert_string_equal(ls(&s, "/a-x", false, &d), "/a-x /a-x/f ");
		assert_string_equal(ls(&s, "/b", false, &d), "error 2");
		assert_string_equal(ls(&s, "/z", false, &d), "error 2");
		assert_string_equal(ls(&s, "/a/", false, &d), "error 10");
		assert_int_equal(d, 0);
		assert_int_equal(s.told.problems, 0);
		scene_release(&s);
	}
}

/* One entry a hunk: what is lost is told of, and the rest is listed. */
static void test_ls_damaged(void **state)
{
	struct scene s;
	uint64_t d;

	(void)state;
	scene_init(&s, 9);
	assert_int_equal(s.b.n_refs, 1);
	scene_release(&s);
	scene_init(&s, 5);
	assert_int_equal(s.b.n_refs, 2);
	s.b.refs[0].ref.id.b[0] ^= 1; /* to /a/b */
	assert_string_equal(ls(&s, "/", true, &d), "/a/z /a/b/f /a/b/g /a-x/f ");
	assert_int_equal(d, 1);
	assert_string_equal(ls(&s, "/a", false, &d), "/a/z ");
	assert_int_equal(d, 1);
	assert_string_equal(ls(&s, "/a/b", false, &d), "/a/b/f /a/b/g ");
	assert_string_equal(ls(&s, "/c", false, &d), "error 4");
	assert_string_equal(ls(&s, "/a/b/g", false, &d), "/a/b/g ");
	scene_release(&s);
}

/* --- with the cache of the last backup, listing reads no hunk */

static uint64_t gets(struct store *trace)
{
	struct store_counts c;

	store_trace_counts(trace, &c);
	return c.get;
}

static void test_cache(void **state)
{
	struct store *trace = store_trace_new(store_mem_new(env));
	struct repo *r = repo_make(trace, env, true);
	char *home = scratch_new(), *cache = mem_strdup(scratch_path(home, "cache"));
	struct backup_result res;
	struct backup_options o;
	struct band_info *info;
	struct buf seen = BUF_EMPTY;
	enum band_file kind;
	struct bands bands;
	const char *source;
	uint64_t before, damaged;
	struct band b;
	struct err e;

	(void)state;
	scratch_mkdir(home, "src/dir");
	scratch_file(home, "src/dir/file", "content", 7);
	source = scratch_path(home, "src");
	backup_options_init(&o);
	o.set = o.host = o.user = o.program = "test";
	o.paths = &source;
	o.n_paths = 1;
	o.cache_dir = cache;
	assert_true(backup_run(r, &o, NULL, &res, &e));
	assert_true(bands_list(r, &bands, &e));
	assert_true(
	    snapshot_resolve(r, &bands, span_str("latest"), &info, &kind, &b, &e));
	for (int with = 0; with < 2; with++) {
		before = gets(trace);
		assert_true(ls_run(r, &b, span_str("/"), true, with ? cache : NULL,
		    see_entry, &seen, NULL, &damaged, &e));
		assert_int_equal(gets(trace) - before, with ? 0 : 1);
	}
	assert_non_null(strstr(buf_str(&seen), "/src/dir/file "));
	buf_release(&seen);
	band_release(&b);
	bands_release(&bands);
	repo_close(r);
	free(cache);
	scratch_free(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_ls),
		cmocka_unit_test(test_ls_damaged),
		cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, steady_begin, steady_end);
}
