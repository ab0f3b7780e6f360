/*
 * The ledger reads what is put with the lower layers alone. Chunks of files and of hunks
 * have different ids, so one map tells where each stands.
 */
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "band/bands.h"
#include "band/stream.h"
#include "base/map.h"
#include "base/mem.h"
#include "format/delta.h"
#include "format/tombstone.h"
#include "repo_make.h"
#include "stores.h"

#define NOWHERE UINT64_MAX

/* A bundle that is or was there. */
struct place {
	struct id name;
	int64_t born;
	char folder[16];
	int maker;
	bool gone, condemned;
	struct id *ids;
	size_t n, cap;
};

/* One copy of a chunk; all of one are a chain. */
struct copy {
	size_t place;
	uint64_t next; /* NOWHERE: the last */
};

struct snapshot {
	char name[BAND_MAX_LEN + 1];
	bool tail, success, removed, fenced;
	bool hurt;        /* by a lie, from its beginning */
	int maker;        /* the client that began it; -1: not known */
	int64_t born;     /* its first tail */
	struct id *needs; /* chunks */
	size_t n, cap;
	char *broken;     /* why its tail cannot be followed */
};

struct ledger {
	struct sim *sim;
	struct repo *repo;
	struct place *places;
	size_t n_places, places_cap;
	struct copy *copies;
	size_t n_copies, copies_cap;
	struct map chains;     /* id → first of copies */
	struct map bundles;    /* name → place */
	struct map told;       /* names of bundles, by deltas */
	struct snapshot *v;
	size_t n, cap;
	bool relies[SIM_CLIENTS], open[SIM_CLIENTS]; /* open: between head and tail */
	struct ledger_counts counts;
	struct string_list names[SIM_CLIENTS];
	bool lies, blind, show;
	char loss[1200];
};

const char *ledger_loss(const struct ledger *l)
{
	return l->loss[0] ? l->loss : NULL;
}

const struct ledger_counts *ledger_count(const struct ledger *l)
{
	return &l->counts;
}

struct repo *ledger_repo(struct ledger *l)
{
	return l->repo;
}

void ledger_relies(struct ledger *l, int client, bool yes)
{
	l->relies[client] = yes;
	l->open[client] = false;
}

/* --- snapshots */

static struct snapshot *find(const struct ledger *l, const char *name)
{
	for (size_t i = l->n; i-- > 0;)
		if (strcmp(l->v[i].name, name) == 0)
			return &l->v[i];
	return NULL;
}

static struct snapshot *get(struct ledger *l, const char *name)
{
	struct snapshot *s = find(l, name);

	if (s)
		return s;
	l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
	s = &l->v[l->n++];
	*s = (struct snapshot){.maker = -1};
	snprintf(s->name, sizeof s->name, "%s", name);
	return s;
}

static bool counts(const struct snapshot *s)
{
	return s && !s->removed && (s->success || (s->tail && !s->fenced));
}

bool ledger_counts(const struct ledger *l, const char *band)
{
	return counts(find(l, band));
}

bool ledger_looks_complete(const struct ledger *l, const char *band)
{
	const struct snapshot *s = find(l, band);

	return s && s->tail && !s->removed && !s->fenced && !s->hurt;
}

static void need(struct snapshot *s, const struct id *id)
{
	s->needs = mem_grow(s->needs, &s->cap, s->n + 1, sizeof *s->needs);
	s->needs[s->n++] = *id;
}

static bool need_extent(void *arg, const struct extent *x, struct err *e)
{
	(void)e;
	if (!x->hole)
		need(arg, &x->id);
	return true;
}

/* All that a tail refers to. The trees of tests are too small for lists. */
static bool follow(
    struct ledger *l, const struct band *b, struct snapshot *s, struct err *e)
{
	struct chunk_reader *chunks = chunk_reader_new(l->repo, 4, 4);
	struct stream_options so = {.inventory = inventory_new(l->repo),
	    .resolver = resolver_new(l->repo)};
	struct stream *stream = stream_open(l->repo, chunks, b, &so);
	enum stream_step step;
	struct id last = {{0}};
	struct entry en;
	bool ok = true;

