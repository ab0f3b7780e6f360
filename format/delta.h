/*
 * A delta: one run's addition to the index (delta.md). A file header (bundle.h,
 * FILE_DELTA) and then the sealed bytes of what is coded here. Its name is the digest of
 * the file.
 */
#ifndef BALE_FORMAT_DELTA_H
#define BALE_FORMAT_DELTA_H

#include "format/bundle.h"

/* A bundle as a delta tells of it. */
struct delta_bundle {
	struct id name;
	enum file_type type; /* FILE_DATA or FILE_HUNKS */
	uint64_t size;       /* stored bytes of the whole file */
	struct span run;     /* band name */
	struct span directory; /* encoded (directory_decode) */
};

/* `count` slots of a bundle from `slot` on now live in another, from `to_slot` on. */
struct delta_move {
	struct id from, to;
	uint32_t slot, count, to_slot;
};

struct delta_writer {
	struct buf bundles, moves, gone; /* encoded records end to end */
	uint32_t n_bundles, n_moves, n_gone;
	size_t *places; /* where each bundle's record begins */
	size_t places_cap;
};

#define DELTA_WRITER_EMPTY {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, 0, 0, 0, NULL, 0}

void delta_writer_release(struct delta_writer *w);
/* In any order; of records of the same bundle the first added stands in the delta. */
void delta_add_bundle(struct delta_writer *w, const struct delta_bundle *b);
void delta_add_move(struct delta_writer *w, const struct delta_move *m);
/* This delta holds all that the named one does: who has this one needs not read that. */
void delta_add_superseded(struct delta_writer *w, const struct id *delta);
/* The plain bytes; the writer stays as it is. `run` is the band that wrote the delta. */
void delta_encode(const struct delta_writer *w, struct span run, struct buf *out);

struct delta_iter {
	struct cursor c;
	struct span run;
	uint32_t bundles, moves, gone; /* still to come */
	struct span last; /* the name before, of a bundle or a delta */
};

/* Bundles, then moves, then superseded names; each kind to its end before the next. */
bool delta_open(struct delta_iter *it, struct span plain, struct fault *f);
enum step delta_next_bundle(
    struct delta_iter *it, struct delta_bundle *b, struct fault *f);
enum step delta_next_move(struct delta_iter *it, struct delta_move *m, struct fault *f);
/* At STEP_END nothing is left behind it, or it is STEP_FAILED. */
enum step delta_next_superseded(struct delta_iter *it, struct id *name, struct fault *f);

#endif
