/*
 * Bytes in memory. A span borrows: it never owns what it points at, and lives no longer
 * than it. A buf owns: it grows, and is released. Running out of memory ends the program
 * (mem.h), so nothing here can fail.
 */
#ifndef BALE_BASE_BUF_H
#define BALE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t n;
};

struct buf {
	uint8_t *p;
	size_t n;   /* bytes in use */
	size_t cap; /* bytes allocated */
};

#define SPAN_EMPTY ((struct span){NULL, 0})
#define BUF_EMPTY  {NULL, 0, 0}

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){p, n};
}

static inline struct span span_str(const char *s)
{
	return (struct span){(const uint8_t *)s, strlen(s)};
}

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){b->p, b->n};
}

bool span_equal(struct span a, struct span b);

/* Bytewise, the shorter first where one begins the other: <0, 0 or >0. */
int span_compare(struct span a, struct span b);

/* Empty the buf, keeping its memory for reuse. */
void buf_clear(struct buf *b);

/* Free the memory; the buf is BUF_EMPTY afterwards. Harmless on an empty one. */
void buf_release(struct buf *b);

/* Give back the memory beyond b->n. */
void buf_trim(struct buf *b);

/* Make room for `more` bytes beyond b->n. */
void buf_reserve(struct buf *b, size_t more);

/* Lengthen by n bytes of undefined content; returns their start. */
uint8_t *buf_extend(struct buf *b, size_t n);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_span(struct buf *b, struct span s);
void buf_add_byte(struct buf *b, uint8_t v);
void buf_add_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* The content as a C string: a NUL is placed behind it that b->n does not count. */
const char *buf_str(struct buf *b);

/* Little-endian fixed-width numbers, and LEB128 (at most 10 bytes, shortest form). */
void buf_add_u16(struct buf *b, uint16_t v);
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_varint(struct buf *b, uint64_t v);

uint16_t get_u16(const uint8_t *p);
uint32_t get_u32(const uint8_t *p);
uint64_t get_u64(const uint8_t *p);
void put_u16(uint8_t *p, uint16_t v);
void put_u32(uint8_t *p, uint32_t v);
void put_u64(uint8_t *p, uint64_t v);

#endif
