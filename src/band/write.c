/*
 * Entries → hunks → references.
 *
 * Hunks stand in a queue from the moment they end until their bundles are named; they
 * leave it in order, so the references stand in apath order. Written hunks are kept as
 * references only, each with the totals up to its end, so that a part claims just what it
 * covers.
 */
#include "band/write.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "bundle/read.h"

#define REFS_IN_JSON 128 /* more go to list chunks */
#define NO_TICKET    UINT64_MAX

struct waiting {
	struct waiting *next;
	struct hunk_writer *hunk;
	struct buf first, last; /* apaths */
	uint32_t entries;
	size_t size;
	struct band_totals totals;
};

/* A chunk of the index that is written, or was known: a hunk or a list of them. */
struct written {
	struct id id;
	struct packer *packer; /* with the ticket; NULL where the hint is known */
	uint64_t ticket;
	struct hint hint;
	uint32_t length;
	uint64_t entries; /* in or below it; of a list of extents: bytes of the file */
	struct buf first;
};

struct written_array {
	struct written *v;
	size_t n, cap;
};

struct band_writer {
	struct band_writer_options o;
	struct waiting *open;
	struct waiting *head, **tail;
	struct hunk_writer *spare;
	size_t waiting_bytes;
	size_t ended;               /* hunks, waiting or written */
	struct written_array hunks;
	struct buf last;            /* of the hunk written last */
	struct band_totals covered; /* at its end */
	/* id → ticket of a chunk that this run put, hunks and lists apart. */
	struct map own;
	struct map own_lists;
	struct buf plain;
};

struct band_writer *band_writer_new(const struct band_writer_options *o)
{
	struct band_writer *w = mem_zalloc(sizeof *w);

	w->o = *o;
	w->tail = &w->head;
	map_init(&w->own, ID_SIZE);
	map_init(&w->own_lists, ID_SIZE);
	return w;
}

static void waiting_free(struct waiting *h)
{
	if (!h)
		return;
	hunk_writer_free(h->hunk);
	buf_release(&h->first);
	buf_release(&h->last);
	free(h);
}

static void written_release(struct written_array *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		buf_release(&a->v[i].first);
	free(a->v);
	*a = (struct written_array){NULL, 0, 0};
}

void band_writer_free(struct band_writer *w)
{
	struct waiting *h;

	if (!w)
		return;
	waiting_free(w->open);
	while ((h = w->head)) {
		w->head = h->next;
		waiting_free(h);
	}
	hunk_writer_free(w->spare);
	written_release(&w->hunks);
	buf_release(&w->last);
	buf_release(&w->plain);
	map_release(&w->own);
	map_release(&w->own_lists);
	free(w);
}

static void end_hunk(struct band_writer *w)
{
	struct waiting *h = w->open;

	if (!h)
		return;
	h->size = hunk_writer_size(h->hunk);
	h->entries = hunk_writer_count(h->hunk);
	h->totals = *w->o.totals;
	w->waiting_bytes += h->size;
	*w->tail = h;
	w->tail = &h->next;
	w->open = NULL;
	w->ended++;
}

bool band_writer_add(struct band_writer *w, const struct entry *entry, struct err *e)
{
	struct waiting *h = w->open;

	if (!h) {
		h = w->open = mem_zalloc(sizeof *h);
		h->hunk = w->spare ? w->spare : hunk_writer_new();
		w->spare = NULL;
		buf_add_span(&h->first, entry->apath);
	}
	hunk_writer_add(h->hunk, entry);
	buf_clear(&h->last);
	buf_add_span(&h->last, entry->apath);
	if (hunk_ends(entry->apath, hunk_writer_count(h->hunk), hunk_writer_size(h->hunk))) {
		end_hunk(w);
		return band_writer_poll(w, e);
	}
	return true;
}

void band_writer_end(struct band_writer *w)
{
	end_hunk(w);
}

size_t band_writer_hunks(const struct band_writer *w)
{
	return w->ended;
}

size_t band_writer_waiting(const struct band_writer *w)
{
	return w->waiting_bytes;
}

/* Names and sizes for the caller's bundle numbers; false while one has none. */
static bool names_of(struct band_writer *w, const uint32_t *numbers, uint32_t n,
    struct bundle_ref **out)
{
	struct bundle_ref *refs = mem_array(n, sizeof *refs);
	const struct stocked *s;
	uint32_t i;

