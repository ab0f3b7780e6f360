/*
 * What every codec of format/ is put through. Faults are printed to standard error, with
 * the vector's name; false then.
 */
#ifndef BALE_TESTS_CODEC_H
#define BALE_TESTS_CODEC_H

#include "format/wire.h"

struct codec {
	const char *structure; /* folder under testdata/vectors */
	bool (*decodes)(struct span bytes, struct fault *f); /* all of it, to the end */
	void (*recode)(struct span bytes, struct buf *out);  /* decode, then encode */
};

/*
 * Good vectors decode and encode to the same bytes. Bad ones fail with the fault that
 * their name tells: bad-<fault word>-…; unsupported- ones with NEWER. At least so many of
 * each.
 */
bool codec_vectors(const struct codec *c, size_t good, size_t bad, size_t unsupported);

/* Every proper beginning is refused as truncated, and one byte more as corrupt. */
bool codec_truncations(const struct codec *c, struct span bytes);

#endif
