/*
 * Reading. A file is stored as it was when it was opened; whether it changed meanwhile is
 * looked at when it has been read. A time within two seconds of the reading could hide a
 * later write in the same tick of the file system's clock, so such an entry is given no
 * ctime, and the next backup reads the file again. So is one whose ctime lies ahead: the
 * clocks differ. An mtime far ahead was set by somebody and tells nothing.
 */
#include "engine/reader.h"

#include <stdlib.h>

#include "base/mem.h"
#include "bundle/read.h"

#define TICK_NS 2000000000ll

struct batch *batch_new(const struct reader *r)
{
	struct batch *b = mem_zalloc(sizeof *b);

	b->reader = r;
	return b;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	buf_release(&b->data);
	free(b->items);
	free(b);
}

void batch_clear(struct batch *b)
{
	b->n = 0;
	b->job.weight = 0;
	buf_clear(&b->data);
}

static void give_up(struct item *it, const struct err *why)
{
	it->outcome = why->kind == ERR_MISSING ? ITEM_VANISHED : ITEM_UNREADABLE;
	if (!it->why)
		it->why = mem_alloc(sizeof *it->why);
	*it->why = *why;
}

/* What the file was when it was opened is what gets stored. */
static void take_facts(struct item *it, const struct facts *f)
{
	int64_t from = (it->seen - TICK_NS) / 1000000000,
	        to = (it->seen + TICK_NS) / 1000000000;

	it->facts = *f;
	facts_to_entry(f, &it->entry);
	if (f->ctime_s >= from || (f->mtime_s >= from && f->mtime_s <= to))
		it->entry.ctime_s = it->entry.ctime_ns = 0;
}

/* Cut the bytes data[at..at+n) into pieces; returns how many bytes were cut off. */
static size_t cut_pieces(const struct reader *r, const struct cut_state *cut,
    struct item *it, const struct buf *data, size_t at, size_t n, bool last)
{
	struct extent x = {0};
	size_t done = 0, len;

	while (done < n) {
		len = cut_next(cut, data->p + at + done, n - done, last);
		if (len == 0)
			break;
		x.length = len;
		chunk_id(r->repo, FILE_DATA, span_of(data->p + at + done, len), &x.id);
		item_add_piece(it, &x, NO_TICKET, at + done);
		done += len;
	}
	return done;
}

/* The file is shorter than it was: what was read is all there is. */
static void shorten(struct item *it, uint64_t size)
{
	it->entry.size = size;
	it->entry.ctime_s = it->entry.ctime_ns = 0;
	it->changed = true;
}

static void set_content(struct item *it)
{
	if (it->entry.size == 0)
		it->entry.content = CONTENT_NONE;
	else if (it->inline_data.n > 0)
		it->entry.content = CONTENT_INLINE;
	else
		it->entry.content = CONTENT_EXTENTS;
	it->entry.inline_data = buf_span(&it->inline_data);
}

static bool read_inline(struct item *it, struct source *s, struct err *e)
{
	size_t n = (size_t)it->entry.size, got;

	buf_clear(&it->inline_data);
	if (!source_read(s, buf_extend(&it->inline_data, n), n, 0, &got, e))
		return false;
	it->inline_data.n = got;
	it->bytes_read = got;
	if (got < n)
		shorten(it, got);
	return true;
}

static bool read_segments(const struct reader *r, struct item *it, struct source *s,
    struct buf *data, struct err *e)
{
	struct cut_state cut;
	struct segment seg;
	enum step step;
	size_t at, got;

	cut_begin(&cut, &r->cut, it->entry.size);
	while ((step = source_next(s, &seg, e)) == STEP_ITEM) {
		if (seg.hole) {
			item_add_piece(it, &(struct extent){.length = seg.length, .hole = true},
			    NO_TICKET, 0);
			continue;
		}
		at = data->n;
		if (!source_read(s, buf_extend(data, (size_t)seg.length), (size_t)seg.length,
		        seg.at, &got, e))
			return false;
		data->n = at + got;
		it->bytes_read += got;
		cut_pieces(r, &cut, it, data, at, got, true);
		if (got < seg.length) {
			shorten(it, seg.at + got);
			return true;
		}
	}
	return step == STEP_END;
}

static void judge(struct item *it, struct source *s, bool ok, const struct err *why)
{
	bool changed = false;
	struct err e = *why;

	if (ok)
		ok = source_changed(s, &changed, &e);
	if (!ok) {
		give_up(it, &e);
		return;
	}
	if (changed) {
		it->changed = true;
		it->entry.ctime_s = it->entry.ctime_ns = 0;
	}
	set_content(it);
}

