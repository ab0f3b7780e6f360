/* Frames: round trips, the choice of method, refusals, equal output, the cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"
#include "codec/compress.h"
#include "tests/support/bytes.h"

#define MIB (1u << 20)

static void round_trip(
    struct compressor *c, struct span plain, enum frame_method want, struct buf *stored)
{
	struct buf out = BUF_EMPTY;
	struct err e = ERR_EMPTY;

	buf_clear(stored);
	buf_add_str(stored, "before");
	assert_int_equal(frame_compress(c, plain, stored), want);
	assert_memory_equal(stored->p, "before", 6);
	memmove(stored->p, stored->p + 6, stored->n -= 6);
	assert_true(stored->n <= plain.n);
	buf_add_str(&out, "x");
	assert_true(frame_expand(c, want, buf_span(stored), (uint32_t)plain.n, &out, &e));
	assert_int_equal(out.n, plain.n + 1);
	assert_true(span_equal(span_of(out.p + 1, plain.n), plain));
	buf_release(&out);
}

static void test_methods(void **state)
{
	struct compressor *c = compressor_new(3);
	struct buf plain = BUF_EMPTY, stored = BUF_EMPTY;

	(void)state;
	round_trip(c, SPAN_EMPTY, FRAME_RAW, &stored);
	round_trip(c, span_str("a"), FRAME_RAW, &stored);
	for (size_t n = 1000; n <= 3 * MIB; n *= 3) {
		buf_clear(&plain);
		bytes_text(&plain, n, n);
		round_trip(c, buf_span(&plain), FRAME_ZSTD, &stored);
		assert_true(stored.n < n * 2 / 3);
		buf_clear(&plain);
		bytes_noise(&plain, n, n);
		round_trip(c, buf_span(&plain), FRAME_RAW, &stored);
	}
	compressor_free(c);
	buf_release(&plain);
	buf_release(&stored);
}

/* What a count of bytes alone would take for noise, and what is noise only in part. */
static void test_probe(void **state)
{
	struct compressor *c = compressor_new(3);
	struct buf plain = BUF_EMPTY, stored = BUF_EMPTY;

	(void)state;
	/* One KiB of noise again and again: matches, yet all values are as frequent. */
	buf_reserve(&plain, 2 * MIB);
	bytes_noise(&plain, 1024, 5);
	while (plain.n < MIB)
		buf_add(&plain, plain.p, 1024);
	round_trip(c, buf_span(&plain), FRAME_ZSTD, &stored);

	/* Digits of noise: 6 bits in each byte. */
	buf_clear(&plain);
	bytes_noise(&plain, MIB, 6);
	for (size_t i = 0; i < plain.n; i++)
		plain.p[i] &= 63;
	round_trip(c, buf_span(&plain), FRAME_ZSTD, &stored);

	/* Noise with a fifth of text. */
	buf_clear(&plain);
	bytes_noise(&plain, MIB * 4 / 5, 7);
	bytes_text(&plain, MIB / 5, 8);
	round_trip(c, buf_span(&plain), FRAME_ZSTD, &stored);

	/* 2 in 100 to gain are not worth it, 5 are. */
	for (uint32_t gain = 2; gain <= 5; gain += 3) {
		buf_clear(&plain);
		bytes_noise(&plain, 20000, 9);
		memset(plain.p, 0, 200 * gain);
		round_trip(
		    c, buf_span(&plain), gain == 2 ? FRAME_RAW : FRAME_ZSTD, &stored);
	}
	compressor_free(c);
	buf_release(&plain);
	buf_release(&stored);
}

