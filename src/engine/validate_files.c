/*
 * Small files: all but bundles and deltas. Each is got whole by the pool, so that a
 * storage with slow answers is asked many things at once, and judged on the main thread.
 *
 * A torn file, that is one which ends before the length it states, is what an attempt
 * that was cut off leaves behind. Whether it was such an attempt or a file that is needed
 * is for the callers to say.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"

#define JSON_END 62     /* the digest member and what stands around it (json.md §1) */
#define JSON_END_KEY 11 /* characters before its digits */

static void file_run(struct job *j)
{
	struct vfile *f = (struct vfile *)j;

	if (f->look)
		f->ok = repo_stat(f->repo, f->folder, f->name, &f->size, &f->why);
	else
		f->ok = repo_get(f->repo, f->folder, f->name, 0, JSON_MAX, &f->bytes,
		    &f->size, &f->why);
}

void vfile_path(const struct vfile *f, char out[VPATH_SIZE])
{
	snprintf(out, VPATH_SIZE, "%s%s%s", f->folder, *f->folder ? "/" : "", f->name);
}

/* What is the same for all: counts, and a file that cannot be had. STEP_ITEM: go on. */
static enum step file_taken(struct valid *v, const struct vfile *f, struct err *e)
{
	char path[VPATH_SIZE];

	if (valid_stopped(v, e))
		return STEP_FAILED;
	if (!f->ok && valid_fatal(&f->why)) {
		*e = f->why;
		return STEP_FAILED;
	}
	valid_checked(v, 1, f->bytes.n);
	vfile_path(f, path);
	if (!f->ok) {
		damage_add(v, path, valid_kind(&f->why, "unreadable"), f->why.text);
		return STEP_END;
	}
	/* An empty one is judged as the torn one that it is. */
	return f->look && f->size > 0 ? STEP_END : STEP_ITEM;
}

static bool file_take(
    struct valid *v, struct lane *lane, vfile_fn *fn, bool go_on, struct err *e)
{
	struct vfile *f = (struct vfile *)lane_take(lane);
	enum step st = go_on ? file_taken(v, f, e) : STEP_END;

	if (st == STEP_ITEM && !fn(v, f, e))
		st = STEP_FAILED;
	buf_release(&f->bytes);
	free(f);
	return st != STEP_FAILED;
}

bool valid_folder(
    struct valid *v, const char *folder, vlook_fn *look, vfile_fn *fn, struct err *e)
{
	struct lane *lane = lane_new(v->pool);
	struct store_listing l = {0};
	bool ok = repo_list(v->repo, folder, &l, e);

	for (size_t i = 0; ok && i < l.n; i++) {
		struct vfile *f = mem_zalloc(sizeof *f);
		enum vlook how;

		f->job.run = file_run;
		f->repo = v->repo;
		f->folder = folder;
		snprintf(f->name, sizeof f->name, "%s", l.names[i]);
		how = look(v, f);
		if (how == VLOOK_NOT) {
			free(f);
			continue;
		}
		f->look = how == VLOOK_SIZE;
		lane_put(lane, &f->job);
		if (lane_jobs(lane) > 2 * (size_t)pool_threads(v->pool))
			ok = file_take(v, lane, fn, true, e);
	}
	while (lane_jobs(lane) > 0)
		ok = file_take(v, lane, fn, ok, e) && ok;
	lane_free(lane);
	store_listing_release(&l);
	return ok;
}

/* --- JSON files */

/* Whether the last member is the digest of all before it: so also of a newer version. */
static bool json_is_whole(struct span s)
{
	struct id stated, digest;
	struct span before;

	if (s.n < JSON_END)
		return false;
	before = span_of(s.p, s.n - JSON_END);
	digest_name(&digest, &before, 1);
	return hex_decode(span_of(before.p + before.n + JSON_END_KEY, 2 * ID_SIZE),
		   stated.b, ID_SIZE) &&
	       id_equal(&stated, &digest);
}

bool valid_json(struct valid *v, const struct vfile *f, const char *type,
    struct json_file *jf, struct buf *secret, const char **what, bool *torn,
    struct err *e)
{
	struct span bytes = buf_span(&f->bytes);
	struct fault fault;

	*torn = false;
	*what = "digest";
	if (f->size > JSON_MAX)
		return err_set(e, ERR_CORRUPT, "longer than any JSON file of bale");
	if (repo_check_json(v->repo, f->name, type, bytes, jf, secret, e))
		return true;
	if (e->kind == ERR_NEWER && json_is_whole(bytes)) {
		*what = NULL;
		return false;
	}
	if (json_is_whole(bytes))
		*what = "foreign";
	if (json_file_open(bytes, jf, &fault))
		json_file_close(jf);
	else
		*torn = bytes.n == 0 || fault.kind == FAULT_TRUNCATED;
	return false;
}
