/*
 * How much of each bundle is alive, and what everything on the storage counts as.
 *
 * A frame's stored bytes count as live by the share of its plain bytes that is; a
 * bundle's header, directory and trailer are alive if anything in it is.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/seal.h"
#include "engine/vacuum_internal.h"

/* --- bundles */

static uint64_t varint_size(uint64_t n)
{
	uint64_t size = 1;

	for (; n >= 0x80; n >>= 7)
		size++;
	return size;
}

/* The directory stands in the bundle and in a delta. */
#define TABLES   2
#define LIKENESS 8

/*
 * A run of live slots, as copying moves them: whole frames follow each other, and rests
 * do.
 */
struct live_run {
	uint32_t first, next;
	bool whole;
};

static void end_run(struct held *h, const struct live_run *r)
{
	if (r->next > r->first)
		h->tables += 2 * ID_SIZE + 2 * varint_size(r->first) +
		    varint_size(r->next - r->first);
}

static void add_slot(struct held *h, struct live_run *r, uint32_t slot, bool whole)
{
	if (slot != r->next || whole != r->whole) {
		end_run(h, r);
		*r = (struct live_run){slot, slot, whole};
	}
	r->next = slot + 1;
}

static uint64_t frame_table(const struct frame_rec *f)
{
	return 1 + varint_size(f->stored) + varint_size(f->plain) + varint_size(f->chunks) +
	    DIGEST_SHORT;
}

/*
 * What the rest of a frame takes when it is compressed anew, about: its share, and more
 * the more of what it was like is gone; nothing more where nothing compresses. The factor
 * is what came out on a source tree (tests/bench/generations.sh).
 */
static uint64_t rest_size(uint64_t stored, uint64_t whole, uint64_t plain)
{
	uint64_t share = stored * plain / whole;

	if (stored >= whole)
		return share;
	return share + share * (whole - plain) / whole * (whole - stored) / whole / LIKENESS;
}

static void share_frame(const struct vac *v, struct held *h, const struct directory *d,
    const struct frame_rec *f, struct live_run *r)
{
	size_t extra = seal_size(keyring_sealer(v->repo->keys, PURPOSE_FRAMES), 0);
	uint32_t i, live = 0;
	uint64_t plain = 0;

	for (i = f->first; i < f->first + f->chunks; i++)
		live += vac_marked(v, h, i);
	if (live == 0)
		return;
	for (i = f->first; i < f->first + f->chunks; i++) {
		if (!vac_marked(v, h, i))
			continue;
		plain += d->lengths[i];
		h->tables += TABLES * (ID_SIZE + varint_size(d->lengths[i]));
		add_slot(h, r, i, live == f->chunks);
	}
	h->live_chunks += live;
	v->result->live_frames += f->stored;
	h->live += f->stored * plain / f->plain;
	if (live == f->chunks) {
		h->copy += f->stored;
		h->tables += TABLES * frame_table(f);
	} else {
		h->copy += rest_size(f->stored - extra, f->plain, plain);
		h->anew += plain;
	}
}

static bool share_bundle(
    struct vac *v, struct held *h, struct directory *d, struct err *e)
{
	struct live_run run = {.first = 0};
	uint64_t frames = 0;
	uint32_t i;

	if (!vac_directory(v, h, d, e))
		return false;
	h->live = h->copy = h->anew = h->tables = 0;
	h->live_chunks = 0;
	for (i = 0; i < d->n_frames; i++) {
		frames += d->frames[i].stored;
		share_frame(v, h, d, &d->frames[i], &run);
	}
	end_run(h, &run);
	if (h->live_chunks > 0 && h->size > frames)
		h->live += h->size - frames;
	return true;
}

bool vac_victim(const struct held *h, int below)
{
	if (!h->told || !h->listed || h->condemned || h->open)
		return false;
	return h->live == 0 || h->live * 100 < (uint64_t)below * h->size;
}

static void count_bin(struct vac *v, const struct held *h)
{
	struct vacuum_bin *b = v->result->bins;

	if (h->live > 0)
		b += 1 + (h->live >= h->size ? VACUUM_BINS - 2 : h->live * 10 / h->size);
	b->bundles++;
	b->bytes += h->size;
}

static bool share_bundles(struct vac *v, struct err *e)
{
	struct vacuum_result *res = v->result;
	struct directory d = DIRECTORY_EMPTY;
	struct held *h;
	size_t i;
	bool ok = true;

	for (i = 0; ok && i < v->n_held; i++) {
		h = &v->held[i];
		if (!h->told || !h->listed)
			continue;
		ok = !vac_stopped(v, e) && share_bundle(v, h, &d, e);
		res->total_bytes += h->size;
		if (h->condemned) {
			res->condemned_bytes += h->size;
			continue;
		}
		res->bundles++;
		res->live_bytes += h->live;
		res->dead_bytes += h->size - h->live;
		if (h->open)
			v->open_dead += h->size - h->live;
		count_bin(v, h);
	}
	directory_release(&d);
	return ok;
}

/* --- other files */

