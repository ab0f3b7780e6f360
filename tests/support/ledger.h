/*
 * What must hold on a simulated storage, kept up with every file that comes or goes, and
 * by nobody who takes part: each complete snapshot that was not removed has each of its
 * chunks in a bundle that is there. Complete is what its client was told is complete, and
 * what has a whole tail and no fence.
 *
 * Where the storage lies about what it has stored, a snapshot that was never whole is let
 * off, but not one that was.
 *
 * Looked at with each tail, each success and each deletion of a bundle. A bundle deleted
 * must leave each chunk in another that everybody sees by then, or sees as soon as he
 * sees the snapshot. Where the simulation is blind nobody can be promised to see
 * anything: then each chunk must be in a bundle that has arrived on the storage, or that
 * waits to be sent in the same cache as the snapshot.
 */
#ifndef BALE_TESTS_LEDGER_H
#define BALE_TESTS_LEDGER_H

#include "repo/repo.h"
#include "tests/support/sim.h"

struct ledger;

/* Sees what the simulation holds now, and watches it from now on. */
struct ledger *ledger_new(struct sim *s);
void ledger_free(struct ledger *l);

/* The repository as it is, for looking. */
struct repo *ledger_repo(struct ledger *l);

/* A client was told that the snapshot is complete. */
void ledger_success(struct ledger *l, const char *band);

/* Whether the snapshot must restore; and whether all of its files say so too. */
bool ledger_counts(const struct ledger *l, const char *band);
bool ledger_looks_complete(const struct ledger *l, const char *band);

/* The simulation is blind. */
void ledger_blind(struct ledger *l);

/* By what names the bands of a client's are known, registered or begun. */
const struct string_list *ledger_names(const struct ledger *l, int client);

/* The storage lies from now on. */
void ledger_lied_to(struct ledger *l);

/* What was lost first; NULL: nothing. */
const char *ledger_loss(const struct ledger *l);

/* Tell of an event, among the files that come and go, where BALE_SHOW is set. */
void ledger_show(struct ledger *l, int client, const char *what, const char *name);

/* A client works on a run that relies on older data: a backup, an undelete. */
void ledger_relies(struct ledger *l, int client, bool yes);

struct ledger_counts {
	unsigned deleted; /* bundles */
	unsigned beside;  /* of them while another client's run was between head and tail */
	unsigned tails, fences, foreign_fences, removed;
};

const struct ledger_counts *ledger_count(const struct ledger *l);

#endif
