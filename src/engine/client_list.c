/*
 * From one listing of the bands and one of the registrations. Of each client as many
 * bands are read, from the newest on, as it takes to learn where it runs: mostly one.
 */
#include "engine/client_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "band/bands.h"
#include "base/mem.h"
#include "engine/client.h"
#include "engine/clients.h"

#define PREFIX_LEAST 4

static struct listed_client *known(struct client_list *l, const char *id)
{
	struct listed_client *c;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i].id, id) == 0)
			return &l->v[i];
	l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
	c = &l->v[l->n++];
	*c = (struct listed_client){.host = mem_strdup(""), .user = mem_strdup("")};
	memcpy(c->id, id, sizeof c->id);
	return c;
}

/* The second that a band's name begins with. */
static int64_t begun(const struct band_name *n)
{
	struct tm tm = {.tm_isdst = 0};

	sscanf(n->text, "%4d%2d%2d%2d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
	    &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm);
}

/* From the oldest to the newest. */
static void count(struct client_list *l, const struct bands *bands)
{
	struct listed_client *c;
	size_t i;

	for (i = 0; i < bands->n; i++) {
		c = known(l, bands->v[i].name.client);
		c->last = begun(&bands->v[i].name);
		if (c->bands++ == 0)
			c->first = c->last;
	}
}

/* --- what bands tell */

static void take_band(struct client_list *l, const char *client, enum band_file kind,
    const struct band *b, bool *tail)
{
	struct listed_client *c;
	size_t i;

	for (i = 0; i < b->n_roll; i++)
		known(l, b->roll[i].client);
	c = known(l, client);
	if (kind == BAND_TAIL && !*tail) {
		c->leave = b->leave;
		*tail = true;
	}
	if (*c->host == '\0' && *b->host) {
		free(c->host);
		free(c->user);
		c->host = mem_strdup(b->host);
		c->user = mem_strdup(b->user);
	}
}

static bool read_client(struct repo *r, struct client_list *l, const struct bands *bands,
    const char *client, struct monitor *m, struct err *e)
{
	struct err why = ERR_EMPTY;
	bool tail = false, ok = true;
	enum band_file kind;
	struct band b;
	size_t i;

	for (i = bands->n; ok && i-- > 0 && (!tail || *known(l, client)->host == '\0');) {
		if (strcmp(bands->v[i].name.client, client) != 0 || band_is_trace(&bands->v[i]))
			continue;
		err_clear(&why);
		if (band_read(r, &bands->v[i], &kind, &b, &why)) {
			take_band(l, client, kind, &b, &tail);
		} else {
			ok = err_is_unreadable(&why);
			if (ok)
				monitor_problem(m, PROBLEM_DAMAGED,
				    span_str(bands->v[i].name.text), &why);
			l->unreadable += ok;
		}
		band_release(&b);
	}
	if (!ok)
		*e = why;
	return ok;
}

static bool read_bands(
    struct repo *r, struct client_list *l, struct monitor *m, struct err *e)
{
	struct bands bands = {NULL, 0, 0};
	char id[CLIENT_SIZE + 1];
	bool ok = bands_list(r, &bands, e);
	size_t i, n;

	count(l, &bands);
	/* Those that roll-calls add have no band to read. */
	for (i = 0, n = l->n; ok && i < n; i++) {
		memcpy(id, l->v[i].id, sizeof id);
		ok = read_client(r, l, &bands, id, m, e);
	}
	bands_release(&bands);
	return ok;
}

/* --- registrations, and own notes */

static bool read_registrations(struct repo *r, struct client_list *l, struct err *e)
{
	struct store_listing names = {NULL, 0, 0};
	struct clients all = {NULL, 0, 0};
	bool ok = repo_list(r, "clients", &names, e) && clients_read(r, &names, &all, e);
	struct listed_client *c;
	size_t i;

	for (i = 0; ok && i < all.n; i++) {
		c = known(l, all.v[i].id);
		c->retired = all.v[i].retired;
		c->registered = !c->retired;
	}
	clients_release(&all);
	store_listing_release(&names);
	return ok;
}

static void read_notes(struct repo *r, const char *cache_dir, struct client_list *l)
{
	struct cache *cache = cache_look(r, cache_dir);
	struct client_state s;
	size_t i;

	if (client_state_look(cache, &s)) {
		known(l, s.id)->self = true;
		for (i = 0; i < s.met.n; i++)
			known(l, s.met.v[i]);
		client_state_release(&s);
	}
	cache_close(cache);
}

static int by_id(const void *a, const void *b)
{
	const struct listed_client *x = a, *y = b;

	return strcmp(x->id, y->id);
}

bool client_list_read(struct repo *r, const char *cache_dir, struct monitor *m,
    struct client_list *out, struct err *e)
{
	*out = (struct client_list){NULL, 0, 0, 0};
	if (!read_bands(r, out, m, e) || !read_registrations(r, out, e))
		return false;
	read_notes(r, cache_dir, out);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_id);
	return true;
}

void client_list_release(struct client_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		free(l->v[i].host);
		free(l->v[i].user);
	}
	free(l->v);
	*l = (struct client_list){NULL, 0, 0, 0};
}

bool client_list_find(const struct client_list *l, const char *text,
    const struct listed_client **out, struct err *e)
{
	size_t n = strlen(text), i;

	*out = NULL;
	for (i = 0; n >= PREFIX_LEAST && i < l->n; i++) {
		if (strncmp(l->v[i].id, text, n) != 0)
			continue;
		if (*out)
			return err_set(e, ERR_USAGE, "%s is the beginning of %s and of %s", text,
			    (*out)->id, l->v[i].id);
		*out = &l->v[i];
	}
	return *out ||
	    err_set(e, ERR_MISSING,
	        "no client %s: its id is wanted, or the beginning of it of at least %d "
	        "characters",
	        text, PREFIX_LEAST);
}

bool client_list_retire(struct repo *r, const struct listed_client *c, struct err *e)
{
	if (c->self)
		return err_set(e, ERR_REFUSED,
		    "%s is this client, which is still at work: retire it from another one",
		    c->id);
	return c->retired || clients_retire(r, c->id, e);
}
