/*
 * Passing. Every item of the queue is passed once, in order, when its content is at hand:
 * each chunk is looked up (this run, then the index) and packed where it is new.
 *
 * What ends up where on the storage must not depend on how fast threads are. So whatever
 * closes a frame or a bundle, or begins a checkpoint, is decided here, by what was passed
 * before, and never by what happens to be waiting for a thread.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"
#include "engine/backup_run.h"

#define BATCH_BYTES  (1u << 20)
#define BEHIND_ITEMS 32768
/* Reads of a file; a part takes about twenty, so one in twenty. */
#define PART_WORTH   400

static void batch_close(struct run *r)
{
	if (!r->batch)
		return;
	lane_put(r->reads, &r->batch->job);
	r->batch = NULL;
}

/* A large batch's memory is not kept: most are of BATCH_BYTES. */
static void batch_give(struct run *r, struct batch *b)
{
	if (b->data.cap > 2 * BATCH_BYTES) {
		batch_free(b);
		return;
	}
	batch_clear(b);
	b->next_spare = r->spare;
	r->spare = b;
}

static struct batch *batch_take(struct run *r)
{
	struct batch *b = r->spare;

	if (!b)
		return batch_new(&r->reader);
	r->spare = b->next_spare;
	return b;
}

void pass_item(struct run *r, struct item *it)
{
	if (!r->unpassed)
		r->unpassed = it;
	if (it->state == ITEM_LARGE) {
		batch_close(r);
	} else if (it->state == ITEM_READING) {
		if (!r->batch)
			r->batch = batch_take(r);
		batch_add(r->batch, it);
		if (r->batch->job.weight >= BATCH_BYTES)
			batch_close(r);
	}
}

bool pass_read_ahead(const struct run *r)
{
	return lane_weight(r->reads) >= (pool_threads(r->cpu) + 2) * (size_t)BATCH_BYTES;
}

/* --- chunks */

/* Dedup: this run's own chunks, then the index; what neither knows is new. */
bool pass_known(struct run *r, struct piece *p, bool *known, struct err *e)
{
	uint64_t *ticket;

	*known = true;
	if (p->x.hole)
		return true;
	ticket = map_get(&r->own, &p->x.id);
	if (ticket) {
		p->ticket = *ticket;
		return true;
	}
	return index_find(r->index, &p->x.id, &p->x.hint, known, e);
}

bool pass_new(
    struct run *r, struct item *it, struct piece *p, struct span plain, struct err *e)
{
	if (!packer_add(r->data, &p->x.id, plain, &p->ticket, e))
		return false;
	map_put(&r->own, &p->x.id, p->ticket);
	it->bytes_new += p->x.length;
	return true;
}

static bool pass_pieces(
    struct run *r, struct item *it, size_t from, const struct buf *data, struct err *e)
{
	struct piece *p;
	bool known;
	size_t i;

	for (i = from; i < it->n_pieces; i++) {
		p = &it->pieces[i];
		if (!pass_known(r, p, &known, e))
			return false;
		if (!known &&
		    !pass_new(r, it, p, span_of(data->p + p->at, (size_t)p->x.length), e))
			return false;
	}
	return true;
}

/* What becomes of it is decided, and counted, when its turn comes. */
static void report(struct run *r, struct item *it)
{
	if (it->outcome == ITEM_VANISHED)
		monitor_problem(r->m, PROBLEM_VANISHED, it->entry.apath, it->why);
	else if (it->outcome == ITEM_UNREADABLE)
		monitor_problem(r->m, PROBLEM_UNREADABLE, it->entry.apath, it->why);
	else if (it->changed)
		monitor_problem(r->m, PROBLEM_CHANGED, it->entry.apath, NULL);
}

static void item_done(struct item *it)
{
	dir_unref(it->dir);
	it->dir = NULL;
}

/* --- passing */

/*
 * While a part is put, all else waits: data, hunks, delta and part, one after the other.
 * Where each takes half a second, bytes alone would have that happen too often.
 */
static bool too_soon(const struct run *r)
{
	int64_t latency = r->repo->latency;

	return r->o->spaced && latency != INT64_MAX &&
	    r->repo->env->ticks(r->repo->env) - r->last_part < PART_WORTH * latency;
}

static bool part_due(const struct run *r)
{
	const struct backup_options *o = r->o;

	if (o->checkpoint && r->read_since_part >= o->checkpoint && !too_soon(r))
		return true;
	return o->checkpoint_ns && r->read_since_part > 0 &&
	    r->repo->env->ticks(r->repo->env) - r->last_part >= o->checkpoint_ns;
}

/*
 * What comes behind a chunk cannot leave the queue before its frame is closed, nor its
 * hunk be written before its bundle is: where little is new, neither fills up by itself.
 */
static bool close_behind(struct run *r, const struct item *it, struct err *e)
{
	size_t i;

	if (!it)
		return true;
	for (i = 0; i < it->n_pieces; i++)
		if (it->pieces[i].ticket != NO_TICKET) {
			r->behind |= BEHIND_CHUNK;
			if (it->n_pieces > ENTRY_EXTENTS)
				r->behind |= BEHIND_LIST;
			break;
		}
	if (!r->behind)
		return true;
	r->behind_items++;
	r->behind_bytes += item_weight(it);
	if (r->behind_bytes < BEHIND_BYTES && r->behind_items < BEHIND_ITEMS)
		return true;
	r->behind_items = 0;
	if (r->behind_bytes < BEHIND_BYTES && !(r->behind & BEHIND_LIST))
		return packer_cut(r->data, e);
	r->behind_bytes = 0;
	r->behind = 0;
	return packer_close(r->data, e);
}

