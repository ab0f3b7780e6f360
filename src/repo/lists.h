/*
 * Folders listed at the same time: where an operation costs 100 ms, twenty listings one
 * after the other are two seconds. One thread calls.
 */
#ifndef BALE_REPO_LISTS_H
#define BALE_REPO_LISTS_H

#include "base/pool.h"
#include "repo/repo.h"

struct lists;

/* Borrows the pool, whose threads list; NULL: one folder after the other. */
struct lists *lists_new(struct repo *r, struct pool *pool);
void lists_free(struct lists *l); /* waits for what is under way; NULL is harmless */

/* Have a folder listed. */
void lists_add(struct lists *l, const char *folder);

/*
 * The listing of the folder that was added first and not taken yet; *out is the caller's
 * to release, empty where it failed.
 */
bool lists_take(struct lists *l, struct store_listing *out, struct err *e);

#endif
