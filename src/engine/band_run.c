/*
 * The JSON files of a run's band, and what it finds when it begins. Names are random and
 * no attempt is ever overwritten, so nothing here needs a lock.
 */
#include "engine/band_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/strict.h"
#include "engine/findings.h"
#include "engine/torn.h"
#include "format/tombstone.h"
#include "repo/json_cache.h"
#include "repo/lists.h"

static const char *const type_of[] = {
    [BAND_HEAD] = "head", [BAND_PART] = "part", [BAND_TAIL] = "tail",
    [BAND_REMOVED] = "removed", [BAND_FENCE] = "fence"};

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

void band_run_init(struct band_run *r, struct repo *repo, struct cache *cache,
    struct inventory *inventory, struct monitor *m)
{
	*r = (struct band_run){.repo = repo, .cache = cache, .inventory = inventory, .m = m};
}

void band_run_release(struct band_run *r)
{
	bands_release(&r->bands);
	string_list_release(&r->seen);
	client_state_release(&r->client);
}

void band_run_name(struct band_run *r, int64_t start)
{
	client_state_load(r->cache, r->repo->env, &r->client);
	client_state_spend(r->cache, r->repo->env, &r->client, start, &r->name);
}

bool band_run_put(
    struct band_run *r, enum band_file kind, const struct band *b, struct err *e)
{
	struct naming naming = {r->name.text, kind, b->part};
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	uint64_t size = 0;
	bool ok;

	if (kind == BAND_HEAD && !strict_register(r, e))
		return false;
	band_encode(b, kind, &body);
	ok = repo_put_json(r->repo, "bands", type_of[kind], make_name, &naming, &body, name,
	    &size, e);
	json_body_release(&body);
	r->stored += size;
	return ok || err_wrap(e, "%s of band %s", type_of[kind], r->name.text);
}

bool band_note_put(struct repo *repo, const struct band_name *band, enum band_file kind,
    const char *client, uint64_t *size, struct err *e)
{
	struct naming naming = {band->text, kind, 0};
	struct json_body body = JSON_BODY_EMPTY;
	struct band_note note = {.band = *band};
	char name[NAME_MAX_LEN + 1];
	bool ok;

	*size = 0;
	memcpy(note.client, client, sizeof note.client);
	note.time = repo->env->now(repo->env);
	band_note_encode(&note, &body);
	ok = repo_put_json(
	    repo, "bands", type_of[kind], make_name, &naming, &body, name, size, e);
	json_body_release(&body);
	return ok || err_wrap(e, "%s of band %s", type_of[kind], band->text);
}

/* --- the look */

/*
 * One that is listed and not there was deleted when its bundles had been gone for long,
 * or is not seen yet.
 */
static bool read_tombstone(struct band_run *r, const char *name, struct err *e)
{
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct json_file jf;
	struct tombstone t;
	struct fault f;
	bool torn, ok;
	size_t i;

	ok = repo_get_json(r->repo, "tombstones", name, "tombstone", &jf, &secret, &why);
	buf_release(&secret);
	if (!ok) {
		if (why.kind == ERR_MISSING)
			return true;
		if (why.kind == ERR_CORRUPT) {
			if (!file_torn(r->repo, "tombstones", name, &torn, e))
				return false;
			if (torn)
				return true;
		}
		*e = why;
		return false;
	}
	tombstone_init(&t);
	ok = tombstone_decode(&jf, &t, &f) || err_fault(e, &f);
	json_file_close(&jf);
	for (i = 0; ok && !MUTANT(BLIND_BACKUP) && i < t.n_bundles; i++)
		inventory_condemn(r->inventory, &t.bundles[i]);
	if (ok)
		string_list_add(&r->seen, span_str(name));
	if (ok && r->strict)
		strict_keep(r->cache, name, &t);
	tombstone_release(&t);
	return ok;
}

/* Several at once, where they are many and not at hand. */
static void prefetch(struct band_run *r, const char *folder, const char *type,
    const struct store_listing *l)
{
	struct json_want *wants = mem_array(l->n + 1, sizeof *wants);
	size_t i;

	for (i = 0; i < l->n; i++)
		wants[i] = (struct json_want){l->names[i], type};
	json_prefetch(r->repo, folder, wants, l->n);
	free(wants);
}

static bool read_tombstones(
    struct band_run *r, const struct store_listing *l, struct err *e)
{
	size_t i;

	prefetch(r, "tombstones", "tombstone", l);
	for (i = 0; i < l->n; i++)
		if (!read_tombstone(r, l->names[i], e))
			return err_wrap(e, "cannot tell which bundles are condemned");
	return true;
}

static void take_damage(void *arg, const struct damage *d)
{
	inventory_damage(arg, &d->bundle);
}

