/* What a backup reads, stores and tells, as the source changes. */
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "format/hunk.h"
#include "tests/support/bytes.h"
#include "tests/support/copy.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/world.h"

static void make_tree(struct world *w)
{
	char name[32];
	unsigned i;

	w->d.threads = w->d.transfers = 2;
	scratch_mkdir(w->source, "a");
	scratch_mkdir(w->source, "b/c");
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "%s/f%02u", i % 2 ? "a" : "b/c", i);
		world_noise(w, name, 100 * i, i + 1);
	}
	world_noise(w, "large", 200000, 77);
	scratch_symlink(w->source, "link", "a/f01");
}

static void begin(struct world *w)
{
	world_begin(w);
	make_tree(w);
	world_run(w);
	assert_true(w->result.complete);
	world_check(w, w->result.snapshot);
}

static void test_unchanged(void **state)
{
	struct world w;
	size_t before;

	(void)state;
	begin(&w);
	before = stores_count(w.store, "hunks");
	world_run(&w);
	assert_int_equal(w.counts.put, 2);
	assert_true(w.counts.bytes_out <= 65536);
	assert_int_equal(w.counts.get, 2); /* bale.json, and the tail of the basis */
	assert_int_equal(w.counts.stat, 0);
	assert_int_equal(w.counts.remove, 0);
	assert_int_equal(w.result.totals.bytes_read, 0);
	assert_int_equal(w.result.totals.bytes_new, 0);
	assert_int_equal(w.result.totals.files_new, 0);
	assert_int_equal(w.result.totals.files_changed, 0);
	assert_int_equal(stores_count(w.store, "hunks"), before);
	assert_true(w.result.totals.bytes_stored == w.counts.bytes_out);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_bytes_stored(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	make_tree(&w);
	w.d.checkpoint = 50000;
	world_run(&w);
	assert_true(w.result.parts >= 2);
	assert_int_equal(w.result.totals.bytes_stored, w.counts.bytes_out);
	world_end(&w);
}

/* A store in which one put of data takes long. */
struct slow {
	struct store store;
	struct store *inner;
	_Atomic unsigned data;       /* puts begun */
	unsigned slow;               /* that one of them; 0: none */
	_Atomic bool under_way, met; /* it is; another began meanwhile */
};

static bool slow_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct slow *w = (struct slow *)s;
	bool data = strncmp(folder, "data", 4) == 0, it = data && ++w->data == w->slow;
	bool ok;

	w->met = w->met || (data && w->under_way);
	w->under_way = w->under_way || it;
	for (unsigned ms = 0; it && !w->met && ms < 3000; ms++)
		usleep(1000);
	ok = store_put(w->inner, folder, name, parts, n_parts, e);
	w->under_way = w->under_way && !it;
	return ok;
}

static bool slow_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct store *inner = ((struct slow *)s)->inner;

	return inner->ops->get(inner, folder, name, at, n, out, size, e);
}

static bool slow_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	return store_list(((struct slow *)s)->inner, folder, out, e);
}

static bool slow_space(struct store *s, uint64_t *free_bytes)
{
	return store_space(((struct slow *)s)->inner, free_bytes);
}

static const struct store_ops slow_ops = {
    .put = slow_put, .get = slow_get, .list = slow_list, .space = slow_space};

static unsigned run_slowly(unsigned slow, bool *met)
{
	struct slow s = {.store = {.ops = &slow_ops, .describe = "slow"}, .slow = slow};
	struct world w;

	world_begin(&w);
	world_noise(&w, "a", 2000000, 1); /* too many pieces for its entry */
	w.d.threads = w.d.transfers = w.d.puts = 2;
	s.inner = w.store;
	w.d.store = &s.store;
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
	*met = s.met;
	return s.data;
}

/* The last bundle is on its way beside the one before, though an item waits for both. */
static void test_last_at_once(void **state)
{
	unsigned puts;
	bool met;

	(void)state;
	puts = run_slowly(0, &met);
	assert_true(puts > 5);
	assert_int_equal(run_slowly(puts - 1, &met), puts);
	assert_true(met);
}

