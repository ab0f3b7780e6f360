/*
 * The last look before deletion (V7 and V8 of docs/protocol.md).
 *
 * V7: what others have condemned by now. V8: each chunk that is alive and lies in a
 * bundle which is to go must stand in another one that nobody has condemned, that
 * everybody can see by now, and that reads well: it is opened and read here as who
 * restores does it, with nothing known of it from elsewhere, and the chunk is checked
 * against its id. Where a chunk does not, its bundle stays. A place that reads badly is
 * put on record as damaged, so that nobody relies on it again, and what should be there
 * is copied out of the condemned bundle.
 *
 * Chunks are looked at by the batch, so that memory does not grow with them.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/vacuum_run.h"
#include "format/health.h"

#define BATCH (1u << 17) /* chunks, of one bundle at least */

/* --- V7 */

bool vacuum_look_again(struct vacuum *x, bool *same, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	bool ok = repo_list(x->repo, vac_folders[VAC_TOMBSTONES], &names, e);
	size_t i;

	*same = true;
	for (i = 0; ok && *same && i < names.n; i++)
		if (!vac_stone(&x->v, names.names[i]))
			ok = vac_new_stone(&x->v, names.names[i], same, e);
	store_listing_release(&names);
	return ok;
}

/* --- a batch of chunks */

struct need {
	struct id id;
	uint32_t held, slot; /* where it survives, by what is known; NO_HELD: nowhere */
	bool alive;          /* some reference resolves to it */
	bool read;           /* and there it is */
	bool damaged;        /* or is not */
};

struct saving {
	struct vacuum *x;
	uint32_t *doomed;
	size_t n_doomed;
	struct map at;       /* id → number of its need */
	struct need *needs;
	size_t n, cap;
	struct health health;
	/* the bundle that is read */
	struct bundle *bundle;
	struct need **group;
	size_t n_group;
	struct buf plain;
};

static bool add_needs(struct saving *s, const struct held *h, struct err *e)
{
	struct directory d = DIRECTORY_EMPTY;
	bool ok = vac_directory(&s->x->v, h, &d, e);
	uint32_t i;

	for (i = 0; ok && i < d.n_chunks; i++) {
		if (map_get(&s->at, &d.ids[i]))
			continue;
		map_put(&s->at, &d.ids[i], s->n);
		s->needs = mem_grow(s->needs, &s->cap, s->n + 1, sizeof *s->needs);
		s->needs[s->n++] = (struct need){.id = d.ids[i], .held = NO_HELD};
	}
	directory_release(&d);
	return ok;
}

/* Only what is marked counts: another copy may be condemned as dead at any time. */
static bool find_in(struct saving *s, uint32_t number, struct directory *d, struct err *e)
{
	const struct vac *v = &s->x->v;
	const struct held *h = &v->held[number];
	struct need *need;
	uint64_t *at;
	uint32_t i;

	if (!h->told || !h->listed || h->live_chunks == 0)
		return true;
	if (!vac_directory(&s->x->v, h, d, e))
		return false;
	for (i = 0; i < d->n_chunks; i++) {
		if (!vac_marked(v, h, i) || !(at = map_get(&s->at, &d->ids[i])))
			continue;
		need = &s->needs[*at];
		need->alive = true;
		if (need->held == NO_HELD && (h->settled || MUTANT(NO_SETTLING)) &&
		    !h->late && vac_usable(v, h, i)) {
			need->held = number;
			need->slot = i;
		}
	}
	return true;
}

static bool find_all(struct saving *s, struct err *e)
{
	struct directory d = DIRECTORY_EMPTY;
	uint32_t i;
	bool ok = true;

	for (i = 0; ok && i < s->x->v.n_held; i++)
		ok = !vac_stopped(&s->x->v, e) && find_in(s, i, &d, e);
	directory_release(&d);
	return ok;
}

/* --- reading */

