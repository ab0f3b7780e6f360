/*
 * Who this client is, from run to run: kept in the local cache. Where that is lost, or
 * another process of the same client is at work, the run is a new client's first: an id
 * is never shared, and a counter never used twice.
 */
#ifndef BALE_ENGINE_CLIENT_H
#define BALE_ENGINE_CLIENT_H

#include "format/band.h"
#include "repo/cache.h"

struct client_state {
	char id[CLIENT_SIZE + 1];
	uint64_t counter;              /* of the newest band begun; 0: none */
	/* The newest of its bands that it has not declared dead. */
	char prev[BAND_MAX_LEN + 1];
	/* Later bands, of which it is not known how they ended. */
	struct string_list begun;
	struct string_list seen;       /* tombstones that its tails have named */
	/* for strict mode (docs/protocol.md, section 5) */
	bool leave;                    /* to rely on what others wrote, and to vacuum */
	bool enlisted;                 /* its registration is put */
	struct string_list met;        /* clients of which it has ever seen a trace */
};

/*
 * For who has just created the repository: its client needs nobody's leave. Best effort.
 */
void client_state_found(struct repo *r, const char *cache_dir);

void client_state_load(struct cache *c, struct env *env, struct client_state *out);

/* For who begins no run: what is kept, whoever is at work with it; false: nothing is. */
bool client_state_look(struct cache *c, struct client_state *out);
void client_state_release(struct client_state *s);

/*
 * Before a band's head is put: one more counter is spent on its name, come what may.
 * Where that cannot be kept, the run is a new client's.
 */
void client_state_spend(struct cache *c, struct env *env, struct client_state *s,
    int64_t start, struct band_name *name);

/* How a band that had begun has ended is known now. */
void client_state_ended(struct client_state *s, const char *band);

/* Another client is known from now on. */
void client_state_meet(struct client_state *s, const char *id);

/* Best effort. */
void client_state_save(struct cache *c, const struct client_state *s);

/* The next run is a new client's. Best effort. */
void client_state_drop(struct cache *c);

#endif
