/*
 * The files of a run's band. Head first, then the look at what others did; data before the
 * hunk that names it, hunks before the part or tail that lists them, the delta before the
 * tail. Nothing is ever rewritten.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/backup_run.h"

#define DELTA_BYTES   (16u << 20) /* a delta is put when it has grown to this */
#define SPACE_RESERVE (64u << 20) /* left for prune and vacuum */

static void copy_list(struct string_list *l, const char *const *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		string_list_add(l, span_str(v[i]));
}

/*
 * Sources as the snapshot tells of them: absolute, as walk_open makes them. Whether a slash
 * at the end had a link followed is not part of it.
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
	for (size_t i = 0; i < r->o->n_paths; i++)
		add_source(&b->paths, r->o->paths[i]);
	copy_list(&b->tags, r->o->tags, r->o->n_tags);
}

/* --- the beginning */

bool band_begin(struct run *r, struct err *e)
{
	struct band head;
	bool ok;

	r->start = r->repo->env->now(r->repo->env);
	band_run_name(&r->band, r->start);
	fill_head(r, &head);
	ok = band_run_put(&r->band, BAND_HEAD, &head, e);
	band_release(&head);
	if (!ok)
		return false;
	snprintf(r->result->snapshot, sizeof r->result->snapshot, "%s", r->band.name.text);
	/* Nobody may see this head for long, and strict mode does not know the client yet. */
	if (r->repo->store->mount != MOUNT_THROUGH && r->band.client.counter == 1)
		inventory_rely_on_own(r->inventory);
	return band_run_look(&r->band, e);
}

/* --- bundles and deltas */

void band_bundle(void *arg, uint32_t number, const struct directory *dir)
{
	struct run *r = arg;
	const struct stocked *s = inventory_get(r->inventory, number);
	struct buf encoded = BUF_EMPTY;
	uint64_t space;

	directory_encode(dir, &encoded);
	delta_add_bundle(&r->delta,
	    &(struct delta_bundle){s->name, s->type, s->size, span_str(r->band.name.text),
	        buf_span(&encoded)});
	buf_release(&encoded);
	r->bundles =
	    mem_grow(r->bundles, &r->bundles_cap, r->n_bundles + 1, sizeof *r->bundles);
	r->bundles[r->n_bundles++] =
	    (struct band_bundle){s->name, s->type == FILE_HUNKS, s->size};
	if (store_space(r->repo->store, &space) && space < SPACE_RESERVE)
		r->low_space = true;
}

bool band_delta(struct run *r, bool all, struct err *e)
{
	struct buf plain = BUF_EMPTY;
	char name[2 * ID_SIZE + 1];
	uint64_t size = 0;
	struct id id;
	bool ok;

	if (r->delta.n_bundles == 0 || (!all && r->delta.bundles.n < DELTA_BYTES))
		return true;
	delta_encode(&r->delta, span_str(r->band.name.text), &plain);
	ok = repo_put_delta(r->repo, buf_span(&plain), &id, &size, e);
	if (ok) {
		name_of_id(&id, name);
		string_list_add(&r->deltas, span_str(name));
		index_learn(r->index, &id, buf_span(&plain));
		delta_writer_release(&r->delta);
		r->delta = (struct delta_writer)DELTA_WRITER_EMPTY;
		r->band.stored += size;
	}
	buf_release(&plain);
	return ok || err_wrap(e, "delta of band %s", r->band.name.text);
}

/* --- parts and the tail */

uint64_t run_stored(const struct run *r)
{
	return r->band.stored + packer_stored(r->data) + packer_stored(r->hunks) +
	    packer_stored(r->lists);
}

/* Everything so far onto the storage, and into *b what a part or tail tells of it. */
static bool settle(struct run *r, struct band *b, struct err *e)
{
	size_t i;

	fill_head(r, b);
	if (!store_drain(r, e) || !packer_flush(r->data, e) ||
	    !band_writer_refs(r->writer, b, e) || !band_delta(r, true, e))
		return false;
	b->end = r->repo->env->now(r->repo->env);
	band_run_fill(&r->band, b);
	for (i = 0; i < r->n_bundles; i++)
		band_add_bundle(b, &r->bundles[i]);
	for (i = 0; i < r->deltas.n; i++)
		string_list_add(&b->deltas, span_str(r->deltas.v[i]));
	b->totals.bytes_stored = run_stored(r);
	return true;
}

bool band_checkpoint(struct run *r, struct err *e)
{
	struct band part;
	bool ok = settle(r, &part, e);

	if (ok && part.n_refs > 0) {
		part.part = r->result->parts + 1;
		ok = band_run_put(&r->band, BAND_PART, &part, e);
		r->result->parts += ok;
	}
	band_release(&part);
	r->read_since_part = 0;
	r->last_part = r->repo->env->ticks(r->repo->env);
	return ok;
}

bool band_finish(struct run *r, struct err *e)
{
	struct band tail;
	bool ok;

	if (!store_drain(r, e))
		return false;
	band_writer_end(r->writer);
	ok = settle(r, &tail, e);
	if (ok) {
		tail.totals = r->totals; /* with what was counted behind the last hunk */
		tail.totals.bytes_stored = run_stored(r);
		ok = band_run_finish(&r->band, &tail, e);
	}
	band_release(&tail);
	r->result->complete = ok;
	return ok;
}
