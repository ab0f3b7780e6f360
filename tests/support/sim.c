/* The simulated storage, and the clients on it. */
#include "sim.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/mem.h"
#include "stores.h"

#define STACK (1u << 20)

struct file {
	char *folder, *name;
	struct buf content;
	int64_t born, died; /* died INT64_MAX: it is there */
	int maker, killer;
	unsigned seen, gone; /* a bit a client: it has noticed */
};

struct client {
	struct env env; /* first: the engines are given its address */
	struct sim *sim;
	int number;
	ucontext_t context;
	void *stack;
	bool ended, dead, busy;
	int64_t wake;
	uint64_t state; /* of its random bytes */
};

struct view {
	struct store store;
	struct sim *sim;
	int client;
};

struct sim {
	struct sim_chances chances;
	uint64_t state;
	int64_t now;
	struct file *files;
	size_t n, cap;
	struct client client[SIM_CLIENTS];
	ucontext_t scheduler;
	int running, clients;
	sim_script *script;
	void *arg;
	const unsigned *plan;
	unsigned n_plan, steps;
	bool planned, running_any;
	struct sim_counts counts;
};

static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t sim_draw(struct sim *s, uint64_t n)
{
	return mix(&s->state) % n;
}

static bool chance(struct sim *s, unsigned thousandths)
{
	return thousandths && sim_draw(s, 1000) < thousandths;
}

int64_t sim_now(const struct sim *s)
{
	return s->now;
}

/* --- the environment of a client */

static int64_t env_now(struct env *env)
{
	return ((struct client *)env)->sim->now;
}

static void env_sleep(struct env *env, int64_t ns)
{
	struct client *c = (struct client *)env;

	sim_pause(c->sim, c->number, ns);
}

static void env_random(struct env *env, void *out, size_t n)
{
	struct client *c = (struct client *)env;
	uint8_t *p = out;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(mix(&c->state) >> 32);
}

static void env_yield(struct env *env, const char *point)
{
	(void)env;
	(void)point;
}

static void env_boot(struct env *env, char out[BOOT_SIZE])
{
	(void)env;
	memcpy(out, "sim", sizeof "sim");
}

struct env *sim_env(struct sim *s, int client)
{
	return &s->client[client < 0 ? 0 : client].env;
}

/* --- hand-over */

static void hand_over(struct sim *s, struct client *c)
{
	if (!s->running_any)
		return;
	swapcontext(&c->context, &s->scheduler);
}

void sim_pause(struct sim *s, int client, int64_t ns)
{
	s->client[client].wake = s->now + ns;
	hand_over(s, &s->client[client]);
}

void sim_begin(struct sim *s, int client)
{
	s->client[client].dead = false;
}

bool sim_dead(const struct sim *s, int client)
{
	return s->client[client].dead;
}

void sim_busy(struct sim *s, int client, bool busy)
{
	s->client[client].busy = busy;
}

static void run_script(unsigned high, unsigned low)
{
	struct client *c =
	    (struct client *)((uintptr_t)high << 32 | (uintptr_t)(uint32_t)low);

	c->sim->script(c->sim->arg, c->number);
	c->ended = true;
	for (;;)
		swapcontext(&c->context, &c->sim->scheduler);
}

/* The next one awake; where all sleep, time goes on to the first that wakes. */
static struct client *choose(struct sim *s)
{
	struct client *awake[SIM_CLIENTS], *first = NULL;
	int i, n = 0;

	for (i = 0; i < s->clients; i++) {
		struct client *c = &s->client[i];

		if (c->ended)
			continue;
		if (c->wake <= s->now)
			awake[n++] = c;
		if (!first || c->wake < first->wake)
			first = c;
	}
	if (n == 0) {
		if (first)
			s->now = first->wake;
		return first;
	}
	if (!s->planned)
		return awake[sim_draw(s, (uint64_t)n)];
	for (i = 0; i < (int)s->n_plan; i++)
		if (s->plan[i] == s->steps)
			for (int k = 0; k < n; k++)
				if (awake[k]->number != s->running)
					return awake[k];
	for (i = 0; i < n; i++)
		if (awake[i]->number == s->running)
			return awake[i];
	return awake[0];
}

