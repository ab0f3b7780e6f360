/* What validations found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "format/health.h"

#define CLIENT "0123456789abcduv"
#define TIME   1794967807123456789

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("health", turn_health) > 0);
}

static void round_trip(const struct health *h)
{
	static const uint8_t repo[REPO_ID_SIZE] = {7};
	struct json_body body = JSON_BODY_EMPTY;
	struct buf file = BUF_EMPTY;
	struct id digest = {{0}};
	struct health back;
	struct json_file jf;
	struct fault f;
	size_t i;

	health_encode(h, &body);
	json_make(&file, "health", "0123", repo, &body, JSON_NONE, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_true(health_decode(&jf, &back, &f));
	assert_int_equal(body.secret.n, 0);
	assert_string_equal(back.client, h->client);
	assert_true(back.time == h->time);
	assert_int_equal(back.n_damage, h->n_damage);
	for (i = 0; i < h->n_damage; i++) {
		assert_true(id_equal(&back.damage[i].bundle, &h->damage[i].bundle));
		assert_int_equal(back.damage[i].slot, h->damage[i].slot);
		assert_int_equal(back.damage[i].count, h->damage[i].count);
	}
	assert_int_equal(back.n_checked, h->n_checked);
	for (i = 0; i < h->n_checked; i++) {
		assert_true(id_equal(&back.checked[i].bundle, &h->checked[i].bundle));
		assert_int_equal(back.checked[i].level, h->checked[i].level);
	}
	health_release(&back);
	health_release(&back);
	json_file_close(&jf);
	json_body_release(&body);
	buf_release(&file);
}

static void full(void **state)
{
	struct damage d = {{{1}}, 17, 65536 - 17}, whole = {{{2}}, 0, 0};
	struct checked c = {{{0}}, HEALTH_STORED};
	struct health h;
	unsigned i;

	(void)state;
	health_init(&h);
	memcpy(h.client, CLIENT, CLIENT_SIZE);
	h.time = TIME;
	health_add_damage(&h, &d);
	health_add_damage(&h, &whole);
	for (i = 0; i < 100; i++) {
		c.bundle.b[0] = (uint8_t)i;
		c.level = i % 2 ? HEALTH_FULL : HEALTH_STORED;
		health_add_checked(&h, &c);
	}
	round_trip(&h);
	health_release(&h);
}

static void minimal(void **state)
{
	struct health h;

	(void)state;
	health_init(&h);
	memcpy(h.client, CLIENT, CLIENT_SIZE);
	round_trip(&h);
	health_release(&h);
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
