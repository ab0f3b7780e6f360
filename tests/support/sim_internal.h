/* The simulated storage (sim_store.c) and the clients on it (sim.c) know each other. */
#ifndef BALE_TESTS_SIM_INTERNAL_H
#define BALE_TESTS_SIM_INTERNAL_H

#include <ucontext.h>

#include "tests/support/sim.h"

#define SIM_FOLDERS 32

struct sim_file {
	char *name;
	struct buf content;
	uint64_t digest;     /* of name and content */
	int64_t born, died;  /* died INT64_MAX: it is there */
	int maker, killer;   /* clients; -1: nobody */
	unsigned seen, gone; /* a bit a client: it has noticed */
	int64_t arrives;     /* until then it is in its maker's cache only */
	bool timely, went_timely; /* who put, or removed, it did not know of strict mode */
	bool told;           /* everybody sees it, and that it is gone */
};

/* What has happened since then does not show, until. */
struct sim_freeze {
	int64_t since, until;
};

struct sim_folder {
	char name[16];
	struct sim_file *v;  /* ascending by name */
	size_t n, cap;
	struct sim_freeze freeze[SIM_CLIENTS];
};

struct sim_client {
	struct env env; /* first: the engines are given its address */
	struct sim *sim;
	int number;
	ucontext_t context;
	void *stack;
	bool ended, dead;
	bool enlisted; /* it has put a registration */
	int64_t wake;
	const char *doom; /* see sim_doom; NULL: it does not die so */
	bool after;
	const char *nap; /* see sim_nap; NULL: none */
	int64_t nap_ns;
	uint64_t state; /* of its random bytes */
	uint64_t told;  /* a digest of all that it was told */
	uint64_t lots;  /* what is late for it */
	struct sim_freeze freeze; /* of all folders */
	int64_t offline; /* until then its cache sends nothing */
};

struct sim {
	struct sim_chances chances;
	uint64_t state;
	int64_t now;
	struct sim_folder folders[SIM_FOLDERS];
	size_t n_folders;
	struct sim_client client[SIM_CLIENTS];
	ucontext_t outside;
	int running, clients;
	bool inside; /* of sim_run */
	sim_script *script;
	void *arg;
	struct sim_counts counts;
	struct sim_watch watch;
	/* a plan */
	bool planned, every;
	int first;
	const struct sim_switch *plan;
	unsigned n_plan, points;
	struct sim_point point[SIM_POINTS];
	uint64_t holds;            /* a digest of all files, in no order */
	sim_known *known;          /* see sim_cut */
	void *known_arg;
	bool cut;
};

/* Whether this happens, of a thousand times. */
bool sim_chance(struct sim *s, unsigned thousandths);

/*
 * Before each operation of a client: others run, time passes, things go wrong. `counts`:
 * whether a plan counts it.
 */
bool sim_enter(struct sim *s, int client, bool counts, struct err *e);

/* Digests. */
uint64_t sim_mix(uint64_t a, uint64_t b);
uint64_t sim_digest(struct span text);
void sim_told(struct sim *s, int client, uint64_t what);

/* --- sim_sight.c */

/* Whether a file is listed for a client, or can be got at; -1 sees all as it is. */
bool sim_listed(struct sim *s, int client, struct sim_folder *in, struct sim_file *f);
bool sim_reached(struct sim *s, int client, struct sim_folder *in, struct sim_file *f);
/* Whether its coming shows. */
bool sim_came(struct sim *s, int client, struct sim_folder *in, struct sim_file *f);

/* A client lists a folder, perhaps as it was. */
void sim_look(struct sim *s, int client, struct sim_folder *in);

/* A client has put a file, or removed one. */
void sim_made(struct sim *s, int client, struct sim_folder *in, struct sim_file *f);
void sim_unmade(struct sim *s, int client, struct sim_file *f);

void sim_folders_free(struct sim *s);

#endif
