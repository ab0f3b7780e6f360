/*
 * Listings. One that is cut short looks just like one of a smaller repository, so each is
 * made twice, and nothing that the first shows may be missing from the second; what the
 * files themselves tell of each other (roll-calls, lists of bundles) is held against them
 * later. A tombstone that either shows is read: it goes without anybody telling of it. A
 * mount point with nothing mounted has no bale.json.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/vacuum_internal.h"
#include "repo/lists.h"

#define REMIND       1000 /* files that are read, until their folder is listed again */
#define REMIND_LEAST 250  /* fewer are not worth it */

const char *const vac_folders[VAC_FOLDERS] = {
    "bands", "index", "tombstones", "health", "marks", "clients", "keys", "", "hunks",
    "data/0", "data/1", "data/2", "data/3", "data/4", "data/5", "data/6", "data/7",
    "data/8", "data/9", "data/a", "data/b", "data/c", "data/d", "data/e", "data/f"};

static bool check_head(struct vac *v, struct err *e)
{
	struct json_file jf = {.root = NULL};
	struct buf secret = BUF_EMPTY;
	struct repository params;
	struct fault f;
	bool ok;

	ok = repo_get_json(v->repo, "", "bale.json", "repository", &jf, &secret, e);
	if (ok) {
		ok = repository_decode(&jf, &params, &f) || err_fault(e, &f);
		json_file_close(&jf);
	}
	buf_release(&secret);
	if (!ok && e->kind == ERR_MISSING)
		return err_set(e, ERR_UNREACHABLE,
		    "the storage does not show the repository any more: is it still mounted?");
	return ok;
}

/* One after the other, but for the bundles, which name nothing that is listed. */
static bool list_all(struct vac *v, struct store_listing *out, struct err *e)
{
	struct lists *lists;
	bool ok = true;
	int i;

	for (i = 0; ok && i < VAC_HUNKS; i++)
		ok = repo_list(v->repo, vac_folders[i], &out[i], e);
	lists = lists_new(v->repo, v->readers);
	for (i = VAC_HUNKS; ok && i < VAC_FOLDERS; i++)
		lists_add(lists, vac_folders[i]);
	for (i = VAC_HUNKS; ok && i < VAC_FOLDERS; i++)
		ok = lists_take(lists, &out[i], e);
	lists_free(lists);
	return ok;
}

/* What could be read just now must be listed too. */
static bool check_top(const struct vac *v, struct err *e)
{
	return vac_listed(v, VAC_TOP, "bale.json") ||
	    err_set(e, ERR_MISSING,
	        "bale.json is there and is not listed: the storage does not list reliably "
	        "just now");
}

static void unite(struct store_listing *l, const struct store_listing *more)
{
	for (size_t i = 0; i < more->n; i++)
		store_listing_add(l, more->names[i]);
	store_listing_sort(l);
}

bool vac_list(struct vac *v, struct err *e)
{
	struct store_listing first[VAC_FOLDERS] = {{NULL, 0, 0}};
	bool ok = check_head(v, e) && list_all(v, first, e) && list_all(v, v->lists, e) &&
	    check_top(v, e);
	size_t i, k;
	char *path;

	unite(&v->lists[VAC_TOMBSTONES], &first[VAC_TOMBSTONES]);
	for (i = 0; ok && i < VAC_FOLDERS; i++) {
		for (k = 0; k < first[i].n; k++) {
			if (store_listing_has(&v->lists[i], first[i].names[k]))
				continue;
			path = mem_printf("%s/%s", vac_folders[i], first[i].names[k]);
			store_listing_add(&v->vanished, path);
			free(path);
		}
	}
	for (i = 0; i < VAC_FOLDERS; i++)
		store_listing_release(&first[i]);
	return ok;
}

bool vac_remind(
    struct vac *v, enum vac_folder folder, size_t done, size_t left, struct err *e)
{
	struct store_listing l = {NULL, 0, 0};
	bool ok = true;

	if (done % REMIND == 0 && left >= REMIND_LEAST)
		ok = repo_list(v->repo, vac_folders[folder], &l, e);
	store_listing_release(&l);
	return ok;
}

bool vac_check_vanished(struct vac *v, struct err *e)
{
	struct id id;
	size_t i;

	for (i = 0; i < v->vanished.n; i++) {
		const char *path = v->vanished.names[i], *name = strrchr(path, '/') + 1;

		if (store_listing_has(&v->files, path) ||
		    (id_of_name(name, &id) && map_get(&v->condemned, &id)))
			continue;
		return err_set(e, ERR_MISSING,
		    "%s was listed and then was not: the storage does not list reliably just now",
		    path);
	}
	return true;
}

bool vac_listed(const struct vac *v, enum vac_folder folder, const char *name)
{
	return store_listing_has(&v->lists[folder], name);
}

bool vac_names(const struct store_listing *l, enum vac_folder folder, const char *name)
{
	char path[NAME_MAX_LEN + 32];

	snprintf(path, sizeof path, "%s/%s", vac_folders[folder], name);
	return store_listing_has(l, path);
}
