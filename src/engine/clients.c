/* Registrations, read and written. */
#include "engine/clients.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/torn.h"

/* Files come in the order of their names: of equal times the last one counts. */
static void take(struct clients *all, struct client *c)
{
	struct client *known = (struct client *)clients_find(all, c->id);

	if (c->retired)
		c->counter = UINT64_MAX;
	if (!known) {
		all->v = mem_grow(all->v, &all->cap, all->n + 1, sizeof *all->v);
		all->v[all->n++] = *c;
		return;
	}
	if (c->counter < known->counter)
		known->counter = c->counter;
	if (c->time >= known->time) {
		known->time = c->time;
		known->retired = c->retired;
	}
	client_release(c);
}

static bool read_one(struct repo *r, const char *name, struct clients *out, struct err *e)
{
	struct json_file jf = {.root = NULL};
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct client c = {.host = NULL};
	struct fault f;
	bool ok, torn = false;

	ok = repo_get_json(r, "clients", name, "client", &jf, &secret, &why);
	if (ok) {
		ok = client_decode(&jf, buf_span(&secret), &c, &f) || err_fault(&why, &f);
		json_file_close(&jf);
	} else if (why.kind == ERR_CORRUPT && !file_torn(r, "clients", name, &torn, e)) {
		buf_release(&secret);
		return false;
	}
	buf_release(&secret);
	if (ok)
		take(out, &c);
	else
		client_release(&c);
	if (ok || torn || why.kind == ERR_MISSING)
		return true;
	*e = why;
	return err_wrap(e, "clients/%s", name);
}

bool clients_read(
    struct repo *r, const struct store_listing *l, struct clients *out, struct err *e)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (name_is_random(l->names[i]) && !read_one(r, l->names[i], out, e))
			return false;
	return true;
}

void clients_release(struct clients *c)
{
	while (c->n > 0)
		client_release(&c->v[--c->n]);
	free(c->v);
	*c = (struct clients){NULL, 0, 0};
}

const struct client *clients_find(const struct clients *c, const char *id)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->v[i].id, id) == 0)
			return &c->v[i];
	return NULL;
}

bool clients_any(const struct clients *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (!c->v[i].retired)
			return true;
	return false;
}

static void make_name(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	(void)arg;
	memcpy(name, random, RANDOM_NAME_LEN + 1);
}

bool clients_put(struct repo *r, const struct client *c, uint64_t *size, struct err *e)
{
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	uint64_t put = 0;
	bool ok;

	client_encode(c, &body);
	ok = repo_put_json(r, "clients", "client", make_name, NULL, &body, name, &put, e);
	json_body_release(&body);
	*size += put;
	return ok || err_wrap(e, "registration of client %s", c->id);
}

bool clients_retire(struct repo *r, const char *id, struct err *e)
{
	struct client c = {.retired = true, .time = r->env->now(r->env)};
	uint64_t size = 0;

	if (!client_valid(span_str(id)))
		return err_set(e, ERR_USAGE, "%s is no client's id", id);
	memcpy(c.id, id, sizeof c.id);
	return clients_put(r, &c, &size, e);
}
