/*
 * A backup from beginning to end. The order is the protocol's: the head before the first
 * look at tombstones, bundles or basis, the tail last of all.
 */
#include "engine/backup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/sys.h"
#include "engine/backup_run.h"

#define SIZES_FILE "sizes"
#define SIZES_CELL 33 /* type, name, size */
#define POLL_ITEMS 64
/* A read that takes so long goes over a network. */
#define SLOW_NS (5 * 1000000ll)
#define HUNKS_IN_FLIGHT (8u << 20)

void backup_options_init(struct backup_options *o)
{
	*o = (struct backup_options){.set = "", .host = "", .user = "", .program = "bale",
	    .threads = 2, .transfers = 1, .level = 3, .checkpoint = 1u << 30,
	    .checkpoint_ns = 300ll * 1000000000};
}

/* --- sizes of bundles seen by earlier runs */

static void load_sizes(struct run *r)
{
	struct buf b = BUF_EMPTY;
	struct id name;
	size_t at;

	if (cache_get(r->cache, SIZES_FILE, &b)) {
		for (at = 0; at + SIZES_CELL <= b.n; at += SIZES_CELL) {
			memcpy(name.b, b.p + at + 1, ID_SIZE);
			inventory_trust(
			    r->inventory, (enum file_type)b.p[at], &name, get_u64(b.p + at + 25));
		}
	}
	buf_release(&b);
}

/* What this run wrote counts only if the storage is known to have it. */
static void save_sizes(struct run *r)
{
	bool own = r->band.settled || r->repo->store->mount == MOUNT_THROUGH;
	uint32_t i, n = inventory_count(r->inventory);
	struct buf b = BUF_EMPTY, old = BUF_EMPTY;
	const struct stocked *s;

	for (i = 0; i < n; i++) {
		s = inventory_get(r->inventory, i);
		if (!s->named || !((s->own && own) || (s->listed && s->sized)))
			continue;
		buf_add_byte(&b, (uint8_t)s->type);
		buf_add(&b, s->name.b, ID_SIZE);
		buf_add_u64(&b, s->size);
	}
	if (!cache_get(r->cache, SIZES_FILE, &old) ||
	    !span_equal(buf_span(&old), buf_span(&b)))
		cache_put(r->cache, SIZES_FILE, buf_span(&b));
	buf_release(&old);
	buf_release(&b);
}

/* --- setting up */

/*
 * A backup of nothing but absent sources would be an empty snapshot that looks complete.
 */
