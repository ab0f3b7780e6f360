/* Generated input for tests: the same for the same seed, everywhere. */
#ifndef BALE_TESTS_BYTES_H
#define BALE_TESTS_BYTES_H

#include "base/buf.h"

/* Append n bytes of noise (xorshift64 from the seed, which is not 0; little-endian). */
void bytes_noise(struct buf *b, size_t n, uint64_t seed);

/* Append n bytes that compress about as well as source code does. */
void bytes_text(struct buf *b, size_t n, uint64_t seed);

/* Decode hex digits of a literal; out has room for them. */
void bytes_hex(const char *hex, uint8_t *out);

#endif
