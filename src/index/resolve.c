/*
 * All chunks that the deltas tell of, as one sorted array of 16 bytes each: eight bytes
 * of the id, bundle, slot. That the rest of the id is left out costs at most a futile
 * read, as whoever reads the chunk verifies all of it.
 *
 * Nothing is loaded until a hint has missed, which in a healthy repository happens only
 * after a vacuum. A delta that cannot be read is passed over: the directories of its
 * bundles are then read when the search goes deep.
 */
#include "index/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "format/delta.h"
#include "repo/deltas.h"

struct place {
	uint64_t prefix;
	uint32_t bundle, slot;
};

struct known_bundle {
	struct id name;
	enum file_type type;
	bool told;  /* its chunks are among the places */
	bool moved; /* a vacuum has moved chunks away: it may be gone */
};

struct resolver {
	struct repo *repo;
	bool listed, moves_loaded, loaded, deep_data, deep_hunks;
	struct store_listing index;
	struct map gone;    /* deltas that others supersede */
	struct map numbers; /* bundle name → number */
	struct known_bundle *bundles;
	struct place *places; /* sorted, but for what is being added */
	size_t n_bundles, bundles_cap, n_places, places_cap;
	struct found *found;
	size_t n_found, found_cap;
};

struct resolver *resolver_new(struct repo *r)
{
	struct resolver *res = mem_zalloc(sizeof *res);

	res->repo = r;
	map_init(&res->numbers, ID_SIZE);
	map_init(&res->gone, ID_SIZE);
	return res;
}

void resolver_free(struct resolver *res)
{
	if (!res)
		return;
	map_release(&res->numbers);
	map_release(&res->gone);
	store_listing_release(&res->index);
	free(res->bundles);
	free(res->places);
	free(res->found);
	free(res);
}

static uint32_t bundle_number(struct resolver *res, const struct id *name)
{
	uint64_t *at = map_get(&res->numbers, name->b);

	if (at)
		return (uint32_t)*at;
	res->bundles = mem_grow(
	    res->bundles, &res->bundles_cap, res->n_bundles + 1, sizeof *res->bundles);
	res->bundles[res->n_bundles] = (struct known_bundle){.name = *name};
	map_put(&res->numbers, name->b, res->n_bundles);
	return (uint32_t)res->n_bundles++;
}

static void add_directory(
    struct resolver *res, uint32_t bundle, const struct directory *d)
{
	res->places = mem_grow(res->places, &res->places_cap, res->n_places + d->n_chunks,
	    sizeof *res->places);
	for (uint32_t i = 0; i < d->n_chunks; i++)
		res->places[res->n_places++] =
		    (struct place){get_u64(d->ids[i].b), bundle, i};
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	if (x->bundle != y->bundle)
		return x->bundle < y->bundle ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

static void sort_places(struct resolver *res)
{
	if (res->n_places)
		qsort(res->places, res->n_places, sizeof *res->places, by_place);
}

/* What is whole of a delta counts, so a fault in it only ends the reading of it. */
static void add_delta(struct resolver *res, struct span plain, struct map *gone)
{
	struct directory d = DIRECTORY_EMPTY;
	struct delta_iter it;
	struct delta_bundle b;
	struct delta_move m;
	struct id name;
	enum step st = STEP_FAILED;

	if (delta_open(&it, plain, NULL))
		while ((st = delta_next_bundle(&it, &b, NULL)) == STEP_ITEM) {
			uint32_t n = bundle_number(res, &b.name);

			if (res->bundles[n].told ||
			    !directory_decode(b.directory, &d, NULL))
				continue;
			res->bundles[n].type = b.type;
			res->bundles[n].told = true;
			add_directory(res, n, &d);
		}
	while (st != STEP_FAILED && (st = delta_next_move(&it, &m, NULL)) == STEP_ITEM) {
		uint32_t n = bundle_number(res, &m.from); /* which may move the array */

		res->bundles[n].moved = true;
	}
	while (st != STEP_FAILED &&
	       (st = delta_next_superseded(&it, &name, NULL)) == STEP_ITEM)
		map_put(gone, name.b, 0);
	directory_release(&d);
}

static bool list_deltas(struct resolver *res, struct err *e)
{
	if (!res->listed && !repo_list(res->repo, "index", &res->index, e))
		return err_wrap(e, "listing the deltas");
	res->listed = true;
	return true;
}

/* Of the names in the listing those that tell of moves, or the others. */
static bool wanted(const struct resolver *res, size_t i, bool moves, struct id *name)
{
	return id_of_name(res->index.names[i], name) && delta_name_moves(name) == moves &&
	    !map_get(&res->gone, name->b);
}

/* After a failure it can be called again: bundles that were told of are passed over. */
static bool load_some(struct resolver *res, bool moves, struct err *e)
{
	struct deltas *deltas = deltas_new(res->repo);
	struct buf plain = BUF_EMPTY;
	struct id name;
	bool ok = list_deltas(res, e);

	for (size_t i = 0; ok && i < res->index.n; i++)
		if (wanted(res, i, moves, &name))
			deltas_add(deltas, &name);
	for (size_t i = 0; ok && i < res->index.n; i++) {
		struct err one = ERR_EMPTY;

		if (!wanted(res, i, moves, &name))
			continue;
		if (deltas_get(deltas, &name, &plain, &one)) {
			add_delta(res, buf_span(&plain), &res->gone);
		} else if (!err_is_unreadable(&one)) {
			if (e)
				*e = one;
			ok = false;
		}
	}
	sort_places(res);
	deltas_free(deltas);
	buf_release(&plain);
	return ok;
}

/* What has moved is wanted most, and few deltas tell of moves: they are read first. */
static bool load(struct resolver *res, enum reach reach, struct err *e)
{
	if (!res->moves_loaded && !(res->moves_loaded = load_some(res, true, e)))
		return false;
	if (reach > REACH_MOVES && !res->loaded)
		res->loaded = load_some(res, false, e);
	return reach == REACH_MOVES || res->loaded;
}

/* Read the directories of a folder's bundles that no delta tells of. */
static bool load_folder(
    struct resolver *res, enum file_type type, const char *folder, struct err *e)
{
	struct store_listing l = {0};
	bool ok = repo_list(res->repo, folder, &l, e);

