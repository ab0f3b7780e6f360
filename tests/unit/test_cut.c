/* Cutting: golden cuts, bounds, mean, resynchronisation, tiers, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/cut.h"
#include "tests/support/bytes.h"

#define MIB (UINT64_C(1) << 20)

static struct cut_params params(void)
{
	return (struct cut_params){
		.whole_max = 128 << 10,
		.tier = {
			{16 * MIB, 32 << 10, 64 << 10, 256 << 10},
			{1024 * MIB, 128 << 10, 256 << 10, 1 << 20},
			{UINT64_MAX, 512 << 10, 1 << 20, 4 << 20},
		},
	};
}

static struct cut *cut_of(const struct cut_params *p, uint8_t salt)
{
	struct cut *c = mem_alloc(sizeof *c);
	uint8_t key[KEY_SIZE];

	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(i + salt);
	cut_init(c, p, key);
	return c;
}

/* All cuts of the bytes as of a file of the stated size; returns how many. */
static size_t cuts(
    const struct cut *c, uint64_t size, struct span s, size_t *out, size_t room)
{
	struct cut_state st;
	size_t n = 0, at = 0;

	cut_begin(&st, c, size);
	while (at < s.n) {
		size_t len = cut_next(&st, s.p + at, s.n - at, true);

		assert_in_range(len, 1, st.max);
		at += len;
		if (at < s.n)
			assert_true(len >= st.min);
		assert_true(n < room);
		out[n++] = at;
	}
	return n;
}

static void test_golden(void **state)
{
	static const size_t coarse[] = {57591, 45191, 55287, 38807, 57173, 48337, 38602,
		36098, 66073, 77426, 37911, 44125, 52173, 77952, 36410, 66254, 60125,
		43095, 41313, 20057};
	static const size_t fine[] = {2557, 1704, 3505, 4101, 2687, 1686, 2110, 2189,
		1943, 1415, 2137, 2541};
	struct cut_params p = params();
	struct cut *c = cut_of(&p, 0);
	struct buf b = BUF_EMPTY;
	size_t got[600], n, at;

	(void)state;
	assert_true(c->gear[0] == UINT64_C(0x8d17406f5580fcdd));
	assert_true(c->gear[255] == UINT64_C(0x059b1e2e9509ed4d));
	bytes_noise(&b, 1000000, 1);
	n = cuts(c, b.n, buf_span(&b), got, 600);
	assert_int_equal(n, 20);
	at = 0;
	for (size_t i = 0; i < n; i++) {
		at += coarse[i];
		assert_int_equal(got[i], at);
	}
	p.tier[0].min = 1024;
	p.tier[0].average = 2048;
	p.tier[0].max = 8192;
	free(c);
	c = cut_of(&p, 0);
	n = cuts(c, b.n, buf_span(&b), got, 600);
	assert_int_equal(n, 487);
	at = 0;
	for (size_t i = 0; i < 12; i++) {
		at += fine[i];
		assert_int_equal(got[i], at);
	}
	free(c);
	buf_release(&b);
}

static void test_tiers(void **state)
{
	struct cut_params p = params();
	struct cut *c = cut_of(&p, 0);
	struct cut_state s;

	(void)state;
	cut_begin(&s, c, 0);
	assert_int_equal(s.max, 128 << 10);
	assert_int_equal(s.threshold, 0);
	cut_begin(&s, c, 128 << 10);
	assert_int_equal(s.max, 128 << 10);
	cut_begin(&s, c, (128 << 10) + 1);
	assert_int_equal(s.min, 32 << 10);
	assert_true(s.threshold == UINT64_C(1) << (64 - 15));
	cut_begin(&s, c, 16 * MIB);
	assert_int_equal(s.min, 32 << 10);
	cut_begin(&s, c, 16 * MIB + 1);
	assert_int_equal(s.max, 1 << 20);
	assert_true(s.threshold == UINT64_C(1) << (64 - 17));
	cut_begin(&s, c, UINT64_MAX);
	assert_int_equal(s.max, 4 << 20);
	assert_true(s.threshold == UINT64_C(1) << (64 - 19));
	free(c);
}

