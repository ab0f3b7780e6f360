/*
 * Header, trailer and directory: each by its place in a whole bundle, and the directory
 * also from the raw bytes. Whatever decodes must encode to the same bytes.
 */
#include "format/bundle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const void *a, const void *b, size_t n)
{
	if (memcmp(a, b, n) != 0)
		abort();
}

static void directory(struct span s)
{
	struct directory d = DIRECTORY_EMPTY, again = DIRECTORY_EMPTY;
	struct buf out = BUF_EMPTY;
	uint32_t i, k;

	if (directory_decode(s, &d, NULL)) {
		for (i = 0; i < d.n_frames; i++) {
			for (k = 0; k < d.frames[i].chunks; k++)
				directory_add_chunk(&again, &d.ids[d.frames[i].first + k],
				    d.lengths[d.frames[i].first + k]);
			directory_add_frame(&again, d.frames[i].stored,
			    d.frames[i].method, d.frames[i].digest);
		}
		directory_encode(&again, &out);
		if (!span_equal(buf_span(&out), s))
			abort();
		for (i = 0; i < d.n_chunks; i++)
			if (directory_chunk_at(&d, i) + d.lengths[i] >
			    d.frames[directory_frame_of(&d, i)].plain)
				abort();
	}
	buf_release(&out);
	directory_release(&again);
	directory_release(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	uint8_t head[FILE_HEAD_SIZE], tail[BUNDLE_TRAIL_SIZE];
	struct file_head h;
	struct bundle_trailer t;

	if (file_head_decode(s, &h, NULL)) {
		file_head_encode(&h, head);
		same(head, data, sizeof head);
	}
	if (bundle_trailer_decode(s, &t, NULL)) {
		bundle_trailer_encode(&t, tail);
		same(tail, data + size - sizeof tail, sizeof tail);
		if (t.total == size)
			directory(span_of(data + t.directory_at, t.directory_stored));
	}
	directory(s);
	return 0;
}
