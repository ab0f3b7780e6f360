/*
 * The clients of a repository, for people: who they are, when they backed up, and what
 * strict mode (docs/protocol.md, section 5) knows of them. Deletion there waits for each
 * of them, but for those that somebody has retired.
 */
#ifndef BALE_ENGINE_CLIENT_LIST_H
#define BALE_ENGINE_CLIENT_LIST_H

#include "base/monitor.h"
#include "format/band.h"
#include "repo/repo.h"

struct listed_client {
	char id[CLIENT_SIZE + 1];
	char *host, *user;   /* by its newest band that tells them, "" where none does */
	int64_t first, last; /* seconds since 1970: when its oldest and newest band began */
	uint64_t bands;      /* that are listed; 0: only others tell of it */
	bool self;           /* it is the one that asks */
	bool registered, retired;
	bool leave;          /* as its newest tail tells */
};

struct client_list {
	struct listed_client *v; /* ascending by id */
	size_t n, cap;
	uint64_t unreadable; /* bands that could have told more: each was named */
};

/*
 * Whoever has a band, or is registered, or is told of by the newest band of another or by
 * this client's own notes. Bands that cannot be read are named and counted.
 */
bool client_list_read(struct repo *r, const char *cache_dir, struct monitor *m,
    struct client_list *out, struct err *e);
void client_list_release(struct client_list *l);

/*
 * By its id, or the beginning of it of at least 4 characters; borrowed. ERR_MISSING;
 * ERR_USAGE where there are several.
 */
bool client_list_find(const struct client_list *l, const char *text,
    const struct listed_client **out, struct err *e);

/* ERR_REFUSED where it is the one that asks. Nothing is written where it is retired. */
bool client_list_retire(struct repo *r, const struct listed_client *c, struct err *e);

#endif
