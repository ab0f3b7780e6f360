/*
 * Which repository was last seen at a path: <cache>/known, one line a path. It is what
 * tells a storage that is not mounted from a folder that never held a repository.
 * Disposable: what cannot be read or written is not known.
 */
#ifndef BALE_CLI_KNOWN_H
#define BALE_CLI_KNOWN_H

#include <stdbool.h>

#include "format/limits.h"

struct known {
	char id[2 * REPO_ID_SIZE + 1]; /* hexadecimal */
	char mount[64]; /* the file system's type: "ext4", "fuse.rclone", … */
};

/* Paths are absolute. cache_dir NULL: nothing is known. */
bool known_find(const char *cache_dir, const char *path, struct known *out);
void known_note(const char *cache_dir, const char *path, const struct known *k);

/* The type of the mount that a folder stands on; "unknown" where that cannot be told. */
void mount_type(const char *path, char out[64]);

#endif
