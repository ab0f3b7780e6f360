/*
 * The primitives under every binary codec. The cursor carries its own failure, so that a
 * decoder reads straight down and asks once whether all of it held.
 */
#include "format/wire.h"

bool fault_set(struct fault *f, enum fault_kind kind, size_t at, const char *what)
{
	if (f)
		*f = (struct fault){kind, at, what};
	return false;
}

const char *fault_word(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_TRUNCATED:
		return "truncated";
	case FAULT_FOREIGN:
		return "foreign";
	case FAULT_CORRUPT:
		return "corrupt";
	case FAULT_NEWER:
		return "newer";
	case FAULT_LIMIT:
		return "limit";
	}
	return "unknown";
}

void cursor_init(struct cursor *c, struct span s)
{
	*c = (struct cursor){.s = s};
}

static void fail_at(struct cursor *c, enum fault_kind kind, size_t at, const char *what)
{
	if (c->bad)
		return;
	c->bad = true;
	fault_set(&c->fault, kind, at, what);
}

void cursor_fail(struct cursor *c, enum fault_kind kind, const char *what)
{
	fail_at(c, kind, c->at, what);
}

size_t cursor_left(const struct cursor *c)
{
	return c->bad ? 0 : c->s.n - c->at;
}

/* The next n bytes, or NULL once anything has failed. */
static const uint8_t *take(struct cursor *c, size_t n, const char *what)
{
	const uint8_t *p;

	if (c->bad)
		return NULL;
	if (n > c->s.n - c->at) {
		cursor_fail(c, FAULT_TRUNCATED, what);
		return NULL;
	}
	p = c->s.p + c->at;
	c->at += n;
	return p;
}

uint8_t cursor_u8(struct cursor *c, const char *what)
{
	const uint8_t *p = take(c, 1, what);

	return p ? *p : 0;
}

uint16_t cursor_u16(struct cursor *c, const char *what)
{
	const uint8_t *p = take(c, 2, what);

	return p ? get_u16(p) : 0;
}

uint32_t cursor_u32(struct cursor *c, const char *what)
{
	const uint8_t *p = take(c, 4, what);

	return p ? get_u32(p) : 0;
}

uint64_t cursor_u64(struct cursor *c, const char *what)
{
	const uint8_t *p = take(c, 8, what);

	return p ? get_u64(p) : 0;
}

/* More than one byte; the first is at c->at and says that another follows. */
static uint64_t varint_long(struct cursor *c, uint64_t max, const char *what)
{
	size_t at = c->at;
	unsigned shift = 0;
	uint64_t v = 0;
	uint8_t b;

	for (;;) {
		if (at == c->s.n) {
			fail_at(c, FAULT_TRUNCATED, at, what);
			return 0;
		}
		b = c->s.p[at++];
		if (shift == 63 && b > 1) {
			fail_at(c, FAULT_CORRUPT, c->at, what);
			return 0;
		}
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			break;
		shift += 7;
	}
	if (b == 0) {
		fail_at(c, FAULT_CORRUPT, c->at, what);
		return 0;
	}
	if (v > max) {
		fail_at(c, FAULT_LIMIT, c->at, what);
		return 0;
	}
	c->at = at;
	return v;
}

uint64_t cursor_varint(struct cursor *c, uint64_t max, const char *what)
{
	uint8_t b;

	if (c->bad)
		return 0;
	if (c->at == c->s.n) {
		cursor_fail(c, FAULT_TRUNCATED, what);
		return 0;
	}
	b = c->s.p[c->at];
	if (b >= 0x80)
		return varint_long(c, max, what);
	if (b > max) {
		cursor_fail(c, FAULT_LIMIT, what);
		return 0;
	}
	c->at++;
	return b;
}

int64_t cursor_signed(struct cursor *c, const char *what)
{
	uint64_t v = cursor_varint(c, UINT64_MAX, what);

	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

struct span cursor_bytes(struct cursor *c, size_t n, const char *what)
{
	const uint8_t *p = take(c, n, what);

	return p ? span_of(p, n) : SPAN_EMPTY;
}

struct span cursor_text(struct cursor *c, size_t max, const char *what)
{
	size_t left = cursor_left(c), n;
	const uint8_t *p, *end = NULL;

	if (c->bad)
		return SPAN_EMPTY;
	p = left > 0 ? c->s.p + c->at : NULL;
	if (p)
		end = memchr(p, '\0', left < max + 1 ? left : max + 1);
	if (!end) {
		cursor_fail(c, left > max ? FAULT_LIMIT : FAULT_TRUNCATED, what);
		return SPAN_EMPTY;
	}
	n = (size_t)(end - p);
	c->at += n + 1;
	return span_of(p, n);
}

void cursor_id(struct cursor *c, struct id *id, const char *what)
{
	const uint8_t *p = take(c, ID_SIZE, what);

	if (p)
		memcpy(id->b, p, ID_SIZE);
	else
		memset(id->b, 0, ID_SIZE);
}

bool cursor_end(struct cursor *c, struct fault *f, const char *what)
{
	if (!c->bad && c->at < c->s.n)
		cursor_fail(c, FAULT_CORRUPT, what);
	if (!c->bad)
		return true;
	if (f)
		*f = c->fault;
	return false;
}

void buf_add_signed(struct buf *b, int64_t v)
{
	buf_add_varint(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void hex_encode(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool hex_decode(struct span text, uint8_t *out, size_t n)
{
	int high, low;
	size_t i;

	if (text.n / 2 != n || text.n % 2 != 0)
		return false;
	for (i = 0; i < n; i++) {
		high = hex_digit(text.p[2 * i]);
		low = hex_digit(text.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool name_valid(struct span s)
{
	size_t i;
	uint8_t c;

	if (s.n == 0 || s.n > NAME_MAX_LEN)
		return false;
	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '.' && c != '-')
			return false;
	}
	return !(s.p[0] == '.' && (s.n == 1 || (s.n == 2 && s.p[1] == '.')));
}
