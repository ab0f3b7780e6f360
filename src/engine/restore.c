/*
 * Entries stream by in apath order, which has a directory before all that stands in it.
 * Directories, links and special files are made here and now; files go to gather.c, where
 * they are done some time later, by other threads.
 *
 * So a hard link waits: until its first file is done it has nothing to link to. If that one
 * failed, or was not asked for, the next of its group is restored with its own content, and
 * the others are linked to that.
 */
#include "engine/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "codec/digest.h"
#include "engine/gather.h"

#define FRAMES_KEPT 4
#define LINKS_WAIT  4096  /* at most; then all that is under way is waited for */
#define TELL_EVERY  256   /* entries between two looks at what is to be told */

/* Attributes that were not restored, on their way from the workers. */
struct lost_attr {
	struct span path;
	struct err why;
	struct lost_attr *next;
};

struct link {
	char *apath, *first;
};

struct restore {
	struct repo *repo;
	const struct band *band;
	const struct restore_options *o;
	struct monitor *m;
	struct restore_result *out;
	struct reading rd;
	struct target *target;
	struct pool *cpu, *transfer;
	struct gather *gather;
	struct span root; /* what is restored; its last slash ends the prefix */
	size_t prefix;    /* bytes that apaths lose */
	uint64_t seen;
	bool torn;        /* directories may be missing */
	struct buf parent; /* where that is so: the last one seen to be there */

	struct link *links;
	size_t n_links, links_cap;
	struct map stand_ins; /* digest of a first apath → index in paths */
	struct string_list paths;

	pthread_mutex_t lock; /* guards attrs */
	struct lost_attr *attrs, **attrs_end;
};

/* --- telling */

