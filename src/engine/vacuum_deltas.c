/*
 * The table of bundles. Deltas are read one after another; of each bundle a few numbers
 * stay in memory, its directory goes to the spool, and each of its slots gets a bit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/vacuum_internal.h"
#include "repo/deltas.h"

static bool bundle_listed(const struct vac *v, enum file_type type, const struct id *name)
{
	char hex[2 * ID_SIZE + 1];

	name_of_id(name, hex);
	return vac_listed(
	    v, type == FILE_HUNKS ? VAC_HUNKS : VAC_DATA + (name->b[0] >> 4), hex);
}

static bool bundle_hurt(const struct vac *v, const struct id *name)
{
	size_t low = 0, high = v->n_damage, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (memcmp(v->damage[mid].bundle.b, name->b, ID_SIZE) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n_damage && id_equal(&v->damage[low].bundle, name);
}

uint32_t vac_held(
    struct vac *v, enum file_type type, const struct id *name, uint64_t size)
{
	uint64_t *at = map_get(&v->held_at, name);
	struct held *h;

	if (at) {
		h = &v->held[*at];
		if (h->size == 0)
			h->size = size;
		else if (size != 0 && size != h->size)
			h->lost = true; /* two tell of it differently: rely on neither */
		return (uint32_t)*at;
	}
	v->held = mem_grow(v->held, &v->held_cap, v->n_held + 1, sizeof *h);
	h = &v->held[v->n_held++];
	*h = (struct held){.name = *name, .type = type, .size = size};
	h->listed = bundle_listed(v, type, name);
	h->condemned = map_get(&v->condemned, name) != NULL;
	h->lost = map_get(&v->lost, name) != NULL;
	h->hurt = bundle_hurt(v, name);
	map_put(&v->held_at, name, v->n_held - 1);
	return (uint32_t)(v->n_held - 1);
}

/* Where the ids begin in an encoded directory: behind them stand the lengths alone. */
static uint32_t ids_offset(const struct directory *d, size_t encoded)
{
	size_t lengths = 0;
	uint32_t i, x;

	for (i = 0; i < d->n_chunks; i++)
		for (lengths++, x = d->lengths[i]; x >= 0x80; x >>= 7)
			lengths++;
	return (uint32_t)(encoded - lengths - (size_t)d->n_chunks * ID_SIZE);
}

/*
 * Over a mount that is its own cache, what this client put may be read and not be there;
 * unless it is settled, as this run has done before it looked.
 */
static bool is_late(const struct vac *v, const struct vac_band *run)
{
	if (!v->strict || !repo_arrives_late(v->repo))
		return false;
	if (!run)
		return true;
	return v->client && strcmp(run->info->name.client, v->client) == 0 &&
	    !(run->tail && run->band.settled);
}

/* A directory that is not valid makes its bundle unknown, not the delta. */
static bool take_bundle(struct vac *v, const struct delta_bundle *b, bool settled,
    struct directory *dir, struct err *e)
{
	uint32_t number = vac_held(v, b->type, &b->name, b->size);
	struct held *h = &v->held[number];
	struct vac_band *run;

	if (h->told)
		h->delta = (uint32_t)v->n_deltas;
	h->settled |= settled;
	if (h->told || !directory_decode(b->directory, dir, NULL))
		return true;
	h->type = b->type;
	h->listed = bundle_listed(v, h->type, &h->name);
	h->told = true;
	h->delta = (uint32_t)v->n_deltas;
	h->chunks = dir->n_chunks;
	h->base = v->chunks;
	v->chunks += h->chunks;
	h->dir_n = (uint32_t)b->directory.n;
	h->ids_at = ids_offset(dir, b->directory.n);
	run = vac_band(v, b->run);
	h->open = run && run->open;
	h->late = is_late(v, run);
	h->orphan = !run && h->listed && !h->condemned;
	if (run && h->listed && !h->condemned)
		run->wrote = true;
	return spool_add(v->spool, b->directory, &h->dir_at, e);
}

