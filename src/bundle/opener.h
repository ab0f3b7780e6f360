/*
 * Bundles opened ahead of who reads them one after the other.
 */
#ifndef BALE_BUNDLE_OPENER_H
#define BALE_BUNDLE_OPENER_H

#include "bundle/read.h"

struct opener;

struct opener *opener_new(
    struct repo *r, enum file_type type, const struct id *bundles, size_t n);
void opener_free(struct opener *o); /* NULL is harmless */

/*
 * One that was opened; the caller's. False where it was not expected, or not any more, or
 * could not be opened: then who wants it opens it.
 */
bool opener_take(
    struct opener *o, enum file_type type, const struct id *name, struct bundle **out);

#endif
