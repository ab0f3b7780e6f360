/*
 * Who refers to a chunk is one of four states, and only goes up: nobody; one removed
 * snapshot; several removed ones; a kept one. First all lists are followed down to the
 * hunks, so that each hunk's state is known; then each hunk is read once and its state
 * joined into that of the chunks it names. Chunks are counted by place: what a vacuum
 * frees is a slot that nothing resolves to.
 */
#include "engine/frees.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "bundle/opener.h"
#include "format/delta.h"
#include "repo/deltas.h"

/* FIRST + n: removed number n + 1. */
enum { NOBODY = 0, KEPT = 1, SEVERAL = 2, FIRST = 3 };
#define OWNERS_MAX (UINT16_MAX - FIRST)

/* Hunks read from a bundle, and more to come, are worth reading it whole. */
#define PREFETCH 2

/* A hunk, or a list of hunks or extents, that was met. */
struct node {
	struct hunk_ref ref; /* without first */
	uint16_t state;
	bool hunk;
};

struct places {
	uint16_t *state; /* by slot */
	size_t n;
};

struct frees {
	struct refs refs;
	stream_cache_fn *cache; /* what the caller gave */
	void *cache_arg;
	unsigned misses; /* of the cache, in the bundle at hand */
	struct monitor *m;
	const volatile bool *stop;
	struct map by_id; /* → number of the node */
	struct node *nodes;
	size_t n_nodes, nodes_cap;
	struct places *places; /* by inventory number */
	size_t n_places, places_cap;
	bool uncertain;
};

static uint16_t join(uint16_t a, uint16_t b)
{
	if (a == b || b == NOBODY)
		return a;
	if (a == NOBODY)
		return b;
	return a == KEPT || b == KEPT ? KEPT : SEVERAL;
}

static bool ask_cache(void *arg, const struct id *id, struct buf *plain)
{
	struct frees *f = arg;

	if (f->cache && f->cache(f->cache_arg, id, plain))
		return true;
	f->misses++;
	return false;
}

struct frees *frees_new(
    const struct refs *refs, struct monitor *m, const volatile bool *stop)
{
	struct frees *f = mem_zalloc(sizeof *f);

	f->refs = *refs;
	f->cache = refs->cache;
	f->cache_arg = refs->cache_arg;
	f->refs.cache = ask_cache;
	f->refs.cache_arg = f;
	f->m = m;
	f->stop = stop;
	map_init(&f->by_id, ID_SIZE);
	return f;
}

void frees_free(struct frees *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_places; i++)
		free(f->places[i].state);
	free(f->places);
	free(f->nodes);
	map_release(&f->by_id);
	free(f);
}

/* Damage costs certainty, nothing else. */
static bool bear(struct frees *f, const struct id *id, struct err *e)
{
	char name[2 * ID_SIZE + 1];

	if (!err_is_damage(e))
		return false;
	name_of_id(id, name);
	monitor_problem(f->m, PROBLEM_DAMAGED, span_str(name), e);
	err_clear(e);
	f->uncertain = true;
	return true;
}

/* --- places */

static void mark(struct frees *f, uint32_t bundle, uint32_t slot, uint16_t state)
{
	struct places *p;

	if (bundle >= f->n_places) {
		size_t n = (size_t)bundle + 1;

		f->places = mem_grow(f->places, &f->places_cap, n, sizeof *f->places);
		memset(f->places + f->n_places, 0, (n - f->n_places) * sizeof *f->places);
		f->n_places = n;
	}
	p = &f->places[bundle];
	if (slot >= p->n) {
		size_t n = p->n ? p->n : 64;

		while (n <= slot)
			n *= 2;
		p->state = mem_realloc(p->state, n * sizeof *p->state);
		memset(p->state + p->n, 0, (n - p->n) * sizeof *p->state);
		p->n = n;
	}
	p->state[slot] = join(p->state[slot], state);
}

static bool stands(const struct stocked *s)
{
	return s->listed && !s->condemned;
}

