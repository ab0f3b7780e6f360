/*
 * A want is one extent of one file: put this chunk there. A window of wants is sorted by
 * bundle and slot, so that neighbouring frames make one read (a run), whose frames then
 * go to the workers one by one.
 *
 * The frame that the last want of a window lies in is most likely the first of the next
 * window's, so it is left to that one. With it, the frames of a snapshot that was written
 * in one go are each decoded exactly once.
 *
 * Where a hint turns out to be wrong (the bundle is gone or damaged, another chunk in the
 * slot), the want is given another place and joins the next window. What fails once the
 * frame has been read is rare: such a chunk is read again on the spot from anywhere.
 *
 * A piece of a file is done when its bytes are written or its file has been told that
 * they cannot be had; no want leaves by another way, so every file comes to an end.
 */
#include "engine/gather.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/gather_internal.h"

#define WINDOW_WANTS  8192
#define WINDOW_WIDE   128         /* files of several extents: each may stay open */
#define IN_FLIGHT     (24u << 20) /* stored bytes being read or decoded */
#define RUN_MAX       (4u << 20)  /* stored bytes of one read, if more than one frame */
#define RUN_GAP       (128u << 10) /* read for nothing rather than in a second read */
#define SHELF_BUDGET  (16u << 20)
#define KEPT_BUDGET   (64u << 20)
#define SMALL_BATCH   32          /* files without extents, as one job */

struct gather *gather_new(const struct gather_options *o)
{
	struct gather *g = mem_zalloc(sizeof *g);

