/*
 * Reading the source: jobs that open, read, cut and hash files. A batch holds many small
 * files and whatever else is read in one go; a large file is streamed by one job after
 * the other. Jobs touch only their own items.
 */
#ifndef BALE_ENGINE_READER_H
#define BALE_ENGINE_READER_H

#include "base/pool.h"
#include "codec/cut.h"
#include "engine/item.h"
#include "repo/repo.h"
#include "tree/source.h"

#define READ_WHOLE  (4u << 20) /* a file above this is streamed */
/* What an item weighs beside its bytes: it holds a descriptor. */
#define ITEM_WEIGHT 8192

/* What all jobs share, and none changes. */
struct reader {
	struct repo *repo;
	struct cut cut;
};

/* Consecutive items that are read by one job. */
struct batch {
	struct job job;
	const struct reader *reader;
	struct item **items;
	size_t n, cap;
	struct buf data; /* the bytes of all pieces */
	struct batch *next_spare;
};

struct batch *batch_new(const struct reader *r);
void batch_clear(struct batch *b); /* for reuse with its memory */
void batch_add(struct batch *b, struct item *it);
void batch_free(struct batch *b); /* not the items; NULL is harmless */

/* A large file under way. The job is put again and again until `done`. */
struct streaming {
	struct job job;
	const struct reader *reader;
	struct item *item;
	struct source source;
	struct segment segment; /* the run at work; its length is 0 between two */
	struct cut_state cut;
	struct buf data;
	bool opened, done;
};

struct streaming *streaming_new(const struct reader *r, struct item *it);
void streaming_free(struct streaming *s); /* NULL is harmless */

#endif
