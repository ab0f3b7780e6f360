/*
 * Clients in a simulation: coroutines, one of which runs. What depends on chance is drawn
 * from one state in the order in which it happens, so that a seed reproduces a course.
 */
#include "sim.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "sim_internal.h"

#define STACK (1u << 20)

uint64_t sim_draw(struct sim *s, uint64_t n)
{
	return splitmix(&s->state) % n;
}

bool sim_chance(struct sim *s, unsigned thousandths)
{
	return thousandths && sim_draw(s, 1000) < thousandths;
}

int64_t sim_now(const struct sim *s)
{
	return s->now;
}

const struct sim_counts *sim_count(const struct sim *s)
{
	return &s->counts;
}

void sim_weather(struct sim *s, const struct sim_chances *chances)
{
	s->chances = *chances;
}

void sim_watch(struct sim *s, const struct sim_watch *w)
{
	s->watch = *w;
}

/* --- the environment of a client */

static int64_t env_now(struct env *env)
{
	struct sim_client *c = (struct sim_client *)env;

	if (c->number == c->sim->running) /* else the ledger asks, in a client's name */
		sim_told(c->sim, c->number, (uint64_t)c->sim->now);
	return c->sim->now;
}

static void env_sleep(struct env *env, int64_t ns)
{
	struct sim_client *c = (struct sim_client *)env;

	sim_pause(c->sim, c->number, ns);
}

static void env_random(struct env *env, void *out, size_t n)
{
	struct sim_client *c = (struct sim_client *)env;
	uint8_t *p = out;
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++, word >>= 8) {
		if (i % 8 == 0)
			word = splitmix(&c->state);
		p[i] = (uint8_t)word;
	}
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

static bool ended(const struct sim *s)
{
	for (int i = 0; i < s->clients; i++)
		if (!s->client[i].ended)
			return false;
	return true;
}

/* Who has not ended and wakes first; of those awake the first after `from`, by number. */
static struct sim_client *next_awake(struct sim *s, int from)
{
	struct sim_client *c, *first = NULL;

	for (int i = 0; i < s->clients; i++) {
		c = &s->client[(from + i) % s->clients];
		if (!c->ended && (!first || (c->wake < first->wake && first->wake > s->now)))
			first = c;
	}
	return first;
}

static struct sim_client *by_chance(struct sim *s)
{
	struct sim_client *awake[SIM_CLIENTS], *c = &s->client[s->running];
	uint64_t n = 0;

	if (!c->ended && c->wake <= s->now && sim_chance(s, s->chances.stay))
		return c;
	for (c = s->client; c < s->client + s->clients; c++)
		if (!c->ended && c->wake <= s->now)
			awake[n++] = c;
	return n ? awake[sim_draw(s, n)] : next_awake(s, 0);
}

/* --- states */

uint64_t sim_mix(uint64_t a, uint64_t b)
{
	a ^= b * 0xff51afd7ed558ccdu;
	return splitmix(&a);
}

uint64_t sim_digest(struct span text)
{
	uint64_t d = text.n, word;
	size_t i, n;

	for (i = 0; i < text.n; i += n) {
		n = text.n - i < sizeof word ? text.n - i : sizeof word;
		word = 0;
		memcpy(&word, text.p + i, n);
		d = sim_mix(d, word);
	}
	return d;
}

void sim_told(struct sim *s, int client, uint64_t what)
{
	if (client >= 0)
		s->client[client].told = sim_mix(s->client[client].told, what);
}

static uint64_t state_at(const struct sim *s, int64_t now)
{
	uint64_t d = sim_mix(s->holds, (uint64_t)now);
	const struct sim_client *c;

	for (c = s->client; c < s->client + s->clients; c++) {
		d = sim_mix(d, c->told);
		d = sim_mix(d, c->ended ? 1 : (uint64_t)(c->wake > now ? c->wake : 0) << 1);
	}
	return d;
}

uint64_t sim_state(const struct sim *s)
{
	return state_at(s, s->now);
}

void sim_cut(struct sim *s, sim_known *known, void *arg)
{
	s->known = known;
	s->known_arg = arg;
}

bool sim_was_cut(const struct sim *s)
{
	return s->cut;
}

/* A client is at an operation that counts. */
static void note_point(struct sim *s, int client)
{
	struct sim_point *p = &s->point[s->points];
	bool beyond = s->n_plan == 0 || s->points > s->plan[s->n_plan - 1].at;
	int64_t wake;

	if (s->points == SIM_POINTS)
		abort();
	p->who = client;
	p->state = sim_mix(sim_state(s), (uint64_t)client);
	for (int i = 0; i < s->clients; i++) {
		wake = s->client[i].wake;
		p->to[i].there = !s->client[i].ended;
		p->to[i].state = sim_mix(state_at(s, wake > s->now ? wake : s->now), (uint64_t)i);
	}
	s->cut = beyond && s->known && s->known(s->known_arg, p);
	s->points += !s->cut;
}

/* --- hand-over by plan */

static struct sim_client *by_plan(struct sim *s, bool point)
{
	struct sim_client *c = &s->client[s->running];

	for (unsigned i = 0; point && i < s->n_plan; i++)
		if (s->plan[i].at == s->points - 1)
			return &s->client[s->plan[i].to];
	return c->ended || c->wake > s->now ? next_awake(s, s->running) : c;
}

