/*
 * The table of bundles and of all chunks in them, as deltas tell it. A bundle that no
 * delta tells of is asked for its own directory later (validate_check.c).
 *
 * The chunks of a bundle stand together, by slot; so where a hint holds, finding a chunk
 * is one comparison. Only where one misses, an order by id is made.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "format/delta.h"
#include "repo/deltas.h"

uint32_t valid_bundle(struct valid *v, enum file_type type, const struct id *name)
{
	uint8_t key[1 + ID_SIZE];
	uint64_t *at;

	key[0] = (uint8_t)type;
	memcpy(key + 1, name->b, ID_SIZE);
	at = map_get(&v->bundle_at, key);
	if (at)
		return (uint32_t)*at;
	v->bundles =
	    mem_grow(v->bundles, &v->bundles_cap, v->n_bundles + 1, sizeof *v->bundles);
	v->bundles[v->n_bundles] = (struct vbundle){.name = *name, .type = type};
	map_put(&v->bundle_at, key, v->n_bundles);
	return (uint32_t)v->n_bundles++;
}

struct vbundle *valid_bundle_named(
    struct valid *v, enum file_type type, const struct id *name)
{
	uint32_t n = valid_bundle(v, type, name);

	return &v->bundles[n];
}

/* The first that is told counts: deltas and tails before hunks. */
void valid_bundle_size(struct vbundle *b, uint64_t size)
{
	if (b->size == 0)
		b->size = size;
}

/* --- chunks */

void valid_add_directory(struct valid *v, uint32_t number, const struct directory *dir)
{
	struct vbundle *b = &v->bundles[number];
	size_t bytes = (v->n_ids + dir->n_chunks + 7) / 8, before = v->bad_cap;

	b->has_dir = true;
	b->base = (uint32_t)v->n_ids;
	b->n_chunks = dir->n_chunks;
	v->by_base =
	    mem_grow(v->by_base, &v->by_base_cap, v->n_by_base + 1, sizeof *v->by_base);
	v->by_base[v->n_by_base++] = number;
	if (dir->n_chunks == 0)
		return;
	v->ids = mem_grow(v->ids, &v->ids_cap, v->n_ids + dir->n_chunks, sizeof *v->ids);
	memcpy(v->ids + v->n_ids, dir->ids, dir->n_chunks * sizeof *v->ids);
	v->n_ids += dir->n_chunks;
	v->bad = mem_grow(v->bad, &v->bad_cap, bytes, 1);
	memset(v->bad + before, 0, v->bad_cap - before);
	free(v->sorted);
	v->sorted = NULL;
}

void valid_chunk_bad(struct valid *v, uint32_t number, uint32_t slot)
{
	const struct vbundle *b = &v->bundles[number];
	uint32_t at = b->base + slot;

	if (b->has_dir && slot < b->n_chunks)
		v->bad[at / 8] |= (uint8_t)(1u << at % 8);
}

bool valid_place_good(
    const struct valid *v, uint32_t number, uint32_t slot, const struct id *id)
{
	const struct vbundle *b = &v->bundles[number];
	uint32_t at = b->base + slot;

	return b->listed && b->has_dir && !b->all_bad && slot < b->n_chunks &&
	       id_equal(&v->ids[at], id) && !(v->bad[at / 8] >> at % 8 & 1);
}

static int by_id(const void *a, const void *b, void *arg)
{
	const struct id *ids = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int d = memcmp(ids[x].b, ids[y].b, ID_SIZE);

	return d ? d : (x > y) - (x < y);
}

static void sort_chunks(struct valid *v)
{
	v->sorted = mem_array(v->n_ids + 1, sizeof *v->sorted);
	for (uint32_t i = 0; i < v->n_ids; i++)
		v->sorted[i] = i;
	qsort_r(v->sorted, v->n_ids, sizeof *v->sorted, by_id, v->ids);
}

static size_t first_of(const struct valid *v, const struct id *id)
{
	size_t low = 0, high = v->n_ids;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(v->ids[v->sorted[mid]].b, id->b, ID_SIZE) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The bundle in whose share a chunk stands: the last that does not begin behind it. */
static uint32_t owner_of(const struct valid *v, uint32_t chunk)
{
	size_t low = 0, high = v->n_by_base;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (v->bundles[v->by_base[mid]].base <= chunk)
			low = mid;
		else
			high = mid;
	}
	return v->by_base[low];
}

bool valid_places(struct valid *v, enum file_type type, const struct id *id, size_t *at,
    struct vplace *out)
{
	if (!v->sorted)
		sort_chunks(v);
	if (*at == 0)
		*at = first_of(v, id) + 1;
	for (; *at <= v->n_ids; ++*at) {
		uint32_t chunk = v->sorted[*at - 1];

		if (!id_equal(&v->ids[chunk], id))
			return false;
		out->bundle = owner_of(v, chunk);
		out->slot = chunk - v->bundles[out->bundle].base;
		if (v->bundles[out->bundle].type == type) {
			++*at;
			return true;
		}
	}
	return false;
}

/* --- deltas */

