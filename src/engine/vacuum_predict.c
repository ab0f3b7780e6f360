/*
 * What it would cost and free to act on the bundles below each threshold. All that a run
 * writes is counted but its tombstone, and so is all that goes but older tombstones:
 * these come and go with evidence, not with space.
 *
 * What the rest of a frame takes once it is compressed anew, nobody can know who has not
 * read it: vacuum_share.c guesses.
 */
#include "codec/seal.h"
#include "engine/vacuum_internal.h"

#define DEAD_SHARE 20   /* the rule: at most one part in so many may stay dead */
#define FRAME_FIX  54   /* a frame's line in a directory and in a delta */
/* A bundle's record in a delta and in the tail, without directory. */
#define BUNDLE_FIX 180
#define DELTA_FIX  160  /* a delta's head, and its name in the tail */
#define RUN_FIX    1450 /* head and tail */

static const int thresholds[VACUUM_THRESHOLDS] = {0, 30, 50, 70, 90, 100};

struct cost {
	uint64_t frames; /* framed anew */
	uint64_t copy[2], write; /* of data and of hunks; everything */
};

static void add_copy(const struct vac *v, struct cost *c, const struct held *h)
{
	uint64_t frame = v->repo->params.frame_plain;

	c->frames += (h->anew + frame - 1) / frame;
	c->copy[h->type == FILE_HUNKS] += h->copy;
	c->write += h->copy + h->tables;
}

uint32_t vac_target(const struct repo *r, enum file_type type)
{
	uint32_t target = r->params.bundle_target;

	return type == FILE_HUNKS ? target / VAC_SMALL : target;
}

static uint64_t total(const struct vac *v, const struct cost *c, bool act)
{
	uint64_t data = vac_target(v->repo, FILE_DATA), n;
	uint64_t hunks = vac_target(v->repo, FILE_HUNKS);
	size_t extra = seal_size(keyring_sealer(v->repo->keys, PURPOSE_FRAMES), 0);

	n = (c->copy[0] + data - 1) / data + (c->copy[1] + hunks - 1) / hunks;
	return RUN_FIX + (act || v->merge_write ? DELTA_FIX + extra : 0) + v->merge_write +
	    c->write + c->frames * (FRAME_FIX + extra) +
	    n * (BUNDLE_MIN + extra + BUNDLE_FIX);
}

static void predict(struct vac *v, struct vacuum_threshold *t)
{
	uint64_t gone = v->dead_files + v->idle_files + v->merge_free;
	struct cost cost = {.frames = 0};
	const struct held *h;
	size_t i;

	t->dead_bytes = v->result->dead_bytes - v->dead_files;
	for (i = 0; i < v->n_held; i++) {
		h = &v->held[i];
		if (h->told && h->listed && h->condemned && h->live_chunks > 0)
			add_copy(v, &cost, h); /* to be rescued */
		if (!vac_victim(h, t->below))
			continue;
		t->bundles++;
		gone += h->size;
		t->dead_bytes -= h->size - h->live;
		add_copy(v, &cost, h);
	}
	t->write_bytes = total(v, &cost, cost.write > 0);
	t->free_bytes = gone > t->write_bytes ? gone - t->write_bytes : 0;
}

/*
 * The rule: go up the thresholds until no more than a twentieth of everything stays dead,
 * but take no step that writes more than it frees.
 */
static int choose(const struct vacuum_result *res)
{
	const struct vacuum_threshold *t = res->thresholds;
	int i = 0;

	while (i + 1 < VACUUM_THRESHOLDS && t[i].dead_bytes * DEAD_SHARE > res->total_bytes &&
	    t[i + 1].free_bytes >= t[i].free_bytes &&
	    t[i + 1].write_bytes - t[i].write_bytes <= t[i + 1].free_bytes - t[i].free_bytes)
		i++;
	return t[i].below;
}

void vac_predict(struct vac *v)
{
	struct vacuum_result *res = v->result;
	int i;

	for (i = 0; i < VACUUM_THRESHOLDS; i++) {
		res->thresholds[i] = (struct vacuum_threshold){.below = thresholds[i]};
		predict(v, &res->thresholds[i]);
	}
	res->below_chosen = v->o->below < 0;
	res->below = res->below_chosen ? choose(res) : v->o->below;
}
