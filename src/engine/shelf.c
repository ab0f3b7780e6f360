/* By inventory number; the one used longest ago goes first. */
#include "engine/shelf.h"

#include <stdlib.h>

#include "base/mem.h"

struct shelved {
	struct job job;
	struct repo *repo;
	struct id name;
	struct bundle *bundle; /* NULL: not open */
	struct err why;        /* set: cannot be had */
	size_t bytes;
	uint64_t used;
	unsigned held;
	bool asked;
};

struct shelf {
	struct repo *repo;
	struct inventory *inv;
	struct lane *lane;
	struct shelved **v; /* by number */
	uint32_t n;
	size_t cap, bytes, budget;
	uint64_t clock;
};

struct shelf *shelf_new(
    struct repo *r, struct inventory *inv, struct pool *transfer, size_t budget)
{
	struct shelf *s = mem_zalloc(sizeof *s);

	s->repo = r;
	s->inv = inv;
	s->lane = lane_new(transfer);
	s->budget = budget;
	return s;
}

static struct shelved *at(struct shelf *s, uint32_t number)
{
	while (s->n <= number) {
		s->v = mem_grow(s->v, &s->cap, number + 1, sizeof(struct shelved *));
		s->v[s->n++] = NULL;
	}
	if (!s->v[number]) {
		s->v[number] = mem_zalloc(sizeof(struct shelved));
		s->v[number]->repo = s->repo;
		s->v[number]->name = inventory_get(s->inv, number)->name;
	}
	return s->v[number];
}

static void open_run(struct job *job)
{
	struct shelved *x = (struct shelved *)job;

	bundle_open(x->repo, FILE_DATA, &x->name, &x->bundle, &x->why);
}

static void put_away(struct shelf *s, struct shelved *x)
{
	bundle_free(x->bundle);
	x->bundle = NULL;
	s->bytes -= x->bytes;
	x->bytes = 0;
}

/* The frames that came with the directory are read again where they are wanted again. */
static void put_tail_away(struct shelf *s, struct shelved *x)
{
	x->bytes -= x->bundle->tail.cap;
	s->bytes -= x->bundle->tail.cap;
	buf_release(&x->bundle->tail);
	x->bundle->tail_at = x->bundle->size;
}

/* Of those that nobody looks at the one used longest ago, or NULL. */
static struct shelved *oldest(struct shelf *s, bool with_tail)
{
	struct shelved *old = NULL;

	for (uint32_t i = 0; i < s->n; i++) {
		struct shelved *x = s->v[i];

		if (x && !x->asked && x->bundle && !x->held &&
		    (!with_tail || x->bundle->tail.cap) && (!old || x->used < old->used))
			old = x;
	}
	return old;
}

/* Tails first: to have no directory costs a read, whatever is wanted of the bundle. */
static void make_room(struct shelf *s)
{
	struct shelved *x;

	while (s->bytes > s->budget && (x = oldest(s, true)))
		put_tail_away(s, x);
	while (s->bytes > s->budget && (x = oldest(s, false)))
		put_away(s, x);
}

static bool arrive(struct shelf *s)
{
	struct shelved *x = (struct shelved *)lane_take(s->lane);

	if (!x)
		return false;
	x->asked = false;
	if (x->bundle) {
		x->bytes =
		    x->bundle->tail.cap + sizeof *x->bundle +
		    x->bundle->dir.n_chunks * (sizeof(struct id) + sizeof(uint32_t)) +
		    x->bundle->dir.n_frames * sizeof(struct frame_rec);
		s->bytes += x->bytes;
	}
	return true;
}

void shelf_free(struct shelf *s)
{
	if (!s)
		return;
	while (arrive(s))
		;
	for (uint32_t i = 0; i < s->n; i++)
		if (s->v[i]) {
			bundle_free(s->v[i]->bundle);
			free(s->v[i]);
		}
	lane_free(s->lane);
	free(s->v);
	free(s);
}

void shelf_ask(struct shelf *s, uint32_t number)
{
	struct shelved *x = at(s, number);

	if (x->asked || x->bundle || x->why.kind != ERR_NONE)
		return;
	x->asked = true;
	x->used = ++s->clock;
	x->job.run = open_run;
	lane_put(s->lane, &x->job);
}

bool shelf_hold(struct shelf *s, uint32_t number, struct bundle **out, struct err *e)
{
	struct shelved *x = at(s, number);

	shelf_ask(s, number);
	while (x->asked)
		arrive(s);
	x->used = ++s->clock;
	if (x->why.kind != ERR_NONE) {
		*e = x->why;
		if (!err_is_damage(e))
			err_clear(&x->why);
		return false;
	}
	x->held++;
	make_room(s);
	*out = x->bundle;
	return true;
}

void shelf_hold_again(struct shelf *s, uint32_t number)
{
	s->v[number]->held++;
}

void shelf_release(struct shelf *s, uint32_t number)
{
	s->v[number]->held--;
}

void shelf_condemn(struct shelf *s, uint32_t number, const struct err *why)
{
	struct shelved *x = at(s, number);

	while (x->asked)
		arrive(s);
	x->why = *why;
	if (!x->held)
		put_away(s, x);
}
