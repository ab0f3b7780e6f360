/*
 * The forms in which values stand in JSON files: percent-escaped text, base64, times.
 *
 * Every value has one form only, so that equal structures give equal bytes and a decoder
 * can be checked by encoding again. Text and times are decoded leniently and then
 * compared with what encoding gives: the rule for what must be escaped stands in one
 * place.
 */
#include "format/json_internal.h"

#define NS 1000000000

static bool is_continuation(const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Length of the valid UTF-8 sequence that starts at p; 0 where there is none. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return left >= 2 && is_continuation(p + 1, 1) ? 2 : 0;
	if (p[0] >= 0xe0 && p[0] <= 0xef) {
		if (left < 3 || !is_continuation(p + 1, 2))
			return 0;
		if (p[0] == 0xe0 && p[1] < 0xa0) /* overlong */
			return 0;
		return p[0] == 0xed && p[1] >= 0xa0 ? 0 : 3; /* surrogates */
	}
	if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		if (left < 4 || !is_continuation(p + 1, 3))
			return 0;
		if (p[0] == 0xf0 && p[1] < 0x90)
			return 0;
		return p[0] == 0xf4 && p[1] >= 0x90 ? 0 : 4; /* beyond U+10FFFF */
	}
	return 0;
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c != 0x7f && c != '%';
}