	for (i = 0; i < n; i++) {
		s = inventory_get(w->o.inventory, numbers[i]);
		if (!s->named) {
			free(refs);
			return false;
		}
		refs[i] = (struct bundle_ref){s->name, s->size};
	}
	*out = refs;
	return true;
}

/*
 * The chunk in w->plain: known to the storage, put by this run before, or put now. `own`
 * holds the tickets of `packer`.
 */
static bool put_chunk(struct band_writer *w, struct packer *packer, struct map *own,
    struct written *out, struct err *e)
{
	struct repo *r = w->o.repo;
	uint64_t *ticket;
	bool found;

	chunk_id(r, FILE_HUNKS, buf_span(&w->plain), &out->id);
	out->length = (uint32_t)w->plain.n;
	out->packer = packer;
	cache_pack_add(w->o.pack, &out->id, buf_span(&w->plain));
	ticket = map_get(own, &out->id);
	if (ticket) {
		out->ticket = *ticket;
		return true;
	}
	if (!w->o.known(w->o.arg, &out->id, &out->hint, &found, e))
		return false;
	if (found) {
		out->packer = NULL;
		return true;
	}
	if (!packer_add(packer, &out->id, buf_span(&w->plain), &out->ticket, e))
		return false;
	map_put(own, &out->id, out->ticket);
	return true;
}

static struct written *append(struct written_array *a)
{
	a->v = mem_grow(a->v, &a->cap, a->n + 1, sizeof *a->v);
	a->v[a->n] = (struct written){0};
	return &a->v[a->n++];
}

bool band_writer_poll(struct band_writer *w, struct err *e)
{
	struct bundle_ref *refs;
	struct waiting *h;
	struct written *out;
	const uint32_t *numbers;
	uint32_t n;
	bool ok = true;

	while (ok && (h = w->head)) {
		numbers = hunk_writer_bundles(h->hunk, &n);
		if (!names_of(w, numbers, n, &refs))
			break;
		buf_clear(&w->plain);
		hunk_writer_finish(h->hunk, refs, &w->plain);
		free(refs);
		out = append(&w->hunks);
		out->entries = h->entries;
		buf_add_span(&out->first, buf_span(&h->first));
		ok = put_chunk(w, w->o.hunks, &w->own, out, e);
		buf_clear(&w->last);
		buf_add_span(&w->last, buf_span(&h->last));
		w->covered = h->totals;
		w->waiting_bytes -= h->size;
		w->head = h->next;
		if (!w->head)
			w->tail = &w->head;
		if (!w->spare) {
			w->spare = h->hunk;
			h->hunk = NULL;
		}
		waiting_free(h);
	}
	return ok;
}

/* Every chunk's place, once its packer has settled. */
static void place_all(struct written_array *a)
{
	bool found;
	size_t i;

	for (i = 0; i < a->n; i++) {
		if (!a->v[i].packer)
			continue;
		found = packer_place(a->v[i].packer, a->v[i].ticket, &a->v[i].hint);
		assert(found);
		(void)found;
		a->v[i].packer = NULL;
	}
}

/* End one list of references: its bytes go to the packer of lists. */
static bool end_list(struct band_writer *w, struct list_writer *list, struct written *out,
    struct err *e)
{
	struct bundle_ref *refs;
	const uint32_t *numbers;
	uint32_t n;
	bool named;

	numbers = list_writer_bundles(list, &n);
	named = names_of(w, numbers, n, &refs);
	assert(named); /* the contract of whoever asks for a list */
	(void)named;
	buf_clear(&w->plain);
	list_writer_finish(list, refs, &w->plain);
	free(refs);
	return put_chunk(w, w->o.lists, &w->own_lists, out, e);
}

