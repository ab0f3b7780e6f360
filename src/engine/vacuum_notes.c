/*
 * What others have left a note of: which bundles are condemned, which are damaged.
 *
 * A note that cannot be read may say anything, so it ends the vacuum; unless it is only
 * the beginning of one, which means that its writing never came to an end: nobody has
 * acted on it, and it is litter.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/ahead.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "engine/findings.h"
#include "engine/strict.h"
#include "engine/torn.h"
#include "engine/vacuum_internal.h"

#define WINDOW_FIRST 4 /* how long a note is shows only when it is here */
#define WINDOW_MAX   32
#define WINDOW_BYTES (4u << 20)

/* One that is being read. */
struct note {
	struct job job;
	struct repo *repo;
	enum vac_folder folder;
	const char *name, *type;
	struct json_file jf;
	bool ok;
	struct err why;
};

static void note_run(struct job *job)
{
	struct note *n = (struct note *)job;
	struct buf secret = BUF_EMPTY;

	n->ok = repo_get_json(
	    n->repo, vac_folders[n->folder], n->name, n->type, &n->jf, &secret, &n->why);
	buf_release(&secret);
}

/*
 * STEP_END: it does not count. Else the caller closes n->jf. A tombstone that is listed
 * and not there was deleted when its bundles had been gone for long, or is not seen yet;
 * either is as if it had not been listed.
 */
static enum step judge_note(struct vac *v, const struct note *n, struct err *e)
{
	char path[NAME_MAX_LEN + 32];
	bool torn = false;

	if (n->ok)
		return STEP_ITEM;
	if (n->why.kind == ERR_MISSING && n->folder == VAC_TOMBSTONES)
		return STEP_END;
	if (n->why.kind == ERR_CORRUPT &&
	    !file_torn(v->repo, vac_folders[n->folder], n->name, &torn, e))
		return STEP_FAILED;
	if (!torn) {
		*e = n->why;
		return STEP_FAILED;
	}
	snprintf(path, sizeof path, "%s/%s", vac_folders[n->folder], n->name);
	store_listing_add(&v->torn, path);
	return STEP_END;
}

/* --- a folder of them */

struct notes {
	struct repo *repo;
	const struct store_listing *names;
	enum vac_folder folder;
	const char *type;
};

typedef bool note_fn(void *arg, const char *name, struct json_file *jf, struct err *e);

static struct job *note_make(void *arg, size_t i)
{
	struct notes *all = arg;
	struct note *n = mem_zalloc(sizeof *n);

	n->job.run = note_run;
	n->repo = all->repo;
	n->folder = all->folder;
	n->name = all->names->names[i];
	n->type = all->type;
	return &n->job;
}

static void note_drop(struct job *job)
{
	struct note *n = (struct note *)job;

	if (n->ok)
		json_file_close(&n->jf);
	free(n);
}

/* Tell of each that counts, in the order of their names; the next are on their way. */
static bool read_notes(struct vac *v, enum vac_folder folder, const char *type,
    note_fn *fn, void *arg, struct err *e)
{
	const struct store_listing *l = &v->lists[folder];
	struct notes all = {v->repo, l, folder, type};
	struct ahead_options o = {.pool = v->readers, .window = WINDOW_FIRST,
	    .window_max = WINDOW_MAX, .make = note_make, .drop = note_drop, .arg = &all};
	struct ahead *ahead = ahead_new(&o, l->n);
	enum step step = STEP_ITEM;
	struct note *n;
	size_t i;

	for (i = 0; i < l->n && step != STEP_FAILED; i++) {
		n = (struct note *)ahead_take(ahead, i);
		step = judge_note(v, n, e);
		if (n->ok)
			ahead_narrow(ahead, WINDOW_BYTES / (n->jf.digested + 1) + 1);
		if (step == STEP_ITEM && !fn(arg, n->name, &n->jf, e)) {
			err_wrap(e, "%s/%s", vac_folders[folder], n->name);
			step = STEP_FAILED;
		}
		note_drop(&n->job);
	}
	ahead_free(ahead);
	return step != STEP_FAILED;
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

static bool add_stone(void *arg, const char *name, struct json_file *jf, struct err *e)
{
	struct vac *v = arg;
	struct vac_stone *s;
	struct fault f;

	v->stones = mem_grow(v->stones, &v->stones_cap, v->n_stones + 1, sizeof *s);
	s = &v->stones[v->n_stones++];
	*s = (struct vac_stone){.gone = false};
	snprintf(s->name, sizeof s->name, "%s", name);
	tombstone_init(&s->t);
	if (!tombstone_decode(jf, &s->t, &f))
		return err_fault(e, &f);
	take_stone(v, s);
	return true;
}

static bool read_stones(struct vac *v, struct err *e)
{
	bool ok = read_notes(v, VAC_TOMBSTONES, "tombstone", add_stone, v, e);

	store_listing_sort(&v->files);
	return ok || err_wrap(e, "cannot tell what is condemned");
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
	struct note n = {
	    .repo = v->repo, .folder = VAC_TOMBSTONES, .name = name, .type = "tombstone"};
	enum step step;

	note_run(&n.job);
	step = judge_note(v, &n, e);
	if (n.ok)
		json_file_close(&n.jf);
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

static bool add_health(void *arg, const char *name, struct json_file *jf, struct err *e)
{
	struct health h;
	struct fault f;
	bool ok;

	(void)name;
	health_init(&h);
	ok = health_decode(jf, &h, &f);
	if (ok)
		findings_add(arg, &h);
	health_release(&h);
	return ok || err_fault(e, &f);
}

static bool read_health(struct vac *v, struct err *e)
{
	struct findings all = {NULL, 0, 0};
	bool ok = read_notes(v, VAC_HEALTH, "health", add_health, &all, e);

	if (ok)
		findings_tell(&all, take_damage, v);
	findings_release(&all);
	return ok || err_wrap(e, "cannot tell what is damaged");
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
