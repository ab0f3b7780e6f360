/* A queue: who is taken out and put back stands at its end again. */
#include "engine/kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define KEY 8

struct frame {
	uint8_t key[KEY];
	struct buf stored; /* empty: taken out */
};

struct kept {
	struct map at; /* key → place in the queue */
	struct frame *v;
	size_t first, n, cap, bytes, budget;
};

struct kept *kept_new(size_t budget)
{
	struct kept *k = mem_zalloc(sizeof *k);

	map_init(&k->at, KEY);
	k->budget = budget;
	return k;
}

void kept_free(struct kept *k)
{
	if (!k)
		return;
	for (size_t i = k->first; i < k->n; i++)
		buf_release(&k->v[i].stored);
	free(k->v);
	map_release(&k->at);
	free(k);
}

static void key_of(uint8_t key[KEY], uint32_t bundle, uint32_t frame)
{
	memcpy(key, &bundle, 4);
	memcpy(key + 4, &frame, 4);
}

static void drop(struct kept *k, struct frame *f)
{
	if (f->stored.n == 0)
		return;
	k->bytes -= f->stored.n;
	map_remove(&k->at, f->key);
	buf_release(&f->stored);
}

/* What has left the queue at its front makes room when that is half of it. */
static void close_up(struct kept *k)
{
	while (k->first < k->n && k->v[k->first].stored.n == 0)
		k->first++;
	if (k->first < 64 || k->first * 2 < k->n)
		return;
	k->n -= k->first;
	memmove(k->v, k->v + k->first, k->n * sizeof *k->v);
	k->first = 0;
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].stored.n > 0)
			*map_get(&k->at, k->v[i].key) = i;
}

void kept_put(struct kept *k, uint32_t bundle, uint32_t frame, struct span stored)
{
	struct frame f = {.stored = BUF_EMPTY};
	uint64_t *at;

	key_of(f.key, bundle, frame);
	at = map_get(&k->at, f.key);
	if (at)
		drop(k, &k->v[*at]);
	if (stored.n == 0 || stored.n > k->budget)
		return;
	while (k->bytes + stored.n > k->budget) {
		drop(k, &k->v[k->first]);
		close_up(k);
	}
	buf_add_span(&f.stored, stored);
	buf_trim(&f.stored);
	k->bytes += stored.n;
	k->v = mem_grow(k->v, &k->cap, k->n + 1, sizeof *k->v);
	k->v[k->n] = f;
	map_put(&k->at, f.key, k->n++);
}

bool kept_has(struct kept *k, uint32_t bundle, uint32_t frame)
{
	uint8_t key[KEY];

	key_of(key, bundle, frame);
	return map_get(&k->at, key) != NULL;
}

bool kept_take(struct kept *k, uint32_t bundle, uint32_t frame, struct buf *stored)
{
	uint8_t key[KEY];
	uint64_t *at;
	struct frame *f;

	key_of(key, bundle, frame);
	at = map_get(&k->at, key);
	if (!at)
		return false;
	f = &k->v[*at];
	buf_release(stored);
	*stored = f->stored;
	k->bytes -= f->stored.n;
	f->stored = (struct buf)BUF_EMPTY;
	map_remove(&k->at, key);
	close_up(k);
	return true;
}
