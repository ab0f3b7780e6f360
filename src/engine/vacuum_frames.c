/* Reading frames: those that stand close together come with one read. */
#include "engine/vacuum_internal.h"

#define GAP  (64u << 10) /* bytes that nobody wants cost less than another read */
#define MOST (4u << 20)

bool vac_frame_near(const struct frame_rec *f, uint64_t at, uint64_t *end)
{
	if (f->at - *end > GAP || f->at + f->stored - at > MOST)
		return false;
	*end = f->at + f->stored;
	return true;
}

bool vac_frames_get(struct repo *r, enum file_type type, const struct id *name,
    uint64_t at, uint64_t end, struct buf *out, struct err *e)
{
	char text[2 * ID_SIZE + 1], folder[16];

	name_of_id(name, text);
	folder_of(type, name, folder);
	buf_clear(out);
	if (!repo_get(r, folder, text, at, (size_t)(end - at), out, NULL, e))
		return false;
	return out->n == end - at ||
	    err_set(e, ERR_CORRUPT, "%s/%s: ends before its frames do", folder, text);
}

bool vac_frames(struct vac *v, const struct held *h, const struct directory *d,
    const uint32_t *frames, size_t n, vac_frame_fn *fn, void *arg, struct err *e)
{
	struct buf bytes = BUF_EMPTY;
	const struct frame_rec *f;
	size_t i, k, last;
	uint64_t at, end;
	bool ok = true;

	for (i = 0; ok && i < n; i = last + 1) {
		f = &d->frames[frames[i]];
		at = f->at;
		end = at + f->stored;
		for (last = i; last + 1 < n; last++)
			if (!vac_frame_near(&d->frames[frames[last + 1]], at, &end))
				break;
		ok = vac_frames_get(v->repo, h->type, &h->name, at, end, &bytes, e);
		for (k = i; ok && k <= last; k++) {
			f = &d->frames[frames[k]];
			ok = fn(arg, frames[k], span_of(bytes.p + (f->at - at), f->stored), e);
		}
	}
	buf_release(&bytes);
	return ok;
}
