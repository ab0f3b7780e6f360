/* Sources that cannot be read, vanish, or change while they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "tests/support/copy.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/world.h"

#define ONE_LETTER "?" /* as a plan's name: any such */

/* What sys_fault is to do, once the file `name` is opened. */
static struct {
	const char *name;
	enum sys_call call; /* on which it fails … */
	int sys;            /* … so, or */
	void (*act)(void);  /* before which this is done, once */
	bool opened;
	struct world *w;
} plan;

static bool is_named(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	path = slash ? slash + 1 : path;
	return path && (strcmp(path, plan.name) == 0 ||
	                   (strcmp(plan.name, ONE_LETTER) == 0 && strlen(path) == 1));
}

static int fault(enum sys_call call, const char *path)
{
	void (*act)(void) = plan.act;

	if (call == SYS_OPEN)
		plan.opened = is_named(path);
	if (call != plan.call || (path ? !is_named(path) : !plan.opened))
		return 0;
	plan.act = NULL;
	if (act) {
		sys_fault = NULL;
		act();
		sys_fault = fault;
	}
	return plan.sys;
}

static void arm(struct world *w, const char *name, enum sys_call call, int sys)
{
	plan.name = name;
	plan.call = call;
	plan.sys = sys;
	plan.act = NULL;
	plan.opened = false;
	plan.w = w;
	sys_fault = fault;
}

static void arm_act(
    struct world *w, const char *name, enum sys_call call, void (*act)(void))
{
	arm(w, name, call, 0);
	plan.act = act;
}

static void disarm(void)
{
	sys_fault = NULL;
}

static void begin(struct world *w)
{
	world_begin(w);
	scratch_mkdir(w->source, "d/e");
	world_noise(w, "a", 3000, 1);
	world_noise(w, "d/b", 4000, 2);
	world_noise(w, "d/e/c", 5000, 3);
	world_noise(w, "large", 5u << 20, 4);
	world_noise(w, "z", 6000, 5);
	world_run(w);
	world_keep(w);
}

