/*
 * JSON files of the storage in the local cache: heads, parts, tails, notes, marks,
 * tombstones, reports. What stands under their names never changes, so one that was read
 * and found whole need not be got again. Its bytes are checked again at each use, and
 * they count only while this run's listing shows the name: what was removed does not come
 * back.
 *
 * A reader that wants to know what the storage holds by now, or deletes on the strength
 * of it (validate, vacuum), opens none.
 */
#ifndef BALE_REPO_JSON_CACHE_H
#define BALE_REPO_JSON_CACHE_H

#include "repo/repo.h"

/*
 * Open one for r: from here on repo_list and repo_get_json use it. `dir` as cache.h has
 * it.
 */
void json_cache_open(struct repo *r, const char *dir);

/*
 * What is new goes to the disk, unless another process is at that; r has none any more.
 * Harmless where it had none. repo_close does it too.
 */
void json_cache_close(struct repo *r);

/*
 * A folder was listed; a file of it was got and is whole; its bytes are wanted (appends,
 * or false). For who lists and gets files of r. Any thread.
 */
void json_cache_listed(
    struct json_cache *jc, const char *folder, const struct store_listing *l);
void json_cache_add(
    struct json_cache *jc, const char *folder, const char *name, struct span bytes);
bool json_cache_get(
    struct json_cache *jc, const char *folder, const char *name, struct buf *out);

/* A file was put, which no listing need have shown yet, and acknowledged. Any thread. */
void json_cache_put(
    struct json_cache *jc, const char *folder, const char *name, struct span bytes);

/* A file that will be read: its name and the type that it must have. */
struct json_want {
	const char *name, *type;
};

/*
 * Get those of a listed folder that are not cached, several at once, so that
 * repo_get_json finds them cached. Only a help: it stops at the first error, which who
 * reads the file will meet, and does nothing where r has no cache. Sleeps and draws no
 * more than getting does.
 */
void json_prefetch(
    struct repo *r, const char *folder, const struct json_want *v, size_t n);

#endif
