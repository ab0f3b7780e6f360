/*
 * A hunk: a run of entries in apath order (hunk.md), as the plain bytes of one chunk.
 */
#ifndef BALE_FORMAT_HUNK_H
#define BALE_FORMAT_HUNK_H

#include "format/entry.h"

/* A bundle that hints point into. */
struct bundle_ref {
	struct id name;
	uint64_t size; /* stored bytes */
};

/*
 * Builds one hunk. Hints are given with the caller's own bundle numbers; the table that
 * turns them into names is asked for at the end, when the names are known, and written in
 * the order in which the bundles were first named. Equal entries in equal order with
 * equal hints give equal bytes.
 */
struct hunk_writer;

struct hunk_writer *hunk_writer_new(void);
void hunk_writer_free(struct hunk_writer *w);

/* In ascending apath order; copies what it needs. Asserts the rules of entry.h. */
void hunk_writer_add(struct hunk_writer *w, const struct entry *e);

uint32_t hunk_writer_count(const struct hunk_writer *w);
size_t hunk_writer_size(const struct hunk_writer *w); /* plain bytes so far, about */

/* The caller's bundle numbers in table order. Borrowed. */
const uint32_t *hunk_writer_bundles(const struct hunk_writer *w, uint32_t *n);

/* refs[i] is the i-th of hunk_writer_bundles. Leaves the writer as new. */
void hunk_writer_finish(
    struct hunk_writer *w, const struct bundle_ref *refs, struct buf *out);

/*
 * Whether a hunk ends after this entry, given how many entries it then has and its plain
 * bytes: from 256 on where the low 10 bits of a hash of the apath are 0; at 4096;
 * at 4 MiB.
 */
bool hunk_ends(struct span apath, uint32_t count, size_t bytes);

struct hunk_iter {
	uint32_t count;     /* entries in all */
	uint32_t n_bundles;
	struct bundle_ref *bundles; /* the table; owned */
	/* private */
	struct hunk_columns *columns;
};

/* Checks the frame of the hunk and its table. `plain` must outlive the iterator. */
bool hunk_open(struct hunk_iter *it, struct span plain, struct fault *f);

/* Hints carry ordinals of the table. The entry is valid until the next step. */
enum step hunk_next(struct hunk_iter *it, struct entry *e, struct fault *f);
void hunk_close(struct hunk_iter *it);

#endif
