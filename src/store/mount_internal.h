/* What mount.c and mount_program.c share. */
#ifndef BALE_STORE_MOUNT_INTERNAL_H
#define BALE_STORE_MOUNT_INTERNAL_H

#include "store/mount.h"

/* The whole of a file in /proc, in place of what the buffer held. */
bool mount_read_proc(const char *path, struct buf *out);

/* The next piece up to `end`; false when nothing is left. */
bool mount_next_piece(struct span *rest, char end, struct span *piece);

/* Whether an argument names the mount point; cwd, of the program, may be NULL. */
bool mount_same_place(struct span arg, const char *cwd, const char *point);

#endif