static void test_file(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	world_noise(&w, "d/b", 4500, 12);
	arm(&w, "b", SYS_OPEN, EACCES);
	world_run(&w);
	disarm();
	assert_true(w.result.complete);
	assert_int_equal(w.result.totals.unreadable, 1);
	assert_int_equal(w.problems[PROBLEM_UNREADABLE], 1);
	assert_true(world_entry(&w, w.result.snapshot, "d/b", 0));
	assert_false(world_entry(&w, w.result.snapshot, "d/e/c", 0));
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 4500);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* The error comes in the middle of it. */
static void test_large_file(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(chmod(world_path(&w, "large"), 0600), 0);
	arm(&w, "large", SYS_READ, EIO);
	world_run(&w);
	disarm();
	assert_int_equal(w.result.totals.unreadable, 1);
	assert_true(world_entry(&w, w.result.snapshot, "large", 0));
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_new_file(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	world_text(&w, "new", "of which nothing is known");
	arm(&w, "new", SYS_OPEN, EIO);
	world_run(&w);
	disarm();
	assert_int_equal(w.result.totals.unreadable, 1);
	assert_false(world_has(&w, w.result.snapshot, "new"));
	world_run(&w);
	assert_int_equal(w.result.totals.files_new, 1);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void unreadable_dir(enum sys_call call)
{
	struct world w;

	begin(&w);
	world_noise(&w, "d/e/c", 5100, 13);
	arm(&w, "d", call, EACCES);
	world_run(&w);
	disarm();
	assert_true(w.result.complete);
	assert_int_equal(w.result.totals.unreadable, 1);
	assert_int_equal(w.result.totals.files_removed, 0);
	assert_true(world_entry(&w, w.result.snapshot, "d/b", 0));
	assert_true(world_entry(&w, w.result.snapshot, "d/e", 0));
	assert_true(world_entry(&w, w.result.snapshot, "d/e/c", 0));
	assert_false(world_entry(&w, w.result.snapshot, "z", 0));
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_dir_listing(void **state)
{
	(void)state;
	unreadable_dir(SYS_READDIR);
}

static void test_dir_open(void **state)
{
	(void)state;
	unreadable_dir(SYS_OPEN);
}

static void test_dir_stat(void **state)
{
	(void)state;
	unreadable_dir(SYS_STAT);
}

/* One name cannot be read; the file has others. */
static void test_link_unreadable(void **state)
{
	struct world w;
	struct timespec times[2];
	struct stat st;
	unsigned then;

	(void)state;
	begin(&w);
	assert_int_equal(link(world_path(&w, "a"), world_path(&w, "m")), 0);
	assert_int_equal(link(world_path(&w, "a"), world_path(&w, "n")), 0);
	arm(&w, "a", SYS_OPEN, EIO);
	world_run(&w);
	disarm();
	assert_int_equal(w.result.totals.unreadable, 1);
	assert_true(world_entry(&w, w.result.snapshot, "a", 0));
	assert_true(world_has(&w, w.result.snapshot, "m"));
	assert_true(world_has(&w, w.result.snapshot, "n"));
	world_run(&w);
	world_check(&w, w.result.snapshot);
	/* None of them can be read any more: all are carried forward, still linked. */
	then = world_keep(&w);
	assert_int_equal(chmod(world_path(&w, "a"), 0600), 0);
	arm(&w, ONE_LETTER, SYS_READ, EIO);
	world_run(&w);
	disarm();
	assert_int_equal(w.result.totals.unreadable, 3);
	world_check_then(&w, w.result.snapshot, then);
	/* The first of them is gone by now: the stale ones link to each other. */
	assert_int_equal(unlink(world_path(&w, "a")), 0);
	arm(&w, ONE_LETTER, SYS_READ, EIO);
	world_run(&w);
	disarm();
	assert_int_equal(w.result.totals.unreadable, 2);
	assert_int_equal(unlink(scratch_path(w.then[then], "a")), 0);
	assert_int_equal(stat(w.source, &st), 0);
	times[0] = times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, w.then[then], times, 0), 0);
	world_check_then(&w, w.result.snapshot, then);
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* --- vanished */

static void remove_it(void)
{
	unlink(world_path(plan.w, plan.name));
}

static void test_vanished(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	world_text(&w, "fleeting", "here today");
	arm_act(&w, "fleeting", SYS_OPEN, remove_it);
	world_run(&w);
	disarm();
	assert_int_equal(w.result.totals.vanished, 1);
	assert_int_equal(w.result.totals.unreadable, 0);
	assert_false(world_has(&w, w.result.snapshot, "fleeting"));
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* As mail is delivered: a new name is made, and the old one removed. */
static void vanished_link(size_t size)
{
	struct world w;

	begin(&w);
	world_noise(&w, "tmp", size, 20);
	assert_int_equal(link(world_path(&w, "tmp"), world_path(&w, "unread")), 0);
	arm_act(&w, "tmp", SYS_OPEN, remove_it);
	world_run(&w);
	disarm();
	assert_int_equal(w.result.totals.vanished, 1);
	assert_int_equal(w.result.totals.unreadable, 0);
	assert_false(world_has(&w, w.result.snapshot, "tmp"));
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_vanished_link(void **state)
{
	(void)state;
	vanished_link(5000);
	vanished_link(20);
	vanished_link(5u << 20);
}

/* --- changing */

static void append_some(void)
{
	int fd = open(world_path(plan.w, plan.name), O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, "more", 4), 4);
	close(fd);
}

static void cut_some(void)
{
	assert_int_equal(truncate(world_path(plan.w, plan.name), 1000), 0);
}

static void empty_it(void)
{
	assert_int_equal(truncate(world_path(plan.w, plan.name), 0), 0);
}

static void become_large(void)
{
	assert_int_equal(truncate(world_path(plan.w, plan.name), 6 << 20), 0);
}

static void changing(
    const char *name, enum sys_call call, void (*act)(void), unsigned changed)
{
	struct world w;

	begin(&w);
	assert_int_equal(chmod(world_path(&w, name), 0600), 0);
	arm_act(&w, name, call, act);
	world_run(&w);
	disarm();
	assert_true(w.result.complete);
	assert_int_equal(w.result.totals.changed_while_read, changed);
	assert_int_equal(w.problems[PROBLEM_CHANGED], changed);
	assert_true(world_has(&w, w.result.snapshot, name));
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_changing(void **state)
{
	(void)state;
	changing("a", SYS_READ, append_some, 1);
	changing("a", SYS_READ, cut_some, 1);
	changing("a", SYS_READ, empty_it, 1);
	changing("large", SYS_READ, append_some, 1);
	changing("large", SYS_READ, cut_some, 1);
	changing("large", SYS_READ, empty_it, 1);
	changing("large", SYS_OPEN, cut_some, 0); /* then it is opened as it is */
	changing("a", SYS_OPEN, empty_it, 0);
	changing("a", SYS_OPEN, become_large, 1); /* the beginning is kept */
}

/* A counter of the client is never used twice, even where its cache cannot be written. */
static int no_writes(enum sys_call call, const char *path)
{
	(void)path;
	return call == SYS_WRITE ? ENOSPC : 0;
}

static void test_cache_full(void **state)
{
	struct world w;
	char first[BAND_MAX_LEN + 1];

	(void)state;
	begin(&w);
	sys_fault = no_writes;
	world_run(&w);
	memcpy(first, w.result.snapshot, sizeof first);
	world_run(&w);
	disarm();
	/* YYYYMMDDHHMMSS-<client>-<counter> */
	assert_string_not_equal(w.result.snapshot + 15, first + 15);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static int no_names(enum sys_call call, const char *path)
{
	(void)path;
	return call == SYS_OWNER ? EIO : 0;
}

/* Told once, as it can be said only of the run: what was found is kept by number. */
static void test_nameless(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	sys_fault = no_names;
	world_run(&w);
	disarm();
	assert_int_equal(w.problems[PROBLEM_NOTE], 1);
	assert_true(w.result.complete);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_run(&w); /* and then by name again */
	assert_int_equal(w.problems[PROBLEM_NOTE], 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_large_file),
	    cmocka_unit_test(test_new_file),
	    cmocka_unit_test(test_dir_listing),
	    cmocka_unit_test(test_dir_open),
	    cmocka_unit_test(test_dir_stat),
	    cmocka_unit_test(test_link_unreadable),
	    cmocka_unit_test(test_vanished),
	    cmocka_unit_test(test_vanished_link),
	    cmocka_unit_test(test_changing),
	    cmocka_unit_test(test_cache_full),
	    cmocka_unit_test(test_nameless),
	};

	copy_home();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
