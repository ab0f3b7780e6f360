/* The envelope of JSON files, and the forms of values in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "format/json_internal.h"

static const uint8_t repo[REPO_ID_SIZE] = {0xab, 1, 2, 3, 4, 5, 6, 7, 8};
static const struct id digest = {{1, 2, 3}};

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("json", turn_envelope) > 0);
}

static void check_offsets(enum json_secret mode, const char *secret, size_t pad)
{
	struct buf file = BUF_EMPTY, open = BUF_EMPTY;
	struct json_file jf;
	struct fault f;
	size_t aad, digested;

	if (pad > 0) {
		buf_add_str(&open, "\"x\":\"");
		memset(buf_extend(&open, pad), 'x', pad);
		buf_add_str(&open, "\"");
	}
	json_file_begin(
	    &file, "tail", "a-name", repo, buf_span(&open), mode, strlen(secret));
	aad = file.n;
	json_file_secret(&file, mode, span_str(secret));
	digested = file.n;
	json_file_end(&file, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_string_equal(jf.type, "tail");
	assert_string_equal(jf.name, "a-name");
	assert_memory_equal(jf.repo, repo, REPO_ID_SIZE);
	assert_true(id_equal(&jf.digest, &digest));
	assert_int_equal(jf.mode, mode);
	assert_int_equal(jf.aad, aad);
	assert_int_equal(jf.digested, digested);
	assert_true(span_equal(buf_span(&jf.secret), span_str(secret)));
	json_file_close(&jf);
	json_file_close(&jf);
	buf_release(&file);
	buf_release(&open);
}

/* Around 1000 bytes in all, where the length takes one digit more. */
static void offsets(void **state)
{
	size_t pad;

	(void)state;
	for (pad = 0; pad < 1200; pad++) {
		check_offsets(JSON_NONE, "", pad);
		check_offsets(JSON_PRIVATE, "{\"digest\":1,\"sealed\":\"\\\"}\"}", pad);
		check_offsets(JSON_SEALED,
		    "0123456789012345678901234567890123456789 and more", pad);
	}
}

static void refuses_size(void **state)
{
	struct buf big = BUF_EMPTY;
	struct json_file jf;
	struct fault f;

	(void)state;
	memset(buf_extend(&big, JSON_MAX + 1), ' ', JSON_MAX + 1);
	assert_false(json_file_open(buf_span(&big), &jf, &f));
	assert_int_equal(f.kind, FAULT_LIMIT);
	assert_false(json_file_open(SPAN_EMPTY, &jf, &f));
	assert_int_equal(f.kind, FAULT_TRUNCATED);
	buf_release(&big);
}

static void check_text(const char *bytes, const char *text)
{
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;

	text_encode(span_str(bytes), &a);
	assert_string_equal(buf_str(&a), text);
	assert_true(text_decode(span_str(text), &b));
	assert_string_equal(buf_str(&b), bytes);
	buf_release(&a);
	buf_release(&b);
}

