/* Tombstones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "format/tombstone.h"

#define CLIENT "0123456789abcduv"
#define TIME   1794967807123456789

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("tombstone", turn_tombstone) > 0);
}

static void round_trip(const struct tombstone *t)
{
	static const uint8_t repo[REPO_ID_SIZE] = {7};
	struct json_body body = JSON_BODY_EMPTY;
	struct buf file = BUF_EMPTY;
	struct id digest = {{0}};
	struct tombstone back;
	struct json_file jf;
	struct fault f;
	size_t i;

	tombstone_encode(t, &body);
	json_make(&file, "tombstone", "0123", repo, &body, JSON_NONE, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_true(tombstone_decode(&jf, &back, &f));
	assert_int_equal(body.secret.n, 0);
	assert_string_equal(back.run.text, t->run.text);
	assert_true(back.time == t->time);
	assert_int_equal(back.n_bundles, t->n_bundles);
	for (i = 0; i < t->n_bundles; i++) {
		assert_true(id_equal(&back.bundles[i], &t->bundles[i]));
		assert_int_equal(back.hunks[i], t->hunks[i]);
	}
	assert_int_equal(back.files.n, t->files.n);
	for (i = 0; i < t->files.n; i++)
		assert_string_equal(back.files.v[i], t->files.v[i]);
	tombstone_release(&back);
	tombstone_release(&back);
	json_file_close(&jf);
	json_body_release(&body);
	buf_release(&file);
}

static void full(void **state)
{
	struct tombstone t;
	struct id name;
	unsigned i;

	(void)state;
	tombstone_init(&t);
	band_name_make(&t.run, TIME, CLIENT, BAND_COUNTER_MAX);
	t.time = TIME;
	for (i = 0; i < 100; i++) {
		memset(name.b, (int)i, ID_SIZE);
		tombstone_add_bundle(&t, &name, i % 3 == 0);
	}
	string_list_add(&t.files, span_str("index/0123"));
	string_list_add(&t.files, span_str("health/4567"));
	round_trip(&t);
	tombstone_release(&t);
}

static void minimal(void **state)
{
	struct tombstone t;

	(void)state;
	tombstone_init(&t);
	band_name_make(&t.run, 0, CLIENT, 1);
	round_trip(&t);
	tombstone_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors),
	    cmocka_unit_test(full),
	    cmocka_unit_test(minimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