	while (ok && (step = stream_next(stream, &en, e)) == STREAM_ENTRY) {
		if (!id_equal(&last, &stream_hunk(stream)->id))
			need(s, &stream_hunk(stream)->id);
		last = stream_hunk(stream)->id;
		if (en.content == CONTENT_EXTENTS)
			ok = stream_extents(stream, &en, need_extent, s, e);
	}
	ok = ok && step == STREAM_END;
	stream_close(stream);
	resolver_free(so.resolver);
	inventory_free(so.inventory);
	chunk_reader_free(chunks);
	return ok;
}

/* --- losses */

static void lose(struct ledger *l, const char *when, const struct snapshot *s,
    const struct id *chunk, const char *what)
{
	char hex[2 * ID_SIZE + 1] = "";

	if (l->loss[0])
		return;
	if (chunk)
		name_of_id(chunk, hex);
	snprintf(l->loss, sizeof l->loss, "%s: snapshot %s: %s%.16s%s", when, s->name,
	    chunk ? "chunk " : "", hex, what);
}

/* On the storage, or in the cache in which the snapshot's own files are. */
static bool arrived(
    const struct ledger *l, const struct place *p, const struct snapshot *s)
{
	char name[2 * ID_SIZE + 1];

	if (p->maker == s->maker)
		return true;
	name_of_id(&p->name, name);
	return sim_arrives(l->sim, p->folder, name) <= sim_now(l->sim);
}

/* For everybody: in a bundle that all see by now, or as soon as they see the snapshot. */
static bool stands(
    const struct ledger *l, const struct id *id, const struct snapshot *s, bool everybody)
{
	uint64_t *first = map_get(&l->chains, id), at;
	const struct place *p;

	for (at = first ? *first : NOWHERE; at != NOWHERE; at = l->copies[at].next) {
		p = &l->places[l->copies[at].place];
		if (p->gone)
			continue;
		if (l->blind ? arrived(l, p, s) : !everybody || p->born <= s->born ||
		            sim_now(l->sim) - p->born >= SIM_DELTA)
			return true;
	}
	return false;
}

static void judge(struct ledger *l, const char *when, const struct snapshot *s)
{
	if (!counts(s))
		return;
	if (s->broken)
		lose(l, when, s, NULL, s->broken);
	for (size_t i = 0; i < s->n; i++)
		if (!stands(l, &s->needs[i], s, false))
			lose(l, when, s, &s->needs[i], " is nowhere");
}

void ledger_blind(struct ledger *l)
{
	l->blind = true;
}

const struct string_list *ledger_names(const struct ledger *l, int client)
{
	return &l->names[client];
}

void ledger_lied_to(struct ledger *l)
{
	l->lies = true;
}

/* Of a bundle that no delta tells of nobody knows what is in it. */
static bool stands_for_good(const struct ledger *l, const struct id *id)
{
	uint64_t *first = map_get(&l->chains, id), at;
	const struct place *p;

	for (at = first ? *first : NOWHERE; at != NOWHERE; at = l->copies[at].next) {
		p = &l->places[l->copies[at].place];
		if (!p->gone && !p->condemned && map_get(&l->told, &p->name))
			return true;
	}
	return false;
}

/*
 * What is not there when the tail is written never was. What is only where a snapshot may
 * not rely on it was to be in a bundle of its own.
 */
static void let_off(struct ledger *l, struct snapshot *s)
{
	size_t i, kept = 0;

	for (i = 0; i < s->n; i++)
		if (stands_for_good(l, &s->needs[i]))
			s->needs[kept++] = s->needs[i];
	s->hurt = s->hurt || kept < s->n;
	s->n = kept;
}

void ledger_success(struct ledger *l, const char *band)
{
	struct snapshot *s = get(l, band);

	s->success = true;
	judge(l, "success", s);
}

/* --- telling of it: with BALE_SHOW */

static void show(const struct ledger *l, int client, const char *what, const char *folder,
    const char *name)
{
	if (l->show)
		printf("# %7.3f client %d %s %s/%s\n",
		    (double)(sim_now(l->sim) % (10000 * SIM_DELTA)) / (double)SIM_DELTA, client,
		    what, folder, name);
}

void ledger_show(struct ledger *l, int client, const char *what, const char *name)
{
	show(l, client, what, "", name);
}

static void show_needs(const struct ledger *l, const struct snapshot *s)
{
	for (size_t i = 0; l->show && i < s->n; i++)
		printf("#    needs %02x%02x%02x%02x\n", s->needs[i].b[0], s->needs[i].b[1],
		    s->needs[i].b[2], s->needs[i].b[3]);
}