static bool on_frame(void *arg, uint32_t frame, struct span stored, struct err *e)
{
	struct saving *s = arg;
	const struct frame_rec *f = &s->bundle->dir.frames[frame];
	struct err why = ERR_EMPTY;
	struct span chunk;
	size_t i;
	bool opened = frame_open(s->x->repo, f, stored, &s->plain, &why);

	if (!opened && why.kind != ERR_CORRUPT) {
		*e = why;
		return false;
	}
	for (i = 0; i < s->n_group; i++) {
		struct need *n = s->group[i];

		if (n->slot >= f->first && n->slot - f->first < f->chunks)
			n->read = opened && chunk_in_frame(s->x->repo, s->bundle, n->slot,
			                        buf_span(&s->plain), &n->id, &chunk, NULL);
	}
	return true;
}

static bool read_frames(struct saving *s, const struct held *h, const uint32_t *frames,
    size_t n, struct err *e)
{
	struct err why = ERR_EMPTY;
	size_t i;

	if (vac_frames(&s->x->v, h, &s->bundle->dir, frames, n, on_frame, s, &why))
		return true;
	/* The end of the bundle is not there: what comes before it may be. */
	for (i = 0; n > 1 && err_is_damage(&why) && i < n; i++) {
		err_clear(&why);
		vac_frames(&s->x->v, h, &s->bundle->dir, frames + i, 1, on_frame, s, &why);
		if (why.kind == ERR_NONE)
			why.kind = ERR_CORRUPT;
	}
	if (err_is_damage(&why))
		return true;
	*e = why;
	return false;
}

/* On record, and told. */
static void note_damage(struct saving *s, const struct held *h)
{
	struct err why = ERR_EMPTY;
	char name[2 * ID_SIZE + 1];
	struct damage d = {.bundle = h->name};
	size_t i;

	for (i = 0; i < s->n_group; i++) {
		struct need *n = s->group[i];

		n->damaged = !n->read;
		if (n->read)
			continue;
		if (d.count > 0 && d.slot + d.count != n->slot) {
			health_add_damage(&s->health, &d);
			d.count = 0;
		}
		if (d.count++ == 0)
			d.slot = n->slot;
	}
	if (d.count == 0)
		return;
	health_add_damage(&s->health, &d);
	name_of_id(&h->name, name);
	err_set(&why, ERR_CORRUPT, "chunks of it are damaged, and are taken from a copy");
	monitor_problem(s->x->m, PROBLEM_DAMAGED, span_str(name), &why);
}

/* The frames that hold any of the group, in order; the last came with the opening. */
static bool read_opened(struct saving *s, const struct held *h, struct err *e)
{
	const struct directory *d = &s->bundle->dir;
	uint32_t *frames = mem_array(s->n_group, sizeof *frames), f;
	struct buf stored = BUF_EMPTY;
	size_t n = 0, far = 0, i;
	bool ok;

	for (i = 0; i < s->n_group && s->group[i]->slot < d->n_chunks; i++) {
		f = directory_frame_of(d, s->group[i]->slot);
		if (n == 0 || frames[n - 1] != f)
			frames[n++] = f;
	}
	while (far < n && d->frames[frames[far]].at < s->bundle->tail_at)
		far++;
	ok = far == 0 || read_frames(s, h, frames, far, e);
	for (i = far; ok && i < n; i++) {
		buf_clear(&stored);
		ok = frame_get(s->x->repo, s->bundle, frames[i], &stored, e) &&
		    on_frame(s, frames[i], buf_span(&stored), e);
	}
	buf_release(&stored);
	free(frames);
	return ok;
}

/* All that survive in one bundle, ascending by slot. */
static bool read_group(struct saving *s, struct err *e)
{
	const struct held *h = &s->x->v.held[s->group[0]->held];
	struct err why = ERR_EMPTY;
	bool ok = true;

	if (bundle_open(s->x->repo, h->type, &h->name, &s->bundle, &why)) {
		ok = read_opened(s, h, e);
		bundle_free(s->bundle);
	} else if (!err_is_damage(&why)) {
		*e = why;
		return false;
	}
	if (ok)
		note_damage(s, h);
	return ok;
}

