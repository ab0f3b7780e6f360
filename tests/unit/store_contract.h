/*
 * What every store must do (store/store.h), run against an empty one. Included by the
 * tests of the implementations, after cmocka.h.
 */
#ifndef BALE_TESTS_STORE_CONTRACT_H
#define BALE_TESTS_STORE_CONTRACT_H

#include "store/store.h"

static bool put_text(struct store *s, const char *folder, const char *name,
    const char *text, struct err *e)
{
	struct span part = span_str(text);

	return store_put(s, folder, name, &part, 1, e);
}

static void check_content(
    struct store *s, const char *folder, const char *name, const char *text)
{
	struct err e = ERR_EMPTY;
	struct buf got = BUF_EMPTY;
	uint64_t size = 0;

	if (!store_get(s, folder, name, 0, SIZE_MAX, &got, &size, &e))
		fail_msg("%s", e.text);
	assert_int_equal(size, strlen(text));
	assert_string_equal(buf_str(&got), text);
	buf_release(&got);
}

/* The listing as one text, each name with a blank behind it. */
static void check_listing(struct store *s, const char *folder, const char *want)
{
	struct err e = ERR_EMPTY;
	struct store_listing l = {NULL, 0, 0};
	struct buf text = BUF_EMPTY;

	if (!store_list(s, folder, &l, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < l.n; i++)
		buf_printf(&text, "%s ", l.names[i]);
	assert_string_equal(buf_str(&text), want);
	buf_release(&text);
	store_listing_release(&l);
}

static void contract_ranges(struct store *s)
{
	static const struct {
		uint64_t at;
		size_t n;
		const char *want;
	} cases[] = {
	    {0, 4, "0123"},
	    {3, 4, "3456"},
	    {8, 4, "89"},
	    {10, 1, ""},
	    {11, 1, ""},
	    {0, 0, ""},
	    {4, SIZE_MAX, "456789"},
	    {UINT64_MAX - 1, 5, ""},
	};
	static const struct {
		size_t n;
		const char *want;
	} tails[] = {{0, ""}, {3, "789"}, {10, "0123456789"}, {11, "0123456789"},
	    {SIZE_MAX, "0123456789"}};
	struct buf got = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	uint64_t size;

	assert_true(put_text(s, "r", "ten", "0123456789", &e));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&got);
		buf_add_str(&got, ">");
		size = 99;
		assert_true(
		    store_get(s, "r", "ten", cases[i].at, cases[i].n, &got, &size, &e));
		assert_string_equal(buf_str(&got) + 1, cases[i].want);
		assert_int_equal(size, 10);
	}
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		buf_clear(&got);
		assert_true(store_get_tail(s, "r", "ten", tails[i].n, &got, &size, &e));
		assert_string_equal(buf_str(&got), tails[i].want);
		assert_int_equal(size, 10);
	}
	assert_true(store_get(s, "r", "ten", 0, 1, &got, NULL, &e));
	buf_release(&got);
}

static void contract_missing(struct store *s)
{
	struct buf got = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	uint64_t size;

	assert_false(store_get(s, "bands", "none", 0, 1, &got, NULL, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(store_get_tail(s, "no/where", "none", 1, &got, NULL, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_int_equal(got.n, 0);
	assert_false(store_stat(s, "", "none", &size, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(store_remove(s, "bands", "none", &e));
	assert_int_equal(e.kind, ERR_MISSING);
	check_listing(s, "no/where", "");
}

static void contract_run(struct store *s)
{
	struct span parts[] = {
	    span_str("one"), SPAN_EMPTY, span_str(" and "), span_str("two")};
	struct err e = ERR_EMPTY;
	uint64_t size;

	check_listing(s, "", "");
	assert_true(store_put(s, "data/7", "b", parts, 4, &e));
	check_content(s, "data/7", "b", "one and two");
	assert_int_equal(s->folders_made, 2);
	assert_true(put_text(s, "", "bale.json", "head", &e));
	assert_true(put_text(s, "", "README.txt", "read me", &e));
	assert_true(put_text(s, "data/7", "a", "first", &e));
	assert_true(put_text(s, "data/7", "a-b.c", "second", &e));
	assert_true(put_text(s, "data/70", "other", "third", &e));
	assert_int_equal(s->folders_made, 3);
	check_listing(s, "", "README.txt bale.json ");
	check_listing(s, "data", "");
	check_listing(s, "data/7", "a a-b.c b ");

	assert_false(put_text(s, "data/7", "a", "again", &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	check_content(s, "data/7", "a", "first");

	assert_true(store_stat(s, "data/7", "a", &size, &e));
	assert_int_equal(size, 5);
	assert_true(store_remove(s, "data/7", "a", &e));
	check_listing(s, "data/7", "a-b.c b ");
	contract_missing(s);
	contract_ranges(s);
}

#endif
