/*
 * The jobs of a restore (reading a run, decoding a frame and writing its chunks, writing
 * a batch of small files), and what is made of their results on the main thread.
 */
#include "engine/gather_internal.h"

#include <stdlib.h>

#include "base/mem.h"

#define PLAIN_KEPT (4u << 20) /* a larger buffer is given back */

static struct err *err_copy(const struct err *e)
{
	struct err *copy = mem_alloc(sizeof *copy);

	*copy = *e;
	return copy;
}

/* --- in the workers */

static struct buf plain_take(struct gather *g)
{
	struct buf b = BUF_EMPTY;

	pthread_mutex_lock(&g->lock);
	if (g->n_plain)
		b = g->plain[--g->n_plain];
	pthread_mutex_unlock(&g->lock);
	return b;
}

static void plain_give(struct gather *g, struct buf b)
{
	pthread_mutex_lock(&g->lock);
	if (g->n_plain < GATHER_CPU_JOBS && b.cap <= PLAIN_KEPT) {
		g->plain[g->n_plain++] = b;
		b = (struct buf)BUF_EMPTY;
	}
	pthread_mutex_unlock(&g->lock);
	buf_release(&b);
}

void piece_done(struct gather *g, struct outfile *f, struct outfile **finished)
{
	if (outfile_done(f, g->o.target, 1)) {
		f->next = *finished;
		*finished = f;
	}
}

static void small_run(struct job *job)
{
	struct task *t = (struct task *)job;
	struct outfile *f, *next;
	struct err e;

	for (f = t->files; f; f = next) {
		next = f->next;
		if (f->entry.content == CONTENT_INLINE)
			outfile_write(f, t->g->o.target, f->entry.inline_data, 0, &e);
		piece_done(t->g, f, &t->finished);
	}
}

static struct span run_bytes(const struct run *r)
{
	if (r->stored.n)
		return buf_span(&r->stored);
	return span_of(r->bundle->tail.p + (r->at - r->bundle->tail_at), r->n);
}

static void wrap_bundle(struct err *e, const struct id *bundle)
{
	char name[2 * ID_SIZE + 1], folder[16];

	name_of_id(bundle, name);
	err_wrap(e, "%s/%s", folder_of(FILE_DATA, bundle, folder), name);
}

static void wrap_path(struct err *e, const struct outfile *f)
{
	struct span p = f->entry.apath;

	err_wrap(e, "%.*s", (int)(p.n < 300 ? p.n : 300), p.p);
}

static void frame_run(struct job *job)
{
	struct task *t = (struct task *)job;
	struct bundle *b = t->run->bundle;
	const struct frame_rec *rec = &b->dir.frames[t->wants->frame];
	struct span stored =
	    span_of(run_bytes(t->run).p + (rec->at - t->run->at), rec->stored);
	struct buf plain = plain_take(t->g);
	struct span chunk = SPAN_EMPTY;
	struct err e = ERR_EMPTY;
	bool opened = frame_open(t->run->repo, rec, stored, &plain, &e), ok = false;

	if (!opened)
		wrap_bundle(&e, &b->name);
	for (size_t i = 0; i < t->n_wants; i++) {
		struct want *w = &t->wants[i];

		if (opened && (i == 0 || w->slot != w[-1].slot)) {
			ok = chunk_in_frame(t->run->repo, b, w->slot, buf_span(&plain),
			    &w->id, &chunk, &e);
			if (!ok)
				wrap_bundle(&e, &b->name);
		}
		if (!ok) {
			w->bad = true;
			if (!t->bad)
				t->bad = err_copy(&e);
			continue;
		}
		if (!outfile_write(w->file, t->g->o.target, chunk, w->at, &e) &&
		    e.kind != ERR_NONE && !target_refusal(&e) && !t->fatal) {
			wrap_path(&e, w->file);
			t->fatal = err_copy(&e);
		}
		piece_done(t->g, w->file, &t->finished);
	}
	plain_give(t->g, plain);
}