void sim_run(struct sim *s, int clients, sim_script *script, void *arg)
{
	struct client *c;
	int i;

	s->clients = clients;
	s->script = script;
	s->arg = arg;
	s->running = 0;
	for (i = 0; i < clients; i++) {
		c = &s->client[i];
		c->ended = c->dead = false;
		c->wake = s->now;
		if (!c->stack)
			c->stack = mem_alloc(STACK);
		getcontext(&c->context);
		c->context.uc_stack.ss_sp = c->stack;
		c->context.uc_stack.ss_size = STACK;
		c->context.uc_link = NULL;
		makecontext(&c->context, (void (*)(void))run_script, 2,
		    (unsigned)((uintptr_t)c >> 32), (unsigned)(uintptr_t)c);
	}
	s->running_any = true;
	while ((c = choose(s))) {
		s->running = c->number;
		s->steps++;
		swapcontext(&s->scheduler, &c->context);
	}
	s->running_any = false;
}

void sim_plan(struct sim *s, const unsigned *at, unsigned n)
{
	s->planned = true;
	s->plan = at;
	s->n_plan = n;
}

unsigned sim_steps(const struct sim *s)
{
	return s->steps;
}

/* --- the storage */

static struct client *me(const struct view *v)
{
	return v->client < 0 ? NULL : &v->sim->client[v->client];
}

/* Before each operation: others run, time passes, things go wrong. */
static bool enter(struct view *v, struct err *e)
{
	struct client *c = me(v);
	struct sim *s = v->sim;

	if (!c)
		return true;
	if (!s->planned && s->chances.pace)
		s->now += (int64_t)sim_draw(s, (uint64_t)s->chances.pace);
	if (chance(s, s->chances.sleep))
		c->wake = s->now + (int64_t)sim_draw(s, 12 * SIM_DELTA);
	hand_over(s, c);
	if (chance(s, s->chances.crash))
		c->dead = true;
	if (c->dead)
		return err_set(e, ERR_STOPPED, "the client is dead");
	return !chance(s, s->chances.error) || err_set(e, ERR_IO, "simulated error");
}

/* Whether a change of that age, by that client, shows. */
static bool shows(struct view *v, int by, int64_t at, unsigned *noticed)
{
	struct sim *s = v->sim;

	if (v->client < 0 || by == v->client || s->now - at >= SIM_DELTA)
		return true;
	if (s->chances.sticky && *noticed & 1u << v->client)
		return true;
	if (!chance(s, s->chances.see))
		return false;
	*noticed |= 1u << v->client;
	return true;
}

static bool listed(struct view *v, struct file *f)
{
	if (f->died != INT64_MAX)
		return v->client >= 0 && f->killer != v->client &&
		    !shows(v, f->killer, f->died, &f->gone);
	return shows(v, f->maker, f->born, &f->seen);
}

static struct file *find(struct view *v, const char *folder, const char *name)
{
	struct file *f;

