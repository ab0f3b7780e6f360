/*
 * What bands tell of each other: a roll-call names every band that was seen, a tail the
 * band before it, numbers of parts go up by one. So a file that is missing is noticed
 * wherever anything tells of it.
 *
 * What an interrupted run leaves is no damage, and an interrupted run may leave a file
 * that ends early. Such a torn file counts as litter where the band shows that it was
 * never needed: a head or part of a band that did not get further, a tail after which its
 * own client went on as if that band had not been.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* --- broken files */

/*
 * Whether the same client, in the next run of which anything is known, named an earlier
 * band as the one before: then it knew that this one had not come to its end.
 */
static bool passed_over(const struct valid *v, const struct vband *b)
{
	const struct vband *next = NULL;

	for (size_t i = 0; i < v->n_bands; i++) {
		const struct vband *x = &v->bands[i];

		if (strcmp(x->name.client, b->name.client) == 0 &&
		    x->name.counter > b->name.counter && (x->has_tail || x->part > 0) &&
		    (!next || x->name.counter < next->name.counter))
			next = x;
	}
	return next && strcmp(next->prev, b->name.text) != 0;
}

static bool same_part_whole(const struct valid *v, const struct vbroken *x)
{
	const struct vband *b = &v->bands[x->band];
	unsigned broken_parts = 0;

	for (size_t i = 0; i < v->n_broken; i++)
		broken_parts +=
		    v->broken[i].band == x->band && v->broken[i].kind == BAND_PART;
	return b->parts - broken_parts >= b->max_part;
}

static bool is_litter(const struct valid *v, const struct vbroken *x)
{
	const struct vband *b = &v->bands[x->band];

	if (!x->torn)
		return false;
	switch (x->kind) {
	case BAND_HEAD:
		return b->has_head || (b->parts == 0 && b->tails == 0);
	case BAND_PART:
		return b->tails == 0 || same_part_whole(v, x);
	case BAND_TAIL:
		return b->has_tail || b->removed || b->fenced || passed_over(v, b);
	case BAND_FENCE:
		return b->tails == 0;
	case BAND_REMOVED:
		return true; /* that it is listed is all that anybody asks */
	}
	return false;
}

static void judge_broken(struct valid *v, const struct vbroken *x)
{
	struct vband *b = &v->bands[x->band];
	uint32_t d;

	if (is_litter(v, x)) {
		v->result->litter++;
		valid_note(v, x->file, "left by an attempt that was cut off");
		return;
	}
	d = damage_add(v, x->file, x->what, x->text);
	if (x->kind == BAND_TAIL && !b->has_tail && !b->removed && !b->fenced) {
		b->lost = true;
		damage_band(v, d, x->band);
	}
}

/* --- what is missing */

static void missing(
    struct valid *v, const char *band, const char *what, const char *text, size_t number)
{
	char *file = mem_printf("bands/%s-%s-*", band, what);
	uint32_t d = damage_add(v, file, "missing", text);

	if (number != SIZE_MAX)
		damage_band(v, d, number);
	free(file);
}

static void judge_heads_and_parts(struct valid *v, size_t n)
{
	const struct vband *b = &v->bands[n];
	char what[32];

	if (b->removed || b->fenced)
		return;
	if (b->heads == 0)
		missing(
		    v, b->name.text, "head", "the rest of its band is there", SIZE_MAX);
	if (b->parts < b->max_part) {
		snprintf(what, sizeof what, "part-<%04u", b->max_part);
		missing(v, b->name.text, what, "later parts are there", SIZE_MAX);
	}
}

static void band_key(char out[64], const char *client, uint64_t counter)
{
	snprintf(out, 64, "%s-%llu", client, (unsigned long long)counter);
}

