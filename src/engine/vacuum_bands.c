/*
 * Which bands count (V5, V6 of docs/protocol.md). A band that was removed does not,
 * unless it is pinned: then whoever removed it was not shown the pin. One that was
 * declared dead, by whomever, may have ended well all the same, and its tail not be seen
 * yet: until the fence has been watched for the grace it counts as far as it is there,
 * and a tail that is seen always does. All others count, unfinished ones as far as their
 * newest part tells.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/ahead.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "engine/marks.h"
#include "engine/torn.h"
#include "engine/vacuum_internal.h"

#define TAILS 64 /* on their way */

struct vac_band *vac_band(struct vac *v, struct span name)
{
	char text[BAND_MAX_LEN + 1];
	struct band_info *info;

	if (name.n > BAND_MAX_LEN)
		return NULL;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	info = bands_find(&v->bands, text);
	return info ? &v->v[info - v->bands.v] : NULL;
}

/* Whether a head says that this was a vacuum, which refers to nothing. */
static bool is_vacuum(struct vac *v, const struct band_info *i)
{
	struct band head;
	bool yes = false;
	size_t k;

	for (k = 0; !yes && k < i->heads.n; k++) {
		yes = band_read_file(v->repo, i->heads.v[k], BAND_HEAD, &head, NULL) &&
		    head.kind == BAND_VACUUM;
		band_release(&head);
	}
	return yes;
}

/*
 * Whether a tail is the last that its client wrote, and only the beginning of one. Had
 * the client lived on, it would have fenced the band before it wrote any later tail.
 */
static bool died(struct vac *v, const struct band_info *i)
{
	const struct band_info *x;
	struct err ignored = ERR_EMPTY;
	bool torn = true;
	size_t k;

	for (k = 0; k < v->bands.n; k++) {
		x = &v->bands.v[k];
		if (x->tails.n > 0 && x->name.counter > i->name.counter &&
		    strcmp(x->name.client, i->name.client) == 0)
			return false;
	}
	for (k = 0; torn && k < i->tails.n; k++)
		torn = file_torn(v->repo, "bands", i->tails.v[k], &torn, &ignored) && torn;
	return torn;
}

/*
 * Whether a tail that cannot be read is none: a run that died there left a piece of it.
 */
static bool no_tail(struct vac *v, const struct band_info *i, struct err *e)
{
	if (e->kind != ERR_CORRUPT && e->kind != ERR_NEWER)
		return false;
	if (e->kind == ERR_CORRUPT && (i->fences.n > 0 || is_vacuum(v, i) || died(v, i)))
		return true;
	return err_wrap(e,
	    "what snapshot %s refers to cannot be told, so nothing may be called dead; if it "
	    "is lost, remove it",
	    i->name.text);
}

/*
 * Whether a fence has been known for so long that a tail put before it would have shown.
 */
static bool fence_watched(struct vac *v, const struct band_info *i)
{
	char key[BAND_MAX_LEN + 16];

	snprintf(key, sizeof key, "fence %s", i->name.text);
	return i->fences.n > 0 &&
	    (MUTANT(FENCE_AT_ONCE) || v->o->sole_client ||
	        (v->waits && waits_age(v->waits, key) >= v->o->grace));
}

/* Whether the band's own client has said that it is dead. */
static bool own_fence(struct vac *v, const struct band_info *i, bool *own, struct err *e)
{
	struct json_file jf = {.root = NULL};
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct band_note note;
	struct fault f;
	size_t k;
	bool ok = true;

	*own = false;
	for (k = 0; ok && !*own && k < i->fences.n; k++) {
		if (repo_get_json(
		        v->repo, "bands", i->fences.v[k], "fence", &jf, &secret, &why)) {
			if (band_note_decode(&jf, &note, &f))
				*own = strcmp(note.client, i->name.client) == 0;
			json_file_close(&jf);
		} else if (!err_is_damage(&why)) {
			*e = why;
			ok = false;
		}
	}
	buf_release(&secret);
	return ok;
}

/*
 * A run that others have declared dead may sleep, and look for the fence whenever it
 * wakes: so long as nothing shows that it has ended, its head and the fence stay.
 */
static bool gone(struct vac *v, struct vac_band *b, struct err *e)
{
	b->state = VAC_GONE;
	b->ended = b->info->tails.n > 0;
	return b->ended || own_fence(v, b->info, &b->ended, e);
}

