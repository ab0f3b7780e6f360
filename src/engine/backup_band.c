/*
 * The files of a run's band. Head first, then the look at what others did; data before
 * the hunk that names it, hunks before the part or tail that lists them, the delta before
 * the tail. Nothing is ever rewritten.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/backup_run.h"

#define DELTA_BYTES   (4u << 20)  /* a delta is put when it has grown to this */
#define SPACE_RESERVE (64u << 20) /* left for prune and vacuum */
#define SPACE_EVERY   (1u << 30)  /* others write there too */

static void copy_list(struct string_list *l, const char *const *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		string_list_add(l, span_str(v[i]));
}

/*
 * Sources as the snapshot tells of them: absolute, as walk_open makes them. Whether a
 * slash at the end had a link followed is not part of it.
 */
static void add_source(struct string_list *l, const char *source)
{
	char *cwd = *source == '/' ? NULL : getcwd(NULL, 0);
	char *whole = mem_printf("%s/%s", cwd ? cwd : "", source), *rest = whole, *part;
	struct buf out = BUF_EMPTY;

	while ((part = strsep(&rest, "/"))) {
		if (!*part || strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0)
			while (out.n > 0 && out.p[--out.n] != '/')
				;
		else
			buf_printf(&out, "/%s", part);
	}
	if (out.n == 0)
		buf_add_byte(&out, '/');
	string_list_add(l, buf_span(&out));
	buf_release(&out);
	free(whole);
	free(cwd);
}

/* What head, part and tail have in common. */
static void fill_head(const struct run *r, struct band *b)
{
	band_init(b);
	b->name = r->band.name;
	b->kind = BAND_BACKUP;
	b->start = r->start;
	b->program = mem_strdup(r->o->program);
	b->set = mem_strdup(r->o->set);
	b->host = mem_strdup(r->o->host);
	b->user = mem_strdup(r->o->user);
	for (size_t i = 0; i < r->sources.n; i++)
		string_list_add(&b->paths, span_str(r->sources.v[i]));
	copy_list(&b->tags, r->o->tags, r->o->n_tags);
}

/* --- the beginning */

bool band_begin(struct run *r, struct err *e)
{
	struct band head;
	bool settled, ok;

	r->start = r->repo->env->now(r->repo->env);
	band_run_name(&r->band, r->start);
	for (size_t i = 0; i < r->o->n_paths; i++)
		add_source(&r->sources, r->o->paths[i]);
	fill_head(r, &head);
	ok = MUTANT(NO_HEAD) || band_run_put(&r->band, BAND_HEAD, &head, e);
	band_release(&head);
	if (!ok)
		return false;
	snprintf(r->result->snapshot, sizeof r->result->snapshot, "%s", r->band.name.text);
	if (!repo_settle(r->repo, &settled, e))
		return false;
	return band_run_look_begin(&r->band, e);
}

/* --- bundles and deltas */

/*
 * Asking is a trip on some mounts, and nothing else goes on meanwhile: not before a
 * quarter of what is free could be used up by this run.
 */
static void watch_space(struct run *r)
{
	uint64_t space, stored = run_stored(r);

	if (stored < r->space_next || !store_space(r->repo->store, &space))
		return;
	if (space < SPACE_RESERVE) {
		r->low_space = true;
		return;
	}
	space = (space - SPACE_RESERVE) / 4;
	r->space_next = stored + (space < SPACE_EVERY ? space : SPACE_EVERY);
}

/*
 * Bundles of data and of hunks are acknowledged in orders that have nothing to do with
 * each other, and those of lists again. So that threads leave no trace, a delta that is
 * put ahead of the others tells of data alone.
 */
void band_bundle(void *arg, uint32_t number, const struct directory *dir)
{
	struct run *r = arg;
	const struct stocked *s = inventory_get(r->inventory, number);
	struct band_bundle b = {s->name, s->type == FILE_HUNKS, s->size};
	struct buf encoded = BUF_EMPTY;

	directory_encode(dir, &encoded);
	if (b.hunks) {
		r->untold = mem_grow(
		    r->untold, &r->untold_cap, r->n_untold + 1, sizeof *r->untold);
		r->untold[r->n_untold++] = (struct untold){b, encoded};
	} else {
		delta_add_bundle(&r->delta,
		    &(struct delta_bundle){b.name, FILE_DATA, b.size, span_str(r->band.name.text),
		        buf_span(&encoded)});
		buf_release(&encoded);
	}
	if (r->delta.bundles.n >= DELTA_BYTES) {
		r->full = mem_grow(r->full, &r->full_cap, r->n_full + 1, sizeof *r->full);
		r->full[r->n_full++] = r->delta;
		r->delta = (struct delta_writer)DELTA_WRITER_EMPTY;
	}
	r->bundles =
	    mem_grow(r->bundles, &r->bundles_cap, r->n_bundles + 1, sizeof *r->bundles);
	r->bundles[r->n_bundles++] = b;
	watch_space(r);
}

