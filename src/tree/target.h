/*
 * Recreating files under one directory, and never outside of it: every path is resolved
 * beneath the open root, through no symlink, whoever else moves things about meanwhile.
 *
 * Paths are relative to the root: components joined by '/', without an empty, "." or ".."
 * one; the empty path is the root itself. A directory is made before what stands in it.
 * Attributes come from the entry: owner (by name where the name is known here, unless
 * `numeric`), extended attributes, mode, and last the times; those of directories when
 * target_finish is called, deepest first, as a read-only directory could not be filled.
 *
 * Who lacks the privilege to restore an attribute (or to make a device), or restores to a
 * file system that has no such thing, is told so by `lost`, and the rest goes on. The
 * set-id bits are lost with the owner they were meant for.
 *
 * All functions but open, finish and close may be called by several threads at once, on
 * different paths.
 */
#ifndef BALE_TREE_TARGET_H
#define BALE_TREE_TARGET_H

#include "base/err.h"
#include "format/entry.h"

struct target;
struct target_file;

struct target_options {
	bool numeric;
	/*
	 * An attribute was not restored: "owner", "mode", "set-id bits", "times",
	 * "device", or the name of an extended attribute. By any thread that uses the
	 * target, one at a time. May be NULL.
	 */
	void (*lost)(void *arg, struct span path, const char *what, int sys);
	void *arg;
};

/*
 * The directory must be empty, or absent: then it is made. ERR_EXISTS where it is
 * neither.
 */
bool target_open(const char *path, const struct target_options *opt, struct target **out,
    struct err *e);

/*
 * Make a directory; its attributes are kept for target_finish. The root is there already.
 */
bool target_mkdir(
    struct target *t, struct span path, const struct entry *en, struct err *e);

/* A new file of mode 0600, to be filled and finished, or abandoned: each takes it. */
bool target_create(
    struct target *t, struct span path, struct target_file **out, struct err *e);
bool target_write(
    struct target_file *f, const void *p, size_t n, uint64_t at, struct err *e);
/*
 * Set the length: what was not written is a hole. Needed only where the file ends in one.
 */
bool target_truncate(struct target_file *f, uint64_t size, struct err *e);
bool target_file_finish(struct target_file *f, const struct entry *en, struct err *e);
void target_file_abandon(struct target_file *f); /* removes it; NULL is harmless */

/* A symlink, fifo or device. */
bool target_special(
    struct target *t, struct span path, const struct entry *en, struct err *e);

/* Another name for a file made before; it has its attributes. */
bool target_link(struct target *t, struct span path, struct span first, struct err *e);

/*
 * Apply the attributes of the directories, all else being done. Goes on where one fails,
 * and then tells of the first.
 */
bool target_finish(struct target *t, struct err *e);
void target_close(struct target *t); /* NULL is harmless */

/* How often `lost` was called. */
uint64_t target_lost(const struct target *t);

#endif
