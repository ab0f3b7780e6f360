/* BLAKE2b: known answers, parts and pieces, and b2sum's word for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/digest.h"
#include "tests/support/bytes.h"

static const struct span abc = {(const uint8_t *)"abc", 3};

static void test_known(void **state)
{
	uint8_t key[32], want[32], got[32];
	struct digest d;
	struct id id;

	(void)state;
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i;

	bytes_hex("56a17e38cc371a46b12c32f18e0c61de2a84e9c2555b114e", want);
	digest_name(&id, &abc, 1);
	assert_memory_equal(id.b, want, ID_SIZE);

	bytes_hex("ab3b5331a7135ed50d0f182d026e60abdb3646fd51bcf8a3", want);
	digest_name(&id, NULL, 0);
	assert_memory_equal(id.b, want, ID_SIZE);

	bytes_hex("43f5ccafe5afc5b810756184a24cdb8980ca46b3cd554e3a", want);
	digest_id(&id, span_of(key, 32), abc);
	assert_memory_equal(id.b, want, ID_SIZE);

	bytes_hex("129438b4bd9d50a2bf293b8d548d92db4b84c7524e024380", want);
	digest_id(&id, span_of(key, 32), SPAN_EMPTY);
	assert_memory_equal(id.b, want, ID_SIZE);

	bytes_hex("cf4ab791c62b8d2b2109c90275287816", want);
	digest_short(got, abc);
	assert_memory_equal(got, want, DIGEST_SHORT);

	bytes_hex(
	    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319", want);
	digest_init(&d, 32, NULL, 0);
	digest_add(&d, abc);
	digest_end(&d, got);
	assert_memory_equal(got, want, 32);
}

static void test_pieces(void **state)
{
	struct buf b = BUF_EMPTY;
	struct id whole, id;
	struct span parts[3];

	(void)state;
	bytes_noise(&b, 5000, 7);
	parts[0] = buf_span(&b);
	digest_name(&whole, parts, 1);
	for (size_t cut = 0; cut <= b.n; cut += 127) {
		struct digest d, copy;

		parts[0] = span_of(b.p, cut);
		parts[1] = SPAN_EMPTY;
		parts[2] = span_of(b.p + cut, b.n - cut);
		digest_name(&id, parts, 3);
		assert_true(id_equal(&id, &whole));

		digest_init(&d, ID_SIZE, NULL, 0);
		digest_add(&d, parts[0]);
		copy = d;
		digest_add(&d, parts[2]);
		digest_end(&d, id.b);
		assert_true(id_equal(&id, &whole));
		digest_add(&copy, parts[2]);
		digest_end(&copy, id.b);
		assert_true(id_equal(&id, &whole));
	}
	buf_release(&b);
}

static void test_b2sum(void **state)
{
	char path[] = "/tmp/test_digest.XXXXXX", command[100], line[200] = "";
	char hex[2 * ID_SIZE + 1];
	struct buf b = BUF_EMPTY;
	struct span all;
	struct id id;
	FILE *f;
	int fd;

	(void)state;
	if (system("b2sum --version >/dev/null 2>&1") != 0)
		skip();
	bytes_noise(&b, 100001, 3);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, b.p, b.n), b.n);
	close(fd);
	snprintf(command, sizeof command, "b2sum -l 192 %s", path);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	pclose(f);
	unlink(path);
	all = buf_span(&b);
	digest_name(&id, &all, 1);
	hex_encode(id.b, ID_SIZE, hex);
	assert_memory_equal(line, hex, 2 * ID_SIZE);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_b2sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
