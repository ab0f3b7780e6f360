/* The files of bands: which of them are whole, and what a tail or part tells. */
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

/* The listing, before any of the files is read: what is read depends on what else is
 * there. */
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

size_t valid_band_number(const struct valid *v, const char *name)
{
	size_t low = 0, high = v->n_bands;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(v->bands[mid].name.text, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n_bands && strcmp(v->bands[low].name.text, name) == 0 ? low
									      : SIZE_MAX;
}

/*
 * QUICK reads tails, and parts where there is no tail; only STORED reads what has ended.
 */
static enum vlook look_band(struct valid *v, struct vfile *f)
{
	const struct vband *b;
	struct band_name name;
	enum band_file kind;
	unsigned part;

	if (!band_file_parse(span_str(f->name), &name, &kind, &part))
		return VLOOK_NOT;
	f->band = valid_band_number(v, name.text);
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
		v->rolls =
		    mem_grow(v->rolls, &v->rolls_cap, v->n_rolls + 1, sizeof *v->rolls);
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
	free(vb->set);
	vb->set = b->set;
	b->set = NULL;
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
	v->broken =
	    mem_grow(v->broken, &v->broken_cap, v->n_broken + 1, sizeof *v->broken);
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
			broken(v, f, kind, part,
			    fault.kind == FAULT_NEWER ? "newer" : "content", false, &why);
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
	for (size_t i = 0; i < v->n_bands; i++) {
		drop_refs(&v->bands[i]);
		free(v->bands[i].set);
	}
	for (size_t i = 0; i < v->n_broken; i++) {
		free(v->broken[i].file);
		free(v->broken[i].text);
	}
	free(v->bands);
	free(v->broken);
	free(v->rolls);
}