/* Empties the writer. */
static bool put_delta(struct run *r, struct delta_writer *w, struct err *e)
{
	struct buf plain = BUF_EMPTY;
	char name[2 * ID_SIZE + 1];
	uint64_t size = 0;
	struct id id;
	bool ok;

	delta_encode(w, span_str(r->band.name.text), &plain);
	delta_writer_release(w);
	*w = (struct delta_writer)DELTA_WRITER_EMPTY;
	ok = repo_put_delta(r->repo, buf_span(&plain), &id, &size, e);
	if (ok) {
		name_of_id(&id, name);
		string_list_add(&r->deltas, span_str(name));
		index_learn(r->index, &id, buf_span(&plain));
		r->band.stored += size;
	}
	buf_release(&plain);
	return ok || err_wrap(e, "delta of band %s", r->band.name.text);
}

bool band_delta(struct run *r, bool all, struct err *e)
{
	struct untold *u;
	size_t i;

	for (i = 0; i < r->n_full; i++)
		if (!put_delta(r, &r->full[i], e))
			return false;
	r->n_full = 0;
	while (all && r->n_untold > 0) {
		u = &r->untold[--r->n_untold];
		delta_add_bundle(&r->delta,
		    &(struct delta_bundle){u->bundle.name, FILE_HUNKS, u->bundle.size,
		        span_str(r->band.name.text), buf_span(&u->directory)});
		buf_release(&u->directory);
	}
	return !all || r->delta.n_bundles == 0 || put_delta(r, &r->delta, e);
}

void band_deltas_release(struct run *r)
{
	delta_writer_release(&r->delta);
	while (r->n_full > 0)
		delta_writer_release(&r->full[--r->n_full]);
	while (r->n_untold > 0)
		buf_release(&r->untold[--r->n_untold].directory);
	free(r->full);
	free(r->untold);
}

/* --- parts and the tail */

uint64_t run_stored(const struct run *r)
{
	return r->band.stored + packer_stored(r->data) + packer_stored(r->hunks) +
	    packer_stored(r->lists);
}

/* Data first. In the order of their names: that of their arrival is chance. */
static int by_kind_and_name(const void *a, const void *b)
{
	const struct band_bundle *x = a, *y = b;

	if (x->hunks != y->hunks)
		return x->hunks ? 1 : -1;
	return memcmp(x->name.b, y->name.b, ID_SIZE);
}

/*
 * Everything so far onto the storage, and into *b what a part or tail tells of it. Where
 * no hunk has ended since the last part, one is ended out of turn: a few entries can be
 * very large files, and an interrupted run would have to read all of them again.
 */
static bool settle(struct run *r, struct band *b, struct err *e)
{
	size_t i;

	fill_head(r, b);
	if (!store_settle(r, e))
		return false;
	if (band_writer_hunks(r->writer) == r->part_hunks)
		band_writer_end(r->writer);
	r->part_hunks = band_writer_hunks(r->writer);
	if (!band_writer_refs(r->writer, b, e) || !band_delta(r, true, e))
		return false;
	if (r->n_bundles)
		qsort(r->bundles, r->n_bundles, sizeof *r->bundles, by_kind_and_name);
	b->end = r->repo->env->now(r->repo->env);
	band_run_fill(&r->band, b);
	for (i = 0; i < r->n_bundles; i++)
		band_add_bundle(b, &r->bundles[i]);
	for (i = 0; i < r->deltas.n; i++)
		string_list_add(&b->deltas, span_str(r->deltas.v[i]));
	b->totals.bytes_stored = run_stored(r);
	return true;
}

static bool put_part(struct run *r, struct band *part, struct err *e)
{
	bool ok = true;

	if (part->n_refs > 0) {
		part->part = r->result->parts + 1;
		ok = band_run_put(&r->band, BAND_PART, part, e);
		r->result->parts += ok;
	}
	return ok;
}

bool band_checkpoint(struct run *r, struct err *e)
{
	struct band part;
	bool ok = settle(r, &part, e) && put_part(r, &part, e);

	band_release(&part);
	r->read_since_part = 0;
	r->last_part = r->repo->env->ticks(r->repo->env);
	return ok;
}

/*
 * A tail would say that all is stored. A part does not, and the next backup goes on from
 * it.
 */
static bool not_settled(struct run *r, struct band *tail, struct err *e)
{
	struct err none = ERR_EMPTY;

	if (e->kind != ERR_STOPPED) /* which is met with a part of its own */
		put_part(r, tail, &none);
	return err_wrap(e, "no snapshot: what was stored may not have arrived");
}

bool band_finish(struct run *r, struct err *e)
{
	struct band tail;
	bool ok;

	if (!store_drain(r, e))
		return false;
	store_told(r, &r->told);
	band_writer_end(r->writer);
	ok = settle(r, &tail, e);
	if (ok) {
		tail.totals = r->totals; /* with what was counted behind the last hunk */
		tail.totals.bytes_stored = run_stored(r);
		ok = repo_settle(r->repo, &tail.settled, e)
			 ? band_run_finish(&r->band, &tail, e)
			 : not_settled(r, &tail, e);
	}
	band_release(&tail);
	r->result->complete = r->band.complete;
	return ok;
}
