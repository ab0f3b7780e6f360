/*
 * A hash map from keys of one fixed size to a 64-bit value: open addressing, linear
 * probing, keys kept inline. Keys here are digests or (device, inode) pairs.
 * Not thread-safe.
 */
#ifndef BALE_BASE_MAP_H
#define BALE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
	size_t key_size;
	size_t count;
	size_t slots; /* a power of two, or 0 */
	/* private: three arrays of `slots` each */
	uint64_t *values;
	uint8_t *keys;
	uint8_t *used;
};

void map_init(struct map *m, size_t key_size);
void map_release(struct map *m);
void map_clear(struct map *m);

/* The value's place, or NULL. Valid until the next map_put or map_remove. */
uint64_t *map_get(const struct map *m, const void *key);

/* Insert or replace. Returns true if the key was new. */
bool map_put(struct map *m, const void *key, uint64_t value);

/* Returns false if the key was not there. */
bool map_remove(struct map *m, const void *key);

/* Step through all: *at starts at 0; false at the end. No change in between. */
bool map_next(const struct map *m, size_t *at, const void **key, uint64_t *value);

#endif
