/*
 * An open directory, counted by reference, so that a job may open files of it by name
 * while the walk is elsewhere. All functions are thread-safe.
 */
#ifndef BALE_TREE_DIR_H
#define BALE_TREE_DIR_H

struct dir;

/* Takes the descriptor; one reference. */
struct dir *dir_new(int fd);
struct dir *dir_ref(struct dir *d); /* returns d */
void dir_unref(struct dir *d);      /* the last one closes; NULL is harmless */

/* For openat and the like; may be an O_PATH descriptor. */
int dir_fd(const struct dir *d);

/*
 * Open for reading without leaving a trace in the access time, where that is allowed (to
 * the file's owner). -1 and errno on failure.
 */
int dir_open(const struct dir *d, const char *name, int flags);

#endif
