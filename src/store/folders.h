/*
 * What listings have told of a mount's folders, so that trips are not spent on finding it
 * out again: each look at a name that is not there is one, and the kernel makes them one
 * by one.
 */
#ifndef BALE_STORE_FOLDERS_H
#define BALE_STORE_FOLDERS_H

#include <dirent.h>

#include "base/env.h"

struct folders;

struct folders *folders_new(struct env *env);
void folders_free(struct folders *f); /* NULL is harmless */

/* The top folder was opened just now: what is in it is read without another trip. */
void folders_begin(struct folders *f, DIR *top);

/* A file was put: what is looked for from now on may be there only since. */
void folders_put(struct folders *f);

/*
 * Whether a folder that is to be listed is known not to be there. Folders side by side
 * are listed one after the other: reading the folder above, below `root`, tells of all in
 * one. Each name is answered once from such a reading, so that two listings of a folder
 * are two looks at the storage, and none from what was read before this process put
 * something. Any thread.
 */
bool folders_absent(struct folders *f, int root, const char *folder);

/* readdir; NULL with errno 0 at the end. */
struct dirent *folder_next(DIR *dir, const char *folder);

/* A listing has found no such folder. */
void folders_lack(struct folders *f, const char *folder);

/* Whether that was so; true once for each time. */
bool folders_take(struct folders *f, const char *folder);

#endif
