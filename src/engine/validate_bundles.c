/*
 * All bundles: listed, and each given to a job of the pool. What a job needs of the table
 * is copied into it, and what it found goes into the table when it is taken, on the main
 * thread.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static bool same_directory(
    const struct valid *v, const struct vbundle *b, const struct directory *dir)
{
	return dir->n_chunks == b->n_chunks &&
	       (dir->n_chunks == 0 || memcmp(dir->ids, v->ids + b->base,
					  dir->n_chunks * sizeof *v->ids) == 0);
}

static void set_bad(struct vbundle *b, const char *kind, const char *text)
{
	if (b->kind)
		return;
	b->kind = kind;
	b->text = mem_strdup(text);
}

static void take_in(struct valid *v, struct vcheck *c)
{
	struct vbundle *b = &v->bundles[c->number];

	if (c->bundle && !b->has_dir)
		valid_add_directory(v, c->number, &c->bundle->dir);
	b = &v->bundles[c->number];
	b->torn = c->torn;
	if (c->bundle && !same_directory(v, b, &c->bundle->dir)) {
		set_bad(b, "directory", "it is not the directory that a delta tells of");
		b->all_bad = true;
	}
	for (uint32_t i = 0; c->bad && i < b->n_chunks; i++)
		if (c->bad[i / 8] >> i % 8 & 1)
			valid_chunk_bad(v, c->number, i);
	if (c->n_bad > 0)
		set_bad(b, c->frame_kind, c->frame_why.text);
	if (!c->kind)
		return;
	/* Damage to none of its frames, nor to its directory, costs no chunk. */
	if (!c->bundle)
		b->all_bad = true;
	if (strcmp(c->kind, "missing") == 0)
		b->listed = false;
	else
		set_bad(b, c->kind, c->why.text);
}

static void check_free(struct vcheck *c)
{
	bundle_free(c->bundle);
	free(c->bad);
	free(c);
}

static bool take(struct valid *v, struct lane *lane, bool go_on, struct err *e)
{
	struct vcheck *c = (struct vcheck *)lane_take(lane);

	if (go_on && c->kind && valid_fatal(&c->why)) {
		*e = c->why;
		go_on = false;
	}
	if (go_on) {
		valid_checked(v, 1, c->bytes);
		take_in(v, c);
		go_on = !valid_stopped(v, e);
	}
	check_free(c);
	return go_on;
}

static struct vcheck *check_new(struct valid *v, uint32_t number)
{
	const struct vbundle *b = &v->bundles[number];
	struct vcheck *c = mem_zalloc(sizeof *c);

	c->job.run = vcheck_run;
	c->repo = v->repo;
	c->stop = v->o->stop;
	c->number = number;
	c->level = v->o->level;
	c->name = b->name;
	c->type = b->type;
	c->told = b->size;
	c->want_dir = !b->has_dir;
	name_of_id(&b->name, c->file);
	folder_of(b->type, &b->name, c->folder);
	return c;
}

static bool list_folder(
    struct valid *v, enum file_type type, const char *folder, struct err *e)
{
	struct store_listing l = {0};
	char right[16], *path;
	struct id id;
	bool ok = repo_list(v->repo, folder, &l, e);

	for (size_t i = 0; ok && i < l.n; i++) {
		if (id_of_name(l.names[i], &id) &&
		    strcmp(folder_of(type, &id, right), folder) == 0) {
			valid_bundle_named(v, type, &id)->listed = true;
			continue;
		}
		path = mem_printf("%s/%s", folder, l.names[i]);
		valid_note(v, path, "not a name of bale's there: left alone");
		free(path);
	}
	store_listing_release(&l);
	return ok;
}

static bool list_all(struct valid *v, struct err *e)
{
	char folder[16];

	for (unsigned i = 0; i < 16; i++) {
		snprintf(folder, sizeof folder, "data/%x", i);
		if (!list_folder(v, FILE_DATA, folder, e))
			return false;
	}
	return list_folder(v, FILE_HUNKS, "hunks", e);
}

static int by_size(const void *a, const void *b, void *arg)
{
	const struct vbundle *v = arg, *x = &v[*(const uint32_t *)a],
			     *y = &v[*(const uint32_t *)b];

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return memcmp(x->name.b, y->name.b, ID_SIZE);
}

bool valid_bundles(struct valid *v, struct err *e)
{
	struct lane *lane;
	uint32_t *order;
	size_t n = 0;
	bool ok = true;

	if (!list_all(v, e))
		return false;
	order = mem_array(v->n_bundles + 1, sizeof *order);
	for (uint32_t i = 0; i < v->n_bundles; i++)
		if (v->bundles[i].listed) {
			order[n++] = i;
			v->progress.bytes_total += v->bundles[i].size;
		}
	if (v->o->level == VALIDATE_QUICK)
		v->progress.bytes_total = 0;
	v->progress.files_total = v->progress.files + n;
	/* The largest first, so that all threads end at about the same time. */
	qsort_r(order, n, sizeof *order, by_size, v->bundles);
	lane = lane_new(v->pool);
	for (size_t i = 0; ok && i < n; i++) {
		lane_put(lane, &check_new(v, order[i])->job);
		if (lane_jobs(lane) > 4 * (size_t)pool_threads(v->pool))
			ok = take(v, lane, true, e);
	}
	while (lane_jobs(lane) > 0)
		ok = take(v, lane, ok, e) && ok;
	lane_free(lane);
	free(order);
	return ok;
}

void valid_bundles_judge(struct valid *v)
{
	for (uint32_t i = 0; i < v->n_bundles; i++) {
		struct vbundle *b = &v->bundles[i];
		char name[2 * ID_SIZE + 1], folder[16], *path;

		if (!b->listed) {
			if (b->required && !b->gone)
				damage_of_bundle(v, i);
		} else if (b->kind && (b->named || !b->torn)) {
			damage_of_bundle(v, i);
		} else if (b->kind) {
			name_of_id(&b->name, name);
			path = mem_printf(
			    "%s/%s", folder_of(b->type, &b->name, folder), name);
			v->result->litter++;
			valid_note(v, path, "left by an attempt that was cut off");
			free(path);
		}
	}
}
