/*
 * Test vectors: readable text in testdata/vectors/<structure>/. A .hex file holds bytes
 * as pairs of hex digits, white space as one likes, and comments from '#' to the line's
 * end. A .json file holds the bytes themselves.
 */
#ifndef BALE_TESTS_VECTOR_H
#define BALE_TESTS_VECTOR_H

#include "base/buf.h"

/* Reads one file; ends the test program with a message where it cannot. */
void vector_read(const char *path, struct buf *out);

/*
 * Calls fn for each file of testdata/vectors/<structure>/ whose name begins with prefix
 * ("good-", "bad-", "unsupported-"), in order. Returns how many there were.
 */
size_t vector_each(const char *structure, const char *prefix,
    void (*fn)(const char *name, struct span bytes, void *arg), void *arg);

#endif
