/*
 * One zstd frame for each frame of ours, with its length in the header and no checksum:
 * two digests guard the bytes already. The one-shot interface is told the length, so
 * that its window and tables fit the frame and a context stays small.
 *
 * Data without pattern (media, archives, ciphertext) costs zstd a good part of what text
 * does, and all in vain. Samples tell it apart in two steps. A count of byte values,
 * next to nothing, is all that most data pays. Only where it finds the values evenly
 * spread is a larger part of the frame compressed fast, which sees the patterns that a
 * count does not.
 */
#include "codec/compress.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

#define PROBE_MIN    (32u << 10) /* below it, trying costs less than it may save */
#define PROBE_PIECES 16u
#define PROBE_COUNT  512u        /* bytes of each piece that are counted */
#define PROBE_TRY    2048u       /* bytes of each piece that are compressed */
#define PROBE_LEVEL  1

struct compressor {
	int level;
	ZSTD_CCtx *compress, *probe;
	ZSTD_DCtx *expand;
	struct compressor *next; /* in a cache */
};

struct compressor *compressor_new(int level)
{
	struct compressor *c = mem_zalloc(sizeof *c);

	c->level = level;
	return c;
}

void compressor_free(struct compressor *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->compress);
	ZSTD_freeCCtx(c->probe);
	ZSTD_freeDCtx(c->expand);
	free(c);
}

/* Out of memory ends the program (mem.h), also where it is libzstd that ran out. */
static void need(const void *p)
{
	if (!p)
		mem_exhausted();
}

static ZSTD_CCtx *context(ZSTD_CCtx **slot, int level)
{
	if (!*slot) {
		*slot = ZSTD_createCCtx();
		need(*slot);
		ZSTD_CCtx_setParameter(*slot, ZSTD_c_compressionLevel, level);
		ZSTD_CCtx_setParameter(*slot, ZSTD_c_checksumFlag, 0);
	}
	return *slot;
}

/* Compress into at most `room` bytes; 0 where they do not suffice. */
static size_t squeeze(ZSTD_CCtx *z, struct span plain, uint8_t *to, size_t room)
{
	size_t n = ZSTD_compress2(z, to, room, plain.p, plain.n);

	if (!ZSTD_isError(n))
		return n;
	if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
		need(NULL);
	assert(ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall);
	return 0;
}

/* What must be left for a frame to be stored compressed. */
static size_t worthwhile(size_t n)
{
	return n - n / 32;
}

/*
 * Whether byte values are nearly evenly spread: the sum of squares of their counts, over
 * n squared, is the chance that two bytes are equal; 1/256 for noise. Text has about
 * 1/15, machine code 1/40; below 1/180 not much can be won by coding bytes alone.
 */
static bool evenly_spread(struct span plain)
{
	uint32_t count[256] = {0};
	uint64_t sum = 0, n = PROBE_PIECES * PROBE_COUNT;

	for (size_t i = 0; i < PROBE_PIECES; i++) {
		const uint8_t *p = plain.p + plain.n / PROBE_PIECES * i;

		for (size_t j = 0; j < PROBE_COUNT; j++)
			count[p[j]]++;
	}
	for (size_t i = 0; i < 256; i++)
		sum += (uint64_t)count[i] * count[i];
	return sum * 180 < n * n;
}

/*
 * Each piece by itself: in one run over them all, the strides that zstd takes through
 * noise would carry it across the one piece of text.
 */
static bool hopeless(struct compressor *c, struct span plain)
{
	const size_t total = PROBE_PIECES * PROBE_TRY;
	uint8_t to[PROBE_TRY];
	size_t sum = 0;

	if (plain.n < PROBE_MIN || !evenly_spread(plain))
		return false;
	for (size_t i = 0; i < PROBE_PIECES; i++) {
		const uint8_t *p = plain.p + plain.n / PROBE_PIECES * i;
		size_t n = squeeze(context(&c->probe, PROBE_LEVEL), span_of(p, PROBE_TRY),
		    to, sizeof to);

		sum += n ? n : PROBE_TRY;
	}
	return sum > worthwhile(total);
}

