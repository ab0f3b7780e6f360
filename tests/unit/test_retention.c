/*
 * Which snapshots a policy keeps: tables by hand, and a model that looks at it otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/retention.h"

#define SECOND INT64_C(1000000000)
#define MOST   64

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

/* "2026-10-25 01:30" or with seconds, UTC. */
static int64_t at(const char *text)
{
	struct tm tm = {0};
	char *end = strptime(text, "%Y-%m-%d %H:%M", &tm);

	assert_non_null(end);
	if (*end == ':')
		assert_non_null(strptime(end, ":%S", &tm));
	return (int64_t)timegm(&tm) * SECOND;
}

/* --- tables */

struct row {
	const char *start; /* UTC */
	const char *why;   /* reasons joined by "; " */
	bool keep;
	const char *set, *tags; /* NULL: "s", none; tags separated by blanks */
	bool pinned;
};

struct table {
	struct retention p;
	const char *now; /* NULL: 2099 */
	struct row rows[MOST];
};

#define KEPT(at, reasons, ...) {.start = at, .why = reasons, .keep = true, ##__VA_ARGS__}
#define GONE(at, reasons, ...) {.start = at, .why = reasons, .keep = false, ##__VA_ARGS__}

static void add_words(struct string_list *l, const char *words)
{
	while (words && *words) {
		size_t n = strcspn(words, " ");

		string_list_add(l, span_of(words, n));
		words += n + (words[n] == ' ');
	}
}

static void join(const struct string_list *l, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, "%s%s", i ? "; " : "", l->v[i]);
}

