/*
 * A run in a repository in which nothing is assumed of time (strict mode, S3 and B3 of
 * docs/protocol.md): a client whose files may arrive late registers; what was condemned
 * once is never forgotten; and a client relies on nothing that others wrote until it has
 * leave.
 */
#ifndef BALE_ENGINE_STRICT_H
#define BALE_ENGINE_STRICT_H

#include "engine/band_run.h"
#include "format/tombstone.h"

/* Before the head. */
bool strict_register(struct band_run *r, struct err *e);

/* Whether it is such a repository, by its registrations: into r->strict. */
bool strict_find(struct band_run *r, const struct store_listing *clients, struct err *e);

/*
 * When the tombstones that are listed have been read, and before any bundle is looked at.
 * What must not be relied on, the inventory knows from here on.
 */
bool strict_look(struct band_run *r, struct err *e);

/* Remember what a tombstone names. */
void strict_keep(struct cache *c, const char *name, const struct tombstone *t);

/*
 * Tell what it names, as it is remembered, or as it can be read though no listing shows
 * it. *known: whether either was so.
 */
typedef void strict_bundle_fn(void *arg, const struct id *name);
bool strict_recall(struct repo *r, struct cache *c, const char *name,
    strict_bundle_fn *fn, void *arg, bool *known, struct err *e);

#endif
