/*
 * What all codecs of the storage format share: ids, faults, and a cursor that reads
 * numbers and never past the end.
 */
#ifndef BALE_FORMAT_WIRE_H
#define BALE_FORMAT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/limits.h"

struct id {
	uint8_t b[ID_SIZE];
};

enum fault_kind {
	FAULT_TRUNCATED, /* ends before it should */
	FAULT_FOREIGN,   /* not one of ours: magic or type */
	FAULT_CORRUPT,   /* ours, but breaks a rule */
	FAULT_NEWER,     /* a version or required feature this reader lacks */
	FAULT_LIMIT,     /* a number past its bound */
};

struct fault {
	enum fault_kind kind;
	size_t at;        /* byte offset where it was seen */
	const char *what; /* static text: the field and the rule */
};

enum step { STEP_ITEM, STEP_END, STEP_FAILED };

/* Fill *f (may be NULL); always returns false. */
bool fault_set(struct fault *f, enum fault_kind kind, size_t at, const char *what);

/* "truncated", "foreign", … */
const char *fault_word(enum fault_kind kind);

/* A cursor: on the first failure it stops, remembers the fault, and yields zeros. */
struct cursor {
	struct span s;
	size_t at;
	bool bad;
	struct fault fault;
};

void cursor_init(struct cursor *c, struct span s);
uint8_t cursor_u8(struct cursor *c, const char *what);
uint16_t cursor_u16(struct cursor *c, const char *what);
uint32_t cursor_u32(struct cursor *c, const char *what);
uint64_t cursor_u64(struct cursor *c, const char *what);

/* LEB128 of at most 64 bits in its shortest form, and not above max (FAULT_LIMIT). */
uint64_t cursor_varint(struct cursor *c, uint64_t max, const char *what);

/* Zigzag-coded signed varint. */
int64_t cursor_signed(struct cursor *c, const char *what);

/* n bytes, borrowed. */
struct span cursor_bytes(struct cursor *c, size_t n, const char *what);
/* Bytes up to a NUL, which is read too; at most max before it (FAULT_LIMIT). */
struct span cursor_text(struct cursor *c, size_t max, const char *what);
void cursor_id(struct cursor *c, struct id *id, const char *what);
void cursor_fail(struct cursor *c, enum fault_kind kind, const char *what);
size_t cursor_left(const struct cursor *c);

/* True if nothing failed and nothing is left; otherwise fills *f. */
bool cursor_end(struct cursor *c, struct fault *f, const char *what);

void buf_add_signed(struct buf *b, int64_t v);

/* Lower-case hexadecimal. hex_decode wants exactly 2*n digits, lower case. */
void hex_encode(const uint8_t *p, size_t n, char *out); /* 2n+1 bytes, NUL-ended */
bool hex_decode(struct span text, uint8_t *out, size_t n);

static inline bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, ID_SIZE) == 0;
}

/* Whether s is a name that may stand on the storage: [0-9a-z.-]{1,80}, not . or .. */
bool name_valid(struct span s);

#endif
