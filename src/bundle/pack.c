/*
 * The packer. A chunk's ticket is its frame's serial number and its place in the frame. A
 * frame's bundle and first slot are known once it has been compressed and every frame
 * before it has: 8 bytes are kept for each frame (1 MiB of new data) of the run.
 */
#include "bundle/pack.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bundle/build.h"
#include "codec/digest.h"
#include "codec/seal.h"

#define TICKET_BITS 24 /* chunks in a frame */

struct frame_job {
	struct job job;
	struct frame_job *next_spare;
	struct packer *packer;
	uint64_t serial;
	struct buf plain;
	struct id *ids;
	uint32_t *lengths;
	uint32_t chunks;
	size_t ids_cap, lengths_cap; /* capacities */
	/* result */
	struct buf stored;
	enum frame_method method;
	uint8_t digest[DIGEST_SHORT];
};

struct put_job {
	struct job job;
	struct repo *repo;
	struct build *build;
	uint32_t number;
	bool ok;
	struct err err;
};

struct placed {
	uint32_t bundle, slot;
};

struct packer {
	struct repo *repo;
	struct inventory *inv;
	struct packer_options o;
	struct lane *frames, *puts;
	struct frame_job *open;  /* collecting chunks */
	struct frame_job *spare; /* kept for their memory, linked by next_spare */
	struct build *build;     /* collecting frames */
	uint32_t number;         /* of the build, in the inventory */
	struct placed *placed;   /* by frame serial */
	size_t n_placed, placed_cap;
	uint64_t serial;         /* of the next frame */
	uint64_t bundles;        /* begun */
	uint64_t listed;         /* before them */
	uint64_t stored;
	bool failed;
	struct err err;
};

struct packer *packer_new(
    struct repo *r, struct inventory *inv, const struct packer_options *o)
{
	struct packer *p = mem_zalloc(sizeof *p);

	p->repo = r;
	p->inv = inv;
	p->o = *o;
	p->frames = lane_new(o->cpu);
	p->puts = lane_new(o->transfer);
	return p;
}

void packer_listed(struct packer *p, uint64_t bundles)
{
	p->listed = bundles;
}

static void frame_free(struct frame_job *f)
{
	if (!f)
		return;
	buf_release(&f->plain);
	buf_release(&f->stored);
	free(f->ids);
	free(f->lengths);
	free(f);
}

void packer_free(struct packer *p)
{
	struct frame_job *f;
	struct job *j;

	if (!p)
		return;
	while ((j = lane_take(p->frames)))
		frame_free((struct frame_job *)j);
	while ((j = lane_take(p->puts))) {
		build_free(((struct put_job *)j)->build);
		free(j);
	}
	frame_free(p->open);
	while ((f = p->spare)) {
		p->spare = f->next_spare;
		frame_free(f);
	}
	build_free(p->build);
	lane_free(p->frames);
	lane_free(p->puts);
	free(p->placed);
	free(p);
}

static bool fail(struct packer *p, const struct err *why, struct err *e)
{
	if (!p->failed) {
		p->failed = true;
		p->err = *why;
	}
	*e = p->err;
	return false;
}

/* --- bundles */

static void put_run(struct job *j)
{
	struct put_job *put = (struct put_job *)j;

	put->ok = build_put(put->build, put->repo, &put->err);
}

static bool take_put(struct packer *p, struct put_job *put, struct err *e)
{
	bool ok = put->ok;

	if (ok) {
		inventory_name(p->inv, put->number, &put->build->name, put->build->size);
		p->stored += put->build->size - put->build->stored; /* head, directory, trailer */
		if (p->o.acknowledged)
			p->o.acknowledged(p->o.arg, put->number, &put->build->dir);
	} else {
		fail(p, &put->err, e);
	}
	build_free(put->build);
	free(put);
	return ok;
}

/* Whether the bundle is in a file now, and no longer in memory. */
static bool spool(struct packer *p)
{
	if (p->o.spool && p->build->spool < 0 && !build_spool(p->build, p->o.spool))
		p->o.spool = NULL; /* full, most likely */
	return p->build->spool >= 0;
}

/*
 * Whether the bundle may go with those that are on their way: in memory, or from a file.
 */
static bool fits(struct packer *p)
{
	if (lane_weight(p->puts) + p->build->stored <= p->o.in_flight + p->o.bundle_target)
		return true;
	if (lane_jobs(p->puts) >= p->o.puts || !p->o.spool)
		return false;
	return spool(p);
}

