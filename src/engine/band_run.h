/*
 * The band of a run, whatever the run is for: its name, its files, and the look at what
 * others did. The order is the protocol's: band_run_name, the head, band_run_look, then
 * the work, then band_run_finish with the tail.
 */
#ifndef BALE_ENGINE_BAND_RUN_H
#define BALE_ENGINE_BAND_RUN_H

#include "band/bands.h"
#include "base/monitor.h"
#include "bundle/inventory.h"
#include "engine/client.h"

struct band_run {
	struct repo *repo;
	struct cache *cache;
	struct inventory *inventory;
	struct monitor *m;
	struct pool *transfer;   /* for listing many folders at once; NULL: one by one */
	struct client_state client;
	struct band_name name;
	struct bands bands;      /* as band_run_look found them */
	struct string_list seen; /* tombstones: found, and known from before */
	uint64_t stored;         /* bytes put other than in bundles */
	bool distrusts;          /* it shall register, whatever its own mount does */
	bool strict;             /* nothing is assumed of time here (strict.h) */
	bool leave;              /* it may rely on what others wrote all the same */
	bool fenced;             /* found dead when it was finished */
	bool complete;           /* its tail is written, and no fence was found after it */
	bool settled;            /* the storage has all of it, the tail included */
};

/* All are borrowed; the cache may be one that keeps nothing. */
void band_run_init(struct band_run *r, struct repo *repo, struct cache *cache,
    struct inventory *inventory, struct monitor *m);
void band_run_release(struct band_run *r);

/* Spend one of the client's counters on a name with this start. */
void band_run_name(struct band_run *r, int64_t start);

/* Put a head, part or tail, whose name is the run's. */
bool band_run_put(
    struct band_run *r, enum band_file kind, const struct band *b, struct err *e);

/*
 * After the head: list the bands; mark in the inventory what is condemned, damaged, and
 * listed. Fails where it cannot be told what is condemned.
 */
bool band_run_look(struct band_run *r, struct err *e);

/*
 * The same in two steps: from the first one on the bands are known, but no bundle may be
 * relied on before the second.
 */
bool band_run_look_begin(struct band_run *r, struct err *e);
bool band_run_look_end(struct band_run *r, struct err *e);

/* A tombstone that this run has put is known to it. */
void band_run_knows(struct band_run *r, const char *stone);

/* Note now, and not only at the end, which tombstones and clients are known. */
void band_run_note(struct band_run *r);

/* Put a removed or fence file of any band; *size is its length, 0 where it failed. */
bool band_note_put(struct repo *repo, const struct band_name *band, enum band_file kind,
    const char *client, uint64_t *size, struct err *e);

/*
 * Declare this client's own unfinished bands dead; from here on it is known which of them
 * was the last that ended well.
 */
bool band_run_fence_own(struct band_run *r, struct err *e);

/* Declare this run dead, as nothing will come of it: nobody shall wait for it. */
bool band_run_give_up(struct band_run *r, struct err *e);

/* Into a part or tail: prev, seen, roll-call, settled, leave. */
void band_run_fill(const struct band_run *r, struct band *b);

/*
 * Put the tail, remember it as the client's last band, settle it, and look for a fence:
 * where there is one, the run has failed (ERR_IO, r->fenced). False with r->complete:
 * only that the tail has arrived cannot be told.
 */
bool band_run_finish(struct band_run *r, const struct band *tail, struct err *e);

#endif
