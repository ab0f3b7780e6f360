/*
 * Looks at files, many at once. They never change, and what is made or deleted after the
 * listing does not count, so that it does not matter when they are looked at.
 */
#include <stdlib.h>

#include "base/ahead.h"
#include "base/mem.h"
#include "engine/vacuum_internal.h"

#define WINDOW 64

struct look {
	struct job job;
	struct repo *repo;
	struct vac_file *file;
	struct err why; /* where it cannot be told */
};

struct looks {
	struct repo *repo;
	struct vac_file *files;
};

static void look_run(struct job *job)
{
	struct look *l = (struct look *)job;
	struct vac_file *x = l->file;

	x->there = repo_stat(l->repo, vac_folders[x->folder], x->name, &x->size, &l->why);
}

static struct job *look_make(void *arg, size_t i)
{
	struct looks *all = arg;
	struct look *l = mem_zalloc(sizeof *l);

	l->job.run = look_run;
	l->repo = all->repo;
	l->file = &all->files[i];
	return &l->job;
}

static void look_drop(struct job *job)
{
	free(job);
}

bool vac_sizes(struct vac *v, struct vac_file *files, size_t n, struct err *e)
{
	struct looks all = {v->repo, files};
	struct ahead_options o = {.pool = v->readers, .window = WINDOW, .window_max = WINDOW,
	    .make = look_make, .drop = look_drop, .arg = &all};
	struct ahead *ahead = ahead_new(&o, n);
	struct look *l;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < n; i++) {
		ok = !vac_stopped(v, e);
		if (!ok)
			break;
		l = (struct look *)ahead_take(ahead, i);
		if (!files[i].there && l->why.kind != ERR_MISSING) {
			*e = l->why;
			ok = err_wrap(
			    e, "size of %s/%s", vac_folders[files[i].folder], files[i].name);
		}
		free(l);
	}
	ahead_free(ahead);
	return ok;
}

bool vac_look(struct vac *v, struct err *e)
{
	size_t i, n = 0;
	int f;

	for (f = 0; f < VAC_HUNKS; f++)
		n += v->lists[f].n;
	v->small = mem_array(n + 1, sizeof *v->small);
	for (f = 0; f < VAC_HUNKS; f++)
		for (i = 0; i < v->lists[f].n; i++)
			v->small[v->n_small++] = (struct vac_file){
			    .name = v->lists[f].names[i], .folder = (enum vac_folder)f};
	return vac_sizes(v, v->small, n, e);
}
