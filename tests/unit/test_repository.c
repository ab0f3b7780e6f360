/* The repository head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "../support/vector.h"
#include "format/repository.h"

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("repository", turn_repository) > 0);
}

static void round_trip(const struct repository *r)
{
	struct json_body body = JSON_BODY_EMPTY;
	struct buf file = BUF_EMPTY;
	struct id digest = {{0}};
	struct repository back;
	struct json_file jf;
	struct fault f;

	repository_encode(r, &body);
	assert_int_equal(body.secret.n, 0);
	json_make(&file, "repository", "bale.json", r->id, &body, JSON_NONE, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_true(repository_decode(&jf, &back, &f));
	assert_memory_equal(back.id, r->id, REPO_ID_SIZE);
	assert_true(back.created == r->created);
	assert_int_equal(back.encrypted, r->encrypted);
	assert_memory_equal(back.key, r->key, KEY_SIZE);
	assert_memory_equal(&back.cut, &r->cut, sizeof back.cut);
	assert_int_equal(back.frame_plain, r->frame_plain);
	assert_int_equal(back.bundle_target, r->bundle_target);
	assert_int_equal(back.readme_size, r->readme_size);
	assert_true(id_equal(&back.readme_digest, &r->readme_digest));
	assert_string_equal(back.unknown_feature, "");
	json_file_close(&jf);
	json_body_release(&body);
	buf_release(&file);
}

static void defaults(void **state)
{
	struct repository r;

	(void)state;
	repository_defaults(&r);
	assert_int_equal(r.cut.tier[0].min, 32 << 10);
	assert_int_equal(r.cut.tier[2].max, 4 << 20);
	round_trip(&r);
}

static void full(void **state)
{
	struct repository r;

	(void)state;
	repository_defaults(&r);
	memset(r.id, 0x5a, sizeof r.id);
	r.created = 1794967807123456789;
	r.readme_size = 1234;
	memset(r.readme_digest.b, 0xa5, ID_SIZE);
	r.encrypted = true;
	round_trip(&r);
	r.encrypted = false;
	memset(r.key, 0x77, KEY_SIZE);
	round_trip(&r);
}

static void names_unknown_feature(void **state)
{
	struct buf bytes = BUF_EMPTY;
	struct json_file jf;
	struct repository r;
	struct fault f;

	(void)state;
	vector_read("testdata/vectors/repository/unsupported-feature.json", &bytes);
	assert_true(json_file_open(buf_span(&bytes), &jf, &f));
	assert_false(repository_decode(&jf, &r, &f));
	assert_int_equal(f.kind, FAULT_NEWER);
	assert_string_equal(r.unknown_feature, "sharded-bands");
	json_file_close(&jf);
	buf_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors),
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(full),
	    cmocka_unit_test(names_unknown_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
