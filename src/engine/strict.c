/* Strict mode, as far as every run has to do with it. */
#include "engine/strict.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/clients.h"

/* --- registration */

/* What was written up to the counter went over a mount that can be relied on. */
static bool enlist(struct band_run *r, struct err *e)
{
	struct client c = {.time = r->repo->env->now(r->repo->env),
	    .counter = r->client.counter - 1};

	if (r->client.enlisted)
		return true;
	memcpy(c.id, r->client.id, sizeof c.id);
	if (!clients_put(r->repo, &c, &r->stored, e))
		return false;
	r->client.enlisted = true;
	client_state_save(r->cache, &r->client); /* whatever becomes of this run */
	return true;
}

bool strict_register(struct band_run *r, struct err *e)
{
	return !(r->distrusts || repo_arrives_late(r->repo)) || enlist(r, e);
}

/*
 * Nobody asks for what a retired client relies on, nor for what it stores, even if it
 * registered again: who knows of the one may not see the other. So nothing is done under
 * its name any more.
 */
static bool start_anew(struct band_run *r, struct err *e)
{
	if (!band_run_give_up(r, e))
		return false;
	client_state_drop(r->cache);
	return err_set(e, ERR_REFUSED,
	    "this client, %s, was retired, and nothing was done: it is a new client from now "
	    "on; run it again",
	    r->client.id);
}

bool strict_find(struct band_run *r, const struct store_listing *l, struct err *e)
{
	struct clients all = {NULL, 0, 0};
	const struct client *self;
	struct err why = ERR_EMPTY;
	bool ok = clients_read(r->repo, l, &all, &why), retired;
	size_t i;

	/* One that cannot be read is one. */
	r->strict = repo_arrives_late(r->repo) || !ok || clients_any(&all);
	for (i = 0; i < all.n; i++)
		client_state_meet(&r->client, all.v[i].id);
	/* It stays so, even if no registration is seen any more. */
	r->strict |= r->client.enlisted;
	self = clients_find(&all, r->client.id);
	retired = self && self->retired;
	clients_release(&all);
	if (retired)
		return start_anew(r, e);
	if (ok || why.kind == ERR_CORRUPT || why.kind == ERR_NEWER)
		return true;
	*e = why;
	return false;
}

/* --- tombstones, remembered */

static void copy_name(const char *stone, char name[NAME_MAX_LEN + 1])
{
	snprintf(name, NAME_MAX_LEN + 1, "stone-%s", stone);
}

void strict_keep(struct cache *c, const char *stone, const struct tombstone *t)
{
	char name[NAME_MAX_LEN + 1];
	struct buf ids = BUF_EMPTY;
	size_t i;

	copy_name(stone, name);
	if (!cache_owned(c) || cache_get(c, name, &ids))
		goto out;
	buf_add_byte(&ids, 1); /* never empty */
	for (i = 0; i < t->n_bundles; i++)
		buf_add(&ids, t->bundles[i].b, ID_SIZE);
	cache_put(c, name, buf_span(&ids));
out:
	buf_release(&ids);
}

/* A listing may leave out what can be read. */
static bool read_unlisted(struct repo *r, struct cache *c, const char *stone,
    strict_bundle_fn *fn, void *arg, bool *known, struct err *e)
{
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct json_file jf;
	struct tombstone t;
	size_t i;

	*known = repo_get_json(r, "tombstones", stone, "tombstone", &jf, &secret, &why);
	buf_release(&secret);
	if (!*known) {
		if (err_is_damage(&why))
			return true;
		*e = why;
		return false;
	}
	tombstone_init(&t);
	*known = tombstone_decode(&jf, &t, NULL);
	for (i = 0; *known && i < t.n_bundles; i++)
		fn(arg, &t.bundles[i]);
	if (*known)
		strict_keep(c, stone, &t);
	tombstone_release(&t);
	json_file_close(&jf);
	return true;
}

bool strict_recall(struct repo *r, struct cache *c, const char *stone,
    strict_bundle_fn *fn, void *arg, bool *known, struct err *e)
{
	char name[NAME_MAX_LEN + 1];
	struct buf ids = BUF_EMPTY;
	struct id id;
	size_t i;

	copy_name(stone, name);
	*known = cache_get(c, name, &ids) && ids.n % ID_SIZE == 1;
	for (i = 1; *known && i < ids.n; i += ID_SIZE) {
		memcpy(id.b, ids.p + i, ID_SIZE);
		fn(arg, &id);
	}
	buf_release(&ids);
	return *known || read_unlisted(r, c, stone, fn, arg, known, e);
}

