/* The simulated storage, as each client sees it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/wire.h"
#include "sim_internal.h"
#include "stores.h"

struct view {
	struct store store;
	struct sim *sim;
	int client; /* -1: sees all as it is, and is not interrupted */
};

/* --- files */

static struct sim_folder *folder_find(struct sim *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_folders; i++)
		if (strcmp(s->folders[i].name, name) == 0)
			return &s->folders[i];
	return NULL;
}

static struct sim_folder *folder_get(struct sim *s, const char *name)
{
	struct sim_folder *f = folder_find(s, name);

	if (f)
		return f;
	if (s->n_folders == SIM_FOLDERS || strlen(name) >= sizeof f->name)
		abort();
	f = &s->folders[s->n_folders++];
	strcpy(f->name, name);
	return f;
}

/* Where it stands, or would. */
static size_t file_place(const struct sim_folder *f, const char *name)
{
	size_t low = 0, high = f->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(f->v[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct sim_file *file_find(struct sim *s, const char *folder, const char *name)
{
	struct sim_folder *f = folder_find(s, folder);
	size_t at = f ? file_place(f, name) : 0;

	return f && at < f->n && strcmp(f->v[at].name, name) == 0 ? &f->v[at] : NULL;
}

int64_t sim_born(struct sim *s, const char *folder, const char *name)
{
	return file_find(s, folder, name)->born;
}

static struct sim_file *file_add(struct sim *s, const char *folder, const char *name)
{
	struct sim_folder *f = folder_get(s, folder);
	size_t at = file_place(f, name);

	f->v = mem_grow(f->v, &f->cap, f->n + 1, sizeof *f->v);
	memmove(f->v + at + 1, f->v + at, (f->n - at) * sizeof *f->v);
	f->n++;
	f->v[at] = (struct sim_file){.name = mem_strdup(name), .born = s->now,
	    .died = INT64_MAX, .maker = -1, .killer = -1};
	return &f->v[at];
}

static uint64_t file_digest(const struct sim_file *f)
{
	return sim_mix(sim_digest(span_str(f->name)), sim_digest(buf_span(&f->content)));
}

int sim_maker(struct sim *s, const char *folder, const char *name)
{
	return file_find(s, folder, name)->maker;
}

int64_t sim_arrives(struct sim *s, const char *folder, const char *name)
{
	return file_find(s, folder, name)->arrives;
}

static bool enter(struct view *v, bool counts, struct err *e)
{
	return v->client < 0 || sim_enter(v->sim, v->client, counts, e);
}

/* Looks into bundles and deltas: they can be deleted under a run. */
static bool deletable(const char *folder)
{
	return strncmp(folder, "data/", 5) == 0 || strcmp(folder, "hunks") == 0 ||
	    strcmp(folder, "index") == 0;
}

/* A file that this client can get at: one that shows, or perhaps still a ghost. */
static struct sim_file *reach(struct view *v, const char *folder, const char *name,
    struct err *e)
{
	struct sim_file *f = NULL;

	if (!enter(v, deletable(folder), e))
		return NULL;
	f = file_find(v->sim, folder, name);
	if (f && sim_reached(v->sim, v->client, folder_find(v->sim, folder), f)) {
		sim_told(v->sim, v->client, f->digest);
		return f;
	}
	sim_told(v->sim, v->client, 0);
	err_set(e, ERR_MISSING, "%s/%s: no such file", folder, name);
	return NULL;
}

/* --- operations */

/* What a failed or interrupted put leaves behind: nothing, a part, or all. */
static void leave(struct view *v, const char *folder, const char *name,
    const struct span *parts, size_t n)
{
	struct sim *s = v->sim;
	struct sim_file *f;
	size_t i;
	bool all;

	if (s->planned || sim_chance(s, 400))
		return;
	all = sim_chance(s, 300);
	f = file_add(s, folder, name);
	sim_made(s, v->client, folder_find(s, folder), f);
	for (i = 0; i < n; i++)
		buf_add_span(&f->content, parts[i]);
	if (!all)
		f->content.n = (size_t)sim_draw(s, f->content.n);
	if (s->watch.put)
		s->watch.put(s->watch.arg, v->client, folder, name);
}

/* Whether the run dies with this put. */
static bool doomed(struct view *v, const char *name, bool after)
{
	struct sim_client *c = v->client < 0 ? NULL : &v->sim->client[v->client];

	if (!c || !c->doom || c->after != after || !strstr(name, c->doom))
		return false;
	c->dead = true;
	return true;
}

static void nap(struct view *v, const char *name)
{
	struct sim_client *c = v->client < 0 ? NULL : &v->sim->client[v->client];

	if (!c || !c->nap || !strstr(name, c->nap))
		return;
	c->nap = NULL;
	sim_pause(v->sim, v->client, c->nap_ns);
}

/* The storage is another: what came or went, when, by whom. */
static void changed(struct view *v, const struct sim_file *f, int64_t when)
{
	v->sim->holds += sim_mix(sim_mix(f->digest, (uint64_t)when),
	    2 * (unsigned)(v->client + 1) + (f->died < INT64_MAX));
}

static bool view_put(struct store *st, const char *folder, const char *name,
    const struct span *parts, size_t n, struct err *e)
{
	struct view *v = (struct view *)st;
	bool was_dead = v->client >= 0 && v->sim->client[v->client].dead;
	struct sim_file *f;
	size_t i;

	nap(v, name);
	if (doomed(v, name, false))
		return err_set(e, ERR_STOPPED, "the client dies");
	if (!enter(v, true, e)) {
		if (!was_dead)
			leave(v, folder, name, parts, n);
		return false;
	}
	f = file_find(v->sim, folder, name);
	sim_told(v->sim, v->client, f != NULL);
	if (f)
		return err_set(e, ERR_EXISTS, "%s/%s is there", folder, name);
	f = file_add(v->sim, folder, name);
	sim_made(v->sim, v->client, folder_find(v->sim, folder), f);
	for (i = 0; i < n; i++)
		buf_add_span(&f->content, parts[i]);
	if (strncmp(folder, "data/", 5) == 0 && sim_chance(v->sim, v->sim->chances.lie)) {
		f->content.n = (size_t)sim_draw(v->sim, f->content.n);
		v->sim->counts.lies++;
	}
	f->digest = file_digest(f);
	changed(v, f, f->born);
	if (v->sim->watch.put)
		v->sim->watch.put(v->sim->watch.arg, v->client, folder, name);
	doomed(v, name, true);
	return true;
}

static bool view_get(struct store *st, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct view *v = (struct view *)st;
	struct sim_file *f = reach(v, folder, name, e);
	uint64_t len;

	if (!f)
		return false;
	len = f->content.n;
	if (v->client >= 0 && f->maker != v->client && v->sim->now - f->born < SIM_DELTA &&
	    len && sim_chance(v->sim, v->sim->chances.torn))
		len = sim_draw(v->sim, len);
	if (at == STORE_TAIL)
		at = len > n ? len - n : 0;
	if (at < len)
		buf_add(out, f->content.p + at, n < len - at ? n : (size_t)(len - at));
	if (size)
		*size = len;
	return true;
}

static bool view_list(
    struct store *st, const char *folder, struct store_listing *out, struct err *e)
{
	struct view *v = (struct view *)st;
	struct sim_folder *f = folder_find(v->sim, folder);
	size_t i;

	if (!enter(v, f != NULL, e))
		return false;
	f = folder_find(v->sim, folder);
	if (f)
		sim_look(v->sim, v->client, f);
	for (i = 0; f && i < f->n; i++)
		if (sim_listed(v->sim, v->client, f, &f->v[i])) {
			store_listing_add(out, f->v[i].name);
			sim_told(v->sim, v->client, sim_digest(span_str(f->v[i].name)));
		}
	sim_told(v->sim, v->client, 0);
	return true;
}

static bool view_stat(
    struct store *st, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	struct sim_file *f = reach((struct view *)st, folder, name, e);

	if (f)
		*size = f->content.n;
	return f != NULL;
}

static bool view_remove(
    struct store *st, const char *folder, const char *name, struct err *e)
{
	struct view *v = (struct view *)st;
	struct sim *s = v->sim;
	struct sim_file *f;
	bool ok = enter(v, true, e);

	/* A failure may still have removed it. */
	if (!ok && (s->planned || s->client[v->client].dead || !sim_chance(s, 300)))
		return false;
	f = file_find(s, folder, name);
	if (f && (f->died != INT64_MAX ||
	             !sim_came(s, v->client, folder_find(s, folder), f)))
		f = NULL;
	sim_told(s, v->client, f != NULL);
	if (!f)
		return ok && err_set(e, ERR_MISSING, "%s/%s: no such file", folder, name);
	sim_unmade(s, v->client, f);
	changed(v, f, f->died);
	if (s->watch.removed)
		s->watch.removed(s->watch.arg, v->client, folder, name);
	return ok;
}

static bool view_space(struct store *st, uint64_t *n)
{
	(void)st;
	(void)n;
	return false;
}

static void view_free(struct store *st)
{
	free(st);
}

static const struct store_ops view_ops = {
    .put = view_put,
    .get = view_get,
    .list = view_list,
    .stat = view_stat,
    .remove = view_remove,
    .space = view_space,
    .free = view_free,
};

struct store *sim_store(struct sim *s, int client)
{
	struct view *v = mem_zalloc(sizeof *v);

	v->store.ops = &view_ops;
	v->store.mount =
	    client >= 0 && s->chances.caches >> client & 1 ? MOUNT_WRITE_BACK : MOUNT_THROUGH;
	v->store.describe = "simulated";
	v->sim = s;
	v->client = client;
	return &v->store;
}

/* --- copies */

static void copy_one(void *arg, const char *folder, const char *name, struct span content)
{
	struct sim_file *f = file_add(arg, folder, name);

	f->born = 0;
	buf_add_span(&f->content, content);
	f->digest = file_digest(f);
}

void sim_copy(struct sim *s, struct store *from)
{
	stores_each(from, copy_one, s);
}

void sim_clone(struct sim *s, const struct sim *from)
{
	const struct sim_folder *f;
	struct sim_file *to;
	size_t i;

	s->now = from->now;
	for (f = from->folders; f < from->folders + from->n_folders; f++)
		for (i = 0; i < f->n; i++) {
			to = file_add(s, f->name, f->v[i].name);
			to->born = f->v[i].born;
			to->died = f->v[i].died;
			to->maker = f->v[i].maker;
			to->killer = f->v[i].killer;
			to->digest = f->v[i].digest;
			to->arrives = f->v[i].arrives;
			buf_add_span(&to->content, buf_span(&f->v[i].content));
		}
}

static void send_all(struct sim *s, int client, bool tell)
{
	struct sim_folder *f;
	struct sim_file *x;
	size_t i;

	for (f = s->folders; f < s->folders + s->n_folders; f++)
		for (i = 0; i < f->n; i++) {
			x = &f->v[i];
			if (x->maker == client && x->arrives > s->now)
				x->arrives = s->now;
			x->told |= tell && (x->maker == client || x->killer == client);
		}
}

void sim_tell_all(struct sim *s, int client)
{
	send_all(s, client, true);
}

bool sim_settle(struct sim *s, int client, struct err *e)
{
	if (!sim_enter(s, client, false, e))
		return false;
	s->client[client].offline = 0;
	send_all(s, client, false);
	return true;
}

void sim_folders_free(struct sim *s)
{
	struct sim_folder *f;
	size_t i;

	for (f = s->folders; f < s->folders + s->n_folders; f++) {
		for (i = 0; i < f->n; i++) {
			free(f->v[i].name);
			buf_release(&f->v[i].content);
		}
		free(f->v);
	}
}
