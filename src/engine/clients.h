/*
 * Registrations: the clients of a repository in which nothing is assumed of time (strict
 * mode, docs/protocol.md, section 5).
 */
#ifndef BALE_ENGINE_CLIENTS_H
#define BALE_ENGINE_CLIENTS_H

#include "format/client.h"
#include "repo/repo.h"
#include "store/store.h"

/* Each client once: its newest state, and the least counter it has registered with. */
struct clients {
	struct client *v;
	size_t n, cap;
};

/*
 * Read those that the listing of clients/ shows. What was never finished does not count.
 */
bool clients_read(
    struct repo *r, const struct store_listing *l, struct clients *out, struct err *e);
void clients_release(struct clients *c);

const struct client *clients_find(const struct clients *c, const char *id);

/* Whether there is one that is not retired: then the repository is in strict mode. */
bool clients_any(const struct clients *c);

/* Put a registration; its length is added to *size. */
bool clients_put(
    struct repo *r, const struct client *c, uint64_t *size, struct err *e);

/*
 * A client will never come back: nobody need ask it any more. For who knows that for
 * certain. ERR_USAGE where `id` cannot be a client's.
 */
bool clients_retire(struct repo *r, const char *id, struct err *e);

#endif
