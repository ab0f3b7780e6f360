/*
 * All marks in one array, sorted by what they are about; of each thing the newest is the
 * last, and the one that counts.
 */
#include "engine/marks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/torn.h"
#include "repo/json_cache.h"

#define FOLDER "marks"
#define TYPE   "mark"

struct kept {
	struct mark mark;
	char name[NAME_MAX_LEN + 1]; /* of the file */
};

struct marks {
	struct kept *v;
	size_t n, cap;
	uint64_t unreadable;
};

static bool is_pin(const struct mark *m)
{
	return m->kind == MARK_PIN || m->kind == MARK_UNPIN;
}

/* What it is about: pins of a band first, then its tags one by one. */
static int by_thing(const struct mark *x, const struct mark *y)
{
	int d = strcmp(x->band.text, y->band.text);

	if (d)
		return d;
	if (is_pin(x) != is_pin(y))
		return is_pin(x) ? -1 : 1;
	return strcmp(x->tag, y->tag);
}

static int by_order(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	int d = by_thing(&x->mark, &y->mark);

	if (d)
		return d;
	if (x->mark.time != y->mark.time)
		return x->mark.time < y->mark.time ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void sort(struct marks *m)
{
	if (m->n > 1)
		qsort(m->v, m->n, sizeof *m->v, by_order);
}

static void add(struct marks *m, const struct mark *mark, const char *name)
{
	struct kept *k;

	m->v = mem_grow(m->v, &m->cap, m->n + 1, sizeof *m->v);
	k = &m->v[m->n++];
	k->mark = *mark;
	strncpy(k->name, name, NAME_MAX_LEN);
	k->name[NAME_MAX_LEN] = '\0';
}

static bool read_mark(
    struct repo *r, const char *name, struct mark *out, struct buf *secret, struct err *e)
{
	struct json_file jf = {0};
	struct fault f;
	bool ok;

	*out = (struct mark){.tag = NULL};
	if (!repo_get_json(r, FOLDER, name, TYPE, &jf, secret, e))
		return false;
	ok = mark_decode(&jf, buf_span(secret), out, &f) || err_fault(e, &f) ||
	     err_wrap(e, FOLDER "/%s", name);
	json_file_close(&jf);
	return ok;
}

/*
 * What a mark says that cannot be read may matter; unless it is only the beginning of
 * one: then who gave it was never told that it is there. False: the storage failed.
 */
static bool count_unreadable(struct marks *m, struct repo *r, struct monitor *mon,
    const char *name, const struct err *why, struct err *e)
{
	enum problem problem = PROBLEM_NOTE;
	struct err note;
	bool torn = false;

	if (why->kind == ERR_CORRUPT && !file_torn(r, FOLDER, name, &torn, e))
		return false;
	if (torn) {
		err_set(&note, ERR_CORRUPT,
		    "a tag or pin that an interrupted command left unfinished; it does not "
		    "count");
	} else {
		note = *why;
		problem = PROBLEM_DAMAGED;
		m->unreadable++;
	}
	monitor_problem(mon, problem, span_str(name), &note);
	return true;
}

static void prefetch(struct repo *r, const struct store_listing *names)
{
	struct json_want *wants = mem_array(names->n + 1, sizeof *wants);
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++)
		if (name_is_random(names->names[i]))
			wants[n++] = (struct json_want){names->names[i], TYPE};
	json_prefetch(r, FOLDER, wants, n);
	free(wants);
}

