/* Comparing what stands in two directories: names, contents and attributes. */
#ifndef BALE_TESTS_TREE_COMPARE_H
#define BALE_TESTS_TREE_COMPARE_H

#include <stdbool.h>

/*
 * NULL where all below a is below b and the other way round, with the same kind, mode,
 * owner, size, mtime, number of links, device, extended attributes, target and content,
 * the two directories included. Else what differs first, in a static buffer.
 */
const char *tree_differs(const char *a, const char *b);

/*
 * The same, but that what is in a may be missing in b. Directories' attributes and
 * numbers of links are not looked at. *missing counts the files.
 */
const char *tree_exceeds(const char *a, const char *b, unsigned *missing);

#endif
