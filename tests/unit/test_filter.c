/* Filters: the rules one by one, and hundreds of random ones against git's own. */
#include "tree/filter.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/scratch.h"

/* Patterns separated by newlines. The path is below the source "/s". */
static bool excluded(const char *patterns, const char *path, bool is_dir)
{
	struct filter *f = filter_new();
	struct err e = ERR_EMPTY;
	char text[1000], *rest = text, *one;
	bool is;

	snprintf(text, sizeof text, "%s", patterns);
	while ((one = strsep(&rest, "\n")))
		if (!filter_add(f, one, &e))
			fail_msg("%s", e.text);
	snprintf(text, sizeof text, "/s/%s", path);
	is = filter_match(f, span_str(text), 2, is_dir);
	filter_free(f);
	return is;
}

static void test_rules(void **state)
{
	(void)state;
	assert_true(excluded("*.o", "a.o", false));
	assert_true(excluded("*.o", "x/y/a.o", false));
	assert_false(excluded("*.o", "a.o.c", false));
	assert_true(excluded("/a", "a", false));
	assert_false(excluded("/a", "b/a", false));
	assert_true(excluded("a/b", "a/b", false));
	assert_false(excluded("a/b", "x/a/b", false));
	assert_true(excluded("tmp/", "x/tmp", true));
	assert_false(excluded("tmp/", "x/tmp", false));
	assert_false(excluded("*.o\n!keep.o", "keep.o", false));
	assert_true(excluded("*.o\n!keep.o\nkeep.*", "keep.o", false));
	assert_true(excluded("**/b", "b", false));
	assert_true(excluded("a/**", "a/x/y", false));
	assert_false(excluded("a/**", "a", true));
	assert_true(excluded("a/**/b", "a/b", false));
	assert_true(excluded("a/**/b", "a/x/y/b", false));
	assert_false(excluded("a*b", "a/b", false));
	assert_true(excluded("\\!x", "!x", false));
	assert_true(excluded("#x", "#x", false));
	assert_true(excluded("[!a-c]x", "dx", false));
	assert_false(excluded("[!a-c]x", "bx", false));
	assert_true(excluded("[[:digit:]_]", "7", false));
	assert_true(excluded("a\nb", "\xff\n/b", false));
	assert_true(excluded("?", "\xff", false));
}

/* Anchored patterns may also be given as the whole path. */
static void test_absolute(void **state)
{
	struct span root_child = span_str("/a");
	struct filter *f = filter_new();
	struct err e = ERR_EMPTY;

	(void)state;
	assert_true(excluded("/s/a", "a", false));
	assert_true(excluded("/s/a", "s/a", false));
	assert_false(excluded("/s/a", "b/a", false));
	assert_true(excluded("/*/a", "a", false));
	assert_false(excluded("/a\n!/s/a", "a", false));
	assert_true(filter_add(f, "/a", &e));
	assert_true(filter_match(f, root_child, 0, false));
	filter_free(f);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
	    "", "!", "/", "!/", "a[", "[a", "a\\", "[]", "[[:none:]]", "a/[b", "[a\\",
	    ".", "./a", "a/./b", "..", "/a/../b", "!./a"};
	struct filter *f = filter_new();
	struct err e = ERR_EMPTY;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		err_clear(&e);
		assert_false(filter_add(f, bad[i], &e));
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.text, bad[i]));
	}
	assert_false(filter_match(f, span_str("/a"), 0, false));
	filter_free(f);
	filter_free(NULL);
}

static void test_file(void **state)
{
	static const char lines[] = "\xef\xbb\xbf# comment\n\n   \n"
	                            "*.o   \r\nend\\ \n\\#hash\n!keep.o";
	char *top = scratch_new();
	struct filter *f = filter_new();
	struct err e = ERR_EMPTY;

	(void)state;
	scratch_file(top, "good", lines, sizeof lines - 1);
	assert_true(filter_add_file(f, scratch_path(top, "good"), &e));
	assert_true(filter_match(f, span_str("/s/a.o"), 2, false));
	assert_true(filter_match(f, span_str("/s/end "), 2, false));
	assert_true(filter_match(f, span_str("/s/#hash"), 2, false));
	assert_false(filter_match(f, span_str("/s/end"), 2, false));
	assert_false(filter_match(f, span_str("/s/keep.o"), 2, false));
	assert_false(filter_match(f, span_str("/s/# comment"), 2, false));
	scratch_file(top, "bad", "a\nb[\n", 5);
	assert_false(filter_add_file(f, scratch_path(top, "bad"), &e));
	assert_non_null(strstr(e.text, "line 2"));
	assert_false(filter_add_file(f, scratch_path(top, "none"), &e));
	assert_int_equal(e.kind, ERR_MISSING);
	filter_free(f);
	scratch_free(top);
}

