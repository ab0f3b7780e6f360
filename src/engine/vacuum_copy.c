/*
 * Copying. A frame that is wholly alive goes into the new bundle as it is, sealed bytes
 * and all; of one that is partly alive the live chunks are taken out, checked against
 * their ids, and framed anew. A new bundle counts when all of it has been read back under
 * its name.
 *
 * A bundle of which anything cannot be read is left alone, and told of.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "engine/vacuum_run.h"

#define SPARE (1u << 20) /* bytes that are left free on the storage */
/* Plain bytes of partly live frames that wait to be framed anew. */
#define STASH (4u << 20)
#define PIECE (8u << 20) /* of a bundle that is read back */

static void acknowledged(void *arg, uint32_t number, const struct directory *dir)
{
	struct vacuum *x = arg;
	const struct stocked *s = inventory_get(x->inventory, number);
	struct buf encoded = BUF_EMPTY;

	directory_encode(dir, &encoded);
	delta_add_bundle(&x->delta,
	    &(struct delta_bundle){s->name, s->type, s->size, span_str(x->band.name.text),
	        buf_span(&encoded)});
	buf_release(&encoded);
	x->bundles =
	    mem_grow(x->bundles, &x->bundles_cap, x->n_bundles + 1, sizeof *x->bundles);
	x->bundles[x->n_bundles++] =
	    (struct band_bundle){s->name, s->type == FILE_HUNKS, s->size};
	x->result->written_bytes += s->size;
}

static struct packer *make_packer(
    struct vacuum *x, enum file_type type, const uint8_t seed[32], uint32_t frame_plain)
{
	struct packer_options o = {
	    .type = type,
	    .run = x->band.name.text,
	    .seed = seed,
	    .frame_plain = frame_plain,
	    .bundle_target = vac_target(x->repo, type),
	    .puts = 1,
	    .spool = x->cache,
	    .lean = true,
	    .cpu = x->cpu,
	    .transfer = x->transfer,
	    .compressors = x->compressors,
	    .acknowledged = acknowledged,
	    .arg = x,
	};

	return packer_new(x->repo, x->inventory, &o);
}

/* As in backups, each hunk is a frame of its own. */
void copy_init(struct vacuum *x)
{
	x->repo->env->random(x->repo->env, x->seed, sizeof x->seed);
	x->cpu = pool_new(x->o->threads);
	x->transfer = pool_new(x->o->transfers);
	x->compressors = compressor_cache_new(x->o->level);
	x->data = make_packer(x, FILE_DATA, x->seed[0], x->repo->params.frame_plain);
	x->hunks = make_packer(x, FILE_HUNKS, x->seed[1], 1);
}

void copy_release(struct vacuum *x)
{
	packer_free(x->data);
	packer_free(x->hunks);
	pool_free(x->cpu);
	pool_free(x->transfer);
	compressor_cache_free(x->compressors);
	free(x->copied);
	free(x->victims);
	free(x->bundles);
	delta_writer_release(&x->delta);
}

/* --- one bundle */

struct stashed {
	uint32_t slot;
	size_t at;
};

struct copying {
	struct vacuum *x;
	uint32_t number;
	struct bundle bundle; /* only what chunk_in_frame asks of it */
	struct packer *packer;
	struct buf plain, stash;
	struct stashed *stashed;
	size_t n_stashed, cap;
};

static void note_copied(
    struct copying *c, uint32_t slot, uint32_t count, uint64_t ticket)
{
	struct vacuum *x = c->x;
	struct copied *last = x->n_copied ? &x->copied[x->n_copied - 1] : NULL;

	if (last && last->from == c->number && last->slot + last->count == slot &&
	    last->ticket + last->count == ticket) {
		last->count += count;
		return;
	}
	x->copied = mem_grow(x->copied, &x->copied_cap, x->n_copied + 1, sizeof *x->copied);
	x->copied[x->n_copied++] = (struct copied){
	    c->number, slot, count, c->bundle.type == FILE_HUNKS, ticket};
}

static uint32_t live_in(
    const struct vac *v, const struct held *h, const struct frame_rec *f)
{
	uint32_t i, n = 0;

	for (i = f->first; i < f->first + f->chunks; i++)
		n += vac_marked(v, h, i);
	return n;
}

static bool unstash(struct copying *c, struct err *e)
{
	const struct directory *d = &c->bundle.dir;
	struct stashed *s;
	uint64_t ticket;
	size_t i;

	for (i = 0; i < c->n_stashed; i++) {
		s = &c->stashed[i];
		if (!packer_add(c->packer, &d->ids[s->slot],
		        span_of(c->stash.p + s->at, d->lengths[s->slot]), &ticket, e))
			return false;
		note_copied(c, s->slot, 1, ticket);
	}
	c->n_stashed = 0;
	buf_clear(&c->stash);
	return true;
}

