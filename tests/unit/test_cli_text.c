/* Escaping, sizes, times, and their parsing. */
#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void check_name(const char *in, size_t n, const char *want)
{
	struct buf b = BUF_EMPTY;

	text_name(&b, span_of(in, n));
	assert_string_equal(buf_str(&b), want);
	buf_release(&b);
}

#define NAME(in, want) check_name(in, sizeof(in) - 1, want)

static void test_name(void **state)
{
	(void)state;
	NAME("/home/ana", "/home/ana");
	NAME("100%", "100%25");
	NAME("a\nb\tc\x7f", "a%0Ab%09c%7F");
	NAME("\0", "%00");
	NAME("\x1b[31m", "%1B[31m");
	NAME("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	NAME("\xe2\x82\xac \xf0\x9f\x93\xa6", "\xe2\x82\xac \xf0\x9f\x93\xa6");
	/* C1 controls are valid UTF-8, and obeyed by terminals. */
	NAME("\xc2\x9b"
	     "31m\xc2\xa0",
	    "%C2%9B31m\xc2\xa0");
	/* Invalid: alone, cut short, overlong, a surrogate, past the end of Unicode. */
	NAME("\xff", "%FF");
	NAME("\x80", "%80");
	NAME("\xe2\x82", "%E2%82");
	NAME("\xe2\x82z", "%E2%82z");
	NAME("\xc0\xaf", "%C0%AF");
	NAME("\xe0\x80\xaf", "%E0%80%AF");
	NAME("\xf0\x80\x80\xaf", "%F0%80%80%AF");
	NAME("\xed\xa0\x80", "%ED%A0%80");
	NAME("\xf4\x90\x80\x80", "%F4%90%80%80");
	NAME("\xf5\x80\x80\x80", "%F5%80%80%80");
}

static void test_message(void **state)
{
	struct buf b = BUF_EMPTY;

	(void)state;
	text_message(&b, span_str("50% of\n\xff"));
	assert_string_equal(buf_str(&b), "50% of%0A%FF");
	buf_release(&b);
}

static void check(void (*fn)(struct buf *, uint64_t), uint64_t v, const char *want)
{
	struct buf b = BUF_EMPTY;

	fn(&b, v);
	assert_string_equal(buf_str(&b), want);
	buf_release(&b);
}

static void test_size(void **state)
{
	(void)state;
	check(text_size, 0, "0 B");
	check(text_size, 1023, "1023 B");
	check(text_size, 1024, "1.0 KiB");
	check(text_size, 1536, "1.5 KiB");
	check(text_size, 1048575, "1.0 MiB");
	check(text_size, UINT64_C(231) << 30, "231.0 GiB");
	check(text_size, UINT64_MAX, "16.0 EiB");
}

static void test_count(void **state)
{
	(void)state;
	check(text_count, 0, "0");
	check(text_count, 999, "999");
	check(text_count, 1000, "1,000");
	check(text_count, 412903, "412,903");
	check(text_count, 1234567890, "1,234,567,890");
}

static void test_counted(void **state)
{
	struct buf b = BUF_EMPTY;

	(void)state;
	text_counted(&b, 0, "file", "files");
	text_counted(&b, 1, ", 1 of them", ", of them");
	text_counted(&b, 1000, "entry", "entries");
	assert_string_equal(buf_str(&b), "0 files1 , 1 of them1,000 entries");
	buf_release(&b);
}

static void test_padded(void **state)
{
	struct buf b = BUF_EMPTY;

	(void)state;
	text_padded(&b, span_str("b\xc3\xbcro"), 6);
	text_padded(&b, span_str("%"), 5);
	text_padded(&b, span_str("longer"), 3);
	text_padded(&b, SPAN_EMPTY, 2);
	assert_string_equal(buf_str(&b), "b\xc3\xbcro  %25  longer  ");
	assert_int_equal(text_width(span_str("b\xc3\xbcro")), 4);
	assert_int_equal(text_width(span_str("\n")), 3);
	buf_release(&b);
}

static void check_duration(double v, const char *want)
{
	struct buf b = BUF_EMPTY;

	text_duration(&b, v);
	assert_string_equal(buf_str(&b), want);
	buf_release(&b);
}

static void test_duration(void **state)
{
	(void)state;
	check_duration(0.04, "0.0 s");
	check_duration(0.44, "0.4 s");
	check_duration(9.96, "10 s");
	check_duration(59.4, "59 s");
	check_duration(59.6, "1 min 0 s");
	check_duration(161, "2 min 41 s");
	check_duration(11100, "3 h 5 min");
}

static void check_time(int64_t s, uint32_t ns, const char *want)
{
	struct buf b = BUF_EMPTY;

	assert_int_equal(text_time(&b, s, ns), want != NULL);
	assert_string_equal(buf_str(&b), want ? want : "");
	buf_release(&b);
}

static void test_time(void **state)
{
	struct buf b = BUF_EMPTY;

	(void)state;
	check_time(0, 0, "1970-01-01T00:00:00Z");
	check_time(1795140607, 0, "2026-11-20T02:10:07Z");
	check_time(1795140607, 5000000, "2026-11-20T02:10:07.005000000Z");
	check_time(-1, 999999999, "1969-12-31T23:59:59.999999999Z");
	check_time(INT64_C(253402300799), 0, "9999-12-31T23:59:59Z");
	check_time(INT64_C(253402300800), 0, NULL);
	check_time(INT64_MAX, 0, NULL);
	check_time(INT64_MIN, 0, NULL);
	setenv("TZ", "UTC-1", 1);
	tzset();
	text_local_time(&b, 1795140607);
	assert_string_equal(buf_str(&b), "2026-11-20 03:10:07");
	buf_clear(&b);
	text_local_time(&b, INT64_MAX);
	assert_string_equal(buf_str(&b), "?");
	buf_release(&b);
	assert_int_equal(time_seconds(-1), -1);
	assert_int_equal(time_fraction(-1), 999999999);
	assert_int_equal(time_seconds(-1000000000), -1);
	assert_int_equal(time_fraction(-1000000000), 0);
	assert_int_equal(time_seconds(1999999999), 1);
}

static void test_parse_size(void **state)
{
	static const char *const bad[] = {"", "K", "-1", "1k", "5m", "1.5G", "1 G", "1GB",
	    " 1", "9999999999999999999", "8388608T", "0x10"};
	uint64_t v = 7;

	(void)state;
	assert_true(text_parse_size("0", &v) && v == 0);
	assert_true(text_parse_size("100", &v) && v == 100);
	assert_true(text_parse_size("64K", &v) && v == 65536);
	assert_true(text_parse_size("100M", &v) && v == 100u << 20);
	assert_true(text_parse_size("1G", &v) && v == 1u << 30);
	assert_true(text_parse_size("2T", &v) && v == UINT64_C(2) << 40);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(text_parse_size(bad[i], &v));
	assert_true(v == UINT64_C(2) << 40);
}

static void test_parse_duration(void **state)
{
	static const char *const bad[] = {
	    "", "m", "5", "5M", "5min", "-5m", "99999999999999h"};
	int64_t v = 0;

	(void)state;
	assert_true(text_parse_duration("30s", &v) && v == INT64_C(30000000000));
	assert_true(text_parse_duration("5m", &v) && v == INT64_C(300000000000));
	assert_true(text_parse_duration("2h", &v) && v == INT64_C(7200000000000));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(text_parse_duration(bad[i], &v));
}

static void test_parse_number(void **state)
{
	static const char *const bad[] = {
	    "", "-", "x", "1x", " 1", "+1", "0x1", "-8", "23", "99999999999999999999"};
	long v = 0;

	(void)state;
	assert_true(text_parse_number("-7", -7, 22, &v) && v == -7);
	assert_true(text_parse_number("22", -7, 22, &v) && v == 22);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(text_parse_number(bad[i], -7, 22, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_name),
	    cmocka_unit_test(test_message),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_count),
	    cmocka_unit_test(test_counted),
	    cmocka_unit_test(test_padded),
	    cmocka_unit_test(test_duration),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_parse_size),
	    cmocka_unit_test(test_parse_duration),
	    cmocka_unit_test(test_parse_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