static void take_move(struct vac *v, const struct delta_move *m)
{
	uint32_t from = vac_held(v, FILE_DATA, &m->from, 0);
	uint32_t to = vac_held(v, FILE_DATA, &m->to, 0);

	v->moves = mem_grow(v->moves, &v->moves_cap, v->n_moves + 1, sizeof *v->moves);
	v->moves[v->n_moves++] = (struct vac_move){
	    from, m->slot, m->count, to, m->to_slot, (uint32_t)v->n_deltas};
}

/* STEP_FAILED with *e empty: the delta is not whole. */
static enum step take_delta(struct vac *v, struct span plain, bool settled, struct err *e)
{
	struct directory dir = DIRECTORY_EMPTY;
	struct delta_bundle b;
	struct delta_iter it;
	struct delta_move m;
	enum step step;
	struct id id;

	if (!delta_open(&it, plain, NULL))
		return STEP_FAILED;
	while ((step = delta_next_bundle(&it, &b, NULL)) == STEP_ITEM)
		if (!take_bundle(v, &b, settled, &dir, e)) {
			step = STEP_FAILED;
			break;
		}
	directory_release(&dir);
	while (step != STEP_FAILED && (step = delta_next_move(&it, &m, NULL)) == STEP_ITEM)
		take_move(v, &m);
	while (step != STEP_FAILED &&
	    (step = delta_next_superseded(&it, &id, NULL)) == STEP_ITEM)
		map_put(&v->superseded, &id, 1);
	return step;
}

int64_t vac_delta_age(struct waits *w, const struct id *id)
{
	char key[2 * ID_SIZE + 16], name[2 * ID_SIZE + 1];

	name_of_id(id, name);
	snprintf(key, sizeof key, "delta %s", name);
	return waits_age(w, key);
}

/*
 * Whether it has been known here for as long as a file takes to be seen by all: so are
 * the bundles that it tells of, which were put before it. The grace is at least twice
 * that.
 */
static bool delta_settled(struct vac *v, const struct id *id)
{
	return v->o->sole_client ||
	    (v->waits && vac_delta_age(v->waits, id) >= v->o->grace / 2);
}

static bool read_delta(struct vac *v, struct deltas *deltas, const struct id *id,
    struct buf *plain, struct err *e)
{
	struct err why = ERR_EMPTY;

	if (!deltas_get(deltas, id, plain, &why)) {
		if (!err_is_damage(&why)) {
			*e = why;
			return false;
		}
	} else if (take_delta(v, buf_span(plain), delta_settled(v, id), &why) !=
	    STEP_FAILED) {
		v->deltas = mem_grow(
		    v->deltas, &v->deltas_cap, v->n_deltas + 1, sizeof *v->deltas);
		v->deltas[v->n_deltas++] = (struct vac_delta){.name = *id, .size = plain->n};
		return true;
	} else if (why.kind != ERR_NONE) {
		*e = why;
		return false;
	}
	map_put(&v->bad_deltas, id, 1);
	return true;
}

/* What a delta that was read supersedes is not, from then on. */
static bool is_wanted(
    const struct vac *v, const char *name, bool condemned, struct id *id)
{
	return id_of_name(name, id) && !map_get(&v->superseded, id) &&
	    vac_names(&v->files, VAC_INDEX, name) == condemned;
}

/*
 * Those that a tombstone names last: what supersedes them has mostly been read by then.
 */
static bool read_listed(struct vac *v, bool condemned, struct err *e)
{
	const struct store_listing *l = &v->lists[VAC_INDEX];
	struct deltas *deltas = deltas_new(v->repo);
	struct buf plain = BUF_EMPTY;
	struct id id;
	size_t i, n = 0, done = 0;
	bool ok = true;

	for (i = 0; i < l->n; i++) {
		if (!is_wanted(v, l->names[i], condemned, &id))
			continue;
		deltas_add(deltas, &id);
		n++;
	}
	for (i = 0; ok && i < l->n; i++) {
		if (!is_wanted(v, l->names[i], condemned, &id))
			continue;
		ok = !vac_stopped(v, e) && vac_remind(v, VAC_INDEX, done, n - done, e) &&
		    read_delta(v, deltas, &id, &plain, e);
		done++;
	}
	deltas_free(deltas);
	buf_release(&plain);
	return ok;
}

