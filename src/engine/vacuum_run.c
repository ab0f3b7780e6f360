/*
 * A vacuum that acts. It is a run with a band like any other: its head comes first, so
 * that nobody takes its bundles for litter; its tail comes last. In between it finds out
 * how things are, deletes what tombstones of earlier runs name (V4 to V10 of
 * docs/protocol.md), and then copies and condemns (V1 to V3). Between the two there is a
 * grace, but for a sole client.
 */
#include "engine/vacuum_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define LOOKS 3 /* until a run lets things rest */

static void fill_head(const struct vacuum *x, struct band *b)
{
	band_init(b);
	b->name = x->band.name;
	b->kind = BAND_VACUUM;
	b->start = x->start;
	b->program = mem_strdup(x->o->program);
	b->set = mem_strdup("");
	b->host = mem_strdup(x->o->host);
	b->user = mem_strdup(x->o->user);
}

bool vacuum_settle(struct vacuum *x, struct err *e)
{
	bool settled;

	return repo_settle(x->repo, &settled, e);
}

static bool begin(struct vacuum *x, struct err *e)
{
	struct band head;
	bool ok;

	x->start = x->repo->env->now(x->repo->env);
	band_run_name(&x->band, x->start);
	fill_head(x, &head);
	ok = band_run_put(&x->band, BAND_HEAD, &head, e);
	band_release(&head);
	if (!ok)
		return false;
	memcpy(x->result->band, x->band.name.text, sizeof x->band.name.text);
	return vacuum_settle(x, e) && band_run_look(&x->band, e) &&
	    band_run_fence_own(&x->band, e);
}

static bool finish(struct vacuum *x, struct err *e)
{
	struct band tail;
	size_t i;
	bool ok;

	fill_head(x, &tail);
	/* There is nobody else whose leave it would need. */
	x->band.client.leave |= x->o->sole_client;
	band_run_fill(&x->band, &tail);
	tail.end = x->repo->env->now(x->repo->env);
	for (i = 0; i < x->n_bundles; i++)
		band_add_bundle(&tail, &x->bundles[i]);
	for (i = 0; i < x->deltas.n; i++)
		string_list_add(&tail.deltas, span_str(x->deltas.v[i]));
	tail.last = mem_strdup("");
	tail.totals.bytes_stored = x->result->written_bytes + x->band.stored;
	ok = repo_settle(x->repo, &tail.settled, e) && band_run_finish(&x->band, &tail, e);
	band_release(&tail);
	return ok;
}

/* Find out how things are now; what was found before is forgotten. */
static bool survey(struct vacuum *x, struct err *e)
{
	struct vacuum_result *res = x->result, keep = *res;

	if (x->surveyed)
		vac_release(&x->v);
	*res = (struct vacuum_result){.total_bytes = 0};
	vac_init(&x->v, x->repo, x->o, x->m, x->cache, res);
	x->v.waits = x->waits;
	x->v.client = x->band.client.id;
	x->v.noted = x->band.strict ? &x->band.seen : NULL;
	x->surveyed = true;
	if (!vac_survey(&x->v, e))
		return false;
	memcpy(res->band, keep.band, sizeof res->band);
	memcpy(res->tombstone, keep.tombstone, sizeof res->tombstone);
	res->condemned_bundles = keep.condemned_bundles;
	res->written_bytes = keep.written_bytes;
	res->copied_bytes = keep.copied_bytes;
	res->unmoved = keep.unmoved;
	res->freed_bytes = keep.freed_bytes;
	res->deleted_files = keep.deleted_files;
	res->deleted_bytes = keep.deleted_bytes;
	x->n_copied = x->n_victims = 0;
	return true;
}

/* V4 to V9. What others condemn meanwhile changes what is alive where: then once more. */
static bool delete(struct vacuum *x, struct err *e)
{
	bool ready, same = false;
	unsigned round;

	for (round = 0; round < LOOKS && !same; round++) {
		if (round > 0 && !survey(x, e))
			return false;
		if (!vacuum_ready(x, &ready, e))
			return false;
		if (!ready)
			return true;
		if (!vacuum_look_again(x, &same, e))
			return false;
	}
	x->result->disturbed = !same;
	if (x->v.strict)
		band_run_note(&x->band); /* what is gone may be seen for ever */
	return !same || (vacuum_save(x, e) && vacuum_delete(x, e));
}

/* All steps once, upon a survey. */
static bool pass(struct vacuum *x, int below, struct err *e)
{
	return delete(x, e) && copy_victims(x, below, e) && delta_finish(x, e) &&
	    (below < 0 || condemn(x, e));
}

/* Whether copying first may fill the storage: then what is wholly dead goes before it. */
static bool cramped(const struct vacuum *x)
{
	uint64_t space;
	int i;

	if (!x->o->sole_client)
		return false;
	if (!store_space(x->repo->store, &space))
		space = 0;
	for (i = 0; i < VACUUM_THRESHOLDS; i++)
		if (x->result->thresholds[i].below <= x->result->below &&
		    x->result->thresholds[i].write_bytes + (64u << 20) > space)
			return true;
	return false;
}

/* S3 */
static bool has_leave(const struct vacuum *x, struct err *e)
{
	if (!x->v.strict || x->o->sole_client || x->band.leave ||
	    (!x->band.strict && x->band.client.leave))
		return true;
	return err_set(e, ERR_REFUSED,
	    "nothing is assumed of time in this repository, and this client is not known to "
	    "the others yet: let one of them back up after it, or be the only one "
	    "(--sole-client)");
}

static bool work(struct vacuum *x, struct err *e)
{
	bool again;
	unsigned i;

	if (!survey(x, e) || !vacuum_alone(x, e) || !has_leave(x, e))
		return false;
	if (cramped(x) &&
	    (!pass(x, 0, e) || !survey(x, e) || !delete(x, e) || !survey(x, e)))
		return false;
	if (!pass(x, x->result->below, e))
		return false;
	/* Without a grace to wait for, deletion follows at once, upon another look. */
	again = x->o->sole_client && (x->stones.n > 0 || x->result->kept_bundles > 0);
	for (i = 0; i < LOOKS && again; i++) {
		if (!survey(x, e) || !pass(x, -1, e))
			return false;
		again = x->result->kept_bundles > 0;
	}
	return true;
}

bool vacuum_act(struct repo *r, const struct vacuum_options *o, struct monitor *m,
    struct vacuum_result *out, struct err *e)
{
	struct vacuum *x = mem_zalloc(sizeof *x);
	bool ok;

	x->repo = r;
	x->o = o;
	x->m = m;
	x->result = out;
	map_init(&x->superseded, ID_SIZE);
	x->cache = cache_open(r, o->cache_dir);
	x->waits = waits_open(x->cache, r->env);
	x->inventory = inventory_new(r);
	band_run_init(&x->band, r, x->cache, x->inventory, m);
	x->band.distrusts = o->strict;
	ok = begin(x, e);
	if (ok) {
		copy_init(x);
		ok = work(x, e) && finish(x, e);
	}
	if (x->surveyed)
		vac_release(&x->v);
	copy_release(x);
	band_run_release(&x->band);
	inventory_free(x->inventory);
	waits_close(x->waits, ok);
	cache_close(x->cache);
	string_list_release(&x->deltas);
	string_list_release(&x->stones);
	map_release(&x->superseded);
	free(x);
	return ok;
}