static void fetch_run(struct job *job)
{
	struct run *r = (struct run *)job;
	char name[2 * ID_SIZE + 1], folder[16];

	name_of_id(&r->bundle->name, name);
	folder_of(FILE_DATA, &r->bundle->name, folder);
	buf_reserve(&r->stored, r->n);
	r->ok = repo_get(r->repo, folder, name, r->at, r->n, &r->stored, NULL, &r->why);
	if (r->ok && r->stored.n != r->n)
		r->ok =
		    err_set(&r->why, ERR_CORRUPT, "%s/%s: it ends early", folder, name);
}

/* --- results, and second tries */

/* The target fails, and not for the file's name: all is over. */
static void check_target(struct gather *g, const struct outfile *f)
{
	struct err e;

	if (!f->why || !f->refused || target_refusal(f->why))
		return;
	e = *f->why;
	wrap_path(&e, f);
	gather_give_up(g, &e);
}

void gather_tell(struct gather *g, struct outfile *finished)
{
	struct outfile *next;

	for (; finished; finished = next) {
		next = finished->next;
		check_target(g, finished);
		if (g->failed.kind == ERR_NONE || !finished->why)
			g->o.done(g->o.arg, finished);
		outfile_free(finished);
	}
}

void want_fail(struct gather *g, struct want *w, const struct err *why)
{
	struct outfile *finished = NULL;

	outfile_fail(w->file, why, false);
	piece_done(g, w->file, &finished);
	gather_tell(g, finished);
}

struct want *want_add(struct gather *g)
{
	g->wants = mem_grow(g->wants, &g->wants_cap, g->n_wants + 1, sizeof *g->wants);
	return &g->wants[g->n_wants++];
}

bool want_agrees(const struct want *w, const struct bundle *b)
{
	return w->slot < b->dir.n_chunks && id_equal(&b->dir.ids[w->slot], &w->id) &&
	       b->dir.lengths[w->slot] == w->length;
}

/* STEP_ITEM: the want has a place whose directory agrees. */
static enum step find_place(
    struct gather *g, struct want *w, enum reach reach, struct err *e)
{
	struct reading *rd = g->o.reading;
	const struct found *f;
	struct bundle *b;
	size_t n;

	if (!resolver_find(rd->resolver, FILE_DATA, &w->id, reach, &f, &n, e))
		return STEP_FAILED;
	for (size_t i = 0; i < n; i++) {
		bool agrees;

		w->bundle = inventory_number(rd->inventory, FILE_DATA, &f[i].bundle, 0);
		w->slot = f[i].slot;
		if (!shelf_hold(g->shelf, w->bundle, &b, e)) {
			if (!err_is_damage(e))
				return STEP_FAILED;
			continue;
		}
		agrees = want_agrees(w, b);
		shelf_release(g->shelf, w->bundle);
		if (agrees)
			return STEP_ITEM;
	}
	return STEP_END;
}

void want_move(struct gather *g, const struct want *old, const struct err *why)
{
	struct want w = *old;
	struct err e = ERR_EMPTY;
	enum step st = STEP_END;

	if (!old->moved && g->failed.kind == ERR_NONE) {
		w.moved = true;
		for (unsigned reach = 0; st == STEP_END && reach <= REACH_BUNDLES; reach++)
			st = find_place(g, &w, (enum reach)reach, &e);
	}
	if (st == STEP_FAILED)
		gather_give_up(g, &e);
	if (st == STEP_ITEM)
		*want_add(g) = w;
	else
		want_fail(g, &w, why);
}

/* Its frame or chunk is damaged: read it from wherever else it is. */
static void want_rescue(struct gather *g, struct want *w, const struct err *why)
{
	struct reading *rd = g->o.reading;
	struct outfile *finished = NULL;
	struct err e = ERR_EMPTY;
	struct span chunk;

	if (g->failed.kind != ERR_NONE ||
	    !resolver_read(
		rd->resolver, rd->chunks, FILE_DATA, NULL, &w->id, &chunk, &e) ||
	    chunk.n != w->length) {
		if (e.kind != ERR_NONE && !err_is_damage(&e))
			gather_give_up(g, &e);
		want_fail(g, w, why);
		return;
	}
	outfile_write(w->file, g->o.target, chunk, w->at, &e);
	piece_done(g, w->file, &finished);
	gather_tell(g, finished);
}