/* Where a vacuum has moved a chunk away, its bytes are where it is now. */
static bool mark_chunk(struct frees *f, enum file_type type, const struct id *id,
    const struct hint *hint, uint16_t state, struct err *e)
{
	struct inventory *inv = f->refs.inventory;
	const struct found *v;
	size_t n;

	if (stands(inventory_get(inv, hint->bundle))) {
		mark(f, hint->bundle, hint->slot, state);
		return true;
	}
	if (!resolver_find(f->refs.resolver, type, id, REACH_DELTAS, &v, &n, e))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint32_t number = inventory_number(inv, type, &v[i].bundle, 0);

		if (v[i].slot < BUNDLE_CHUNKS_MAX && stands(inventory_get(inv, number))) {
			mark(f, number, v[i].slot, state);
			return true;
		}
	}
	return true;
}

/* --- lists and hunks */

/* Join a state into a node. *risen: it was not so before; *at is its number. */
static bool visit(struct frees *f, const struct hunk_ref *r, bool hunk, uint16_t state,
    size_t *at, bool *risen, struct err *e)
{
	uint64_t *known = map_get(&f->by_id, r->id.b);
	struct node *n;
	uint16_t before;

	if (known) {
		*at = (size_t)*known;
	} else {
		f->nodes = mem_grow(f->nodes, &f->nodes_cap, f->n_nodes + 1, sizeof *f->nodes);
		*at = f->n_nodes++;
		f->nodes[*at] = (struct node){*r, NOBODY, hunk};
		f->nodes[*at].ref.first = SPAN_EMPTY;
		map_put(&f->by_id, r->id.b, *at);
	}
	n = &f->nodes[*at];
	before = n->state;
	n->state = join(before, state);
	*risen = n->state != before;
	return !*risen || mark_chunk(f, FILE_HUNKS, &n->ref.id, &n->ref.hint, state, e);
}

struct descent {
	struct frees *f;
	uint32_t level; /* of the items' lists; 0: they are hunks, or the file's extents */
	uint16_t state;
};

static bool take_hunk(void *arg, const struct hunk_ref *r, struct err *e)
{
	const struct descent *d = arg;
	struct descent below = {d->f, d->level - 1, d->state};
	bool risen;
	size_t at;

	if (!visit(d->f, r, d->level == 0, d->state, &at, &risen, e))
		return false;
	if (!risen || d->level == 0)
		return true;
	return refs_list(&d->f->refs, r, d->level - 1, take_hunk, &below, e) ||
	       bear(d->f, &r->id, e);
}

bool frees_add(struct frees *f, const struct band *b, uint32_t removed, struct err *e)
{
	struct descent d = {f, b->list_level, KEPT};

	if (removed)
		d.state = removed <= OWNERS_MAX ? (uint16_t)(FIRST + removed - 1) : SEVERAL;
	return refs_band(&f->refs, b, take_hunk, &d, e);
}

static bool take_extent(void *arg, const struct extent *x, struct err *e)
{
	const struct descent *d = arg;
	struct descent below = {d->f, d->level - 1, d->state};
	struct hunk_ref r = {.id = x->id, .hint = x->hint};
	bool risen;
	size_t at;

	if (x->hole)
		return true;
	if (d->level == 0)
		return mark_chunk(d->f, FILE_DATA, &x->id, &x->hint, d->state, e);
	if (!visit(d->f, &r, false, d->state, &at, &risen, e))
		return false;
	return !risen || refs_extents(&d->f->refs, x, d->level - 1, take_extent, &below, e) ||
	       bear(d->f, &x->id, e);
}

static bool take_entry(void *arg, const struct entry *en, struct err *e)
{
	struct descent d = *(const struct descent *)arg;

	if (en->content != CONTENT_EXTENTS && en->content != CONTENT_LIST)
		return true;
	d.level = en->content == CONTENT_LIST ? en->list_level + 1 : 0;
	for (uint32_t i = 0; i < en->n_extents; i++)
		if (!take_extent(&d, &en->extents[i], e))
			return false;
	return true;
}

/* In the order in which they are stored, so that a bundle is read once. */
static int by_place(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->ref.hint.bundle != y->ref.hint.bundle)
		return x->ref.hint.bundle < y->ref.hint.bundle ? -1 : 1;
	return (x->ref.hint.slot > y->ref.hint.slot) - (x->ref.hint.slot < y->ref.hint.slot);
}

