/*
 * A pack for each folder, so that its listing tells which records of the pack are of no
 * use any more. Records are found by a digest of the place; nothing is written until the
 * end, and then behind what is there, or, where a quarter has been removed, into a new
 * pack.
 *
 * The lock is another one than a backup's: to hold that for a moment would make a backup
 * that begins in this moment a new client's.
 */
#include "repo/json_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "codec/digest.h"
#include "repo/cache.h"

#define LOCK "lock-json"
#define FILE_LIMIT (8u << 20)  /* a longer file is rare, and worth its round trip */
#define HELD_LIMIT (64u << 20) /* what is new beyond this is left to the next run */
#define THREADS 8 /* or as many as the repository is read with, where that is more */

static const char *const folders[] = {"bands", "marks", "tombstones", "health"};
#define FOLDERS (sizeof folders / sizeof *folders)

struct place {
	struct map listed;       /* ids by this run's listing */
	bool heard;              /* there was one */
	struct map fresh;        /* id → index in `held` */
	struct cache_pack *pack; /* opened when something is first wanted; NULL: none */
	bool opened;
};

struct json_cache {
	struct repo *r;
	char *dir;
	pthread_mutex_t mutex; /* guards all below */
	struct cache *cache;   /* to read */
	struct place places[FOLDERS];
	struct buf *held;
	size_t n_held, held_cap;
	size_t held_bytes;
};

void json_cache_open(struct repo *r, const char *dir)
{
	struct json_cache *jc = mem_zalloc(sizeof *jc);

	jc->r = r;
	jc->dir = dir ? mem_strdup(dir) : NULL;
	pthread_mutex_init(&jc->mutex, NULL);
	jc->cache = cache_look(r, dir);
	for (size_t i = 0; i < FOLDERS; i++) {
		map_init(&jc->places[i].listed, ID_SIZE);
		map_init(&jc->places[i].fresh, ID_SIZE);
	}
	r->json_cache = jc;
}

static struct place *place_of(struct json_cache *jc, const char *folder)
{
	for (size_t i = 0; i < FOLDERS; i++)
		if (strcmp(folders[i], folder) == 0)
			return &jc->places[i];
	return NULL;
}

static void file_id(
    const struct json_cache *jc, const char *folder, const char *name, struct id *id)
{
	char text[NAME_MAX_LEN + 32];
	int n = snprintf(text, sizeof text, "%s/%s", folder, name);

	digest_id(id, keyring_key(jc->r->keys, PURPOSE_INDEX_ID), span_of(text, (size_t)n));
}

static void pack_name(const char *folder, char name[NAME_MAX_LEN + 1])
{
	snprintf(name, NAME_MAX_LEN + 1, "json-%s", folder);
}

static void open_pack(struct json_cache *jc, const char *folder, struct place *p)
{
	char name[NAME_MAX_LEN + 1];

	if (p->opened)
		return;
	pack_name(folder, name);
	p->pack = cache_pack_open(jc->cache, name);
	p->opened = true;
}

void json_cache_listed(
    struct json_cache *jc, const char *folder, const struct store_listing *l)
{
	struct place *p = place_of(jc, folder);
	struct id id;

	if (!p)
		return;
	pthread_mutex_lock(&jc->mutex);
	map_clear(&p->listed);
	p->heard = true;
	for (size_t i = 0; i < l->n; i++) {
		file_id(jc, folder, l->names[i], &id);
		map_put(&p->listed, &id, 0);
	}
	pthread_mutex_unlock(&jc->mutex);
}

static void hold(struct json_cache *jc, const char *folder, const char *name,
    struct span bytes, bool unlisted)
{
	struct place *p = place_of(jc, folder);
	struct id id;