static bool check_sources(const struct backup_options *o, struct err *e)
{
	struct stat st;
	size_t i;

	for (i = 0; i < o->n_paths; i++)
		if (sys_fstatat(AT_FDCWD, o->paths[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return err_set(e, ERR_MISSING, "source %s is not there%s; nothing was written",
	    o->n_paths ? o->paths[0] : "", o->n_paths > 1 ? ", nor is any other" : "");
}

/*
 * A disk of this machine takes one bundle after the other as fast as it can; to write
 * some to a file first would only cost. Where an operation takes its time, so does the
 * end of a put, while which others can go on.
 */
static unsigned puts_of(const struct run *r)
{
	if (r->o->puts > 0)
		return r->o->puts;
	return r->repo->latency < SLOW_NS || r->repo->latency == INT64_MAX ? 1
	                                                                   : r->o->transfers;
}

static struct packer *make_packer(struct run *r, enum file_type type,
    const uint8_t seed[32], uint32_t frame_plain, uint32_t target)
{
	bool several = puts_of(r) > 1;
	struct packer_options o = {
	    .type = type,
	    .in_flight = several && type == FILE_HUNKS ? HUNKS_IN_FLIGHT : 0,
	    .puts = puts_of(r),
	    .spool = several ? r->cache : NULL,
	    .run = r->band.name.text,
	    .seed = seed,
	    .frame_plain = frame_plain,
	    .bundle_target = target,
	    .cpu = r->cpu,
	    .transfer = r->transfer,
	    .compressors = r->compressors,
	    .acknowledged = band_bundle,
	    .arg = r,
	};

	return packer_new(r->repo, r->inventory, &o);
}

struct folder_job {
	struct job job;
	struct store *store;
	const char *name;
};

static void folder_run(struct job *job)
{
	struct folder_job *j = (struct folder_job *)job;

	store_folder(j->store, j->name);
}

/* While the last data is put: what comes then is waited for. */
static void make_folders(struct run *r)
{
	static const char *const names[] = {"hunks", "index"};
	struct folder_job *j;
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		j = mem_zalloc(sizeof *j);
		j->job.run = folder_run;
		j->store = r->repo->store;
		j->name = names[i];
		lane_put(r->folders, &j->job);
	}
}

/*
 * Bundles of hunks are kept small, so that two kinds in memory cost little more than one.
 */
static void make_packers(struct run *r)
{
	uint32_t target = r->repo->params.bundle_target;
	uint32_t small = target < 4u << 20 ? target : 4u << 20;

	r->data = make_packer(r, FILE_DATA, r->seed[0], r->repo->params.frame_plain, target);
	packer_listed(r->data, inventory_listed_data(r->inventory));
	r->hunks = make_packer(r, FILE_HUNKS, r->seed[1], 1, small);
	r->lists = make_packer(r, FILE_HUNKS, r->seed[2], 1, small);
}

static bool known_chunk(
    void *arg, const struct id *id, struct hint *out, bool *found, struct err *e)
{
	struct run *r = arg;

	*found = false;
	if (r->basis && basis_hunk(r->basis, id, out) &&
	    !inventory_usable(r->inventory, out->bundle, found, e))
		return false;
	return *found || index_find(r->index, id, out, found, e);
}

static void make_writer(struct run *r)
{
	struct band_writer_options o = {
	    .repo = r->repo,
	    .inventory = r->inventory,
	    .hunks = r->hunks,
	    .lists = r->lists,
	    .known = known_chunk,
	    .arg = r,
	    .pack = r->new_pack,
	    .totals = &r->totals,
	};

	r->writer = band_writer_new(&o);
}

static void open_pack(struct run *r)
{
	char name[NAME_MAX_LEN + 1];

	cache_pack_name(r->repo, r->o->set, name);
	r->pack = cache_pack_open(r->cache, name);
	if (cache_owned(r->cache))
		r->new_pack = cache_pack_create(r->cache, name, r->pack);
}

static bool open_walk(struct run *r, struct err *e)
{
	struct walk_options o = {
	    .filter = r->o->filter,
	    .one_file_system = r->o->one_file_system,
	    .cachedir = !r->o->no_cachedir,
	    .own = r->own_folders,
	    .note = merge_note,
	    .arg = r,
	};
	struct stat st;

	if (r->o->repo_path && stat(r->o->repo_path, &st) == 0)
		r->own_folders[o.n_own++] = (struct walk_inode){st.st_dev, st.st_ino};
	if (cache_path(r->cache) && stat(cache_path(r->cache), &st) == 0)
		r->own_folders[o.n_own++] = (struct walk_inode){st.st_dev, st.st_ino};
	return walk_open(r->cpu, r->o->paths, r->o->n_paths, &o, &r->walk, e);
}

static void setup(struct run *r)
{
	const struct backup_options *o = r->o;
	struct span gear = keyring_key(r->repo->keys, PURPOSE_GEAR);

	r->tail = &r->head;
	map_init(&r->own, ID_SIZE);
	map_init(&r->links, 16);
	map_init(&r->stale_links, ID_SIZE);
	r->cache = cache_open(r->repo, o->cache_dir);
	r->cpu = pool_new(o->threads);
	r->transfer = pool_new(o->transfers);
	r->reads = lane_new(r->cpu);
	r->streams = lane_new(r->cpu);
	r->folders = lane_new(r->transfer);
	r->compressors = compressor_cache_new(o->level);
	r->owners = owners_new();
	r->reader.repo = r->repo;
	cut_init(&r->reader.cut, &r->repo->params.cut, gear.p);
	r->inventory = inventory_new(r->repo);
	r->resolver = resolver_new(r->repo);
	r->chunks = chunk_reader_new(r->repo, 4, 4);
	r->index = index_new(r->repo, r->cache, r->inventory);
	band_run_init(&r->band, r->repo, r->cache, r->inventory, r->m);
	r->band.transfer = r->transfer;
	r->repo->env->random(r->repo->env, r->seed, sizeof r->seed);
	load_sizes(r);
}

static void teardown(struct run *r)
{
	struct job *j;
	size_t i;

	walk_close(r->walk);
	store_abandon(r);
	band_writer_free(r->writer);
	packer_free(r->data);
	packer_free(r->hunks);
	packer_free(r->lists);
	cache_pack_abandon(r->new_pack);
	basis_close(r->basis);
	cache_pack_close(r->pack);
	index_free(r->index);
	chunk_reader_free(r->chunks);
	resolver_free(r->resolver);
	inventory_free(r->inventory);
	lane_free(r->reads);
	lane_free(r->streams);
	while ((j = lane_take(r->folders)))
		free(j);
	lane_free(r->folders);
	pool_free(r->cpu);
	pool_free(r->transfer);
	compressor_cache_free(r->compressors);
	owners_free(r->owners);
	band_run_release(&r->band);
	string_list_release(&r->deltas);
	string_list_release(&r->sources);
	band_deltas_release(r);
	map_release(&r->own);
	map_release(&r->links);
	stale_release(r);
	for (i = 0; i < r->n_unreadable; i++)
		free((void *)(uintptr_t)r->unreadable[i].p);
	free(r->unreadable);
	free(r->groups);
	free(r->bundles);
	free(r->extents);
	cache_close(r->cache);
}

/* --- the loop */

/* What is done is kept as a part, which the next backup goes on from. */
static bool stop(struct run *r, struct err *e)
{
	if (!band_checkpoint(r, e))
		return false;
	if (r->low_space)
		return err_set(e, ERR_NOSPACE,
		    "the storage has less than 64 MiB left, which are kept free for prune and "
		    "vacuum; what was backed up so far is kept and the next backup goes on from "
		    "it");
	return err_set(e, ERR_STOPPED,
	    "stopped; what was backed up so far is kept and the next backup goes on from it");
}

/* A failure; but where it is the user's wish, what is done is kept here too. */
static bool halted(struct run *r, struct err *e)
{
	return e->kind == ERR_STOPPED && r->o->stop && *r->o->stop && !r->band.complete &&
	       stop(r, e);
}

static bool loop(struct run *r, struct err *e)
{
	const struct backup_options *o = r->o;
	enum step step = STEP_ITEM;
	unsigned n;

	r->last_part = r->repo->env->ticks(r->repo->env);
	for (n = 0; step == STEP_ITEM; n++) {
		if ((o->stop && *o->stop) || r->low_space)
			return stop(r, e);
		step = merge_next(r, e);
		if (step == STEP_FAILED)
			return false;
		if (n % POLL_ITEMS == 0 && (!store_pump(r, false, e) || !band_delta(r, false, e)))
			return halted(r, e);
		while (store_full(r))
			if (!store_pump(r, true, e))
				return halted(r, e);
	}
	make_folders(r);
	return (merge_finish(r, e) && band_finish(r, e)) || halted(r, e);
}

static bool check_space(struct run *r, struct err *e)
{
	uint64_t space;

	if (!store_space(r->repo->store, &space) || space >= 64u << 20)
		return true;
	return err_set(e, ERR_NOSPACE,
	    "the storage has %llu MiB left; the last 64 MiB are kept free for prune and "
	    "vacuum, so nothing was written; make room, or prune and vacuum",
	    (unsigned long long)(space >> 20));
}

static bool run_once(struct repo *repo, const struct backup_options *o, struct monitor *m,
    struct backup_result *out, bool *fenced, struct err *e)
{
	struct run *r;
	bool ok;

	*out = (struct backup_result){.complete = false};
	if (!check_sources(o, e))
		return false;
	r = mem_zalloc(sizeof *r);
	r->repo = repo;
	r->o = o;
	r->m = m;
	r->result = out;
	setup(r);
	ok = check_space(r, e) && band_begin(r, e) && band_run_fence_own(&r->band, e);
	if (ok) {
		struct basis_options bo = {r->chunks, r->inventory, r->resolver, NULL, m};

		open_pack(r);
		bo.pack = r->pack;
		ok = basis_open(
		    repo, &r->band.bands, o->set, r->band.name.text, &bo, &r->basis, e);
		ok = ok && band_run_look_end(&r->band, e);
		if (ok && r->basis)
			snprintf(out->basis, sizeof out->basis, "%s", basis_name(r->basis));
	}
	if (ok) {
		make_packers(r);
		make_writer(r);
		ok = open_walk(r, e) && loop(r, e);
	}
	out->totals = r->totals;
	if (r->data)
		out->totals.bytes_stored = run_stored(r);
	out->confirmed = out->complete && r->band.settled;
	if (ok) {
		cache_pack_commit(r->new_pack);
		r->new_pack = NULL;
		save_sizes(r);
	}
	*fenced = r->band.fenced;
	teardown(r);
	free(r);
	return ok;
}

/* What was declared dead has stored everything: taking it again costs little. */
bool backup_run(struct repo *repo, const struct backup_options *o, struct monitor *m,
    struct backup_result *out, struct err *e)
{
	bool fenced = false, ok = run_once(repo, o, m, out, &fenced, e);

	if (ok || !fenced)
		return ok;
	monitor_problem(m, PROBLEM_NOTE, span_str(out->snapshot), e);
	err_clear(e);
	return run_once(repo, o, m, out, &fenced, e);
}
