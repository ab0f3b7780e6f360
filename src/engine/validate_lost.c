/*
 * The entries of hunks that cannot be had. The storage no longer tells them, but the
 * cache of a client that has backed up lately holds the hunks of its sets' newest
 * snapshots: so that the paths which suffer can be named one by one.
 */
#include "engine/validate_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/hunk.h"
#include "repo/cache.h"

void lost_add(struct valid *v, const struct hunk_ref *ref, const struct vset *damage)
{
	struct vlost *l;

	if (damage->n == 0)
		return;
	v->lost = mem_grow(v->lost, &v->lost_cap, v->n_lost + 1, sizeof *v->lost);
	l = &v->lost[v->n_lost++];
	*l =
	    (struct vlost){.id = ref->id, .entries = ref->entries, .n_damage = damage->n};
	l->first = mem_printf("%.*s", (int)ref->first.n, (const char *)ref->first.p);
	l->damage = mem_array(damage->n, sizeof *l->damage);
	memcpy(l->damage, damage->v, damage->n * sizeof *l->damage);
}

static void tell(
    struct valid *v, const struct vlost *l, struct span apath, uint64_t entries)
{
	for (size_t i = 0; i < l->n_damage; i++)
		damage_path(v, l->damage[i], apath, entries);
}

/* Whether the bytes are those of the hunk; then each of its entries has been told. */
static bool tell_entries(struct valid *v, const struct vlost *l, struct span plain)
{
	struct hunk_iter it;
	struct entry en;
	struct id id;

	chunk_id(v->repo, FILE_HUNKS, plain, &id);
	if (!id_equal(&id, &l->id) || !hunk_open(&it, plain, NULL))
		return false;
	while (hunk_next(&it, &en, NULL) == STEP_ITEM)
		tell(v, l, en.apath, 1);
	hunk_close(&it);
	return true;
}

static void search_set(
    struct valid *v, struct cache *cache, const char *set, struct buf *plain)
{
	char name[NAME_MAX_LEN + 1];
	struct cache_pack *pack;

	cache_pack_name(v->repo, set, name);
	pack = cache_pack_open(cache, name);
	for (size_t i = 0; pack && i < v->n_lost; i++) {
		struct vlost *l = &v->lost[i];

		if (l->entries > 0 && cache_pack_get(pack, &l->id, plain) &&
		    tell_entries(v, l, buf_span(plain)))
			l->entries = 0;
	}
	cache_pack_close(pack);
}

/* Whether it is the first band of its set, so that each set is looked at once. */
static bool is_first_of_set(const struct valid *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v->bands[i].set && strcmp(v->bands[i].set, v->bands[n].set) == 0)
			return false;
	return true;
}

void lost_paths(struct valid *v)
{
	struct buf plain = BUF_EMPTY;
	struct cache *cache;

	if (v->n_lost == 0)
		return;
	cache = cache_open(v->repo, v->o->cache_dir);
	for (size_t i = 0; i < v->n_bands; i++)
		if (v->bands[i].set && is_first_of_set(v, i))
			search_set(v, cache, v->bands[i].set, &plain);
	cache_close(cache);
	buf_release(&plain);
	for (size_t i = 0; i < v->n_lost; i++)
		if (v->lost[i].entries > 0)
			tell(v, &v->lost[i], span_str(v->lost[i].first),
			    v->lost[i].entries);
}

void lost_release(struct valid *v)
{
	for (size_t i = 0; i < v->n_lost; i++) {
		free(v->lost[i].first);
		free(v->lost[i].damage);
	}
	free(v->lost);
}
