/*
 * Layers, newest first: the parts of unfinished bands, then the newest complete one. Each
 * layer is read from where the one above it ends.
 */
#include "band/basis.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/monitor.h"

#define LAYERS 8 /* more interruptions in a row than this cost reading again */

struct basis {
	struct basis_options o;
	struct band layer[LAYERS]; /* all but the last are parts; the last may be a tail */
	unsigned n, at;
	bool complete;          /* the last is a tail */
	struct stream *stream;  /* of the layer at work */
	struct span reach;      /* where the layers above it end; borrowed from one of them */
	struct stream_options so;
	struct repo *repo;
	struct entry entry;
	bool loaded, ended;
	struct id hunk;         /* the last one noted */
	bool noted;
	struct map hunks;       /* id → hint */
};

static bool from_pack(void *arg, const struct id *id, struct buf *plain)
{
	return cache_pack_get(arg, id, plain);
}

static void open_layer(struct basis *b)
{
	stream_close(b->stream);
	b->stream = stream_open(b->repo, b->o.reader, &b->layer[b->at], &b->so);
	if (b->reach.n)
		stream_seek(b->stream, b->reach);
}

static void note_problem(struct basis *b, const char *what, const struct err *why)
{
	monitor_problem(b->o.monitor, PROBLEM_NOTE, span_str(what), why);
}

/*
 * Whether a band that was read is a layer: of the set, and reaching beyond those above.
 */
static bool is_layer(const struct basis *b, const struct band *band, enum band_file kind,
    const char *set)
{
	if (band->kind != BAND_BACKUP || strcmp(band->set, set) != 0)
		return false;
	if (kind == BAND_TAIL)
		return true;
	return kind == BAND_PART && band->last_len > 0 && b->n < LAYERS - 1;
}

/*
 * Whatever the band has come to. One whose tail a crash has torn has its parts; one that
 * was declared dead serves as well, since nothing of a basis is relied on unseen.
 */
static bool read_layer(struct basis *b, const struct band_info *info,
    enum band_file *kind, struct band *band, struct err *why)
{
	struct band_info rest = *info;
	struct err none;

	if (band_read(b->repo, info, kind, band, why))
		return true;
	if (info->tails.n == 0 || info->parts.n == 0 || why->kind != ERR_CORRUPT)
		return false;
	note_problem(b, info->name.text, why);
	band_release(band);
	rest.tails = (struct string_list){NULL, 0, 0};
	return band_read(b->repo, &rest, kind, band, &none);
}

static bool choose(struct basis *b, const struct bands *bands, const char *set,
    const char *self, struct err *e)
{
	struct bands_ahead ahead = {0};
	struct err why = ERR_EMPTY;
	enum band_file kind;
	struct band band;
	size_t i;

	for (i = bands->n; i-- > 0 && !b->complete;) {
		const struct band_info *info = &bands->v[i];

		if (info->removed.n > 0 || strcmp(info->name.text, self) == 0 ||
		    (info->tails.n == 0 && info->parts.n == 0))
			continue;
		bands_ahead(b->repo, bands, i, &ahead);
		if (!read_layer(b, info, &kind, &band, &why)) {
			band_release(&band);
			if (!err_is_damage(&why)) {
				*e = why;
				return false;
			}
			note_problem(b, info->name.text, &why);
		} else if (is_layer(b, &band, kind, set)) {
			b->layer[b->n++] = band;
			b->complete = kind == BAND_TAIL;
		} else {
			band_release(&band);
		}
	}
	return true;
}

bool basis_open(struct repo *r, const struct bands *bands, const char *set,
    const char *self, const struct basis_options *o, struct basis **out, struct err *e)
{
	struct basis *b = mem_zalloc(sizeof *b);

	*out = NULL;
	b->o = *o;
	b->repo = r;
	b->so = (struct stream_options){
	    o->inventory, o->resolver, o->pack ? from_pack : NULL, o->pack};
	map_init(&b->hunks, ID_SIZE);
	if (!choose(b, bands, set, self, e)) {
		basis_close(b);
		return false;
	}
	if (b->n == 0) {
		basis_close(b);
		return true;
	}
	open_layer(b);
	*out = b;
	return true;
}

void basis_close(struct basis *b)
{
	if (!b)
		return;
	stream_close(b->stream);
	while (b->n > 0)
		band_release(&b->layer[--b->n]);
	map_release(&b->hunks);
	free(b);
}

const char *basis_name(const struct basis *b)
{
	return b->layer[0].name.text;
}

static void note_hunk(struct basis *b)
{
	const struct hunk_ref *h = stream_hunk(b->stream);

	if (b->noted && id_equal(&b->hunk, &h->id))
		return;
	b->hunk = h->id;
	b->noted = true;
	map_put(&b->hunks, &h->id, (uint64_t)h->hint.bundle << 32 | h->hint.slot);
}

/* The layer is used up: go on in the next, behind what has been covered. */
static bool next_layer(struct basis *b)
{
	const struct band *done = &b->layer[b->at];

	if (b->at + 1 == b->n)
		return false;
	if (b->reach.n == 0 ||
	    apath_compare(b->reach, span_of(done->last, done->last_len)) < 0)
		b->reach = span_of(done->last, done->last_len);
	b->at++;
	open_layer(b);
	return true;
}

static bool covered(const struct basis *b, const struct entry *en)
{
	return b->reach.n > 0 && apath_compare(en->apath, b->reach) <= 0;
}

const struct entry *basis_peek(struct basis *b, struct err *e, bool *failed)
{
	struct err why = ERR_EMPTY;

	*failed = false;
	while (!b->loaded && !b->ended) {
		switch (stream_next(b->stream, &b->entry, &why)) {
		case STREAM_ENTRY:
			b->loaded = !covered(b, &b->entry);
			note_hunk(b);
			break;
		case STREAM_DAMAGED: /* its files are read again, which heals */
			note_problem(b, basis_name(b), &why);
			break;
		case STREAM_END:
			b->ended = !next_layer(b);
			break;
		case STREAM_FAILED:
			*e = why;
			*failed = true;
			return NULL;
		}
	}
	return b->loaded ? &b->entry : NULL;
}

void basis_step(struct basis *b)
{
	b->loaded = false;
}

bool basis_extents(struct basis *b, stream_extent_fn *fn, void *arg, struct err *e)
{
	return stream_extents(b->stream, &b->entry, fn, arg, e);
}

bool basis_hunk(const struct basis *b, const struct id *id, struct hint *out)
{
	uint64_t *v = map_get(&b->hunks, id);

	if (!v)
		return false;
	out->bundle = (uint32_t)(*v >> 32);
	out->slot = (uint32_t)*v;
	return true;
}

const struct band_totals *basis_totals(const struct basis *b)
{
	static const struct band_totals none;

	return b->complete ? &b->layer[b->n - 1].totals : &none;
}