static void test_mean(void **state)
{
	struct cut_params p = params();
	struct cut *c = cut_of(&p, 1);
	struct buf b = BUF_EMPTY;
	size_t got[2000], n;

	(void)state;
	bytes_noise(&b, 32 * MIB, 11);
	for (size_t t = 0; t < 2; t++) {
		size_t average = p.tier[t].average, mean;

		n = cuts(c, p.tier[t].file_max, buf_span(&b), got, 2000);
		mean = b.n / n;
		assert_in_range(mean, average * 85 / 100, average * 115 / 100);
	}
	free(c);
	buf_release(&b);
}

/* Bytes put in near the front move all later cuts, and change few. */
static void test_resync(void **state)
{
	struct cut_params p = params();
	struct cut *c = cut_of(&p, 2);
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;
	size_t x[200], y[200], nx, ny, same = 0;

	(void)state;
	bytes_noise(&a, 4 * MIB, 5);
	bytes_noise(&b, 1001, 99);
	buf_add_span(&b, buf_span(&a));
	nx = cuts(c, a.n, buf_span(&a), x, 200);
	ny = cuts(c, b.n, buf_span(&b), y, 200);
	while (same < nx && same < ny && x[nx - 1 - same] + 1001 == y[ny - 1 - same])
		same++;
	assert_true(same >= nx - 8);
	free(c);
	buf_release(&a);
	buf_release(&b);
}

static void test_key(void **state)
{
	struct cut_params p = params();
	struct cut *c = cut_of(&p, 0), *d = cut_of(&p, 1);
	struct buf b = BUF_EMPTY;
	size_t x[200], y[200], nx, ny, shared = 0;

	(void)state;
	bytes_noise(&b, 2 * MIB, 5);
	nx = cuts(c, b.n, buf_span(&b), x, 200);
	ny = cuts(d, b.n, buf_span(&b), y, 200);
	for (size_t i = 0; i + 1 < nx; i++)
		for (size_t j = 0; j + 1 < ny; j++)
			shared += x[i] == y[j];
	assert_true(shared <= 1);
	free(c);
	free(d);
	buf_release(&b);
}

/* A caller that gives few bytes at a time gets the same cuts, later. */
static void test_more(void **state)
{
	struct cut_params p = params();
	struct cut *c = cut_of(&p, 0);
	struct buf b = BUF_EMPTY;
	struct cut_state s;
	size_t x[200], nx, at = 0;

	(void)state;
	bytes_noise(&b, MIB, 21);
	nx = cuts(c, b.n, buf_span(&b), x, 200);
	cut_begin(&s, c, b.n);
	for (size_t i = 0; i < nx; i++) {
		size_t have = 0, len = 0;

		while (len == 0) {
			have = have + 5000 < b.n - at ? have + 5000 : b.n - at;
			len = cut_next(&s, b.p + at, have, at + have == b.n);
			assert_true(len > 0 || have < s.max);
		}
		at += len;
		assert_int_equal(at, x[i]);
	}
	free(c);
	buf_release(&b);
}

/* Constant bytes, whole files, a file that grew, and none at all. */
static void test_edges(void **state)
{
	struct cut_params p = params();
	struct cut *c = cut_of(&p, 0);
	struct buf b = BUF_EMPTY;
	struct cut_state s;
	size_t x[200], n;

	(void)state;
	memset(buf_extend(&b, MIB), 0, MIB);
	n = cuts(c, b.n, buf_span(&b), x, 200);
	assert_true(n == 4 || n == 32); /* all at max, or all at min */

	cut_begin(&s, c, 100000);
	assert_int_equal(cut_next(&s, b.p, 100000, true), 100000);
	assert_int_equal(cut_next(&s, b.p, 100000, false), 0);
	assert_int_equal(cut_next(&s, b.p, 200000, false), 128 << 10);
	assert_int_equal(cut_next(&s, b.p, 0, true), 0);
	free(c);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_mean),
		cmocka_unit_test(test_resync),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
