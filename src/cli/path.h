/*
 * Paths of this machine, as users name them.
 */
#ifndef BALE_CLI_PATH_H
#define BALE_CLI_PATH_H

#include <stdbool.h>

/*
 * Absolute and without links, as far as it exists: so that a repository is known by the
 * same path whether its storage is mounted or not. To be freed.
 */
char *path_absolute(const char *path);

/* Both absolute: whether it is the folder or something in it. */
bool path_within(const char *path, const char *folder);

/*
 * Whether it looks like what other programs call a storage: "sftp:user@host:/x",
 * "rclone:remote:x", "host:x". A folder of such a name can be called "./host:x".
 */
bool path_is_address(const char *path);

#endif