/* What is left of a band that is gone: its removal or its fence stays as the evidence. */
static enum vac_class class_of_band(struct vac *v, const char *name)
{
	struct vac_band *b;
	struct band_name n;
	enum band_file kind;
	unsigned part;

	if (!band_file_parse(span_str(name), &n, &kind, &part))
		return VAC_UNKNOWN;
	b = vac_band(v, span_str(n.text));
	if (!b || b->state != VAC_GONE || (kind == BAND_TAIL && v->strict))
		return VAC_LIVE; /* the chain of a client's tails must not be broken */
	if (kind == BAND_REMOVED || (kind == BAND_FENCE && b->info->removed.n == 0))
		return VAC_LIVE;
	return kind == BAND_HEAD && !b->ended ? VAC_LIVE : VAC_DEAD;
}

static enum vac_class class_of_delta(struct vac *v, const char *name)
{
	struct id id;

	if (!id_of_name(name, &id))
		return VAC_UNKNOWN;
	if (map_get(&v->superseded, &id))
		return VAC_DEAD;
	return map_get(&v->bad_deltas, &id) ? VAC_UNKNOWN : VAC_LIVE;
}

static enum vac_class class_of_bundle(struct vac *v, const char *name)
{
	struct id id;

	return id_of_name(name, &id) && map_get(&v->condemned, &id) ? VAC_CONDEMNED
	                                                            : VAC_UNKNOWN;
}

bool vac_evidence_idle(struct vac *v, const char *name)
{
	const struct band_info *i;
	enum band_file kind;
	struct vac_band *b;
	struct band_name n;
	unsigned part;

	if (!band_file_parse(span_str(name), &n, &kind, &part))
		return false;
	b = vac_band(v, span_str(n.text));
	if (!b || b->state != VAC_GONE || b->rolled || b->wrote)
		return false;
	i = b->info;
	if (i->removed.n == 0 && !b->ended)
		return false;
	return i->heads.n + i->parts.n + i->tails.n == 0;
}

enum vac_class vac_class(struct vac *v, enum vac_folder folder, const char *name)
{
	return vac_names(&v->files, folder, name) ? VAC_CONDEMNED
	                                          : vac_own_class(v, folder, name);
}

enum vac_class vac_own_class(struct vac *v, enum vac_folder folder, const char *name)
{
	if (vac_names(&v->torn, folder, name))
		return VAC_UNKNOWN;
	if (folder == VAC_BANDS)
		return class_of_band(v, name);
	if (folder == VAC_INDEX)
		return class_of_delta(v, name);
	return folder >= VAC_HUNKS ? class_of_bundle(v, name) : VAC_LIVE;
}

bool vac_told(const struct vac *v, enum vac_folder folder, const char *name)
{
	uint64_t *at;
	struct id id;

	if (folder < VAC_HUNKS || !id_of_name(name, &id))
		return false;
	at = map_get(&v->held_at, &id);
	return at && v->held[*at].told;
}

static void count_file(struct vac *v, const struct vac_file *x)
{
	struct vacuum_result *res = v->result;

	if (!x->there)
		return;
	res->total_bytes += x->size;
	if (x->folder == VAC_BANDS && vac_evidence_idle(v, x->name) &&
	    !vac_names(&v->files, x->folder, x->name))
		v->idle_files += x->size;
	switch (vac_class(v, x->folder, x->name)) {
	case VAC_LIVE:
		res->live_bytes += x->size;
		break;
	case VAC_CONDEMNED:
		res->condemned_bytes += x->size;
		break;
	case VAC_DEAD:
		res->dead_bytes += x->size;
		v->dead_files += x->size;
		break;
	case VAC_UNKNOWN:
		res->unknown_bytes += x->size;
		break;
	}
}

/* Bundles that no delta tells of; the caller frees them. */
static struct vac_file *untold(const struct vac *v, size_t *n)
{
	struct vac_file *all = NULL;
	const char *name;
	size_t i, cap = 0;
	int f;

	*n = 0;
	for (f = VAC_HUNKS; f < VAC_FOLDERS; f++)
		for (i = 0; i < v->lists[f].n; i++) {
			name = v->lists[f].names[i];
			if (vac_told(v, (enum vac_folder)f, name))
				continue;
			all = mem_grow(all, &cap, *n + 1, sizeof *all);
			all[(*n)++] = (struct vac_file){.name = name, .folder = (enum vac_folder)f};
		}
	return all;
}

static bool count_files(struct vac *v, struct err *e)
{
	struct vac_file *bundles;
	size_t n, i;
	bool ok;

	bundles = untold(v, &n);
	ok = vac_sizes(v, bundles, n, e);
	for (i = 0; ok && i < v->n_small; i++)
		count_file(v, &v->small[i]);
	for (i = 0; ok && i < n; i++)
		count_file(v, &bundles[i]);
	free(bundles);
	return ok;
}

bool vac_share(struct vac *v, struct err *e)
{
	if (!share_bundles(v, e) || !count_files(v, e))
		return false;
	vac_merge(v);
	vac_predict(v);
	return true;
}
