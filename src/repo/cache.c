/*
 * The local cache: its folder, its lock, its small files.
 *
 * A file is BLAKE2b-128 ‖ sealed bytes; the digest covers the name too, as the seal does,
 * so that neither a torn file nor a renamed one passes, in an unencrypted repository
 * either. Nothing is synced: what a crash spoils is found out and counts as absent.
 */
#include "repo/cache_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

#include "base/mem.h"
#include "base/sys.h"
#include "codec/digest.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define TEMPORARY ".tmp"

/* Makes the folders of a path that are not there. */
static void make_path(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		sys_mkdirat(AT_FDCWD, path, 0700);
		*p = '/';
	}
	sys_mkdirat(AT_FDCWD, path, 0700);
}

static void open_folder(struct cache *c, const char *dir, bool make)
{
	char id[2 * REPO_ID_SIZE + 1];
	char *path;

	hex_encode(c->r->params.id, REPO_ID_SIZE, id);
	path = mem_printf("%s/%s", dir, id);
	c->dir = sys_openat(AT_FDCWD, path, DIR_FLAGS, 0);
	if (c->dir < 0 && errno == ENOENT && make) {
		make_path(path);
		c->dir = sys_openat(AT_FDCWD, path, DIR_FLAGS, 0);
	}
	if (c->dir >= 0)
		c->path = path;
	else
		free(path);
}

static void take_lock(struct cache *c, const char *name)
{
	int fd = sys_openat(c->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		c->lock = fd;
	else if (fd >= 0)
		sys_close(fd);
}

static struct cache *cache_new(struct repo *r, const char *dir, bool make)
{
	struct cache *c = mem_zalloc(sizeof *c);

	c->r = r;
	c->dir = c->lock = -1;
	if (dir && *dir)
		open_folder(c, dir, make);
	return c;
}

struct cache *cache_open(struct repo *r, const char *dir)
{
	return cache_open_apart(r, dir, "lock");
}

struct cache *cache_open_apart(struct repo *r, const char *dir, const char *lock)
{
	struct cache *c = cache_new(r, dir, true);

	r->env->random(r->env, c->seed, sizeof c->seed);
	if (c->dir >= 0)
		take_lock(c, lock);
	return c;
}

struct cache *cache_look(struct repo *r, const char *dir)
{
	return cache_new(r, dir, false);
}

struct cache *cache_look_made(struct repo *r, const char *dir)
{
	return cache_new(r, dir, true);
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	if (c->lock >= 0)
		sys_close(c->lock);
	if (c->dir >= 0)
		sys_close(c->dir);
	free(c->path);
	secret_wipe(c->seed, sizeof c->seed);
	free(c);
}

bool cache_owned(const struct cache *c)
{
	return c->lock >= 0;
}

const char *cache_path(const struct cache *c)
{
	return c->path;
}

int cache_unnamed(struct cache *c)
{
	char random[RANDOM_NAME_LEN + 1];
	char *path;
	int fd;

	if (!c->path)
		return -1;
	name_random(env_real(), random);
	path = mem_printf("%s/spool-%s", c->path, random);
	fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		sys_unlinkat(AT_FDCWD, path, 0);
	free(path);
	return fd;
}

static void temporary_name(const char *name, char out[NAME_MAX_LEN + sizeof TEMPORARY])
{
	assert(name_valid(span_str(name)));
	strcpy(out, name);
	strcat(out, TEMPORARY);
}

int cache_begin(struct cache *c, const char *name)
{
	char temporary[NAME_MAX_LEN + sizeof TEMPORARY];

	if (!cache_owned(c))
		return -1;
	temporary_name(name, temporary);
	return sys_openat(
	    c->dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
}

int cache_edit(struct cache *c, const char *name)
{
	assert(name_valid(span_str(name)));
	if (!cache_owned(c))
		return -1;
	return sys_openat(c->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
}

void cache_end(struct cache *c, const char *name, int fd, bool whole)
{
	char temporary[NAME_MAX_LEN + sizeof TEMPORARY];

	temporary_name(name, temporary);
	if (sys_close(fd) != 0)
		whole = false;
	if (!whole || renameat(c->dir, temporary, c->dir, name) != 0)
		sys_unlinkat(c->dir, temporary, 0);
}

int cache_read(struct cache *c, const char *name, uint64_t *size)
{
	struct stat st;
	int fd;

	assert(name_valid(span_str(name)));
	if (c->dir < 0)
		return -1;
	fd = sys_openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (sys_fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		sys_close(fd);
		return -1;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

void cache_seal(struct cache *c, struct span aad, struct span plain, struct buf *out)
{
	uint8_t nonce[NONCE_SIZE];

	nonce_derive(nonce, c->seed, 0, c->sealed++);
	seal(keyring_sealer(c->r->keys, PURPOSE_CACHE), nonce, aad, plain, out);
}

void cache_digest(struct span aad, struct span bytes, uint8_t out[DIGEST_SHORT])
{
	struct digest d;

	digest_init(&d, DIGEST_SHORT, NULL, 0);
	digest_add(&d, aad);
	digest_add(&d, bytes);
	digest_end(&d, out);
}

/* What a small file is bound to. */
static struct span file_aad(const char *name, char room[NAME_MAX_LEN + 32])
{
	int n = snprintf(room, NAME_MAX_LEN + 32, "bale cache file 1 %s", name);

	return span_of(room, (size_t)n);
}

/* Reads the whole file. */
static bool read_file(struct cache *c, const char *name, struct buf *out)
{
	uint64_t size;
	int fd = cache_read(c, name, &size);
	bool ok;

	if (fd < 0)
		return false;
	ok = size > DIGEST_SHORT && size <= CACHE_FILE_MAX &&
	     sys_pread(fd, buf_extend(out, (size_t)size), (size_t)size, 0) ==
		 (ssize_t)size;
	sys_close(fd);
	return ok;
}

bool cache_get(struct cache *c, const char *name, struct buf *plain)
{
	const struct sealer *s = keyring_sealer(c->r->keys, PURPOSE_CACHE);
	char room[NAME_MAX_LEN + 32];
	struct span aad = file_aad(name, room), sealed;
	uint8_t digest[DIGEST_SHORT];
	struct buf file = BUF_EMPTY;
	bool ok = false;

	buf_clear(plain);
	if (!read_file(c, name, &file))
		goto out;
	sealed = span_of(file.p + DIGEST_SHORT, file.n - DIGEST_SHORT);
	cache_digest(aad, sealed, digest);
	ok = memcmp(digest, file.p, DIGEST_SHORT) == 0 &&
	     unseal(s, aad, sealed, plain, NULL);
out:
	buf_release(&file);
	return ok;
}

void cache_put(struct cache *c, const char *name, struct span plain)
{
	char room[NAME_MAX_LEN + 32];
	struct span aad = file_aad(name, room);
	struct buf file = BUF_EMPTY;
	int fd;

	if (plain.n == 0 || plain.n > CACHE_FILE_MAX - DIGEST_SHORT - SEAL_EXTRA) {
		cache_drop(c, name);
		return;
	}
	fd = cache_begin(c, name);
	if (fd < 0)
		return;
	buf_extend(&file, DIGEST_SHORT);
	cache_seal(c, aad, plain, &file);
	cache_digest(aad, span_of(file.p + DIGEST_SHORT, file.n - DIGEST_SHORT), file.p);
	cache_end(c, name, fd, sys_write(fd, file.p, file.n));
	buf_release(&file);
}

void cache_drop(struct cache *c, const char *name)
{
	assert(name_valid(span_str(name)));
	if (cache_owned(c))
		sys_unlinkat(c->dir, name, 0);
}
