/*
 * What goes into the tombstone. Besides bundles: deltas that others supersede, the files
 * of bands that are gone, and litter, which is judged only while nobody else is at work.
 *
 * That a bundle is gone for good must be told for as long as anything names it, or its
 * absence would look like an incomplete listing. So tombstones whose work is done are put
 * together: the new one repeats what is still named, and the old ones may go.
 *
 * Bands of vacuums that have nothing left to tell of are removed, a few at a time.
 *
 * The removed file of a band that is otherwise gone stays while a roll-call names the
 * band.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/strict.h"
#include "engine/vacuum_run.h"

#define SPENT_MANY 8 /* bands of vacuums that may stay without need */

static void add_bundle(struct vacuum *x, struct tombstone *t, const struct held *h)
{
	tombstone_add_bundle(t, &h->name, h->type == FILE_HUNKS);
	x->result->condemned_bundles++;
	x->result->freed_bytes += h->size;
}

static void add_file(struct tombstone *t, enum vac_folder folder, const char *name)
{
	char path[NAME_MAX_LEN + 32];

	snprintf(path, sizeof path, "%s/%s", vac_folders[folder], name);
	string_list_add(&t->files, span_str(path));
}

/* --- what nobody names any more */

static void add_deltas(struct vacuum *x, struct tombstone *t)
{
	const struct store_listing *l = &x->v.lists[VAC_INDEX];
	struct id id;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (id_of_name(l->names[i], &id) &&
		    !vac_names(&x->v.files, VAC_INDEX, l->names[i]) &&
		    (map_get(&x->v.superseded, &id) || map_get(&x->superseded, &id)))
			add_file(t, VAC_INDEX, l->names[i]);
}

static void add_bands(struct vacuum *x, struct tombstone *t)
{
	const struct store_listing *l = &x->v.lists[VAC_BANDS];
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!vac_names(&x->v.files, VAC_BANDS, l->names[i]) &&
		    (vac_class(&x->v, VAC_BANDS, l->names[i]) == VAC_DEAD ||
		        vac_evidence_idle(&x->v, l->names[i])))
			add_file(t, VAC_BANDS, l->names[i]);
}

/* --- litter */

static bool anybody_else(const struct vacuum *x)
{
	size_t i;

	for (i = 0; i < x->v.n_v; i++)
		if (x->v.v[i].open && strcmp(x->v.v[i].info->name.text, x->band.name.text) != 0)
			return true;
	return false;
}

static void add_litter_file(
    struct vacuum *x, struct tombstone *t, enum vac_folder folder, const char *name)
{
	bool bundle = folder >= VAC_HUNKS;
	struct id id;

	if (vac_told(&x->v, folder, name) ||
	    vac_class(&x->v, folder, name) != VAC_UNKNOWN)
		return;
	if (!bundle)
		add_file(t, folder, name);
	else if (id_of_name(name, &id))
		tombstone_add_bundle(t, &id, folder == VAC_HUNKS);
}

/* Files of other programs are left alone: only names that could be ours are looked at. */
static void add_litter(struct vacuum *x, struct tombstone *t)
{
	const struct store_listing *l;
	size_t i;
	int f;

	if (anybody_else(x))
		return;
	for (f = 0; f < VAC_FOLDERS; f++) {
		l = &x->v.lists[f];
		for (i = 0; f != VAC_BANDS && f != VAC_TOP && f != VAC_KEYS && i < l->n; i++)
			add_litter_file(x, t, (enum vac_folder)f, l->names[i]);
	}
}

/* --- tombstones whose work is done */

bool stone_done(const struct vacuum *x, const struct vac_stone *s)
{
	const struct tombstone *t = &s->t;
	char name[2 * ID_SIZE + 1];
	size_t i;
	int f;

	for (i = 0; i < t->n_bundles; i++) {
		name_of_id(&t->bundles[i], name);
		if (vac_listed(&x->v,
		        t->hunks[i] ? VAC_HUNKS : VAC_DATA + (t->bundles[i].b[0] >> 4), name))
			return false;
	}
	for (i = 0; i < t->files.n; i++)
		for (f = 0; f < VAC_KEYS; f++)
			if (strncmp(t->files.v[i], vac_folders[f], strlen(vac_folders[f])) == 0 &&
			    vac_listed(&x->v, (enum vac_folder)f, strchr(t->files.v[i], '/') + 1))
				return false;
	return true;
}

bool bundle_named(const struct vacuum *x, const struct id *name)
{
	uint64_t *at = map_get(&x->v.held_at, name);

	return at && x->v.held[*at].named;
}