/* What there is but for the tail. */
static bool read_open(struct vac *v, struct vac_band *b, struct err *e)
{
	struct band_info rest = *b->info;
	struct err why = ERR_EMPTY;
	enum band_file kind;

	rest.tails = (struct string_list){NULL, 0, 0};
	b->whole = band_read(v->repo, &rest, &kind, &b->band, &why);
	if (b->whole)
		return true;
	band_release(&b->band);
	band_init(&b->band);
	if (err_is_damage(&why))
		return true; /* only names are left */
	*e = why;
	return false;
}

/* A tail that is on its way. */
struct tail {
	struct job job;
	struct repo *repo;
	const struct band_info *info;
	struct band band;
	bool ok;
	struct err why;
};

struct tails {
	struct repo *repo;
	const struct band_info **v; /* bands that have one, and count by it */
	size_t n, next;
	struct ahead *ahead;
};

static void tail_run(struct job *job)
{
	struct tail *t = (struct tail *)job;
	enum band_file kind;

	t->ok = band_read(t->repo, t->info, &kind, &t->band, &t->why);
}

static struct job *tail_make(void *arg, size_t i)
{
	struct tails *all = arg;
	struct tail *t = mem_zalloc(sizeof *t);

	t->job.run = tail_run;
	t->repo = all->repo;
	t->info = all->v[i];
	return &t->job;
}

static void tail_drop(struct job *job)
{
	struct tail *t = (struct tail *)job;

	band_release(&t->band);
	free(t);
}

/* Which of the bands that were removed are pinned. Nearly always there is none. */
static bool find_pins(struct vac *v, struct err *e)
{
	struct marks *marks = NULL;
	size_t i, removed = 0;
	bool ok;

	for (i = 0; i < v->n_v; i++)
		removed += v->v[i].info->removed.n > 0 && v->v[i].info->tails.n > 0;
	if (removed == 0 || v->lists[VAC_MARKS].n == 0)
		return true;
	ok = marks_load(v->repo, v->m, &marks, e) && marks_whole(marks, "called dead", e);
	for (i = 0; ok && i < v->n_v; i++)
		v->v[i].pinned = v->v[i].info->removed.n > 0 &&
		    marks_pinned(marks, &v->v[i].info->name);
	marks_free(marks);
	return ok;
}

static void tell_pinned(struct vac *v, const struct vac_band *b)
{
	struct err note = ERR_EMPTY;

	err_set(&note, ERR_REFUSED,
	    "removed, and pinned: what it holds is kept; undelete brings it back, unpin lets "
	    "it go");
	monitor_problem(v->m, PROBLEM_NOTE, span_str(b->info->name.text), &note);
}

static bool wants_tail(const struct vac_band *b)
{
	return (b->info->removed.n == 0 || b->pinned) && b->info->tails.n > 0;
}

static void tails_begin(struct tails *all, struct vac *v)
{
	struct ahead_options o = {.pool = v->readers, .window = TAILS, .window_max = TAILS,
	    .make = tail_make, .drop = tail_drop, .arg = all};
	size_t i;

	*all = (struct tails){.repo = v->repo};
	all->v = mem_array(v->n_v + 1, sizeof *all->v);
	for (i = 0; i < v->n_v; i++)
		if (wants_tail(&v->v[i]))
			all->v[all->n++] = v->v[i].info;
	all->ahead = ahead_new(&o, all->n);
}

static void tails_end(struct tails *all)
{
	ahead_free(all->ahead);
	free(all->v);
}

/* That of the next band that wants one. */
static bool tails_take(struct tails *all, struct band *b, struct err *e)
{
	struct tail *t = (struct tail *)ahead_take(all->ahead, all->next++);
	bool ok = t->ok;

	band_release(b);
	*b = t->band;
	band_init(&t->band);
	if (!ok)
		*e = t->why;
	tail_drop(&t->job);
	return ok;
}

static bool read_one(
    struct vac *v, struct vac_band *b, struct tails *tails, struct err *e)
{
	const struct band_info *i = b->info;
	struct err why = ERR_EMPTY;

	if (i->removed.n > 0 && !wants_tail(b))
		return gone(v, b, e);
	b->state = i->fences.n > 0 ? VAC_SUSPECT : VAC_COUNTS;
	if (wants_tail(b)) {
		b->whole = b->tail = tails_take(tails, &b->band, &why);
		if (b->whole && b->pinned)
			tell_pinned(v, b);
		if (b->whole)
			return true;
		band_release(&b->band);
		band_init(&b->band);
		if (i->removed.n > 0 && err_is_damage(&why))
			return gone(v, b, e); /* undelete would not bring it back */
		if (!no_tail(v, i, &why)) {
			*e = why;
			return false;
		}
	}
	b->open = !fence_watched(v, i);
	return b->open ? read_open(v, b, e) : gone(v, b, e);
}

