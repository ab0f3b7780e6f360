/*
 * The names that files are given: of which letters, and each only once. A name that was
 * tried is used up, whatever came of it: a retry under it may meet the phantom of the
 * first attempt. The two files that every repository has are found by their names.
 */
#include "dumbfs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct {
	pthread_mutex_t lock; /* guards what follows */
	uint64_t *hashes;     /* of the names used; 0: a free slot */
	size_t n, slots;      /* a power of two, and never full */
} used = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *base_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

static bool fixed(const char *base)
{
	return strcmp(base, "README.txt") == 0 || strcmp(base, "bale.json") == 0;
}

bool name_allowed(const char *path)
{
	const char *base = base_of(path);
	size_t n = strlen(base);

	return fixed(base) ||
	       (n <= 80 && strspn(base, "0123456789abcdefghijklmnopqrstuvwxyz.-") == n);
}

static uint64_t hash_of(const char *path)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * UINT64_C(1099511628211);
	return h ? h : 1;
}

static uint64_t *slot_locked(uint64_t hash)
{
	size_t i = (hash ^ hash >> 32) & (used.slots - 1);

	while (used.hashes[i] && used.hashes[i] != hash)
		i = (i + 1) & (used.slots - 1);
	return &used.hashes[i];
}

static void grow_locked(void)
{
	uint64_t *old = used.hashes;
	size_t n = used.slots;

	used.slots = n ? 2 * n : 1024;
	used.hashes = calloc(used.slots, sizeof *used.hashes);
	if (!used.hashes)
		abort();
	for (size_t i = 0; i < n; i++)
		if (old[i])
			*slot_locked(old[i]) = old[i];
	free(old);
}

bool name_is_used(const char *path)
{
	bool is;

	if (fixed(base_of(path)))
		return false;
	pthread_mutex_lock(&used.lock);
	is = used.slots && *slot_locked(hash_of(path));
	pthread_mutex_unlock(&used.lock);
	return is;
}

void name_use(const char *path)
{
	uint64_t *slot;

	pthread_mutex_lock(&used.lock);
	if (2 * used.n >= used.slots)
		grow_locked();
	slot = slot_locked(hash_of(path));
	used.n += !*slot;
	*slot = hash_of(path);
	pthread_mutex_unlock(&used.lock);
}
