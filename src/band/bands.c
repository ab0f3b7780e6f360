/*
 * One listing of bands/ sorted into bands, and the reading of their files.
 *
 * Names are random, so a kind of file may stand there several times: a put whose failure
 * was only apparent, a part written by a run that another one took for dead. Whichever is
 * whole counts. A tail is the one file for which "none is whole" must not look like "none
 * is there": a snapshot that was complete would turn into an unfinished one, silently.
 */
#include "band/bands.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/json_cache.h"

static struct string_list *files_of(struct band_info *info, enum band_file kind)
{
	switch (kind) {
	case BAND_HEAD:
		return &info->heads;
	case BAND_PART:
		return &info->parts;
	case BAND_TAIL:
		return &info->tails;
	case BAND_REMOVED:
		return &info->removed;
	case BAND_FENCE:
		break;
	}
	return &info->fences;
}

static struct band_info *info_add(struct bands *b, const struct band_name *name)
{
	struct band_info *info;

	b->v = mem_grow(b->v, &b->cap, b->n + 1, sizeof *b->v);
	info = &b->v[b->n++];
	memset(info, 0, sizeof *info);
	info->name = *name;
	return info;
}

static unsigned part_number(const char *file)
{
	struct band_name name;
	enum band_file kind;
	unsigned part = 0;

	band_file_parse(span_str(file), &name, &kind, &part);
	return part;
}

/* A listing is bytewise, and so are parts, but for numbers of more than four digits. */
static void parts_sort(struct string_list *l)
{
	for (size_t i = 1; i < l->n; i++) {
		char *x = l->v[i];
		unsigned n = part_number(x);
		size_t k = i;

		for (; k > 0 && part_number(l->v[k - 1]) > n; k--)
			l->v[k] = l->v[k - 1];
		l->v[k] = x;
	}
}

#define FRONT (14 + 1 + CLIENT_SIZE) /* of a name: its second, and the client */

/* What one client began within a second is in the order of its counter: 9 before 10. */
static int compare(const struct band_name *a, const struct band_name *b)
{
	int d = memcmp(a->text, b->text, FRONT);

	return d ? d : (a->counter > b->counter) - (a->counter < b->counter);
}

static int by_name(const void *a, const void *b)
{
	const struct band_info *x = a, *y = b;

	return compare(&x->name, &y->name);
}

void bands_of_listing(const struct store_listing *l, struct bands *out)
{
	struct band_info *info = NULL;

	*out = (struct bands){0};
	for (size_t i = 0; i < l->n; i++) {
		struct span file = span_str(l->names[i]);
		struct band_name name;
		enum band_file kind;
		unsigned part;

		if (!band_file_parse(file, &name, &kind, &part))
			continue;
		/* One band's files stand together: they begin with its name and a '-'. */
		if (!info || strcmp(info->name.text, name.text) != 0)
			info = info_add(out, &name);
		string_list_add(files_of(info, kind), file);
	}
	for (size_t i = 0; i < out->n; i++)
		parts_sort(&out->v[i].parts);
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, by_name);
}

bool bands_list(struct repo *r, struct bands *out, struct err *e)
{
	struct store_listing l = {0};
	bool ok = repo_list(r, "bands", &l, e);

	bands_of_listing(&l, out);
	store_listing_release(&l);
	return ok || err_wrap(e, "listing the snapshots");
}

void bands_release(struct bands *b)
{
	for (size_t i = 0; i < b->n; i++) {
		string_list_release(&b->v[i].heads);
		string_list_release(&b->v[i].tails);
		string_list_release(&b->v[i].removed);
		string_list_release(&b->v[i].fences);
		string_list_release(&b->v[i].parts);
	}
	free(b->v);
	*b = (struct bands){0};
}

struct band_info *bands_find(const struct bands *b, const char *name)
{
	size_t low = 0, high = b->n;
	struct band_name wanted;

	if (!band_name_parse(span_str(name), &wanted))
		return NULL;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int d = compare(&wanted, &b->v[mid].name);

		if (d == 0)
			return &b->v[mid];
		if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static const char *const types[] = {"head", "part", "tail"};

bool band_read_file(
    struct repo *r, const char *file, enum band_file kind, struct band *b, struct err *e)
{
	struct json_file jf = {0};
	struct buf secret = BUF_EMPTY;
	struct band_name name;
	enum band_file stated;
	unsigned part;
	struct fault f;
	bool ok = false;

