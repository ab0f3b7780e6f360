/*
 * Linear probing in flat arrays. Removal shifts the following cells back, so there are no
 * graves and look-ups stay short.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Keys are mostly digests, but a (device, inode) pair is not: mix all of it. */
static uint64_t hash(const struct map *m, const void *key)
{
	const uint8_t *p = key;
	uint64_t h = 0xcbf29ce484222325u, w;
	size_t n = m->key_size;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0x100000001b3u;
		h ^= h >> 29;
	}
	for (; n > 0; n--, p++)
		h = (h ^ *p) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint8_t *key_at(const struct map *m, size_t i)
{
	return m->keys + i * m->key_size;
}

static size_t home(const struct map *m, const void *key)
{
	return (size_t)hash(m, key) & (m->slots - 1);
}

/* The slot that holds the key, or the free one where it would go. */
static size_t probe(const struct map *m, const void *key)
{
	size_t i = home(m, key);

	while (m->used[i] && memcmp(key_at(m, i), key, m->key_size) != 0)
		i = (i + 1) & (m->slots - 1);
	return i;
}

static void set(struct map *m, size_t i, const void *key, uint64_t value)
{
	m->used[i] = 1;
	m->values[i] = value;
	memcpy(key_at(m, i), key, m->key_size);
}

void map_init(struct map *m, size_t key_size)
{
	*m = (struct map){key_size, 0, 0, NULL, NULL, NULL};
}

void map_release(struct map *m)
{
	free(m->values);
	free(m->keys);
	free(m->used);
	map_init(m, m->key_size);
}

void map_clear(struct map *m)
{
	if (m->used)
		memset(m->used, 0, m->slots);
	m->count = 0;
}

static void grow(struct map *m)
{
	struct map old = *m;
	size_t i;

	m->slots = old.slots ? old.slots * 2 : 64;
	m->values = mem_array(m->slots, sizeof *m->values);
	m->keys = mem_array(m->slots, m->key_size);
	m->used = mem_array(m->slots, 1);
	for (i = 0; i < old.slots; i++)
		if (old.used[i])
			set(m, probe(m, key_at(&old, i)), key_at(&old, i), old.values[i]);
	free(old.values);
	free(old.keys);
	free(old.used);
}

uint64_t *map_get(const struct map *m, const void *key)
{
	size_t i;

	if (m->slots == 0)
		return NULL;
	i = probe(m, key);
	return m->used[i] ? &m->values[i] : NULL;
}

bool map_put(struct map *m, const void *key, uint64_t value)
{
	size_t i;
	bool fresh;

	if (m->count + 1 > m->slots / 4 * 3)
		grow(m);
	i = probe(m, key);
	fresh = !m->used[i];
	set(m, i, key, value);
	m->count += fresh;
	return fresh;
}

bool map_remove(struct map *m, const void *key)
{
	size_t mask = m->slots - 1, i, k;

	if (m->slots == 0)
		return false;
	i = probe(m, key);
	if (!m->used[i])
		return false;
	/*
	 * Knuth, vol. 3, 6.4, algorithm R: move back whatever probing could no longer reach.
	 */
	for (k = (i + 1) & mask; m->used[k]; k = (k + 1) & mask) {
		if (((k - home(m, key_at(m, k))) & mask) >= ((k - i) & mask)) {
			set(m, i, key_at(m, k), m->values[k]);
			i = k;
		}
	}
	m->used[i] = 0;
	m->count--;
	return true;
}

bool map_next(const struct map *m, size_t *at, const void **key, uint64_t *value)
{
	while (*at < m->slots && !m->used[*at])
		(*at)++;
	if (*at >= m->slots)
		return false;
	*key = key_at(m, *at);
	*value = m->values[*at];
	(*at)++;
	return true;
}
