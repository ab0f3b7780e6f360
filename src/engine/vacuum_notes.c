/*
 * What others have left a note of: which bundles are condemned, which are damaged.
 *
 * A note that cannot be read may say anything, so it ends the vacuum; unless it is only
 * the beginning of one, which means that its writing never came to an end: nobody has
 * acted on it, and it is litter.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/findings.h"
#include "engine/strict.h"
#include "engine/torn.h"
#include "engine/vacuum_internal.h"

/*
 * STEP_END: it does not count. Else the caller closes *jf. A tombstone that is listed and
 * not there was deleted when its bundles had been gone for long, or is not seen yet;
 * either is as if it had not been listed.
 */
static enum step get_note(struct vac *v, enum vac_folder folder, const char *name,
    const char *type, struct json_file *jf, struct err *e)
{
	struct buf secret = BUF_EMPTY;
	char path[NAME_MAX_LEN + 32];
	struct err why = ERR_EMPTY;
	bool torn = false, ok;

	ok = repo_get_json(v->repo, vac_folders[folder], name, type, jf, &secret, &why);
	buf_release(&secret);
	if (ok)
		return STEP_ITEM;
	if (why.kind == ERR_MISSING && folder == VAC_TOMBSTONES)
		return STEP_END;
	if (why.kind == ERR_CORRUPT &&
	    !file_torn(v->repo, vac_folders[folder], name, &torn, e))
		return STEP_FAILED;
	if (!torn) {
		*e = why;
		return STEP_FAILED;
	}
	snprintf(path, sizeof path, "%s/%s", vac_folders[folder], name);
	store_listing_add(&v->torn, path);
	return STEP_END;
}

/* --- tombstones */

/* Whether this client's vacuum wrote it. */
static bool mine(const struct vac *v, const struct vac_stone *s)
{
	return v->client && strcmp(s->t.run.client, v->client) == 0;
}

static void take_stone(struct vac *v, struct vac_stone *s)
{
	size_t i;

	for (i = 0; i < s->t.n_bundles; i++)
		if (!MUTANT(NO_OTHERS) || !v->o->run || mine(v, s))
			map_put(&v->condemned, &s->t.bundles[i], 1);
	for (i = 0; i < s->t.files.n; i++)
		store_listing_add(&v->files, s->t.files.v[i]);
}

static bool read_stones(struct vac *v, struct err *e)
{
	const struct store_listing *l = &v->lists[VAC_TOMBSTONES];
	enum step step = STEP_ITEM;
	struct json_file jf;
	struct vac_stone *s;
	struct fault f;
	size_t i;

	for (i = 0; i < l->n && step != STEP_FAILED; i++) {
		step = get_note(v, VAC_TOMBSTONES, l->names[i], "tombstone", &jf, e);
		if (step != STEP_ITEM)
			continue;
		v->stones = mem_grow(v->stones, &v->stones_cap, v->n_stones + 1, sizeof *s);
		s = &v->stones[v->n_stones++];
		*s = (struct vac_stone){.gone = false};
		snprintf(s->name, sizeof s->name, "%s", l->names[i]);
		tombstone_init(&s->t);
		if (!tombstone_decode(&jf, &s->t, &f)) {
			err_fault(e, &f);
			err_wrap(e, "tombstones/%s", s->name);
			step = STEP_FAILED;
		}
		json_file_close(&jf);
		take_stone(v, s);
	}
	store_listing_sort(&v->files);
	return step != STEP_FAILED || err_wrap(e, "cannot tell what is condemned");
}

struct vac_stone *vac_stone(struct vac *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->n_stones; i++)
		if (strcmp(v->stones[i].name, name) == 0)
			return &v->stones[i];
	return NULL;
}

bool vac_new_stone(struct vac *v, const char *name, bool *same, struct err *e)
{
	struct json_file jf;
	enum step step = get_note(v, VAC_TOMBSTONES, name, "tombstone", &jf, e);

	if (step == STEP_ITEM)
		json_file_close(&jf);
	*same = step == STEP_END;
	return step != STEP_FAILED || err_wrap(e, "cannot tell what is condemned");
}

/* --- damage */

static void take_damage(void *arg, const struct damage *d)
{
	struct vac *v = arg;

	if (d->count == 0) {
		map_put(&v->lost, &d->bundle, 1);
		return;
	}
	v->damage = mem_grow(v->damage, &v->damage_cap, v->n_damage + 1, sizeof *v->damage);
	v->damage[v->n_damage++] = *d;
}

static bool read_health(struct vac *v, struct err *e)
{
	const struct store_listing *l = &v->lists[VAC_HEALTH];
	struct findings all = {NULL, 0, 0};
	enum step step = STEP_ITEM;
	struct json_file jf;
	struct health h;
	struct fault f;
	size_t i;

	for (i = 0; i < l->n && step != STEP_FAILED; i++) {
		step = get_note(v, VAC_HEALTH, l->names[i], "health", &jf, e);
		if (step != STEP_ITEM)
			continue;
		health_init(&h);
		if (health_decode(&jf, &h, &f)) {
			findings_add(&all, &h);
		} else {
			err_fault(e, &f);
			err_wrap(e, "health/%s", l->names[i]);
			step = STEP_FAILED;
		}
		health_release(&h);
		json_file_close(&jf);
	}
	if (step != STEP_FAILED)
		findings_tell(&all, take_damage, v);
	findings_release(&all);
	return step != STEP_FAILED || err_wrap(e, "cannot tell what is damaged");
}

bool vac_damaged(const struct vac *v, const struct held *h, uint32_t slot)
{
	size_t low = 0, high = v->n_damage, mid;

	if (h->lost)
		return true;
	if (!h->hurt)
		return false;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (memcmp(v->damage[mid].bundle.b, h->name.b, ID_SIZE) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < v->n_damage && id_equal(&v->damage[low].bundle, &h->name); low++)
		if (slot >= v->damage[low].slot &&
		    slot - v->damage[low].slot < v->damage[low].count)
			return true;
	return false;
}

bool vac_read_notes(struct vac *v, struct err *e)
{
	return read_stones(v, e) && read_health(v, e) &&
	    clients_read(v->repo, &v->lists[VAC_CLIENTS], &v->clients, e);
}

static void condemn(void *arg, const struct id *name)
{
	map_put(arg, name, 1);
}

bool vac_recall(struct vac *v, struct err *e)
{
	const char *name;
	bool known;
	size_t i;

	for (i = 0; v->strict && v->noted && i < v->noted->n; i++) {
		name = v->noted->v[i];
		if (vac_stone(v, name))
			continue;
		if (!strict_recall(v->repo, v->cache, name, condemn, &v->condemned, &known, e))
			return false;
		if (!known)
			return err_set(e, ERR_MISSING,
			    "tombstones/%s was seen once, and is not now: it cannot be told what is "
			    "condemned", name);
	}
	return true;
}