	if (!p || bytes.n == 0 || bytes.n > FILE_LIMIT)
		return;
	file_id(jc, folder, name, &id);
	pthread_mutex_lock(&jc->mutex);
	if ((unlisted || map_get(&p->listed, &id)) && !map_get(&p->fresh, &id) &&
	    jc->held_bytes + bytes.n <= HELD_LIMIT) {
		map_put(&p->fresh, &id, jc->n_held);
		jc->held = mem_grow(
		    jc->held, &jc->held_cap, jc->n_held + 1, sizeof *jc->held);
		jc->held[jc->n_held] = (struct buf)BUF_EMPTY;
		buf_add_span(&jc->held[jc->n_held++], bytes);
		jc->held_bytes += bytes.n;
	}
	pthread_mutex_unlock(&jc->mutex);
}

void json_cache_add(
    struct json_cache *jc, const char *folder, const char *name, struct span bytes)
{
	hold(jc, folder, name, bytes, false);
}

void json_cache_put(
    struct json_cache *jc, const char *folder, const char *name, struct span bytes)
{
	hold(jc, folder, name, bytes, true);
}

bool json_cache_get(
    struct json_cache *jc, const char *folder, const char *name, struct buf *out)
{
	struct place *p = place_of(jc, folder);
	struct buf plain = BUF_EMPTY;
	const uint64_t *at;
	struct id id;
	bool ok = false;

	if (!p)
		return false;
	file_id(jc, folder, name, &id);
	pthread_mutex_lock(&jc->mutex);
	if (!map_get(&p->listed, &id))
		goto out;
	at = map_get(&p->fresh, &id);
	open_pack(jc, folder, p);
	if (at)
		buf_add_span(out, buf_span(&jc->held[*at]));
	else if (p->pack && cache_pack_get(p->pack, &id, &plain))
		buf_add_span(out, buf_span(&plain));
	else
		goto out;
	ok = true;
out:
	pthread_mutex_unlock(&jc->mutex);
	buf_release(&plain);
	return ok;
}

/* --- to the disk */

/* Records of names that are not listed any more. */
static size_t dead(const struct place *p, const struct cache_pack *pack)
{
	size_t at = 0, live = 0;
	const void *id;
	uint64_t v;

	if (!p->heard)
		return 0;
	while (map_next(&p->listed, &at, &id, &v))
		live += cache_pack_has(pack, id);
	return cache_pack_count(pack) - live;
}

/* Without what is not listed any more, and what was read anew. */
static void compact(
    struct cache *c, const char *name, const struct place *p, struct cache_pack *old)
{
	struct cache_pack_writer *w = cache_pack_create(c, name, old);
	size_t at = 0;
	const void *id;
	uint64_t v;

	while (map_next(&p->listed, &at, &id, &v))
		if (!map_get(&p->fresh, id))
			cache_pack_keep(w, id);
	cache_pack_commit(w);
}

static void write_place(
    struct json_cache *jc, struct cache *c, const char *folder, const struct place *p)
{
	char name[NAME_MAX_LEN + 1];
	struct cache_pack_writer *w;
	struct cache_pack *old;
	const void *id;
	size_t at = 0;
	uint64_t v;

	pack_name(folder, name);
	old = cache_pack_open(c, name); /* another process may have written since */
	if (old && dead(p, old) * 4 > cache_pack_count(old))
		compact(c, name, p, old);
	cache_pack_close(old);
	if (p->fresh.count == 0)
		return;
	w = cache_pack_append(c, name);
	while (map_next(&p->fresh, &at, &id, &v))
		cache_pack_add(w, id, buf_span(&jc->held[v]));
	cache_pack_commit(w);
}

static bool worth_writing(const struct place *p)
{
	return p->fresh.count > 0 ||
	       (p->pack && dead(p, p->pack) * 4 > cache_pack_count(p->pack));
}

static void write_out(struct json_cache *jc)
{
	struct cache *c = NULL;

	for (size_t i = 0; jc->dir && i < FOLDERS; i++) {
		if (!worth_writing(&jc->places[i]))
			continue;
		if (!c)
			c = cache_open_apart(jc->r, jc->dir, LOCK);
		if (cache_owned(c))
			write_place(jc, c, folders[i], &jc->places[i]);
	}
	cache_close(c);
}