/* Its tail had been written: it is told of as the one before. */
static void judge_prev(struct valid *v, const struct vband *teller)
{
	struct band_name name;
	struct vband *b;
	char key[64];
	size_t n;

	if (!band_name_parse(span_str(teller->prev), &name))
		return;
	n = valid_band_number(v, teller->prev);
	if (n == SIZE_MAX) {
		band_key(key, name.client, name.counter);
		if (!valid_condemned(v, key))
			missing(v, name.text, "tail", "the band after it tells of it",
			    SIZE_MAX);
		return;
	}
	b = &v->bands[n];
	if (b->tails == 0 && !b->removed && !b->fenced) {
		b->lost = true;
		missing(v, name.text, "tail", "the band after it tells of it", n);
	}
}

static int by_client(const void *a, const void *b)
{
	const struct vband *x = *(const struct vband *const *)a,
			   *y = *(const struct vband *const *)b;
	int d = strcmp(x->name.client, y->name.client);

	return d ? d
		 : (x->name.counter > y->name.counter) -
		       (x->name.counter < y->name.counter);
}

static int by_roll(const void *a, const void *b)
{
	const struct vroll *x = a, *y = b;
	int d = strcmp(x->client, y->client);

	return d ? d : (x->from > y->from) - (x->from < y->from);
}

/* Told of and not there: from..to of a client, but for bands that were condemned. */
static void absent(struct valid *v, const char *client, uint64_t from, uint64_t to)
{
	const uint64_t most = 1000; /* told one by one */
	char key[64];

	for (; from <= to && to - from < most; from++) {
		band_key(key, client, from);
		if (!valid_condemned(v, key)) {
			char *file = mem_printf("bands/*-%s-*", key);

			damage_add(v, file, "missing",
			    "a band that others have seen is not there, nor that it was "
			    "removed");
			free(file);
		}
	}
	if (from <= to) {
		char *file = mem_printf("bands/*-%s-*", client);

		damage_add(
		    v, file, "missing", "thousands of bands that others have seen");
		free(file);
	}
}

static void judge_rolls(struct valid *v)
{
	struct vband **b = mem_array(v->n_bands + 1, sizeof *b);
	size_t at = 0;
	uint64_t next = 0; /* of the client under way: looked at up to here */

	for (size_t i = 0; i < v->n_bands; i++)
		b[i] = &v->bands[i];
	qsort(b, v->n_bands, sizeof *b, by_client);
	if (v->n_rolls > 0)
		qsort(v->rolls, v->n_rolls, sizeof *v->rolls, by_roll);
	for (size_t i = 0; i < v->n_rolls; i++) {
		const struct vroll *r = &v->rolls[i];

		if (i == 0 || strcmp(r->client, v->rolls[i - 1].client) != 0)
			next = 0;
		if (next < r->from)
			next = r->from;
		while (
		    at < v->n_bands && (strcmp(b[at]->name.client, r->client) < 0 ||
					   (strcmp(b[at]->name.client, r->client) == 0 &&
					       b[at]->name.counter < next)))
			at++;
		for (; at < v->n_bands && strcmp(b[at]->name.client, r->client) == 0 &&
		       b[at]->name.counter <= r->to;
		     at++) {
			if (b[at]->name.counter > next)
				absent(v, r->client, next, b[at]->name.counter - 1);
			next = b[at]->name.counter + 1;
		}
		if (next <= r->to) {
			absent(v, r->client, next, r->to);
			next = r->to + 1;
		}
	}
	free(b);
}

void valid_bands_judge(struct valid *v)
{
	for (size_t i = 0; i < v->n_broken; i++)
		judge_broken(v, &v->broken[i]);
	for (size_t i = 0; i < v->n_bands; i++) {
		judge_heads_and_parts(v, i);
		judge_prev(v, &v->bands[i]);
	}
	judge_rolls(v);
	for (size_t i = 0; i < v->n_bands; i++) {
		const struct vband *b = &v->bands[i];

		v->result->incomplete +=
		    !b->has_tail && !b->lost && !b->removed && !b->fenced;
		v->result->snapshots += valid_complete(b) && b->kind == BAND_BACKUP;
	}
}
