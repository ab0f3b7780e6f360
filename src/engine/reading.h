/*
 * What every reader of one snapshot opens: its entries as a stream, with all that the
 * stream asks along the way.
 */
#ifndef BALE_ENGINE_READING_H
#define BALE_ENGINE_READING_H

#include "band/stream.h"
#include "repo/cache.h"

struct reading {
	struct repo *repo;
	struct inventory *inventory;
	struct resolver *resolver;
	struct chunk_reader *chunks;
	struct stream *stream;
	struct cache *cache;
	struct cache_pack *pack;
};

/*
 * frames: how many decoded ones are kept. cache_dir (see cache.h) may be NULL; hunks that
 * the last backup left there need no read.
 */
void reading_open(struct reading *rd, struct repo *r, const struct band *band,
    const char *cache_dir, unsigned frames);
void reading_close(struct reading *rd);

/*
 * Go to the entry at `path`. STREAM_ENTRY: *en is it, or, where a damaged hunk has taken
 * it away, something below it (then *lost is true). STREAM_END: nothing is there, *e says
 * so. Damage met on the way is told to `damaged` (may be NULL). STREAM_FAILED.
 */
typedef void reading_damaged_fn(void *arg, uint64_t lost, const struct err *e);
enum stream_step reading_find(struct reading *rd, struct span path, struct entry *en,
    bool *lost, reading_damaged_fn *damaged, void *arg, struct err *e);

/* Go on to the first entry that stands below the directory `path`. */
void reading_enter(struct reading *rd, struct span path);

#endif
