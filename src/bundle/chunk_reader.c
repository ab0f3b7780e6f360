/*
 * Chunks one after another, with what was opened last at hand. Few enough to look
 * through.
 *
 * Who reads frame after frame of a bundle goes on so, most likely: then those behind are
 * read along, four times as much each time, up to RUN_MAX. A single read costs no byte
 * more.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "bundle/opener.h"
#include "bundle/read.h"

struct kept_bundle {
	struct bundle *bundle; /* NULL: free */
	uint64_t used;
};

struct kept_frame {
	struct id bundle;
	uint32_t frame;
	uint64_t used; /* 0: free */
	struct buf plain;
};

#define RUN_FIRST (256u << 10)
#define RUN_MAX   (4u << 20)

/* Neighbouring frames as they are stored. */
struct run {
	struct id bundle;
	uint64_t at;
	struct buf stored;
	uint32_t last; /* frame that was asked for last */
	size_t length; /* of the next read, if it goes on from there; 0: a frame */
	uint64_t used;
};

#define RUNS 2 /* a list, and what it tells of */

struct chunk_reader {
	struct repo *r;
	struct kept_bundle *bundles;
	struct kept_frame *frames;
	unsigned n_bundles, n_frames;
	uint64_t clock; /* one more at each use */
	struct run runs[RUNS];
	struct opener *opener; /* NULL: nothing is expected */
};

struct chunk_reader *chunk_reader_new(struct repo *r, unsigned bundles, unsigned frames)
{
	struct chunk_reader *cr = mem_zalloc(sizeof *cr);

	cr->r = r;
	cr->n_bundles = bundles > 0 ? bundles : 1;
	cr->n_frames = frames > 0 ? frames : 1;
	cr->bundles = mem_array(cr->n_bundles, sizeof *cr->bundles);
	cr->frames = mem_array(cr->n_frames, sizeof *cr->frames);
	return cr;
}

void chunk_reader_free(struct chunk_reader *cr)
{
	if (!cr)
		return;
	for (unsigned i = 0; i < cr->n_bundles; i++)
		bundle_free(cr->bundles[i].bundle);
	for (unsigned i = 0; i < cr->n_frames; i++)
		buf_release(&cr->frames[i].plain);
	free(cr->bundles);
	free(cr->frames);
	for (unsigned i = 0; i < RUNS; i++)
		buf_release(&cr->runs[i].stored);
	opener_free(cr->opener);
	free(cr);
}

void chunk_reader_expect(
    struct chunk_reader *cr, enum file_type type, const struct id *bundles, size_t n)
{
	opener_free(cr->opener);
	cr->opener = NULL;
	if (n > 1 && cr->r->transfers > 0)
		cr->opener = opener_new(cr->r, type, bundles, n);
}

bool chunk_reader_bundle(struct chunk_reader *cr, enum file_type type,
    const struct id *name, struct bundle **out, struct err *e)
{
	struct kept_bundle *oldest = cr->bundles, *k;

	for (k = cr->bundles; k < cr->bundles + cr->n_bundles; k++) {
		if (k->bundle && k->bundle->type == type &&
		    id_equal(&k->bundle->name, name)) {
			k->used = ++cr->clock;
			*out = k->bundle;
			return true;
		}
		if (k->used < oldest->used)
			oldest = k;
	}
	bundle_free(oldest->bundle);
	oldest->used = 0;
	if (!(cr->opener && opener_take(cr->opener, type, name, &oldest->bundle)) &&
	    !bundle_open(cr->r, type, name, &oldest->bundle, e))
		return false;
	oldest->used = ++cr->clock;
	*out = oldest->bundle;
	return true;
}

static bool run_has(
    const struct run *r, const struct bundle *b, const struct frame_rec *rec)
{
	return id_equal(&r->bundle, &b->name) && rec->at >= r->at &&
	       rec->at + rec->stored <= r->at + r->stored.n;
}

/* The run of the bundle: note that the frame is asked for, and whether it goes on so. */
static struct run *run_step(
    struct chunk_reader *cr, const struct bundle *b, uint32_t frame)
{
	struct run *r = cr->runs;

