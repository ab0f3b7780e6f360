/*
 * A storage that several clients see differently, and the clients on it: each runs real
 * engines on its own stack, exactly one at a time, and hands over at every storage operation.
 * Time is virtual. One seed gives one course of events.
 *
 * What a client has done itself it sees at once. What others have done it sees for certain
 * after SIM_DELTA; before that each look may show it or not: a new file, a new file cut
 * short, a file that is gone by now.
 */
#ifndef BALE_TESTS_SIM_H
#define BALE_TESTS_SIM_H

#include "base/env.h"
#include "store/store.h"

#define SIM_CLIENTS 4
#define SIM_DELTA   (100ll * 1000000000)

struct sim;

/* Chances are in a thousand, for each operation or hand-over. */
struct sim_chances {
	unsigned see;    /* that a young change is seen */
	unsigned torn;   /* that a young file which is seen is cut short */
	unsigned error;  /* that an operation fails */
	unsigned crash;  /* that the run dies there */
	unsigned sleep;  /* that the client sleeps for long */
	int64_t pace;    /* the most time that passes with an operation, ns */
	bool sticky;     /* what was seen once stays seen */
};

struct sim *sim_new(uint64_t seed, int64_t now, const struct sim_chances *chances);
void sim_free(struct sim *s);

/* Files that were there long ago. */
void sim_copy(struct sim *s, struct store *from);

/* The storage as a client sees it; freed by whoever opens it. -1: as it is. */
struct store *sim_store(struct sim *s, int client);
struct env *sim_env(struct sim *s, int client);

uint64_t sim_draw(struct sim *s, uint64_t n);
int64_t sim_now(const struct sim *s);

/* In a client's script: a new run of it begins, which may crash; whether one is dead. */
void sim_begin(struct sim *s, int client);
bool sim_dead(const struct sim *s, int client);

/* In a client's script: nothing happens for so long. */
void sim_pause(struct sim *s, int client, int64_t ns);

/* Run the scripts of so many clients to their ends. */
typedef void sim_script(void *arg, int client);
void sim_run(struct sim *s, int clients, sim_script *script, void *arg);

/*
 * Hand-over by plan in place of chance: the first client runs to its end but for the given
 * hand-overs, counted over all clients, where the next one goes on.
 */
void sim_plan(struct sim *s, const unsigned *at, unsigned n);
unsigned sim_steps(const struct sim *s);

/* How many bundles were deleted, and how many of them while `busy` of another was set. */
struct sim_counts {
	unsigned deleted, beside;
};
void sim_busy(struct sim *s, int client, bool busy);
struct sim_counts sim_count(const struct sim *s);

/* Remove a folder of this machine with all that is in it: a cache. */
void sim_wipe(const char *path);

#endif
