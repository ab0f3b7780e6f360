/*
 * A vacuum that acts, shared by its files; V1 to V10 are steps of docs/protocol.md:
 *
 *   vacuum_run.c      the order of things
 *   vacuum_copy.c     V1, what is alive in bundles that are to go, into new bundles
 *   vacuum_delta.c    V2, the delta with its moves; small deltas become one
 *   vacuum_condemn.c  V3, what to condemn, and the tombstone
 *   vacuum_wait.c     V4, how long this machine has known of something
 *   vacuum_survive.c  V7, V8, what is condemned by now, and whether what is alive is safe
 *   vacuum_evidence.c S1, S2, where nothing is assumed of time
 *   vacuum_delete.c   V5, V9, V10, deletion
 */
#ifndef BALE_ENGINE_VACUUM_RUN_H
#define BALE_ENGINE_VACUUM_RUN_H

#include "base/pool.h"
#include "bundle/pack.h"
#include "engine/band_run.h"
#include "engine/vacuum_internal.h"
#include "engine/vacuum_wait.h"

/* A run of slots on its way into a new bundle. */
struct copied {
	uint32_t from, slot, count;
	bool hunks;
	uint64_t ticket; /* of the first */
};

struct vacuum {
	struct repo *repo;
	const struct vacuum_options *o;
	struct monitor *m;
	struct vacuum_result *result;
	struct cache *cache;
	struct waits *waits;
	struct inventory *inventory;
	struct band_run band;
	int64_t start;
	struct vac v;               /* the survey that holds now */
	bool surveyed;

	/* vacuum_copy.c */
	uint8_t seed[2][32];
	struct compressor_cache *compressors;
	struct pool *cpu, *transfer;
	struct packer *data, *hunks;
	struct copied *copied;
	size_t n_copied, copied_cap;
	uint32_t *victims;          /* bundles all of whose live chunks are elsewhere now */
	size_t n_victims, victims_cap;

	/* what was put since the last delta, and in all */
	struct delta_writer delta;
	struct band_bundle *bundles;
	size_t n_bundles, bundles_cap, n_verified;
	struct string_list deltas;
	struct string_list stones;  /* tombstones of this run */
	struct map superseded;      /* deltas that those of this run supersede */
};

/* --- vacuum_run.c */

bool vacuum_act(struct repo *r, const struct vacuum_options *o, struct monitor *m,
    struct vacuum_result *out, struct err *e);

/* What was put so far is on the storage, as far as it can be told: a wait may begin. */
bool vacuum_settle(struct vacuum *x, struct err *e);

/* --- vacuum_copy.c */

void copy_init(struct vacuum *x);
void copy_release(struct vacuum *x);

/*
 * Copy what is alive in the bundles below the threshold (-1: none), and in condemned
 * ones; verify the copies. Those of which everything is safe become victims.
 */
bool copy_victims(struct vacuum *x, int below, struct err *e);

/* --- vacuum_delta.c */

/* Put a delta of the bundles so far, once they are many. */
bool delta_full(struct vacuum *x, struct err *e);

/* Put the delta of what was copied, with small ones taken in. */
bool delta_finish(struct vacuum *x, struct err *e);

/* --- vacuum_condemn.c */

/* Put the tombstone of the victims and of whatever else can go, where there is any. */
bool condemn(struct vacuum *x, struct err *e);

/* Whether nothing that the tombstone names is listed any more. */
bool stone_done(const struct vacuum *x, const struct vac_stone *s);

/* For repo_put_json: a random name. */
void vacuum_any_name(const void *arg, const char *random, char name[NAME_MAX_LEN + 1]);

/* Whether a band that counts, or a delta, still tells of the bundle. */
bool bundle_named(const struct vacuum *x, const struct id *name);

/* --- vacuum_delete.c */

/* For a sole client: ERR_REFUSED where a band shows that somebody else is at work. */
bool vacuum_alone(const struct vacuum *x, struct err *e);

/*
 * V4, V5: whether every band is accounted for, and there is a tombstone whose time has
 * come. What it names is doomed.
 */
bool vacuum_ready(struct vacuum *x, bool *ready, struct err *e);

/* V9, V10: delete what is doomed and safe. */
bool vacuum_delete(struct vacuum *x, struct err *e);

/* --- vacuum_evidence.c */

/*
 * Whether every client has been seen to know the tombstone; else result->lacking has not.
 */
bool vacuum_evident(struct vacuum *x, const struct vac_stone *s);

/* --- vacuum_survive.c */

/* V7: whether no tombstone has come that the survey did not know. */
bool vacuum_look_again(struct vacuum *x, bool *same, struct err *e);

/*
 * V8: what is alive in doomed bundles is read where it survives; those of which all was
 * found are safe. What was found damaged is on record, and marked where it can be copied
 * from.
 */
bool vacuum_save(struct vacuum *x, struct err *e);

#endif
