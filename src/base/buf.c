/* Spans and bufs. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	if (d)
		return d;
	return (a.n > b.n) - (a.n < b.n);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
}

void buf_release(struct buf *b)
{
	free(b->p);
	*b = (struct buf)BUF_EMPTY;
}

void buf_trim(struct buf *b)
{
	if (b->n == 0) {
		buf_release(b);
	} else if (b->cap > b->n) {
		b->p = mem_realloc(b->p, b->n);
		b->cap = b->n;
	}
}

void buf_reserve(struct buf *b, size_t more)
{
	size_t need = b->n + more;

	if (need < b->n)
		need = SIZE_MAX; /* cannot be had: ends the program */
	if (need > b->cap)
		b->p = mem_grow(b->p, &b->cap, need < 64 ? 64 : need, 1);
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
	uint8_t *p;

	buf_reserve(b, n);
	p = b->p + b->n;
	b->n += n;
	return p;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n)
		memcpy(buf_extend(b, n), p, n);
}

void buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

void buf_add_byte(struct buf *b, uint8_t v)
{
	if (b->n == b->cap)
		buf_reserve(b, 1);
	b->p[b->n++] = v;
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

/* A format of ours fails for want of memory alone. */
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		buf_reserve(b, (size_t)n + 1);
		n = vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (n < 0)
		mem_exhausted();
	b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

const char *buf_str(struct buf *b)
{
	buf_reserve(b, 1);
	b->p[b->n] = 0;
	return (const char *)b->p;
}

void buf_add_u16(struct buf *b, uint16_t v)
{
	put_u16(buf_extend(b, 2), v);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
	put_u32(buf_extend(b, 4), v);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	put_u64(buf_extend(b, 8), v);
}

void buf_add_varint(struct buf *b, uint64_t v)
{
	buf_reserve(b, 10);
	while (v >= 0x80) {
		b->p[b->n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	b->p[b->n++] = (uint8_t)v;
}

uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

uint64_t get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)v);
	put_u16(p + 2, (uint16_t)(v >> 16));
}

void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}