/* In a worker. */
static void attr_lost(void *arg, struct span path, const char *what, int sys)
{
	struct restore *r = arg;
	struct lost_attr *a;

	pthread_mutex_lock(&r->lock);
	for (a = r->attrs; a && !span_equal(a->path, path);)
		a = a->next;
	if (a) {
		size_t n = strlen(a->why.text);

		snprintf(a->why.text + n, sizeof a->why.text - n, "; %s", what);
	} else {
		uint8_t *copy;

		a = mem_zalloc(sizeof *a + path.n);
		copy = (uint8_t *)(a + 1);
		if (path.n)
			memcpy(copy, path.p, path.n);
		a->path = span_of(copy, path.n);
		if (sys)
			err_sys(&a->why, sys, "%s", what);
		else
			err_set(&a->why, ERR_REFUSED, "%s", what);
		*r->attrs_end = a;
		r->attrs_end = &a->next;
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
	struct lost_attr *a, *next;
	struct buf b = BUF_EMPTY;

	pthread_mutex_lock(&r->lock);
	a = r->attrs;
	r->attrs = NULL;
	r->attrs_end = &r->attrs;
	pthread_mutex_unlock(&r->lock);
	for (; a; a = next) {
		next = a->next;
		r->out->attributes++;
		monitor_problem(r->m, PROBLEM_ATTRIBUTE, full_path(r, a->path, &b), &a->why);
		free(a);
	}
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

static void tell_damage(struct restore *r, struct span subject, const struct err *e)
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

static void file_done(void *arg, const struct outfile *f)
{
	struct restore *r = arg;

	if (!f->why) {
		r->out->files++;
		r->out->bytes += f->entry.size;
	} else if (!f->refused) {
		struct err e = *f->why;

		err_wrap(&e, "not restored");
		tell_damage(r, f->entry.apath, &e);
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

static struct span below(const struct restore *r, struct span apath)
{
	if (apath.n <= r->prefix)
		return SPAN_EMPTY;
	return span_of(apath.p + r->prefix, apath.n - r->prefix);
}

/*
 * Where the index is damaged, or a directory was refused, what stands in it must not be lost
 * too: directories on the way are made without attributes of their own.
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
	struct span parent = slash ? span_of(path.p, (size_t)(slash - path.p)) : SPAN_EMPTY;

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

static void link_key(struct span first, struct id *key)
{
	digest_name(key, &first, 1);
}

/* Whether a link must wait for `first`; otherwise the entry is to be restored as a file. */
static bool link_waits(struct restore *r, const struct entry *en)
{
	struct id key;

	if (en->hardlink.n == 0 || span_equal(en->hardlink, en->apath))
		return false;
	if (apath_within(en->hardlink, r->root))
		return true;
	link_key(en->hardlink, &key);
	if (map_get(&r->stand_ins, key.b))
		return true;
	map_put(&r->stand_ins, key.b, r->paths.n);
	string_list_add(&r->paths, en->apath);
	return false;
}

static char *text_of(struct span s)
{
	char *t = mem_zalloc(s.n + 1);

	memcpy(t, s.p, s.n);
	return t;
}

static void link_wait(struct restore *r, const struct entry *en)
{
	r->links = mem_grow(r->links, &r->links_cap, r->n_links + 1, sizeof *r->links);
	r->links[r->n_links++] = (struct link){text_of(en->apath), text_of(en->hardlink)};
}

static bool links_make(struct restore *r, struct err *e);

static bool restore_entry(struct restore *r, const struct entry *en, struct err *e)
{
	struct span path = below(r, en->apath);
	bool ok = true;

	if (r->torn && !make_parents(r, path, e))
		return refused(r, en->apath, e);
	switch (en->kind) {
	case ENTRY_FILE:
		if (!link_waits(r, en))
			return gather_file(r->gather, en, en->apath.n - path.n, e);
		link_wait(r, en);
		return r->n_links < LINKS_WAIT || links_make(r, e);
	case ENTRY_DIR:
		ok = target_mkdir(r->target, path, en, e);
		r->out->dirs += ok;
		break;
	case ENTRY_SYMLINK:
	case ENTRY_FIFO:
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		ok = target_special(r->target, path, en, e);
		r->out->others += ok;
		break;
	}
	return ok || refused(r, en->apath, e);
}

static bool stop_asked(const struct restore *r, struct err *e)
{
	return r->o->stop && *r->o->stop && !err_set(e, ERR_STOPPED, "stopped");
}

/* --- hard links */

/* STEP_END: the file that it should be linked to is not there. */
static enum step link_make(struct restore *r, const struct link *l, struct err *e)
{
	struct span first = span_str(l->first), apath = span_str(l->apath);
	struct id key;
	uint64_t *at;

	link_key(first, &key);
	at = map_get(&r->stand_ins, key.b);
	if (at)
		first = span_str(r->paths.v[*at]);
	else if (!apath_within(first, r->root))
		return STEP_END;
	if (target_link(r->target, below(r, apath), below(r, first), e)) {
		r->out->files++;
		return STEP_ITEM;
	}
	/* Too many links for this file system: a copy is better than nothing. */
	return e->kind == ERR_MISSING || target_refusal(e) ? STEP_END : STEP_FAILED;
}

/* Restore a link's own content, by going to its entry a second time. */
static bool link_content(struct restore *r, struct reading *again, const struct link *l,
    struct gather *g, struct err *e)
{
	struct span apath = span_str(l->apath);
	enum stream_step st;
	struct entry en;
	struct id key;

	stream_seek(again->stream, apath);
	st = stream_next(again->stream, &en, e);
	if (st == STREAM_FAILED)
		return false;
	if (st == STREAM_DAMAGED) {
		tell_damage(r, apath, e);
		return true;
	}
	if (st == STREAM_END || !span_equal(en.apath, apath)) {
		err_set(e, ERR_CORRUPT, "its entry is not found again");
		tell_damage(r, apath, e);
		return true;
	}
	link_key(span_str(l->first), &key);
	map_put(&r->stand_ins, key.b, r->paths.n);
	string_list_add(&r->paths, apath);
	return gather_file(g, &en, en.apath.n - below(r, en.apath).n, e) && gather_settle(g, e);
}

/* A gather of its own, as its extents are of another stream. */
static bool links_second(struct restore *r, const struct link *v, size_t n, struct err *e)
{
	struct reading again;
	struct gather_options o = {.target = r->target,
	    .cpu = r->cpu,
	    .transfer = r->transfer,
	    .stop = r->o->stop,
	    .done = file_done,
	    .arg = r};
	struct gather *g;
	bool ok = true;

	reading_open(&again, r->repo, r->band, r->o->cache_dir, FRAMES_KEPT);
	o.reading = &again;
	g = gather_new(&o);
	for (size_t i = 0; ok && i < n; i++) {
		enum step st = link_make(r, &v[i], e);

		ok = st != STEP_FAILED && !stop_asked(r, e);
		if (ok && st == STEP_END)
			ok = link_content(r, &again, &v[i], g, e);
	}
	gather_free(g);
	reading_close(&again);
	return ok;
}

static bool links_make(struct restore *r, struct err *e)
{
	size_t left = 0;
	bool ok = r->n_links == 0 || gather_settle(r->gather, e);

	for (size_t i = 0; i < r->n_links; i++) {
		struct link l = r->links[i];
		enum step st = ok ? link_make(r, &l, e) : STEP_FAILED;

		if (st == STEP_END) {
			r->links[left++] = l;
			continue;
		}
		ok = st == STEP_ITEM;
		free(l.apath);
		free(l.first);
	}
	ok = ok && (left == 0 || links_second(r, r->links, left, e));
	for (size_t i = 0; i < left; i++) {
		free(r->links[i].apath);
		free(r->links[i].first);
	}
	r->n_links = 0;
	return ok;
}

/* --- the run */

static bool restore_below(struct restore *r, struct err *e)
{
	for (;;) {
		struct entry en;

		if (stop_asked(r, e))
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
	    .lost = attr_lost,
	    .arg = r,
	};
	struct gather_options go = {
	    .reading = &r->rd,
	    .cpu = r->cpu,
	    .transfer = r->transfer,
	    .ahead = r->o->transfers,
	    .stop = r->o->stop,
	    .done = file_done,
	    .arg = r,
	};
	struct entry en;
	bool lost, dir;

	if (reading_find(&r->rd, r->root, &en, &lost, index_lost, r, e) != STREAM_ENTRY)
		return false;
	dir = lost || en.kind == ENTRY_DIR;
	r->prefix = r->root.n == 1 ? 1 : r->root.n + 1;
	if (!dir)
		r->prefix = (size_t)((uint8_t *)memrchr(r->root.p, '/', r->root.n) + 1 - r->root.p);
	if (!target_open(r->o->target, &to, &r->target, e))
		return false;
	go.target = r->target;
	r->gather = gather_new(&go);
	if (!restore_entry(r, &en, e))
		return false;
	if (dir && !lost)
		reading_enter(&r->rd, r->root);
	if (dir && !restore_below(r, e))
		return false;
	return gather_settle(r->gather, e) && links_make(r, e);
}

bool restore_run(struct repo *repo, const struct band *band, const struct restore_options *o,
    struct monitor *m, struct restore_result *out, struct err *e)
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
	r.attrs_end = &r.attrs;
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
	for (size_t i = 0; i < r.n_links; i++) {
		free(r.links[i].apath);
		free(r.links[i].first);
	}
	free(r.links);
	string_list_release(&r.paths);
	map_release(&r.stand_ins);
	buf_release(&r.parent);
	pthread_mutex_destroy(&r.lock);
	if (!ok && e)
		*e = why;
	return ok;
}