/* Bytes bound what is on its way; a bundle larger than the bound still goes, alone. */
static bool bundle_close(struct packer *p, struct err *e)
{
	struct put_job *put;
	struct job *j;

	if (!p->build)
		return true;
	while ((j = lane_poll(p->puts)))
		if (!take_put(p, (struct put_job *)j, e))
			return false;
	if (p->o.lean)
		spool(p);
	while (lane_jobs(p->puts) > 0 && !fits(p)) {
		j = lane_take(p->puts);
		if (!take_put(p, (struct put_job *)j, e))
			return false;
	}
	put = mem_zalloc(sizeof *put);
	put->job.run = put_run;
	put->job.weight = p->build->spool < 0 ? p->build->stored : 0;
	put->repo = p->repo;
	put->build = p->build;
	put->number = p->number;
	p->build = NULL;
	p->stored += put->build->stored;
	lane_put(p->puts, &put->job);
	return true;
}

/* --- frames */

static void frame_run(struct job *j)
{
	struct frame_job *f = (struct frame_job *)j;
	struct packer *p = f->packer;
	const struct sealer *sealer = keyring_sealer(p->repo->keys, PURPOSE_FRAMES);
	struct compressor *c = compressor_take(p->o.compressors);
	uint8_t nonce[NONCE_SIZE], aad[FRAME_AAD_SIZE];
	struct buf packed = BUF_EMPTY;

	f->method = frame_compress(c, buf_span(&f->plain), &packed);
	compressor_give(p->o.compressors, c);
	nonce_derive(nonce, p->o.seed, BUILD_LANE_FRAMES, f->serial);
	frame_aad(p->repo, aad);
	buf_reserve(&f->stored, seal_size(sealer, packed.n));
	seal(sealer, nonce, span_of(aad, sizeof aad), buf_span(&packed), &f->stored);
	buf_release(&packed);
	buf_trim(&f->stored);
	digest_short(f->digest, buf_span(&f->stored));
}

/* The bundle that the next frame goes to: closes one that is full. */
static bool bundle_for(struct packer *p, const struct frame_job *f, struct err *e)
{
	if (p->build &&
	    (p->build->stored + f->stored.n > p->o.bundle_target + p->o.frame_plain ||
	        p->build->dir.n_chunks + f->chunks > BUNDLE_CHUNKS_MAX))
		if (!bundle_close(p, e))
			return false;
	if (!p->build) {
		p->build = build_new(p->o.type, p->o.run, p->o.seed, p->bundles,
		    folders_for(p->listed + p->bundles));
		p->bundles++;
		p->number = inventory_begin(p->inv, p->o.type);
	}
	return true;
}

static bool take_frame(struct packer *p, struct frame_job *f, struct err *e)
{
	uint32_t i;

	if (!bundle_for(p, f, e)) {
		frame_free(f);
		return false;
	}
	assert(f->serial == p->n_placed);
	p->placed = mem_grow(p->placed, &p->placed_cap, p->n_placed + 1, sizeof *p->placed);
	p->placed[p->n_placed++] = (struct placed){p->number, p->build->dir.n_chunks};
	for (i = 0; i < f->chunks; i++)
		directory_add_chunk(&p->build->dir, &f->ids[i], f->lengths[i]);
	build_add_frame(p->build, &f->stored, f->method, f->digest);
	buf_clear(&f->plain);
	f->chunks = 0;
	f->next_spare = p->spare;
	p->spare = f;
	if (p->build->stored >= p->o.bundle_target)
		return bundle_close(p, e);
	return true;
}

/*
 * Hand over the open frame. More than one for each worker in work and in wait gains
 * nothing and costs memory.
 */
static bool frame_put(struct packer *p, void (*run)(struct job *), struct err *e)
{
	size_t most = pool_threads(p->o.cpu) + 2;
	struct frame_job *f = p->open;

	while (lane_jobs(p->frames) >= most)
		if (!take_frame(p, (struct frame_job *)lane_take(p->frames), e))
			return false;
	p->open = NULL;
	f->serial = p->serial++;
	f->job.run = run;
	f->job.weight = f->plain.n + f->stored.n;
	lane_put(p->frames, &f->job);
	return true;
}

static bool frame_close(struct packer *p, struct err *e)
{
	return !p->open || frame_put(p, frame_run, e);
}

static struct frame_job *frame_new(struct packer *p)
{
	struct frame_job *f = p->spare;

	if (f)
		p->spare = f->next_spare;
	else
		f = mem_zalloc(sizeof *f);
	f->packer = p;
	return f;
}

