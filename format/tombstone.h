/*
 * tombstones/<name>: what a vacuum has condemned (tombstone.md). All open.
 */
#ifndef BALE_FORMAT_TOMBSTONE_H
#define BALE_FORMAT_TOMBSTONE_H

#include "format/band.h"

struct tombstone {
	struct band_name run;  /* the vacuum's band */
	int64_t time;
	struct id *bundles;
	bool *hunks;           /* beside bundles: whether it is one of hunks */
	size_t n_bundles, bundles_cap, hunks_cap; /* capacities */
	struct string_list files; /* others, as folder/name */
};

void tombstone_init(struct tombstone *t);
void tombstone_release(struct tombstone *t);
void tombstone_add_bundle(struct tombstone *t, const struct id *name, bool hunks);
void tombstone_encode(const struct tombstone *t, struct json_body *out);
/* *t is released by the caller, also after a failure. */
bool tombstone_decode(const struct json_file *jf, struct tombstone *t, struct fault *f);

#endif
