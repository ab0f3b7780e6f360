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
#include "format/health.h"
#include "format/tombstone.h"

#define DELTA_BYTES   (16u << 20) /* a delta is put when it has grown to this */
#define SPACE_RESERVE (64u << 20) /* left for prune and vacuum */

static const char *const type_of[] = {
    [BAND_HEAD] = "head", [BAND_PART] = "part", [BAND_TAIL] = "tail", [BAND_FENCE] = "fence"};

struct naming {
	const char *band;
	enum band_file kind;
	unsigned part;
};

static void make_name(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	const struct naming *n = arg;

	band_file_name(name, n->band, n->kind, n->part, random);
}

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
	b->name = r->name;
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

static bool put_band(struct run *r, enum band_file kind, const struct band *b, struct err *e)
{
	struct naming naming = {r->name.text, kind, b->part};
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	uint64_t size = 0;
	bool ok;

	band_encode(b, kind, &body);
	ok = repo_put_json(r->repo, "bands", type_of[kind], make_name, &naming, &body, name,
	    &size, e);
	json_body_release(&body);
	r->stored += size;
	return ok || err_wrap(e, "%s of band %s", type_of[kind], r->name.text);
}

/* --- the beginning */

static bool read_tombstones(struct run *r, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	struct buf secret = BUF_EMPTY;
	struct tombstone t;
	struct json_file jf;
	struct fault f;
	size_t i, k;
	bool ok = repo_list(r->repo, "tombstones", &names, e);

	for (i = 0; ok && i < names.n; i++) {
		ok = repo_get_json(
		    r->repo, "tombstones", names.names[i], "tombstone", &jf, &secret, e);
		if (!ok)
			break;
		tombstone_init(&t);
		ok = tombstone_decode(&jf, &t, &f) || err_fault(e, &f);
		json_file_close(&jf);
		for (k = 0; ok && k < t.n_bundles; k++)
			inventory_condemn(r->inventory, &t.bundles[k]);
		if (ok)
			string_list_add(&r->seen, span_str(names.names[i]));
		tombstone_release(&t);
	}
	store_listing_release(&names);
	buf_release(&secret);
	return ok || err_wrap(e, "cannot tell which bundles are condemned");
}

/* Damage is a help to heal: a report of it that cannot be read costs only that. */
static bool read_health(struct run *r, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct json_file jf;
	struct health h;
	struct fault f;
	size_t i, k;

	if (!repo_list(r->repo, "health", &names, e))
		return false;
	for (i = 0; i < names.n; i++) {
		if (!repo_get_json(
		        r->repo, "health", names.names[i], "health", &jf, &secret, &why)) {
			monitor_problem(r->m, PROBLEM_NOTE, span_str(names.names[i]), &why);
			continue;
		}
		health_init(&h);
		if (health_decode(&jf, &h, &f))
			for (k = 0; k < h.n_damage; k++)
				inventory_damage(r->inventory, &h.damage[k].bundle);
		health_release(&h);
		json_file_close(&jf);
	}
	store_listing_release(&names);
	buf_release(&secret);
	return true;
}

static void carry_seen(struct run *r)
{
	size_t i, k;

	for (i = 0; i < r->client.seen.n; i++) {
		for (k = 0; k < r->seen.n; k++)
			if (strcmp(r->seen.v[k], r->client.seen.v[i]) == 0)
				break;
		if (k == r->seen.n)
			string_list_add(&r->seen, span_str(r->client.seen.v[i]));
	}
}

bool band_begin(struct run *r, struct err *e)
{
	struct band head;
	bool ok;

	client_state_load(r->cache, r->repo->env, &r->client);
	r->start = r->repo->env->now(r->repo->env);
	r->client.counter++;
	client_state_save(r->cache, &r->client);
	band_name_make(&r->name, r->start, r->client.id, r->client.counter);
	fill_head(r, &head);
	ok = put_band(r, BAND_HEAD, &head, e);
	band_release(&head);
	if (!ok)
		return false;
	snprintf(r->result->snapshot, sizeof r->result->snapshot, "%s", r->name.text);
	if (!bands_list(r->repo, &r->bands, e) || !read_tombstones(r, e) || !read_health(r, e) ||
	    !inventory_list(r->inventory, e))
		return false;
	carry_seen(r);
	return true;
}

static bool put_fence(struct run *r, const struct band_name *band, struct err *e)
{
	struct naming naming = {band->text, BAND_FENCE, 0};
	struct json_body body = JSON_BODY_EMPTY;
	struct band_note note = {.band = *band};
	char name[NAME_MAX_LEN + 1];
	uint64_t size = 0;
	bool ok;

	memcpy(note.client, r->client.id, sizeof note.client);
	note.time = r->repo->env->now(r->repo->env);
	band_note_encode(&note, &body);
	ok = repo_put_json(r->repo, "bands", "fence", make_name, &naming, &body, name, &size, e);
	json_body_release(&body);
	r->stored += size;
	return ok || err_wrap(e, "fence of band %s", band->text);
}