/*
 * Where each read takes its time, bytes alone do not bring about one part after the
 * other.
 */
static void test_parts_spaced(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	make_tree(&w);
	w.d.checkpoint = 50000;
	w.d.spaced = true;
	world_run(&w);
	assert_true(w.result.parts >= 2);
	world_end(&w);
	world_begin(&w);
	make_tree(&w);
	w.d.checkpoint = 50000;
	w.d.spaced = true;
	w.d.step = 1000000;
	world_run(&w);
	assert_int_equal(w.result.parts, 0);
	world_end(&w);
}

static void test_changes(void **state)
{
	struct world w;
	struct band_totals *t = &w.result.totals;
	char first[BAND_MAX_LEN + 1];
	unsigned then;

	(void)state;
	begin(&w);
	then = world_keep(&w);
	memcpy(first, w.result.snapshot, sizeof first);
	world_noise(&w, "a/f01", 5000, 500);
	world_noise(&w, "new", 7000, 501);
	assert_int_equal(unlink(world_path(&w, "b/c/f20")), 0);
	world_run(&w);
	assert_int_equal(t->files_new, 1);
	assert_int_equal(t->files_changed, 1);
	assert_int_equal(t->files_removed, 1);
	assert_int_equal(t->bytes_new, 12000);
	assert_int_equal(t->bytes_read, 12000);
	assert_string_equal(w.result.basis, first);
	world_check(&w, w.result.snapshot);
	world_check_then(&w, first, then);
	world_end(&w);
}

static void test_moved_and_copied(void **state)
{
	struct world w;
	char command[9000];

	(void)state;
	begin(&w);
	assert_int_equal(rename(world_path(&w, "b/c"), world_path(&w, "moved")), 0);
	world_run(&w);
	assert_true(w.result.totals.bytes_read > 0);
	assert_int_equal(w.result.totals.bytes_new, 0);
	world_check(&w, w.result.snapshot);
	snprintf(command, sizeof command, "cp -r '%s' '%s'", world_path(&w, "a"),
	    world_path(&w, "z"));
	assert_int_equal(system(command), 0);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 0);
	assert_int_equal(w.result.totals.files_new, 20);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_grown(void **state)
{
	struct world w;
	int fd;

	(void)state;
	begin(&w);
	fd = open(world_path(&w, "large"), O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "more", 4), 4);
	close(fd);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 200004);
	/* The last chunk, and what came. */
	assert_true(w.result.totals.bytes_new <= 16384 + 4);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* Read in the second it was written in, it could have changed again unseen. */
static void test_just_touched(void **state)
{
	struct world w;
	uint64_t read;

	(void)state;
	world_begin(&w);
	make_tree(&w);
	w.d.now = (int64_t)time(NULL) * 1000000000 + 500000000;
	world_run(&w);
	read = w.result.totals.bytes_read;
	assert_true(read > 200000);
	w.d.now = 0;
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, read);
	assert_int_equal(w.result.totals.bytes_new, 0);
	assert_int_equal(w.result.totals.files_changed, 0);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* Where it cannot be trusted, mode and owner are taken over all the same. */
