/*
 * Strict mode (S1 and S2 of docs/protocol.md): evidence in place of time. Of every client
 * that there has ever been a trace of, an unbroken chain of tails must be seen, up to one
 * whose client has seen the tombstone. What those relied on is alive; what came after
 * knew better.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "engine/vacuum_run.h"

/*
 * The tail of a band, also of one that was removed, which is read once; NULL where it
 * cannot be had.
 */
static const struct band *tail_of(struct vacuum *x, struct vac_band *b)
{
	enum band_file kind;

	if (b->tail)
		return &b->band;
	if (b->state != VAC_GONE || b->info->tails.n == 0)
		return NULL;
	if (!b->link) {
		b->link = mem_zalloc(sizeof *b->link);
		b->linked = band_read(x->repo, b->info, &kind, b->link, NULL) &&
		    kind == BAND_TAIL;
	}
	return b->linked ? b->link : NULL;
}

/* The first band of a client that has seen the tombstone, by its counter; NULL: none. */
static struct vac_band *first_to_see(
    struct vacuum *x, const char *client, const char *stone)
{
	struct vac_band *first = NULL, *b;
	const struct band *tail;
	size_t i;

	for (i = 0; i < x->v.n_v; i++) {
		b = &x->v.v[i];
		if (strcmp(b->info->name.client, client) != 0 || b->info->fences.n > 0 ||
		    (first && first->info->name.counter < b->info->name.counter))
			continue;
		tail = tail_of(x, b);
		if (tail && (string_list_has(&tail->seen, stone) || MUTANT(ANY_TAIL)))
			first = b;
	}
	return first;
}

/*
 * Back from a band to its client's first, or to one that the client wrote when it was not
 * yet registered. Whom those bands tell of is asked in its turn.
 */
static bool unbroken(
    struct vacuum *x, struct vac_band *b, uint64_t base, struct string_list *asked)
{
	const struct band *tail;
	struct band_name prev;
	bool ok = true;
	size_t i;

	while (ok && b) {
		tail = tail_of(x, b);
		ok = tail != NULL;
		for (i = 0; ok && !MUTANT(NAMED_UNASKED) && i < tail->n_roll; i++)
			string_list_want(asked, tail->roll[i].client);
		if (ok && band_name_parse(span_str(tail->prev), &prev) && prev.counter > base &&
		    !MUTANT(GAPS)) {
			ok = prev.counter < b->info->name.counter;
			b = vac_band(&x->v, span_str(prev.text));
			ok = ok && b;
		} else {
			b = NULL;
		}
	}
	return ok;
}

static bool is_me(const struct vacuum *x, const char *client)
{
	return strcmp(client, x->band.client.id) == 0;
}

/* Of one client. This one knows its own tombstone; its chain ends with its last band. */
static bool evident(
    struct vacuum *x, const char *client, const char *stone, struct string_list *asked)
{
	const struct client *c = clients_find(&x->v.clients, client);
	const char *last = x->band.client.prev;
	struct vac_band *b;

	if (c && c->retired)
		return true;
	if (is_me(x, client) && !*last)
		return true;
	b = is_me(x, client)
	        ? vac_band(&x->v, span_str(last))
	        : first_to_see(x, client, stone);
	return b && unbroken(x, b, c ? c->counter : 0, asked);
}

bool vacuum_evident(struct vacuum *x, const struct vac_stone *s)
{
	struct string_list asked = {NULL, 0, 0};
	bool ok = true;
	size_t i;

	string_list_want(&asked, x->band.client.id);
	for (i = 0; i < x->band.client.met.n; i++)
		string_list_want(&asked, x->band.client.met.v[i]);
	for (i = 0; i < x->v.clients.n; i++)
		string_list_want(&asked, x->v.clients.v[i].id);
	for (i = 0; i < x->v.n_v; i++)
		string_list_want(&asked, x->v.v[i].info->name.client);
	for (i = 0; ok && i < asked.n; i++) {
		ok = evident(x, asked.v[i], s->name, &asked);
		if (!ok)
			memcpy(x->result->lacking, asked.v[i], CLIENT_SIZE + 1);
		client_state_meet(&x->band.client, asked.v[i]);
	}
	string_list_release(&asked);
	return ok;
}
