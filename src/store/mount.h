/*
 * What kind of mount a folder stands on: the mount table says the type, and for rclone
 * the mount program's own arguments say how it caches. Anything not known is
 * MOUNT_UNKNOWN, which is treated as if a close meant nothing.
 */
#ifndef BALE_STORE_MOUNT_H
#define BALE_STORE_MOUNT_H

#include "base/buf.h"
#include "store/store.h"

/* The class of the mount that an open folder is on. Never fails; reads only /proc. */
enum mount_class mount_class_of(int fd);

struct mount_line {
	char type[64];
	char source[256];   /* cut short where longer */
	/* Comma-separated, of the mount and of its file system; likewise. */
	char options[1024];
	char point[4096];
};

/* The mount table's line for an open folder. Reads only /proc. */
bool mount_line_of(int fd, struct mount_line *out);

/* The line with this mount id in the text of a mountinfo file; false if there is none. */
bool mount_find(struct span mountinfo, unsigned id, struct mount_line *out);

/* "through", "write-back", "unknown"; and back: false where the word is none of these. */
const char *mount_class_word(enum mount_class class);
bool mount_class_parse(const char *word, enum mount_class *out);

/*
 * The arguments of the program that serves a FUSE mount, each ended by a NUL; empty where
 * the mount is none, or they cannot be read. They may hold secrets.
 */
void mount_program(const struct mount_line *line, struct buf *args);

/*
 * Whether a mount was made with an option: "hard" in the line, or in the arguments -o
 * hard, or
 * --hard, --hard=x, -o hard=x. "cache=loose" asks for that value in -o or in the line.
 */
bool mount_has(const struct mount_line *line, struct span args, const char *option);

/* By type and source alone; MOUNT_UNKNOWN for fuse.rclone. */
enum mount_class mount_class_of_type(const char *type, const char *source);

/*
 * Whether a process is the rclone that serves this mount point, and if so its class.
 * Arguments and environment are as in /proc: strings, each ended by a NUL. An environment
 * that could not be read is NULL: it may set the mode too, so that arguments which do not
 * set it then leave it unknown.
 */
bool mount_rclone_serves(
    struct span args, const char *cwd, const char *point, const struct span *environment,
    enum mount_class *out);

#endif
