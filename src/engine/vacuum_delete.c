/*
 * Deletion (V4, V5, V9, V10 of docs/protocol.md). Only what a tombstone names, only after
 * the grace, and only when every band is accounted for: of each band that is visible now,
 * a tail has told what it relies on, or a fence has been watched, without one, for the
 * grace. A run that began before the tombstone could be seen has a head that is visible
 * now; one that began later has seen the tombstone. What is alive in a condemned bundle
 * all the same is safe elsewhere (vacuum_survive.c), or the bundle stays.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/vacuum_run.h"

#define PATIENCE (7 * 24 * VACUUM_HOUR) /* for a head whose band grows no more */

static bool is_self(const struct vacuum *x, const struct vac_band *b)
{
	return strcmp(b->info->name.text, x->band.name.text) == 0;
}

static size_t files_of(const struct band_info *i)
{
	return i->heads.n + i->parts.n + i->tails.n;
}

/* A head that nothing has followed for a week, as seen from here, is declared dead. */
static bool wait_for(struct vacuum *x, const struct vac_band *b, struct err *e)
{
	char key[BAND_MAX_LEN + 64];
	uint64_t size;

	snprintf(key, sizeof key, "head %s %zu", b->info->name.text, files_of(b->info));
	if (waits_age(x->waits, key) < PATIENCE)
		return true;
	if (!band_note_put(x->repo, &b->info->name, BAND_FENCE, x->band.client.id, &size, e))
		return false;
	x->result->written_bytes += size;
	if (!vacuum_settle(x, e))
		return false;
	snprintf(key, sizeof key, "fence %s", b->info->name.text);
	waits_age(x->waits, key);
	return true;
}

/* Whether something may still come of a band. */
static bool pending(const struct vacuum *x, const struct vac_band *b)
{
	return !is_self(x, b) && b->open;
}

bool vacuum_alone(const struct vacuum *x, struct err *e)
{
	size_t i;

	for (i = 0; x->o->sole_client && i < x->v.n_v; i++)
		if (pending(x, &x->v.v[i]))
			return err_set(e, ERR_REFUSED,
			    "band %s is unfinished: somebody else uses the repository, or did; "
			    "without --sole-client it is waited for",
			    x->v.v[i].info->name.text);
	return true;
}

/* A vacuum relies on nothing, so that nobody need wait for its tail. */
static bool relies(const struct vac_band *b)
{
	return !b->whole || b->band.kind != BAND_VACUUM;
}

/* Of several, one that may yet end before one that is dead. */
static void tell_awaited(struct vacuum_result *out, const struct band_info *info)
{
	if (*out->awaited && !out->awaited_dead)
		return;
	snprintf(out->awaited, sizeof out->awaited, "%s", info->name.text);
	out->awaited_dead = info->fences.n > 0;
}

/* V5: every head that is visible has a tail, or a fence that has been watched. */
static bool account(struct vacuum *x, bool *all, struct err *e)
{
	const struct vac_band *b;
	size_t i;

	*all = true;
	if (!vacuum_alone(x, e))
		return false;
	for (i = 0; i < x->v.n_v; i++) {
		b = &x->v.v[i];
		if (!pending(x, b))
			continue;
		*all = MUTANT(NO_WAIT) || (*all && !relies(b));
		if (relies(b))
			tell_awaited(x->result, b->info);
		if (b->info->fences.n == 0 && !wait_for(x, b, e))
			return false;
	}
	return true;
}

/* --- tombstones */

static int64_t stone_age(struct vacuum *x, const struct vac_stone *s, const char *what)
{
	char key[NAME_MAX_LEN + 16];

	snprintf(key, sizeof key, "%s %s", what, s->name);
	return waits_age(x->waits, key);
}

static bool is_mine(const struct vacuum *x, const struct vac_stone *s)
{
	return strcmp(s->t.run.client, x->band.client.id) == 0;
}

/*
 * In strict mode there is evidence besides; but who did not know of that mode may need
 * time.
 */
static bool ripe(struct vacuum *x, const struct vac_stone *s)
{
	return MUTANT(NO_GRACE) || x->o->sole_client ||
	    (stone_age(x, s, "stone") >= x->o->grace && (!x->v.strict || s->evident));
}

static bool remove_file(
    struct vacuum *x, const char *folder, const char *name, struct err *e)
{
	struct err why = ERR_EMPTY;
	uint64_t size = 0;

	if (!repo_stat(x->repo, folder, name, &size, &why) && why.kind != ERR_MISSING) {
		*e = why;
		return false;
	}
	if (why.kind == ERR_MISSING)
		return true;
	if (!repo_remove(x->repo, folder, name, &why) && why.kind != ERR_MISSING) {
		*e = why;
		return err_wrap(e, "deleting %s/%s", folder, name);
	}
	x->result->deleted_files++;
	x->result->deleted_bytes += size;
	return true;
}

/* Valid until the next addition. */
static struct held *held_of(struct vacuum *x, const struct tombstone *t, size_t i)
{
	enum file_type type = t->hunks[i] ? FILE_HUNKS : FILE_DATA;
	uint32_t number = vac_held(&x->v, type, &t->bundles[i], 0);

	return &x->v.held[number];
}

