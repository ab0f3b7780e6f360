/* Sealing: a known answer, round trips, every change refused, nonces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/seal.h"
#include "tests/support/bytes.h"

static struct sealer sealer(bool off)
{
	struct sealer s;
	uint8_t key[KEY_SIZE];

	for (size_t i = 0; i < KEY_SIZE; i++)
		key[i] = (uint8_t)(0x80 + i);
	sealer_init(&s, key, off);
	return s;
}

/* draft-irtf-cfrg-xchacha-03, A.3.1 */
static void test_known(void **state)
{
	static const char plain[] =
	    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
	    "for the future, sunscreen would be it.";
	uint8_t aad[12], nonce[NONCE_SIZE], want[130];
	struct sealer s = sealer(false);
	struct buf out = BUF_EMPTY;

	(void)state;
	bytes_hex("50515253c0c1c2c3c4c5c6c7", aad);
	bytes_hex("404142434445464748494a4b4c4d4e4f5051525354555657", nonce);
	bytes_hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
		  "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
		  "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
		  "21f9664c97637da9768812f615c68b13b52e"
		  "c0875924c1c7987947deafd8780acf49", want);
	seal(&s, nonce, span_of(aad, sizeof aad), span_str(plain), &out);
	assert_int_equal(out.n, seal_size(&s, sizeof plain - 1));
	assert_memory_equal(out.p, nonce, NONCE_SIZE);
	assert_memory_equal(out.p + NONCE_SIZE, want, sizeof want);
	sealer_release(&s);
	buf_release(&out);
}

static void test_round_trip(void **state)
{
	struct buf plain = BUF_EMPTY, sealed = BUF_EMPTY, out = BUF_EMPTY;
	const uint8_t nonce[NONCE_SIZE] = {1};

	(void)state;
	for (int off = 0; off < 2; off++) {
		struct sealer s = sealer(off);

		for (size_t n = 0; n < 300000; n = n * 3 + 1) {
			struct err e = ERR_EMPTY;

			buf_clear(&plain);
			buf_clear(&sealed);
			buf_clear(&out);
			bytes_noise(&plain, n, n + 1);
			buf_add_str(&sealed, "ab");
			buf_add_str(&out, "abc");
			seal(&s, nonce, span_str("aad"), buf_span(&plain), &sealed);
			assert_int_equal(sealed.n, 2 + seal_size(&s, n));
			assert_true(unseal(&s, span_str("aad"),
			    span_of(sealed.p + 2, sealed.n - 2), &out, &e));
			assert_int_equal(out.n, n + 3);
			assert_true(span_equal(span_of(out.p + 3, n), buf_span(&plain)));
		}
		sealer_release(&s);
	}
	buf_release(&plain);
	buf_release(&sealed);
	buf_release(&out);
}

static void refuse(struct sealer *s, const char *aad, struct span sealed)
{
	struct buf out = BUF_EMPTY;
	struct err e = ERR_EMPTY;

	buf_add_str(&out, "kept");
	assert_false(unseal(s, span_str(aad), sealed, &out, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(out.n, 4);
	buf_release(&out);
}

static void test_refuse(void **state)
{
	struct sealer s = sealer(false);
	const uint8_t nonce[NONCE_SIZE] = {9};
	struct buf b = BUF_EMPTY;

	(void)state;
	seal(&s, nonce, span_str("aad"), span_str("some plain bytes"), &b);
	for (size_t n = 0; n < b.n; n++)
		refuse(&s, "aad", span_of(b.p, n));
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 1;
		refuse(&s, "aad", buf_span(&b));
		b.p[i] ^= 1;
	}
	refuse(&s, "aae", buf_span(&b));
	refuse(&s, "", buf_span(&b));
	s.key[31] ^= 0x80;
	refuse(&s, "aad", buf_span(&b));
	sealer_release(&s);
	buf_release(&b);
}

static void test_nonces(void **state)
{
	uint8_t seed[32], want[NONCE_SIZE], all[64][NONCE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof seed; i++)
		seed[i] = (uint8_t)i;
	bytes_hex("a26715c210446555ef5895db0b806ea9b6d118bb69bdb3a9", want);
	nonce_derive(all[0], seed, 1, 2);
	assert_memory_equal(all[0], want, NONCE_SIZE);
	for (size_t i = 0; i < 64; i++)
		nonce_derive(all[i], seed, i / 8, i % 8);
	for (size_t i = 0; i < 64; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(all[i], all[j], NONCE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_nonces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
