/*
 * Which deltas are to be put together.
 *
 * Small ones, so that their number stays bounded: in the order of their sizes, all up to
 * the last that is no larger than those below it together. So whatever is written again
 * goes into a delta at least twice its size, and no byte is written more often than sizes
 * can double; and what is left doubles from one to the next, so these are few. None is
 * touched once it is large: one vacuum never writes all of the index again.
 *
 * And each, however large, of which most is about bundles that are gone.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/seal.h"
#include "engine/vacuum_internal.h"

#define LARGE      (2u << 20)  /* plain bytes; half of what one is put at */
#define MANY       8           /* fewer small ones are left alone */
/* Bytes about what is gone; for fewer none is written anew. */
#define MUCH       (64u << 10)
/* Bytes of a bundle's record, besides its directory, about. */
#define RECORD     66
#define MOVE       52
#define HEADER     40

/* What leads on from where hints lead is needed too. */
static void spread_hints(struct vac *v)
{
	bool changed = true;
	size_t i;

	while (changed) {
		changed = false;
		for (i = 0; i < v->n_moves; i++) {
			if (!v->held[v->moves[i].from].hinted || v->held[v->moves[i].to].hinted)
				continue;
			v->held[v->moves[i].to].hinted = changed = true;
		}
	}
}

bool vac_keeps_bundle(const struct held *h)
{
	return !h->condemned || h->listed;
}

bool vac_keeps_move(const struct held *from)
{
	return from->hinted || from->listed;
}

static void count_gone(struct vac *v)
{
	const struct held *h;
	size_t i;

	for (i = 0; i < v->n_held; i++) {
		h = &v->held[i];
		if (h->told && !vac_keeps_bundle(h))
			v->deltas[h->delta].gone += RECORD + h->dir_n;
	}
	for (i = 0; i < v->n_moves; i++)
		if (!vac_keeps_move(&v->held[v->moves[i].from]))
			v->deltas[v->moves[i].delta].gone += MOVE;
	for (i = 0; i < v->n_deltas; i++)
		if (v->deltas[i].gone > v->deltas[i].size - HEADER)
			v->deltas[i].gone = v->deltas[i].size - HEADER;
}

static int by_size(const void *a, const void *b)
{
	const struct vac_delta *x = *(struct vac_delta *const *)a;
	const struct vac_delta *y = *(struct vac_delta *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return memcmp(x->name.b, y->name.b, ID_SIZE);
}

static void choose_small(struct vac *v)
{
	struct vac_delta **small = mem_array(v->n_deltas + 1, sizeof *small), *d;
	uint64_t below = 0;
	size_t n = 0, many = 0, i;

	for (i = 0; i < v->n_deltas; i++) {
		d = &v->deltas[i];
		if (d->size < LARGE && !map_get(&v->superseded, &d->name))
			small[n++] = d;
	}
	qsort(small, n, sizeof(struct vac_delta *), by_size);
	for (i = 0; i < n; i++) {
		if (small[i]->size <= below)
			many = i + 1;
		below += small[i]->size;
	}
	for (i = 0; many >= MANY && i < many; i++)
		small[i]->merge = true;
	free(small);
}

void vac_merge(struct vac *v)
{
	const struct sealer *s = keyring_sealer(v->repo->keys, PURPOSE_TABLES);
	struct vac_delta *d;
	size_t i;

	spread_hints(v);
	count_gone(v);
	choose_small(v);
	for (i = 0; i < v->n_deltas; i++) {
		d = &v->deltas[i];
		if (map_get(&v->superseded, &d->name))
			continue;
		d->merge |= d->gone > d->size / 2 && d->gone > MUCH;
		if (!d->merge)
			continue;
		v->merge_write += d->size - d->gone + ID_SIZE - HEADER;
		v->merge_free += FILE_HEAD_SIZE + seal_size(s, d->size);
	}
}
