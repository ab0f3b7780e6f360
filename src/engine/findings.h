/*
 * What the validations of a repository have found, put together: a later one that found a
 * bundle whole takes back what an earlier one told of it (health.md).
 */
#ifndef BALE_ENGINE_FINDINGS_H
#define BALE_ENGINE_FINDINGS_H

#include "format/health.h"

struct finding;

struct findings {
	struct finding *v;
	size_t n, cap;
};

void findings_add(struct findings *all, const struct health *h);
void findings_release(struct findings *all);

/* Tell of all damage that stands, bundle by bundle. A count of 0: all of it is lost. */
typedef void findings_fn(void *arg, const struct damage *d);
void findings_tell(struct findings *all, findings_fn *fn, void *arg);

#endif
