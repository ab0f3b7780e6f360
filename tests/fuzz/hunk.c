/* Whatever decodes as a hunk must encode to the same bytes. */
#include "format/hunk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hunk_writer *w = hunk_writer_new();
	struct buf out = BUF_EMPTY;
	struct hunk_iter it;
	struct entry e;
	enum step step;

	if (!hunk_open(&it, span_of(data, size), NULL))
		goto out;
	while ((step = hunk_next(&it, &e, NULL)) == STEP_ITEM)
		hunk_writer_add(w, &e);
	if (step == STEP_END) {
		hunk_writer_finish(w, it.bundles, &out);
		if (!span_equal(buf_span(&out), span_of(data, size)))
			abort();
	}
	hunk_close(&it);
out:
	hunk_writer_free(w);
	buf_release(&out);
	return 0;
}