/* Damage is a help to heal: a report of it that cannot be read costs only that. */
static void read_health(struct band_run *r, const struct store_listing *l)
{
	struct findings all = {NULL, 0, 0};
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct json_file jf;
	struct health h;
	struct fault f;
	size_t i;

	prefetch(r, "health", "health", l);
	for (i = 0; i < l->n; i++) {
		if (!repo_get_json(
		        r->repo, "health", l->names[i], "health", &jf, &secret, &why)) {
			monitor_problem(r->m, PROBLEM_NOTE, span_str(l->names[i]), &why);
			continue;
		}
		health_init(&h);
		if (health_decode(&jf, &h, &f))
			findings_add(&all, &h);
		health_release(&h);
		json_file_close(&jf);
	}
	findings_tell(&all, take_damage, r->inventory);
	findings_release(&all);
	buf_release(&secret);
}

static void carry_seen(struct band_run *r)
{
	size_t i;

	for (i = 0; i < r->client.seen.n; i++)
		string_list_want(&r->seen, r->client.seen.v[i]);
}

/* Steps B3 and B4 (docs/protocol.md): tombstones first, then bundles. */
bool band_run_look_begin(struct band_run *r, struct err *e)
{
	struct store_listing bands, clients = {NULL, 0, 0}, stones = {NULL, 0, 0},
	    health = {NULL, 0, 0};
	struct lists *lists = lists_new(r->repo, r->transfer);
	bool ok;

	if (MUTANT(SEEN_LOST))
		string_list_release(&r->client.seen);
	lists_add(lists, "bands");
	lists_add(lists, "clients");
	lists_add(lists, "tombstones");
	lists_add(lists, "health");
	ok = lists_take(lists, &bands, e) || err_wrap(e, "listing the snapshots");
	bands_of_listing(&bands, &r->bands);
	ok = ok && lists_take(lists, &clients, e) && strict_find(r, &clients, e);
	ok = ok && (lists_take(lists, &stones, e) ||
	               err_wrap(e, "cannot tell which bundles are condemned"));
	ok = ok && lists_take(lists, &health, e) && read_tombstones(r, &stones, e) &&
	    strict_look(r, e);
	if (ok) {
		inventory_list_begin(r->inventory, r->transfer);
		read_health(r, &health);
		carry_seen(r);
	}
	store_listing_release(&bands);
	store_listing_release(&clients);
	store_listing_release(&stones);
	store_listing_release(&health);
	lists_free(lists);
	return ok;
}

bool band_run_look_end(struct band_run *r, struct err *e)
{
	return inventory_list_end(r->inventory, e);
}

bool band_run_look(struct band_run *r, struct err *e)
{
	return band_run_look_begin(r, e) && band_run_look_end(r, e);
}

/* --- fences */

static bool put_fence(struct band_run *r, const struct band_name *band, struct err *e)
{
	uint64_t size;
	bool ok = band_note_put(r->repo, band, BAND_FENCE, r->client.id, &size, e);

	r->stored += size;
	return ok;
}

/* Whether the band has a tail that is whole: one that a crash has torn is none. */
static bool has_tail(
    struct band_run *r, const struct band_info *i, bool *has, struct err *e)
{
	struct err why = ERR_EMPTY;
	enum band_file kind;
	struct band b;

	*has = i->tails.n > 0;
	if (!*has)
		return true;
	*has = band_read(r->repo, i, &kind, &b, &why);
	band_release(&b);
	if (*has || why.kind == ERR_CORRUPT)
		return true;
	*e = why;
	return false;
}

/*
 * Of one of this client's bands, whose process is dead: if it ended well it is the newest
 * that did, and else it is declared dead, even if nothing of it is seen. The caller goes
 * from the oldest to the newest.
 */
static bool settle_own(struct band_run *r, const struct band_name *name, struct err *e)
{
	const struct band_info *i = bands_find(&r->bands, name->text);
	bool known = i && i->fences.n > 0, ended = false;

	if (!known && i && !has_tail(r, i, &ended, e))
		return false;
	if (ended)
		memcpy(r->client.prev, name->text, sizeof r->client.prev);
	else if (!known && !(i && i->removed.n > 0) && !put_fence(r, name, e))
		return false;
	client_state_ended(&r->client, name->text);
	return true;
}

static int by_client(const void *a, const void *b)
{
	const struct band_name *x = a, *y = b;
	int d = strcmp(x->client, y->client);

	return d ? d : (x->counter > y->counter) - (x->counter < y->counter);
}

/*
 * This client's bands since the last that is known to have ended well, ascending: those
 * that are seen, and those that it remembers to have begun. What came before was dealt
 * with by that one; its own tail may only not be seen yet.
 */
