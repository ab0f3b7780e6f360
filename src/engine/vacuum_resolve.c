/*
 * References to places. The same chunk may lie in several bundles; the place that a
 * reference is resolved to is the one that is marked, so that it is not called dead while
 * a reference relies on it. What a hint says is compared with the directory: an id that
 * does not stand there is not there.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/vacuum_internal.h"

#define CHAIN 64     /* moves that one may follow upon another */
#define PATHS 1000   /* misses that remember who asks */

bool vac_marked(const struct vac *v, const struct held *h, uint32_t slot)
{
	uint64_t bit = h->base + slot;

	return v->bits[bit / 8] >> (bit % 8) & 1;
}

static void mark(struct vac *v, const struct held *h, uint32_t slot)
{
	uint64_t bit = h->base + slot;

	if (!vac_marked(v, h, slot))
		v->result->live_chunks++;
	v->bits[bit / 8] |= (uint8_t)(1u << (bit % 8));
}

void vac_keep(struct vac *v, struct held *h, uint32_t slot, uint32_t length)
{
	if (vac_marked(v, h, slot))
		return;
	mark(v, h, slot);
	h->live_chunks++;
	h->copy += length;
}

bool vac_directory(
    struct vac *v, const struct held *h, struct directory *d, struct err *e)
{
	struct buf encoded = BUF_EMPTY;
	struct fault f;
	bool ok;

	ok = spool_get(v->spool, h->dir_at, h->dir_n, &encoded, e) &&
	    (directory_decode(buf_span(&encoded), d, &f) || err_fault(e, &f));
	buf_release(&encoded);
	return ok;
}

bool vac_usable(const struct vac *v, const struct held *h, uint32_t slot)
{
	return h->told && h->listed && !h->condemned && slot < h->chunks &&
	    !vac_damaged(v, h, slot);
}

/* Whether the place is usable and holds the chunk. */
static bool holds(struct vac *v, uint32_t number, uint32_t slot, const struct id *id,
    bool *yes, struct err *e)
{
	const struct held *h = &v->held[number];
	struct id there;

	*yes = MUTANT(BLIND_HINTS) && h->told && slot < h->chunks;
	if (*yes || !vac_usable(v, h, slot))
		return true;
	if (!spool_peek(v->spool, h->dir_at + h->ids_at + (uint64_t)slot * ID_SIZE, there.b,
	        ID_SIZE, e))
		return false;
	*yes = id_equal(&there, id);
	return true;
}

