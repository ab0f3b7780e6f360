/*
 * What was read goes on in apath order: each chunk is looked up (this run, then the index),
 * packed where it is new, and the entry goes into a hunk as soon as all its chunks have a
 * place in a bundle.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_run.h"

#define BATCH_BYTES   (1u << 20)
#define QUEUE_ITEMS   32768
#define WAITING_BYTES (8u << 20) /* of hunks that wait for the names of bundles */

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
	if (it->state != ITEM_READY && !r->unread)
		r->unread = it;
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

/* Named and counted here; what becomes of it is decided when its turn comes. */
static void report(struct run *r, struct item *it)
{
	if (it->outcome == ITEM_VANISHED) {
		monitor_problem(r->m, PROBLEM_VANISHED, it->entry.apath, it->why);
		r->totals.vanished++;
	} else if (it->outcome == ITEM_UNREADABLE) {
		monitor_problem(r->m, PROBLEM_UNREADABLE, it->entry.apath, it->why);
		r->totals.unreadable++;
	} else if (it->changed) {
		monitor_problem(r->m, PROBLEM_CHANGED, it->entry.apath, NULL);
		r->totals.changed_while_read++;
	}
}

static void item_done(struct run *r, struct item *it)
{
	it->state = ITEM_READY;
	dir_unref(it->dir);
	it->dir = NULL;
	report(r, it);
	r->read_since_part += it->bytes_read;
}

static bool take_batch(struct run *r, struct batch *b, struct err *e)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < b->n; i++) {
		if (ok && b->items[i]->outcome == ITEM_FINE)
			ok = store_pieces(r, b->items[i], 0, &b->data, e);
		item_done(r, b->items[i]);
	}
	batch_give(r, b);
	return ok;
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

static bool stream_item(struct run *r, struct item *it, struct err *e)
{
	struct streaming *s = streaming_new(&r->reader, it);
	bool ok = true;
	size_t from;

	while (ok && !s->done) {
		from = it->n_pieces;
		lane_put(r->streams, &s->job);
		lane_take(r->streams);
		if (it->outcome == ITEM_FINE)
			ok = store_pieces(r, it, from, &s->data, e) && packer_poll(r->data, e);
		if (ok && r->o->stop && *r->o->stop)
			ok = err_set(e, ERR_STOPPED, "stopped");
		show(r, it->bytes_read);
	}
	item_done(r, it);
	streaming_free(s);
	return ok;
}

/* The next unread item, and with a batch all others of it. */
static bool read_some(struct run *r, bool wait, bool *progress, struct err *e)
{
	struct job *j;

	*progress = false;
	if (!r->unread)
		return true;
	if (r->unread->state == ITEM_LARGE) {
		if (!stream_item(r, r->unread, e))
			return false;
	} else {
		if (wait && lane_jobs(r->reads) == 0)
			batch_close(r);
		j = wait ? lane_take(r->reads) : lane_poll(r->reads);
		if (!j)
			return true;
		if (!take_batch(r, (struct batch *)j, e))
			return false;
	}
	while (r->unread && r->unread->state == ITEM_READY)
		r->unread = r->unread->next;
	*progress = true;
	return true;
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
	}
	free(refs);
	return ok;
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
	return band_writer_add(r->writer, &it->entry, e);
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

/* The item at the head leaves the queue, into a hunk or out of the snapshot. */
static bool emit(struct run *r, struct item *it, struct err *e)
{
	struct item *use = it;
	bool ok = true;

	if (it->link && !it->link_first)
		take_link(r, it);
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
	while (r->head && r->head != r->unread && placed(r, r->head)) {
		if (!emit(r, r->head, e))
			return false;
		*progress = true;
	}
	if (*progress)
		show(r, 0);
	return true;
}

/* The bundles that hunks or a long list wait for. */
static bool name_bundles(struct run *r, struct err *e)
{
	return packer_flush(r->data, e) && packer_flush(r->lists, e) &&
	    band_writer_poll(r->writer, e);
}

/* The head is stored but not placed, or not named: wait for just that. */
static bool push_head(struct run *r, struct err *e)
{
	struct item *it = r->head;
	size_t i;

	for (i = it->n_pieces; i-- > 0;)
		if (it->pieces[i].ticket != NO_TICKET &&
		    !packer_await(r->data, it->pieces[i].ticket, e))
			return false;
	return placed(r, it) || name_bundles(r, e);
}

bool store_pump(struct run *r, bool wait, struct err *e)
{
	bool read, written;

	if (!packer_poll(r->data, e) || !read_some(r, wait && r->unread == r->head, &read, e) ||
	    !emit_some(r, &written, e))
		return false;
	if (wait && !read && !written && r->head) {
		if (r->head == r->unread || read_ahead(r)) {
			if (!read_some(r, true, &read, e))
				return false;
		} else if (!push_head(r, e)) {
			return false;
		}
		if (!emit_some(r, &written, e))
			return false;
	}
	if (band_writer_waiting(r->writer) > WAITING_BYTES)
		return name_bundles(r, e);
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
	r->batch = NULL;
	while ((b = r->spare)) {
		r->spare = b->next_spare;
		batch_free(b);
	}
	while ((it = r->head)) {
		r->head = it->next;
		item_free(it);
	}
	r->tail = &r->head;
	r->unread = NULL;
	for (i = 0; i < r->n_groups; i++) {
		item_free(r->groups[i].content);
		buf_release(&r->groups[i].apath);
	}
	r->n_groups = 0;
}