/* Every band in turn, while the next tails are on their way. */
static bool read_all(struct vac *v, struct err *e)
{
	struct tails tails;
	struct vac_band *b;
	struct id id;
	size_t i, k;
	bool ok;

	for (i = 0; i < v->n_v; i++) {
		v->v[i].info = &v->bands.v[i];
		band_init(&v->v[i].band);
	}
	if (!find_pins(v, e))
		return false;
	tails_begin(&tails, v);
	for (i = 0, ok = true; ok && i < v->n_v; i++) {
		b = &v->v[i];
		ok = !vac_stopped(v, e) && read_one(v, b, &tails, e);
		v->strict |= b->tail && !b->band.settled;
		for (k = 0; ok && b->state == VAC_COUNTS && k < b->band.deltas.n; k++)
			if (id_of_name(b->band.deltas.v[k], &id))
				map_put(&v->needed_deltas, &id, i);
	}
	tails_end(&tails);
	return ok;
}

bool vac_read_bands(struct vac *v, struct err *e)
{
	v->strict = v->o->strict || v->noted || clients_any(&v->clients) ||
	    repo_arrives_late(v->repo);
	bands_of_listing(&v->lists[VAC_BANDS], &v->bands);
	v->v = mem_array(v->bands.n + 1, sizeof *v->v);
	v->n_v = v->bands.n;
	return read_all(v, e);
}

/* --- roll-calls */

static int by_counter(const void *a, const void *b)
{
	const struct band_name *x = a, *y = b;
	int d = strcmp(x->client, y->client);

	return d ? d : (x->counter > y->counter) - (x->counter < y->counter);
}

/* Bands that are there, and those whose files a tombstone names: ascending, each once. */
static struct band_name *known_bands(const struct vac *v, size_t *n)
{
	struct band_name *all = mem_array(v->bands.n + v->files.n + 1, sizeof *all);
	enum band_file kind;
	size_t i, k = 0;
	unsigned part;

	*n = 0;
	for (i = 0; i < v->bands.n; i++)
		all[(*n)++] = v->bands.v[i].name;
	for (i = 0; i < v->files.n; i++)
		if (strncmp(v->files.names[i], "bands/", 6) == 0 &&
		    band_file_parse(span_str(v->files.names[i] + 6), &all[*n], &kind, &part))
			++*n;
	if (*n == 0)
		return all;
	qsort(all, *n, sizeof *all, by_counter);
	for (i = 1; i < *n; i++)
		if (by_counter(&all[k], &all[i]) != 0)
			all[++k] = all[i];
	*n = k + 1;
	return all;
}

/* The place of the first that is not less. */
static size_t find_counter(
    const struct band_name *all, size_t n, const struct band_name *x)
{
	size_t low = 0, high = n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (by_counter(&all[mid], x) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool check_roll(const struct band_name *all, size_t n, const struct roll *roll,
    const char *teller, struct err *e)
{
	struct band_name x = {.counter = roll->from};
	uint64_t want = roll->from;
	size_t at;

	memcpy(x.client, roll->client, sizeof x.client);
	for (at = find_counter(all, n, &x); want <= roll->to; at++, want++)
		if (at == n || strcmp(all[at].client, roll->client) != 0 ||
		    all[at].counter != want)
			return err_set(e, ERR_MISSING,
			    "band %llu of client %s was there when %s was written, and is not "
			    "listed now, nor was it removed: the storage does not show everything",
			    (unsigned long long)want, roll->client, teller);
	return true;
}

/* Bands that are gone and whose removal must still be told. */
static void note_rolled(struct vac *v, const struct roll *roll)
{
	const struct band_name *n;
	size_t i;

	for (i = 0; i < v->n_v; i++) {
		n = &v->v[i].info->name;
		if (v->v[i].state == VAC_GONE && n->counter >= roll->from &&
		    n->counter <= roll->to && strcmp(n->client, roll->client) == 0)
			v->v[i].rolled = true;
	}
}

bool vac_roll_call(struct vac *v, struct err *e)
{
	struct band_name *all;
	const struct band *b;
	size_t n, i, k;
	bool ok = true;

	all = known_bands(v, &n);
	for (i = 0; ok && i < v->n_v; i++) {
		b = &v->v[i].band;
		for (k = 0; ok && k < b->n_roll; k++) {
			ok = check_roll(all, n, &b->roll[k], v->v[i].info->name.text, e);
			note_rolled(v, &b->roll[k]);
		}
	}
	free(all);
	return ok;
}
