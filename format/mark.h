/*
 * marks/<name>: a tag or pin given to a snapshot after the fact (mark.md). The newest
 * mark about the same thing counts. Open: band, time. Secret: the tag.
 */
#ifndef BALE_FORMAT_MARK_H
#define BALE_FORMAT_MARK_H

#include "format/band.h"

enum mark_kind { MARK_TAG, MARK_UNTAG, MARK_PIN, MARK_UNPIN };

struct mark {
	struct band_name band;
	enum mark_kind kind;
	int64_t time;
	char *tag; /* TAG, UNTAG; else "" */
};

void mark_release(struct mark *m);
void mark_encode(const struct mark *m, struct json_body *out);
/* *m is released by the caller, also after a failure. */
bool mark_decode(
    const struct json_file *jf, struct span secret, struct mark *m, struct fault *f);

#endif
