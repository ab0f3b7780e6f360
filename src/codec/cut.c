/*
 * The gear hash of the last 64 bytes is h = 2h + gear[byte], so that the top bits depend
 * on all of them and the bottom ones on the last few. A cut is where h is below a
 * threshold, that is where the top bits are all zero: tiers compare more or fewer of the
 * same bits, so each cut that a coarse tier may make is one that a finer tier may make
 * too.
 *
 * Nothing within `min` of a chunk's start is looked at, save the window before the first
 * place where it may end; half of all bytes are never hashed.
 */
#include "codec/cut.h"

#include <assert.h>

#include "codec/digest.h"

void cut_init(struct cut *c, const struct cut_params *params, const uint8_t key[KEY_SIZE])
{
	uint8_t block[32], number[4];
	struct digest d;

	c->params = *params;
	for (size_t i = 0; i < CUT_TIERS; i++) {
		assert(params->tier[i].min >= CUT_WINDOW);
		assert(params->tier[i].min < params->tier[i].average);
		assert(params->tier[i].average <= params->tier[i].max);
		assert(params->tier[i].max <= CHUNK_MAX);
	}
	for (uint32_t i = 0; i < 64; i++) {
		put_u32(number, i);
		digest_init(&d, sizeof block, key, KEY_SIZE);
		digest_add(&d, span_of(number, sizeof number));
		digest_end(&d, block);
		for (size_t j = 0; j < 4; j++)
			c->gear[4 * i + j] = get_u64(block + 8 * j);
	}
}

void cut_begin(struct cut_state *s, const struct cut *c, uint64_t file_size)
{
	size_t t = 0;
	int bits;

	s->cut = c;
	if (file_size <= c->params.whole_max) {
		s->min = s->max = c->params.whole_max;
		s->threshold = 0;
		return;
	}
	while (t < CUT_TIERS - 1 && file_size > c->params.tier[t].file_max)
		t++;
	s->min = c->params.tier[t].min;
	s->max = c->params.tier[t].max;
	bits = 31 - __builtin_clz(c->params.tier[t].average - s->min);
	s->threshold = bits == 0 ? UINT64_MAX : UINT64_C(1) << (64 - bits);
}

/* The first end in (from, to] at which the hash, begun a window before, is a cut. */
static size_t scan(
    const struct cut_state *s, const uint8_t *p, size_t from, size_t to)
{
	const uint64_t *gear = s->cut->gear;
	const uint64_t threshold = s->threshold;
	uint64_t h = 0;
	size_t i;

	for (i = from + 1 - CUT_WINDOW; i < from; i++)
		h = (h << 1) + gear[p[i]];
	for (; i + 8 <= to; i += 8) {
#pragma GCC unroll 8
		for (size_t j = 0; j < 8; j++) {
			h = (h << 1) + gear[p[i + j]];
			if (__builtin_expect(h < threshold, 0))
				return i + j + 1;
		}
	}
	for (; i < to; i++) {
		h = (h << 1) + gear[p[i]];
		if (h < threshold)
			return i + 1;
	}
	return 0;
}

size_t cut_next(const struct cut_state *s, const uint8_t *p, size_t n, bool last)
{
	size_t limit = n < s->max ? n : s->max;
	size_t end = 0;

	if (limit >= s->min && s->threshold > 0)
		end = scan(s, p, s->min - 1, limit);
	if (end > 0)
		return end;
	return limit == s->max || last ? limit : 0;
}
