/* The cursor, hexadecimal, and names. */
#include "format/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_fixed(void **s)
{
	static const uint8_t bytes[] = {
	    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	struct fault f;
	struct cursor c;
	struct span b;

	(void)s;
	cursor_init(&c, span_of(bytes, sizeof bytes));
	assert_int_equal(cursor_u8(&c, "a"), 1);
	assert_int_equal(cursor_u16(&c, "b"), 0x0302);
	assert_int_equal(cursor_u32(&c, "c"), 0x07060504);
	assert_int_equal(cursor_left(&c), 9);
	assert_true(cursor_u64(&c, "d") == 0x0f0e0d0c0b0a0908u);
	b = cursor_bytes(&c, 1, "e");
	assert_true(b.n == 1 && b.p == bytes + 15);
	assert_true(cursor_end(&c, &f, "end"));
	assert_int_equal(cursor_u8(&c, "beyond"), 0);
	assert_false(cursor_end(&c, &f, "end"));
	assert_int_equal(f.kind, FAULT_TRUNCATED);
	assert_int_equal(f.at, 16);
	assert_string_equal(f.what, "beyond");
}

/* The first failure is the one that is told; from then on there are zeros. */
static void test_failed(void **s)
{
	static const uint8_t bytes[ID_SIZE] = {1, 2, 3};
	struct cursor c;
	struct fault f;
	struct id id;

	(void)s;
	cursor_init(&c, span_of(bytes, sizeof bytes));
	cursor_u8(&c, "x");
	cursor_fail(&c, FAULT_LIMIT, "first");
	cursor_fail(&c, FAULT_CORRUPT, "second");
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_u16(&c, "x"), 0);
	assert_int_equal(cursor_varint(&c, 9, "x"), 0);
	assert_int_equal(cursor_bytes(&c, 1, "x").n, 0);
	assert_int_equal(cursor_text(&c, 1, "x").n, 0);
	cursor_id(&c, &id, "x");
	assert_int_equal(id.b[0], 0);
	assert_false(cursor_end(&c, &f, "end"));
	assert_int_equal(f.kind, FAULT_LIMIT);
	assert_int_equal(f.at, 1);
	assert_string_equal(f.what, "first");
	cursor_init(&c, span_of(bytes, 2));
	assert_false(cursor_end(&c, &f, "left"));
	assert_int_equal(f.kind, FAULT_CORRUPT);
	assert_false(cursor_end(&c, NULL, "left"));
}

static void test_varint(void **s)
{
	static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX,
	    (uint64_t)INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
	struct buf b = BUF_EMPTY;
	struct cursor c;
	size_t i, k;

	(void)s;
	for (i = 0; i < sizeof values / sizeof *values; i++) {
		buf_clear(&b);
		buf_add_varint(&b, values[i]);
		cursor_init(&c, buf_span(&b));
		assert_true(cursor_varint(&c, values[i], "v") == values[i]);
		assert_true(cursor_end(&c, NULL, "end"));
		for (k = 0; k < b.n; k++) {
			cursor_init(&c, span_of(b.p, k));
			cursor_varint(&c, UINT64_MAX, "v");
			assert_true(c.bad && c.fault.kind == FAULT_TRUNCATED);
		}
		if (values[i] == 0)
			continue;
		cursor_init(&c, buf_span(&b));
		assert_int_equal(cursor_varint(&c, values[i] - 1, "v"), 0);
		assert_true(c.bad && c.fault.kind == FAULT_LIMIT && c.fault.at == 0);
	}
	buf_release(&b);
}

static enum fault_kind varint_fault(const char *bytes, size_t n)
{
	struct cursor c;

	cursor_init(&c, span_of(bytes, n));
	assert_int_equal(cursor_varint(&c, UINT64_MAX, "v"), 0);
	assert_true(c.bad);
	return c.fault.kind;
}

