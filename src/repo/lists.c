/*
 * A lane gives the results back in the order asked for, so nothing hangs on which comes
 * first.
 */
#include "repo/lists.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct lists {
	struct repo *r;
	struct pool *own; /* of no threads, where none was lent */
	struct lane *lane;
};

struct listing_job {
	struct job job;
	struct repo *r;
	char folder[16];
	struct store_listing names;
	bool ok;
	struct err err;
};

struct lists *lists_new(struct repo *r, struct pool *pool)
{
	struct lists *l = mem_zalloc(sizeof *l);

	l->r = r;
	l->own = pool ? NULL : pool_new(0);
	l->lane = lane_new(pool ? pool : l->own);
	return l;
}

static void job_free(struct listing_job *j)
{
	store_listing_release(&j->names);
	free(j);
}

void lists_free(struct lists *l)
{
	struct job *j;

	if (!l)
		return;
	while ((j = lane_take(l->lane)))
		job_free((struct listing_job *)j);
	lane_free(l->lane);
	pool_free(l->own);
	free(l);
}

static void listing_run(struct job *job)
{
	struct listing_job *j = (struct listing_job *)job;

	j->ok = repo_list(j->r, j->folder, &j->names, &j->err);
}

void lists_add(struct lists *l, const char *folder)
{
	struct listing_job *j = mem_zalloc(sizeof *j);

	assert(strlen(folder) < sizeof j->folder);
	j->job.run = listing_run;
	j->r = l->r;
	strcpy(j->folder, folder);
	lane_put(l->lane, &j->job);
}

bool lists_take(struct lists *l, struct store_listing *out, struct err *e)
{
	struct listing_job *j = (struct listing_job *)lane_take(l->lane);
	bool ok;

	assert(j);
	ok = j->ok;
	*out = j->names;
	j->names = (struct store_listing){NULL, 0, 0};
	if (!ok && e)
		*e = j->err;
	job_free(j);
	return ok;
}