/* A file's open descriptor gives the attributes too; everything else is asked by name. */
static bool open_file(struct item *it, struct source *s, struct err *e)
{
	if (!source_open(it->dir, it->name, &it->facts, s, e))
		return false;
	take_facts(it, &s->facts);
	buf_clear(&it->xattrs);
	if (!source_xattrs(s, &it->xattrs, e))
		return false;
	it->entry.xattrs = buf_span(&it->xattrs);
	return true;
}

static void read_file(const struct reader *r, struct item *it, struct buf *data)
{
	struct source s = SOURCE_CLOSED;
	struct err e = ERR_EMPTY;
	bool ok = open_file(it, &s, &e);

	if (ok && it->entry.size > READ_WHOLE) {
		/* Grew far beyond what was seen: the rest comes next time. */
		shorten(it, READ_WHOLE);
		s.facts.size = READ_WHOLE;
	}
	if (ok && it->entry.size > 0)
		ok = it->entry.size <= ENTRY_INLINE ? read_inline(it, &s, &e)
		                                    : read_segments(r, it, &s, data, &e);
	judge(it, &s, ok, &e);
	source_close(&s);
}

static void read_other(struct item *it)
{
	struct err e = ERR_EMPTY;
	bool ok = true;

	take_facts(it, &it->facts);
	if (it->entry.kind == ENTRY_SYMLINK) {
		ok = source_readlink(it->dir, it->name, &it->target, &e);
		it->entry.target = buf_span(&it->target);
	}
	buf_clear(&it->xattrs);
	if (ok && source_xattrs_at(it->dir, it->name, it->follow, &it->xattrs, &e))
		it->entry.xattrs = buf_span(&it->xattrs);
	else
		give_up(it, &e);
}

static void batch_run(struct job *j)
{
	struct batch *b = (struct batch *)j;
	size_t i;

	for (i = 0; i < b->n; i++) {
		if (b->items[i]->entry.kind == ENTRY_FILE)
			read_file(b->reader, b->items[i], &b->data);
		else
			read_other(b->items[i]);
	}
}

void batch_add(struct batch *b, struct item *it)
{
	b->job.run = batch_run;
	b->job.weight += it->entry.size + ITEM_WEIGHT;
	b->items = mem_grow(b->items, &b->cap, b->n + 1, sizeof(struct item *));
	b->items[b->n++] = it;
}

/* --- large files */

/* Reads on from where the last cut was: what was read behind it is read again. */
static bool stream_some(struct streaming *s, struct err *e)
{
	struct segment *seg = &s->segment;
	size_t want, got, cut;
	bool last;

	want = READ_WHOLE + s->cut.max;
	last = seg->length <= want;
	if (last)
		want = (size_t)seg->length;
	buf_clear(&s->data);
	if (!source_read(&s->source, buf_extend(&s->data, want), want, seg->at, &got, e))
		return false;
	s->data.n = got;
	if (got < want)
		last = true;
	cut = cut_pieces(s->reader, &s->cut, s->item, &s->data, 0, got, last);
	s->item->bytes_read += cut;
	seg->at += cut;
	seg->length -= cut;
	if (got < want) {
		shorten(s->item, seg->at);
		s->done = true;
	}
	return true;
}

static bool stream_step(struct streaming *s, struct err *e)
{
	struct segment *seg = &s->segment;
	enum step step;

	if (!s->opened) {
		if (!open_file(s->item, &s->source, e))
			return false;
		s->opened = true;
		cut_begin(&s->cut, &s->reader->cut, s->item->entry.size);
	}
	while (seg->length == 0) {
		step = source_next(&s->source, seg, e);
		if (step == STEP_FAILED)
			return false;
		if (step == STEP_END) {
			s->done = true;
			return true;
		}
		if (seg->hole) {
			item_add_piece(s->item,
			    &(struct extent){.length = seg->length, .hole = true}, NO_TICKET, 0);
			seg->length = 0;
		}
	}
	return stream_some(s, e);
}

static void stream_run(struct job *j)
{
	struct streaming *s = (struct streaming *)j;
	struct err e = ERR_EMPTY;
	bool ok = stream_step(s, &e);

	if (!ok)
		s->done = true;
	if (s->done)
		judge(s->item, &s->source, ok, &e);
}

struct streaming *streaming_new(const struct reader *r, struct item *it)
{
	struct streaming *s = mem_zalloc(sizeof *s);

	s->job.run = stream_run;
	s->reader = r;
	s->item = it;
	s->source = (struct source)SOURCE_CLOSED;
	return s;
}

void streaming_free(struct streaming *s)
{
	if (!s)
		return;
	source_close(&s->source);
	buf_release(&s->data);
	free(s);
}
