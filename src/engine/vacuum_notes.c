/*
 * What others have left a note of: which bundles are condemned, which are damaged.
 *
 * A note that cannot be read may say anything, so it ends the vacuum; unless it is only the
 * beginning of one, which means that its writing never came to an end: nobody has acted on
 * it, and it is litter.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/torn.h"
#include "engine/vacuum_internal.h"

/*
 * STEP_END: it does not count. Else the caller closes *jf.
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

/* --- damage */

/* One thing that a validation says of a bundle. */
struct finding {
	struct damage d;
	int64_t time;
	bool checked;
	enum health_level level;
};

struct findings {
	struct finding *v;
	size_t n, cap;
};

static int by_bundle_and_time(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int d = memcmp(x->d.bundle.b, y->d.bundle.b, ID_SIZE);

	if (d)
		return d;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->checked - y->checked;
}

static void add_findings(struct findings *all, const struct health *h)
{
	size_t i;

	all->v = mem_grow(
	    all->v, &all->cap, all->n + h->n_damage + h->n_checked, sizeof *all->v);
	for (i = 0; i < h->n_damage; i++)
		all->v[all->n++] = (struct finding){.d = h->damage[i], .time = h->time};
	for (i = 0; i < h->n_checked; i++)
		all->v[all->n++] = (struct finding){.d = {.bundle = h->checked[i].bundle},
		    .time = h->time, .checked = true, .level = h->checked[i].level};
}

/* Later findings take back what earlier ones told, as health.md says. */
static void judge(struct vac *v, const struct findings *all)
{
	const struct finding *f;
	size_t i, first = 0;

	for (i = 0; i < all->n; i++) {
		f = &all->v[i];
		if (i == 0 || !id_equal(&f[-1].d.bundle, &f->d.bundle))
			first = v->n_damage;
		if (f->checked) {
			map_remove(&v->lost, &f->d.bundle);
			if (f->level == HEALTH_FULL)
				v->n_damage = first;
		} else if (f->d.count == 0) {
			map_put(&v->lost, &f->d.bundle, 1);
		} else {
			v->damage = mem_grow(
			    v->damage, &v->damage_cap, v->n_damage + 1, sizeof *v->damage);
			v->damage[v->n_damage++] = f->d;
		}
	}
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
			add_findings(&all, &h);
		} else {
			err_fault(e, &f);
			err_wrap(e, "health/%s", l->names[i]);
			step = STEP_FAILED;
		}
		health_release(&h);
		json_file_close(&jf);
	}
	if (step != STEP_FAILED && all.n > 0) {
		qsort(all.v, all.n, sizeof *all.v, by_bundle_and_time);
		judge(v, &all);
	}
	free(all.v);
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
		if (slot >= v->damage[low].slot && slot - v->damage[low].slot < v->damage[low].count)
			return true;
	return false;
}

bool vac_read_notes(struct vac *v, struct err *e)
{
	return read_stones(v, e) && read_health(v, e);
}
