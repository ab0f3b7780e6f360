/*
 * A vacuum from beginning to end. All that decides is found out before anything is
 * written.
 */
#include "engine/vacuum.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/vacuum_internal.h"
#include "engine/vacuum_run.h"

#define READERS_MAX 32

void vacuum_options_init(struct vacuum_options *o)
{
	*o = (struct vacuum_options){.program = "bale", .host = "", .user = "", .below = -1,
	    .grace = VACUUM_GRACE, .threads = 2, .transfers = 1, .level = 3};
}

bool vac_stopped(const struct vac *v, struct err *e)
{
	if (!v->o->stop || !*v->o->stop)
		return false;
	err_set(e, ERR_STOPPED, "stopped; nothing was deleted");
	return true;
}

void vac_init(struct vac *v, struct repo *r, const struct vacuum_options *o,
    struct monitor *m, struct cache *cache, struct vacuum_result *out)
{
	*v = (struct vac){.repo = r, .o = o, .m = m, .cache = cache, .result = out};
	v->readers = pool_new(o->transfers < READERS_MAX ? o->transfers : READERS_MAX);
	map_init(&v->condemned, ID_SIZE);
	map_init(&v->lost, ID_SIZE);
	map_init(&v->needed_deltas, ID_SIZE);
	map_init(&v->held_at, ID_SIZE);
	map_init(&v->superseded, ID_SIZE);
	map_init(&v->bad_deltas, ID_SIZE);
	map_init(&v->misses, ID_SIZE);
	map_init(&v->read, ID_SIZE);
}

void vac_release(struct vac *v)
{
	size_t i;

	for (i = 0; i < VAC_FOLDERS; i++)
		store_listing_release(&v->lists[i]);
	store_listing_release(&v->vanished);
	free(v->small);
	store_listing_release(&v->files);
	store_listing_release(&v->torn);
	clients_release(&v->clients);
	for (i = 0; i < v->n_stones; i++)
		tombstone_release(&v->stones[i].t);
	free(v->stones);
	free(v->damage);
	for (i = 0; i < v->n_v; i++) {
		band_release(&v->v[i].band);
		if (v->v[i].link)
			band_release(v->v[i].link);
		free(v->v[i].link);
	}
	free(v->v);
	bands_release(&v->bands);
	map_release(&v->condemned);
	map_release(&v->lost);
	map_release(&v->needed_deltas);
	map_release(&v->held_at);
	map_release(&v->superseded);
	map_release(&v->bad_deltas);
	map_release(&v->misses);
	map_release(&v->read);
	for (i = 0; i < v->n_miss; i++)
		free(v->miss[i].path);
	free(v->miss);
	free(v->held);
	free(v->moves);
	free(v->deltas);
	free(v->bits);
	free(v->todo);
	free(v->stuck);
	for (i = 0; i < v->n_packs; i++)
		cache_pack_close(v->packs[i]);
	free(v->packs);
	spool_free(v->spool);
	pool_free(v->readers);
}

bool vac_survey(struct vac *v, struct err *e)
{
	bool ok = vac_list(v, e) && vac_look(v, e) && vac_read_notes(v, e) &&
	    vac_check_vanished(v, e) && vac_read_bands(v, e) && vac_recall(v, e) &&
	    vac_roll_call(v, e) && vac_read_deltas(v, e) && vac_check_bundles(v, e) &&
	    vac_mark(v, e) && vac_share(v, e);

	v->result->strict = v->strict;
	return ok;
}

/* The folder of the cache gives room for what does not fit into memory. */
static bool analyse(struct repo *r, const struct vacuum_options *o, struct monitor *m,
    struct vacuum_result *out, struct err *e)
{
	struct cache *cache = cache_look_made(r, o->cache_dir);
	struct waits *waits = waits_open(cache, r->env);
	struct vac v;
	bool ok;

	vac_init(&v, r, o, m, cache, out);
	v.waits = waits;
	ok = vac_survey(&v, e);
	vac_release(&v);
	waits_close(waits, false);
	cache_close(cache);
	return ok;
}

bool vacuum_run(struct repo *r, const struct vacuum_options *o, struct monitor *m,
    struct vacuum_result *out, struct err *e)
{
	*out = (struct vacuum_result){.total_bytes = 0};
	return o->run ? vacuum_act(r, o, m, out, e) : analyse(r, o, m, out, e);
}
