/*
 * The attributes of directories, kept until all files are there, and given back in the
 * reverse of the order they came in: deepest first. Memory stays bounded as long as the
 * target's file system takes an unnamed file.
 */
#ifndef BALE_TREE_LATER_H
#define BALE_TREE_LATER_H

#include "format/entry.h"

struct later;

/* The unnamed file is made in the open directory `dir`, once it is needed. */
struct later *later_new(int dir);
void later_free(struct later *l); /* NULL is harmless */

/* Copies what attributes need of the entry. */
void later_push(struct later *l, struct span path, const struct entry *en);

/*
 * The newest that was not given back yet; path and *en live until the next call.
 * STEP_FAILED: the unnamed file could not be read, errno tells why; what it held is lost.
 */
enum step later_pop(struct later *l, struct span *path, struct entry *en);

#endif