static size_t own_bands(const struct band_run *r, struct band_name *out)
{
	struct band_name prev = {.counter = 0}, n;
	size_t i, k, all = 0;

	band_name_parse(span_str(r->client.prev), &prev);
	for (i = 0; i < r->bands.n; i++)
		if (r->bands.v[i].heads.n > 0)
			out[all++] = r->bands.v[i].name;
	for (i = 0; i < r->client.begun.n; i++)
		all += band_name_parse(span_str(r->client.begun.v[i]), &out[all]);
	qsort(out, all, sizeof *out, by_client);
	for (i = k = 0; i < all; i++) {
		n = out[i];
		if (strcmp(n.client, r->client.id) == 0 && n.counter > prev.counter &&
		    n.counter < r->name.counter && (k == 0 || out[k - 1].counter != n.counter))
			out[k++] = n;
	}
	return k;
}

/*
 * Step B2 (docs/protocol.md). The lock of the cache shows that no process of this client
 * is at work on them.
 */
bool band_run_fence_own(struct band_run *r, struct err *e)
{
	struct band_name *v;
	size_t n, i;
	bool ok = true;

	if (!cache_owned(r->cache))
		return true;
	v = mem_array(r->bands.n + r->client.begun.n + 1, sizeof *v);
	n = own_bands(r, v);
	for (i = 0; ok && i < n; i++)
		ok = settle_own(r, &v[i], e);
	/* Else a client that dies each time would declare all of them dead each time. */
	if (n > 0)
		client_state_save(r->cache, &r->client);
	free(v);
	return ok;
}

bool band_run_give_up(struct band_run *r, struct err *e)
{
	return put_fence(r, &r->name, e);
}

/* Declared dead while it ran: what vacuum then did, this run has not seen. */
static bool look_for_fence(struct band_run *r, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	enum band_file kind;
	struct band_name n;
	unsigned part;
	size_t i;

	if (!repo_list(r->repo, "bands", &names, e))
		return false;
	for (i = 0; !MUTANT(FENCE_UNSEEN) && i < names.n; i++)
		if (band_file_parse(span_str(names.names[i]), &n, &kind, &part) &&
		    kind == BAND_FENCE && strcmp(n.text, r->name.text) == 0)
			r->fenced = true;
	store_listing_release(&names);
	return true;
}

/* --- parts and the tail */

/*
 * The bands seen, as runs of counters a client. One of which only the removal is left is
 * not told of, so that this last trace of it can go when nobody tells of it any more.
 */
static void fill_roll(const struct band_run *r, struct band *b)
{
	struct band_name *v = mem_array(r->bands.n + 1, sizeof *v);
	struct roll roll = {.from = 0};
	const struct band_info *info;
	size_t i, n = 0;

	for (i = 0; i < r->bands.n; i++) {
		info = &r->bands.v[i];
		if (info->heads.n + info->parts.n + info->tails.n > 0)
			v[n++] = info->name;
	}
	qsort(v, n, sizeof *v, by_client);
	for (i = 0; i < n; i++) {
		if (i > 0 && strcmp(v[i].client, roll.client) == 0 &&
		    v[i].counter <= roll.to + 1) {
			roll.to = v[i].counter;
			continue;
		}
		if (i > 0)
			band_add_roll(b, &roll);
		memcpy(roll.client, v[i].client, sizeof roll.client);
		roll.from = roll.to = v[i].counter;
	}
	if (n > 0)
		band_add_roll(b, &roll);
	free(v);
}

void band_run_fill(const struct band_run *r, struct band *b)
{
	b->prev = mem_strdup(r->client.prev);
	for (size_t i = 0; i < r->seen.n; i++)
		string_list_add(&b->seen, span_str(r->seen.v[i]));
	fill_roll(r, b);
	b->settled = r->repo->store->mount == MOUNT_THROUGH;
	/* Who does not know yet that it has to be asked gives none. */
	b->leave = r->client.leave && r->strict;
}

void band_run_knows(struct band_run *r, const char *stone)
{
	string_list_add(&r->seen, span_str(stone));
}

void band_run_note(struct band_run *r)
{
	size_t i;

	string_list_release(&r->client.seen);
	r->client.seen = (struct string_list){NULL, 0, 0};
	for (i = 0; i < r->seen.n; i++)
		string_list_add(&r->client.seen, span_str(r->seen.v[i]));
	client_state_save(r->cache, &r->client);
}

static void remember_client(struct band_run *r)
{
	memcpy(r->client.prev, r->name.text, sizeof r->client.prev);
	client_state_ended(&r->client, r->name.text);
	band_run_note(r);
}

bool band_run_finish(struct band_run *r, const struct band *tail, struct err *e)
{
	struct err late = ERR_EMPTY;
	bool arrived;

	if (!band_run_put(r, BAND_TAIL, tail, e))
		return false;
	remember_client(r);
	arrived = repo_settle(r->repo, &r->settled, &late);
	if (!look_for_fence(r, e))
		return false;
	if (r->fenced)
		return err_set(e, ERR_IO,
		    "band %s was declared dead by another client while it ran; run it again",
		    r->name.text);
	r->complete = true;
	if (arrived)
		return true;
	*e = late;
	return err_wrap(e, "%s is written, but may not have arrived", r->name.text);
}
