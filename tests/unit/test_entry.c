/* The order and the rules of apaths, front coding, extended attributes. */
#include "format/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* In order; design: all children of a directory before those of any of its
 * subdirectories. */
static const char *const ordered[] = {
    "/",
    "/a",
    "/a-x",
    "/abcdefghijkl",
    "/abcdefghijkm",
    "/c",
    "/\xff",
    "/a/.x",
    "/a/b",
    "/a/z",
    "/a/b/f",
    "/a/z/a",
    "/a/z/a/a",
    "/a-x/f",
    "/a-x/f/a",
    "/c/0",
};

#define ORDERED (sizeof ordered / sizeof *ordered)

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_order(void **s)
{
	int i, k;

	(void)s;
	for (i = 0; i < (int)ORDERED; i++)
		for (k = 0; k < (int)ORDERED; k++)
			assert_int_equal(sign(apath_compare(span_str(ordered[i]),
			                     span_str(ordered[k]))),
			    sign(i - k));
}

static void test_valid(void **s)
{
	static const char *const good[] = {
	    "/", "/a", "/...", "/.a", "/a/..b", "/ /\n/\xff"};
	static const char *const bad[] = {"", "a", "a/b", "//", "/a/", "/a//b", "/.",
	    "/..", "/a/.", "/a/..", "/./a", "/../a", "/a/../b"};
	char *apath = test_malloc(APATH_MAX + 1);
	size_t i;

	(void)s;
	for (i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(apath_valid(span_str(good[i])));
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(apath_valid(span_str(bad[i])));
	assert_false(apath_valid(span_of("/a\0b", 4)));
	memset(apath, 'a', APATH_MAX + 1);
	apath[0] = '/';
	assert_true(apath_valid(span_of(apath, APATH_MAX)));
	assert_false(apath_valid(span_of(apath, APATH_MAX + 1)));
	test_free(apath);
}

static void test_within(void **s)
{
	(void)s;
	assert_true(apath_within(span_str("/a/b"), span_str("/a")));
	assert_true(apath_within(span_str("/a"), span_str("/a")));
	assert_true(apath_within(span_str("/a"), span_str("/")));
	assert_true(apath_within(span_str("/"), span_str("/")));
	assert_false(apath_within(span_str("/a-x"), span_str("/a")));
	assert_false(apath_within(span_str("/a"), span_str("/a/b")));
	assert_false(apath_within(span_str("/"), span_str("/a")));
	assert_false(apath_within(span_str("/b/a"), span_str("/a")));
}

/* Once with columns of their own, once with one buf for both. */
static void test_front_coding(void **s)
{
	struct buf prefix = BUF_EMPTY, suffix = BUF_EMPTY, both = BUF_EMPTY;
	struct buf last = BUF_EMPTY, last2 = BUF_EMPTY;
	struct cursor p, q, c;
	size_t i;

	(void)s;
	for (i = 0; i < ORDERED; i++) {
		apath_encode(&prefix, &suffix, &last, span_str(ordered[i]));
		apath_encode(&both, &both, &last2, span_str(ordered[i]));
	}
	assert_int_equal(both.n, prefix.n + suffix.n);
	buf_clear(&last);
	buf_clear(&last2);
	cursor_init(&p, buf_span(&prefix));
	cursor_init(&q, buf_span(&suffix));
	cursor_init(&c, buf_span(&both));
	for (i = 0; i < ORDERED; i++) {
		assert_true(apath_decode(&p, &q, &last));
		assert_true(span_equal(buf_span(&last), span_str(ordered[i])));
		assert_true(apath_decode(&c, &c, &last2));
		assert_true(span_equal(buf_span(&last2), span_str(ordered[i])));
	}
	assert_true(cursor_end(&p, NULL, "p") && cursor_end(&q, NULL, "q"));
	assert_true(cursor_end(&c, NULL, "c"));
	buf_release(&prefix);
	buf_release(&suffix);
	buf_release(&both);
	buf_release(&last);
	buf_release(&last2);
}

static void check_decode(const char *before, const char *bytes, size_t n, int fault)
{
	struct buf last = BUF_EMPTY;
	struct cursor c;

	buf_add_str(&last, before);
	cursor_init(&c, span_of(bytes, n));
	assert_int_equal(apath_decode(&c, &c, &last), fault < 0);
	assert_int_equal(c.bad, fault >= 0);
	if (fault >= 0)
		assert_int_equal(c.fault.kind, fault);
	buf_release(&last);
}

static void test_front_coding_bad(void **s)
{
	(void)s;
	check_decode("/ab", "\2c", 3, -1);
	check_decode("/ab", "\2", 1, FAULT_TRUNCATED);
	check_decode("/ab", "\2c", 2, FAULT_TRUNCATED);
	check_decode("/ab", "\2\0", 2, FAULT_CORRUPT);
	check_decode("/ab", "\3\0", 2, FAULT_CORRUPT);
	check_decode("/ab", "\4c", 3, FAULT_CORRUPT);
	check_decode("/ab", "\1az", 4, FAULT_CORRUPT);
	check_decode("/ab", "\2a", 3, FAULT_CORRUPT);
	check_decode("/ab", "\0c", 3, FAULT_CORRUPT);
	check_decode("/ab", "\3/", 3, FAULT_CORRUPT);
	check_decode("/ab", "\3/..", 5, FAULT_CORRUPT);
	check_decode("/ab", "\3//x", 5, FAULT_CORRUPT);
	check_decode("/.a", "\2/x", 4, FAULT_CORRUPT);
	check_decode("/..a", "\3/x", 4, FAULT_CORRUPT);
	check_decode("", "\1/", 3, FAULT_CORRUPT);
	check_decode("", "\0", 2, FAULT_CORRUPT);
	check_decode("", "\0/", 3, -1);
}

static void test_too_long(void **s)
{
	struct buf last = BUF_EMPTY, b = BUF_EMPTY;
	struct cursor c;
	int over;

	(void)s;
	for (over = 0; over < 2; over++) {
		buf_clear(&last);
		buf_clear(&b);
		buf_add_str(&last, "/aaaaaaaaa");
		buf_add_varint(&b, 10);
		memset(buf_extend(&b, APATH_MAX - 10u + (unsigned)over), 'b',
		    APATH_MAX - 10u + (unsigned)over);
		buf_add_byte(&b, 0);
		cursor_init(&c, buf_span(&b));
		assert_int_equal(apath_decode(&c, &c, &last), !over);
		if (over)
			assert_int_equal(c.fault.kind, FAULT_LIMIT);
	}
	buf_release(&last);
	buf_release(&b);
}

static void test_xattrs(void **s)
{
	struct buf b = BUF_EMPTY;
	struct xattr_iter it;
	struct span name, value;
	struct fault f;
	size_t i;

	(void)s;
	xattrs_open(&it, SPAN_EMPTY);
	assert_int_equal(xattrs_next(&it, &name, &value, &f), STEP_END);
	xattrs_add(&b, span_str("a"), span_str("1"));
	xattrs_add(&b, span_str("ab"), SPAN_EMPTY);
	xattrs_open(&it, buf_span(&b));
	assert_int_equal(xattrs_next(&it, &name, &value, &f), STEP_ITEM);
	assert_true(span_equal(name, span_str("a")) && span_equal(value, span_str("1")));
	assert_int_equal(xattrs_next(&it, &name, &value, &f), STEP_ITEM);
	assert_true(span_equal(name, span_str("ab")) && value.n == 0);
	assert_int_equal(xattrs_next(&it, &name, &value, &f), STEP_END);
	for (i = 1; i < b.n; i++) {
		xattrs_open(&it, span_of(b.p, i));
		if (i > 4)
			assert_int_equal(xattrs_next(&it, &name, &value, &f), STEP_ITEM);
		if (i != 4) {
			assert_int_equal(
			    xattrs_next(&it, &name, &value, &f), STEP_FAILED);
			assert_int_equal(f.kind, FAULT_TRUNCATED);
			assert_int_equal(
			    xattrs_next(&it, &name, &value, &f), STEP_FAILED);
		}
	}
	buf_release(&b);
}

static void check_xattrs_bad(const char *bytes, size_t n, enum fault_kind kind)
{
	struct xattr_iter it;
	struct span name, value;
	struct fault f;
	enum step step;

	xattrs_open(&it, span_of(bytes, n));
	do
		step = xattrs_next(&it, &name, &value, &f);
	while (step == STEP_ITEM);
	assert_int_equal(step, STEP_FAILED);
	assert_int_equal(f.kind, kind);
}

static void test_xattrs_bad(void **s)
{
	(void)s;
	check_xattrs_bad("\0\0", 2, FAULT_CORRUPT);
	check_xattrs_bad("\2a\0\0", 4, FAULT_CORRUPT);
	check_xattrs_bad("\1b\0\1a\0", 6, FAULT_CORRUPT);
	check_xattrs_bad("\1b\0\1b\0", 6, FAULT_CORRUPT);
	check_xattrs_bad("\x80\2", 2, FAULT_LIMIT);
	check_xattrs_bad("\1a\x81\x80\x40", 5, FAULT_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_within),
	    cmocka_unit_test(test_front_coding),
	    cmocka_unit_test(test_front_coding_bad),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_xattrs),
	    cmocka_unit_test(test_xattrs_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