static int by_place(const void *a, const void *b)
{
	const struct need *x = *(struct need *const *)a, *y = *(struct need *const *)b;

	if (x->held != y->held)
		return x->held < y->held ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

static bool read_all(struct saving *s, struct err *e)
{
	struct need **all = mem_array(s->n + 1, sizeof *all);
	size_t n = 0, i, k;
	bool ok = true;

	for (i = 0; i < s->n; i++)
		if (s->needs[i].held != NO_HELD)
			all[n++] = &s->needs[i];
	if (n > 0)
		qsort(all, n, sizeof *all, by_place);
	for (i = 0; ok && i < n; i = k) {
		for (k = i + 1; k < n && all[k]->held == all[i]->held; k++)
			;
		s->group = all + i;
		s->n_group = k - i;
		ok = !vac_stopped(&s->x->v, e) && read_group(s, e);
	}
	free(all);
	return ok;
}

/* --- the outcome */

static bool judge(struct saving *s, struct held *h, struct err *e)
{
	struct directory d = DIRECTORY_EMPTY;
	bool ok = vac_directory(&s->x->v, h, &d, e);
	struct need *need;
	uint32_t i;

	h->safe = ok;
	for (i = 0; ok && i < d.n_chunks; i++) {
		need = &s->needs[*map_get(&s->at, &d.ids[i])];
		if (!need->alive || need->read || (MUTANT(NO_READING) && need->held != NO_HELD))
			continue;
		h->safe = false;
		if (need->damaged && !vac_damaged(&s->x->v, h, i)) {
			vac_keep(&s->x->v, h, i, d.lengths[i]);
			need->damaged = false; /* one copy will do */
		}
	}
	directory_release(&d);
	return ok;
}

static bool batch(struct saving *s, struct err *e)
{
	bool ok = s->n_doomed == 0 || (find_all(s, e) && read_all(s, e));
	size_t i;

	for (i = 0; ok && i < s->n_doomed; i++)
		ok = judge(s, &s->x->v.held[s->doomed[i]], e);
	map_clear(&s->at);
	s->n = s->n_doomed = 0;
	return ok;
}

static bool put_health(struct saving *s, struct err *e)
{
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	struct health *h = &s->health;
	uint64_t size = 0;
	bool ok;

	if (h->n_damage == 0)
		return true;
	h->time = s->x->repo->env->now(s->x->repo->env);
	memcpy(h->client, s->x->band.client.id, sizeof h->client);
	health_encode(h, &body);
	ok = repo_put_json(s->x->repo, "health", "health", vacuum_any_name, NULL, &body, name,
	    &size, e);
	json_body_release(&body);
	s->x->result->written_bytes += size;
	return ok || err_wrap(e, "record of damage");
}

static void release(struct saving *s)
{
	map_release(&s->at);
	health_release(&s->health);
	buf_release(&s->plain);
	free(s->needs);
	free(s->doomed);
}

bool vacuum_save(struct vacuum *x, struct err *e)
{
	struct saving s = {.x = x};
	struct held *h;
	uint32_t i;
	bool ok = true;

	map_init(&s.at, ID_SIZE);
	health_init(&s.health);
	s.doomed = mem_array(x->v.n_held + 1, sizeof *s.doomed);
	for (i = 0; ok && i < x->v.n_held; i++) {
		h = &x->v.held[i];
		if (!h->doomed || !h->listed)
			continue;
		/* Nobody knows what is in it: it may go if nobody has said that anything is. */
		h->safe = (!h->told && !h->hinted) || MUTANT(NO_TAILS);
		if (!h->told || MUTANT(NO_TAILS))
			continue;
		ok = (s.n + h->chunks <= BATCH || batch(&s, e)) && add_needs(&s, h, e);
		s.doomed[s.n_doomed++] = i;
	}
	ok = ok && batch(&s, e) && put_health(&s, e);
	release(&s);
	return ok;
}