static void test_ignore_ctime(void **state)
{
	struct world w;
	uint64_t read;

	(void)state;
	world_begin(&w);
	make_tree(&w);
	w.d.ignore_ctime = true;
	w.d.now = (int64_t)time(NULL) * 1000000000 + 500000000;
	world_run(&w);
	read = w.result.totals.bytes_read;
	w.d.now = 0;
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, read); /* touched when it was read */
	assert_int_equal(chmod(world_path(&w, "large"), 0640), 0);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_mode_only(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(chmod(world_path(&w, "large"), 0640), 0);
	assert_int_equal(chmod(world_path(&w, "a"), 0700), 0);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 0);
	assert_int_equal(w.result.totals.files_changed, 1);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_hard_links(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(link(world_path(&w, "large"), world_path(&w, "a/x")), 0);
	assert_int_equal(link(world_path(&w, "large"), world_path(&w, "z")), 0);
	assert_int_equal(link(world_path(&w, "a/f03"), world_path(&w, "a/f03b")), 0);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 0);
	assert_int_equal(w.result.totals.bytes_read, 200000 + 300);
	world_check(&w, w.result.snapshot);
	world_run(&w);
	assert_int_equal(w.counts.put, 2);
	/* The first name goes, and with it what the others were links to. */
	assert_int_equal(unlink(world_path(&w, "large")), 0);
	world_run(&w);
	world_check(&w, w.result.snapshot);
	assert_int_equal(unlink(world_path(&w, "z")), 0);
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_socket(void **state)
{
	struct world w;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	begin(&w);
	assert_true(strlen(world_path(&w, "s")) < sizeof a.sun_path);
	strcpy(a.sun_path, world_path(&w, "s"));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	world_run(&w);
	assert_int_equal(w.problems[PROBLEM_SKIPPED], 1);
	assert_int_equal(w.result.totals.unreadable, 0);
	assert_true(w.result.complete);
	world_check(&w, w.result.snapshot);
	close(fd);
	world_end(&w);
}

static void test_missing_source(void **state)
{
	struct world w;
	char *a, *b, *away;
	size_t before;

	(void)state;
	begin(&w);
	a = strdup(world_path(&w, "a"));
	b = strdup(world_path(&w, "b"));
	away = strdup(world_path(&w, "away"));
	w.d.sources = (const char *const[]){a, b, NULL};
	w.d.set = "two";
	world_run(&w);
	world_keep(&w);
	assert_int_equal(rename(b, away), 0);
	world_run(&w);
	assert_true(w.result.complete);
	assert_int_equal(w.result.totals.unreadable, 1);
	assert_int_equal(w.result.totals.files_removed, 0);
	assert_true(world_entry(&w, w.result.snapshot, "b/c/f22", 0));
	assert_false(world_entry(&w, w.result.snapshot, "a/f01", 0));
	world_run(&w); /* and stays so */
	assert_true(world_entry(&w, w.result.snapshot, "b/c/f22", 0));
	w.d.sources = (const char *const[]){b, NULL};
	before = stores_count(w.store, "bands");
	world_fail(&w, ERR_MISSING);
	assert_int_equal(stores_count(w.store, "bands"), before);
	assert_int_equal(rename(away, b), 0);
	w.d.sources = (const char *const[]){a, b, NULL};
	world_run(&w);
	assert_false(world_entry(&w, w.result.snapshot, "b/c/f22", 0));
	free(a);
	free(b);
	free(away);
	world_end(&w);
}

static void test_no_cache(void **state)
{
	struct world w;
	char first[BAND_MAX_LEN + 1];

	(void)state;
	world_begin(&w);
	make_tree(&w);
	w.d.cache = NULL;
	world_run(&w);
	memcpy(first, w.result.snapshot, sizeof first);
	world_run(&w);
	assert_string_equal(w.result.basis, first);
	assert_int_equal(w.result.totals.bytes_read, 0);
	assert_int_equal(w.counts.put, 2);
	world_check(&w, w.result.snapshot);
	world_noise(&w, "new", 5000, 9);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 5000);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* Each a client of its own, of one set: what one has stored, the other finds. */