static void text(void **state)
{
	(void)state;
	check_text("", "");
	check_text("100%", "100%25");
	check_text("a\nb\x7f\x01", "a%0Ab%7F%01");
	check_text("\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "été € 😀");
	check_text("\xe9t\xe9", "%E9t%E9");                      /* Latin-1 */
	check_text("\xc0\xaf", "%C0%AF");                        /* overlong */
	check_text("\xe0\x9f\xbf\xe0\xa0\x80", "%E0%9F%BF\xe0\xa0\x80");
	check_text("\xed\xa0\x80", "%ED%A0%80");                 /* a surrogate */
	check_text("\xf0\x8f\xbf\xbf", "%F0%8F%BF%BF");
	check_text("\xf4\x90\x80\x80", "%F4%90%80%80");          /* beyond U+10FFFF */
	check_text("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
	check_text("\xe2\x82", "%E2%82");                        /* cut off */
	check_text("\xe2\x82\xe2\x82\xac", "%E2%82€");
}

static void text_refused(void **state)
{
	static const char *const bad[] = {"%", "%4", "%41", "%0a", "%c3%a9", "%C3%A9",
	    "%G0", "\n", "\x7f", "\xe9", "100% ", "%%"};
	struct buf out = BUF_EMPTY;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(text_decode(span_str(bad[i]), &out));
	buf_release(&out);
}

/* Every pair of bytes, and three more behind it. */
static void text_any(void **state)
{
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;
	uint8_t s[5] = {0, 0, 0x80, 0xbf, 'x'};
	unsigned i;

	(void)state;
	for (i = 0; i < 65536; i++) {
		s[0] = (uint8_t)(i >> 8);
		s[1] = (uint8_t)i;
		buf_clear(&a);
		buf_clear(&b);
		text_encode(span_of(s, sizeof s), &a);
		assert_true(text_decode(buf_span(&a), &b));
		assert_true(span_equal(buf_span(&b), span_of(s, sizeof s)));
	}
	buf_release(&a);
	buf_release(&b);
}

static void base64(void **state)
{
	static const char *const bad[] = {"A", "QQ", "QR==", "QUJ=", "QQ=A", "Q===",
	    "====", "QUJD\n", "QU D", "QQ==QQ==", "QU-_"};
	struct buf a = BUF_EMPTY, b = BUF_EMPTY;
	uint8_t bytes[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	for (i = 0; i <= sizeof bytes; i++) {
		buf_clear(&a);
		buf_clear(&b);
		base64_encode(span_of(bytes, i), &a);
		assert_int_equal(a.n, base64_size(i));
		assert_true(base64_decode(buf_span(&a), &b));
		assert_true(span_equal(buf_span(&b), span_of(bytes, i)));
	}
	buf_clear(&a);
	base64_encode(span_str("fo?>\xff"), &a);
	assert_string_equal(buf_str(&a), "Zm8/Pv8=");
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_clear(&b);
		assert_false(base64_decode(span_str(bad[i]), &b));
	}
	buf_release(&a);
	buf_release(&b);
}

static void check_time(int64_t ns, const char *expected)
{
	char out[TIME_TEXT_SIZE + 1];
	int64_t back;

	time_encode(ns, out);
	if (expected)
		assert_string_equal(out, expected);
	assert_true(time_decode(span_str(out), &back));
	assert_true(back == ns);
}

static void times(void **state)
{
	static const char *const bad[] = {"", "2026-11-18T02:10:07.123456789",
	    "2026-11-18 02:10:07.123456789Z", "2026-02-29T02:10:07.123456789Z",
	    "2026-00-18T02:10:07.123456789Z", "2026-13-18T02:10:07.123456789Z",
	    "2026-11-00T02:10:07.123456789Z", "2026-11-18T24:00:00.000000000Z",
	    "2026-11-18T02:60:07.123456789Z", "2026-11-18T02:10:60.123456789Z",
	    "2026-11-18t02:10:07.123456789Z", "2026-11-18T02:10:07.12345678xZ",
	    "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43.145224191Z",
	    "9999-12-31T00:00:00.000000000Z", "0000-01-01T00:00:00.000000000Z"};
	int64_t ns, day;
	size_t i;

	(void)state;
	check_time(0, "1970-01-01T00:00:00.000000000Z");
	check_time(-1, "1969-12-31T23:59:59.999999999Z");
	check_time(951782400000000000, "2000-02-29T00:00:00.000000000Z");
	check_time(1794967807123456789, "2026-11-18T02:10:07.123456789Z");
	check_time(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
	check_time(INT64_MIN, "1677-09-21T00:12:43.145224192Z");
	for (day = -106000; day < 106000; day += 13)
		check_time(day * 86400 * 1000000000 + 1, NULL);
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(time_decode(span_str(bad[i]), &ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors),
	    cmocka_unit_test(offsets),
	    cmocka_unit_test(refuses_size),
	    cmocka_unit_test(text),
	    cmocka_unit_test(text_refused),
	    cmocka_unit_test(text_any),
	    cmocka_unit_test(base64),
	    cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
