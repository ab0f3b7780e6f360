/*
 * Vacuum: find out what no snapshot needs, and give its space back by rewriting the
 * bundles in which little is alive (design.md, section 9).
 *
 * Without `run` it only looks: it reads tails, parts, lists, hunks and deltas, no bundle
 * of data, and writes nothing. Whatever is unreadable, missing or resolves nowhere ends
 * it: unreadable is not dead.
 */
#ifndef BALE_ENGINE_VACUUM_H
#define BALE_ENGINE_VACUUM_H

#include "base/monitor.h"
#include "format/band.h"
#include "repo/repo.h"

#define VACUUM_THRESHOLDS 6
#define VACUUM_BINS       11 /* live share: 0, then each tenth up to and with 100 % */

#define VACUUM_HOUR  (3600ll * 1000000000)
#define VACUUM_GRACE (24 * VACUUM_HOUR)

struct vacuum_options {
	const char *program, *host, *user;
	bool run;             /* act: copy, condemn, delete what was condemned long ago */
	int below;            /* percent; 0: only what is wholly dead; -1: by the rule */
	bool combine;         /* also put small bundles together */
	uint64_t max_write;   /* bytes; 0: no bound */
	int64_t max_time;     /* ns that copying may take; 0: no bound */
	bool sole_client;     /* nobody else uses the repository: no grace is needed */
	bool strict;          /* assume nothing of time; with run: all, and from now on */
	int64_t grace;        /* ns */
	unsigned threads, transfers;
	int level;            /* zstd, for frames that are made anew */
	const char *cache_dir; /* see cache.h; NULL: no cache */
	const volatile bool *stop; /* may be NULL */
};

void vacuum_options_init(struct vacuum_options *o);

/* What acting on the bundles below a threshold would cost and free. */
struct vacuum_threshold {
	int below;            /* percent; 0: only what is wholly dead */
	uint64_t bundles;
	uint64_t write_bytes; /* to be written anew */
	uint64_t free_bytes;  /* what goes, less what is written */
	uint64_t dead_bytes;  /* that stay */
};

struct vacuum_bin {
	uint64_t bundles, bytes;
};

struct vacuum_result {
	/* everything on the storage; the four add up to total_bytes */
	uint64_t total_bytes, live_bytes, condemned_bytes, dead_bytes, unknown_bytes;
	uint64_t bundles, chunks, live_chunks, hunks;
	uint64_t live_frames;  /* stored bytes of the frames in which anything is alive */
	struct vacuum_bin bins[VACUUM_BINS];
	struct vacuum_threshold thresholds[VACUUM_THRESHOLDS];
	int below;             /* the threshold that applies */
	bool below_chosen;     /* by the rule */
	bool strict;           /* strict mode: what is condemned waits for evidence too */
	/* with run */
	char awaited[48];      /* a band that deletion has to wait for; "" for none */
	bool awaited_dead;     /* it was declared dead, and the grace since then counts */
	char band[48];
	char tombstone[NAME_MAX_LEN + 1]; /* "" where nothing was condemned */
	uint64_t condemned_bundles; /* by this run */
	uint64_t written_bytes;     /* put by this run, in all */
	uint64_t copied_bytes;      /* of them frames */
	/* Bundles left alone: no room for what is alive in them. */
	uint64_t unmoved;
	/* What this run condemned, or deleted, less what it wrote. */
	uint64_t freed_bytes;
	uint64_t deleted_files, deleted_bytes;
	uint64_t waiting;           /* tombstones with something that cannot go yet */
	/* ns until the next one is ripe; 0: none waits for time alone. */
	int64_t wait;
	/* Ripe; what is alive in them is not safe elsewhere yet. */
	uint64_t kept_bundles;
	/* Strict mode: of this client nothing shows that it knows; "" for none. */
	char lacking[CLIENT_SIZE + 1];
	/* Others kept condemning: deletion is left to a later run. */
	bool disturbed;
};

/*
 * False: *e says why, and nothing was deleted; ERR_CORRUPT where something is unreadable
 * or does not resolve, ERR_MISSING where a listing does not show what must be there.
 */
bool vacuum_run(struct repo *r, const struct vacuum_options *o, struct monitor *m,
    struct vacuum_result *out, struct err *e);

#endif
