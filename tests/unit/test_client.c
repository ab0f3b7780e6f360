/* Registrations of clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "base/mem.h"
#include "format/client.h"

#define CLIENT "0123456789abcduv"
#define TIME   1794967807123456789

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("client", turn_client) > 0);
}

static void round_trip(const struct client *c)
{
	static const uint8_t repo[REPO_ID_SIZE] = {7};
	struct json_body body = JSON_BODY_EMPTY;
	struct buf file = BUF_EMPTY;
	struct id digest = {{0}};
	struct client back;
	struct json_file jf;
	struct fault f;

	client_encode(c, &body);
	json_make(&file, "client", "0123", repo, &body, JSON_PRIVATE, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_true(client_decode(&jf, buf_span(&jf.secret), &back, &f));
	assert_null(memmem(body.open.p, body.open.n, "my-host", 7));
	assert_string_equal(back.id, c->id);
	assert_true(back.time == c->time);
	assert_int_equal(back.retired, c->retired);
	assert_true(back.counter == c->counter);
	assert_string_equal(back.host, c->host ? c->host : "");
	client_release(&back);
	client_release(&back);
	json_file_close(&jf);
	json_body_release(&body);
	buf_release(&file);
}

static void full(void **state)
{
	struct client c = {CLIENT, TIME, true, BAND_COUNTER_MAX, NULL};

	(void)state;
	c.host = mem_strdup("my-host \xff");
	round_trip(&c);
	client_release(&c);
}

static void minimal(void **state)
{
	struct client c = {CLIENT, 0, false, 0, NULL};

	(void)state;
	round_trip(&c);
	client_release(&c);
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