static void show_chunks(const struct ledger *l, const struct place *p)
{
	for (size_t i = 0; l->show && i < p->n; i++)
		printf("#    holds %02x%02x%02x%02x\n", p->ids[i].b[0], p->ids[i].b[1],
		    p->ids[i].b[2], p->ids[i].b[3]);
}

/* --- what comes */

static void add_place(struct ledger *l, enum file_type type, const struct id *name)
{
	char text[2 * ID_SIZE + 1];
	struct place *p;

	name_of_id(name, text);
	l->places = mem_grow(l->places, &l->places_cap, l->n_places + 1, sizeof *l->places);
	p = &l->places[l->n_places];
	*p = (struct place){.name = *name};
	folder_of(type, name, p->folder);
	p->born = sim_born(l->sim, p->folder, text);
	p->maker = sim_maker(l->sim, p->folder, text);
	map_put(&l->bundles, name, l->n_places++);
}

/* To the place that was added last. */
static void add_copy(struct ledger *l, const struct id *chunk)
{
	struct place *p = &l->places[l->n_places - 1];
	uint64_t *first = map_get(&l->chains, chunk);

	p->ids = mem_grow(p->ids, &p->cap, p->n + 1, sizeof *p->ids);
	p->ids[p->n++] = *chunk;
	l->copies = mem_grow(l->copies, &l->copies_cap, l->n_copies + 1, sizeof *l->copies);
	l->copies[l->n_copies] = (struct copy){l->n_places - 1, first ? *first : NOWHERE};
	map_put(&l->chains, chunk, l->n_copies++);
}

static void add_bundle(struct ledger *l, enum file_type type, const char *name)
{
	struct err e = ERR_EMPTY;
	struct bundle *b;
	struct id id;
	uint32_t i;

	if (!id_of_name(name, &id) || !bundle_open(l->repo, type, &id, &b, &e))
		return; /* a part of one: who reads a chunk opens its bundle */
	add_place(l, type, &id);
	for (i = 0; i < b->dir.n_chunks; i++)
		add_copy(l, &b->dir.ids[i]);
	show_chunks(l, &l->places[l->n_places - 1]);
	bundle_free(b);
}

static void add_tail(struct ledger *l, const char *file, const char *name)
{
	struct err e = ERR_EMPTY;
	struct snapshot *s;
	struct band b;

	if (band_read_file(l->repo, file, BAND_TAIL, &b, &e) && b.kind == BAND_BACKUP) {
		s = get(l, name);
		if (!s->tail)
			s->born = sim_born(l->sim, "bands", file);
		s->tail = true;
		s->n = 0;
		l->counts.tails++;
		if (!follow(l, &b, s, &e) && !s->broken)
			s->broken = mem_strdup(e.text);
		show_needs(l, s);
		if (l->lies)
			let_off(l, s);
		judge(l, "tail", s);
	}
	band_release(&b);
}

static void add_band_file(struct ledger *l, int client, const char *file)
{
	struct band_name n;
	enum band_file kind;
	struct snapshot *s;
	unsigned part;

	if (!band_file_parse(span_str(file), &n, &kind, &part))
		return;
	s = get(l, n.text);
	switch (kind) {
	case BAND_HEAD:
		s->maker = client;
		if (client < 0)
			break;
		l->open[client] = l->relies[client];
		if (!string_list_has(&l->names[client], n.client))
			string_list_add(&l->names[client], span_str(n.client));
		break;
	case BAND_TAIL:
		if (client >= 0)
			l->open[client] = false;
		add_tail(l, file, n.text);
		break;
	case BAND_REMOVED:
		s->removed = true;
		l->counts.removed++;
		break;
	case BAND_FENCE:
		s->fenced = true;
		l->counts.fences++;
		l->counts.foreign_fences += s->maker >= 0 && s->maker != client;
		break;
	case BAND_PART:
		break;
	}
}

static void add_stone(struct ledger *l, const char *name)
{
	struct buf secret = BUF_EMPTY;
	struct json_file jf;
	struct tombstone t;
	uint64_t *at;

	tombstone_init(&t);
	if (repo_get_json(l->repo, "tombstones", name, "tombstone", &jf, &secret, NULL)) {
		if (!tombstone_decode(&jf, &t, NULL))
			abort();
		json_file_close(&jf);
	}
	for (size_t i = 0; i < t.n_bundles; i++)
		if ((at = map_get(&l->bundles, &t.bundles[i])))
			l->places[*at].condemned = true;
	tombstone_release(&t);
	buf_release(&secret);
}