static bool pass(struct run *r, struct item *it, struct err *e)
{
	if (!stale_pass(r, it, e))
		return false;
	if (it->link_first)
		r->groups[it->link - 1].gone = it->outcome != ITEM_FINE;
	report(r, it);
	it->state = ITEM_READY;
	r->unpassed = it->next;
	r->due = part_due(r);
	return close_behind(r, item_used(it), e);
}

/* The batch with the first unpassed item in it, whose content is at hand then. */
static bool batch_fetch(struct run *r, bool wait)
{
	struct job *j;
	size_t i;

	if (wait && lane_jobs(r->reads) == 0)
		batch_close(r);
	j = wait ? lane_take(r->reads) : lane_poll(r->reads);
	if (!j)
		return false;
	assert(!r->taken);
	r->taken = (struct batch *)j;
	r->taken_left = r->taken->n;
	for (i = 0; i < r->taken->n; i++)
		r->taken->items[i]->state = ITEM_READ;
	return true;
}

static bool pass_read(struct run *r, struct item *it, struct err *e)
{
	bool ok = true;

	if (it->outcome == ITEM_FINE)
		ok = pass_pieces(r, it, 0, &r->taken->data, e);
	item_done(it);
	r->read_since_part += it->bytes_read;
	if (--r->taken_left == 0) {
		batch_give(r, r->taken);
		r->taken = NULL;
	}
	return ok && pass(r, it, e);
}

/* A file that takes long does not keep a checkpoint waiting, nor a signal. */
static bool stream_item(struct run *r, struct item *it, struct err *e)
{
	struct streaming *s = streaming_new(&r->reader, it);
	uint64_t before;
	bool ok = true;
	size_t from;

	while (ok && !s->done) {
		from = it->n_pieces;
		before = it->bytes_read;
		lane_put(r->streams, &s->job);
		lane_take(r->streams);
		if (it->outcome == ITEM_FINE)
			ok = pass_pieces(r, it, from, &s->data, e) && packer_poll(r->data, e);
		r->read_since_part += it->bytes_read - before;
		if (ok && !s->done && part_due(r))
			ok = band_checkpoint(r, e);
		if (ok && !s->done && r->o->stop && *r->o->stop)
			ok = err_set(e, ERR_STOPPED, "stopped");
		store_show(r, it->bytes_read);
	}
	streaming_free(s);
	if (!ok)
		return false;
	item_done(it);
	return pass(r, it, e);
}

/* Open the directory again that an item is in. */
static void find_dir(struct item *it)
{
	struct span apath = it->entry.apath;
	char *path = mem_printf("%.*s", (int)(apath.n - strlen(it->name)), (char *)apath.p);
	int fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);

	if (fd >= 0)
		it->dir = dir_new(fd);
	else
		item_fail(it, errno);
	free(path);
}

/*
 * A further name of a file whose first one could not be read, or went away: a new name
 * was made, and the old one removed. It is read itself, as the first of those behind it.
 */
static bool pass_orphan(struct run *r, struct item *it, struct err *e)
{
	struct link_group *g = &r->groups[it->link - 1];
	struct batch *taken = r->taken;
	size_t left = r->taken_left;
	bool ok;

	it->link_first = true;
	it->entry.hardlink = it->entry.apath;
	buf_clear(&g->apath);
	buf_add_span(&g->apath, it->entry.apath);
	find_dir(it);
	if (it->outcome == ITEM_FINE && it->entry.size > READ_WHOLE)
		return stream_item(r, it, e);
	if (it->outcome == ITEM_FINE) {
		r->taken = batch_take(r);
		r->taken_left = 1;
		batch_add(r->taken, it);
		r->taken->job.run(&r->taken->job);
		ok = pass_read(r, it, e);
		r->taken = taken;
		r->taken_left = left;
		return ok;
	}
	return pass(r, it, e);
}

static bool is_orphan(const struct run *r, const struct item *it)
{
	return it->link && !it->link_first && r->groups[it->link - 1].gone;
}

/*
 * Pass what can be passed, up to one batch or large file to be read, or to where a
 * checkpoint is due. `wait`: for the batch.
 */
bool pass_some(struct run *r, bool wait, bool *progress, struct err *e)
{
	bool ok = true, read = false;
	struct item *it;

	*progress = false;
	while (ok && !r->due && (it = r->unpassed)) {
		if (it->state == ITEM_READY) {
			ok = is_orphan(r, it) ? pass_orphan(r, it, e) : pass(r, it, e);
		} else if (it->state == ITEM_READ) {
			ok = pass_read(r, it, e);
		} else if (read) {
			break;
		} else if (it->state == ITEM_LARGE) {
			ok = stream_item(r, it, e);
			read = true;
		} else {
			if (!batch_fetch(r, wait && !*progress))
				break;
			read = true;
		}
		*progress = true;
	}
	return ok;
}

void pass_abandon(struct run *r)
{
	struct batch *b;
	struct job *j;

	while ((j = lane_take(r->reads)))
		batch_free((struct batch *)j);
	batch_free(r->batch);
	batch_free(r->taken);
	r->batch = r->taken = NULL;
	while ((b = r->spare)) {
		r->spare = b->next_spare;
		batch_free(b);
	}
}
