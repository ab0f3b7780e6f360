/*
 * Reading the hunks and lists of a round. What stands close together in a bundle comes
 * with one read, and while a read is being taken, the next ones are under way: enough to
 * keep the threads busy, and few bytes.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/vacuum_internal.h"

#define AHEAD (4u << 20) /* bytes under way, and then no other read is begun */

/* One read: chunks of a bundle, by slot. */
struct run {
	struct job job;
	struct repo *repo;
	struct bundle bundle; /* only what chunk_in_frame asks of it */
	const struct vac_chunk *c;
	size_t n;
	uint64_t at, end;
	struct buf bytes;
	bool ok;
	struct err why;
};

/* --- from the cache */

void vac_open_packs(struct vac *v)
{
	char name[NAME_MAX_LEN + 1];
	struct cache_pack *pack;
	struct map sets;
	struct id id;
	size_t i;

	map_init(&sets, ID_SIZE);
	for (i = 0; i < v->n_v; i++) {
		if (!v->v[i].whole || v->v[i].band.kind != BAND_BACKUP)
			continue;
		chunk_id(v->repo, FILE_HUNKS, span_str(v->v[i].band.set), &id);
		if (!map_put(&sets, &id, 1))
			continue;
		cache_pack_name(v->repo, v->v[i].band.set, name);
		pack = cache_pack_open(v->cache, name);
		if (!pack)
			continue;
		v->packs = mem_grow(v->packs, &v->packs_cap, v->n_packs + 1, sizeof pack);
		v->packs[v->n_packs++] = pack;
	}
	map_release(&sets);
}

static bool from_cache(struct vac *v, const struct id *id, struct buf *plain)
{
	struct id got;
	size_t i;

	for (i = 0; i < v->n_packs; i++) {
		if (!cache_pack_get(v->packs[i], id, plain))
			continue;
		chunk_id(v->repo, FILE_HUNKS, buf_span(plain), &got);
		if (id_equal(&got, id))
			return true;
	}
	return false;
}

/* Whether the vacuum can do without what an error has cost. */
static bool bearable(const struct vac_chunk *c, const struct err *why)
{
	return !c->needed && err_is_damage(why);
}

static void tell(struct vac *v)
{
	struct progress p = {
	    .phase = "read the index", .files = v->result->hunks, .parts = true};

	monitor_progress(v->m, &p);
}

/* Take those that the packs have; the others stay, *n of them. */
static bool take_cached(struct vac *v, struct vac_chunk *c, size_t *n, struct err *e)
{
	struct buf plain = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	size_t i, left = 0;
	bool ok = true;

	for (i = 0; ok && i < *n; i++) {
		if (vac_stopped(v, e)) {
			ok = false;
		} else if (!from_cache(v, &c[i].id, &plain)) {
			c[left++] = c[i];
		} else if (!vac_take(v, &c[i], buf_span(&plain), &why)) {
			ok = bearable(&c[i], &why);
			if (!ok)
				*e = why;
			err_clear(&why);
		}
		tell(v);
	}
	*n = left;
	buf_release(&plain);
	return ok;
}

/* --- from the storage */

static void run_free(struct run *r)
{
	directory_release(&r->bundle.dir);
	buf_release(&r->bytes);
	free(r);
}

static void run_read(struct job *job)
{
	struct run *r = (struct run *)job;

	r->ok = vac_frames_get(r->repo, r->bundle.type, &r->bundle.name, r->at, r->end,
	    &r->bytes, &r->why);
}

static const struct frame_rec *frame_of(const struct run *r, const struct vac_chunk *c)
{
	return &r->bundle.dir.frames[directory_frame_of(&r->bundle.dir, c->slot)];
}

/* The first of n chunks, and those that come with it. */
static struct run *run_make(
    struct vac *v, const struct vac_chunk *c, size_t n, struct err *e)
{
	const struct held *h = &v->held[c->held];
	const struct frame_rec *last, *f;
	struct run *r = mem_zalloc(sizeof *r);

	r->job.run = run_read;
	r->repo = v->repo;
	r->bundle.name = h->name;
	r->bundle.type = h->type;
	r->c = c;
	if (!vac_directory(v, h, &r->bundle.dir, e)) {
		run_free(r);
		return NULL;
	}
	last = frame_of(r, c);
	/* A read that goes on from the beginning of a file may cost no trip of its own. */
	r->at = last->at == FILE_HEAD_SIZE ? 0 : last->at;
	r->end = last->at + last->stored;
	for (r->n = 1; r->n < n; r->n++, last = f) {
		if (c[r->n].held != c->held || c[r->n].needed != c->needed)
			break;
		f = frame_of(r, &c[r->n]);
		if (f != last && !vac_frame_near(f, r->at, &r->end))
			break;
	}
	r->job.weight = (size_t)(r->end - r->at);
	return r;
}

static bool take_run(struct vac *v, const struct run *r, struct err *e)
{
	const struct frame_rec *f, *opened = NULL;
	struct buf plain = BUF_EMPTY;
	struct span chunk;
	bool ok = r->ok;
	size_t i;

	if (!ok)
		*e = r->why;
	for (i = 0; ok && i < r->n; i++) {
		f = frame_of(r, &r->c[i]);
		if (f != opened)
			ok = frame_open(v->repo, f, span_of(r->bytes.p + (f->at - r->at), f->stored),
			    &plain, e);
		opened = f;
		ok = ok &&
		    chunk_in_frame(v->repo, &r->bundle, r->c[i].slot, buf_span(&plain),
		        &r->c[i].id, &chunk, e) &&
		    vac_take(v, &r->c[i], chunk, e);
	}
	buf_release(&plain);
	return ok;
}

static bool finish_run(struct vac *v, const struct run *r, struct err *e)
{
	char name[2 * ID_SIZE + 1];
	struct err why = ERR_EMPTY;

	if (take_run(v, r, &why) || bearable(r->c, &why))
		return true;
	*e = why;
	if (!err_is_damage(&why))
		return false;
	name_of_id(&r->bundle.name, name);
	return err_wrap(e,
	    "what snapshots refer to cannot be told, so nothing may be called dead (bale "
	    "validate --full tells which suffer, and records it): hunks/%s", name);
}

static bool may_begin(const struct vac *v, const struct lane *lane)
{
	size_t jobs = lane_jobs(lane);

	return jobs == 0 ||
	    (jobs < 2 * (size_t)pool_threads(v->readers) && lane_weight(lane) < AHEAD);
}

/* Those that are not in the cache. */
static bool take_stored(struct vac *v, const struct vac_chunk *c, size_t n, struct err *e)
{
	struct lane *lane = lane_new(v->readers);
	struct run *r;
	size_t next = 0, runs = 0;
	bool ok = true;

	for (;;) {
		while (ok && next < n && may_begin(v, lane)) {
			ok = vac_remind(v, VAC_HUNKS, runs++, n - next, e) &&
			    (r = run_make(v, c + next, n - next, e));
			if (!ok)
				break;
			next += r->n;
			lane_put(lane, &r->job);
		}
		r = (struct run *)lane_take(lane);
		if (!r)
			break;
		ok = ok && !vac_stopped(v, e) && finish_run(v, r, e);
		run_free(r);
		tell(v);
	}
	lane_free(lane);
	return ok;
}

bool vac_read_chunks(struct vac *v, struct vac_chunk *c, size_t n, struct err *e)
{
	return take_cached(v, c, &n, e) && take_stored(v, c, n, e);
}