	g->o = *o;
	g->shelf =
	    shelf_new(o->reading->repo, o->reading->inventory, o->transfer, SHELF_BUDGET);
	g->kept = kept_new(KEPT_BUDGET);
	g->fetch = lane_new(o->transfer);
	g->cpu = lane_new(o->cpu);
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

bool gather_give_up(struct gather *g, const struct err *why)
{
	if (g->failed.kind == ERR_NONE)
		g->failed = *why;
	return false;
}

static bool stopped(struct gather *g)
{
	if (g->failed.kind == ERR_NONE && g->o.stop && *g->o.stop)
		err_set(&g->failed, ERR_STOPPED, "stopped");
	return g->failed.kind != ERR_NONE;
}

/* --- windows */

static int by_place(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	if (x->bundle != y->bundle)
		return x->bundle < y->bundle ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

/* How many of the wants are of the first one's frame. */
static size_t frame_wants(const struct want *wants, size_t n)
{
	size_t k = 1;

	while (k < n && wants[k].frame == wants[0].frame)
		k++;
	return k;
}

/*
 * Read the frames of some wants of one bundle, which stand in order and near each other.
 */
static void run_start(struct gather *g, struct window *win, struct bundle *b,
    struct want *wants, size_t n)
{
	const struct frame_rec *first = &b->dir.frames[wants[0].frame];
	const struct frame_rec *last = &b->dir.frames[wants[n - 1].frame];
	struct run *r = mem_zalloc(sizeof *r);

	r->repo = g->o.reading->repo;
	r->window = win;
	win->refs++;
	r->number = wants[0].bundle;
	r->bundle = b;
	shelf_hold_again(g->shelf, r->number);
	r->wants = wants;
	r->n_wants = n;
	r->at = first->at;
	r->n = (size_t)(last->at + last->stored - first->at);
	r->refs = 1;
	while (g->in_flight && g->in_flight + r->n + RUN_COST > IN_FLIGHT)
		gather_wait(g);
	g->in_flight += r->n + RUN_COST;
	if (n == frame_wants(wants, n))
		kept_take(g->kept, r->number, wants[0].frame, &r->stored);
	run_launch(g, r);
	gather_poll(g);
}

/* Whether frame b is read with frame a, the run beginning at `at`. */
static bool same_run(const struct bundle *bundle, uint64_t at, uint32_t a, uint32_t b)
{
	const struct frame_rec *x = &bundle->dir.frames[a], *y = &bundle->dir.frames[b];

	if (a == b)
		return true;
	if ((x->at < bundle->tail_at) != (y->at < bundle->tail_at))
		return false;
	return y->at - (x->at + x->stored) <= RUN_GAP &&
	       y->at + y->stored - at <= RUN_MAX;
}

/*
 * Find the frames; what is not where it should be goes elsewhere. Returns how many are
 * left.
 */
static size_t find_frames(
    struct gather *g, struct bundle *b, struct want *wants, size_t n)
{
	struct err e = ERR_EMPTY;
	size_t good = 0;

	err_set(&e, ERR_CORRUPT, "a chunk is not in the slot where it should be");
	for (size_t i = 0; i < n; i++) {
		if (!want_agrees(&wants[i], b)) {
			want_move(g, &wants[i], &e);
			continue;
		}
		wants[good] = wants[i];
		wants[good].frame = directory_frame_of(&b->dir, wants[i].slot);
		good++;
	}
	return good;
}

/*
 * Leave a frame to the next window. Not where it is much of this one: what is kept back
 * again and again is copied again and again. Returns how many wants are left.
 */
static size_t keep_back(struct gather *g, const struct window *win, struct want *wants,
    size_t n, uint32_t frame)
{
	size_t left = 0, all = 0;

	for (size_t i = 0; i < n; i++)
		all += wants[i].frame == frame;
	if (all * 4 > win->n)
		return n;
	for (size_t i = 0; i < n; i++) {
		if (wants[i].frame != frame) {
			wants[left++] = wants[i];
			continue;
		}
		g->wide += wants[i].file->extents > 1;
		*want_add(g) = wants[i];
	}
	return left;
}

/* The wants of one bundle. `last`: the frame of this want may wait, or NULL. */
static void bundle_start(struct gather *g, struct window *win, struct want *wants,
    size_t n, const struct want *last)
{
	uint32_t number = wants[0].bundle;
	struct err e = ERR_EMPTY;
	struct bundle *b;

	if (!shelf_hold(g->shelf, number, &b, &e)) {
		if (!err_is_damage(&e))
			gather_give_up(g, &e);
		for (size_t i = 0; i < n; i++)
			want_move(g, &wants[i], &e);
		return;
	}
	n = find_frames(g, b, wants, n);
	if (last && last->bundle == number && want_agrees(last, b))
		n = keep_back(g, win, wants, n, directory_frame_of(&b->dir, last->slot));
	for (size_t i = 0, k; i < n; i = k) {
		uint64_t at = b->dir.frames[wants[i].frame].at;
		bool here = kept_has(g->kept, number, wants[i].frame);

		k = i + frame_wants(wants + i, n - i);
		while (!here && k < n && same_run(b, at, wants[k - 1].frame, wants[k].frame) &&
		    !kept_has(g->kept, number, wants[k].frame))
			k += frame_wants(wants + k, n - k);
		run_start(g, win, b, wants + i, k - i);
	}
	shelf_release(g->shelf, number);
}

/* The end of the wants of the bundle that the want at i is in. */
static size_t group_end(const struct window *win, size_t i)
{
	size_t k = i + 1;

	while (k < win->n && win->v[k].bundle == win->v[i].bundle)
		k++;
	return k;
}

/* Start all that was gathered; `more`: more will come, next to what came last. */
static void window_start(struct gather *g, bool more)
{
	struct window *win = mem_zalloc(sizeof *win);
	struct want last = g->wants[g->n_wants - 1];
	size_t ask = 0;
	unsigned asked = 0;

	*win = (struct window){g->wants, g->n_wants, 1};
	g->wants = NULL;
	g->n_wants = g->wants_cap = 0;
	g->wide = 0;
	qsort(win->v, win->n, sizeof *win->v, by_place);
	for (size_t i = 0, k; i < win->n; i = k) {
		k = group_end(win, i);
		if (stopped(g)) {
			for (; i < k; i++)
				want_fail(g, &win->v[i], &g->failed);
			continue;
		}
		for (; ask < win->n && asked <= g->o.ahead; asked++) {
			shelf_ask(g->shelf, win->v[ask].bundle);
			ask = group_end(win, ask);
		}
		asked--;
		bundle_start(g, win, win->v + i, k - i, more ? &last : NULL);
	}
	if (--win->refs == 0) {
		free(win->v);
		free(win);
	}
}

static void small_start(struct gather *g)
{
	struct outfile *files = g->small;

	if (g->n_small == 0)
		return;
	g->small = NULL;
	g->n_small = 0;
	while (lane_jobs(g->cpu) >= GATHER_CPU_JOBS)
		gather_wait(g);
	small_launch(g, files);
	gather_poll(g);
}

/* --- files */

struct adding {
	struct gather *g;
	struct outfile *file;
	uint64_t at;
};

static bool extent_add(void *arg, const struct extent *x, struct err *e)
{
	struct adding *a = arg;
	struct gather *g = a->g;

	(void)e;
	if (!x->hole) {
		outfile_expect(a->file, 1);
		g->wide += ++a->file->extents == 2;
		*want_add(g) = (struct want){.file = a->file,
			.at = a->at,
			.id = x->id,
			.length = (uint32_t)x->length,
			.bundle = x->hint.bundle,
			.slot = x->hint.slot};
		if (g->n_wants >= WINDOW_WANTS || g->wide >= WINDOW_WIDE)
			window_start(g, true);
	}
	a->at += x->length;
	return !stopped(g);
}

bool gather_file(struct gather *g, const struct entry *en, size_t prefix, struct err *e)
{
	struct outfile *f = outfile_new(en, prefix), *finished = NULL;
	struct adding a = {g, f, 0};
	struct err why = ERR_EMPTY;

	if (!stopped(g) &&
	    (en->content == CONTENT_EXTENTS || en->content == CONTENT_LIST) &&
	    !stream_extents(g->o.reading->stream, en, extent_add, &a, &why) &&
	    !stopped(g)) {
		if (!err_is_damage(&why))
			gather_give_up(g, &why);
		outfile_fail(f, &why, false);
	}
	if (stopped(g))
		outfile_fail(f, &g->failed, false);
	if (f->extents) {
		piece_done(g, f, &finished);
		gather_tell(g, finished);
	} else {
		f->next = g->small;
		g->small = f;
		if (++g->n_small == SMALL_BATCH)
			small_start(g);
	}
	if (g->failed.kind == ERR_NONE)
		return true;
	*e = g->failed;
	return false;
}

bool gather_settle(struct gather *g, struct err *e)
{
	do {
		small_start(g);
		if (g->n_wants)
			window_start(g, false);
		while (gather_wait(g))
			;
	} while (g->n_wants || g->n_small);
	if (g->failed.kind == ERR_NONE)
		return true;
	*e = g->failed;
	return false;
}

void gather_free(struct gather *g)
{
	struct err e;

	if (!g)
		return;
	if (g->failed.kind == ERR_NONE)
		err_set(&g->failed, ERR_STOPPED, "stopped");
	gather_settle(g, &e);
	shelf_free(g->shelf);
	kept_free(g->kept);
	lane_free(g->fetch);
	lane_free(g->cpu);
	for (unsigned i = 0; i < g->n_plain; i++)
		buf_release(&g->plain[i]);
	pthread_mutex_destroy(&g->lock);
	free(g->wants);
	free(g);
}