static void hand_over(struct sim *s, struct sim_client *c, bool point)
{
	struct sim_client *next;

	if (!s->inside)
		return;
	next = s->planned ? by_plan(s, point) : by_chance(s);
	if (next->wake > s->now)
		s->now = next->wake;
	next->wake = s->now;
	s->running = next->number;
	if (next != c)
		swapcontext(&c->context, &next->context);
}

bool sim_enter(struct sim *s, int client, bool counts, struct err *e)
{
	struct sim_client *c = &s->client[client];
	bool point = s->planned && !s->cut && (counts || s->every);

	s->counts.operations++;
	s->counts.by[client]++;
	if (!s->planned && s->chances.pace)
		s->now += (int64_t)sim_draw(s, (uint64_t)s->chances.pace);
	if (sim_chance(s, s->chances.sleep)) {
		s->counts.sleeps++;
		c->wake = s->now + (int64_t)sim_draw(s, 12 * SIM_DELTA);
	}
	if (point)
		note_point(s, client);
	if (!s->planned || (point && !s->cut))
		hand_over(s, c, point);
	if (s->cut)
		return err_set(e, ERR_STOPPED, "the course is cut here");
	if (!c->dead && sim_chance(s, s->chances.crash)) {
		s->counts.crashes++;
		c->dead = true;
	}
	if (c->dead)
		return err_set(e, ERR_STOPPED, "the client is dead");
	if (sim_chance(s, s->chances.error)) {
		s->counts.errors++;
		return err_set(e, ERR_IO, "simulated error");
	}
	return true;
}

void sim_pause(struct sim *s, int client, int64_t ns)
{
	if (!s->inside)
		s->now += ns;
	s->client[client].wake = s->now + ns;
	hand_over(s, &s->client[client], false);
	sim_told(s, client, 0);
}

void sim_begin(struct sim *s, int client)
{
	s->client[client].dead = false;
	s->client[client].doom = NULL;
}

void sim_nap(struct sim *s, int client, const char *name, int64_t ns)
{
	s->client[client].nap = name;
	s->client[client].nap_ns = ns;
}

void sim_doom(struct sim *s, int client, const char *name, bool after)
{
	s->client[client].doom = name;
	s->client[client].after = after;
}

bool sim_dead(const struct sim *s, int client)
{
	return s->client[client].dead;
}

static void run_script(unsigned high, unsigned low)
{
	struct sim_client *c =
	    (struct sim_client *)((uintptr_t)high << 32 | (uintptr_t)(uint32_t)low);
	struct sim *s = c->sim;

	sim_told(s, c->number, 0);
	s->script(s->arg, c->number);
	c->ended = true;
	if (ended(s))
		setcontext(&s->outside);
	for (;;)
		hand_over(s, c, false);
}

/* A dead process does nothing any more on its own machine either. */
static struct sim *current;

static int dead_call(enum sys_call call, const char *path)
{
	(void)path;
	return call != SYS_CLOSE && current->inside &&
	        (current->cut || current->client[current->running].dead) ? EIO : 0;
}

static void prepare(struct sim_client *c)
{
	c->ended = c->dead = false;
	c->wake = c->sim->now;
	if (!c->stack)
		c->stack = mem_alloc(STACK);
	getcontext(&c->context);
	c->context.uc_stack.ss_sp = c->stack;
	c->context.uc_stack.ss_size = STACK;
	c->context.uc_link = NULL;
	makecontext(&c->context, (void (*)(void))run_script, 2,
	    (unsigned)((uintptr_t)c >> 32), (unsigned)(uintptr_t)c);
}

void sim_run(struct sim *s, int clients, sim_script *script, void *arg)
{
	s->clients = clients;
	s->script = script;
	s->arg = arg;
	s->running = s->planned ? s->first : 0;
	for (int i = 0; i < clients; i++)
		prepare(&s->client[i]);
	current = s;
	sys_fault = dead_call;
	s->inside = true;
	swapcontext(&s->outside, &s->client[s->running].context);
	s->inside = false;
	sys_fault = NULL;
}

/* --- plans */

void sim_plan(
    struct sim *s, int first, const struct sim_switch *v, unsigned n, bool every)
{
	s->planned = true;
	s->every = every;
	s->first = first;
	s->plan = v;
	s->n_plan = n;
	s->points = 0;
}

unsigned sim_points(const struct sim *s)
{
	return s->points;
}

const struct sim_point *sim_point(const struct sim *s, unsigned at)
{
	return &s->point[at];
}

/* --- */

struct sim *sim_new(uint64_t seed, int64_t now, const struct sim_chances *chances)
{
	struct sim *s = mem_zalloc(sizeof *s);
	uint64_t z;
	int i;

	s->state = seed;
	splitmix(&s->state);
	s->now = now;
	s->chances = *chances;
	for (i = 0; i < SIM_CLIENTS; i++) {
		s->client[i].env = (struct env){
		    env_now, env_now, env_sleep, env_random, env_yield, env_boot};
		s->client[i].sim = s;
		s->client[i].number = i;
		z = seed * SIM_CLIENTS + (uint64_t)i;
		s->client[i].state = splitmix(&z);
		s->client[i].lots = splitmix(&z);
	}
	return s;
}

void sim_free(struct sim *s)
{
	sim_folders_free(s);
	for (int i = 0; i < SIM_CLIENTS; i++)
		free(s->client[i].stack);
	free(s);
}

void sim_wipe(const char *path)
{
	DIR *d = opendir(path);
	char inner[4400];
	struct dirent *de;

	while (d && (de = readdir(d))) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, de->d_name);
		if (unlink(inner) != 0)
			sim_wipe(inner);
	}
	if (d)
		closedir(d);
	rmdir(path);
}
