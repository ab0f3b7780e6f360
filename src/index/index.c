/*
 * The index over runs. At the first look-up the runs in the cache are mapped, the deltas
 * that none of them covers are fetched and made into new runs, and where there are many
 * runs they are merged into one. A delta that another one supersedes is still covered by
 * the run it went into, so nothing is fetched twice.
 */
#include "index/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/sys.h"
#include "format/delta.h"
#include "index/run.h"
#include "repo/deltas.h"

#define RUNS_MAX  8
#define RUN_BYTES (8u << 20) /* entries of a run that is sorted in memory: 262,144 */

struct index {
	struct repo *repo;
	struct cache *cache;
	struct inventory *inv;
	struct run **runs;
	size_t n, cap;
	struct run_builder building;
	bool loaded;
};

struct index *index_new(struct repo *r, struct cache *cache, struct inventory *inv)
{
	struct index *x = mem_zalloc(sizeof *x);

	x->repo = r;
	x->cache = cache;
	x->inv = inv;
	return x;
}

void index_free(struct index *x)
{
	size_t i;

	if (!x)
		return;
	for (i = 0; i < x->n; i++)
		run_free(x->runs[i]);
	free(x->runs);
	run_builder_release(&x->building);
	free(x);
}

static void add_run(struct index *x, struct run *r)
{
	x->runs = mem_grow(x->runs, &x->cap, x->n + 1, sizeof(struct run *));
	x->runs[x->n++] = r;
}

static bool covered(const struct index *x, const struct id *delta)
{
	size_t i;

	for (i = 0; i < x->n; i++)
		if (run_covers(x->runs[i], delta))
			return true;
	return false;
}

/* A file that is no whole run is removed: it could never be used. */
static void map_runs(struct index *x)
{
	const char *path = cache_path(x->cache);
	struct dirent *d;
	struct run *r;
	char *file;
	DIR *dir;

	if (!path || !(dir = opendir(path)))
		return;
	while ((d = readdir(dir))) {
		if (strncmp(d->d_name, "run-", 4) != 0)
			continue;
		r = run_map(path, d->d_name, x->repo->params.id);
		if (r) {
			add_run(x, r);
		} else if (cache_owned(x->cache)) {
			file = mem_printf("%s/%s", path, d->d_name);
			sys_unlinkat(AT_FDCWD, file, 0);
			free(file);
		}
	}
	closedir(dir);
}