/* Each once: what is repeated is repeated again and again. */
static void repeat_done(struct vacuum *x, struct tombstone *t)
{
	const struct vac_stone *s;
	struct map told;
	size_t i, k, done = 0;

	for (i = 0; i < x->v.n_stones; i++)
		done += stone_done(x, &x->v.stones[i]);
	if (done < 2)
		return;
	map_init(&told, ID_SIZE);
	for (i = 0; i < t->n_bundles; i++)
		map_put(&told, &t->bundles[i], 1);
	for (i = 0; i < x->v.n_stones; i++) {
		s = &x->v.stones[i];
		if (!stone_done(x, s))
			continue;
		for (k = 0; k < s->t.n_bundles; k++)
			if (bundle_named(x, &s->t.bundles[k]) &&
			    map_put(&told, &s->t.bundles[k], 1))
				tombstone_add_bundle(t, &s->t.bundles[k], s->t.hunks[k]);
	}
	map_release(&told);
}

/* --- the tombstone */

void vacuum_any_name(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	(void)arg;
	memcpy(name, random, RANDOM_NAME_LEN + 1);
}

static bool put_stone(struct vacuum *x, const struct tombstone *t, struct err *e)
{
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1], key[NAME_MAX_LEN + 16];
	uint64_t size = 0;
	bool ok;

	tombstone_encode(t, &body);
	ok = repo_put_json(
	    x->repo, "tombstones", "tombstone", vacuum_any_name, NULL, &body, name, &size, e);
	json_body_release(&body);
	if (!ok)
		return err_wrap(e, "tombstone");
	x->result->written_bytes += size;
	snprintf(x->result->tombstone, sizeof x->result->tombstone, "%s", name);
	string_list_add(&x->stones, span_str(name));
	band_run_knows(&x->band, name);
	if (x->v.strict) {
		strict_keep(x->cache, name, t);
		band_run_note(&x->band);
	}
	if (!vacuum_settle(x, e))
		return false;
	snprintf(key, sizeof key, "stone %s", name);
	waits_age(x->waits, key);
	return true;
}

static bool condemn_dead(struct vacuum *x, struct tombstone *t, struct err *e)
{
	size_t i;

	for (i = 0; i < x->n_victims; i++)
		add_bundle(x, t, &x->v.held[x->victims[i]]);
	x->n_victims = 0;
	add_deltas(x, t);
	add_bands(x, t);
	add_litter(x, t);
	if (t->n_bundles + t->files.n == 0)
		return true;
	repeat_done(x, t);
	return put_stone(x, t, e);
}

/* --- bands of vacuums */

/* Whether nothing that a vacuum left is there any more, but its band. */
static bool spent(const struct vacuum *x, const struct vac_band *b)
{
	const char *delta;
	struct id id;
	size_t i;

	if (b->state != VAC_COUNTS || !b->tail || b->band.kind != BAND_VACUUM || b->wrote ||
	    strcmp(b->info->name.text, x->band.name.text) == 0)
		return false;
	for (i = 0; i < b->band.deltas.n; i++) {
		delta = b->band.deltas.v[i];
		if (vac_listed(&x->v, VAC_INDEX, delta) &&
		    !(id_of_name(delta, &id) && map_get(&x->v.superseded, &id)))
			return false;
	}
	return true;
}

static void add_files(struct tombstone *t, const struct string_list *names)
{
	for (size_t i = 0; i < names->n; i++)
		add_file(t, VAC_BANDS, names->v[i]);
}

/*
 * Vacuums of every night would leave two files each for ever. Those that are spent are
 * removed as snapshots are. In strict mode their tails are evidence, and stay.
 */
static bool condemn_spent(struct vacuum *x, struct tombstone *t, struct err *e)
{
	const struct vac_band *b;
	uint64_t size;
	size_t i, n = 0;

	for (i = 0; i < x->v.n_v; i++)
		n += spent(x, &x->v.v[i]);
	if (n <= SPENT_MANY || x->v.strict)
		return true;
	for (i = 0; i < x->v.n_v; i++) {
		b = &x->v.v[i];
		if (!spent(x, b))
			continue;
		if (!band_note_put(
		        x->repo, &b->info->name, BAND_REMOVED, x->band.client.id, &size, e))
			return e->kind == ERR_NOSPACE; /* another time */
		x->result->written_bytes += size;
		add_files(t, &b->info->heads);
		add_files(t, &b->info->tails);
	}
	return put_stone(x, t, e) || e->kind == ERR_NOSPACE;
}

static bool with_stone(struct vacuum *x,
    bool (*fill)(struct vacuum *x, struct tombstone *t, struct err *e), struct err *e)
{
	struct tombstone t;
	bool ok;

	tombstone_init(&t);
	t.run = x->band.name;
	t.time = x->repo->env->now(x->repo->env);
	ok = fill(x, &t, e);
	tombstone_release(&t);
	return ok;
}

bool condemn(struct vacuum *x, struct err *e)
{
	return with_stone(x, condemn_dead, e) && with_stone(x, condemn_spent, e);
}