void json_cache_close(struct repo *r)
{
	struct json_cache *jc = r->json_cache;

	if (!jc)
		return;
	r->json_cache = NULL;
	write_out(jc);
	for (size_t i = 0; i < FOLDERS; i++) {
		cache_pack_close(jc->places[i].pack);
		map_release(&jc->places[i].listed);
		map_release(&jc->places[i].fresh);
	}
	for (size_t i = 0; i < jc->n_held; i++)
		buf_release(&jc->held[i]);
	free(jc->held);
	cache_close(jc->cache);
	pthread_mutex_destroy(&jc->mutex);
	free(jc->dir);
	free(jc);
}

/* --- many at once */

struct fetch {
	struct job job;
	struct repo *r;
	const char *folder;
	struct json_want want;
	bool failed;
};

static void fetch_run(struct job *job)
{
	struct fetch *f = (struct fetch *)job;
	struct buf bytes = BUF_EMPTY, secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct json_file jf;
	uint64_t size;

	if (!repo_get(f->r, f->folder, f->want.name, 0, FILE_LIMIT, &bytes, &size, &why))
		f->failed = why.kind != ERR_MISSING;
	else if (size <= FILE_LIMIT && repo_check_json(f->r, f->want.name, f->want.type,
		     buf_span(&bytes), &jf, &secret, NULL)) {
		json_file_close(&jf);
		json_cache_add(f->r->json_cache, f->folder, f->want.name, buf_span(&bytes));
	}
	buf_release(&bytes);
	buf_release(&secret);
}

/* Whether it is listed and not cached. */
static bool missing(struct json_cache *jc, const char *folder, const char *name)
{
	struct place *p = place_of(jc, folder);
	struct id id;
	bool yes;

	if (!p)
		return false;
	file_id(jc, folder, name, &id);
	pthread_mutex_lock(&jc->mutex);
	open_pack(jc, folder, p);
	yes = map_get(&p->listed, &id) && !map_get(&p->fresh, &id) &&
	      !(p->pack && cache_pack_has(p->pack, &id));
	pthread_mutex_unlock(&jc->mutex);
	return yes;
}

static bool full(struct json_cache *jc)
{
	bool yes;

	pthread_mutex_lock(&jc->mutex);
	yes = jc->held_bytes + FILE_LIMIT > HELD_LIMIT;
	pthread_mutex_unlock(&jc->mutex);
	return yes;
}

static void fetch_all(struct repo *r, struct fetch *v, size_t n)
{
	unsigned most = r->transfers > THREADS ? r->transfers : THREADS;
	struct pool *pool = pool_new(n < most ? (unsigned)n : most);
	struct lane *lane = lane_new(pool);
	bool failed = false;
	struct job *j;

	for (size_t i = 0; i < n && !failed && !full(r->json_cache); i++) {
		if (r->stop && *r->stop)
			break;
		lane_put(lane, &v[i].job);
		if (lane_jobs(lane) == 2 * (size_t)most)
			failed = ((struct fetch *)lane_take(lane))->failed;
	}
	while ((j = lane_take(lane)))
		;
	lane_free(lane);
	pool_free(pool);
}

void json_prefetch(
    struct repo *r, const char *folder, const struct json_want *v, size_t n)
{
	struct fetch *fetches;
	size_t count = 0;

	if (!r->json_cache)
		return;
	fetches = mem_array(n + 1, sizeof *fetches);
	for (size_t i = 0; i < n; i++)
		if (missing(r->json_cache, folder, v[i].name))
			fetches[count++] =
			    (struct fetch){.job = {.run = fetch_run},
				.r = r, .folder = folder, .want = v[i]};
	if (count > 1)
		fetch_all(r, fetches, count);
	free(fetches);
}
