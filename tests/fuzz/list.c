/* Whatever decodes as a list must encode to the same bytes. */
#include "format/list.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum step copy_item(struct list_iter *it, struct list_writer *w)
{
	struct hunk_ref ref;
	struct extent extent;
	enum step step;

	if (it->kind == LIST_HUNKS) {
		step = list_next_hunk(it, &ref, NULL);
		if (step == STEP_ITEM)
			list_writer_add_hunk(w, &ref);
	} else {
		step = list_next_extent(it, &extent, NULL);
		if (step == STEP_ITEM)
			list_writer_add_extent(w, &extent);
	}
	return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct list_writer *w;
	struct buf out = BUF_EMPTY;
	struct list_iter it;
	enum step step;

	if (!list_open(&it, span_of(data, size), NULL))
		return 0;
	w = list_writer_new(it.kind, it.level);
	do
		step = copy_item(&it, w);
	while (step == STEP_ITEM);
	if (step == STEP_END) {
		list_writer_finish(w, it.bundles, &out);
		if (!span_equal(buf_span(&out), span_of(data, size)))
			abort();
	}
	list_writer_free(w);
	list_close(&it);
	buf_release(&out);
	return 0;
}
