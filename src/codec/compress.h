/*
 * Compression of a frame, and its undoing. The only user of libzstd is compress.c.
 */
#ifndef BALE_CODEC_COMPRESS_H
#define BALE_CODEC_COMPRESS_H

#include "base/err.h"
#include "format/bundle.h"

/*
 * Both directions, with their working memory (about 1.3 MiB at level 3 with frames of
 * 1 MiB, taken at first use and kept). One thread at a time.
 */
struct compressor;

/* level: zstd's, -7 to 22. */
struct compressor *compressor_new(int level);
void compressor_free(struct compressor *c); /* NULL is harmless */

/*
 * Append what is to be sealed and stored of a frame's plain bytes (at most
 * FRAME_PLAIN_MAX): one zstd frame (FRAME_ZSTD), or the bytes themselves (FRAME_RAW)
 * where that would gain less than a 32nd; of data without pattern samples tell as much.
 * Never more bytes than the plain ones. Equal bytes at an equal level give equal output.
 */
enum frame_method frame_compress(
    struct compressor *c, struct span plain, struct buf *out);

/*
 * Append exactly plain_len bytes to *out, or fail and leave its content as it was:
 * ERR_CORRUPT where the stored bytes are not exactly one frame of that length. Never
 * allocates more than plain_len, which is refused above FRAME_PLAIN_MAX.
 */
bool frame_expand(struct compressor *c, enum frame_method method, struct span stored,
    uint32_t plain_len, struct buf *out, struct err *e);

/*
 * Compressors for the jobs of a pool: a job takes one for as long as it works and gives
 * it back, so that there are as many as jobs ever worked at once. Thread-safe.
 */
struct compressor_cache;

struct compressor_cache *compressor_cache_new(int level);
/* All must have been given back. NULL is harmless. */
void compressor_cache_free(struct compressor_cache *cache);
struct compressor *compressor_take(struct compressor_cache *cache);
void compressor_give(struct compressor_cache *cache, struct compressor *c);

#endif