static void refuse(struct compressor *c, enum frame_method method, struct span stored,
    uint32_t plain_len)
{
	struct buf out = BUF_EMPTY;
	struct err e = ERR_EMPTY;

	buf_add_str(&out, "kept");
	assert_false(frame_expand(c, method, stored, plain_len, &out, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(out.n, 4);
	assert_true(out.cap <= (size_t)plain_len + 4096);
	buf_release(&out);
}

static void test_refuse(void **state)
{
	static const uint8_t skip[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
	/* "abc", but the header does not say how long it is. */
	static const uint8_t unsized[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0x19, 0, 0, 'a', 'b', 'c'};
	struct compressor *c = compressor_new(3);
	struct buf plain = BUF_EMPTY, s = BUF_EMPTY;

	(void)state;
	bytes_text(&plain, 5000, 4);
	assert_int_equal(frame_compress(c, buf_span(&plain), &s), FRAME_ZSTD);
	refuse(c, FRAME_ZSTD, buf_span(&s), 4999);
	refuse(c, FRAME_ZSTD, buf_span(&s), 5001);
	refuse(c, FRAME_ZSTD, buf_span(&s), FRAME_PLAIN_MAX + 1);
	refuse(c, FRAME_ZSTD, buf_span(&s), UINT32_MAX);
	refuse(c, FRAME_ZSTD, SPAN_EMPTY, 5000);
	refuse(c, FRAME_ZSTD, span_of(skip, sizeof skip), 0);
	refuse(c, FRAME_ZSTD, span_of(unsized, sizeof unsized), 3);
	refuse(c, FRAME_PADDING, buf_span(&s), (uint32_t)s.n);
	refuse(c, FRAME_RAW, buf_span(&s), 5000);
	refuse(c, FRAME_RAW, span_of(plain.p, FRAME_PLAIN_MAX + 1), FRAME_PLAIN_MAX + 1);
	for (size_t n = 0; n < s.n; n++)
		refuse(c, FRAME_ZSTD, span_of(s.p, n), 5000);
	buf_add_byte(&s, 0);
	refuse(c, FRAME_ZSTD, buf_span(&s), 5000);
	s.n--;
	buf_add(&s, skip, sizeof skip);
	refuse(c, FRAME_ZSTD, buf_span(&s), 5000);
	s.n -= sizeof skip;
	buf_reserve(&s, s.n);
	buf_add(&s, s.p, s.n);
	refuse(c, FRAME_ZSTD, buf_span(&s), 5000);
	refuse(c, FRAME_ZSTD, buf_span(&s), 10000);
	compressor_free(c);
	buf_release(&plain);
	buf_release(&s);
}

/* Any damaged byte either is refused or gives as many bytes: never a crash. */
static void test_damage(void **state)
{
	struct compressor *c = compressor_new(3);
	struct buf plain = BUF_EMPTY, s = BUF_EMPTY, out = BUF_EMPTY;
	struct err e;

	(void)state;
	bytes_text(&plain, 3000, 4);
	frame_compress(c, buf_span(&plain), &s);
	for (size_t i = 0; i < s.n; i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			s.p[i] ^= (uint8_t)bit;
			buf_clear(&out);
			if (frame_expand(c, FRAME_ZSTD, buf_span(&s), 3000, &out, &e))
				assert_int_equal(out.n, 3000);
			else
				assert_int_equal(out.n, 0);
			s.p[i] ^= (uint8_t)bit;
		}
	}
	compressor_free(c);
	buf_release(&plain);
	buf_release(&s);
	buf_release(&out);
}

/* A context that has worked gives what a fresh one gives. */
static void test_reuse(void **state)
{
	static const int levels[] = {-3, 1, 3, 6, 12};
	struct buf plain = BUF_EMPTY, a = BUF_EMPTY, b = BUF_EMPTY;

	(void)state;
	for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
		struct compressor *old = compressor_new(levels[l]);

		for (size_t i = 1; i < 24; i++) {
			struct compressor *fresh = compressor_new(levels[l]);

			buf_clear(&plain);
			buf_clear(&a);
			buf_clear(&b);
			bytes_text(&plain, i * 7919 % 23 * 9000 + i, i);
			bytes_noise(&plain, i * 5003 % 7 * 3000, i);
			assert_int_equal(frame_compress(old, buf_span(&plain), &a),
			    frame_compress(fresh, buf_span(&plain), &b));
			assert_true(span_equal(buf_span(&a), buf_span(&b)));
			compressor_free(fresh);
		}
		compressor_free(old);
	}
	buf_release(&plain);
	buf_release(&a);
	buf_release(&b);
}

struct press {
	struct job job;
	struct compressor_cache *cache;
	struct buf plain, stored;
	enum frame_method method;
};

static void press_run(struct job *job)
{
	struct press *p = (struct press *)job;
	struct compressor *c = compressor_take(p->cache);

	p->method = frame_compress(c, buf_span(&p->plain), &p->stored);
	compressor_give(p->cache, c);
}

static void test_cache(void **state)
{
	struct compressor_cache *cache = compressor_cache_new(1);
	struct compressor *c = compressor_new(1);
	struct buf want = BUF_EMPTY;
	struct pool *pool = pool_new(3);
	struct lane *lane = lane_new(pool);
	struct job *j;

	(void)state;
	for (size_t i = 1; i <= 40; i++) {
		struct press *p = mem_zalloc(sizeof *p);

		p->job.run = press_run;
		p->cache = cache;
		bytes_text(&p->plain, 1000 * i, i);
		lane_put(lane, &p->job);
	}
	while ((j = lane_take(lane))) {
		struct press *p = (struct press *)j;

		buf_clear(&want);
		assert_int_equal(
		    p->method, frame_compress(c, buf_span(&p->plain), &want));
		assert_true(span_equal(buf_span(&want), buf_span(&p->stored)));
		buf_release(&p->plain);
		buf_release(&p->stored);
		free(p);
	}
	lane_free(lane);
	pool_free(pool);
	compressor_cache_free(cache);
	compressor_free(c);
	buf_release(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