static void check(const struct table *t)
{
	struct candidate v[MOST];
	struct string_list tags[MOST];
	struct err e = ERR_EMPTY;
	struct buf why = BUF_EMPTY;
	size_t n = 0;

	memset(tags, 0, sizeof tags);
	for (; t->rows[n].start; n++) {
		const struct row *r = &t->rows[n];

		add_words(&tags[n], r->tags);
		v[n] = (struct candidate){.name = r->start, .set = r->set ? r->set : "s",
		    .start = at(r->start), .tags = &tags[n], .pinned = r->pinned};
	}
	if (!retention_apply(&t->p, at(t->now ? t->now : "2099-01-01 00:00"), v, n, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++) {
		join(&v[i].reasons, &why);
		if (v[i].keep != t->rows[i].keep || strcmp(buf_str(&why), t->rows[i].why) != 0)
			fail_msg("%s: %s for \"%s\"", v[i].name, v[i].keep ? "kept" : "removed",
			    buf_str(&why));
		string_list_release(&v[i].reasons);
		string_list_release(&tags[i]);
	}
	buf_release(&why);
}

static void counts(void **state)
{
	(void)state;
	set_zone("UTC");
	check(&(struct table){.p = {.count = {[KEEP_LAST] = 2}}, .rows = {
	    KEPT("2026-01-03 10:00", "last 1"),
	    GONE("2026-01-01 10:00", "beyond last 2"),
	    KEPT("2026-01-02 10:00", "last 2"),
	}});
	check(&(struct table){.p = {.count = {[KEEP_DAILY] = 2}}, .rows = {
	    KEPT("2026-01-03 10:00", "daily 1"),
	    GONE("2026-01-03 09:00", "same day as 2026-01-03 10:00"),
	    KEPT("2026-01-01 23:59", "daily 2"), /* days without a snapshot do not count */
	    GONE("2026-01-01 00:00", "beyond daily 2"),
	}});
	check(&(struct table){.p = {.count = {[KEEP_HOURLY] = 1, [KEEP_MONTHLY] = 2}},
	    .rows = {
	        KEPT("2026-03-01 00:00", "hourly 1; monthly 1"),
	        KEPT("2026-02-28 23:59", "monthly 2"),
	        GONE("2026-02-01 00:00", "beyond hourly 1; beyond monthly 2"),
	    }});
	check(&(struct table){.p = {.count = {[KEEP_YEARLY] = KEEP_UNLIMITED}}, .rows = {
	    KEPT("2026-03-01 00:00", "yearly 1"),
	    GONE("2026-01-01 00:00", "same year as 2026-03-01 00:00"),
	    KEPT("2025-12-31 23:59", "yearly 2"),
	    KEPT("1969-12-31 23:59", "yearly 3"),
	    KEPT("1969-01-01 00:00", "yearly 4 (oldest)"),
	}});
}

/* A count that is not reached keeps the oldest, one that is reached does not. */
static void oldest(void **state)
{
	(void)state;
	set_zone("UTC");
	check(&(struct table){.p = {.count = {[KEEP_DAILY] = 3}}, .rows = {
	    KEPT("2026-01-02 10:00", "daily 1"),
	    KEPT("2026-01-01 12:00", "daily 2"),
	    GONE("2026-01-01 11:00", "same day as 2026-01-01 12:00"),
	    KEPT("2026-01-01 10:00", "daily 3 (oldest)"),
	}});
	check(&(struct table){.p = {.count = {[KEEP_DAILY] = 2}}, .rows = {
	    KEPT("2026-01-02 10:00", "daily 1"),
	    KEPT("2026-01-01 12:00", "daily 2"),
	    GONE("2026-01-01 10:00", "beyond daily 2"),
	}});
}

/* 2026 has 53 weeks: the last one from 28 December to 3 January. */
static void weeks(void **state)
{
	(void)state;
	set_zone("UTC");
	check(&(struct table){.p = {.count = {[KEEP_WEEKLY] = 3}}, .rows = {
	    KEPT("2027-01-04 00:00", "weekly 1"),
	    KEPT("2027-01-03 23:59", "weekly 2"),
	    GONE("2027-01-01 00:00", "same week as 2027-01-03 23:59"),
	    GONE("2026-12-28 00:00", "same week as 2027-01-03 23:59"),
	    KEPT("2026-12-27 23:59", "weekly 3"),
	    GONE("2026-12-21 00:00", "beyond weekly 3"),
	}});
	check(&(struct table){.p = {.count = {[KEEP_WEEKLY] = 2}}, .rows = {
	    KEPT("1970-01-04 12:00", "weekly 1"), /* a Sunday */
	    GONE("1969-12-29 12:00", "same week as 1970-01-04 12:00"),
	    KEPT("1969-12-28 12:00", "weekly 2"),
	}});
}

static void leap_years(void **state)
{
	(void)state;
	set_zone("UTC");
	check(&(struct table){.p = {.count = {[KEEP_DAILY] = 3}}, .rows = {
	    KEPT("2028-03-01 00:00", "daily 1"),
	    KEPT("2028-02-29 12:00", "daily 2"),
	    KEPT("2028-02-28 12:00", "daily 3"),
	    GONE("2028-02-27 12:00", "beyond daily 3"),
	}});
	check(&(struct table){.p = {.within = {[KEEP_LAST] = {.years = 1}}}, .rows = {
	    KEPT("2028-02-29 12:00", "within 1y"),
	    KEPT("2027-02-28 12:00", "within 1y"),
	    GONE("2027-02-28 11:59", "not within 1y"),
	}});
	check(&(struct table){.p = {.within = {[KEEP_LAST] = {.months = 1, .days = 1}}},
	    .rows = {
	        KEPT("2028-03-31 12:00", "within 1m1d"),
	        KEPT("2028-02-28 12:00", "within 1m1d"),
	        GONE("2028-02-28 11:59", "not within 1m1d"),
	    }});
}

static void daylight_saving(void **state)
{
	(void)state;
	set_zone("Europe/Berlin");
	/* 25 October 2026 has 25 hours; two of them are shown as 2 o'clock. */
	check(&(struct table){.p = {.count = {[KEEP_HOURLY] = 3}}, .rows = {
	    KEPT("2026-10-25 01:59", "hourly 1"),
	    GONE("2026-10-25 01:00", "same hour as 2026-10-25 01:59"),
	    KEPT("2026-10-25 00:59", "hourly 2"),
	    GONE("2026-10-25 00:00", "same hour as 2026-10-25 00:59"),
	    KEPT("2026-10-24 23:59", "hourly 3"),
	    GONE("2026-10-24 22:00", "beyond hourly 3"),
	}});
	check(&(struct table){.p = {.count = {[KEEP_DAILY] = 2}}, .rows = {
	    KEPT("2026-10-25 22:59", "daily 1"), /* 23:59 */
	    GONE("2026-10-24 22:00", "same day as 2026-10-25 22:59"), /* 00:00 */
	    KEPT("2026-10-24 21:59", "daily 2"),
	    GONE("2026-10-23 22:00", "beyond daily 2"),
	}});
	/* 29 March 2026 has 23: a day back is not 24 hours. */
	check(&(struct table){.p = {.within = {[KEEP_LAST] = {.days = 1}}}, .rows = {
	    KEPT("2026-03-29 10:00", "within 1d"),
	    KEPT("2026-03-28 11:00", "within 1d"),
	    GONE("2026-03-28 10:59:59", "not within 1d"),
	}});
	check(&(struct table){.p = {.within = {[KEEP_LAST] = {.hours = 24}}}, .rows = {
	    KEPT("2026-03-29 10:00", "within 24h"),
	    KEPT("2026-03-28 10:00", "within 24h"),
	    GONE("2026-03-28 09:59:59", "not within 24h"),
	}});
	check(&(struct table){.p = {.count = {[KEEP_MONTHLY] = 2}}, .rows = {
	    KEPT("2026-03-31 22:00", "monthly 1"), /* 1 April */
	    KEPT("2026-03-31 21:59", "monthly 2"),
	    GONE("2026-02-28 23:00", "beyond monthly 2"), /* 1 March */
	}});
}

static void stretches(void **state)
{
	(void)state;
	set_zone("UTC");
	check(&(struct table){
	    .p = {.within = {[KEEP_DAILY] = {.weeks = 1}, [KEEP_YEARLY] = {.years = 2}}},
	    .rows = {
	        KEPT("2026-06-10 12:00", "daily within 1w; yearly within 2y"),
	        GONE("2026-06-10 11:00",
	            "same day as 2026-06-10 12:00; same year as 2026-06-10 12:00"),
	        KEPT("2026-06-03 12:00", "daily within 1w"),
	        KEPT("2025-06-03 12:00", "yearly within 2y"),
	        KEPT("2024-06-10 12:00", "yearly within 2y"),
	        GONE("2023-06-10 12:00", "not within 1w; not within 2y"),
	    }});
}

static void future(void **state)
{
	(void)state;
	set_zone("UTC");
	check(&(struct table){.now = "2026-06-10 12:00",
	    .p = {.count = {[KEEP_LAST] = 1}, .within = {[KEEP_LAST] = {.days = 1}}},
	    .rows = {
	        KEPT("2036-06-10 12:00", "in the future"),
	        KEPT("2026-06-10 12:00:01", "in the future; pinned", .pinned = true),
	        KEPT("2026-06-10 12:00", "last 1; within 1d"),
	        KEPT("2026-06-09 12:00", "within 1d"),
	        GONE("2026-06-08 12:00", "beyond last 1; not within 1d"),
	        KEPT("2026-06-10 12:01", "in the future", .set = "other"),
	    }});
}

static void tags_and_pins(void **state)
{
	struct table t = {.rows = {
	    KEPT("2026-06-10 12:00", "tag a", .tags = "x a"),
	    KEPT("2026-06-09 12:00", "tag b,c", .tags = "c b"),
	    GONE("2026-06-08 12:00", "no rule keeps it", .tags = "b"),
	    KEPT("2026-06-07 12:00", "pinned", .pinned = true),
	    KEPT("2026-06-06 12:00", "tag a; tag b,c; pinned", .tags = "a b c",
	        .pinned = true),
	    GONE("2026-06-05 12:00", "no rule keeps it"),
	}};

	(void)state;
	set_zone("UTC");
	string_list_add(&t.p.tags, span_str("a"));
	string_list_add(&t.p.tags, span_str("b,c"));
	check(&t);
	retention_release(&t.p);
}

static void sets(void **state)
{
	(void)state;
	set_zone("UTC");
	check(&(struct table){.p = {.count = {[KEEP_LAST] = 1}}, .rows = {
	    KEPT("2026-06-10 12:00", "last 1", .set = "a"),
	    KEPT("2026-06-09 12:00", "last 1", .set = "b"),
	    GONE("2026-06-08 12:00", "beyond last 1", .set = "a"),
	    GONE("2026-06-07 12:00", "beyond last 1", .set = "b"),
	    KEPT("2020-06-07 12:00", "last 1", .set = "c"),
	}});
}

static void refused(void **state)
{
	struct string_list tags = {0};
	struct candidate v[2] = {
	    {.name = "a", .set = "home", .start = 1, .tags = &tags},
	    {.name = "b", .set = "home", .start = 2, .tags = &tags},
	};
	struct retention p = {.count = {0}};
	struct err e = ERR_EMPTY;

	(void)state;
	assert_false(retention_apply(&p, 10, v, 2, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.text, "--keep"));
	string_list_add(&p.tags, span_str("x"));
	assert_false(retention_apply(&p, 10, v, 2, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.text, "home"));
	for (int i = 0; i < 2; i++) {
		string_list_release(&v[i].reasons);
		v[i].reasons = (struct string_list){0};
	}
	v[1].pinned = true;
	assert_true(retention_apply(&p, 10, v, 2, &e));
	assert_false(v[0].keep);
	for (int i = 0; i < 2; i++)
		string_list_release(&v[i].reasons);
	assert_true(retention_apply(&p, 10, v, 0, &e));
	retention_release(&p);
}

static void parsing(void **state)
{
	static const char *const bad_counts[] = {
	    "", "0", "-1", "1x", "x", "123456", "unlimite"};
	static const char *const bad_stretches[] = {
	    "", "0d", "1", "d", "1x", "1d1d", "-1d", "1d ", "123456d", "1y0"};
	struct stretch s;
	uint32_t n;

	(void)state;
	assert_true(retention_parse_count("7", &n) && n == 7);
	assert_true(retention_parse_count("99999", &n) && n == 99999);
	assert_true(retention_parse_count("unlimited", &n) && n == KEEP_UNLIMITED);
	for (size_t i = 0; i < sizeof bad_counts / sizeof *bad_counts; i++)
		assert_false(retention_parse_count(bad_counts[i], &n));
	assert_true(retention_parse_stretch("1y5m2w7d3h", &s));
	assert_int_equal(s.years, 1);
	assert_int_equal(s.months, 5);
	assert_int_equal(s.weeks, 2);
	assert_int_equal(s.days, 7);
	assert_int_equal(s.hours, 3);
	assert_true(retention_parse_stretch("36h", &s));
	assert_int_equal(s.hours, 36);
	assert_int_equal(s.years + s.months + s.weeks + s.days, 0);
	for (size_t i = 0; i < sizeof bad_stretches / sizeof *bad_stretches; i++)
		assert_false(retention_parse_stretch(bad_stretches[i], &s));
}

/* --- the model: a rule at a time, periods by what strftime calls them */

static const char *const labels[] = {
    NULL, "%Y-%m-%d %H %z", "%Y-%m-%d", "%G-%V", "%Y-%m", "%Y"};

static void label_of(int kind, int64_t ns, size_t number, char out[64])
{
	time_t t = (time_t)(ns / SECOND);
	struct tm tm;

	localtime_r(&t, &tm);
	if (labels[kind])
		strftime(out, 64, labels[kind], &tm);
	else
		snprintf(out, 64, "%zu", number);
}

static time_t model_before(const struct stretch *s, int64_t ns)
{
	time_t t = (time_t)(ns / SECOND);
	struct tm tm, probe;
	unsigned i;

	localtime_r(&t, &tm);
	tm.tm_year -= (int)s->years;
	for (i = 0; i < s->months; i++)
		if (tm.tm_mon-- == 0) {
			tm.tm_mon = 11;
			tm.tm_year--;
		}
	for (;; tm.tm_mday--) {
		probe = (struct tm){
		    .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
		timegm(&probe);
		if (probe.tm_mon == tm.tm_mon)
			break;
	}
	for (i = 0; i < s->days + 7 * s->weeks; i++)
		tm.tm_mday--;
	tm.tm_isdst = -1;
	return mktime(&tm) - (time_t)s->hours * 3600;
}

/* v is of one set, the newest first, none in the future. */
static void model(
    const struct retention *p, const struct candidate *v, size_t n, bool *keep)
{
	char mine[64], other[64];

	for (size_t i = 0; i < n; i++) {
		keep[i] = v[i].pinned;
		for (int kind = 0; kind < KEEP_KINDS; kind++) {
			unsigned before = 0, all = 0;
			bool newest = true;

			label_of(kind, v[i].start, i, mine);
			for (size_t k = 0; k < n; k++) {
				bool first = true;

				label_of(kind, v[k].start, k, other);
				if (k < i && strcmp(mine, other) == 0)
					newest = false;
				for (size_t j = 0; j < k; j++) {
					char third[64];

					label_of(kind, v[j].start, j, third);
					first = first && strcmp(third, other) != 0;
				}
				all += first;
				before += first && k < i;
			}
			if (newest && before < p->count[kind])
				keep[i] = true;
			if (i + 1 == n && all < p->count[kind])
				keep[i] = true;
			if (newest && memcmp(&p->within[kind], &(struct stretch){0},
			                  sizeof(struct stretch)) != 0 &&
			    v[i].start / SECOND >= model_before(&p->within[kind], v[0].start))
				keep[i] = true;
		}
	}
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void make_policy(struct retention *p, uint64_t *x)
{
	*p = (struct retention){.count = {0}};
	p->count[next_random(x) % KEEP_KINDS] = 1; /* never none */
	for (int kind = 0; kind < KEEP_KINDS; kind++) {
		uint32_t *s = (uint32_t *)&p->within[kind];

		if (next_random(x) % 3 == 0)
			p->count[kind] = next_random(x) % 8 == 0
			    ? KEEP_UNLIMITED : (uint32_t)(next_random(x) % 12);
		if (next_random(x) % 5 == 0)
			s[next_random(x) % 5] = (uint32_t)(next_random(x) % 30);
		if (next_random(x) % 9 == 0)
			s[next_random(x) % 5] = (uint32_t)(next_random(x) % 30);
	}
	p->count[KEEP_LAST] += p->count[KEEP_LAST] == 0 && next_random(x) % 2;
}

static int newest_first(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

static void against_model(void **state)
{
	static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York",
	    "Australia/Lord_Howe", "Pacific/Apia"};
	static const int64_t days[] = {1, 40, 800, 8000};
	uint64_t x = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 250; round++) {
		struct string_list none = {0};
		struct candidate v[40];
		int64_t starts[40];
		char names[40][8];
		struct retention p;
		bool keep[40];
		struct err e = ERR_EMPTY;
		size_t n = 1 + next_random(&x) % 40;
		int64_t length = days[next_random(&x) % 4] * 86400, from;

		set_zone(zones[round % 5]);
		/* Around a change of the clocks, or the turn of a year. */
		from = at(round % 2 ? "2026-10-25 12:00" : "2029-01-02 12:00") / SECOND;
		make_policy(&p, &x);
		for (size_t i = 0; i < n; i++)
			starts[i] = (from - (int64_t)(next_random(&x) % (uint64_t)length)) * SECOND;
		qsort(starts, n, sizeof *starts, newest_first);
		for (size_t i = 0; i < n; i++) {
			snprintf(names[i], sizeof names[i], "%02zu", 99 - i);
			v[i] = (struct candidate){.name = names[i], .set = "s", .start = starts[i],
			    .tags = &none, .pinned = next_random(&x) % 20 == 0};
		}
		model(&p, v, n, keep);
		if (!retention_apply(&p, from * SECOND + 1, v, n, &e)) {
			for (size_t i = 0; i < n; i++)
				assert_false(keep[i]);
		} else {
			for (size_t i = 0; i < n; i++)
				if (v[i].keep != keep[i])
					fail_msg("round %d: %zu of %zu", round, i, n);
		}
		for (size_t i = 0; i < n; i++)
			string_list_release(&v[i].reasons);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts),
	    cmocka_unit_test(oldest),
	    cmocka_unit_test(weeks),
	    cmocka_unit_test(leap_years),
	    cmocka_unit_test(daylight_saving),
	    cmocka_unit_test(stretches),
	    cmocka_unit_test(future),
	    cmocka_unit_test(tags_and_pins),
	    cmocka_unit_test(sets),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(parsing),
	    cmocka_unit_test(against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
