/*
 * What backup is told to save.
 */
#ifndef BALE_CLI_SOURCES_H
#define BALE_CLI_SOURCES_H

#include "cli/cli.h"

/*
 * The arguments that are to be walked; *n of them, and an array that the caller frees,
 * also after a failure. What would be saved otherwise than its name promises is told: a
 * link to a folder, and what is in the repository, which is left out. ERR_USAGE where
 * one is empty, or nothing is left.
 */
bool sources_read(struct cli *c, const char ***out, size_t *n, struct err *e);

/* Whether it can be the tag of a snapshot, and be found by --keep-tag. ERR_USAGE. */
bool tag_check(const char *tag, struct err *e);

#endif
