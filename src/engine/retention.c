/*
 * One pass over each set from its newest snapshot to its oldest, with a cursor for each
 * rule that knows the period it filled last. Periods are numbers that are equal for two
 * moments just where both lie in the same one. An hour is known by its beginning, not by
 * what the clock shows: in autumn one hour is shown twice.
 */
#include "engine/retention.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define SECOND INT64_C(1000000000)
#define DAY    86400

static const char *const names[] = {
    "last", "hourly", "daily", "weekly", "monthly", "yearly"};
static const char *const periods[] = {"", "hour", "day", "week", "month", "year"};

const char *keep_name(enum keep kind)
{
	return names[kind];
}

void retention_release(struct retention *p)
{
	string_list_release(&p->tags);
}

/* --- reading */

/* At most five digits, which is more of any unit than anybody keeps. */
static bool take_number(const char **s, uint32_t *out)
{
	const char *p = *s;

	for (*out = 0; *p >= '0' && *p <= '9' && p - *s < 5; p++)
		*out = *out * 10 + (uint32_t)(*p - '0');
	if (p == *s)
		return false;
	*s = p;
	return true;
}

bool retention_parse_count(const char *text, uint32_t *out)
{
	if (strcmp(text, "unlimited") == 0) {
		*out = KEEP_UNLIMITED;
		return true;
	}
	return take_number(&text, out) && *text == '\0' && *out > 0;
}

static uint32_t *unit_of(struct stretch *s, char letter)
{
	switch (letter) {
	case 'y':
		return &s->years;
	case 'm':
		return &s->months;
	case 'w':
		return &s->weeks;
	case 'd':
		return &s->days;
	case 'h':
		return &s->hours;
	}
	return NULL;
}

static bool stretch_given(const struct stretch *s)
{
	return s->years || s->months || s->weeks || s->days || s->hours;
}

bool retention_parse_stretch(const char *text, struct stretch *out)
{
	char seen[6] = "";

	*out = (struct stretch){0};
	while (*text) {
		uint32_t n, *unit;

		if (!take_number(&text, &n) || !*text || strchr(seen, *text) ||
		    !(unit = unit_of(out, *text)))
			return false;
		seen[strlen(seen)] = *text++;
		*unit = n;
	}
	return stretch_given(out);
}

static void stretch_print(const struct stretch *s, struct buf *out)
{
	if (s->years)
		buf_printf(out, "%uy", s->years);
	if (s->months)
		buf_printf(out, "%um", s->months);
	if (s->weeks)
		buf_printf(out, "%uw", s->weeks);
	if (s->days)
		buf_printf(out, "%ud", s->days);
	if (s->hours)
		buf_printf(out, "%uh", s->hours);
}

/* --- the calendar */

/* Rounded down, before 1970 too. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t seconds_of(int64_t ns)
{
	return floor_div(ns, SECOND);
}

static bool leap_year(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month] + (month == 1 && leap_year(year));
}

/* A month back from the 31st of one is the last day of a shorter one. */
static int64_t stretch_before(const struct stretch *s, int64_t t)
{
	time_t from = (time_t)t;
	struct tm tm;
	int64_t month;
	int last;

	localtime_r(&from, &tm);
	month = (tm.tm_year + INT64_C(1900) - s->years) * 12 + tm.tm_mon - s->months;
	tm.tm_year = (int)(floor_div(month, 12) - 1900);
	tm.tm_mon = (int)(month - floor_div(month, 12) * 12);
	last = month_days(tm.tm_year + INT64_C(1900), tm.tm_mon);
	if (tm.tm_mday > last)
		tm.tm_mday = last;
	tm.tm_mday -= (int)(s->days + s->weeks * 7);
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) - (int64_t)s->hours * 3600;
}

static int64_t period_of(enum keep kind, int64_t t, size_t number)
{
	time_t at = (time_t)t;
	int64_t local, day;
	struct tm tm;

	localtime_r(&at, &tm);
	local = t + tm.tm_gmtoff;
	day = floor_div(local, DAY);
	switch (kind) {
	case KEEP_LAST:
		break;
	case KEEP_HOURLY:
		return t - (local - floor_div(local, 3600) * 3600);
	case KEEP_DAILY:
		return day;
	case KEEP_WEEKLY:
		return floor_div(day + 3, 7); /* 1970 began on a Thursday */
	case KEEP_MONTHLY:
		return tm.tm_year * INT64_C(12) + tm.tm_mon;
	case KEEP_YEARLY:
		return tm.tm_year;
	}
	return (int64_t)number;
}

/* --- rules */

/* A rule on its way through a set. */
struct cursor_of {
	uint32_t filled;
	int64_t period;     /* filled last */
	const char *holder; /* by this snapshot */
};

struct pass {
	const struct retention *p;
	int64_t newest; /* seconds, of the set, but for the future */
	struct cursor_of count[KEEP_KINDS], within[KEEP_KINDS];
	struct string_list why_not; /* of the snapshot at hand */
};

static void give_reason(struct string_list *l, struct buf *text)
{
	string_list_add(l, buf_span(text));
	buf_release(text);
}

static bool period_is_new(const struct cursor_of *c, int64_t period)
{
	return c->filled == 0 || c->period != period;
}

static void fill(struct cursor_of *c, int64_t period, const char *name)
{
	c->filled++;
	c->period = period;
	c->holder = name;
}

static void by_count(
    struct pass *s, struct candidate *x, enum keep kind, int64_t period, bool oldest)
{
	struct cursor_of *c = &s->count[kind];
	uint32_t limit = s->p->count[kind];
	bool fresh = period_is_new(c, period);
	struct buf why = BUF_EMPTY;

