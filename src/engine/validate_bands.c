/*
 * The files of bands, and what they tell of each other: a roll-call names every band that
 * was seen, a tail the band before it, numbers of parts go up by one. So a file that is
 * missing is noticed wherever anything tells of it.
 *
 * What an interrupted run leaves is no damage, and an interrupted run may leave a file that
 * ends early. Such a torn file counts as litter where the band shows that it was never
 * needed: a head or part of a band that did not get further, a tail after which its own
 * client went on as if that band had not been.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

bool valid_complete(const struct vband *b)
{
	return b->has_tail && !b->removed && !b->fenced;
}

/* --- from the listing */

static struct vband *band_at(struct valid *v, const struct band_name *name)
{
	struct vband *b = v->n_bands > 0 ? &v->bands[v->n_bands - 1] : NULL;

	if (b && strcmp(b->name.text, name->text) == 0)
		return b; /* names ascend, and files of one band stand together */
	v->bands = mem_grow(v->bands, &v->bands_cap, v->n_bands + 1, sizeof *v->bands);
	b = &v->bands[v->n_bands++];
	*b = (struct vband){.name = *name};
	return b;
}

/* The listing, before any of the files is read: what is read depends on what else is there. */
static enum vlook count_file(struct valid *v, struct vfile *f)
{
	struct band_name name;
	enum band_file kind;
	struct vband *b;
	unsigned part;

	if (!band_file_parse(span_str(f->name), &name, &kind, &part)) {
		valid_note(v, f->name, "not a name of bale's in bands/: left alone");
		return VLOOK_NOT;
	}
	b = band_at(v, &name);
	b->heads += kind == BAND_HEAD;
	b->tails += kind == BAND_TAIL;
	b->parts += kind == BAND_PART;
	if (kind == BAND_PART && part > b->max_part)
		b->max_part = part;
	b->removed = b->removed || kind == BAND_REMOVED;
	b->fenced = b->fenced || kind == BAND_FENCE;
	return VLOOK_NOT;
}

