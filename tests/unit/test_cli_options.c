/* Command lines against an option table. */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct option_def table[] = {
    {0, "exclude", "PATTERN", "leave out"},
    {'j', "jobs", "N", "processors"},
    {'x', "one-file-system", NULL, "stay"},
    {0, "keep-last", "N", "keep"},
    {0, "keep-daily", "N", "keep"},
    {0, "keep-tag", "N", "keep"},
    {0},
};

static const struct command backup = {
    .name = "backup",
    .synopsis = "PATH...",
    .options = table,
    .needs = NEED_REPO,
    .min_args = 1,
    .max_args = 2,
};

/* Split at blanks; the words live in a static place until the next call. */
static bool parse(struct options *o, const char *line, struct err *e)
{
	static char copy[256], *argv[32];
	int n = 0;

	strcpy(copy, line);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		argv[n++] = p;
	argv[n] = NULL;
	return options_parse(o, &backup, n, argv, e);
}

static void test_good(void **state)
{
	struct err e = ERR_EMPTY;
	struct options o;
	const char **v;
	long jobs = 9;
	size_t n;

	(void)state;
	/* Options may stand behind arguments; the last of several counts. */
	assert_true(parse(
	    &o, "backup -r /r /a --exclude x --json -j3 --exclude=y /b --jobs 4 -x", &e));
	assert_int_equal(o.n_args, 2);
	assert_string_equal(o.args[0], "/a");
	assert_string_equal(o.args[1], "/b");
	assert_string_equal(options_value(&o, "repo"), "/r");
	assert_true(options_has(&o, "json"));
	assert_false(options_has(&o, "quiet"));
	assert_true(options_has(&o, "one-file-system"));
	assert_null(options_value(&o, "cache-dir"));
	assert_true(options_number(&o, "jobs", 0, 8, &jobs, &e));
	assert_int_equal(jobs, 4);
	v = options_values(&o, "exclude", &n);
	assert_int_equal(n, 2);
	assert_string_equal(v[0], "x");
	assert_string_equal(v[1], "y");
	free(v);
	options_release(&o);

	assert_true(parse(&o, "backup -- -x", &e));
	assert_false(options_has(&o, "one-file-system"));
	assert_string_equal(o.args[0], "-x");
	options_release(&o);

	/* Nothing is missing where help is asked for. */
	assert_true(parse(&o, "backup --help", &e));
	options_release(&o);
}

static void test_bad(void **state)
{
	static const struct {
		const char *line, *says;
	} bad[] = {
	    {"backup", "PATH"}, {"backup a b c", "c"},
	    {"backup a --exclude", "--exclude needs a value"},
	    {"backup a -j", "-j needs a value"},
	    {"backup a --wrong", "unknown option --wrong"},
	    {"backup a -w", "unknown option -w"}, {"backup a -xw", "unknown option -w"},
	    {"backup a --json=1", "takes no value"},
	    {"backup a --keep 3", "--keep may be --keep-last or 2 others"},
	    {"backup a --keep=3", "--keep=3 may be --keep-last or 2 others"},
	    {"backup a b c", "usage: bale backup [OPTIONS] PATH..."},
	    {"backup a --key-file x", "unknown option --key-file"}, /* needs no key */
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err e = ERR_EMPTY;

		assert_false(parse(&o, bad[i].line, &e));
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.text, bad[i].says));
		options_release(&o);
	}
}

static void test_number(void **state)
{
	struct err e = ERR_EMPTY;
	struct options o;
	long n = 7;

	(void)state;
	assert_true(parse(&o, "backup a -j 9", &e));
	assert_false(options_number(&o, "jobs", 0, 8, &n, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.text, "--jobs 9"));
	assert_int_equal(n, 7);
	options_release(&o);
	assert_true(parse(&o, "backup a", &e));
	assert_true(options_number(&o, "jobs", 0, 8, &n, &e));
	assert_int_equal(n, 7);
	options_release(&o);
}

/* No name or letter twice in what a command takes: getopt would see only one. */
static void test_tables(void **state)
{
	(void)state;
	for (size_t c = 0; commands[c]; c++) {
		const struct option_def *seen[64], *d;
		const char *title;
		size_t n = 0;

		for (unsigned i = 0; (d = options_table(commands[c], i, &title)); i++)
			for (; d->name; d++) {
				for (size_t k = 0; k < n; k++) {
					assert_string_not_equal(seen[k]->name, d->name);
					if (d->letter)
						assert_int_not_equal(seen[k]->letter, d->letter);
				}
				seen[n++] = d;
			}
		assert_ptr_equal(command_find(commands[c]->name), commands[c]);
	}
	assert_null(command_find("no-such"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_number),
	    cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