	if (limit == 0)
		return;
	if (c->filled >= limit && limit != KEEP_UNLIMITED) {
		buf_printf(&why, "beyond %s %u", names[kind], limit);
		give_reason(&s->why_not, &why);
	} else if (fresh || oldest) {
		fill(c, period, x->name);
		buf_printf(&why, "%s %u%s", names[kind], c->filled, fresh ? "" : " (oldest)");
		give_reason(&x->reasons, &why);
	} else {
		buf_printf(&why, "same %s as %s", periods[kind], c->holder);
		give_reason(&s->why_not, &why);
	}
}

static void by_stretch(
    struct pass *s, struct candidate *x, enum keep kind, int64_t period)
{
	const struct stretch *w = &s->p->within[kind];
	struct cursor_of *c = &s->within[kind];
	struct buf why = BUF_EMPTY;

	if (!stretch_given(w))
		return;
	if (seconds_of(x->start) < stretch_before(w, s->newest)) {
		buf_add_str(&why, "not within ");
		stretch_print(w, &why);
		give_reason(&s->why_not, &why);
	} else if (period_is_new(c, period)) {
		fill(c, period, x->name);
		if (kind != KEEP_LAST)
			buf_printf(&why, "%s ", names[kind]);
		buf_add_str(&why, "within ");
		stretch_print(w, &why);
		give_reason(&x->reasons, &why);
	} else {
		buf_printf(&why, "same %s as %s", periods[kind], c->holder);
		give_reason(&s->why_not, &why);
	}
}

static bool has_tag(const struct string_list *tags, struct span tag)
{
	for (size_t i = 0; i < tags->n; i++)
		if (span_equal(span_str(tags->v[i]), tag))
			return true;
	return false;
}

/* All of "a,b". */
static bool has_tags(const struct string_list *tags, const char *wanted)
{
	for (;;) {
		size_t n = strcspn(wanted, ",");

		if (!has_tag(tags, span_of(wanted, n)))
			return false;
		if (!wanted[n])
			return true;
		wanted += n + 1;
	}
}

static void by_tags(const struct retention *p, struct candidate *x)
{
	for (size_t i = 0; i < p->tags.n; i++) {
		struct buf why = BUF_EMPTY;

		if (!has_tags(x->tags, p->tags.v[i]))
			continue;
		buf_printf(&why, "tag %s", p->tags.v[i]);
		give_reason(&x->reasons, &why);
	}
}

/* What several rules say is said once. */
static void add_once(struct string_list *l, const char *s)
{
	if (!has_tag(l, span_str(s)))
		string_list_add(l, span_str(s));
}

static void decide(struct pass *s, struct candidate *x, size_t number, bool oldest)
{
	int64_t t = seconds_of(x->start);

	for (int kind = 0; kind < KEEP_KINDS; kind++) {
		int64_t period = period_of((enum keep)kind, t, number);

		by_count(s, x, (enum keep)kind, period, oldest);
		by_stretch(s, x, (enum keep)kind, period);
	}
	by_tags(s->p, x);
	if (x->pinned)
		string_list_add(&x->reasons, span_str("pinned"));
	x->keep = x->reasons.n > 0;
	for (size_t i = 0; !x->keep && i < s->why_not.n; i++)
		add_once(&x->reasons, s->why_not.v[i]);
	if (x->reasons.n == 0)
		string_list_add(&x->reasons, span_str("no rule keeps it"));
	string_list_release(&s->why_not);
	s->why_not = (struct string_list){NULL, 0, 0};
}

/* --- sets */

/* By set, and in it the newest first. */
static int by_age(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;
	int d = strcmp(x->set, y->set);

	if (d)
		return d;
	if (x->start != y->start)
		return x->start > y->start ? -1 : 1;
	return strcmp(y->name, x->name);
}

static bool apply_to_set(const struct retention *p, int64_t now, struct candidate **v,
    size_t n, struct err *e)
{
	struct pass s = {.p = p};
	size_t i = 0, first, kept = 0;

	for (; i < n && v[i]->start > now; i++) {
		v[i]->keep = true;
		string_list_add(&v[i]->reasons, span_str("in the future"));
		if (v[i]->pinned)
			string_list_add(&v[i]->reasons, span_str("pinned"));
	}
	first = i;
	if (first < n)
		s.newest = seconds_of(v[first]->start);
	for (; i < n; i++)
		decide(&s, v[i], i, i + 1 == n);
	for (i = 0; i < n; i++)
		kept += v[i]->keep;
	if (kept == 0)
		return err_set(e, ERR_REFUSED,
		    "the policy would remove every snapshot of the set %s (%zu of them); nothing "
		    "was removed", v[0]->set, n);
	return true;
}

bool retention_check(const struct retention *p, struct err *e)
{
	bool any = p->tags.n > 0;

	for (int kind = 0; kind < KEEP_KINDS; kind++)
		any = any || p->count[kind] || stretch_given(&p->within[kind]);
	return any || err_set(e, ERR_USAGE,
	    "no rule says what to keep: give at least one --keep option");
}

bool retention_apply(
    const struct retention *p, int64_t now, struct candidate *v, size_t n, struct err *e)
{
	struct candidate **order = mem_array(n + 1, sizeof *order);
	bool ok = retention_check(p, e);

	for (size_t i = 0; i < n; i++) {
		v[i].keep = true;
		order[i] = &v[i];
	}
	if (n > 1)
		qsort(order, n, sizeof *order, by_age);
	for (size_t i = 0, k; ok && i < n; i = k) {
		for (k = i + 1; k < n && strcmp(order[k]->set, order[i]->set) == 0; k++)
			;
		ok = apply_to_set(p, now, order + i, k - i, e);
	}
	free(order);
	return ok;
}
