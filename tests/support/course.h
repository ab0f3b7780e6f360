/*
 * Clients at work on a simulated storage: the functions that the commands call, each run
 * as a process of its own with its own cache, and a tree that changes between runs. What
 * a course has found out stands in it.
 */
#ifndef BALE_TESTS_COURSE_H
#define BALE_TESTS_COURSE_H

#include "format/band.h"
#include "tests/support/ledger.h"
#include "tests/support/sim.h"

#define COURSE_VERSIONS 6
#define COURSE_SNAPS    96
#define COURSE_REASONS  24

/* Trees and caches of all courses, and an empty repository: made once. */
struct ground {
	char *dir;
	struct env *env;
	struct store *empty;
	int64_t now;   /* an hour after the trees were made */
};

/* Cmocka's set-up of the group: *state is the ground. */
int ground_begin(void **state);
int ground_end(void **state);

/* Runs of a kind: how many were begun, did what they should, died. */
struct tally {
	uint64_t begun, done, died;
};

enum course_run {
	RUN_BACKUP,
	RUN_REMOVE,
	RUN_PRUNE,
	RUN_UNDELETE,
	RUN_VACUUM,
	RUN_KINDS
};

struct course_totals {
	uint64_t courses, deleting, beside;  /* courses that deleted; beside another's run */
	uint64_t operations, errors, lies, crashes, sleeps, late, ghosts;
	uint64_t bundles_deleted, bundles_beside, fences, foreign_fences, tails, removed;
	struct tally run[RUN_KINDS];
	uint64_t retirements, early; /* early: courses that deleted before the quiet times */
	uint64_t vacuums_deleting, vacuums_condemning, vacuums_waiting, vacuums_copying;
	struct reason {
		char text[80];
		uint64_t n;
	} reasons[COURSE_REASONS];           /* why vacuums refused */
};

struct course_snap {
	char band[BAND_MAX_LEN + 1];
	unsigned version;
	char apath[256];
	bool success;
};

struct course {
	struct ground *ground;
	bool lies;             /* the storage does */
	int clients;
	unsigned settles;      /* see sim_chances */
	bool strict;           /* see sim_chances.blind */
	bool sole;             /* a vacuum is told that nobody else uses the repository */
	unsigned left, retired; /* a bit a client: it never comes back; others know it */
	struct sim *sim;
	struct ledger *ledger;
	int64_t grace, pause; /* between runs: at most */
	struct course_snap snap[COURSE_SNAPS]; /* those begun */
	unsigned n_snaps;
	struct course_totals *totals;
	char why[1400];
};

/*
 * `from` is where it begins, with the caches that course_keep has put aside; NULL: with
 * an empty repository and without caches.
 */
void course_begin(struct course *c, struct ground *g, uint64_t seed,
    const struct sim_chances *chances, const struct course *from);
void course_keep(struct course *c);
/* Fills the totals, which the caller frees, and frees all else. */
void course_end(struct course *c);

/*
 * In scripts: a run, from the opening of the repository to its closing. A tree that is
 * the client's own changes in place; those shared have a set for each version, and many
 * clients.
 */
void course_backup(struct course *c, int client, unsigned version, bool shared);
void course_remove(struct course *c, int client, unsigned snap);
void course_prune(struct course *c, int client, unsigned keep);
void course_undelete(struct course *c, int client, unsigned snap);
void course_vacuum(struct course *c, int client, int below);

/* Strict mode: it will never come back, and all see what it has done. */
void course_leave(struct course *c, int client);
/* The same of one that has left, by another's hand. */
void course_retire(struct course *c, int client, int gone);

/* All that must hold now: nothing was lost, and every snapshot restores. */
bool course_check(struct course *c);

/* What validate says of every byte: no path of any snapshot is damaged. */
bool course_validate(struct course *c);

void course_totals_add(struct course_totals *to, const struct course_totals *x);
void course_totals_print(const struct course_totals *t);

#endif
