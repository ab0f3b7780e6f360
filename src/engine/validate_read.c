/*
 * Reading hunks and lists. Each stands in a frame by itself, of some ten kilobytes, and a
 * validation wants nearly all of them, in the order in which they were written: so frames
 * behind the one that is wanted are read along with it.
 */
#include "engine/validate_internal.h"

#include <stdlib.h>

#include "base/mem.h"

#define AHEAD (1u << 20)
#define BUNDLES_OPEN 8

void valid_reading_begin(struct valid *v)
{
	v->reader = chunk_reader_new(v->repo, BUNDLES_OPEN, 1);
}

void valid_reading_end(struct valid *v)
{
	chunk_reader_free(v->reader);
	v->reader = NULL;
	buf_release(&v->ahead.stored);
	buf_release(&v->ahead.plain);
}

static bool is_ahead(
    const struct vahead *a, const struct bundle *b, const struct frame_rec *rec)
{
	return id_equal(&a->bundle, &b->name) && rec->at >= a->at &&
	       rec->at + rec->stored <= a->at + a->stored.n;
}

/* The frame, and those behind it as far as they fit. */
static bool read_ahead(
    struct valid *v, const struct bundle *b, uint32_t frame, struct err *e)
{
	const struct frame_rec *rec = &b->dir.frames[frame];
	char text[2 * ID_SIZE + 1], folder[16];
	struct vahead *a = &v->ahead;
	uint64_t end = rec->at + rec->stored;

	a->bundle = b->name;
	a->at = rec->at;
	buf_clear(&a->stored);
	while (++frame < b->dir.n_frames &&
	       end + b->dir.frames[frame].stored <= a->at + AHEAD)
		end += b->dir.frames[frame].stored;
	name_of_id(&b->name, text);
	if (a->at < b->tail_at &&
	    repo_get(v->repo, folder_of(b->type, &b->name, folder), text, a->at,
		(size_t)(end - a->at), &a->stored, NULL, e) &&
	    a->stored.n >= rec->stored)
		return true;
	/* At hand already; or something in the piece cannot be read, though this may. */
	buf_clear(&a->stored);
	err_clear(e);
	return frame_get(v->repo, b, (uint32_t)(rec - b->dir.frames), &a->stored, e);
}

static bool read_frame(
    struct valid *v, const struct bundle *b, uint32_t frame, struct err *e)
{
	const struct frame_rec *rec = &b->dir.frames[frame];
	struct vahead *a = &v->ahead;

	if (a->opened && id_equal(&a->bundle, &b->name) && a->frame == frame)
		return true;
	a->opened = false;
	if (!is_ahead(a, b, rec) && !read_ahead(v, b, frame, e))
		return false;
	a->opened = frame_open(v->repo, rec,
	    span_of(a->stored.p + (rec->at - a->at), rec->stored), &a->plain, e);
	a->frame = frame;
	return a->opened;
}

static bool read_slot(struct valid *v, const struct vplace *p, const struct id *id,
    struct span *out, struct err *e)
{
	struct span plain = SPAN_EMPTY;
	struct bundle *b;

	if (!chunk_reader_bundle(
		v->reader, FILE_HUNKS, &v->bundles[p->bundle].name, &b, e))
		return false;
	if (p->slot < b->dir.n_chunks && id_equal(&b->dir.ids[p->slot], id)) {
		if (!read_frame(v, b, directory_frame_of(&b->dir, p->slot), e))
			return false;
		plain = buf_span(&v->ahead.plain);
	}
	return chunk_in_frame(v->repo, b, p->slot, plain, id, out, e);
}

/* Found only now, as at QUICK nothing has looked into the bundle before. */
static void found_bad(struct valid *v, const struct vplace *p, const struct err *why)
{
	struct vbundle *b = &v->bundles[p->bundle];
	struct err open_why = ERR_EMPTY;
	struct bundle *open;

	if (why->kind == ERR_MISSING)
		b->listed = false;
	else if (chunk_reader_bundle(v->reader, FILE_HUNKS, &b->name, &open, &open_why))
		valid_chunk_bad(v, p->bundle, p->slot);
	else
		b->all_bad = true;
	if (!b->kind && why->kind != ERR_MISSING) {
		b->kind = valid_kind(why, b->all_bad ? "directory" : "frame");
		b->text = mem_strdup(why->text);
	}
}

/* STEP_END: it is not there. */
static enum step read_place(struct valid *v, const struct vplace *p, const struct id *id,
    struct buf *plain, struct err *e)
{
	struct err why = ERR_EMPTY;
	struct span bytes;

	if (!valid_place_good(v, p->bundle, p->slot, id))
		return STEP_END;
	if (read_slot(v, p, id, &bytes, &why)) {
		buf_clear(plain);
		buf_add_span(plain, bytes);
		return STEP_ITEM;
	}
	if (valid_fatal(&why)) {
		*e = why;
		return STEP_FAILED;
	}
	found_bad(v, p, &why);
	return STEP_END;
}

enum step valid_read_index(struct valid *v, const struct id *id, struct vplace *place,
    struct buf *plain, struct err *e)
{
	enum step st = read_place(v, place, id, plain, e);
	struct vplace p;
	size_t at = 0;

	while (st == STEP_END && valid_places(v, FILE_HUNKS, id, &at, &p)) {
		st = read_place(v, &p, id, plain, e);
		if (st == STEP_ITEM)
			*place = p;
	}
	return st;
}
