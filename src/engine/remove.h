/*
 * Removing snapshots: a `removed` file beside each. At once, and reversible (undelete.h)
 * until a vacuum takes what nothing else needs.
 */
#ifndef BALE_ENGINE_REMOVE_H
#define BALE_ENGINE_REMOVE_H

#include "band/bands.h"
#include "base/monitor.h"
#include "engine/retention.h"

/*
 * Remove these; those that are removed already are left alone. *removed counts.
 * ERR_REFUSED, and nothing is removed, where one is pinned, or is unfinished and may be
 * under way. cache_dir may be NULL.
 */
bool remove_run(struct repo *r, const char *cache_dir, struct band_info *const *v,
    size_t n, struct monitor *m, uint64_t *removed, struct err *e);

/* After a failure with so many removed: where the storage is full, what to do. False. */
bool remove_stuck(uint64_t removed, struct err *e);

/*
 * A removed snapshot by its name or the beginning of it, of at least 4 characters.
 * ERR_MISSING, or ERR_USAGE where several begin so. Borrowed.
 */
bool removed_find(
    const struct bands *bands, struct span text, struct band_info **out, struct err *e);

struct prune_options {
	const char *set;                /* only this one; NULL: all */
	const struct retention *policy;
	bool dry_run;
	const char *cache_dir;          /* may be NULL */
	const volatile bool *stop;      /* may be NULL */
	/* Told of each snapshot, oldest first, before any is removed; may be NULL. */
	bool (*decision)(void *arg, const struct candidate *c, uint64_t frees, struct err *e);
	void *arg;
};

struct prune_result {
	uint64_t kept, removed;
	uint64_t unreadable; /* snapshots that cannot be read: left alone */
	uint64_t frees;      /* bytes that the removed ones free together */
	bool uncertain;      /* not all references could be read: it may be less */
};

/*
 * Remove what the policy does not keep. Only complete snapshots that can be read are
 * judged. ERR_USAGE, ERR_REFUSED as retention_apply says; ERR_MISSING where the set has
 * no snapshot; ERR_CORRUPT where a mark cannot be read, as it may be a pin.
 */
bool prune_run(struct repo *r, const struct prune_options *o, struct monitor *m,
    struct prune_result *out, struct err *e);

#endif
