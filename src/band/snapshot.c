/*
 * What users call snapshots.
 *
 * Sets stand in the tails, which may be sealed, so finding one reads tails from the
 * newest on; everything that a name alone can tell (order, completeness, the second of
 * the start) is used first. A snapshot that cannot be read on the way ends the search: to
 * pass over it would answer "latest" with an older one, and nobody would notice.
 */
#include "band/bands.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"

#define NAMES_TOLD 8 /* in a message, at most */
#define PREFIX_MIN 4

/* What the text asks for. */
struct wish {
	struct span set;   /* empty: any */
	uint64_t back;     /* so many complete ones behind the newest */
	bool dated;
	int64_t before;    /* seconds since 1970: began before this */
};

static bool all_digits(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

static int number(struct span s)
{
	int v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v * 10 + (s.p[i] - '0');
	return v;
}

/*
 * Take two or four digits behind a separator (0: none); false where they are not there.
 */
static bool take_digits(struct span *s, char separator, size_t n, int *v)
{
	size_t skip = separator ? 1 : 0;

	if (s->n < skip + n || (separator && s->p[0] != (uint8_t)separator))
		return false;
	if (!all_digits(span_of(s->p + skip, n)))
		return false;
	*v = number(span_of(s->p + skip, n));
	s->p += skip + n;
	s->n -= skip + n;
	return true;
}

/*
 * The second behind the stretch of time that the date names, local time. The last unit
 * given is raised by one and mktime carries, over days of 23 hours too.
 */
static bool date_end(struct span s, int64_t *end)
{
	struct tm tm = {.tm_mday = 1, .tm_isdst = -1}, day;
	int year, month = 1, mday = 1, hour = 0, minute = 0, second = 0;
	int *last = &tm.tm_year;
	time_t t;

	if (!take_digits(&s, 0, 4, &year))
		return false;
	if (s.n && take_digits(&s, '-', 2, &month)) {
		last = &tm.tm_mon;
		if (s.n && take_digits(&s, '-', 2, &mday)) {
			last = &tm.tm_mday;
			if (s.n && take_digits(&s, 'T', 2, &hour)) {
				if (!take_digits(&s, ':', 2, &minute))
					return false;
				last = &tm.tm_min;
				if (s.n && take_digits(&s, ':', 2, &second))
					last = &tm.tm_sec;
			}
		}
	}
	day = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = mday};
	if (s.n || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60)
		return false;
	if (timegm(&day) == -1 || day.tm_mon != month - 1 || day.tm_mday != mday)
		return false; /* the 31st of a month that has none */
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = mday;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = second;
	(*last)++;
	t = mktime(&tm);
	*end = t;
	return true;
}

/* The start that the name tells, seconds since 1970. */
static int64_t name_start(const struct band_name *n)
{
	struct span s = span_str(n->text);
	struct tm tm = {0};

	if (!take_digits(&s, 0, 4, &tm.tm_year) || !take_digits(&s, 0, 2, &tm.tm_mon) ||
	    !take_digits(&s, 0, 2, &tm.tm_mday) || !take_digits(&s, 0, 2, &tm.tm_hour) ||
	    !take_digits(&s, 0, 2, &tm.tm_min) || !take_digits(&s, 0, 2, &tm.tm_sec))
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm);
}

static bool wish_parse(struct span text, struct wish *w, struct err *e)
{
	const uint8_t *at = memrchr(text.p, '@', text.n);
	const uint8_t *tilde = memrchr(text.p, '~', text.n);
	int shown = (int)(text.n < 200 ? text.n : 200);

	*w = (struct wish){.set = text};
	if (at) {
		size_t n = (size_t)(at - text.p);

		w->set.n = n;
		w->dated = true;
		if (!date_end(span_of(at + 1, text.n - n - 1), &w->before))
			return err_set(e, ERR_USAGE,
			    "%.*s: not a date that bale reads: SET@2026, SET@2026-11, "
			    "SET@2026-11-18, SET@2026-11-18T02:10 (local time)",
			    shown, text.p);
	} else if (tilde) {
		size_t n = (size_t)(tilde - text.p);
		struct span digits = span_of(tilde + 1, text.n - n - 1);

		if (all_digits(digits) && digits.n <= 9) {
			w->set.n = n;
			w->back = (uint64_t)number(digits);
		}
	}
	if (w->set.n == 0)
		return err_set(e, ERR_USAGE,
		    "\"%.*s\": which snapshot? latest, a set, or the "
		    "beginning of a snapshot's name",
		    shown, text.p);
	if (span_equal(w->set, span_str("latest")))
		w->set = SPAN_EMPTY;
	return true;
}

/* Names for a message: the first few, and how many more there are. */
struct told {
	struct string_list names;
	size_t all;
};

static void told_add(struct told *t, struct span name)
{
	for (size_t i = 0; i < t->names.n; i++)
		if (span_equal(span_str(t->names.v[i]), name))
			return;
	t->all++;
	if (t->names.n < NAMES_TOLD)
		string_list_add(&t->names, name);
}

