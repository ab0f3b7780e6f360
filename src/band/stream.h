/*
 * The entries of a band in apath order, hunk by hunk, from wherever a hunk is: a local
 * cache, the place its reference hints at, or what resolving finds. One hunk is in memory
 * at a time. One thread.
 */
#ifndef BALE_BAND_STREAM_H
#define BALE_BAND_STREAM_H

#include "bundle/inventory.h"
#include "bundle/read.h"
#include "format/band.h"
#include "index/resolve.h"

struct stream;

/* Asked before the storage: true, with *plain replaced, where it has the chunk. */
typedef bool stream_cache_fn(void *arg, const struct id *id, struct buf *plain);

struct stream_options {
	struct inventory *inventory; /* hints become numbers of it; never NULL */
	struct resolver *resolver;   /* asked where a hint misses; NULL: that is an error */
	stream_cache_fn *cache;      /* may be NULL */
	void *cache_arg;
};

enum stream_step { STREAM_ENTRY, STREAM_END, STREAM_DAMAGED, STREAM_FAILED };

/* Of the band's tail or part, which is borrowed while the stream is open. */
struct stream *stream_open(struct repo *r, struct chunk_reader *cr, const struct band *b,
    const struct stream_options *o);
void stream_close(struct stream *s); /* NULL is harmless */

/*
 * The next entry, valid until the next step. STREAM_DAMAGED: a hunk or list cannot be had
 * (ERR_CORRUPT, ERR_MISSING), *e says which and why, its entries are lost, and the stream
 * can go on behind it. STREAM_FAILED: the storage failed.
 */
enum stream_step stream_next(struct stream *s, struct entry *entry, struct err *e);

/* The hunk that the last entry stood in; its hint's bundle is an inventory number. */
const struct hunk_ref *stream_hunk(const struct stream *s);

/* After STREAM_DAMAGED: how many entries were lost, as far as references tell. */
uint64_t stream_lost(const struct stream *s);

/*
 * Go forward to the first entry at or behind `apath`; hunks and lists before it are not
 * read. The next stream_next gives it.
 */
void stream_seek(struct stream *s, struct span apath);

/*
 * All extents of a file of CONTENT_EXTENTS or CONTENT_LIST, in order, hints as inventory
 * numbers. ERR_CORRUPT or ERR_MISSING where a list is damaged, or where together they are
 * not the file's size (known only at the end). fn may use the chunk reader.
 */
typedef bool stream_extent_fn(void *arg, const struct extent *x, struct err *e);
bool stream_extents(struct stream *s, const struct entry *entry, stream_extent_fn *fn,
    void *arg, struct err *e);

#endif