enum frame_method frame_compress(struct compressor *c, struct span plain, struct buf *out)
{
	size_t room = worthwhile(plain.n);
	size_t n = 0;

	assert(plain.n <= FRAME_PLAIN_MAX);
	if (plain.n > 0 && !hopeless(c, plain)) {
		buf_reserve(out, room);
		n = squeeze(context(&c->compress, c->level), plain, out->p + out->n,
		    room);
	}
	if (n == 0) {
		buf_add_span(out, plain);
		return FRAME_RAW;
	}
	out->n += n;
	return FRAME_ZSTD;
}

/* Whether s is one zstd frame, whole, nothing behind it, that says it holds n bytes. */
static bool one_frame(struct span s, uint32_t n)
{
	return s.n >= 4 && get_u32(s.p) == ZSTD_MAGICNUMBER &&
	       ZSTD_getFrameContentSize(s.p, s.n) == n &&
	       ZSTD_findFrameCompressedSize(s.p, s.n) == s.n;
}

static bool expand_zstd(struct compressor *c, struct span stored, uint32_t plain_len,
    struct buf *out, struct err *e)
{
	size_t before = out->n, n;
	uint8_t *to;

	if (!one_frame(stored, plain_len))
		return err_set(e, ERR_CORRUPT,
		    "frame is not one zstd frame of %u bytes", plain_len);
	if (!c->expand) {
		c->expand = ZSTD_createDCtx();
		need(c->expand);
	}
	to = buf_extend(out, plain_len);
	n = ZSTD_decompressDCtx(c->expand, to, plain_len, stored.p, stored.n);
	if (n == plain_len)
		return true;
	out->n = before;
	if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
		need(NULL); /* which is no damage */
	if (ZSTD_isError(n))
		return err_set(e, ERR_CORRUPT, "frame does not decompress: %s",
		    ZSTD_getErrorName(n));
	return err_set(e, ERR_CORRUPT, "frame of %u bytes holds %zu", plain_len, n);
}

bool frame_expand(struct compressor *c, enum frame_method method, struct span stored,
    uint32_t plain_len, struct buf *out, struct err *e)
{
	if (plain_len > FRAME_PLAIN_MAX)
		return err_set(e, ERR_CORRUPT, "frame of %u bytes: too large", plain_len);
	switch (method) {
	case FRAME_ZSTD:
		return expand_zstd(c, stored, plain_len, out, e);
	case FRAME_RAW:
		if (stored.n != plain_len)
			return err_set(e, ERR_CORRUPT, "raw frame of %u bytes holds %zu",
			    plain_len, stored.n);
		buf_add_span(out, stored);
		return true;
	case FRAME_PADDING:
		break;
	}
	return err_set(e, ERR_CORRUPT, "frame holds no data");
}

struct compressor_cache {
	int level;
	pthread_mutex_t mutex;
	struct compressor *idle; /* under mutex */
};

struct compressor_cache *compressor_cache_new(int level)
{
	struct compressor_cache *cache = mem_zalloc(sizeof *cache);

	cache->level = level;
	pthread_mutex_init(&cache->mutex, NULL);
	return cache;
}

void compressor_cache_free(struct compressor_cache *cache)
{
	struct compressor *c;

	if (!cache)
		return;
	while ((c = cache->idle)) {
		cache->idle = c->next;
		compressor_free(c);
	}
	pthread_mutex_destroy(&cache->mutex);
	free(cache);
}

struct compressor *compressor_take(struct compressor_cache *cache)
{
	struct compressor *c;

	pthread_mutex_lock(&cache->mutex);
	c = cache->idle;
	if (c)
		cache->idle = c->next;
	pthread_mutex_unlock(&cache->mutex);
	return c ? c : compressor_new(cache->level);
}

void compressor_give(struct compressor_cache *cache, struct compressor *c)
{
	pthread_mutex_lock(&cache->mutex);
	c->next = cache->idle;
	cache->idle = c;
	pthread_mutex_unlock(&cache->mutex);
}
