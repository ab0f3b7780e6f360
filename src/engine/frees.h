/*
 * What removing snapshots would free: bytes of chunks that nothing refers to any more, as
 * the storage holds them. Each distinct list and hunk is read once, no data at all. In
 * memory stand two bytes a chunk and some dozens a hunk.
 */
#ifndef BALE_ENGINE_FREES_H
#define BALE_ENGINE_FREES_H

#include "band/refs.h"
#include "base/monitor.h"

struct frees;

/*
 * The inventory knows what is listed and what is condemned. `stop` (may be NULL) ends the
 * counting with ERR_STOPPED.
 */
struct frees *frees_new(
    const struct refs *refs, struct monitor *m, const volatile bool *stop);
void frees_free(struct frees *f); /* NULL is harmless */

/*
 * Take in the references of a tail or part: of one that is kept where `removed` is 0,
 * else of the removed one with that number, from 1 on. Best the kept ones first. What is
 * damaged is told of, and makes the result uncertain.
 */
bool frees_add(struct frees *f, const struct band *b, uint32_t removed, struct err *e);

struct frees_result {
	uint64_t *alone; /* by number - 1, as many as the caller has numbers */
	uint64_t together;
	bool uncertain;  /* something that may refer to chunks could not be read */
};

/* Once, after all were taken in. alone[] is added to. */
bool frees_count(struct frees *f, struct frees_result *out, struct err *e);

#endif