void text_encode(struct span bytes, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i = 0, n;

	while (i < bytes.n) {
		n = utf8_length(bytes.p + i, bytes.n - i);
		if (n > 1 || (n == 1 && is_plain(bytes.p[i]))) {
			buf_add(out, bytes.p + i, n);
			i += n;
			continue;
		}
		buf_add_byte(out, '%');
		buf_add_byte(out, (uint8_t)digits[bytes.p[i] >> 4]);
		buf_add_byte(out, (uint8_t)digits[bytes.p[i] & 15]);
		i++;
	}
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_decode(struct span text, struct buf *out)
{
	struct buf again = BUF_EMPTY;
	size_t start = out->n, i;
	bool ok;

	if (text.n == 0)
		return true;
	for (i = 0; i < text.n; i++) {
		if (text.p[i] != '%') {
			buf_add_byte(out, text.p[i]);
			continue;
		}
		if (text.n - i < 3 || hex_digit(text.p[i + 1]) < 0 ||
		    hex_digit(text.p[i + 2]) < 0)
			return false;
		buf_add_byte(out,
		    (uint8_t)(hex_digit(text.p[i + 1]) << 4 | hex_digit(text.p[i + 2])));
		i += 2;
	}
	text_encode(span_of(out->p + start, out->n - start), &again);
	ok = span_equal(text, buf_span(&again));
	buf_release(&again);
	return ok;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

void base64_encode(struct span bytes, struct buf *out)
{
	uint8_t *o = buf_extend(out, base64_size(bytes.n));
	size_t i, k, n;
	uint32_t v;

	for (i = 0; i < bytes.n; i += 3) {
		n = bytes.n - i < 3 ? bytes.n - i : 3;
		v = (uint32_t)bytes.p[i] << 16;
		if (n > 1)
			v |= (uint32_t)bytes.p[i + 1] << 8;
		if (n > 2)
			v |= bytes.p[i + 2];
		for (k = 0; k <= n; k++)
			*o++ = (uint8_t)base64_digits[v >> (18 - 6 * k) & 63];
		for (; k < 4; k++)
			*o++ = '=';
	}
}

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool base64_decode(struct span text, struct buf *out)
{
	size_t i, k, n;
	uint32_t v;
	int d;

	if (text.n % 4 != 0)
		return false;
	for (i = 0; i < text.n; i += 4) {
		n = 4;
		if (i + 4 == text.n && text.p[i + 3] == '=')
			n = text.p[i + 2] == '=' ? 2 : 3;
		for (v = 0, k = 0; k < n; k++) {
			d = base64_digit(text.p[i + k]);
			if (d < 0)
				return false;
			v |= (uint32_t)d << (18 - 6 * k);
		}
		/* bits that no byte takes must be zero */
		if ((n == 2 && (v & 0xffff)) || (n == 3 && (v & 0xff)))
			return false;
		for (k = 0; k + 1 < n; k++)
			buf_add_byte(out, (uint8_t)(v >> (16 - 8 * k)));
	}
	return true;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar; years count from March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	/* within the reach of int64 nanoseconds the guess is off by a year or two */
	*year = 1970 + days / 366;
	while (days_of(*year + 1, 1, 1) <= days)
		(*year)++;
	while (days_of(*year, 1, 1) > days)
		(*year)--;
	*month = 12;
	while (days_of(*year, *month, 1) > days)
		(*month)--;
	*day = days - days_of(*year, *month, 1) + 1;
}

void digits_encode(char *p, size_t n, uint64_t v)
{
	for (; n > 0; n--, v /= 10)
		p[n - 1] = (char)('0' + v % 10);
}

void time_split(int64_t ns, struct time_parts *t)
{
	int64_t s = ns / NS, rest = ns % NS, days, day;

	if (rest < 0) {
		rest += NS;
		s--;
	}
	day = ((s % 86400) + 86400) % 86400;
	days = (s - day) / 86400;
	date_of(days, &t->year, &t->month, &t->day);
	t->hour = day / 3600;
	t->minute = day / 60 % 60;
	t->second = day % 60;
	t->rest = rest;
}

void time_encode(int64_t ns, char out[TIME_TEXT_SIZE + 1])
{
	struct time_parts t;

	time_split(ns, &t);
	memcpy(out, "yyyy-mm-ddThh:mm:ss.nnnnnnnnnZ", TIME_TEXT_SIZE + 1);
	digits_encode(out, 4, (uint64_t)t.year);
	digits_encode(out + 5, 2, (uint64_t)t.month);
	digits_encode(out + 8, 2, (uint64_t)t.day);
	digits_encode(out + 11, 2, (uint64_t)t.hour);
	digits_encode(out + 14, 2, (uint64_t)t.minute);
	digits_encode(out + 17, 2, (uint64_t)t.second);
	digits_encode(out + 20, 9, (uint64_t)t.rest);
}

bool digits_decode(const uint8_t *p, size_t n, uint64_t *v)
{
	*v = 0;
	for (; n > 0; n--, p++) {
		if (*p < '0' || *p > '9')
			return false;
		*v = *v * 10 + (uint64_t)(*p - '0');
	}
	return true;
}

bool time_decode(struct span text, int64_t *ns)
{
	uint64_t year, month, day, hour, minute, second, rest;
	char again[TIME_TEXT_SIZE + 1];
	int64_t s;

	if (text.n != TIME_TEXT_SIZE || !digits_decode(text.p, 4, &year) ||
	    !digits_decode(text.p + 5, 2, &month) ||
	    !digits_decode(text.p + 8, 2, &day) ||
	    !digits_decode(text.p + 11, 2, &hour) ||
	    !digits_decode(text.p + 14, 2, &minute) ||
	    !digits_decode(text.p + 17, 2, &second) ||
	    !digits_decode(text.p + 20, 9, &rest))
		return false;
	if (month < 1 || month > 12)
		return false;
	s = days_of((int64_t)year, (int64_t)month, (int64_t)day) * 86400 +
	    (int64_t)(hour * 3600 + minute * 60 + second);
	/* the first second that int64 reaches is whole only with its fraction */
	if (__builtin_mul_overflow(s + (s < 0), NS, ns) ||
	    __builtin_add_overflow(*ns, (int64_t)rest - (s < 0 ? NS : 0), ns))
		return false;
	time_encode(*ns, again);
	return memcmp(text.p, again, TIME_TEXT_SIZE) == 0;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

bool base32_valid(struct span s, size_t n)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'v'))
			return false;
	return s.n == n;
}

bool feature_valid(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]) && s.p[i] != '-' &&
		    !(s.p[i] >= 'a' && s.p[i] <= 'z'))
			return false;
	return s.n >= 1 && s.n <= FEATURE_MAX;
}
