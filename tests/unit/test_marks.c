/* Tags and pins by marks: which one counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/marks.h"
#include "tests/support/band_make.h"
#include "tests/support/repo_make.h"

#define LOW  "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HIGH "bbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct env *env;
static struct repo *r;
static struct band b, other;

static int begin(void **state)
{
	(void)state;
	env = env_fixed_new(INT64_C(1800000000000000000), 1, 7);
	r = repo_make(store_mem_new(env), env, true);
	band_start(&b, 1790000000, 1, "home");
	band_start(&other, 1790000000, 10, "home"); /* the first's name begins it */
	string_list_add(&b.tags, span_str("own"));
	return 0;
}

static int end(void **state)
{
	(void)state;
	band_release(&b);
	band_release(&other);
	repo_close(r);
	env_fixed_free(env);
	return 0;
}

static struct marks *load(void)
{
	struct marks *m;
	struct err e = ERR_EMPTY;

	if (!marks_load(r, NULL, &m, &e))
		fail_msg("%s", e.text);
	return m;
}

static void put(enum mark_kind kind, const char *tag)
{
	struct marks *m = load();
	struct err e;

	assert_true(marks_put(m, r, &b.name, kind, tag, &e));
	marks_free(m);
}

struct given {
	const char *name;
};

static void given_name(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	const struct given *x = arg;

	strcpy(name, x->name ? x->name : random);
}

/* As another client may have put it: any time, any name. */
static void put_at(enum mark_kind kind, const char *tag, int64_t time, const char *name)
{
	struct mark m = {.band = b.name, .kind = kind, .time = time, .tag = mem_strdup(tag)};
	struct json_body body = JSON_BODY_EMPTY;
	struct given x = {name};
	char out[NAME_MAX_LEN + 1];
	uint64_t size;
	struct err e;

	mark_encode(&m, &body);
	assert_true(
	    repo_put_json(r, "marks", "mark", given_name, &x, &body, out, &size, &e));
	json_body_release(&body);
	mark_release(&m);
}

/* The band's tags, by now, joined by blanks. */
static void tags_are(const char *want)
{
	struct marks *m = load();
	struct buf got = BUF_EMPTY;
	struct band now;

	band_start(&now, 1790000000, 1, "home");
	for (size_t i = 0; i < b.tags.n; i++)
		string_list_add(&now.tags, span_str(b.tags.v[i]));
	marks_apply(m, &now);
	for (size_t i = 0; i < now.tags.n; i++)
		buf_printf(&got, "%s%s", i ? " " : "", now.tags.v[i]);
	assert_string_equal(buf_str(&got), want);
	band_release(&now);
	band_start(&now, 1790000000, 10, "home");
	marks_apply(m, &now);
	assert_int_equal(now.tags.n, 0);
	band_release(&now);
	buf_release(&got);
	marks_free(m);
}

static bool pinned(void)
{
	struct marks *m = load();
	bool is = marks_pinned(m, &b.name);

	assert_false(marks_pinned(m, &other.name));
	marks_free(m);
	return is;
}

static void tags(void **state)
{
	(void)state;
	tags_are("own");
	put(MARK_TAG, "b");
	put(MARK_TAG, "a");
	tags_are("own a b");
	put(MARK_UNTAG, "own");
	put(MARK_UNTAG, "b");
	tags_are("a");
	put(MARK_TAG, "own");
	put(MARK_TAG, "own");
	put(MARK_UNTAG, "never");
	tags_are("own a");
	assert_false(pinned());
}

static void pins(void **state)
{
	(void)state;
	assert_false(pinned());
	put(MARK_TAG, "pin");
	assert_false(pinned());
	put(MARK_PIN, "");
	assert_true(pinned());
	put(MARK_UNPIN, "");
	assert_false(pinned());
	put(MARK_PIN, "");
	assert_true(pinned());
	tags_are("own pin");
}

/* The newest counts, and of the same time the one with the larger name. */
static void order(void **state)
{
	(void)state;
	put_at(MARK_PIN, "", 100, HIGH);
	put_at(MARK_UNPIN, "", 99, NULL);
	put_at(MARK_UNPIN, "", 100, LOW);
	assert_true(pinned());
	put_at(MARK_UNPIN, "", 101, NULL);
	assert_false(pinned());
}

/* Another client's clock was ahead: what is said now still counts. */
static void clocks(void **state)
{
	int64_t ahead = INT64_C(1900000000000000000);

	(void)state;
	put_at(MARK_PIN, "", ahead, NULL);
	put_at(MARK_TAG, "x", ahead + 5, NULL);
	put(MARK_UNPIN, "");
	put(MARK_UNTAG, "x");
	assert_false(pinned());
	tags_are("own");
	put(MARK_TAG, "x");
	tags_are("own x");
}

static void unreadable(void **state)
{
	struct marks *m;
	struct err e;

	(void)state;
	put(MARK_PIN, "");
	assert_true(store_put(
	    r->store, "marks", LOW, &(struct span){(const uint8_t *)"torn", 4}, 1, &e));
	assert_true(store_put(
	    r->store, "marks", "readme", &(struct span){(const uint8_t *)"x", 1}, 1, &e));
	m = load();
	assert_int_equal(marks_unreadable(m), 1);
	marks_free(m);
	assert_true(pinned());
	assert_true(store_remove(r->store, "marks", LOW, &e));
	store_replace(r->store, "marks", LOW, span_str("{\"bale\":1,\"type\":\"mark\",\"na"));
	m = load();
	assert_int_equal(marks_unreadable(m), 0);
	marks_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tags, begin, end),
	    cmocka_unit_test_setup_teardown(pins, begin, end),
	    cmocka_unit_test_setup_teardown(order, begin, end),
	    cmocka_unit_test_setup_teardown(clocks, begin, end),
	    cmocka_unit_test_setup_teardown(unreadable, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
