/* What users call snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "band/bands.h"
#include "tests/support/band_make.h"
#include "tests/support/repo_make.h"

#define NOV18 1794960000 /* 2026-11-18T00:00:00Z */
#define HOUR  3600
#define DAY   86400

static struct env *env;
static struct repo *repo;
static struct bands bands;
static char torn[NAME_MAX_LEN + 1];

/* By counter: when it began, its set, and how far it came. */
static const struct {
	int64_t start;
	const char *set;
	enum band_file state;
	enum band_kind kind;
} made[] = {
	{NOV18 - 40 * DAY, "home", BAND_TAIL, BAND_BACKUP},
	{NOV18 - 2 * DAY + 2 * HOUR, "home", BAND_TAIL, BAND_BACKUP},
	{NOV18 - 2 * DAY + 3 * HOUR, "mail", BAND_TAIL, BAND_BACKUP},
	{NOV18 - HOUR, "home", BAND_TAIL, BAND_BACKUP}, /* the 18th at 00:00 in +1 */
	{NOV18 + HOUR, "home", BAND_REMOVED, BAND_BACKUP},
	{NOV18 + 2 * HOUR, "home", BAND_FENCE, BAND_BACKUP},
	{NOV18 + 3 * HOUR, "", BAND_TAIL, BAND_VACUUM},
	{NOV18 + 4 * HOUR, "home", BAND_PART, BAND_BACKUP},
};

#define MADE (sizeof made / sizeof *made)

/* The counter of what the text means; 0, with the error, where nothing. */
static uint64_t resolve(const char *text, struct err *e)
{
	struct band_info *info;
	enum band_file kind;
	struct band b;
	uint64_t counter = 0;

	err_clear(e);
	if (snapshot_resolve(repo, &bands, span_str(text), &info, &kind, &b, e)) {
		assert_string_equal(b.name.text, info->name.text);
		counter = info->name.counter;
	}
	band_release(&b);
	return counter;
}

static void gives(const char *text, uint64_t counter)
{
	struct err e;
	uint64_t got = resolve(text, &e);

	if (got != counter)
		fail_msg("%s is %d: %s", text, (int)got, e.text);
}

static void fails(const char *text, enum err_kind kind, const char *says)
{
	struct err e;

	if (resolve(text, &e))
		fail_msg("%s is found", text);
	if (e.kind != kind || !strstr(e.text, says))
		fail_msg("%s: kind %d: %s", text, e.kind, e.text);
}

static void test_latest(void **state)
{
	(void)state;
	gives("latest", 4);
	gives("latest~0", 4);
	gives("latest~1", 3);
	gives("latest~3", 1);
	fails("latest~4", ERR_MISSING, "only 4");
	fails("latest~99999999999999999999", ERR_MISSING, "home");
	gives("latest@2026-11-16", 3);
}

static void test_sets(void **state)
{
	(void)state;
	gives("home", 4);
	gives("home~1", 2);
	gives("home~2", 1);
	gives("mail", 3);
	fails("home~3", ERR_MISSING, "only 3");
	fails("homer", ERR_MISSING, "home, mail");
	fails("", ERR_USAGE, "which snapshot");
	fails("~1", ERR_USAGE, "which snapshot");
}

static void test_dates(void **state)
{
	(void)state;
	/* One hour east of Greenwich. */
	gives("home@2026", 4);
	gives("home@2026-11-18", 4);
	gives("home@2026-11-17", 2);
	gives("home@2026-11-18T00:00", 4);
	gives("home@2026-11-18T00:00:00", 4);
	gives("home@2026-11-17T23:59:59", 2);
	gives("home@2026-11-16T03:00", 2);
	gives("home@2026-11-16T02:59", 1);
	gives("home@2026-10", 1);
	fails("home@2026-09", ERR_MISSING, "all 3 are younger");
	fails("mail@2025", ERR_MISSING, "the only one is younger");
	fails("none@2025", ERR_MISSING, "home, mail");
	fails("home@2026-11-31", ERR_USAGE, "not a date");
	fails("home@2026-13", ERR_USAGE, "not a date");
	fails("home@2026-11-18T24:00", ERR_USAGE, "not a date");
	fails("home@2026-11-18T10", ERR_USAGE, "not a date");
	fails("home@yesterday", ERR_USAGE, "not a date");
	fails("home@", ERR_USAGE, "not a date");
	fails("@2026", ERR_USAGE, "which snapshot");
}

