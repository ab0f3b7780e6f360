/*
 * Entries stream by in apath order, which has a directory before all that stands in it.
 * Directories, links and special files are made here and now; files go to gather.c, where
 * they are done some time later, by other threads.
 */
#include "engine/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pool.h"
#include "engine/restore_internal.h"

#define LINKS_WAIT  4096  /* at most; then all that is under way is waited for */
#define TELL_EVERY  256   /* entries between two looks at what is to be told */
#define ATTRS_NEAR  32

/* --- telling */

static struct lost_attr *attr_new(struct span path, const char *what, int sys)
{
	struct lost_attr *a = mem_zalloc(sizeof *a + path.n);
	uint8_t *copy = (uint8_t *)(a + 1);

	if (path.n)
		memcpy(copy, path.p, path.n);
	a->path = span_of(copy, path.n);
	if (sys)
		err_sys(&a->why, sys, "%s", what);
	else
		err_set(&a->why, ERR_REFUSED, "%s", what);
	return a;
}

/* What one entry lacks is told by one thread, and so stands near the end. */
void restore_attribute(void *arg, struct span path, const char *what, int sys)
{
	struct restore *r = arg;
	struct lost_attr *a = NULL;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 1; !a && i <= r->n_attrs && i <= ATTRS_NEAR; i++)
		if (span_equal(r->attrs[r->n_attrs - i]->path, path))
			a = r->attrs[r->n_attrs - i];
	if (a) {
		size_t n = strlen(a->why.text);

		snprintf(a->why.text + n, sizeof a->why.text - n, "; %s", what);
	} else {
		r->attrs = mem_grow(
		    r->attrs, &r->attrs_cap, r->n_attrs + 1, sizeof(struct lost_attr *));
		r->attrs[r->n_attrs++] = attr_new(path, what, sys);
	}
	pthread_mutex_unlock(&r->lock);
}

/* The apath of a path below the target, in *b. */
static struct span full_path(const struct restore *r, struct span path, struct buf *b)
{
	bool slash = r->prefix > r->root.n;

	buf_clear(b);
	buf_add(b, r->root.p, slash || !path.n ? r->root.n : r->prefix);
	if (slash && path.n)
		buf_add_byte(b, '/');
	buf_add_span(b, path);
	return buf_span(b);
}

static void tell_attrs(struct restore *r)
{
	struct lost_attr **v;
	struct buf b = BUF_EMPTY;
	size_t n;

	pthread_mutex_lock(&r->lock);
	v = r->attrs;
	n = r->n_attrs;
	r->attrs = NULL;
	r->n_attrs = r->attrs_cap = 0;
	pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < n; i++) {
		r->out->attributes++;
		monitor_problem(r->m, PROBLEM_ATTRIBUTE, full_path(r, v[i]->path, &b),
		    &v[i]->why);
		free(v[i]);
	}
	free(v);
	buf_release(&b);
}

static void tell_progress(struct restore *r)
{
	const struct band_totals *t = &r->band->totals;
	bool all = r->root.n == 1;
	struct progress p = {
	    .phase = "restore",
	    .files = r->out->files,
	    .files_total = all ? t->files : 0,
	    .bytes = r->out->bytes,
	    .bytes_total = all ? t->bytes : 0,
	};

	monitor_progress(r->m, &p);
}

void restore_damage(struct restore *r, struct span subject, const struct err *e)
{
	r->out->damaged++;
	monitor_problem(r->m, PROBLEM_DAMAGED, subject, e);
}

/* The target failed at one entry: is it the entry's name, or the target? */
static bool refused(struct restore *r, struct span apath, struct err *e)
{
	if (!target_refusal(e)) {
		err_wrap(e, "%.*s", (int)(apath.n < 300 ? apath.n : 300), apath.p);
		return false;
	}
	r->out->refused++;
	r->torn = true;
	monitor_problem(r->m, PROBLEM_REFUSED, apath, e);
	return true;
}

void restore_file_done(void *arg, const struct outfile *f)
{
	struct restore *r = arg;

	if (!f->why) {
		r->out->files++;
		r->out->bytes += f->entry.size;
	} else if (!f->refused) {
		struct err e = *f->why;

		err_wrap(&e, "not restored");
		restore_damage(r, f->entry.apath, &e);
	} else {
		refused(r, f->entry.apath, f->why);
	}
}

static void index_lost(void *arg, uint64_t lost, const struct err *e)
{
	struct restore *r = arg;

	r->torn = true;
	monitor_problem(r->m, PROBLEM_DAMAGED, r->root, e);
	r->out->damaged += lost ? lost : 1;
}

/* --- entries */

/*
 * Where the index is damaged, or a directory was refused, what stands in it must not be
 * lost too: directories on the way are made without attributes of their own.
 */
