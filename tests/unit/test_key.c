/* Key slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "format/key.h"

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("key", turn_key) > 0);
}

static void round_trip(const struct key_slot *k)
{
	static const uint8_t repo[REPO_ID_SIZE];
	struct json_body body = JSON_BODY_EMPTY;
	struct buf file = BUF_EMPTY;
	struct id digest = {{0}};
	struct key_slot back;
	struct json_file jf;
	struct fault f;

	key_slot_encode(k, &body);
	assert_int_equal(body.secret.n, 0);
	json_make(&file, "key", "0123", repo, &body, JSON_NONE, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_true(key_slot_decode(&jf, &back, &f));
	assert_int_equal(back.kind, k->kind);
	assert_true(back.created == k->created);
	assert_string_equal(back.label, k->label);
	assert_true(back.ops == k->ops && back.mem == k->mem);
	assert_memory_equal(back.salt, k->salt, KDF_SALT_SIZE);
	assert_memory_equal(back.wrapped, k->wrapped, KEY_WRAPPED_SIZE);
	json_file_close(&jf);
	json_body_release(&body);
	buf_release(&file);
}

static void passphrase(void **state)
{
	struct key_slot k = {.kind = KEY_PASSPHRASE, .ops = 64, .mem = 4ull << 30};

	(void)state;
	k.created = 1794967807123456789;
	memset(k.label, '\xff', 64); /* each becomes three characters in the JSON */
	memset(k.salt, 0xc3, sizeof k.salt);
	memset(k.wrapped, 0x3c, sizeof k.wrapped);
	round_trip(&k);
}

static void key_file(void **state)
{
	struct key_slot k = {KEY_FILE, 0, "", 0, 0, {0}, {0}};

	(void)state;
	round_trip(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors),
	    cmocka_unit_test(passphrase),
	    cmocka_unit_test(key_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