static void add_delta(struct ledger *l, const char *name)
{
	struct buf plain = BUF_EMPTY;
	struct delta_bundle b;
	struct delta_iter it;
	struct id id;

	if (id_of_name(name, &id) && repo_get_delta(l->repo, &id, &plain, NULL) &&
	    delta_open(&it, buf_span(&plain), NULL))
		while (delta_next_bundle(&it, &b, NULL) == STEP_ITEM)
			map_put(&l->told, &b.name, 1);
	buf_release(&plain);
}

static void on_put(void *arg, int client, const char *folder, const char *name)
{
	struct ledger *l = arg;

	show(l, client, "put", folder, name);
	if (strcmp(folder, "bands") == 0)
		add_band_file(l, client, name);
	else if (strcmp(folder, "tombstones") == 0)
		add_stone(l, name);
	else if (strcmp(folder, "hunks") == 0)
		add_bundle(l, FILE_HUNKS, name);
	else if (strcmp(folder, "index") == 0)
		add_delta(l, name);
	else if (strncmp(folder, "data/", 5) == 0)
		add_bundle(l, FILE_DATA, name);
}

/* --- what goes */

static void on_removed(void *arg, int client, const char *folder, const char *name)
{
	struct ledger *l = arg;
	struct snapshot *s;
	struct place *p;
	uint64_t *at;
	struct id id;
	bool beside = false;
	size_t i, k;

	show(l, client, "removed", folder, name);
	at = id_of_name(name, &id) ? map_get(&l->bundles, &id) : NULL;
	if (!at)
		return;
	p = &l->places[*at];
	p->gone = true;
	for (i = 0; i < SIM_CLIENTS; i++)
		beside = beside || ((int)i != client && l->open[i]);
	l->counts.deleted++;
	l->counts.beside += beside;
	for (s = l->v; s < l->v + l->n; s++)
		for (i = 0; counts(s) && i < p->n; i++)
			for (k = 0; k < s->n; k++)
				if (id_equal(&s->needs[k], &p->ids[i]) && !stands(l, &p->ids[i], s, true))
					lose(l, "deletion", s, &p->ids[i],
					    stands(l, &p->ids[i], s, false)
					        ? " is where not everybody sees it"
					        : " is nowhere");
}

/* --- */

static void old_bundle(
    void *arg, const char *folder, const char *name, struct span content)
{
	(void)content;
	if (strcmp(folder, "bands") != 0)
		on_put(arg, -1, folder, name);
}

static void old_band(void *arg, const char *folder, const char *name, struct span content)
{
	(void)content;
	if (strcmp(folder, "bands") == 0)
		on_put(arg, -1, folder, name);
}

struct ledger *ledger_new(struct sim *sim)
{
	struct ledger *l = mem_zalloc(sizeof *l);
	struct sim_watch watch = {on_put, on_removed, l};
	struct err e = ERR_EMPTY;

	l->sim = sim;
	l->show = getenv("BALE_SHOW") != NULL;
	map_init(&l->chains, ID_SIZE);
	map_init(&l->bundles, ID_SIZE);
	map_init(&l->told, ID_SIZE);
	if (!repo_open(
	        sim_store(sim, -1), sim_env(sim, -1), secret_right, NULL, &l->repo, &e)) {
		fprintf(stderr, "ledger: %s\n", e.text);
		exit(99);
	}
	stores_each(l->repo->store, old_bundle, l);
	stores_each(l->repo->store, old_band, l);
	l->counts = (struct ledger_counts){0};
	sim_watch(sim, &watch);
	return l;
}

void ledger_free(struct ledger *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		free(l->v[i].needs);
		free(l->v[i].broken);
	}
	for (i = 0; i < l->n_places; i++)
		free(l->places[i].ids);
	for (i = 0; i < SIM_CLIENTS; i++)
		string_list_release(&l->names[i]);
	map_release(&l->chains);
	map_release(&l->bundles);
	map_release(&l->told);
	repo_close(l->repo);
	free(l->places);
	free(l->copies);
	free(l->v);
	free(l);
}