static void told_print(const struct told *t, struct buf *out)
{
	for (size_t i = 0; i < t->names.n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", t->names.v[i]);
	if (t->all > t->names.n)
		buf_printf(out, " and %zu more", t->all - t->names.n);
}

static bool missing(const struct wish *w, struct span text, const struct told *sets,
    uint64_t matches, size_t unfinished, struct err *e)
{
	struct buf b = BUF_EMPTY;

	buf_printf(&b, "there is no snapshot \"%.*s\"; ",
	    (int)(text.n < 200 ? text.n : 200), text.p);
	if (sets->all == 0 && unfinished)
		buf_printf(&b,
		    "none is complete (%zu unfinished: name one by the beginning of "
		    "its name)",
		    unfinished);
	else if (sets->all == 0)
		buf_printf(&b, "the repository has none");
	else if (matches == 1)
		buf_printf(&b, w->dated ? "the only one is younger" : "there is only one");
	else if (matches && w->dated)
		buf_printf(&b, "all %ju are younger", (uintmax_t)matches);
	else if (matches)
		buf_printf(&b, "there are only %ju", (uintmax_t)matches);
	else
		buf_printf(&b, "the sets are: ");
	if (sets->all && !matches)
		told_print(sets, &b);
	err_set(e, ERR_MISSING, "%s", buf_str(&b));
	buf_release(&b);
	return false;
}

/*
 * The newest complete backup that is wished for. Younger ones than the date are read too,
 * but only when nothing else fits, to tell what there is.
 */
static bool wish_find(struct repo *r, const struct bands *bands, const struct wish *w,
    struct span text, struct band_info **info, enum band_file *kind, struct band *b,
    struct err *e)
{
	struct told sets = {0};
	uint64_t left = w->back, matches = 0;
	struct bands_ahead ahead;
	size_t unfinished = 0;
	bool ok = false;

	for (int young = 0; young <= (w->dated ? 1 : 0); young++) {
		ahead = (struct bands_ahead){0};
		for (size_t i = bands->n; i-- > 0;) {
			struct band_info *x = &bands->v[i];

			if (w->dated && (name_start(&x->name) >= w->before) != young)
				continue;
			if (!band_looks_complete(x)) {
				unfinished += x->removed.n == 0;
				continue;
			}
			band_release(b);
			bands_ahead(r, bands, i, &ahead);
			if (!band_read(r, x, kind, b, e)) {
				err_wrap(e,
				    "looking for the snapshot \"%.*s\", that of %s "
				    "cannot be read (try the beginning of another one's "
				    "name)",
				    (int)(text.n < 80 ? text.n : 80), text.p,
				    x->name.text);
				goto out;
			}
			if (b->kind != BAND_BACKUP)
				continue;
			told_add(&sets, span_str(b->set));
			if (w->set.n && !span_equal(w->set, span_str(b->set)))
				continue;
			matches++;
			if (!young && left-- == 0) {
				*info = x;
				ok = true;
				goto out;
			}
		}
	}
	missing(w, text, &sets, matches, unfinished, e);
out:
	string_list_release(&sets.names);
	return ok;
}

/* STEP_END: it is the prefix of no name. Several: *info is NULL, and they are told. */
static enum step prefix_find(const struct bands *bands, struct span text,
    struct band_info **info, struct told *told)
{
	*info = NULL;
	if (text.n < PREFIX_MIN || !all_digits(span_of(text.p, PREFIX_MIN)))
		return STEP_END;
	for (size_t i = 0; i < bands->n; i++) {
		struct band_info *x = &bands->v[i];
		struct span name = span_str(x->name.text);

		if (x->removed.n || name.n < text.n ||
		    memcmp(name.p, text.p, text.n) != 0)
			continue;
		*info = x;
		told_add(told, name);
		if (name.n == text.n)
			return STEP_ITEM;
	}
	if (told->all > 1)
		*info = NULL;
	return told->all ? STEP_ITEM : STEP_END;
}

bool snapshot_resolve(struct repo *r, const struct bands *bands, struct span text,
    struct band_info **info, enum band_file *kind, struct band *b, struct err *e)
{
	struct told told = {0};
	struct wish w;
	bool ok = false;

	band_init(b);
	if (prefix_find(bands, text, info, &told) == STEP_ITEM && *info) {
		ok = band_read(r, *info, kind, b, e);
		if (ok && b->kind != BAND_BACKUP)
			ok = err_set(e, ERR_MISSING, "%s is a vacuum, not a snapshot",
			    (*info)->name.text);
	} else if (wish_parse(text, &w, e)) {
		ok = wish_find(r, bands, &w, text, info, kind, b, e);
		if (!ok && told.all && e && e->kind == ERR_MISSING) {
			struct buf names = BUF_EMPTY;

			told_print(&told, &names);
			err_set(e, ERR_USAGE,
			    "\"%.*s\" may be any of these snapshots: %s", (int)text.n,
			    text.p, buf_str(&names));
			buf_release(&names);
		}
	}
	string_list_release(&told.names);
	return ok;
}

void snapshot_split(const char *arg, struct span *snap, struct span *path)
{
	const char *colon = strstr(arg, ":/");

	*snap = colon ? span_of(arg, (size_t)(colon - arg)) : span_str(arg);
	*path = span_str(colon ? colon + 1 : "/");
	while (path->n > 1 && path->p[path->n - 1] == '/')
		path->n--;
}
