/* Whatever decodes as a delta must encode to the same bytes. */
#include "format/delta.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool copy_all(struct delta_iter *it, struct delta_writer *w)
{
	struct delta_bundle b;
	struct delta_move m;
	struct id name;
	enum step step;

	while ((step = delta_next_bundle(it, &b, NULL)) == STEP_ITEM)
		delta_add_bundle(w, &b);
	if (step == STEP_FAILED)
		return false;
	while ((step = delta_next_move(it, &m, NULL)) == STEP_ITEM)
		delta_add_move(w, &m);
	if (step == STEP_FAILED)
		return false;
	while ((step = delta_next_superseded(it, &name, NULL)) == STEP_ITEM)
		delta_add_superseded(w, &name);
	return step == STEP_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	struct buf out = BUF_EMPTY;
	struct delta_iter it;

	if (!delta_open(&it, span_of(data, size), NULL))
		return 0;
	if (copy_all(&it, &w)) {
		delta_encode(&w, it.run, &out);
		if (!span_equal(buf_span(&out), span_of(data, size)))
			abort();
	}
	delta_writer_release(&w);
	buf_release(&out);
	return 0;
}
