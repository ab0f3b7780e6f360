/*
 * Attributes that a client keeps for a while, as sshfs, rclone and NFS do: for so many
 * seconds after a name was looked at, listed, opened or made here, a look at it asks
 * nobody. The kernel's own memory of them ends with each read, which changes the access
 * time.
 *
 * Names are kept as hashes, each in one of a few slots: where all are taken, the oldest
 * name is forgotten, which with some 100,000 names does not happen.
 */
#include "dumbfs.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SLOTS (1u << 20)
#define NEAR  8 /* slots in which a hash may stand */

static struct {
	pthread_mutex_t lock; /* guards what follows */
	double seconds;       /* 0: nothing is kept */
	struct slot {
		uint64_t hash;
		double since;
	} slots[SLOTS + NEAR];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t add_bytes(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(1099511628211);
	return h;
}

static uint64_t hash_of(const char *folder, const char *name)
{
	uint64_t h = add_bytes(UINT64_C(14695981039346656037), folder);

	if (name && folder[1]) /* "/" ends with the slash already */
		h = add_bytes(h, "/");
	return name ? add_bytes(h, name) : h;
}

/* That of the hash, or the one to put it in. */
static struct slot *slot_of(uint64_t hash)
{
	struct slot *first = &known.slots[(hash ^ hash >> 32) % SLOTS], *oldest = first;

	for (struct slot *s = first; s < first + NEAR; s++) {
		if (s->hash == hash)
			return s;
		if (s->since < oldest->since)
			oldest = s;
	}
	return oldest;
}

void known_add(const char *folder, const char *name)
{
	uint64_t h;

	pthread_mutex_lock(&known.lock);
	if (known.seconds > 0) {
		h = hash_of(folder, name);
		*slot_of(h) = (struct slot){h, now()};
	}
	pthread_mutex_unlock(&known.lock);
}

void known_forget(const char *path)
{
	uint64_t h = hash_of(path, NULL);

	pthread_mutex_lock(&known.lock);
	if (slot_of(h)->hash == h)
		*slot_of(h) = (struct slot){0, 0};
	pthread_mutex_unlock(&known.lock);
}

bool known_is(const char *path)
{
	uint64_t h = hash_of(path, NULL);
	bool is;

	pthread_mutex_lock(&known.lock);
	is = known.seconds > 0 && slot_of(h)->hash == h &&
	     now() - slot_of(h)->since < known.seconds;
	pthread_mutex_unlock(&known.lock);
	return is;
}

bool known_set(char *words)
{
	bool ok;

	pthread_mutex_lock(&known.lock);
	ok = sscanf(words, "%lf", &known.seconds) == 1;
	memset(known.slots, 0, sizeof known.slots);
	pthread_mutex_unlock(&known.lock);
	return ok;
}