/* The lock of the cache shows that no process of this client is at work on them. */
bool band_fence_own(struct run *r, struct err *e)
{
	const struct band_info *i;
	size_t k;

	for (k = 0; cache_owned(r->cache) && k < r->bands.n; k++) {
		i = &r->bands.v[k];
		if (strcmp(i->name.client, r->client.id) == 0 && i->heads.n > 0 &&
		    i->tails.n == 0 && i->fences.n == 0 && i->removed.n == 0 &&
		    strcmp(i->name.text, r->name.text) != 0 && !put_fence(r, &i->name, e))
			return false;
	}
	return true;
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
	    &(struct delta_bundle){s->name, s->type, s->size, span_str(r->name.text),
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
	delta_encode(&r->delta, span_str(r->name.text), &plain);
	ok = repo_put_delta(r->repo, buf_span(&plain), &id, &size, e);
	if (ok) {
		name_of_id(&id, name);
		string_list_add(&r->deltas, span_str(name));
		index_learn(r->index, &id, buf_span(&plain));
		delta_writer_release(&r->delta);
		r->delta = (struct delta_writer)DELTA_WRITER_EMPTY;
		r->stored += size;
	}
	buf_release(&plain);
	return ok || err_wrap(e, "delta of band %s", r->name.text);
}

/* --- parts and the tail */

static int by_client(const void *a, const void *b)
{
	const struct band_name *x = a, *y = b;
	int d = strcmp(x->client, y->client);

	return d ? d : (x->counter > y->counter) - (x->counter < y->counter);
}

/* The bands seen, as runs of counters a client. */
static void fill_roll(const struct run *r, struct band *b)
{
	struct band_name *v = mem_array(r->bands.n + 1, sizeof *v);
	struct roll roll = {.from = 0};
	size_t i;

	for (i = 0; i < r->bands.n; i++)
		v[i] = r->bands.v[i].name;
	qsort(v, r->bands.n, sizeof *v, by_client);
	for (i = 0; i < r->bands.n; i++) {
		if (i > 0 && strcmp(v[i].client, roll.client) == 0 && v[i].counter <= roll.to + 1) {
			roll.to = v[i].counter;
			continue;
		}
		if (i > 0)
			band_add_roll(b, &roll);
		memcpy(roll.client, v[i].client, sizeof roll.client);
		roll.from = roll.to = v[i].counter;
	}
	if (r->bands.n > 0)
		band_add_roll(b, &roll);
	free(v);
}

uint64_t run_stored(const struct run *r)
{
	return r->stored + packer_stored(r->data) + packer_stored(r->hunks) +
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
	b->prev = mem_strdup(r->client.prev);
	for (i = 0; i < r->seen.n; i++)
		string_list_add(&b->seen, span_str(r->seen.v[i]));
	fill_roll(r, b);
	for (i = 0; i < r->n_bundles; i++)
		band_add_bundle(b, &r->bundles[i]);
	for (i = 0; i < r->deltas.n; i++)
		string_list_add(&b->deltas, span_str(r->deltas.v[i]));
	b->settled = r->repo->store->mount == MOUNT_THROUGH;
	b->totals.bytes_stored = run_stored(r);
	return true;
}

bool band_checkpoint(struct run *r, struct err *e)
{
	struct band part;
	bool ok = settle(r, &part, e);

	if (ok && part.n_refs > 0) {
		part.part = r->result->parts + 1;
		ok = put_band(r, BAND_PART, &part, e);
		r->result->parts += ok;
	}
	band_release(&part);
	r->read_since_part = 0;
	r->last_part = r->repo->env->ticks(r->repo->env);
	return ok;
}

/* Declared dead while it ran: what vacuum then did, this run has not seen. */
static bool fenced(struct run *r, bool *found, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	enum band_file kind;
	struct band_name n;
	unsigned part;
	size_t i;

	*found = false;
	if (!repo_list(r->repo, "bands", &names, e))
		return false;
	for (i = 0; i < names.n; i++)
		if (band_file_parse(span_str(names.names[i]), &n, &kind, &part) &&
		    kind == BAND_FENCE && strcmp(n.text, r->name.text) == 0)
			*found = true;
	store_listing_release(&names);
	return true;
}

static void remember_client(struct run *r)
{
	size_t i;

	memcpy(r->client.prev, r->name.text, sizeof r->client.prev);
	string_list_release(&r->client.seen);
	r->client.seen = (struct string_list){NULL, 0, 0};
	for (i = 0; i < r->seen.n; i++)
		string_list_add(&r->client.seen, span_str(r->seen.v[i]));
	client_state_save(r->cache, &r->client);
}

bool band_finish(struct run *r, struct err *e)
{
	struct band tail;
	bool found = false, ok;

	if (!store_drain(r, e))
		return false;
	band_writer_end(r->writer);
	ok = settle(r, &tail, e);
	if (ok) {
		tail.totals = r->totals; /* with what was counted behind the last hunk */
		tail.totals.bytes_stored = run_stored(r);
		ok = put_band(r, BAND_TAIL, &tail, e);
	}
	if (ok) {
		remember_client(r);
		ok = fenced(r, &found, e);
	}
	band_release(&tail);
	if (ok && found)
		return err_set(e, ERR_IO,
		    "band %s was declared dead by another client while it ran; run the backup again",
		    r->name.text);
	r->result->complete = ok;
	return ok;
}