static struct node *sorted_hunks(const struct frees *f, size_t *n)
{
	struct node *v = mem_array(f->n_nodes + 1, sizeof *v);

	*n = 0;
	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].hunk)
			v[(*n)++] = f->nodes[i];
	if (*n > 1)
		qsort(v, *n, sizeof *v, by_place);
	return v;
}

/* Once some hunks of a bundle were not in the cache, and some more are to come. */
static bool worth_it(const struct frees *f, const struct node *v, size_t n)
{
	return f->misses == PREFETCH && n > PREFETCH &&
	    v[PREFETCH].ref.hint.bundle == v[0].ref.hint.bundle &&
	    stands(inventory_get(f->refs.inventory, v[0].ref.hint.bundle));
}

/* Have bundles opened ahead, but for those whose first hunk is cached. */
static void expect(struct frees *f, const struct node *v, size_t n)
{
	struct id *ids = mem_array(n + 1, sizeof *ids);
	struct buf plain = BUF_EMPTY;
	const struct stocked *s;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		s = inventory_get(f->refs.inventory, v[i].ref.hint.bundle);
		if (i > 0 && v[i].ref.hint.bundle == v[i - 1].ref.hint.bundle)
			continue;
		if (stands(s) && !(f->cache && f->cache(f->cache_arg, &v[i].ref.id, &plain)))
			ids[k++] = s->name;
		buf_clear(&plain);
	}
	chunk_reader_expect(f->refs.chunks, FILE_HUNKS, ids, k);
	buf_release(&plain);
	free(ids);
}

static bool read_hunks(struct frees *f, struct err *e)
{
	size_t n;
	struct node *v = sorted_hunks(f, &n);
	struct progress p = {
	    .phase = "read the index", .files_total = n, .parts = true};
	bool ok = true;

	expect(f, v, n);
	for (size_t i = 0; ok && i < n; i++) {
		struct descent d = {f, 0, v[i].state};

		if (f->stop && *f->stop) {
			ok = err_set(e, ERR_STOPPED, "stopped; nothing was removed");
			break;
		}
		if (i == 0 || v[i].ref.hint.bundle != v[i - 1].ref.hint.bundle)
			f->misses = 0;
		if (worth_it(f, v + i, n - i))
			refs_prefetch(&f->refs, v[i].ref.hint.bundle);
		ok = refs_hunk(&f->refs, &v[i].ref, take_entry, &d, e) ||
		     bear(f, &v[i].ref.id, e);
		p.files = i + 1;
		monitor_progress(f->m, &p);
	}
	free(v);
	return ok;
}

/* --- bytes */

/* A chunk's share of its frame's stored bytes; those of a frame add up to all of it. */
static uint64_t share(const struct frame_rec *fr, uint64_t at, uint64_t length)
{
	if (fr->plain == 0)
		return 0;
	return fr->stored * (at + length) / fr->plain - fr->stored * at / fr->plain;
}

static void add_bytes(
    struct places *p, const struct directory *dir, struct frees_result *out)
{
	for (uint32_t k = 0; k < dir->n_frames; k++) {
		const struct frame_rec *fr = &dir->frames[k];
		uint64_t at = 0;

		for (uint32_t slot = fr->first; slot < fr->first + fr->chunks; slot++) {
			uint64_t bytes = share(fr, at, dir->lengths[slot]);
			uint16_t state = slot < p->n ? p->state[slot] : NOBODY;

			at += dir->lengths[slot];
			if (state == NOBODY || state == KEPT)
				continue;
			out->together += bytes;
			if (state >= FIRST)
				out->alone[state - FIRST] += bytes;
		}
	}
	free(p->state);
	*p = (struct places){NULL, 0};
}

static bool frees_any(const struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->state[i] > KEPT)
			return true;
	return false;
}

static void add_delta(struct frees *f, struct span plain, struct map *gone,
    struct frees_result *out)
{
	struct directory dir = DIRECTORY_EMPTY;
	struct delta_iter it;
	struct delta_bundle b;
	struct delta_move move;
	struct id name;
	enum step st = STEP_FAILED;

