/*
 * The local cache of one repository: a folder named by the repository's id below
 * BALE_CACHE_DIR or XDG's cache folder, mode 0700. Disposable and never truth: what is
 * unreadable or wrong in it counts as absent. Sealed with the cache key; files are
 * replaced by rename. One thread.
 */
#ifndef BALE_REPO_CACHE_H
#define BALE_REPO_CACHE_H

#include "repo/repo.h"

struct cache;

/*
 * `dir` holds the caches of all repositories, and is made where absent. NULL, or one that
 * cannot be had: a cache that keeps nothing. The lock of this repository's folder is
 * taken if it is free; a process without it only reads, and its writing does nothing.
 * Main thread: it draws a seed for nonces from env, whether or not anything is kept.
 */
struct cache *cache_open(struct repo *r, const char *dir);

/* The same under another lock, for who writes only files that its owners alone write. */
struct cache *cache_open_apart(struct repo *r, const char *dir, const char *lock);

/* For who only reads the repository: makes nothing, and leaves the lock to a backup. */
struct cache *cache_look(struct repo *r, const char *dir);

/* The same, but the folder is made where absent, for temporary files. */
struct cache *cache_look_made(struct repo *r, const char *dir);
void cache_close(struct cache *c); /* NULL is harmless */
bool cache_owned(const struct cache *c);

/* The folder, for index runs and temporary files; NULL where nothing can be kept. */
const char *cache_path(const struct cache *c);

/* A temporary file without a name, to write and read; -1 where none can be had. */
int cache_unnamed(struct cache *c);

/*
 * Small files, whole; names as store.h has them. get replaces *plain; false, and *plain
 * empty, where absent or not whole. put and drop: best effort.
 */
#define CACHE_FILE_MAX (1u << 30)

bool cache_get(struct cache *c, const char *name, struct buf *plain);
void cache_put(struct cache *c, const char *name, struct span plain);
void cache_drop(struct cache *c, const char *name);

/*
 * A pack: chunks by id in one file (the hunks of a set's newest band), written from start
 * to end beside the old one and put in its place when it is finished. A pack that is cut
 * off counts as far as it is whole.
 */
struct cache_pack;

/* The name of a set's pack: a digest, as a set may be called anything. */
void cache_pack_name(struct repo *r, const char *set, char name[NAME_MAX_LEN + 1]);
struct cache_pack *cache_pack_open(struct cache *c, const char *name); /* NULL: none */
/* Replaces *plain. That the plain bytes have the id is for the caller to check. */
bool cache_pack_get(struct cache_pack *p, const struct id *id, struct buf *plain);
bool cache_pack_has(const struct cache_pack *p, const struct id *id); /* whole or not */
size_t cache_pack_count(const struct cache_pack *p);
void cache_pack_close(struct cache_pack *p); /* NULL is harmless */

struct cache_pack_writer;

/*
 * `old` (may be NULL) lends the stored bytes of chunks that it has, and stays open until
 * the writer is gone. NULL where nothing can be written, which the functions below bear.
 */
struct cache_pack_writer *cache_pack_create(
    struct cache *c, const char *name, struct cache_pack *old);
/*
 * Write behind what is there, in place: what was added of an id last is the one that
 * counts, and abandoning takes nothing back. Makes the pack where there is none.
 */
struct cache_pack_writer *cache_pack_append(struct cache *c, const char *name);
/* At most FRAME_PLAIN_MAX bytes. An id that it has already is left alone. */
void cache_pack_add(struct cache_pack_writer *w, const struct id *id, struct span plain);
/* Keep a chunk that only `old` has, if it does. */
void cache_pack_keep(struct cache_pack_writer *w, const struct id *id);
void cache_pack_commit(struct cache_pack_writer *w);  /* frees */
void cache_pack_abandon(struct cache_pack_writer *w); /* frees */

#endif
