/*
 * The inventory: an array of bundles and a map from their names. Numbers are given in the
 * order of first mention, so that equal runs number equally.
 */
#include "bundle/inventory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "repo/lists.h"

struct inventory {
	struct repo *repo;
	struct stocked *v;
	size_t n, cap;
	struct map by_name;
	bool own_only;
	struct lists *lists; /* under way */
};

struct inventory *inventory_new(struct repo *r)
{
	struct inventory *inv = mem_zalloc(sizeof *inv);

	inv->repo = r;
	map_init(&inv->by_name, ID_SIZE);
	return inv;
}

void inventory_free(struct inventory *inv)
{
	if (!inv)
		return;
	lists_free(inv->lists);
	map_release(&inv->by_name);
	free(inv->v);
	free(inv);
}

static struct stocked *append(struct inventory *inv, enum file_type type)
{
	struct stocked *s;

	inv->v = mem_grow(inv->v, &inv->cap, inv->n + 1, sizeof *inv->v);
	s = &inv->v[inv->n++];
	*s = (struct stocked){.type = type};
	return s;
}

uint32_t inventory_number(
    struct inventory *inv, enum file_type type, const struct id *name, uint64_t size)
{
	uint64_t *at = map_get(&inv->by_name, name);
	struct stocked *s;

	if (at) {
		s = &inv->v[*at];
		if (s->size == 0)
			s->size = size;
		else if (size != 0 && size != s->size)
			s->damaged = true; /* two references disagree: rely on neither */
		return (uint32_t)*at;
	}
	s = append(inv, type);
	s->name = *name;
	s->size = size;
	s->named = true;
	map_put(&inv->by_name, name, inv->n - 1);
	return (uint32_t)(inv->n - 1);
}

uint32_t inventory_begin(struct inventory *inv, enum file_type type)
{
	append(inv, type)->own = true;
	return (uint32_t)(inv->n - 1);
}

void inventory_name(
    struct inventory *inv, uint32_t number, const struct id *name, uint64_t size)
{
	struct stocked *s = &inv->v[number];

	assert(number < inv->n && s->own && !s->named);
	s->name = *name;
	s->size = size;
	s->named = true;
	map_put(&inv->by_name, name, number);
}

const struct stocked *inventory_get(const struct inventory *inv, uint32_t number)
{
	assert(number < inv->n);
	return &inv->v[number];
}

uint32_t inventory_count(const struct inventory *inv)
{
	return (uint32_t)inv->n;
}

uint64_t inventory_listed_data(const struct inventory *inv)
{
	uint64_t listed = 0;

	for (size_t i = 0; i < inv->n; i++)
		listed += inv->v[i].listed && inv->v[i].type == FILE_DATA;
	return listed;
}

/* Valid until the next addition. */
static struct stocked *stocked_of(
    struct inventory *inv, enum file_type type, const struct id *name)
{
	uint32_t number = inventory_number(inv, type, name, 0);

	return &inv->v[number];
}

static void listing_take(
    struct inventory *inv, enum file_type type, const struct store_listing *names)
{
	struct id id;
	size_t i;

	for (i = 0; i < names->n; i++)
		if (id_of_name(names->names[i], &id))
			stocked_of(inv, type, &id)->listed = true;
}

void inventory_list_begin(struct inventory *inv, struct pool *pool)
{
	char folder[16];
	unsigned i;

	inv->lists = lists_new(inv->repo, pool);
	for (i = 0; i < DATA_FOLDERS; i++) {
		snprintf(folder, sizeof folder, "data/%x", i);
		lists_add(inv->lists, folder);
	}
	lists_add(inv->lists, "hunks");
}

bool inventory_list_end(struct inventory *inv, struct err *e)
{
	struct store_listing names;
	bool ok = true;
	unsigned i;

	for (i = 0; ok && i <= DATA_FOLDERS; i++) {
		ok = lists_take(inv->lists, &names, e);
		if (ok)
			listing_take(inv, i < DATA_FOLDERS ? FILE_DATA : FILE_HUNKS, &names);
		store_listing_release(&names);
	}
	lists_free(inv->lists);
	inv->lists = NULL;
	return ok;
}

bool inventory_list(struct inventory *inv, struct pool *pool, struct err *e)
{
	inventory_list_begin(inv, pool);
	return inventory_list_end(inv, e);
}

/*
 * A tombstone may name a bundle that no listing shows any more: remembered all the same.
 */
void inventory_condemn(struct inventory *inv, const struct id *name)
{
	stocked_of(inv, FILE_DATA, name)->condemned = true;
}

void inventory_damage(struct inventory *inv, const struct id *name)
{
	stocked_of(inv, FILE_DATA, name)->damaged = true;
}

void inventory_trust(
    struct inventory *inv, enum file_type type, const struct id *name, uint64_t size)
{
	struct stocked *s;

	inventory_number(inv, type, name, size);
	s = stocked_of(inv, type, name);
	s->sized = s->size == size;
}

void inventory_rely_on_own(struct inventory *inv)
{
	inv->own_only = true;
}

void inventory_allow(struct inventory *inv, const struct id *name)
{
	stocked_of(inv, FILE_DATA, name)->allowed = true;
}

bool inventory_usable(
    struct inventory *inv, uint32_t number, bool *usable, struct err *e)
{
	struct stocked *s = &inv->v[number];
	char name[2 * ID_SIZE + 1], folder[16];
	struct err why = ERR_EMPTY;
	uint64_t size;

	assert(number < inv->n);
	*usable = false;
	if (s->own) {
		*usable = true;
		return true;
	}
	if ((inv->own_only && !s->allowed) || !s->listed || s->condemned || s->damaged)
		return true;
	if (!s->sized) {
		name_of_id(&s->name, name);
		if (repo_stat(
		        inv->repo, folder_of(s->type, &s->name, folder), name, &size, &why)) {
			s->sized = s->size == 0 || s->size == size;
			s->damaged = !s->sized;
			s->size = size;
		} else if (why.kind == ERR_MISSING) {
			s->listed = false; /* a ghost in the listing */
		} else {
			*e = why;
			return err_wrap(e, "size of a bundle");
		}
	}
	*usable = s->sized;
	return true;
}