	for (size_t i = 0; ok && i < l.n; i++) {
		struct err one = ERR_EMPTY;
		struct bundle *b;
		struct id name;
		uint32_t n;

		if (!id_of_name(l.names[i], &name))
			continue;
		n = bundle_number(res, &name);
		if (res->bundles[n].told)
			continue;
		if (bundle_open(res->repo, type, &name, &b, &one)) {
			res->bundles[n].type = type;
			res->bundles[n].told = true;
			add_directory(res, n, &b->dir);
			bundle_free(b);
		} else if (!err_is_unreadable(&one)) {
			if (e)
				*e = one;
			ok = false;
		}
	}
	store_listing_release(&l);
	return ok || err_wrap(e, "reading the directories of the bundles in %s", folder);
}

static bool load_deep(struct resolver *res, enum file_type type, struct err *e)
{
	size_t before = res->n_places;
	bool ok = true;
	char folder[16];

	if (type == FILE_HUNKS) {
		ok = res->deep_hunks || load_folder(res, type, "hunks", e);
		res->deep_hunks = ok;
	} else if (!res->deep_data) {
		for (unsigned i = 0; ok && i < 16; i++) {
			struct id first = {{(uint8_t)(i << 4)}};

			ok = load_folder(res, type, folder_of(type, &first, folder), e);
		}
		res->deep_data = ok;
	}
	if (res->n_places > before)
		sort_places(res);
	return ok;
}

/* Those in bundles that a vacuum has moved chunks out of come last. */
static void collect(
    struct resolver *res, enum file_type type, uint64_t prefix, bool moved)
{
	size_t low = 0, high = res->n_places;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (res->places[mid].prefix < prefix)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < res->n_places && res->places[low].prefix == prefix; low++) {
		const struct known_bundle *b = &res->bundles[res->places[low].bundle];

		if (b->type != type || b->moved != moved)
			continue;
		res->found = mem_grow(
		    res->found, &res->found_cap, res->n_found + 1, sizeof *res->found);
		res->found[res->n_found++] =
		    (struct found){b->name, res->places[low].slot};
	}
}

bool resolver_find(struct resolver *res, enum file_type type, const struct id *id,
    enum reach reach, const struct found **out, size_t *n, struct err *e)
{
	*out = NULL;
	*n = 0;
	if (!load(res, reach, e))
		return false;
	if (reach == REACH_BUNDLES && !load_deep(res, type, e))
		return false;
	res->n_found = 0;
	collect(res, type, get_u64(id->b), false);
	if (reach > REACH_MOVES)
		collect(res, type, get_u64(id->b), true);
	*out = res->found;
	*n = res->n_found;
	return true;
}

/* STEP_END: none of the places has it. */
static enum step read_found(struct resolver *res, struct chunk_reader *cr,
    enum file_type type, const struct id *id, enum reach reach, struct span *out,
    struct err *e)
{
	const struct found *f;
	size_t n;

	if (!resolver_find(res, type, id, reach, &f, &n, e))
		return STEP_FAILED;
	for (size_t i = 0; i < n; i++) {
		if (chunk_read(cr, type, &f[i].bundle, f[i].slot, id, out, e))
			return STEP_ITEM;
		if (!err_is_damage(e))
			return STEP_FAILED;
	}
	return STEP_END;
}

bool resolver_read(struct resolver *res, struct chunk_reader *cr, enum file_type type,
    const struct found *hint, const struct id *id, struct span *out, struct err *e)
{
	char hex[2 * ID_SIZE + 1];
	struct err why = ERR_EMPTY, one = ERR_EMPTY;
	enum step st = STEP_END;

	name_of_id(id, hex);
	if (hint && chunk_read(cr, type, &hint->bundle, hint->slot, id, out, &why))
		return true;
	if (!hint)
		err_set(&why, ERR_MISSING, "in no bundle");
	else if (!err_is_damage(&why))
		goto failed;
	for (unsigned reach = 0; res && st == STEP_END && reach <= REACH_BUNDLES; reach++)
		st = read_found(res, cr, type, id, (enum reach)reach, out, &one);
	if (st == STEP_ITEM)
		return true;
	if (st == STEP_FAILED)
		why = one;
	else if (one.kind == ERR_CORRUPT)
		why = one; /* there, but damaged: tells more than "not there" */
failed:
	if (e)
		*e = why;
	return err_wrap(e, "chunk %.12s", hex);
}
