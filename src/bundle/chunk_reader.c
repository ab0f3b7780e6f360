/* Chunks one after another, with what was opened last at hand. Few enough to look
 * through. */
#include <stdlib.h>

#include "base/mem.h"
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

struct chunk_reader {
	struct repo *r;
	struct kept_bundle *bundles;
	struct kept_frame *frames;
	unsigned n_bundles, n_frames;
	uint64_t clock; /* one more at each use */
	struct buf stored;
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
	buf_release(&cr->stored);
	free(cr);
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
	if (!bundle_open(cr->r, type, name, &oldest->bundle, e))
		return false;
	oldest->used = ++cr->clock;
	*out = oldest->bundle;
	return true;
}

static bool read_frame(struct chunk_reader *cr, const struct bundle *b, uint32_t frame,
    struct span *plain, struct err *e)
{
	struct kept_frame *oldest = cr->frames, *k;

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
	buf_clear(&cr->stored);
	if (!frame_get(cr->r, b, frame, &cr->stored, e) ||
	    !frame_open(
		cr->r, &b->dir.frames[frame], buf_span(&cr->stored), &oldest->plain, e))
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