/* The first move that may cover a slot. */
static size_t first_move(const struct vac *v, uint32_t from)
{
	size_t low = 0, high = v->n_moves, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (v->moves[mid].from < from)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Follow every move from a place, and what follows from there. */
static bool follow(struct vac *v, uint32_t from, uint32_t slot, const struct id *id,
    unsigned depth, uint32_t *h, uint32_t *to_slot, struct err *e)
{
	const struct vac_move *m;
	uint32_t to;
	bool yes;
	size_t i;

	for (i = first_move(v, from); i < v->n_moves && v->moves[i].from == from; i++) {
		m = &v->moves[i];
		if (m->slot > slot)
			break;
		if (slot - m->slot >= m->count)
			continue;
		to = m->to_slot + (slot - m->slot);
		if (!holds(v, m->to, to, id, &yes, e))
			return false;
		if (yes) {
			*h = m->to;
			*to_slot = to;
			return true;
		}
		if (depth < CHAIN && !follow(v, m->to, to, id, depth + 1, h, to_slot, e))
			return false;
		if (*h != NO_HELD)
			return true;
	}
	return true;
}

static bool unresolved(const struct vac *v, const struct vac_miss *m, struct err *e)
{
	const char *path = m->path && *m->path ? m->path : "a snapshot";
	const struct held *h = &v->held[m->hint];
	char hex[2 * ID_SIZE + 1], folder[16];

	if (h->listed && !h->told && !h->lost) {
		name_of_id(&h->name, hex);
		return err_set(e, ERR_CORRUPT,
		    "what %s/%s holds, to which %s refers, is told by no file of index/ that can "
		    "be read, so nothing may be called dead; one of them is damaged or lost; "
		    "backups and restores do without it",
		    folder_of(h->type, &h->name, folder), hex, path);
	}
	name_of_id(&m->id, hex);
	return err_set(e, ERR_CORRUPT,
	    "chunk %.12s of %s is nowhere to be found, so nothing may be called dead; bale "
	    "validate tells which snapshots suffer, the next backup heals what is still at "
	    "its source, and what is lost must be removed",
	    hex, path);
}

/* False: it has been looked for before, in vain, for a band of which less is demanded. */
static bool add_miss(struct vac *v, enum file_type type, const struct id *id, bool needed,
    uint32_t hint, struct span path, struct err *e)
{
	uint64_t *at = map_get(&v->misses, id);
	struct vac_miss *m;

	if (at) {
		v->miss[*at].needed |= needed;
		return *at >= v->missed || !needed || unresolved(v, &v->miss[*at], e);
	}
	v->miss = mem_grow(v->miss, &v->miss_cap, v->n_miss + 1, sizeof *v->miss);
	m = &v->miss[v->n_miss];
	*m = (struct vac_miss){*id, type, needed, hint, NO_HELD, 0, NULL};
	if (v->n_miss < PATHS)
		m->path = mem_printf("%.*s", (int)(path.n < 300 ? path.n : 300), path.p);
	map_put(&v->misses, id, v->n_miss++);
	return true;
}

bool vac_resolve(struct vac *v, enum file_type type, const struct id *id, bool needed,
    struct span path, uint32_t *h, uint32_t *slot, struct err *e)
{
	uint32_t hint = *h, hint_slot = *slot;
	uint64_t *at;
	bool yes = false;

	*h = NO_HELD;
	v->held[hint].hinted = true;
	if (!holds(v, hint, hint_slot, id, &yes, e))
		return false;
	if (yes) {
		*h = hint;
	} else {
		if (!follow(v, hint, hint_slot, id, 0, h, slot, e))
			return false;
		at = *h == NO_HELD ? map_get(&v->misses, id) : NULL;
		if (at && v->miss[*at].held != NO_HELD) {
			*h = v->miss[*at].held;
			*slot = v->miss[*at].slot;
			return true;
		}
	}
	if (*h == NO_HELD)
		return add_miss(v, type, id, needed, hint, path, e);
	mark(v, &v->held[*h], *slot);
	return true;
}

/* --- misses */

/*
 * Whether a copy is better than what was found so far: condemned ones are a last resort.
 */
static bool better(const struct vac *v, const struct vac_miss *m, const struct held *h,
    uint32_t slot)
{
	if (h->type != m->type || !h->listed || vac_damaged(v, h, slot))
		return false;
	return m->held == NO_HELD || (v->held[m->held].condemned && !h->condemned);
}

static bool look_in(struct vac *v, uint32_t number, struct directory *d, struct err *e)
{
	const struct held *h = &v->held[number];
	struct vac_miss *m;
	uint64_t *at;
	uint32_t i;

	if (!h->told || !h->listed || h->lost)
		return true;
	if (!vac_directory(v, h, d, e))
		return false;
	for (i = 0; i < d->n_chunks; i++) {
		at = map_get(&v->misses, &d->ids[i]);
		if (!at || *at < v->missed)
			continue;
		m = &v->miss[*at];
		if (better(v, m, h, i)) {
			m->held = number;
			m->slot = i;
		}
	}
	return true;
}

bool vac_find_missed(struct vac *v, struct err *e)
{
	struct directory d = DIRECTORY_EMPTY;
	struct vac_miss *m;
	uint32_t i;
	bool ok = true;

	for (i = 0; ok && v->missed < v->n_miss && i < v->n_held; i++)
		ok = !vac_stopped(v, e) && look_in(v, i, &d, e);
	directory_release(&d);
	for (; ok && v->missed < v->n_miss; v->missed++) {
		m = &v->miss[v->missed];
		if (m->held != NO_HELD)
			mark(v, &v->held[m->held], m->slot);
		else if (m->needed)
			ok = unresolved(v, m, e);
	}
	return ok;
}