	for (f = v->sim->files; f < v->sim->files + v->sim->n; f++)
		if (strcmp(f->folder, folder) == 0 && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* Of a ghost nothing can be had but its name. */
static struct file *reach(
    struct view *v, const char *folder, const char *name, struct err *e)
{
	struct file *f = find(v, folder, name);

	if (f && f->died == INT64_MAX && shows(v, f->maker, f->born, &f->seen))
		return f;
	err_set(e, ERR_MISSING, "%s/%s: no such file", folder, name);
	return NULL;
}

static struct file *append(struct sim *s, const char *folder, const char *name)
{
	struct file *f;

	s->files = mem_grow(s->files, &s->cap, s->n + 1, sizeof *s->files);
	f = &s->files[s->n++];
	*f = (struct file){.folder = mem_strdup(folder), .name = mem_strdup(name),
	    .born = s->now, .died = INT64_MAX, .maker = -1, .killer = -1};
	return f;
}

static bool sim_put(struct store *st, const char *folder, const char *name,
    const struct span *parts, size_t n, struct err *e)
{
	struct view *v = (struct view *)st;
	struct file *f;
	size_t i;
	bool half = false;

	if (!enter(v, e)) {
		half = me(v)->dead && chance(v->sim, 500);
		if (!half)
			return false;
	}
	f = append(v->sim, folder, name);
	f->maker = v->client;
	for (i = 0; i < n; i++)
		buf_add_span(&f->content, parts[i]);
	if (half)
		f->content.n = (size_t)sim_draw(v->sim, f->content.n + 1);
	return !half;
}

static bool sim_get(struct store *st, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct view *v = (struct view *)st;
	struct file *f;
	uint64_t len;

	if (!enter(v, e) || !(f = reach(v, folder, name, e)))
		return false;
	len = f->content.n;
	if (v->client >= 0 && f->maker != v->client && v->sim->now - f->born < SIM_DELTA &&
	    chance(v->sim, v->sim->chances.torn))
		len = sim_draw(v->sim, len);
	if (at == STORE_TAIL)
		at = len > n ? len - n : 0;
	if (at < len)
		buf_add(out, f->content.p + at, n < len - at ? n : len - at);
	if (size)
		*size = len;
	return true;
}

static bool sim_list(
    struct store *st, const char *folder, struct store_listing *out, struct err *e)
{
	struct view *v = (struct view *)st;
	size_t i;

	if (!enter(v, e))
		return false;
	for (i = 0; i < v->sim->n; i++)
		if (strcmp(v->sim->files[i].folder, folder) == 0 && listed(v, &v->sim->files[i]))
			store_listing_add(out, v->sim->files[i].name);
	store_listing_sort(out);
	return true;
}

static bool sim_stat(struct store *st, const char *folder, const char *name, uint64_t *size,
    struct err *e)
{
	struct view *v = (struct view *)st;
	struct file *f;

	if (!enter(v, e) || !(f = reach(v, folder, name, e)))
		return false;
	*size = f->content.n;
	return true;
}

static void count_deletion(struct sim *s, int by, const char *folder)
{
	bool beside = false;
	int i;

	if (strncmp(folder, "data/", 5) != 0 && strcmp(folder, "hunks") != 0)
		return;
	for (i = 0; i < s->clients; i++)
		beside = beside || (i != by && s->client[i].busy);
	s->counts.deleted++;
	s->counts.beside += beside;
}

static bool sim_remove(
    struct store *st, const char *folder, const char *name, struct err *e)
{
	struct view *v = (struct view *)st;
	struct file *f;

	if (!enter(v, e) || !(f = reach(v, folder, name, e)))
		return false;
	f->died = v->sim->now;
	f->killer = v->client;
	count_deletion(v->sim, v->client, folder);
	return true;
}

static bool sim_space(struct store *st, uint64_t *n)
{
	(void)st;
	(void)n;
	return false;
}

static void view_free(struct store *st)
{
	free(st);
}

static const struct store_ops sim_ops = {
    sim_put, sim_get, sim_list, sim_stat, sim_remove, sim_space, view_free};

struct store *sim_store(struct sim *s, int client)
{
	struct view *v = mem_zalloc(sizeof *v);

	v->store.ops = &sim_ops;
	v->store.mount = MOUNT_THROUGH;
	v->store.describe = "simulated";
	v->sim = s;
	v->client = client;
	return &v->store;
}

static void copy_one(void *arg, const char *folder, const char *name, struct span content)
{
	struct sim *s = arg;
	struct file *f = append(s, folder, name);

	f->born = 0;
	buf_add_span(&f->content, content);
}

void sim_copy(struct sim *s, struct store *from)
{
	stores_each(from, copy_one, s);
}

struct sim_counts sim_count(const struct sim *s)
{
	return s->counts;
}

struct sim *sim_new(uint64_t seed, int64_t now, const struct sim_chances *chances)
{
	struct sim *s = mem_zalloc(sizeof *s);
	int i;

	s->state = seed;
	s->now = now;
	s->chances = *chances;
	for (i = 0; i < SIM_CLIENTS; i++) {
		s->client[i].env = (struct env){
		    env_now, env_now, env_sleep, env_random, env_yield, env_boot};
		s->client[i].sim = s;
		s->client[i].number = i;
		s->client[i].state = seed * 31 + (uint64_t)i;
	}
	return s;
}

void sim_free(struct sim *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		free(s->files[i].folder);
		free(s->files[i].name);
		buf_release(&s->files[i].content);
	}
	for (i = 0; i < SIM_CLIENTS; i++)
		free(s->client[i].stack);
	free(s->files);
	free(s);
}

void sim_wipe(const char *path)
{
	DIR *d = opendir(path);
	char inner[4400];
	struct dirent *de;

	while (d && (de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, de->d_name);
		if (unlink(inner) != 0)
			sim_wipe(inner);
	}
	if (d)
		closedir(d);
	rmdir(path);
}