static bool make_parents(struct restore *r, struct span path, struct err *e)
{
	struct entry en = {
	    .kind = ENTRY_DIR,
	    .mode = 0700,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .mtime_s = r->band->start / 1000000000,
	};
	const uint8_t *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
	struct span parent =
	    slash ? span_of(path.p, (size_t)(slash - path.p)) : SPAN_EMPTY;

	if (span_equal(parent, buf_span(&r->parent)))
		return true;
	for (size_t n = 1; n <= parent.n; n++) {
		if (n < parent.n && parent.p[n] != '/')
			continue;
		if (!target_mkdir(r->target, span_of(parent.p, n), &en, e) &&
		    e->kind != ERR_EXISTS)
			return false;
	}
	buf_clear(&r->parent);
	buf_add_span(&r->parent, parent);
	return true;
}

bool restore_special(struct restore *r, const struct entry *en, struct err *e)
{
	if (!target_special(r->target, restore_below(r, en->apath), en, e))
		return refused(r, en->apath, e);
	r->out->others++;
	return true;
}

static bool restore_entry(struct restore *r, const struct entry *en, struct err *e)
{
	struct span path = restore_below(r, en->apath);
	bool ok = true;

	if (r->torn && !make_parents(r, path, e))
		return refused(r, en->apath, e);
	if (link_waits(r, en))
		return r->n_links < LINKS_WAIT || links_make(r, e);
	switch (en->kind) {
	case ENTRY_FILE:
		return gather_file(r->gather, en, en->apath.n - path.n, e);
	case ENTRY_DIR:
		ok = target_mkdir(r->target, path, en, e);
		r->out->dirs += ok;
		break;
	case ENTRY_SYMLINK:
	case ENTRY_FIFO:
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		return restore_special(r, en, e);
	}
	return ok || refused(r, en->apath, e);
}

/* --- the run */

bool restore_stopped(const struct restore *r, struct err *e)
{
	return r->o->stop && *r->o->stop && !err_set(e, ERR_STOPPED, "stopped");
}

static bool restore_rest(struct restore *r, struct err *e)
{
	for (;;) {
		struct entry en;

		if (restore_stopped(r, e))
			return false;
		switch (stream_next(r->rd.stream, &en, e)) {
		case STREAM_FAILED:
			return false;
		case STREAM_END:
			return true;
		case STREAM_DAMAGED:
			index_lost(r, stream_lost(r->rd.stream), e);
			continue;
		case STREAM_ENTRY:
			break;
		}
		if (!apath_within(en.apath, r->root))
			return true;
		if (!restore_entry(r, &en, e))
			return false;
		if (++r->seen % TELL_EVERY == 0) {
			tell_attrs(r);
			tell_progress(r);
		}
	}
}

static bool restore_all(struct restore *r, struct err *e)
{
	struct target_options to = {
	    .numeric = r->o->numeric,
	    .lost = restore_attribute,
	    .arg = r,
	};
	struct gather_options go = {
	    .reading = &r->rd,
	    .cpu = r->cpu,
	    .transfer = r->transfer,
	    .ahead = r->o->transfers,
	    .stop = r->o->stop,
	    .done = restore_file_done,
	    .arg = r,
	};
	struct entry en;
	bool lost, dir;

	if (reading_find(&r->rd, r->root, &en, &lost, index_lost, r, e) != STREAM_ENTRY)
		return false;
	dir = lost || en.kind == ENTRY_DIR;
	r->prefix = r->root.n == 1 ? 1 : r->root.n + 1;
	if (!dir)
		r->prefix = (size_t)((uint8_t *)memrchr(r->root.p, '/', r->root.n) + 1 -
				     r->root.p);
	if (!target_open(r->o->target, &to, &r->target, e))
		return false;
	go.target = r->target;
	r->gather = gather_new(&go);
	if (!restore_entry(r, &en, e))
		return false;
	if (dir && !lost)
		reading_enter(&r->rd, r->root);
	if (dir && !restore_rest(r, e))
		return false;
	return gather_settle(r->gather, e) && links_make(r, e);
}

bool restore_run(struct repo *repo, const struct band *band,
    const struct restore_options *o, struct monitor *m, struct restore_result *out,
    struct err *e)
{
	struct restore r = {
	    .repo = repo,
	    .band = band,
	    .o = o,
	    .m = m,
	    .out = out,
	    .root = o->path,
	};
	struct err why = ERR_EMPTY, late = ERR_EMPTY;
	bool ok;

	*out = (struct restore_result){0};
	pthread_mutex_init(&r.lock, NULL);
	map_init(&r.stand_ins, ID_SIZE);
	r.cpu = pool_new(o->threads);
	r.transfer = pool_new(o->transfers);
	reading_open(&r.rd, repo, band, o->cache_dir, FRAMES_KEPT);
	ok = restore_all(&r, &why);
	gather_free(r.gather);
	/* Also after a failure: what is there shall be as it was. */
	if (r.target && !target_finish(r.target, &late) && ok) {
		why = late;
		ok = false;
	}
	tell_attrs(&r);
	tell_progress(&r);
	target_close(r.target);
	reading_close(&r.rd);
	pool_free(r.cpu);
	pool_free(r.transfer);
	links_release(&r);
	buf_release(&r.parent);
	pthread_mutex_destroy(&r.lock);
	if (!ok && e)
		*e = why;
	return ok;
}