static bool add_bundles(
    struct valid *v, struct delta_iter *it, struct directory *dir, struct fault *f)
{
	struct delta_bundle b;
	enum step st;

	while ((st = delta_next_bundle(it, &b, f)) == STEP_ITEM) {
		uint32_t n = valid_bundle(v, b.type, &b.name);
		struct vbundle *x = &v->bundles[n];

		x->named = true;
		x->size = b.size;
		if (!x->has_dir && directory_decode(b.directory, dir, NULL))
			valid_add_directory(v, n, dir);
	}
	return st == STEP_END;
}

static bool add_moves(
    struct valid *v, struct delta_iter *it, struct map *superseded, struct fault *f)
{
	static const enum file_type types[] = {FILE_DATA, FILE_HUNKS};
	struct delta_move m;
	enum step st;
	struct id id;

	while ((st = delta_next_move(it, &m, f)) == STEP_ITEM)
		for (size_t i = 0; i < 2; i++)
			valid_bundle_named(v, types[i], &m.from)->gone = true;
	if (st == STEP_FAILED)
		return false;
	while ((st = delta_next_superseded(it, &id, f)) == STEP_ITEM)
		map_put(superseded, id.b, 0);
	return st == STEP_END;
}

static bool add_delta(
    struct valid *v, struct span plain, struct map *superseded, struct fault *f)
{
	struct directory dir = DIRECTORY_EMPTY;
	struct delta_iter it;
	bool ok = delta_open(&it, plain, f) && add_bundles(v, &it, &dir, f) &&
		  add_moves(v, &it, superseded, f);

	directory_release(&dir);
	return ok;
}

/* Whether what is in the file is shorter than its header says, or not even a header. */
static bool delta_torn(struct valid *v, const char *name)
{
	struct buf head = BUF_EMPTY;
	struct file_head h;
	uint64_t size = 0;
	bool torn;

	torn = !repo_get(v->repo, "index", name, 0, FILE_HEAD_SIZE, &head, &size, NULL) ||
	       !file_head_decode(buf_span(&head), &h, NULL) || size != h.total;
	buf_release(&head);
	return torn;
}

static void delta_bad(
    struct valid *v, const char *name, const char *kind, const struct err *why)
{
	char path[NAME_MAX_LEN + 8] = "index/";
	struct id id;

	strcat(path, name);
	id_of_name(name, &id);
	if (!map_get(&v->told, id.b) && delta_torn(v, name)) {
		v->result->litter++;
		valid_note(v, path, "left by an attempt that was cut off");
		return;
	}
	damage_add(v, path, kind, why->text);
}

static bool read_delta(struct valid *v, struct deltas *deltas, const char *name,
    struct map *superseded, struct buf *plain, struct err *e)
{
	struct err why = ERR_EMPTY;
	struct fault f;
	struct id id;

	id_of_name(name, &id);
	if (!deltas_get(deltas, &id, plain, &why)) {
		if (valid_fatal(&why)) {
			*e = why;
			return false;
		}
		valid_checked(v, 1, 0);
		delta_bad(v, name, valid_kind(&why, "digest"), &why);
		return true;
	}
	valid_checked(v, 1, plain->n + FILE_HEAD_SIZE);
	if (!add_delta(v, buf_span(plain), superseded, &f)) {
		err_fault(&why, &f);
		delta_bad(v, name, f.kind == FAULT_NEWER ? "newer" : "content", &why);
	}
	return true;
}

/* Those that bands tell of, and that no other one stands for. */
static void judge_missing(
    struct valid *v, const struct store_listing *l, const struct map *superseded)
{
	char name[2 * ID_SIZE + 1], path[2 * ID_SIZE + 8];
	const void *key;
	uint64_t required;
	size_t at = 0;

	while (map_next(&v->told, &at, &key, &required)) {
		name_of_id(key, name);
		snprintf(path, sizeof path, "index/%s", name);
		if (required && !store_listing_has(l, name) &&
		    !map_get(superseded, key) && !valid_condemned(v, path))
			damage_add(v, path, "missing", "the tail of its run tells of it");
	}
}

bool valid_deltas(struct valid *v, struct err *e)
{
	struct store_listing l = {0};
	struct buf plain = BUF_EMPTY;
	struct map superseded;
	struct id id;
	struct deltas *deltas = deltas_new(v->repo);
	bool ok = repo_list(v->repo, "index", &l, e);

	map_init(&superseded, ID_SIZE);
	for (size_t i = 0; ok && i < l.n; i++)
		if (id_of_name(l.names[i], &id))
			deltas_add(deltas, &id);
	for (size_t i = 0; ok && i < l.n; i++) {
		if (id_of_name(l.names[i], &id))
			ok = read_delta(v, deltas, l.names[i], &superseded, &plain, e) &&
			     !valid_stopped(v, e);
		else
			valid_note(
			    v, l.names[i], "not a name of bale's in index/: left alone");
	}
	if (ok)
		judge_missing(v, &l, &superseded);
	deltas_free(deltas);
	map_release(&superseded);
	store_listing_release(&l);
	buf_release(&plain);
	return ok;
}
