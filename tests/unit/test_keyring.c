/* Keys: what derives, wrapping and its refusals, key files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/keyring.h"
#include "tests/support/bytes.h"

static uint8_t key[KEY_SIZE];
static const uint8_t repo[REPO_ID_SIZE] = "a repository id";

static void test_subkeys(void **state)
{
	static const char *const want[PURPOSES] = {
		"c8ba767dfee04b94a3bbdb45baabc54483fb06de998352ae00eea292ae934f3c",
		"f5a47820eb1d5eb6c823b0c769eb4f6f86d446b20baa677ad1d7ea91e42733ed",
		"6abd05d61b0adb67c6dd6dbcad0a47f24941f962206cc3367ca0d64f0cddb2cf",
		"74560c2cbe207a14dcc975ed7a4a1fda088f6e126d95d37b3ea66219fc65e909",
		"d5c06679fdb6d3f010b70bc5b2706d78d95f09dcb2b3a746e24b411edfc98ed9",
		"a7737de61e789fd14e79267ce97e77163f219d98e035b204b270bd0413b8370d",
		"21423ebabed5cc358569939ac05199e8bfd4c221e71f72e64bdbee8f1975b8a6",
	};
	struct keyring *k = keyring_new(key, true), *open = keyring_new(key, false);

	(void)state;
	for (enum purpose i = 0; i < PURPOSES; i++) {
		uint8_t bytes[KEY_SIZE];

		bytes_hex(want[i], bytes);
		assert_memory_equal(keyring_key(k, i).p, bytes, KEY_SIZE);
		assert_int_equal(keyring_key(k, i).n, KEY_SIZE);
		assert_false(keyring_sealer(k, i)->off);
		assert_memory_equal(keyring_sealer(k, i)->key, bytes, KEY_SIZE);
		assert_memory_equal(keyring_key(open, i).p, bytes, KEY_SIZE);
		assert_true(keyring_sealer(open, i)->off);
	}
	keyring_free(k);
	keyring_free(open);
	keyring_free(NULL);
}

static void refuse(const struct key_slot *slot, const uint8_t *id, struct span secret)
{
	uint8_t got[KEY_SIZE] = {0};
	struct err e = ERR_EMPTY;

	assert_false(key_unwrap(slot, id, secret, got, &e));
	assert_int_equal(e.kind, ERR_AUTH);
	assert_memory_not_equal(got, key, KEY_SIZE);
}

static void check_wrap(struct key_slot *slot, struct span secret, struct span other)
{
	struct env *env = env_fixed_new(0, 1, 1);
	struct key_slot bad;
	uint8_t got[KEY_SIZE], salt[KDF_SALT_SIZE];
	struct err e = ERR_EMPTY;

	assert_true(key_wrap(slot, repo, secret, key, env, &e));
	assert_true(key_unwrap(slot, repo, secret, got, &e));
	assert_memory_equal(got, key, KEY_SIZE);
	refuse(slot, repo, other);
	refuse(slot, key, secret); /* another repository */
	for (size_t i = 0; i < KEY_WRAPPED_SIZE; i += 7) {
		bad = *slot;
		bad.wrapped[i] ^= 1;
		refuse(&bad, repo, secret);
	}
	bad = *slot;
	bad.salt[3] ^= 1;
	refuse(&bad, repo, secret);
	bad = *slot;
	bad.ops++;
	refuse(&bad, repo, secret);

	memcpy(salt, slot->salt, sizeof salt);
	assert_true(key_wrap(slot, repo, secret, key, env, &e));
	assert_memory_not_equal(salt, slot->salt, sizeof salt);
	env_fixed_free(env);
}

static void test_passphrase(void **state)
{
	struct key_slot slot = {.kind = KEY_PASSPHRASE, .ops = 1, .mem = 8192};

	(void)state;
	check_wrap(&slot, span_str("correct horse"), span_str("correct horsf"));
	check_wrap(&slot, SPAN_EMPTY, span_str("a"));
}

static void test_key_file(void **state)
{
	struct key_slot slot = {.kind = KEY_FILE};
	uint8_t other[KEY_SIZE];

	(void)state;
	memcpy(other, key, KEY_SIZE);
	other[0] ^= 1;
	check_wrap(&slot, span_of(key, KEY_SIZE), span_of(other, KEY_SIZE));
	refuse(&slot, repo, span_of(key, KEY_SIZE - 1));
	refuse(&slot, repo, SPAN_EMPTY);
}

static void test_memory(void **state)
{
	struct key_slot slot = {.kind = KEY_PASSPHRASE, .ops = 1, .mem = 1024};
	struct env *env = env_fixed_new(0, 1, 1);
	struct err e = ERR_EMPTY;

	(void)state; /* less than Argon2id can do with */
	assert_false(key_wrap(&slot, repo, span_str("p"), key, env, &e));
	assert_int_equal(e.kind, ERR_IO);
	env_fixed_free(env);
}

static void test_file_text(void **state)
{
	static const char good[] = "bale-key-1 "
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
	static const char *const bad[] = {"", "\n", "bale-key-1 ", "bale-key-2 "
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
		"bale-key-1 "
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1\n",
		"bale-key-1 "
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0\n",
		"bale-key-1 "
		"00010203040506070809xa0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"};
	struct buf b = BUF_EMPTY;
	uint8_t got[KEY_SIZE];
	struct err e = ERR_EMPTY;
	size_t n;

	(void)state;
	key_file_make(key, &b);
	assert_string_equal(buf_str(&b), good);
	n = b.n;
	for (size_t cut = 0; cut < 2; cut++) {
		memset(got, 0, sizeof got);
		assert_true(key_file_parse(span_of(b.p, n - cut), got, &e));
		assert_memory_equal(got, key, KEY_SIZE);
	}
	b.n--;
	buf_add_str(&b, "\r\n");
	assert_true(key_file_parse(buf_span(&b), got, &e));
	buf_add_str(&b, "\n");
	assert_false(key_file_parse(buf_span(&b), got, &e));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(key_file_parse(span_str(bad[i]), got, &e));
		assert_int_equal(e.kind, ERR_AUTH);
	}
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subkeys),
		cmocka_unit_test(test_passphrase),
		cmocka_unit_test(test_key_file),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_file_text),
	};

	for (size_t i = 0; i < KEY_SIZE; i++)
		key[i] = (uint8_t)i;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