bool packer_add(struct packer *p, const struct id *id, struct span plain,
    uint64_t *ticket, struct err *e)
{
	struct frame_job *f;

	assert(plain.n > 0 && plain.n <= CHUNK_MAX);
	if (p->failed)
		return fail(p, &p->err, e);
	if (p->open && p->open->plain.n + plain.n > p->o.frame_plain && !frame_close(p, e))
		return false;
	if (!p->open) {
		p->open = frame_new(p);
		buf_reserve(
		    &p->open->plain, plain.n > p->o.frame_plain ? plain.n : p->o.frame_plain);
	}
	f = p->open;
	*ticket = p->serial << TICKET_BITS | f->chunks;
	f->ids = mem_grow(f->ids, &f->ids_cap, f->chunks + 1, sizeof *f->ids);
	f->lengths = mem_grow(f->lengths, &f->lengths_cap, f->chunks + 1, sizeof *f->lengths);
	f->ids[f->chunks] = *id;
	f->lengths[f->chunks++] = (uint32_t)plain.n;
	buf_add_span(&f->plain, plain);
	if (f->plain.n >= p->o.frame_plain || f->chunks == BUNDLE_CHUNKS_MAX)
		return frame_close(p, e);
	return true;
}

/* Nothing is left to do to it, but it waits for its turn. */
static void ready_run(struct job *j)
{
	(void)j;
}

bool packer_add_frame(struct packer *p, const struct frame_rec *rec, const struct id *ids,
    const uint32_t *lengths, struct buf *stored, uint64_t *ticket, struct err *e)
{
	struct frame_job *f;

	if (p->failed || !frame_close(p, e)) {
		buf_release(stored);
		return p->failed ? fail(p, &p->err, e) : false;
	}
	f = frame_new(p);
	f->ids = mem_grow(f->ids, &f->ids_cap, rec->chunks, sizeof *f->ids);
	f->lengths = mem_grow(f->lengths, &f->lengths_cap, rec->chunks, sizeof *f->lengths);
	memcpy(f->ids, ids, rec->chunks * sizeof *ids);
	memcpy(f->lengths, lengths, rec->chunks * sizeof *lengths);
	f->chunks = rec->chunks;
	f->method = rec->method;
	memcpy(f->digest, rec->digest, DIGEST_SHORT);
	buf_release(&f->stored);
	f->stored = *stored;
	*stored = (struct buf)BUF_EMPTY;
	*ticket = p->serial << TICKET_BITS;
	p->open = f;
	return frame_put(p, ready_run, e);
}

bool packer_place(const struct packer *p, uint64_t ticket, struct hint *out)
{
	uint64_t serial = ticket >> TICKET_BITS;

	if (serial >= p->n_placed)
		return false;
	out->bundle = p->placed[serial].bundle;
	out->slot = p->placed[serial].slot + (uint32_t)(ticket & ((1u << TICKET_BITS) - 1));
	return true;
}

bool packer_poll(struct packer *p, struct err *e)
{
	struct job *j;

	if (p->failed)
		return fail(p, &p->err, e);
	while ((j = lane_poll(p->frames)))
		if (!take_frame(p, (struct frame_job *)j, e))
			return false;
	while ((j = lane_poll(p->puts)))
		if (!take_put(p, (struct put_job *)j, e))
			return false;
	return true;
}

bool packer_cut(struct packer *p, struct err *e)
{
	return p->failed ? fail(p, &p->err, e) : frame_close(p, e);
}

bool packer_wait(struct packer *p, bool *waited, struct err *e)
{
	struct job *j;

	*waited = true;
	if (p->failed)
		return fail(p, &p->err, e);
	if ((j = lane_take(p->frames)))
		return take_frame(p, (struct frame_job *)j, e);
	if ((j = lane_take(p->puts)))
		return take_put(p, (struct put_job *)j, e);
	*waited = false;
	return true;
}

bool packer_settle(struct packer *p, struct err *e)
{
	struct job *j;

	if (p->failed)
		return fail(p, &p->err, e);
	if (!frame_close(p, e))
		return false;
	while ((j = lane_take(p->frames)))
		if (!take_frame(p, (struct frame_job *)j, e))
			return false;
	return true;
}

bool packer_close(struct packer *p, struct err *e)
{
	return packer_settle(p, e) && bundle_close(p, e);
}

bool packer_flush(struct packer *p, struct err *e)
{
	struct job *j;

	if (!packer_close(p, e))
		return false;
	while ((j = lane_take(p->puts)))
		if (!take_put(p, (struct put_job *)j, e))
			return false;
	return true;
}

uint64_t packer_stored(const struct packer *p)
{
	return p->stored + (p->build ? p->build->stored : 0);
}