static size_t band_number(const struct valid *v, const char *name)
{
	size_t low = 0, high = v->n_bands;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(v->bands[mid].name.text, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n_bands && strcmp(v->bands[low].name.text, name) == 0 ? low : SIZE_MAX;
}

/* QUICK reads tails, and parts where there is no tail; only STORED reads what has ended. */
static enum vlook look_band(struct valid *v, struct vfile *f)
{
	const struct vband *b;
	struct band_name name;
	enum band_file kind;
	unsigned part;

	if (!band_file_parse(span_str(f->name), &name, &kind, &part))
		return VLOOK_NOT;
	f->band = band_number(v, name.text);
	if (f->band == SIZE_MAX)
		return VLOOK_NOT; /* came after the first look */
	if (v->o->level != VALIDATE_QUICK)
		return VLOOK_READ;
	b = &v->bands[f->band];
	if (b->removed || b->fenced)
		return VLOOK_NOT;
	return kind == BAND_TAIL || (kind == BAND_PART && b->tails == 0) ? VLOOK_READ
	                                                                 : VLOOK_SIZE;
}

/* --- what a tail or part tells */

static void tell_bundles(struct valid *v, const struct vband *vb, const struct band *b)
{
	bool dead = vb->removed || vb->fenced;

	for (size_t i = 0; i < b->n_bundles; i++) {
		const struct band_bundle *x = &b->bundles[i];
		struct vbundle *y =
		    valid_bundle_named(v, x->hunks ? FILE_HUNKS : FILE_DATA, &x->name);

		valid_bundle_size(y, x->size);
		y->named = true;
		y->required = y->required || (vb->has_tail && !dead);
	}
	for (size_t i = 0; i < b->deltas.n; i++) {
		struct id id;
		uint64_t *at;

		if (!id_of_name(b->deltas.v[i], &id))
			continue;
		at = map_get(&v->told, id.b);
		map_put(&v->told, id.b, (at && *at) || (vb->has_tail && !dead));
	}
	for (size_t i = 0; i < b->n_roll; i++) {
		v->rolls = mem_grow(v->rolls, &v->rolls_cap, v->n_rolls + 1, sizeof *v->rolls);
		memcpy(v->rolls[v->n_rolls].client, b->roll[i].client, CLIENT_SIZE + 1);
		v->rolls[v->n_rolls].from = b->roll[i].from;
		v->rolls[v->n_rolls++].to = b->roll[i].to;
	}
}

static void drop_refs(struct vband *vb)
{
	struct band b;

	band_init(&b);
	b.refs = vb->refs;
	b.n_refs = vb->n_refs;
	band_release(&b);
	vb->refs = NULL;
	vb->n_refs = 0;
}

/* A whole tail, or part, or head. */
static void tell(struct valid *v, struct vband *vb, enum band_file kind, struct band *b)
{
	if (kind == BAND_HEAD) {
		vb->has_head = true;
		return;
	}
	if (kind == BAND_TAIL)
		vb->has_tail = true;
	else if (vb->has_tail || b->part < vb->part)
		return;
	else
		vb->part = b->part;
	vb->kind = b->kind;
	tell_bundles(v, vb, b);
	snprintf(vb->prev, sizeof vb->prev, "%s", b->prev);
	drop_refs(vb);
	vb->level = b->list_level;
	vb->refs = b->refs;
	vb->n_refs = b->n_refs;
	b->refs = NULL;
	b->n_refs = b->refs_cap = 0;
}

/* --- reading */

static void broken(struct valid *v, const struct vfile *f, enum band_file kind,
    unsigned part, const char *what, bool torn, const struct err *why)
{
	v->broken = mem_grow(v->broken, &v->broken_cap, v->n_broken + 1, sizeof *v->broken);
	v->broken[v->n_broken++] =
	    (struct vbroken){f->band, mem_printf("bands/%s", f->name), kind, part, what,
	        mem_strdup(why->text), torn};
}

static bool decode(struct valid *v, const struct vfile *f, enum band_file kind,
    const struct json_file *jf, struct span secret, struct fault *fault)
{
	struct band_note note;
	struct band b;
	bool ok;

	if (kind == BAND_REMOVED || kind == BAND_FENCE)
		return band_note_decode(jf, &note, fault);
	band_init(&b);
	ok = band_decode(jf, secret, kind, &b, fault);
	if (ok)
		tell(v, &v->bands[f->band], kind, &b);
	band_release(&b);
	return ok;
}

static bool judge_band(struct valid *v, struct vfile *f, struct err *e)
{
	static const char *const types[] = {"head", "part", "tail", "removed", "fence"};
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct band_name name;
	enum band_file kind;
	struct json_file jf;
	struct fault fault;
	const char *what = NULL;
	unsigned part;
	bool torn = false;

	(void)e;
	band_file_parse(span_str(f->name), &name, &kind, &part);
	if (!valid_json(v, f, types[kind], &jf, &secret, &what, &torn, &why)) {
		broken(v, f, kind, part, what ? what : "newer", torn, &why);
	} else {
		if (!decode(v, f, kind, &jf, buf_span(&secret), &fault)) {
			err_fault(&why, &fault);
			broken(v, f, kind, part, fault.kind == FAULT_NEWER ? "newer" : "content",
			    false, &why);
		}
		json_file_close(&jf);
	}
	buf_release(&secret);
	return true;
}

static int by_band(const void *a, const void *b)
{
	const struct vband *x = a, *y = b;

	return strcmp(x->name.text, y->name.text);
}

bool valid_bands(struct valid *v, struct err *e)
{
	if (!valid_folder(v, "bands", count_file, judge_band, e))
		return false;
	if (v->n_bands > 0)
		qsort(v->bands, v->n_bands, sizeof *v->bands, by_band);
	return valid_folder(v, "bands", look_band, judge_band, e);
}

void valid_bands_release(struct valid *v)
{
	for (size_t i = 0; i < v->n_bands; i++)
		drop_refs(&v->bands[i]);
	for (size_t i = 0; i < v->n_broken; i++) {
		free(v->broken[i].file);
		free(v->broken[i].text);
	}
	free(v->bands);
	free(v->broken);
	free(v->rolls);
}

/* --- judging: broken files */

/*
 * Whether the same client, in the next run of which anything is known, named an earlier band
 * as the one before: then it knew that this one had not come to its end.
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
		broken_parts += v->broken[i].band == x->band &&
		    v->broken[i].kind == BAND_PART;
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
		break;
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

/* --- judging: what is missing */

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
		missing(v, b->name.text, "head", "the rest of its band is there", SIZE_MAX);
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
	n = band_number(v, teller->prev);
	if (n == SIZE_MAX) {
		band_key(key, name.client, name.counter);
		if (!valid_condemned(v, key))
			missing(v, name.text, "tail", "the band after it tells of it", SIZE_MAX);
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

	return d ? d : (x->name.counter > y->name.counter) - (x->name.counter < y->name.counter);
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
			    "a band that others have seen is not there, nor that it was removed");
			free(file);
		}
	}
	if (from <= to) {
		char *file = mem_printf("bands/*-%s-*", client);

		damage_add(v, file, "missing", "thousands of bands that others have seen");
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
		while (at < v->n_bands && (strcmp(b[at]->name.client, r->client) < 0 ||
		    (strcmp(b[at]->name.client, r->client) == 0 &&
		     b[at]->name.counter < next)))
			at++;
		for (; at < v->n_bands && strcmp(b[at]->name.client, r->client) == 0 &&
		     b[at]->name.counter <= r->to; at++) {
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

		v->result->incomplete += !b->has_tail && !b->lost && !b->removed && !b->fenced;
		v->result->snapshots += valid_complete(b) && b->kind == BAND_BACKUP;
	}
}
