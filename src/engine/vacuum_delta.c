/*
 * The delta of a vacuum: the directories of its bundles, and where everything went.
 * Others are taken into it, as vacuum_merge.c chooses. What is taken over is cleaned: of
 * bundles that are gone, and of moves that no hint leads to any more.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/vacuum_run.h"

#define DELTA_BYTES (4u << 20)  /* a delta is put when it has grown to this */
/* Runs of slots that may be remembered before they are told. */
#define COPIED_MANY (64u << 10)

static bool delta_put(struct vacuum *x, struct err *e)
{
	struct buf plain = BUF_EMPTY;
	char name[2 * ID_SIZE + 1];
	uint64_t size = 0;
	struct id id;
	bool ok;

	delta_encode(&x->delta, span_str(x->band.name.text), &plain);
	ok = repo_put_delta(x->repo, buf_span(&plain), &id, &size, e);
	buf_release(&plain);
	if (!ok)
		return err_wrap(e, "delta of band %s", x->band.name.text);
	name_of_id(&id, name);
	string_list_add(&x->deltas, span_str(name));
	if (!vacuum_settle(x, e))
		return false;
	vac_delta_age(x->waits, &id);
	delta_writer_release(&x->delta);
	x->delta = (struct delta_writer)DELTA_WRITER_EMPTY;
	x->result->written_bytes += size;
	return true;
}

static bool put_full(struct vacuum *x, struct err *e)
{
	return x->delta.bundles.n + x->delta.moves.n < DELTA_BYTES || delta_put(x, e);
}

/* --- moves of this run */

struct moving {
	struct vacuum *x;
	struct delta_move m; /* being put together */
	bool any;
};

static void move_end(struct moving *g)
{
	if (g->any)
		delta_add_move(&g->x->delta, &g->m);
	g->any = false;
}

static void move_add(struct moving *g, const struct id *from, uint32_t slot,
    uint32_t count, const struct id *to, uint32_t to_slot)
{
	struct delta_move *m = &g->m;

	if (g->any && id_equal(&m->from, from) && id_equal(&m->to, to) &&
	    m->slot + m->count == slot && m->to_slot + m->count == to_slot) {
		m->count += count;
		return;
	}
	move_end(g);
	g->m = (struct delta_move){*from, *to, slot, count, to_slot};
	g->any = true;
}

static bool find_place(const struct vacuum *x, const struct copied *c, struct id *to,
    uint32_t *slot)
{
	const struct stocked *s;
	struct hint h;

	if (!packer_place(c->hunks ? x->hunks : x->data, c->ticket, &h))
		return false;
	s = inventory_get(x->inventory, h.bundle);
	*to = s->name;
	*slot = h.slot;
	return s->named;
}

/*
 * What was copied lies in one frame, whose slots follow each other. Those whose bundle
 * has not arrived wait.
 */
static bool add_moves(struct vacuum *x, struct err *e)
{
	struct moving g = {.x = x};
	const struct copied *c;
	struct id to;
	uint32_t slot;
	size_t i;

	for (i = 0; i < x->n_copied; i++) {
		c = &x->copied[i];
		if (!find_place(x, c, &to, &slot))
			break;
		move_add(&g, &x->v.held[c->from].name, c->slot, c->count, &to, slot);
		if (x->delta.moves.n >= DELTA_BYTES && !put_full(x, e))
			return false;
	}
	move_end(&g);
	x->n_copied -= i;
	if (x->n_copied > 0)
		memmove(x->copied, x->copied + i, x->n_copied * sizeof *x->copied);
	return true;
}

bool delta_full(struct vacuum *x, struct err *e)
{
	return (x->n_copied < COPIED_MANY || add_moves(x, e)) && put_full(x, e);
}

/* --- taking in others */

static const struct held *find(const struct vac *v, const struct id *name)
{
	uint64_t *at = map_get(&v->held_at, name);

	return at ? &v->held[*at] : NULL;
}

/* Whether a superseded delta must still be told of: it is there, or a band names it. */
static bool still_named(const struct vac *v, const struct id *delta)
{
	char name[2 * ID_SIZE + 1];

	name_of_id(delta, name);
	return map_get(&v->needed_deltas, delta) || vac_listed(v, VAC_INDEX, name);
}

static void take_over(struct vacuum *x, struct span plain)
{
	const struct held *h;
	struct delta_bundle b;
	struct id name;
	struct delta_iter it;
	struct delta_move m;
	enum step st = STEP_FAILED;

	if (delta_open(&it, plain, NULL))
		while ((st = delta_next_bundle(&it, &b, NULL)) == STEP_ITEM) {
			h = find(&x->v, &b.name);
			if (!h || vac_keeps_bundle(h))
				delta_add_bundle(&x->delta, &b);
		}
	while (st != STEP_FAILED && (st = delta_next_move(&it, &m, NULL)) == STEP_ITEM) {
		h = find(&x->v, &m.from);
		if (!h || vac_keeps_move(h))
			delta_add_move(&x->delta, &m);
	}
	while (
	    st != STEP_FAILED && (st = delta_next_superseded(&it, &name, NULL)) == STEP_ITEM)
		if (still_named(&x->v, &name))
			delta_add_superseded(&x->delta, &name);
}

static bool take_in(
    struct vacuum *x, const struct id *name, struct buf *plain, struct err *e)
{
	if (!repo_get_delta(x->repo, name, plain, e))
		return false;
	take_over(x, buf_span(plain));
	delta_add_superseded(&x->delta, name);
	map_put(&x->superseded, name, 1);
	return put_full(x, e);
}

static bool take_in_all(struct vacuum *x, struct err *e)
{
	struct buf plain = BUF_EMPTY;
	const struct vac_delta *d;
	size_t i;
	bool ok = true;

	for (i = 0; ok && i < x->v.n_deltas; i++) {
		d = &x->v.deltas[i];
		if (d->merge && !map_get(&x->superseded, &d->name))
			ok = take_in(x, &d->name, &plain, e);
	}
	buf_release(&plain);
	return ok;
}

bool delta_finish(struct vacuum *x, struct err *e)
{
	if (!add_moves(x, e))
		return false;
	if (x->n_copied > 0)
		return err_set(e, ERR_IO, "a copied chunk has no place");
	if (!take_in_all(x, e))
		return false;
	if (x->delta.n_bundles + x->delta.n_moves + x->delta.n_gone == 0)
		return true;
	return delta_put(x, e);
}