	for (unsigned i = 1; i < RUNS; i++)
		if (id_equal(&cr->runs[i].bundle, &b->name) ||
		    (!id_equal(&r->bundle, &b->name) && cr->runs[i].used < r->used))
			r = &cr->runs[i];
	if (!id_equal(&r->bundle, &b->name)) {
		r->bundle = b->name;
		buf_clear(&r->stored);
		r->length = 0;
	} else if (frame != r->last) {
		r->length = frame != r->last + 1 ? 0
			    : r->length == 0	 ? RUN_FIRST
						 : r->length;
	}
	r->last = frame;
	r->used = ++cr->clock;
	return r;
}

/* Where more than the frame cannot be read, it is read alone. */
static bool run_read(struct repo *repo, struct run *r, const struct bundle *b,
    uint32_t frame, struct err *e)
{
	const struct frame_rec *rec = &b->dir.frames[frame];
	uint64_t end = rec->at + rec->stored;
	char text[2 * ID_SIZE + 1], folder[16];

	for (uint32_t i = frame + 1; i < b->dir.n_frames && end < b->tail_at; i++) {
		if (end + b->dir.frames[i].stored > rec->at + r->length)
			break;
		end += b->dir.frames[i].stored;
	}
	r->at = rec->at;
	r->length = r->length * 4 < RUN_MAX ? r->length * 4 : RUN_MAX;
	buf_clear(&r->stored);
	name_of_id(&b->name, text);
	if (end > rec->at + rec->stored && rec->at < b->tail_at &&
	    repo_get(repo, folder_of(b->type, &b->name, folder), text, rec->at,
		(size_t)(end - rec->at), &r->stored, NULL, NULL) &&
	    r->stored.n >= rec->stored)
		return true;
	buf_clear(&r->stored);
	return frame_get(repo, b, frame, &r->stored, e);
}

static bool read_frame(struct chunk_reader *cr, const struct bundle *b, uint32_t frame,
    struct span *plain, struct err *e)
{
	const struct frame_rec *rec = &b->dir.frames[frame];
	struct kept_frame *oldest = cr->frames, *k;
	struct run *run = run_step(cr, b, frame);

	for (k = cr->frames; k < cr->frames + cr->n_frames; k++) {
		if (k->used > 0 && k->frame == frame && id_equal(&k->bundle, &b->name)) {
			k->used = ++cr->clock;
			*plain = buf_span(&k->plain);
			return true;
		}
		if (k->used < oldest->used)
			oldest = k;
	}
	oldest->used = 0;
	if (!run_has(run, b, rec) && !run_read(cr->r, run, b, frame, e))
		return false;
	if (!frame_open(cr->r, rec, span_of(run->stored.p + (rec->at - run->at), rec->stored),
		&oldest->plain, e))
		return false;
	oldest->bundle = b->name;
	oldest->frame = frame;
	oldest->used = ++cr->clock;
	*plain = buf_span(&oldest->plain);
	return true;
}

bool chunk_read(struct chunk_reader *cr, enum file_type type, const struct id *bundle,
    uint32_t slot, const struct id *want, struct span *out, struct err *e)
{
	char text[2 * ID_SIZE + 1], folder[16];
	struct bundle *b;
	struct span plain = SPAN_EMPTY;

	if (!chunk_reader_bundle(cr, type, bundle, &b, e))
		return false;
	/* Looked at before the frame is read: a wrong hint shall cost little. */
	if (slot < b->dir.n_chunks && id_equal(&b->dir.ids[slot], want) &&
	    !read_frame(cr, b, directory_frame_of(&b->dir, slot), &plain, e))
		goto fail;
	if (chunk_in_frame(cr->r, b, slot, plain, want, out, e))
		return true;
fail:
	if (!e || e->kind != ERR_CORRUPT)
		return false;
	name_of_id(bundle, text);
	return err_wrap(e, "%s/%s", folder_of(type, bundle, folder), text);
}
