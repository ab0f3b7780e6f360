/*
 * Where a large file is cut into chunks (format/cutting.md): a gear hash with a keyed
 * table, after FastCDC (Xia et al., USENIX ATC 2016), without its normalisation.
 */
#ifndef BALE_CODEC_CUT_H
#define BALE_CODEC_CUT_H

#include "format/repository.h"

/* The bytes that decide about a cut; no tier's minimum may be less. */
#define CUT_WINDOW 64

/* Parameters and table of a repository: written once, then shared by all threads. */
struct cut {
	struct cut_params params;
	uint64_t gear[256];
};

/*
 * key: PURPOSE_GEAR of the keyring. Asserts of every tier:
 * CUT_WINDOW <= min < average <= max <= CHUNK_MAX.
 */
void cut_init(
    struct cut *c, const struct cut_params *params, const uint8_t key[KEY_SIZE]);

/* One file being cut. */
struct cut_state {
	const struct cut *cut;
	uint32_t min, max;  /* bounds of a chunk of this file, the last one's min apart */
	uint64_t threshold; /* a gear hash below it is a cut */
};

/*
 * file_size picks the tier, and whether the file is one chunk; should the file turn out
 * longer or shorter than that, chunks keep to s->max all the same.
 */
void cut_begin(struct cut_state *s, const struct cut *c, uint64_t file_size);

/*
 * The length of the chunk that starts at p, given the n bytes from there on; last tells
 * that the file ends behind them. 0: more bytes are needed, which happens only where
 * n < s->max and not last, or n is 0. Give s->max bytes or all that is left, and no byte
 * is looked at twice.
 */
size_t cut_next(const struct cut_state *s, const uint8_t *p, size_t n, bool last);

#endif
