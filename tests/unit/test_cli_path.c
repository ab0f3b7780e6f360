/* Paths made absolute, compared, and told from addresses. */
#include "cli/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static void check(const char *path, const char *top, const char *want)
{
	char *got = path_absolute(path), *whole = mem_printf("%s%s", top, want);

	assert_string_equal(got, whole);
	free(got);
	free(whole);
}

static void test_absolute(void **state)
{
	char dir[] = "/tmp/bale-path-XXXXXX", before[4096], *real, *link;

	(void)state;
	assert_non_null(mkdtemp(dir));
	real = realpath(dir, NULL);
	link = mem_printf("%s/link", dir);
	assert_int_equal(symlink(".", link), 0);
	assert_non_null(getcwd(before, sizeof before));
	assert_int_equal(chdir(dir), 0);
	check(".", real, "");
	check("link", real, "");
	check("link/link/", real, "");
	/* What is not there yet, or not mounted, stands where it will. */
	check("repo", real, "/repo");
	check("link/repo/", real, "/repo");
	check("not/there", real, "/not/there");
	check("/no-such-folder/x", "", "/no-such-folder/x");
	assert_int_equal(chdir(before), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(dir), 0);
	free(link);
	free(real);
}

static void test_within(void **state)
{
	(void)state;
	assert_true(path_within("/mnt/repo", "/mnt/repo"));
	assert_true(path_within("/mnt/repo/data", "/mnt/repo"));
	assert_true(path_within("/mnt/repo/data", "/mnt/repo/"));
	assert_false(path_within("/mnt/repo2", "/mnt/repo"));
	assert_false(path_within("/mnt", "/mnt/repo"));
	assert_true(path_within("/mnt", "/"));
}

static void test_is_address(void **state)
{
	static const char *const yes[] = {"sftp:user@host:/x", "rclone:remote:x", "host:x",
	    "ssh://host/x", "s3:s3.host/bucket", "user@host:/x"};
	static const char *const no[] = {
	    "/mnt/a:b", "./a:b", "../a:b", "repo", "a/b:c", "", "/"};

	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		assert_true(path_is_address(yes[i]));
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(path_is_address(no[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_absolute),
	    cmocka_unit_test(test_within),
	    cmocka_unit_test(test_is_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