/* A new file in the cache folder; -1 where none can be had. */
static int run_create(struct index *x, char name[32], char **temporary)
{
	char random[RANDOM_NAME_LEN + 1];

	if (!cache_path(x->cache) || !cache_owned(x->cache))
		return -1;
	name_random(env_real(), random);
	snprintf(name, 32, "run-%.20s", random);
	*temporary = mem_printf("%s/new-%s", cache_path(x->cache), name);
	return sys_openat(AT_FDCWD, *temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
}

/* Put the written file under its name and map it; NULL where that fails. */
static struct run *run_keep(
    struct index *x, int fd, bool ok, const char *name, char *temporary)
{
	char *file = mem_printf("%s/%s", cache_path(x->cache), name);
	struct run *r = NULL;

	ok = sys_close(fd) == 0 && ok;
	if (ok && rename(temporary, file) == 0)
		r = run_map(cache_path(x->cache), name, x->repo->params.id);
	else
		sys_unlinkat(AT_FDCWD, temporary, 0);
	free(file);
	return r;
}

/* Sort what was collected into a run: in the cache where there is one, else in memory. */
static void finish_run(struct index *x)
{
	struct buf bytes = BUF_EMPTY;
	char name[32], *temporary = NULL;
	struct run *r = NULL;
	int fd;

	if (x->building.deltas.n == 0)
		return;
	run_builder_finish(&x->building, x->repo->params.id, &bytes);
	fd = run_create(x, name, &temporary);
	if (fd >= 0)
		r = run_keep(x, fd, sys_write(fd, bytes.p, bytes.n), name, temporary);
	if (!r)
		r = run_take(&bytes, x->repo->params.id);
	add_run(x, r);
	buf_release(&bytes);
	free(temporary);
}

static void merge_runs(struct index *x)
{
	char name[32], *temporary = NULL, *file;
	struct run *r;
	size_t i;
	int fd;

	if (x->n <= RUNS_MAX)
		return;
	fd = run_create(x, name, &temporary);
	if (fd >= 0) {
		r = run_keep(
		    x, fd, run_merge(x->runs, x->n, x->repo->params.id, fd), name, temporary);
		for (i = 0; r && i < x->n; i++) {
			file = mem_printf("%s/%s", cache_path(x->cache), x->runs[i]->name);
			if (x->runs[i]->name[0])
				sys_unlinkat(AT_FDCWD, file, 0);
			free(file);
			run_free(x->runs[i]);
		}
		if (r) {
			x->n = 0;
			add_run(x, r);
		}
	}
	free(temporary);
}

/* The deltas that a whole delta at hand supersedes need not be fetched. */
static bool note_superseded(struct map *gone, struct span plain, struct fault *f)
{
	struct delta_bundle b;
	struct delta_iter it;
	struct delta_move m;
	enum step step;
	struct id id;

	if (!delta_open(&it, plain, f))
		return false;
	do
		step = delta_next_bundle(&it, &b, f);
	while (step == STEP_ITEM);
	while (step == STEP_END && (step = delta_next_move(&it, &m, f)) == STEP_ITEM)
		step = STEP_END;
	while (step == STEP_END && (step = delta_next_superseded(&it, &id, f)) == STEP_ITEM) {
		map_put(gone, &id, 1);
		step = STEP_END;
	}
	return step != STEP_FAILED;
}

/*
 * One that is not whole is not there: its writer has died, or it is damaged. Its chunks
 * are unknown then and at worst stored once more; it must not keep anyone from a backup.
 */
static bool fetch(struct index *x, struct deltas *deltas, const struct id *delta,
    struct map *gone, struct err *e)
{
	struct buf plain = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct fault f;
	bool ok;

	ok = deltas_get(deltas, delta, &plain, &why);
	if (ok && (!run_builder_add(&x->building, delta, buf_span(&plain), &f) ||
	              !note_superseded(gone, buf_span(&plain), &f)))
		ok = err_fault(&why, &f);
	buf_release(&plain);
	if (!ok && !err_is_damage(&why)) {
		*e = why;
		return false;
	}
	if (x->building.entries.n >= RUN_BYTES)
		finish_run(x);
	return true;
}

static bool load(struct index *x, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	struct deltas *deltas;
	struct map gone;
	struct id id;
	size_t i;
	bool ok;

	if (x->loaded)
		return true;
	map_init(&gone, ID_SIZE);
	map_runs(x);
	deltas = deltas_new(x->repo);
	ok = repo_list(x->repo, "index", &names, e);
	for (i = names.n; ok && i-- > 0;)
		if (id_of_name(names.names[i], &id) && !covered(x, &id))
			deltas_add(deltas, &id);
	for (i = names.n; ok && i-- > 0;)
		if (id_of_name(names.names[i], &id) && !covered(x, &id) && !map_get(&gone, &id))
			ok = fetch(x, deltas, &id, &gone, e);
	deltas_free(deltas);
	if (ok) {
		finish_run(x);
		merge_runs(x);
		x->loaded = true;
	}
	store_listing_release(&names);
	map_release(&gone);
	return ok;
}

static uint32_t number_of(struct index *x, struct run *r, uint32_t bundle)
{
	const uint8_t *p = r->bundles + (size_t)bundle * RUN_BUNDLE;
	struct id name;

	if (r->numbers[bundle] == 0) {
		memcpy(name.b, p, ID_SIZE);
		r->numbers[bundle] =
		    inventory_number(x->inv, (enum file_type)p[32], &name, get_u64(p + 24)) + 1;
	}
	return r->numbers[bundle] - 1;
}

bool index_find(struct index *x, const struct id *id, struct hint *out, bool *found,
    struct err *e)
{
	const uint8_t *p;
	struct run *r;
	uint64_t at;
	size_t i;

	*found = false;
	if (!load(x, e))
		return err_wrap(e, "cannot tell which chunks are new");
	for (i = 0; i < x->n && !*found; i++) {
		r = x->runs[i];
		for (at = run_search(r, id); at < r->n_entries && !*found; at++) {
			p = r->entries + at * RUN_ENTRY;
			if (memcmp(p, id->b, ID_SIZE) != 0)
				break;
			if (get_u32(p + 24) >= r->n_bundles)
				continue;
			out->bundle = number_of(x, r, get_u32(p + 24));
			out->slot = get_u32(p + 28);
			if (!inventory_usable(x->inv, out->bundle, found, e))
				return false;
		}
	}
	return true;
}

void index_learn(struct index *x, const struct id *delta, struct span plain)
{
	if (!x->loaded || !cache_path(x->cache) || !cache_owned(x->cache))
		return;
	if (run_builder_add(&x->building, delta, plain, NULL))
		finish_run(x);
	run_builder_release(&x->building);
	merge_runs(x);
}