/* The level above: lists of what `from` refers to. */
static bool raise_level(struct band_writer *w, const struct written_array *from,
    uint32_t level, struct written_array *to, struct err *e)
{
	struct list_writer *list = list_writer_new(LIST_HUNKS, level);
	struct written *out = NULL;
	const struct written *x;
	struct hunk_ref ref;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < from->n; i++) {
		x = &from->v[i];
		if (!out) {
			out = append(to);
			buf_add_span(&out->first, buf_span(&x->first));
		}
		ref = (struct hunk_ref){
		    x->id, x->hint, x->length, buf_span(&x->first), x->entries};
		list_writer_add_hunk(list, &ref);
		out->entries += x->entries;
		if (i + 1 == from->n || list_ends(&x->id, list_writer_count(list))) {
			ok = end_list(w, list, out, e);
			out = NULL;
		}
	}
	list_writer_free(list);
	ok = ok && packer_flush(w->o.lists, e);
	if (ok)
		place_all(to);
	return ok;
}

static void fill_refs(
    struct band_writer *w, const struct written_array *a, struct band *b)
{
	const struct stocked *s;
	struct band_ref ref;
	size_t i;

	for (i = 0; i < a->n; i++) {
		s = inventory_get(w->o.inventory, a->v[i].hint.bundle);
		assert(s->named);
		ref.ref = (struct hunk_ref){a->v[i].id, a->v[i].hint, a->v[i].length,
		    buf_span(&a->v[i].first), a->v[i].entries};
		ref.bundle = (struct bundle_ref){s->name, s->size};
		band_add_ref(b, &ref);
	}
}

bool band_writer_refs(struct band_writer *w, struct band *b, struct err *e)
{
	struct written_array lists = {NULL, 0, 0}, up = {NULL, 0, 0};
	const struct written_array *top = &w->hunks;
	bool ok;

	ok = packer_flush(w->o.lists, e) && band_writer_poll(w, e) &&
	    packer_flush(w->o.hunks, e);
	if (ok)
		place_all(&w->hunks);
	b->list_level = 0;
	while (ok && top->n > REFS_IN_JSON) {
		ok = raise_level(w, top, b->list_level, &up, e);
		written_release(&lists);
		lists = up;
		up = (struct written_array){NULL, 0, 0};
		top = &lists;
		b->list_level++;
	}
	if (ok) {
		fill_refs(w, top, b);
		free(b->last);
		b->last = mem_alloc(w->last.n + 1);
		if (w->last.n)
			memcpy(b->last, w->last.p, w->last.n);
		b->last[w->last.n] = '\0';
		b->last_len = w->last.n;
		b->totals = w->covered;
	}
	written_release(&lists);
	return ok;
}

/*
 * One level of lists over extents: of the file's own (level 0) or of references to lists.
 */
static bool extent_level(struct band_writer *w, const struct extent *x, size_t n,
    uint32_t level, struct extent **out, size_t *n_out, struct err *e)
{
	struct list_writer *list = list_writer_new(LIST_EXTENTS, level);
	struct written_array lists = {NULL, 0, 0};
	uint64_t covered = 0;
	struct written *end;
	size_t i;
	bool ok = true;

	for (i = 0; ok && i < n; i++) {
		list_writer_add_extent(list, &x[i]);
		covered += x[i].length;
		if (i + 1 == n ||
		    list_ends(x[i].hole ? NULL : &x[i].id, list_writer_count(list))) {
			end = append(&lists);
			end->entries = covered;
			covered = 0;
			ok = end_list(w, list, end, e);
		}
	}
	list_writer_free(list);
	ok = ok && packer_settle(w->o.lists, e);
	if (ok)
		place_all(&lists);
	*n_out = ok ? lists.n : 0;
	*out = mem_array(lists.n, sizeof **out);
	for (i = 0; i < *n_out; i++)
		(*out)[i] = (struct extent){.length = lists.v[i].entries, .id = lists.v[i].id,
		    .hint = lists.v[i].hint};
	written_release(&lists);
	return ok;
}

bool band_writer_extents(struct band_writer *w, const struct extent *extents, size_t n,
    struct extent **out, size_t *n_out, uint32_t *level, struct err *e)
{
	struct extent *lower;
	size_t n_lower;
	bool ok;

	*level = 0;
	ok = extent_level(w, extents, n, 0, out, n_out, e);
	while (ok && *n_out > ENTRY_EXTENTS) {
		lower = *out;
		n_lower = *n_out;
		++*level;
		ok = packer_flush(w->o.lists, e) &&
		    extent_level(w, lower, n_lower, *level, out, n_out, e);
		free(lower);
	}
	return ok;
}