/* Frames of which not all chunks were wanted: a later window may want others. */
static void keep_frames(struct gather *g, const struct run *r)
{
	const struct frame_rec *rec;
	size_t i, k, slots;

	for (i = 0; r->ok && i < r->n_wants; i = k) {
		rec = &r->bundle->dir.frames[r->wants[i].frame];
		slots = 1;
		for (k = i + 1; k < r->n_wants && r->wants[k].frame == r->wants[i].frame; k++)
			slots += r->wants[k].slot != r->wants[k - 1].slot;
		if (slots < rec->chunks)
			kept_put(g->kept, r->number, r->wants[i].frame,
			    span_of(run_bytes(r).p + (rec->at - r->at), rec->stored));
	}
}

static void run_unref(struct gather *g, struct run *r)
{
	if (--r->refs)
		return;
	keep_frames(g, r);
	g->in_flight -= r->n + RUN_COST;
	shelf_release(g->shelf, r->number);
	if (--r->window->refs == 0) {
		free(r->window->v);
		free(r->window);
	}
	buf_release(&r->stored);
	free(r);
}

static void task_done(struct gather *g, struct task *t)
{
	gather_tell(g, t->finished);
	if (t->fatal)
		gather_give_up(g, t->fatal);
	for (size_t i = 0; t->bad && i < t->n_wants; i++)
		if (t->wants[i].bad)
			want_rescue(g, &t->wants[i], t->bad);
	if (t->run)
		run_unref(g, t->run);
	free(t->bad);
	free(t->fatal);
	free(t);
}

static struct task *task_new(struct gather *g, void (*run)(struct job *job))
{
	struct task *t = mem_zalloc(sizeof *t);

	t->job.run = run;
	t->g = g;
	return t;
}

/* A run has been read: its frames go to the workers. */
static void fetched(struct gather *g, struct run *r)
{
	if (!r->ok) {
		if (err_is_damage(&r->why))
			shelf_condemn(g->shelf, r->number, &r->why);
		else
			gather_give_up(g, &r->why);
		for (size_t i = 0; i < r->n_wants; i++)
			want_move(g, &r->wants[i], &r->why);
	}
	for (size_t i = 0, k; r->ok && i < r->n_wants; i = k) {
		struct task *t = task_new(g, frame_run);

		for (k = i + 1; k < r->n_wants && r->wants[k].frame == r->wants[i].frame;)
			k++;
		t->run = r;
		t->wants = &r->wants[i];
		t->n_wants = k - i;
		r->refs++;
		lane_put(g->cpu, &t->job);
	}
	run_unref(g, r);
}

void gather_poll(struct gather *g)
{
	struct job *j;

	while ((j = lane_poll(g->fetch)))
		fetched(g, (struct run *)j);
	while ((j = lane_poll(g->cpu)))
		task_done(g, (struct task *)j);
}

bool gather_wait(struct gather *g)
{
	struct job *j;

	while ((j = lane_poll(g->fetch)))
		fetched(g, (struct run *)j);
	if ((j = lane_take(g->cpu)))
		task_done(g, (struct task *)j);
	else if ((j = lane_take(g->fetch)))
		fetched(g, (struct run *)j);
	return j != NULL;
}

void run_launch(struct gather *g, struct run *r)
{
	if (r->at >= r->bundle->tail_at || r->stored.n) {
		r->ok = true;
		fetched(g, r);
	} else {
		r->job.run = fetch_run;
		r->job.weight = r->n;
		lane_put(g->fetch, &r->job);
	}
}

void small_launch(struct gather *g, struct outfile *files)
{
	struct task *t = task_new(g, small_run);

	t->files = files;
	lane_put(g->cpu, &t->job);
}