	band_init(b);
	if (kind > BAND_TAIL || !band_file_parse(span_str(file), &name, &stated, &part) ||
	    stated != kind)
		return err_set(e, ERR_CORRUPT, "bands/%s: not a file of this kind", file);
	if (!repo_get_json(r, "bands", file, types[kind], &jf, &secret, e)) {
		buf_release(&secret);
		return false;
	}
	if (!band_decode(&jf, buf_span(&secret), kind, b, &f)) {
		err_fault(e, &f);
		goto out;
	}
	if (strcmp(b->name.text, name.text) != 0 ||
	    (kind == BAND_PART && b->part != part)) {
		err_set(e, ERR_CORRUPT, "its content is that of another file of a band");
		goto out;
	}
	ok = true;
out:
	json_file_close(&jf);
	buf_release(&secret);
	return ok || err_wrap(e, "bands/%s", file);
}

/*
 * The first whole one, from the end of the list. STEP_END: none is; *e tells of the first
 * seen.
 */
static enum step read_any(struct repo *r, const struct string_list *files,
    enum band_file kind, struct band *b, struct err *e)
{
	for (size_t i = files->n; i-- > 0;) {
		struct err one = ERR_EMPTY;

		if (band_read_file(r, files->v[i], kind, b, &one))
			return STEP_ITEM;
		band_release(b);
		band_init(b);
		if (!err_is_unreadable(&one)) {
			if (e)
				*e = one;
			return STEP_FAILED;
		}
		if (e && i + 1 == files->n)
			*e = one;
	}
	return STEP_END;
}

bool band_read(struct repo *r, const struct band_info *info, enum band_file *kind,
    struct band *b, struct err *e)
{
	const struct string_list *files[] = {&info->tails, &info->parts, &info->heads};
	static const enum band_file order[] = {BAND_TAIL, BAND_PART, BAND_HEAD};
	struct err why = ERR_EMPTY;

	band_init(b);
	for (size_t i = 0; i < 3; i++) {
		enum step st;

		if (files[i]->n == 0)
			continue;
		*kind = order[i];
		st = read_any(r, files[i], order[i], b, &why);
		if (st == STEP_ITEM)
			return true;
		if (st == STEP_FAILED || order[i] == BAND_TAIL)
			break;
	}
	if (why.kind == ERR_NONE)
		return err_set(e, ERR_MISSING, "snapshot %s: its head is not there",
		    info->name.text);
	if (why.kind == ERR_MISSING)
		why.kind = ERR_CORRUPT; /* it was listed */
	if (e)
		*e = why;
	return false;
}

/* --- several at once */

#define WINDOW_FIRST 8
#define WINDOW_MAX 512

/* The file that band_read looks at first. */
static bool first_file(const struct band_info *info, struct json_want *out)
{
	const struct string_list *files[] = {&info->heads, &info->parts, &info->tails};

	for (size_t k = 3; k-- > 0;)
		if (files[k]->n > 0) {
			*out = (struct json_want){files[k]->v[files[k]->n - 1], types[k]};
			return true;
		}
	return false;
}

void bands_prefetch(struct repo *r, const struct bands *b, bool removed)
{
	struct json_want *wants = mem_array(b->n + 1, sizeof *wants);
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		if ((b->v[i].removed.n > 0) == removed)
			n += first_file(&b->v[i], &wants[n]);
	json_prefetch(r, "bands", wants, n);
	free(wants);
}

void bands_ahead(struct repo *r, const struct bands *b, size_t i, struct bands_ahead *a)
{
	struct json_want wants[WINDOW_MAX];
	size_t n = 0, k = i + 1;

	if (a->window == 0) {
		a->window = WINDOW_FIRST;
		a->from = i;
	}
	if (i >= a->from)
		return;
	for (; k > 0 && n < a->window; k--)
		if (b->v[k - 1].removed.n == 0)
			n += first_file(&b->v[k - 1], &wants[n]);
	json_prefetch(r, "bands", wants, n);
	a->from = k;
	a->window = a->window * 4 < WINDOW_MAX ? a->window * 4 : WINDOW_MAX;
}
