/* Marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "base/mem.h"
#include "format/mark.h"

#define CLIENT "0123456789abcduv"
#define TIME   1794967807123456789

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("mark", turn_mark) > 0);
}

static void round_trip(const struct mark *m)
{
	static const uint8_t repo[REPO_ID_SIZE] = {7};
	struct json_body body = JSON_BODY_EMPTY;
	struct buf file = BUF_EMPTY;
	struct id digest = {{0}};
	struct mark back;
	struct json_file jf;
	struct fault f;

	mark_encode(m, &body);
	json_make(&file, "mark", "0123", repo, &body, JSON_PRIVATE, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_true(mark_decode(&jf, buf_span(&jf.secret), &back, &f));
	assert_null(memmem(body.open.p, body.open.n, "tag-text", 8));
	assert_string_equal(back.band.text, m->band.text);
	assert_int_equal(back.kind, m->kind);
	assert_true(back.time == m->time);
	assert_string_equal(back.tag, m->tag ? m->tag : "");
	mark_release(&back);
	mark_release(&back);
	json_file_close(&jf);
	json_body_release(&body);
	buf_release(&file);
}

static void full(void **state)
{
	struct mark m = {.kind = MARK_UNTAG, .time = TIME};

	(void)state;
	band_name_make(&m.band, TIME, CLIENT, 12);
	m.tag = mem_strdup("tag-text 100% \xe9");
	round_trip(&m);
	m.kind = MARK_TAG;
	round_trip(&m);
	mark_release(&m);
}

static void minimal(void **state)
{
	struct mark m = {.kind = MARK_PIN};

	(void)state;
	band_name_make(&m.band, 0, CLIENT, 1);
	round_trip(&m);
	m.kind = MARK_UNPIN;
	round_trip(&m);
	mark_release(&m);
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