static void test_varint_not_shortest(void **s)
{
	(void)s;
	assert_int_equal(varint_fault("\x80\x00", 2), FAULT_CORRUPT);
	assert_int_equal(varint_fault("\xff\x80\x00", 3), FAULT_CORRUPT);
	assert_int_equal(
	    varint_fault("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10), FAULT_CORRUPT);
	assert_int_equal(varint_fault("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11),
	    FAULT_CORRUPT);
}

static void test_signed(void **s)
{
	static const int64_t values[] = {0, -1, 1, -64, 64, INT64_MAX, INT64_MIN};
	struct buf b = BUF_EMPTY;
	struct cursor c;
	size_t i;

	(void)s;
	for (i = 0; i < sizeof values / sizeof *values; i++)
		buf_add_signed(&b, values[i]);
	assert_int_equal(b.p[0], 0);
	assert_int_equal(b.p[1], 1);
	assert_int_equal(b.p[2], 2);
	assert_int_equal(b.p[3], 127);
	cursor_init(&c, buf_span(&b));
	for (i = 0; i < sizeof values / sizeof *values; i++)
		assert_true(cursor_signed(&c, "v") == values[i]);
	assert_true(cursor_end(&c, NULL, "end"));
	buf_release(&b);
}

static void test_text(void **s)
{
	struct cursor c;
	struct span t;

	(void)s;
	cursor_init(&c, span_of("ab\0\0cd", 6));
	t = cursor_text(&c, 2, "t");
	assert_true(span_equal(t, span_str("ab")));
	assert_int_equal(cursor_text(&c, 2, "t").n, 0);
	assert_false(c.bad);
	cursor_text(&c, 2, "t");
	assert_true(c.bad && c.fault.kind == FAULT_TRUNCATED);
	cursor_init(&c, span_of("abc", 4));
	cursor_text(&c, 2, "t");
	assert_true(c.bad && c.fault.kind == FAULT_LIMIT);
	cursor_init(&c, SPAN_EMPTY);
	cursor_text(&c, 2, "t");
	assert_true(c.bad && c.fault.kind == FAULT_TRUNCATED);
}

static void test_hex(void **s)
{
	uint8_t bytes[3] = {0x00, 0x9a, 0xff}, out[3];
	char text[7];

	(void)s;
	hex_encode(bytes, 3, text);
	assert_string_equal(text, "009aff");
	assert_true(hex_decode(span_str("009aff"), out, 3));
	assert_memory_equal(out, bytes, 3);
	assert_false(hex_decode(span_str("009aff"), out, 2));
	assert_false(hex_decode(span_str("009af"), out, 3));
	assert_false(hex_decode(span_str("009af"), out, 2));
	assert_false(hex_decode(span_str("009aFF"), out, 3));
	assert_false(hex_decode(span_str("009ag0"), out, 3));
}

static void test_names(void **s)
{
	char name[NAME_MAX_LEN + 2];

	(void)s;
	assert_true(name_valid(span_str("20261121-a.b")));
	assert_true(name_valid(span_str("...")));
	assert_false(name_valid(span_str("")));
	assert_false(name_valid(span_str(".")));
	assert_false(name_valid(span_str("..")));
	assert_false(name_valid(span_str("A")));
	assert_false(name_valid(span_str("a/b")));
	assert_false(name_valid(span_str("a_b")));
	assert_false(name_valid(span_of("a\0", 2)));
	memset(name, 'a', sizeof name);
	assert_true(name_valid(span_of(name, NAME_MAX_LEN)));
	assert_false(name_valid(span_of(name, NAME_MAX_LEN + 1)));
}

static void test_words(void **s)
{
	(void)s;
	assert_string_equal(fault_word(FAULT_TRUNCATED), "truncated");
	assert_string_equal(fault_word(FAULT_LIMIT), "limit");
	assert_false(fault_set(NULL, FAULT_LIMIT, 0, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fixed),
	    cmocka_unit_test(test_failed),
	    cmocka_unit_test(test_varint),
	    cmocka_unit_test(test_varint_not_shortest),
	    cmocka_unit_test(test_signed),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_hex),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