/* Of a partly live frame: the chunks are checked one by one. */
static bool take_chunks(
    struct copying *c, const struct frame_rec *f, struct span stored, struct err *e)
{
	const struct held *h = &c->x->v.held[c->number];
	const struct directory *d = &c->bundle.dir;
	struct span chunk;
	uint32_t i;

	if (!frame_open(c->x->repo, f, stored, &c->plain, e))
		return false;
	for (i = f->first; i < f->first + f->chunks; i++) {
		if (!vac_marked(&c->x->v, h, i))
			continue;
		if (!chunk_in_frame(
		        c->x->repo, &c->bundle, i, buf_span(&c->plain), &d->ids[i], &chunk, e))
			return false;
		c->stashed = mem_grow(c->stashed, &c->cap, c->n_stashed + 1, sizeof *c->stashed);
		c->stashed[c->n_stashed++] = (struct stashed){i, c->stash.n};
		buf_add_span(&c->stash, chunk);
	}
	return c->stash.n < STASH || unstash(c, e);
}

static bool take_frame(struct copying *c, const struct frame_rec *f, struct span stored,
    struct err *e)
{
	const struct directory *d = &c->bundle.dir;
	uint8_t digest[DIGEST_SHORT];
	struct buf own = BUF_EMPTY;
	uint64_t ticket;

	digest_short(digest, stored);
	if (memcmp(digest, f->digest, DIGEST_SHORT) != 0)
		return err_set(e, ERR_CORRUPT, "a frame is damaged: its digest is wrong");
	buf_add_span(&own, stored);
	if (!packer_add_frame(
	        c->packer, f, &d->ids[f->first], &d->lengths[f->first], &own, &ticket, e))
		return false;
	note_copied(c, f->first, f->chunks, ticket);
	return true;
}

static bool on_frame(void *arg, uint32_t frame, struct span stored, struct err *e)
{
	struct copying *c = arg;
	const struct frame_rec *f = &c->bundle.dir.frames[frame];
	uint32_t live = live_in(&c->x->v, &c->x->v.held[c->number], f);

	return live == f->chunks ? take_frame(c, f, stored, e) : take_chunks(c, f, stored, e);
}

static bool copy_frames(struct copying *c, struct err *e)
{
	const struct held *h = &c->x->v.held[c->number];
	const struct directory *d = &c->bundle.dir;
	uint32_t *frames = mem_array(d->n_frames, sizeof *frames), i;
	size_t n = 0;
	bool ok;

	for (i = 0; i < d->n_frames; i++)
		if (live_in(&c->x->v, h, &d->frames[i]) > 0)
			frames[n++] = i;
	ok = vac_frames(&c->x->v, h, d, frames, n, on_frame, c, e) && unstash(c, e);
	free(frames);
	return ok;
}

/*
 * Whether all that is alive in the bundle has been taken; not where it is damaged. What
 * had been taken by then stays: one more copy.
 */
static bool copy_bundle(struct vacuum *x, uint32_t number, bool *whole, struct err *e)
{
	const struct held *h = &x->v.held[number];
	struct copying c = {.x = x, .number = number};
	char name[2 * ID_SIZE + 1];
	struct err why = ERR_EMPTY;
	bool ok;

	c.bundle.name = h->name;
	c.bundle.type = h->type;
	c.packer = h->type == FILE_HUNKS ? x->hunks : x->data;
	*whole = vac_directory(&x->v, h, &c.bundle.dir, e) && copy_frames(&c, &why);
	ok = *whole || err_is_damage(&why);
	if (!*whole && ok) {
		name_of_id(&h->name, name);
		monitor_problem(x->m, PROBLEM_DAMAGED, span_str(name), &why);
	} else if (!ok) {
		*e = why;
	}
	directory_release(&c.bundle.dir);
	buf_release(&c.plain);
	buf_release(&c.stash);
	free(c.stashed);
	return ok;
}

/* --- which ones, and whether they have arrived */

struct candidate {
	uint32_t number;
	uint64_t live, size;
};

/*
 * The least live share first; bundles in which nothing is alive, and rescues, before all.
 */