bool marks_load(struct repo *r, struct monitor *mon, struct marks **out, struct err *e)
{
	struct store_listing names = {0};
	struct buf secret = BUF_EMPTY;
	struct marks *m = mem_zalloc(sizeof *m);
	bool ok = repo_list(r, FOLDER, &names, e);

	if (ok)
		prefetch(r, &names);
	for (size_t i = 0; ok && i < names.n; i++) {
		struct err why = ERR_EMPTY;
		struct mark mark;

		if (!name_is_random(names.names[i]))
			continue;
		if (read_mark(r, names.names[i], &mark, &secret, &why)) {
			add(m, &mark, names.names[i]);
			continue;
		}
		mark_release(&mark);
		if (err_is_unreadable(&why)) {
			ok = count_unreadable(m, r, mon, names.names[i], &why, e);
		} else {
			ok = false;
			*e = why;
		}
	}
	sort(m);
	store_listing_release(&names);
	buf_release(&secret);
	if (!ok) {
		marks_free(m);
		m = NULL;
	}
	*out = m;
	return ok || err_wrap(e, "cannot tell tags and pins");
}

void marks_free(struct marks *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		mark_release(&m->v[i].mark);
	free(m->v);
	free(m);
}

uint64_t marks_unreadable(const struct marks *m)
{
	return m->unreadable;
}

bool marks_whole(const struct marks *m, const char *undone, struct err *e)
{
	return m->unreadable == 0 ||
	    err_set(e, ERR_CORRUPT,
	        "%llu of the files in marks/ cannot be read, and may be pins; nothing was %s "
	        "(delete those files if what they said no longer matters)",
	        (unsigned long long)m->unreadable, undone);
}

/* The first mark about the band. */
static size_t first_of(const struct marks *m, const char *band)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(m->v[mid].mark.band.text, band) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * Step over the marks on one thing: the one that counts, or NULL behind the band's last.
 */
static const struct mark *next_thing(const struct marks *m, const char *band, size_t *at)
{
	size_t i = *at;

	if (i == m->n || strcmp(m->v[i].mark.band.text, band) != 0)
		return NULL;
	while (i + 1 < m->n && by_thing(&m->v[i].mark, &m->v[i + 1].mark) == 0)
		i++;
	*at = i + 1;
	return &m->v[i].mark;
}

bool marks_pinned(const struct marks *m, const struct band_name *band)
{
	size_t at = first_of(m, band->text);
	const struct mark *x = next_thing(m, band->text, &at);

	return x && x->kind == MARK_PIN;
}

static size_t find(const struct string_list *l, const char *s)
{
	size_t i = 0;

	while (i < l->n && strcmp(l->v[i], s) != 0)
		i++;
	return i;
}

void marks_apply(const struct marks *m, struct band *b)
{
	size_t at = first_of(m, b->name.text), i;
	const struct mark *x;

	while ((x = next_thing(m, b->name.text, &at))) {
		i = find(&b->tags, x->tag);
		if (x->kind == MARK_TAG && i == b->tags.n)
			string_list_add(&b->tags, span_str(x->tag));
		if (x->kind != MARK_UNTAG || i == b->tags.n)
			continue;
		free(b->tags.v[i]);
		memmove(&b->tags.v[i], &b->tags.v[i + 1],
		    (--b->tags.n - i) * sizeof *b->tags.v);
	}
}

static void name_mark(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	(void)arg;
	strcpy(name, random);
}

bool marks_put(struct marks *m, struct repo *r, const struct band_name *band,
    enum mark_kind kind, const char *tag, struct err *e)
{
	struct mark mark = {.band = *band, .kind = kind, .time = r->env->now(r->env)};
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	const struct mark *x;
	uint64_t size;
	size_t at = first_of(m, band->text);
	bool ok;

	mark.tag = mem_strdup(tag);
	while ((x = next_thing(m, band->text, &at)))
		if (by_thing(x, &mark) == 0 && x->time >= mark.time)
			mark.time = x->time + 1;
	mark_encode(&mark, &body);
	ok = repo_put_json(r, FOLDER, TYPE, name_mark, NULL, &body, name, &size, e);
	json_body_release(&body);
	if (!ok) {
		mark_release(&mark);
		return err_wrap(e, "mark of snapshot %s", band->text);
	}
	add(m, &mark, name);
	sort(m);
	return true;
}
