/* What the two halves of the cache share. */
#ifndef BALE_REPO_CACHE_INTERNAL_H
#define BALE_REPO_CACHE_INTERNAL_H

#include "repo/cache.h"

struct cache {
	struct repo *r;
	int dir;  /* -1: keeps nothing */
	int lock; /* -1: not held, so only read */
	char *path;
	uint8_t seed[32];
	uint64_t sealed; /* how many nonces were used */
};

/* A name's temporary twin, opened for writing from its start; -1 where it cannot be. */
int cache_begin(struct cache *c, const char *name);
/* The file itself, to read and write; made where absent. -1 where it cannot be. */
int cache_edit(struct cache *c, const char *name);
/* Close, and rename to the name if all was written; else remove. */
void cache_end(struct cache *c, const char *name, int fd, bool whole);

/* An existing file and its size; -1 where there is none. */
int cache_read(struct cache *c, const char *name, uint64_t *size);

/* Append plain bytes sealed, bound to aad. */
void cache_seal(struct cache *c, struct span aad, struct span plain, struct buf *out);

/* BLAKE2b-128 of aad and bytes: what tells damage where nothing is sealed. */
void cache_digest(struct span aad, struct span bytes, uint8_t out[DIGEST_SHORT]);

#endif
