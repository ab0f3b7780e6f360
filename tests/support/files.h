/* Files of a local folder, by the beginning of their names; ways to spoil them. */
#ifndef BALE_TESTS_FILES_H
#define BALE_TESTS_FILES_H

#include <stddef.h>

#include "base/buf.h"

size_t files_count(const char *dir, const char *prefix);

typedef void files_fn(const char *path);
size_t files_each(const char *dir, const char *prefix, files_fn *fn); /* how many */

files_fn files_flip_first, files_flip_middle, files_flip_last; /* a bit of that byte */
files_fn files_cut_half, files_cut_one, files_empty;

void file_read(const char *path, struct buf *out); /* replaces *out */
void file_write(const char *path, struct span content);

#endif