/*
 * A delta that a band tells of is there and whole, unless another holds what it held. One
 * that no band tells of is the rest of an attempt, or of a band that is gone: what it
 * alone knew does not resolve, if anybody needs it.
 */
static bool check_deltas(struct vac *v, struct err *e)
{
	char name[2 * ID_SIZE + 1];
	const void *key;
	uint64_t band;
	size_t at = 0;

	while (map_next(&v->needed_deltas, &at, &key, &band)) {
		name_of_id(key, name);
		if (map_get(&v->superseded, key))
			continue;
		if (map_get(&v->bad_deltas, key))
			return err_set(e, ERR_CORRUPT,
			    "index/%s is damaged: what the bundles of %s hold cannot be told, so "
			    "nothing may be called dead",
			    name, v->v[band].info->name.text);
		if (!vac_listed(v, VAC_INDEX, name))
			return err_set(e, ERR_MISSING,
			    "index/%s, which %s tells of, is not listed: the storage does not show "
			    "everything, or it is lost",
			    name, v->v[band].info->name.text);
	}
	return true;
}

static int by_from(const void *a, const void *b)
{
	const struct vac_move *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->to_slot > y->to_slot) - (x->to_slot < y->to_slot);
}

bool vac_read_deltas(struct vac *v, struct err *e)
{
	v->spool = spool_new(v->cache);
	if (!read_listed(v, false, e) || !read_listed(v, true, e) || !check_deltas(v, e))
		return false;
	if (v->n_moves)
		qsort(v->moves, v->n_moves, sizeof *v->moves, by_from);
	v->bits = mem_zalloc((size_t)(v->chunks / 8 + 1));
	v->result->chunks = v->chunks;
	return true;
}

static bool check_there(struct held *h, const char *teller, struct err *e)
{
	char name[2 * ID_SIZE + 1], folder[16];

	h->named = true;
	if (h->listed || h->condemned || h->lost)
		return true;
	name_of_id(&h->name, name);
	return err_set(e, ERR_MISSING,
	    "%s/%s, which %s tells of, is not listed: the storage does not show everything, "
	    "or it is lost (bale validate records that)",
	    folder_of(h->type, &h->name, folder), name, teller);
}

/* A band leaves a trace for as long as a bundle of it is there: vacuum sees to that. */
static bool check_run(const struct held *h, struct err *e)
{
	char name[2 * ID_SIZE + 1], folder[16];

	if (!h->orphan)
		return true;
	name_of_id(&h->name, name);
	return err_set(e, ERR_MISSING,
	    "the band that wrote %s/%s is not listed, nor its removal: the storage does not "
	    "show everything",
	    folder_of(h->type, &h->name, folder), name);
}

bool vac_check_bundles(struct vac *v, struct err *e)
{
	const struct band_bundle *x;
	uint32_t number;
	size_t i, k;

	for (i = 0; i < v->n_v; i++) {
		for (k = 0; v->v[i].state == VAC_COUNTS && k < v->v[i].band.n_bundles; k++) {
			x = &v->v[i].band.bundles[k];
			number =
			    vac_held(v, x->hunks ? FILE_HUNKS : FILE_DATA, &x->name, x->size);
			if (!check_there(&v->held[number], v->v[i].info->name.text, e))
				return false;
		}
	}
	for (i = 0; i < v->n_held; i++)
		if (v->held[i].told &&
		    (!check_there(&v->held[i], "a delta", e) || !check_run(&v->held[i], e)))
			return false;
	return true;
}
