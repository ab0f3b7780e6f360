/* The progress line, and what is known of repositories seen before. */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/known.h"

static void check(const struct progress *p, double seconds, const char *want)
{
	struct buf b = BUF_EMPTY;

	progress_text(&b, p, seconds, 200);
	assert_string_equal(buf_str(&b), want);
	buf_release(&b);
}

static void test_line(void **state)
{
	const struct progress scan = {.phase = "scan", .files = 1203};
	const struct progress read = {.phase = "read",
	    .files = 10,
	    .files_total = 4100,
	    .bytes = 1 << 20,
	    .bytes_total = 4 << 20,
	    .bytes_stored = 2048};
	const struct progress done = {
	    .phase = "read", .bytes = 4 << 20, .bytes_total = 4 << 20};
	const struct progress passed = {.phase = "read",
	    .files = 11,
	    .files_total = 10,
	    .bytes = 4 << 20,
	    .bytes_total = 1 << 20};
	const struct progress one = {.phase = "scan", .files = 1};
	const struct progress part = {
	    .phase = "read the index", .files = 1, .files_total = 2, .parts = true};
	struct buf b = BUF_EMPTY;

	(void)state;
	/* What the last snapshot had is no more than a guess. */
	check(&passed, 2, "read  11 files  4.0 MiB  2.0 MiB/s");
	check(&one, 2, "scan  1 file");
	check(&part, 0.5, "read the index  1 of 2 parts");
	check(&scan, 0.5, "scan  1,203 files");
	/* A rate and an end are told only when they mean something. */
	check(&read, 0.5, "read  10 of 4,100 files  1.0 MiB of 4.0 MiB  2.0 KiB stored");
	check(&read, 8,
	    "read  10 of 4,100 files  1.0 MiB of 4.0 MiB  2.0 KiB stored  128.0 KiB/s  "
	    "~24 s left");
	check(&read, 2,
	    "read  10 of 4,100 files  1.0 MiB of 4.0 MiB  2.0 KiB stored  512.0 KiB/s  "
	    "~6 s left");
	check(&done, 8, "read  4.0 MiB of 4.0 MiB  512.0 KiB/s");
	progress_text(&b, &read, 8, 20);
	assert_string_equal(buf_str(&b), "read  10 of 4,100 fi");
	buf_release(&b);
}

static void test_take(void **state)
{
	static const char phase[] = "backup";
	struct progress most = {.phase = NULL};
	struct progress p = {.phase = phase, .files = 7, .bytes = 123, .files_total = 9};

	(void)state;
	assert_true(progress_take(&most, &p));
	p = (struct progress){.phase = phase, .files = 8, .bytes = 120};
	assert_false(progress_take(&most, &p));
	assert_int_equal(most.files, 8);
	assert_int_equal(most.bytes, 123);
	assert_int_equal(most.files_total, 0);
	p.phase = "check";
	assert_true(progress_take(&most, &p));
	assert_int_equal(most.bytes, 120);
}

static void test_known(void **state)
{
	char dir[] = "/tmp/bale-known-XXXXXX";
	const struct known a = {"00112233445566778899aabbccddeeff", "ext4"};
	const struct known b = {"ffeeddccbbaa99887766554433221100", "fuse.rclone"};
	char *cache, *file;
	struct known k;

	(void)state;
	assert_non_null(mkdtemp(dir));
	cache = mem_printf("%s/made/cache", dir);
	assert_false(known_find(cache, "/repo", &k));
	known_note(cache, "/repo", &a);
	known_note(cache, "/repo\tb", &b); /* a name that could be taken for another line */
	assert_true(known_find(cache, "/repo", &k));
	assert_string_equal(k.id, a.id);
	assert_string_equal(k.mount, "ext4");
	assert_true(known_find(cache, "/repo\tb", &k));
	assert_string_equal(k.mount, "fuse.rclone");
	assert_false(known_find(cache, "/rep", &k));
	assert_false(known_find(cache, "/repo/", &k));
	known_note(cache, "/repo", &b);
	assert_true(known_find(cache, "/repo", &k));
	assert_string_equal(k.id, b.id);
	assert_false(known_find(NULL, "/repo", &k));
	known_note(NULL, "/repo", &a);

	file = mem_printf("%s/known", cache);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(cache), 0); /* nothing else is left in it */
	free(file);
	free(cache);
	cache = mem_printf("%s/made", dir);
	assert_int_equal(rmdir(cache), 0);
	assert_int_equal(rmdir(dir), 0);
	free(cache);
	mount_type("/proc", k.mount);
	assert_string_equal(k.mount, "proc");
	mount_type("/no/such/folder", k.mount);
	assert_string_equal(k.mount, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_take),
	    cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
