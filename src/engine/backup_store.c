/*
 * The queue of items, in apath order. An item is passed (backup_pass.c) and then emitted:
 * it goes into a hunk as soon as all its chunks have a place in a bundle.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_run.h"

#define QUEUE_ITEMS   65536       /* more than are passed before a frame is closed */
#define WAITING_BYTES (64u << 20) /* of hunks that wait for the storage */

void store_item(struct run *r, struct item *it)
{
	*r->tail = it;
	r->tail = &it->next;
	r->queued++;
	it->told = r->told;
	r->told = (struct told){0};
	pass_item(r, it);
}

bool store_full(const struct run *r)
{
	return pass_read_ahead(r) || r->queued >= QUEUE_ITEMS;
}

void store_show(struct run *r, uint64_t more)
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

	if (!it)
		return true;

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
	r->lists_behind += item_weight(it);
	if (r->lists_behind < BEHIND_BYTES)
		return true;
	r->lists_open = false;
	r->lists_behind = 0;
	return packer_close(r->lists, e);
}

static bool on_the_way(const struct run *r, struct span apath)
{
	size_t i;

	for (i = 0; i < r->sources.n; i++)
		if (apath_within(span_str(r->sources.v[i]), apath))
			return true;
	return false;
}

/*
 * The folders above a source have hunks of their own: whoever makes a file beside the
 * source changes them, and that should cost some hundred bytes, not a hunk of thousands
 * of entries.
 */
static void set_apart(struct run *r, struct span apath)
{
	bool way = on_the_way(r, apath);

	if (way != r->way) {
		band_writer_end(r->writer);
		if (r->way) /* no content in it: a checkpoint asks for a hunk that has some */
			r->part_hunks = band_writer_hunks(r->writer);
	}
	r->way = way;
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
	set_apart(r, it->entry.apath);
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

/* A further link has its content from the first. */
static void take_link(struct run *r, struct item *it)
{
	struct link_group *g = &r->groups[it->link - 1];

	assert(g->content);
	item_share(it, g->content);
	it->entry.hardlink = buf_span(&g->apath);
	it->is_changed = it->is_changed && g->content->is_changed;
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
	struct item *use = item_used(it);
	bool ok = true;

	if (it->link && !it->link_first)
		take_link(r, it);
	store_told(r, &it->told);
	count_outcome(r, it);
	if (use) {
		stale_link(r, use);
		ok = write_entry(r, use, e);
	}
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
	while (r->head && r->head != r->unpassed && placed(r, item_used(r->head))) {
		if (!emit(r, r->head, e))
			return false;
		*progress = true;
	}
	if (*progress)
		store_show(r, 0);
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

/*
 * So many hunks wait for bundles that are on their way: no more before some have arrived.
 */
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
	if (!packer_close(r->data, e) || !emit_some(r, &written, e))
		return false;
	/* Complete lists need not wait; their bundle has the same in it either way. */
	if (r->head == r->unpassed && !packer_close(r->lists, e))
		return false;
	if (!packer_flush(r->data, e) || !emit_some(r, &written, e))
		return false;
	assert(r->head == r->unpassed);
	return true;
}

/* What is passed last goes on its way at once: items may wait for bundles before it. */
bool store_drain(struct run *r, struct err *e)
{
	while (r->head)
		if ((!r->unpassed && !packer_close(r->data, e)) || !store_pump(r, true, e))
			return false;
	return true;
}

void store_abandon(struct run *r)
{
	struct item *it;
	size_t i;

	pass_abandon(r);
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
