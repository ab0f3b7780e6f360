/* Display forms. Names are bytes; only here do they become text. */
#include "cli/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS 1000000000

/* The length of the valid UTF-8 character at p, or 0. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		len = 4;
	else
		return 0;
	if (n < len)
		return 0;
	c = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

static bool is_control(const uint8_t *p, size_t len)
{
	/* C0, DEL; C1 (U+0080 to U+009F), which terminals obey too. */
	return (len == 1 && (p[0] < 0x20 || p[0] == 0x7f)) ||
	    (len == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

static void escape(struct buf *out, struct span s, bool percent)
{
	size_t len;

	for (size_t at = 0; at < s.n; at += len) {
		const uint8_t *p = s.p + at;

		len = utf8_length(p, s.n - at);
		if (len > 0 && !is_control(p, len) && !(percent && p[0] == '%')) {
			buf_add(out, p, len);
			continue;
		}
		if (len == 0)
			len = 1;
		for (size_t i = 0; i < len; i++)
			buf_printf(out, "%%%02X", p[i]);
	}
}

void text_name(struct buf *out, struct span name)
{
	escape(out, name, true);
}

void text_message(struct buf *out, struct span message)
{
	escape(out, message, false);
}

void text_size(struct buf *out, uint64_t bytes)
{
	static const char unit[][4] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes / 1024;
	size_t u = 0;

	if (bytes < 1024) {
		buf_printf(out, "%" PRIu64 " B", bytes);
		return;
	}
	/* What would round to 1024.0 of a unit is 1.0 of the next. */
	for (; v >= 1023.95 && u + 1 < sizeof unit / sizeof unit[0]; u++)
		v /= 1024;
	buf_printf(out, "%.1f %s", v, unit[u]);
}

void text_count(struct buf *out, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf_add_byte(out, ',');
		buf_add_byte(out, (uint8_t)digits[i]);
	}
}

void text_counted(struct buf *out, uint64_t n, const char *one, const char *several)
{
	text_count(out, n);
	buf_printf(out, " %s", n == 1 ? one : several);
}

static size_t characters(const uint8_t *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += (p[i] & 0xc0) != 0x80;
	return count;
}

void text_padded(struct buf *out, struct span name, size_t width)
{
	size_t start = out->n;

	text_name(out, name);
	for (size_t n = characters(out->p + start, out->n - start); n < width; n++)
		buf_add_byte(out, ' ');
}

size_t text_width(struct span name)
{
	struct buf text = BUF_EMPTY;
	size_t n;

	text_name(&text, name);
	n = characters(text.p, text.n);
	buf_release(&text);
	return n;
}

void text_duration(struct buf *out, double seconds)
{
	uint64_t s = (uint64_t)(seconds + 0.5);

	if (seconds < 9.95)
		buf_printf(out, "%.1f s", seconds);
	else if (s < 60)
		buf_printf(out, "%" PRIu64 " s", s);
	else if (s < 3600)
		buf_printf(out, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		buf_printf(out, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
}

/* RFC 3339 has four digits for a year. */
static bool year_fits(const struct tm *tm)
{
	return tm->tm_year >= -1900 && tm->tm_year <= 9999 - 1900;
}

bool text_time(struct buf *out, int64_t seconds, uint32_t ns)
{
	time_t t = seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !year_fits(&tm))
		return false;
	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (ns)
		buf_printf(out, ".%09" PRIu32, ns);
	buf_add_byte(out, 'Z');
	return true;
}

void text_local_time(struct buf *out, int64_t seconds)
{
	time_t t = seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !year_fits(&tm)) {
		buf_add_byte(out, '?');
		return;
	}
	buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

int64_t time_seconds(int64_t ns)
{
	return ns / NS - (ns % NS < 0);
}

uint32_t time_fraction(int64_t ns)
{
	return (uint32_t)((ns % NS + NS) % NS);
}

/* Digits, then `*unit` set to the one character behind them, 0 where there is none. */
static bool parse_unit(const char *s, uint64_t *n, char *unit)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || (*end && end[1]))
		return false;
	*n = v;
	*unit = *end;
	return true;
}

bool text_parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *u;
	uint64_t n;
	unsigned shift = 0;
	char unit;

	if (!parse_unit(s, &n, &unit))
		return false;
	if (unit) {
		u = strchr(units, unit);
		if (!u)
			return false;
		shift = 10 * (unsigned)(u - units + 1);
	}
	if (n > (uint64_t)INT64_MAX >> shift)
		return false;
	*out = n << shift;
	return true;
}

bool text_parse_duration(const char *s, int64_t *ns)
{
	uint64_t n, factor;
	char unit;

	if (!parse_unit(s, &n, &unit))
		return false;
	switch (unit) {
	case 's':
		factor = 1;
		break;
	case 'm':
		factor = 60;
		break;
	case 'h':
		factor = 3600;
		break;
	default:
		return false;
	}
	if (n > (uint64_t)INT64_MAX / NS / factor)
		return false;
	*ns = (int64_t)(n * factor * NS);
	return true;
}

bool text_parse_number(const char *s, long min, long max, long *out)
{
	long v;
	char *end;

	if ((*s < '0' || *s > '9') && *s != '-')
		return false;
	errno = 0;
	v = strtol(s, &end, 10);
	if (errno || end == s || *end || v < min || v > max)
		return false;
	*out = v;
	return true;
}