	if (delta_open(&it, plain, NULL))
		while ((st = delta_next_bundle(&it, &b, NULL)) == STEP_ITEM) {
			uint32_t k = inventory_number(f->refs.inventory, b.type, &b.name, 0);

			if (k < f->n_places && f->places[k].n > 0 &&
			    directory_decode(b.directory, &dir, NULL))
				add_bytes(&f->places[k], &dir, out);
		}
	while (st == STEP_END && (st = delta_next_move(&it, &move, NULL)) == STEP_ITEM)
		st = STEP_END;
	while (
	    st == STEP_END && (st = delta_next_superseded(&it, &name, NULL)) == STEP_ITEM) {
		map_put(gone, name.b, 1);
		st = STEP_END;
	}
	directory_release(&dir);
}

/* One that cannot be read is made up for by the directories of its bundles. */
static void add_deltas(
    struct frees *f, const struct store_listing *names, struct frees_result *out)
{
	struct deltas *deltas = deltas_new(f->refs.repo);
	struct buf plain = BUF_EMPTY;
	struct map gone;
	struct id id;

	map_init(&gone, ID_SIZE);
	for (size_t i = names->n; i-- > 0;)
		if (id_of_name(names->names[i], &id))
			deltas_add(deltas, &id);
	for (size_t i = names->n; i-- > 0;) {
		struct err why = ERR_EMPTY;

		if (!id_of_name(names->names[i], &id) || map_get(&gone, id.b))
			continue;
		if (deltas_get(deltas, &id, &plain, &why))
			add_delta(f, buf_span(&plain), &gone, out);
	}
	deltas_free(deltas);
	map_release(&gone);
	buf_release(&plain);
}

/* The directories of bundles, one by one: what no delta has told of. */
static bool add_bundles(
    struct frees *f, enum file_type type, struct frees_result *out, struct err *e)
{
	uint32_t *numbers = mem_array(f->n_places + 1, sizeof *numbers);
	struct id *names = mem_array(f->n_places + 1, sizeof *names);
	struct opener *opener;
	struct bundle *b;
	size_t n = 0;
	bool ok = true;

	for (uint32_t k = 0; k < f->n_places; k++) {
		const struct stocked *s = inventory_get(f->refs.inventory, k);

		if (f->places[k].n == 0 || s->type != type)
			continue;
		names[n] = s->name;
		numbers[n++] = k;
	}
	opener = opener_new(f->refs.repo, type, names, n);
	for (size_t i = 0; ok && i < n; i++) {
		if (opener_take(opener, type, &names[i], &b) ||
		    bundle_open(f->refs.repo, type, &names[i], &b, e)) {
			add_bytes(&f->places[numbers[i]], &b->dir, out);
			bundle_free(b);
		} else {
			ok = bear(f, &names[i], e);
		}
	}
	opener_free(opener);
	free(numbers);
	free(names);
	return ok;
}

/* Directories stand in deltas and in bundles: whichever are fewer files is read. */
static bool count_bytes(struct frees *f, struct frees_result *out, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	size_t wanted = 0;
	bool ok = true;

	for (size_t k = 0; k < f->n_places; k++) {
		if (frees_any(&f->places[k])) {
			wanted++;
			continue;
		}
		free(f->places[k].state);
		f->places[k] = (struct places){NULL, 0};
	}
	if (wanted > 1)
		ok = repo_list(f->refs.repo, "index", &names, e);
	if (ok && names.n < wanted)
		add_deltas(f, &names, out);
	store_listing_release(&names);
	return ok && add_bundles(f, FILE_HUNKS, out, e) && add_bundles(f, FILE_DATA, out, e);
}

bool frees_count(struct frees *f, struct frees_result *out, struct err *e)
{
	bool any = false, ok;

	out->together = 0;
	for (size_t i = 0; i < f->n_nodes; i++)
		any = any || f->nodes[i].state > KEPT;
	ok = !any || (read_hunks(f, e) && count_bytes(f, out, e));
	out->uncertain = f->uncertain;
	return ok || err_wrap(e, "counting what is freed");
}