/* Many stars must not take exponential time. */
static void test_stars(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = 0;
	assert_false(excluded("*a*a*a*a*a*a*a*a*a*a*a*a*b", name, false));
	for (size_t i = 1; i < sizeof name - 1; i += 2)
		name[i] = '/';
	assert_false(excluded("/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b", name, false));
}

/* --- against git */

static uint32_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void random_pattern(char *out)
{
	static const char *const bits[] = {"a", "b", "ab", "*", "?", "[ab]", "[!a]",
	    "**", "/", "/", "/**/", "**/", "\\a", "\\*", "[a-b]", "[]b]", "[a\\]]", "*b",
	    "[^b-]", "[/a]", "c", "[[:alpha:]]", "[[a]", "[b-a]", "[a-]"};
	unsigned n = 1 + pick(5);

	*out = 0;
	if (pick(4) == 0)
		strcat(out, "!");
	if (pick(3) == 0)
		strcat(out, "/");
	while (n--)
		strcat(out, bits[pick(sizeof bits / sizeof *bits)]);
	if (pick(5) == 0)
		strcat(out, "/");
}

/*
 * `a**` before a slash: by its documentation two stars like one, but git, having compared
 * the plain beginning by itself, takes them for a component of their own.
 */
static bool is_odd(const char *pattern)
{
	const char *p = pattern + (*pattern == '!');
	const char *stars = strstr(p, "**");

	for (; stars; stars = strstr(stars, "**")) {
		if (stars > p && stars[-1] != '/')
			return true;
		stars += strspn(stars, "*");
	}
	return false;
}

static void random_path(char *out)
{
	static const char *const bits[] = {
	    "a", "b", "ab", "c", "*", "-", "ba", "]", "[", "aab"};
	unsigned parts = 1 + pick(4), n;

	*out = 0;
	while (parts--) {
		for (n = 1 + pick(2); n > 0; n--)
			strcat(out, bits[pick(sizeof bits / sizeof *bits)]);
		if (parts)
			strcat(out, "/");
	}
}

/* Whether it or a directory it is in is excluded: what git answers, and a walk does. */
static bool filter_says(const struct filter *f, const char *path)
{
	char whole[256];
	size_t n;

	snprintf(whole, sizeof whole, "/%s", path);
	for (n = 1; whole[n]; n++)
		if (whole[n] == '/' && filter_match(f, span_of(whole, n), 0, true))
			return true;
	return filter_match(f, span_of(whole, n), 0, false);
}

/* One set of patterns on many paths; git reads them from files in top. */
static void compare_once(const char *top, unsigned number)
{
	char patterns[300] = "", one[64], path[64], command[512], *rest;
	struct filter *f = filter_new();
	struct err e = ERR_EMPTY;
	unsigned n = 1 + pick(3), i;
	FILE *paths = fopen(scratch_path(top, "../paths"), "w"), *git;
	bool theirs;

	while (n > 0) {
		random_pattern(one);
		if (is_odd(one) || !filter_add(f, one, &e))
			continue; /* git takes also what can never match */
		strcat(strcat(patterns, one), "\n");
		n--;
	}
	scratch_file(top, ".gitignore", patterns, strlen(patterns));
	for (i = 0; i < 60; i++) {
		random_path(path);
		fprintf(paths, "%s\n", path);
	}
	fclose(paths);
	snprintf(command, sizeof command,
	    "cd %s && GIT_CONFIG_GLOBAL=/dev/null git check-ignore --no-index -v -n "
	    "--stdin <../paths", top);
	git = popen(command, "r");
	for (i = 0; fgets(command, sizeof command, git); i++) {
		command[strcspn(command, "\n")] = 0;
		rest = strchr(command, '\t') + 1;
		/* ".gitignore:line:pattern", or "::" where nothing matched */
		theirs = command[0] != ':' &&
		         strchr(strchr(command, ':') + 1, ':')[1] != '!';
		if (rest[0] == '"')
			continue;
		if (theirs != filter_says(f, rest))
			fail_msg("case %u: %s of\n%sis %sexcluded by git", number, rest,
			    patterns, theirs ? "" : "not ");
	}
	pclose(git);
	assert_int_equal(i, 60);
	filter_free(f);
}

static void test_git(void **state)
{
	char *top = scratch_new(), command[300];
	unsigned i;

	(void)state;
	seed = getenv("SEED") ? (uint32_t)atoi(getenv("SEED")) : 12345;
	snprintf(command, sizeof command, "git init -q %s/repo >/dev/null 2>&1", top);
	if (system(command) != 0) {
		scratch_free(top);
		skip();
	}
	for (i = 0; i < 150; i++)
		compare_once(scratch_path(top, "repo"), i);
	scratch_free(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_absolute),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_stars),
	    cmocka_unit_test(test_git),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
