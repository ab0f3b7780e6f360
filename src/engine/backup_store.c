/*
 * The queue of items, in apath order. It is gone through twice. An item is *passed* when its
 * content is at hand: each chunk is looked up (this run, then the index) and packed where it
 * is new. It is *emitted* into a hunk as soon as all its chunks have a place in a bundle.
 *
 * What ends up where on the storage must not depend on how fast threads are. So whatever
 * closes a frame or a bundle, or begins a checkpoint, is decided when an item is passed, by
 * what was passed before it, and never by what happens to be waiting for a thread.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_run.h"

#define BATCH_BYTES   (1u << 20)
#define QUEUE_ITEMS   65536      /* more than BEHIND_ITEMS, which bounds those passed */
#define BEHIND_ITEMS  32768
#define BEHIND_BYTES  (16u << 20) /* about, of entries that wait for a bundle's name */
#define WAITING_BYTES (64u << 20) /* of hunks that wait for the storage */

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

void store_item(struct run *r, struct item *it)
{
	*r->tail = it;
	r->tail = &it->next;
	r->queued++;
	it->told = r->told;
	r->told = (struct told){0};
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

/* A batch for each worker at work, and two waiting. */
static bool read_ahead(const struct run *r)
{
	return lane_weight(r->reads) >= (pool_threads(r->cpu) + 2) * (size_t)BATCH_BYTES;
}

bool store_full(const struct run *r)
{
	return read_ahead(r) || r->queued >= QUEUE_ITEMS;
}

/* --- chunks */

/* Dedup: this run's own chunks, then the index; what neither knows is new. */
static bool store_piece(struct run *r, struct item *it, struct piece *p,
    const struct buf *data, struct err *e)
{
	uint64_t *ticket;
	bool found;

	if (p->x.hole)
		return true;
	ticket = map_get(&r->own, &p->x.id);
	if (ticket) {
		p->ticket = *ticket;
		return true;
	}
	if (!index_find(r->index, &p->x.id, &p->x.hint, &found, e))
		return false;
	if (found)
		return true;
	if (!packer_add(r->data, &p->x.id, span_of(data->p + p->at, (size_t)p->x.length),
	        &p->ticket, e))
		return false;
	map_put(&r->own, &p->x.id, p->ticket);
	it->bytes_new += p->x.length;
	return true;
}

static bool store_pieces(
    struct run *r, struct item *it, size_t from, const struct buf *data, struct err *e)
{
	size_t i;

	for (i = from; i < it->n_pieces; i++)
		if (!store_piece(r, it, &it->pieces[i], data, e))
			return false;
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

static void item_done(struct run *r, struct item *it)
{
	dir_unref(it->dir);
	it->dir = NULL;
	report(r, it);
}

static void show(struct run *r, uint64_t more)
{
	const struct band_totals *t = &r->totals;
	struct progress p = {.phase = "backup"};

	if (r->basis) {
		p.files_total = basis_totals(r->basis)->files;
		p.bytes_total = basis_totals(r->basis)->bytes;
	}
	p.files = t->files;
	p.bytes = t->bytes + more;
	p.bytes_stored = run_stored(r);
	monitor_progress(r->m, &p);
}

/* --- passing */

static bool part_due(const struct run *r)
{
	const struct backup_options *o = r->o;

	if (o->checkpoint && r->read_since_part >= o->checkpoint)
		return true;
	return o->checkpoint_ns && r->read_since_part > 0 &&
	    r->repo->env->ticks(r->repo->env) - r->last_part >= o->checkpoint_ns;
}

/* About what it takes in a hunk. */
static size_t entry_weight(const struct item *it)
{
	return 48 + it->entry.apath.n + 40 * it->n_pieces + it->xattrs.n + it->target.n +
	    it->inline_data.n;
}

/*
 * What comes behind a chunk cannot leave the queue before its frame is closed, nor its hunk
 * be written before its bundle is: where little is new, neither fills up by itself.
 */
static bool close_behind(struct run *r, const struct item *it, struct err *e)
{
	size_t i;

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
	r->behind_bytes += entry_weight(it);
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
	it->state = ITEM_READY;
	r->unpassed = it->next;
	r->due = part_due(r);
	return close_behind(r, it, e);
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
		ok = store_pieces(r, it, 0, &r->taken->data, e);
	item_done(r, it);
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
			ok = store_pieces(r, it, from, &s->data, e) && packer_poll(r->data, e);
		r->read_since_part += it->bytes_read - before;
		if (ok && !s->done && part_due(r))
			ok = band_checkpoint(r, e);
		if (ok && !s->done && r->o->stop && *r->o->stop)
			ok = err_set(e, ERR_STOPPED, "stopped");
		show(r, it->bytes_read);
	}
	streaming_free(s);
	if (!ok)
		return false;
	item_done(r, it);
	return pass(r, it, e);
}

/*
 * Pass what can be passed, up to one batch or large file to be read, or to where a checkpoint
 * is due. `wait`: for the batch.
 */
static bool pass_some(struct run *r, bool wait, bool *progress, struct err *e)
{
	bool ok = true, read = false;
	struct item *it;

	*progress = false;
	while (ok && !r->due && (it = r->unpassed)) {
		if (it->state == ITEM_READY) {
			ok = pass(r, it, e);
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

/* --- entries */

static void count(struct run *r, struct item *it)
{
	struct band_totals *t = &r->totals;

	if (it->fallback && item_same(it, it->fallback))
		it->is_changed = false;

	t->files += it->entry.kind == ENTRY_FILE;
	t->dirs += it->entry.kind == ENTRY_DIR;
	t->others += it->entry.kind != ENTRY_FILE && it->entry.kind != ENTRY_DIR;
	t->bytes += it->entry.size;
	t->bytes_read += it->bytes_read;
	t->bytes_new += it->bytes_new;
	t->files_new += it->is_new;
	t->files_changed += it->is_changed;
}

/* Whether every piece has a place, and for a list also a name. */
static bool placed(struct run *r, struct item *it)
{
	size_t i;

	for (i = 0; i < it->n_pieces; i++) {
		struct piece *p = &it->pieces[i];

		if (p->ticket != NO_TICKET) {
			if (!packer_place(r->data, p->ticket, &p->x.hint))
				return false;
			p->ticket = NO_TICKET;
		}
	}
	if (!it->list && it->n_pieces > ENTRY_EXTENTS)
		for (i = 0; i < it->n_pieces; i++)
			if (!it->pieces[i].x.hole &&
			    !inventory_get(r->inventory, it->pieces[i].x.hint.bundle)->named)
				return false;
	return true;
}

static bool make_list(struct run *r, struct item *it, struct err *e)
{
	struct extent *refs;
	size_t n, i;
	uint32_t level;
	bool ok;

	for (i = 0; i < it->n_pieces; i++)
		r->extents[i] = it->pieces[i].x;
	ok = band_writer_extents(r->writer, r->extents, it->n_pieces, &refs, &n, &level, e);
	if (ok) {
		it->n_pieces = 0;
		for (i = 0; i < n; i++)
			item_add_piece(it, &refs[i], NO_TICKET, 0);
		it->list = true;
		it->entry.content = CONTENT_LIST;
		it->entry.list_level = level;
		r->lists_open = true;
	}
	free(refs);
	return ok;
}

/* The same for a bundle of lists, in the order in which entries are emitted. */
static bool close_lists(struct run *r, const struct item *it, struct err *e)
{
	if (!r->lists_open)
		return true;
	r->lists_behind += entry_weight(it);
	if (r->lists_behind < BEHIND_BYTES)
		return true;
	r->lists_open = false;
	r->lists_behind = 0;
	return packer_close(r->lists, e);
}

static bool write_entry(struct run *r, struct item *it, struct err *e)
{
	size_t i;

	r->extents = mem_grow(r->extents, &r->extents_cap, it->n_pieces, sizeof *r->extents);
	if (!it->list && it->n_pieces > ENTRY_EXTENTS && !make_list(r, it, e))
		return false;
	for (i = 0; i < it->n_pieces; i++)
		r->extents[i] = it->pieces[i].x;
	it->entry.extents = r->extents;
	it->entry.n_extents = (uint32_t)it->n_pieces;
	count(r, it);
	return band_writer_add(r->writer, &it->entry, e) && close_lists(r, it, e);
}

static void group_drop(struct link_group *g)
{
	if (g->left > 0 || g->waiting > 0)
		return;
	item_free(g->content);
	g->content = NULL;
	buf_release(&g->apath);
}

/* A further link has its content from the first; where that failed, it fails too. */
static void take_link(struct run *r, struct item *it)
{
	struct link_group *g = &r->groups[it->link - 1];

	if (g->content) {
		item_share(it, g->content);
		it->is_changed = it->is_changed && g->content->is_changed;
	} else {
		it->outcome = ITEM_UNREADABLE;
		it->why = mem_zalloc(sizeof *it->why);
		err_set(it->why, ERR_IO, "the file it is a link to could not be read");
		report(r, it);
	}
}

void store_told(struct run *r, struct told *t)
{
	r->totals.files_removed += t->removed;
	r->totals.unreadable += t->unreadable;
	r->totals.vanished += t->vanished;
	*t = (struct told){0};
}

static void count_outcome(struct run *r, const struct item *it)
{
	r->totals.vanished += it->outcome == ITEM_VANISHED;
	r->totals.unreadable += it->outcome == ITEM_UNREADABLE;
	r->totals.changed_while_read += it->outcome == ITEM_FINE && it->changed;
}

/* The item at the head leaves the queue, into a hunk or out of the snapshot. */
static bool emit(struct run *r, struct item *it, struct err *e)
{
	struct item *use = it;
	bool ok = true;

	if (it->link && !it->link_first)
		take_link(r, it);
	store_told(r, &it->told);
	count_outcome(r, it);
	if (it->outcome == ITEM_UNREADABLE)
		use = it->fallback;
	else if (it->outcome == ITEM_VANISHED)
		use = NULL;
	if (use)
		ok = write_entry(r, use, e);
	r->head = it->next;
	if (!r->head)
		r->tail = &r->head;
	r->queued--;
	if (it->link) {
		struct link_group *g = &r->groups[it->link - 1];

		g->waiting--;
		if (it->link_first && it->outcome == ITEM_FINE) {
			g->content = it;
			it = NULL;
		}
		group_drop(g);
	}
	item_free(it);
	return ok;
}

static bool emit_some(struct run *r, bool *progress, struct err *e)
{
	*progress = false;
	while (r->head && r->head != r->unpassed && placed(r, r->head)) {
		if (!emit(r, r->head, e))
			return false;
		*progress = true;
	}
	if (*progress)
		show(r, 0);
	return true;
}

static bool poll_packers(struct run *r, struct err *e)
{
	return packer_poll(r->data, e) && packer_poll(r->hunks, e) &&
	    packer_poll(r->lists, e) && band_writer_poll(r->writer, e);
}

/* All is passed: the first item waits for its frame, or a long list for names. */
static bool await_place(struct run *r, struct err *e)
{
	bool waited;

	if (!packer_wait(r->data, &waited, e))
		return false;
	return waited || packer_flush(r->data, e);
}

/* So many hunks wait for bundles that are on their way: no more before some have arrived. */
static bool await_names(struct run *r, struct err *e)
{
	bool waited = true;

	while (waited && band_writer_waiting(r->writer) > WAITING_BYTES)
		if (!packer_wait(r->data, &waited, e) ||
		    (!waited && !packer_wait(r->lists, &waited, e)) ||
		    !band_writer_poll(r->writer, e))
			return false;
	return true;
}

bool store_pump(struct run *r, bool wait, struct err *e)
{
	bool passed, written;

	if (!poll_packers(r, e) || !pass_some(r, false, &passed, e) ||
	    !emit_some(r, &written, e))
		return false;
	if (wait && !passed && !written && r->head) {
		if (r->unpassed ? !pass_some(r, true, &passed, e) : !await_place(r, e))
			return false;
		if (!emit_some(r, &written, e))
			return false;
	}
	if (r->due && !band_checkpoint(r, e))
		return false;
	return await_names(r, e);
}

bool store_settle(struct run *r, struct err *e)
{
	bool written;

	r->due = r->lists_open = false;
	r->behind = 0;
	r->behind_items = r->behind_bytes = r->lists_behind = 0;
	if (!packer_flush(r->data, e) || !emit_some(r, &written, e))
		return false;
	assert(r->head == r->unpassed);
	return true;
}

bool store_drain(struct run *r, struct err *e)
{
	while (r->head)
		if (!store_pump(r, true, e))
			return false;
	return true;
}

void store_abandon(struct run *r)
{
	struct batch *b;
	struct item *it;
	struct job *j;
	size_t i;

	while ((j = lane_take(r->reads)))
		batch_free((struct batch *)j);
	batch_free(r->batch);
	batch_free(r->taken);
	r->batch = r->taken = NULL;
	while ((b = r->spare)) {
		r->spare = b->next_spare;
		batch_free(b);
	}
	while ((it = r->head)) {
		r->head = it->next;
		item_free(it);
	}
	r->tail = &r->head;
	r->unpassed = NULL;
	for (i = 0; i < r->n_groups; i++) {
		item_free(r->groups[i].content);
		buf_release(&r->groups[i].apath);
	}
	r->n_groups = 0;
}
