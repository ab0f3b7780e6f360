/* Bands made quickly, for tests: JSON files, hunks and lists put on a storage by hand. */
#ifndef BALE_TESTS_BAND_MAKE_H
#define BALE_TESTS_BAND_MAKE_H

#include "format/band.h"
#include "repo/repo.h"

#define TEST_CLIENT "0123456789abcdef"

/* A band's start, seconds since 1970 UTC, and its place in the series of its client. */
void band_start(struct band *b, int64_t seconds, uint64_t counter, const char *set);

/* Put its head, part or tail; *file (NAME_MAX_LEN + 1, may be NULL) is its name. */
void band_store(struct repo *r, const struct band *b, enum band_file kind, char *file);

/* Put its removed or fence file. */
void band_mark(struct repo *r, const struct band *b, enum band_file kind, char *file);

#endif