static void test_prefixes(void **state)
{
	char full[BAND_MAX_LEN + 1];

	(void)state;
	snprintf(full, sizeof full, "20261117230000-%s-4", TEST_CLIENT);
	gives(full, 4);
	gives("20261117", 4);
	gives("20261009", 1);
	/* Unfinished ones too, but nothing that is removed, nor a vacuum. */
	gives("2026111802", 6);
	gives("2026111804", 8);
	fails("2026111801", ERR_MISSING, "no snapshot");
	fails("2026111803", ERR_MISSING, "vacuum");
	fails("20261116", ERR_USAGE, "20261116020000-" TEST_CLIENT "-2, 20261116030000");
	fails("202", ERR_MISSING, "no snapshot");
}

/* "latest" is never an older one because the newest cannot be read. */
static void test_unreadable(void **state)
{
	struct repo *keep = repo;

	(void)state;
	repo = repo_reopen(store_mem_clone(keep->store), env);
	store_replace(repo->store, "bands", torn, span_str("{"));
	fails("latest", ERR_CORRUPT, "20261117230000");
	fails("home~1", ERR_CORRUPT, "20261117230000");
	gives("20261009", 1);
	repo_close(repo);
	repo = keep;
}

static void test_nothing(void **state)
{
	struct repo *keep = repo;
	struct bands all = bands;

	(void)state;
	repo = repo_make(store_mem_new(env), env, false);
	bands = (struct bands){0};
	fails("latest", ERR_MISSING, "has none");
	fails("home@2026", ERR_MISSING, "has none");
	repo_close(repo);
	repo = keep;
	bands = all;
}

static void test_split(void **state)
{
	static const struct {
		const char *arg, *snap, *path;
	} cases[] = {
		{"latest", "latest", "/"},
		{"latest:/", "latest", "/"},
		{"latest:/home/ana", "latest", "/home/ana"},
		{"latest:/home/ana//", "latest", "/home/ana"},
		{"home@2026-11-18T02:10:/etc", "home@2026-11-18T02:10", "/etc"},
		{"home@2026-11-18T02:10", "home@2026-11-18T02:10", "/"},
		{"a:/b:/c", "a", "/b:/c"},
		{"a:b", "a:b", "/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span snap, path;

		snapshot_split(cases[i].arg, &snap, &path);
		assert_true(span_equal(snap, span_str(cases[i].snap)));
		assert_true(span_equal(path, span_str(cases[i].path)));
	}
}

static int make_all(void **state)
{
	struct err e;

	(void)state;
	setenv("TZ", "UTC-1", 1);
	tzset();
	env = env_fixed_new(NOV18 * INT64_C(1000000000), 1000, 7);
	repo = repo_make(store_mem_new(env), env, true);
	for (size_t i = 0; i < MADE; i++) {
		struct band b;

		band_start(&b, made[i].start, i + 1, made[i].set);
		b.kind = made[i].kind;
		band_store(repo, &b, BAND_HEAD, NULL);
		if (made[i].state == BAND_PART) {
			b.part = 1;
			band_store(repo, &b, BAND_PART, NULL);
		} else if (made[i].state != BAND_FENCE) {
			band_store(repo, &b, BAND_TAIL, i == 3 ? torn : NULL);
		}
		if (made[i].state == BAND_REMOVED || made[i].state == BAND_FENCE)
			band_mark(repo, &b, made[i].state, NULL);
		band_release(&b);
	}
	return bands_list(repo, &bands, &e) ? 0 : -1;
}

static int drop_all(void **state)
{
	(void)state;
	bands_release(&bands);
	repo_close(repo);
	env_fixed_free(env);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latest),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, make_all, drop_all);
}