static void test_two_clients(void **state)
{
	struct world w;
	char *other;
	char first[BAND_MAX_LEN + 1];

	(void)state;
	begin(&w);
	other = scratch_new();
	memcpy(first, w.result.snapshot, sizeof first);
	w.d.cache = other;
	world_run(&w);
	assert_string_equal(w.result.basis, first);
	assert_int_equal(w.result.totals.bytes_read, 0);
	assert_memory_not_equal(w.result.snapshot + 15, first + 15, 16);
	world_noise(&w, "new", 5000, 9);
	world_run(&w);
	world_check(&w, w.result.snapshot);
	memcpy(first, w.result.snapshot, sizeof first);
	w.d.cache = w.cache;
	world_run(&w);
	assert_string_equal(w.result.basis, first);
	assert_int_equal(w.result.totals.bytes_read, 0);
	/* Another set compares with nothing, and finds every chunk. */
	w.d.set = "other";
	world_run(&w);
	assert_string_equal(w.result.basis, "");
	assert_true(w.result.totals.bytes_read > 0);
	assert_int_equal(w.result.totals.bytes_new, 0);
	world_check(&w, w.result.snapshot);
	scratch_free(other);
	world_end(&w);
}

/* Extents in lists, and lists of lists. */
static void test_many_extents(void **state)
{
	struct world w;
	struct check_result got;
	int fd;

	(void)state;
	world_begin(&w);
	store_free(w.store);
	w.store = store_mem_new(env_real());
	backup_init_cut(w.store, false, 3, 256);
	world_noise(&w, "long", 1000000, 1);
	world_noise(&w, "longer", 10000000, 2);
	world_run(&w);
	got = world_check(&w, w.result.snapshot);
	assert_int_equal(got.lists, 2);
	assert_int_equal(got.list_level, 1);
	world_run(&w);
	assert_int_equal(w.counts.put, 2);
	fd = open(world_path(&w, "longer"), O_WRONLY);
	assert_int_equal(pwrite(fd, "changed", 7, 5000000), 7);
	close(fd);
	world_run(&w);
	assert_true(w.result.totals.bytes_new < 5000);
	/* One list, that of those above it, a hunk: not all again. */
	assert_true(w.counts.bytes_out < 100000);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* More hunks than a tail refers to itself. Nearly all are further names of one file. */
static void test_many_hunks(void **state)
{
	struct world w;
	struct check_result got;
	char name[64];
	unsigned d, i;

	(void)state;
	world_begin(&w);
	world_text(&w, "file", "content");
	for (d = 0; d < 135; d++) {
		snprintf(name, sizeof name, "d%03u", d);
		scratch_mkdir(w.source, name);
		for (i = 0; i < 256; i++) {
			snprintf(name, sizeof name, "d%03u/n%u", d, i);
			assert_int_equal(
			    link(world_path(&w, "file"), world_path(&w, name)), 0);
		}
		for (i = 0; i == 0 || !hunk_ends(span_str(world_path(&w, name)), 256, 0); i++)
			snprintf(name, sizeof name, "d%03u/z%u", d, i);
		world_text(&w, name, "another");
	}
	world_run(&w);
	got = world_check(&w, w.result.snapshot);
	assert_true(got.hunks > 128);
	assert_int_equal(got.index_level, 1);
	world_run(&w);
	assert_int_equal(w.counts.put, 2);
	got = world_check(&w, w.result.snapshot);
	assert_int_equal(got.index_level, 1);
	world_text(&w, "d100/new", "this is new");
	world_run(&w);
	got = world_check(&w, w.result.snapshot);
	assert_true(w.counts.bytes_out < 150000); /* a hunk, a list: not all of them */
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unchanged),
	    cmocka_unit_test(test_bytes_stored),
	    cmocka_unit_test(test_parts_spaced),
	    cmocka_unit_test(test_last_at_once),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_moved_and_copied),
	    cmocka_unit_test(test_grown),
	    cmocka_unit_test(test_just_touched),
	    cmocka_unit_test(test_ignore_ctime),
	    cmocka_unit_test(test_mode_only),
	    cmocka_unit_test(test_hard_links),
	    cmocka_unit_test(test_socket),
	    cmocka_unit_test(test_missing_source),
	    cmocka_unit_test(test_no_cache),
	    cmocka_unit_test(test_two_clients),
	    cmocka_unit_test(test_many_extents),
	    cmocka_unit_test(test_many_hunks),
	};

	copy_home();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