/* *kept counts those that stay, as what is alive in them is not safe elsewhere yet. */
static bool delete_bundles(
    struct vacuum *x, const struct tombstone *t, uint64_t *kept, struct err *e)
{
	char name[2 * ID_SIZE + 1], folder[16];
	struct held *h;
	size_t i;

	for (i = 0; i < t->n_bundles; i++) {
		h = held_of(x, t, i);
		*kept += h->listed && !h->safe;
		if (!h->listed || !h->safe)
			continue;
		name_of_id(&h->name, name);
		if (vac_stopped(&x->v, e) ||
		    !remove_file(x, folder_of(h->type, &h->name, folder), name, e))
			return false;
		h->listed = false;
	}
	return true;
}

/* Whoever wrote the tombstone, a file goes only if it looks dead from here too. */
static bool file_safe(struct vacuum *x, enum vac_folder folder, const char *name)
{
	struct vac_stone *s;
	size_t i;

	switch (folder) {
	case VAC_BANDS:
		return vac_own_class(&x->v, folder, name) == VAC_DEAD ||
		    vac_evidence_idle(&x->v, name);
	case VAC_INDEX:
		return vac_own_class(&x->v, folder, name) != VAC_LIVE;
	case VAC_TOMBSTONES:
		for (i = 0; i < x->v.n_stones; i++) {
			s = &x->v.stones[i];
			if (strcmp(s->name, name) == 0)
				return false; /* it goes by itself when its work is done */
		}
		return true;
	default: /* as long as it is only a piece */
		return vac_own_class(&x->v, folder, name) != VAC_LIVE;
	}
}

static bool delete_files(struct vacuum *x, const struct tombstone *t, struct err *e)
{
	const char *path, *name;
	size_t i, n;
	int f;

	for (i = 0; i < t->files.n; i++) {
		path = t->files.v[i];
		name = strchr(path, '/') + 1;
		n = (size_t)(name - path) - 1;
		for (f = 0; f < VAC_KEYS; f++)
			if (strlen(vac_folders[f]) == n && memcmp(vac_folders[f], path, n) == 0)
				break;
		if (f == VAC_KEYS || !vac_listed(&x->v, (enum vac_folder)f, name) ||
		    !file_safe(x, (enum vac_folder)f, name))
			continue;
		if (vac_stopped(&x->v, e) || !remove_file(x, vac_folders[f], name, e))
			return false;
	}
	return true;
}

/* Whether another tombstone that is old enough tells the same of a bundle. */
static bool told_by_another(struct vacuum *x, size_t than, const struct id *name)
{
	const struct vac_stone *s;
	size_t i, k;

	for (i = 0; i < x->v.n_stones; i++) {
		s = &x->v.stones[i];
		if (i == than || s->gone || !ripe(x, s))
			continue;
		for (k = 0; k < s->t.n_bundles; k++)
			if (id_equal(&s->t.bundles[k], name))
				return true;
	}
	return false;
}

/* A tombstone goes when what it names is gone for long enough, and nobody asks for it. */
static bool retire(struct vacuum *x, size_t i, struct err *e)
{
	struct vac_stone *s = &x->v.stones[i];
	size_t k;

	if (x->v.strict || !stone_done(x, s) ||
	    (stone_age(x, s, "gone") < x->o->grace && !x->o->sole_client &&
	        !MUTANT(STONES_EARLY)))
		return true;
	for (k = 0; !MUTANT(STONES_EARLY) && k < s->t.n_bundles; k++)
		if (bundle_named(x, &s->t.bundles[k]) &&
		    !told_by_another(x, i, &s->t.bundles[k]))
			return true;
	s->gone = true;
	return remove_file(x, "tombstones", s->name, e);
}

static void wait_at_most(struct vacuum *x, int64_t left)
{
	if (left > 0 && (x->result->wait == 0 || left < x->result->wait))
		x->result->wait = left;
}

bool vacuum_ready(struct vacuum *x, bool *ready, struct err *e)
{
	struct vac_stone *s;
	bool all;
	size_t i, k;

	x->result->waiting = 0;
	x->result->wait = 0;
	if (!account(x, &all, e))
		return false;
	*ready = false;
	for (i = 0; i < x->v.n_stones; i++) {
		s = &x->v.stones[i];
		if (x->v.strict && is_mine(x, s) && !x->o->sole_client)
			s->evident = vacuum_evident(x, s);
		if (all && ripe(x, s)) {
			*ready = true;
			for (k = 0; k < s->t.n_bundles; k++)
				held_of(x, &s->t, k)->doomed = true;
			continue;
		}
		x->result->waiting++;
		wait_at_most(x, x->o->grace - stone_age(x, s, "stone"));
	}
	return true;
}

bool vacuum_delete(struct vacuum *x, struct err *e)
{
	struct vac_stone *s;
	uint64_t kept;
	size_t i;

	for (i = 0; i < x->v.n_stones; i++) {
		s = &x->v.stones[i];
		kept = 0;
		if (!ripe(x, s))
			continue;
		if (!delete_bundles(x, &s->t, &kept, e) || !delete_files(x, &s->t, e) ||
		    !retire(x, i, e))
			return false;
		if (kept == 0)
			continue;
		x->result->kept_bundles += kept;
		x->result->waiting++;
		wait_at_most(x, x->o->grace / 2);
	}
	return true;
}