static void condemn(void *arg, const struct id *name)
{
	inventory_condemn(arg, name);
}

/*
 * What was noted when time could be relied on, and is not there, has gone with its
 * bundles.
 */
static void forget_gone(struct band_run *r)
{
	struct string_list *noted = &r->client.seen;
	size_t i, k = 0;

	for (i = 0; i < noted->n; i++) {
		if (string_list_has(&r->seen, noted->v[i]))
			noted->v[k++] = noted->v[i];
		else
			free(noted->v[i]);
	}
	noted->n = k;
}

/* *all: of every tombstone that was once known it is known what it condemns. */
static bool recall_all(struct band_run *r, bool *all, struct err *e)
{
	const struct string_list *noted = &r->client.seen;
	bool known;
	size_t i;

	*all = true;
	for (i = 0; i < noted->n; i++) {
		if (string_list_has(&r->seen, noted->v[i]))
			continue;
		if (!strict_recall(
		        r->repo, r->cache, noted->v[i], condemn, r->inventory, &known, e))
			return false;
		*all = *all && known;
	}
	return true;
}

/* --- leave */

static bool names_me(const struct band_run *r, const struct band *b)
{
	size_t i;

	for (i = 0; i < b->n_roll; i++)
		if (strcmp(b->roll[i].client, r->client.id) == 0)
			return true;
	return false;
}

static void take_leave(struct band_run *r, const struct band *b)
{
	size_t i;

	r->client.leave = true;
	for (i = 0; i < b->n_roll; i++)
		client_state_meet(&r->client, b->roll[i].client);
	for (i = 0; !MUTANT(LEAVE_BLIND) && i < b->seen.n; i++)
		string_list_want(&r->client.seen, b->seen.v[i]);
}

/* From a tail of a client that has leave itself, and has seen a band of this one. */
static bool ask_leave(struct band_run *r, struct err *e)
{
	struct err why = ERR_EMPTY;
	const struct band_info *info;
	enum band_file kind;
	struct band b;
	size_t i;

	for (i = r->bands.n; i-- > 0 && !r->client.leave;) {
		info = &r->bands.v[i];
		if (info->tails.n == 0 || strcmp(info->name.client, r->client.id) == 0)
			continue;
		if (band_read(r->repo, info, &kind, &b, &why)) {
			if (kind == BAND_TAIL && (b.leave || MUTANT(LEAVE_BY_ANY)) && names_me(r, &b))
				take_leave(r, &b);
		} else if (!err_is_unreadable(&why)) {
			band_release(&b);
			*e = why;
			return false;
		}
		band_release(&b);
	}
	return true;
}

/* What this client has written itself it may rely on. */
static void allow_own(struct band_run *r)
{
	const struct band_info *info;
	struct err none = ERR_EMPTY;
	enum band_file kind;
	struct band b;
	size_t i, k;

	for (i = 0; i < r->bands.n; i++) {
		info = &r->bands.v[i];
		if (strcmp(info->name.client, r->client.id) != 0)
			continue;
		if (band_read(r->repo, info, &kind, &b, &none) && kind != BAND_HEAD)
			for (k = 0; k < b.n_bundles; k++)
				inventory_allow(r->inventory, &b.bundles[k].name);
		band_release(&b);
	}
}

bool strict_look(struct band_run *r, struct err *e)
{
	bool all;
	size_t i;

	for (i = 0; i < r->bands.n; i++)
		client_state_meet(&r->client, r->bands.v[i].name.client);
	/* Who only looks, without a band, relies on nothing. */
	if (!r->strict || !r->name.text[0])
		return true;
	if (!r->client.enlisted)
		forget_gone(r);
	if (!enlist(r, e) || (!r->client.leave && !ask_leave(r, e)) ||
	    !recall_all(r, &all, e))
		return false;
	r->leave = (r->client.leave || MUTANT(NO_LEAVE)) && all;
	if (r->leave)
		return true;
	inventory_rely_on_own(r->inventory);
	if (all)
		allow_own(r);
	return true;
}