static int by_share(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	unsigned __int128 l = (unsigned __int128)x->live * y->size;
	unsigned __int128 r = (unsigned __int128)y->live * x->size;

	if (l != r)
		return l < r ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* A bundle that is small for a bundle. */
static bool small(const struct vacuum *x, const struct held *h)
{
	return h->told && h->listed && !h->condemned && !h->open &&
	    h->size < x->repo->params.bundle_target / VAC_SMALL;
}

/* Whether there are several to be put together. */
static bool combine(const struct vacuum *x, enum file_type type)
{
	size_t i, n = 0;

	for (i = 0; x->o->combine && i < x->v.n_held; i++)
		n += x->v.held[i].type == type && small(x, &x->v.held[i]);
	return n > 1;
}

static struct candidate *candidates(struct vacuum *x, int below, size_t *n)
{
	struct candidate *c = mem_array(x->v.n_held + 1, sizeof *c);
	bool data = combine(x, FILE_DATA), hunks = combine(x, FILE_HUNKS);
	const struct held *h;
	uint32_t i;

	*n = 0;
	for (i = 0; i < x->v.n_held; i++) {
		h = &x->v.held[i];
		if (h->condemned && h->told && h->listed &&
		    h->live_chunks > 0)
			c[(*n)++] = (struct candidate){i, 0, 1};
		else if (below >= 0 && (vac_victim(h, below) ||
		    ((h->type == FILE_DATA ? data : hunks) && small(x, h))))
			c[(*n)++] = (struct candidate){i, h->live, h->size};
	}
	if (*n)
		qsort(c, *n, sizeof *c, by_share);
	return c;
}

static void take_in(uint32_t **list, size_t *n, size_t *cap, uint32_t number)
{
	*list = mem_grow(*list, cap, *n + 1, sizeof **list);
	(*list)[(*n)++] = number;
}

/*
 * Bytes of copies that the storage can take, and what else has to be written with them.
 */
static uint64_t room_of(struct vacuum *x)
{
	uint64_t space;

	if (!store_space(x->repo->store, &space))
		return UINT64_MAX;
	return x->result->copied_bytes + (space > SPARE ? space - SPARE : 0);
}

/* Whether the bounds that were given leave room for one more, and the storage does. */
static bool within(struct vacuum *x, const struct held *h, int64_t begun, uint64_t room)
{
	const struct vacuum_options *o = x->o;

	if (h->live_chunks == 0 || h->condemned)
		return true;
	if (x->result->copied_bytes + h->copy + h->tables > room) {
		x->result->unmoved++;
		return false;
	}
	if (o->max_write && x->result->copied_bytes + h->copy > o->max_write)
		return false;
	return !o->max_time || x->repo->env->ticks(x->repo->env) - begun < o->max_time;
}

/* The digest of what the storage gives back. */
static bool read_back(struct vacuum *x, const char *folder, const char *name,
    struct id *out, struct err *e)
{
	struct buf piece = BUF_EMPTY;
	struct digest d;
	uint64_t at = 0;
	bool ok;

	digest_init(&d, ID_SIZE, NULL, 0);
	do {
		buf_clear(&piece);
		ok = repo_get(x->repo, folder, name, at, PIECE, &piece, NULL, e);
		digest_add(&d, buf_span(&piece));
		at += piece.n;
	} while (ok && piece.n == PIECE);
	digest_end(&d, out->b);
	buf_release(&piece);
	return ok;
}

/* Read back each new bundle: its name is the digest of all its bytes. */
static bool verify(struct vacuum *x, struct err *e)
{
	char name[2 * ID_SIZE + 1], folder[16];
	const struct band_bundle *b;
	struct id id;
	bool ok = true;

	for (; ok && x->n_verified < x->n_bundles; x->n_verified += ok) {
		b = &x->bundles[x->n_verified];
		name_of_id(&b->name, name);
		folder_of(b->hunks ? FILE_HUNKS : FILE_DATA, &b->name, folder);
		ok = read_back(x, folder, name, &id, e) &&
		    (id_equal(&id, &b->name) ||
		        err_set(e, ERR_CORRUPT,
		            "%s/%s was written just now and reads back as something else",
		            folder, name));
	}
	return ok;
}

static uint64_t listed_data(const struct vac *v)
{
	uint64_t n = 0;

	for (int f = VAC_DATA; f < VAC_FOLDERS; f++)
		n += v->lists[f].n;
	return n;
}

bool copy_victims(struct vacuum *x, int below, struct err *e)
{
	int64_t begun = x->repo->env->ticks(x->repo->env);
	struct progress p = {.phase = "copy"};
	uint64_t room = room_of(x);
	struct candidate *c;
	const struct held *h;
	bool ok = true, whole;
	size_t n, i;

	packer_listed(x->data, listed_data(&x->v));
	c = candidates(x, below, &n);
	for (i = 0; ok && i < n; i++) {
		h = &x->v.held[c[i].number];
		if (!within(x, h, begun, room))
			continue;
		whole = h->live_chunks == 0;
		ok = !vac_stopped(&x->v, e) && (whole || copy_bundle(x, c[i].number, &whole, e));
		x->result->copied_bytes += ok && h->live_chunks ? h->copy : 0;
		if (ok && whole && !h->condemned)
			take_in(&x->victims, &x->n_victims, &x->victims_cap, c[i].number);
		ok = ok && delta_full(x, e);
		p.bytes = x->result->copied_bytes;
		monitor_progress(x->m, &p);
	}
	free(c);
	return ok && packer_flush(x->data, e) && packer_flush(x->hunks, e) && verify(x, e);
}
