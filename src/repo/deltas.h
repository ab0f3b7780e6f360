/*
 * Deltas one after the other, while those that come next are on their way. Where an
 * operation costs 100 ms, a cold start on a repository with 200 deltas would otherwise
 * take 20 s.
 */
#ifndef BALE_REPO_DELTAS_H
#define BALE_REPO_DELTAS_H

#include "repo/repo.h"

struct deltas;

/* As many at once as r->transfers and their sizes allow. Main thread. */
struct deltas *deltas_new(struct repo *r);
void deltas_free(struct deltas *d); /* NULL is harmless */

/* One that will be wanted; all are told of before the first is got. */
void deltas_add(struct deltas *d, const struct id *name);

/*
 * As repo_get_delta. In the order in which they were told of; those in between are not
 * wanted any more.
 */
bool deltas_get(
    struct deltas *d, const struct id *name, struct buf *plain, struct err *e);

#endif
