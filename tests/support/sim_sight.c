/*
 * Who sees what of the simulated storage.
 *
 * What is late for a client, and by how much, hangs on the file and the client alone, so
 * that a listing does not flicker: what was seen stays so, but where a look misses it.
 */
#include <string.h>

#include "format/wire.h"
#include "sim_internal.h"

static bool is_bundle(const struct sim_file *f)
{
	return !strchr(f->name, '-') && strlen(f->name) == 2 * ID_SIZE;
}

/* Time can be relied on: whether a change of that time shows. */
static bool shows_in_time(struct sim *s, int client, const struct sim_file *f, int64_t at,
    unsigned *noticed)
{
	unsigned see = s->chances.see;

	if (s->now - at >= SIM_DELTA)
		return true;
	if (s->chances.sticky && *noticed & 1u << client)
		return true;
	if (s->chances.apart && is_bundle(f))
		see = 1000 - see;
	if (!sim_chance(s, see)) {
		s->counts.late++;
		return false;
	}
	*noticed |= 1u << client;
	return true;
}

/* --- where it cannot */

static bool is_cache(const struct sim *s, int client)
{
	return client >= 0 && s->chances.caches >> client & 1;
}

/* One that has a command to settle need not know of strict mode, but for others. */
static bool is_late(const struct sim *s, int client)
{
	return is_cache(s, client) && !(s->chances.settles >> client & 1);
}

/* Whether it knows of strict mode, so that nobody counts on time for its sake. */
static bool knows(const struct sim *s, int client)
{
	return is_late(s, client) || s->client[client].enlisted;
}

/* The same each time for a file, a client, a purpose. */
static uint64_t lot(
    const struct sim *s, const struct sim_file *f, int client, unsigned what)
{
	uint64_t z = s->client[client].lots + what;
	const char *p;

	for (p = f->name; *p; p++)
		z = (z ^ (uint8_t)*p) * 0x100000001b3u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	return z ^ (z >> 31);
}

static int64_t some_time(uint64_t lot)
{
	int64_t most = SIM_DELTA * (lot % 10 < 4 ? 3 : lot % 10 < 8 ? 20 : 100);

	return (int64_t)((lot >> 8) % (uint64_t)most);
}

/* For how long a client does not see it that another has made or removed a file. */
static int64_t delay(
    const struct sim *s, const struct sim_file *f, int client, unsigned what)
{
	uint64_t z = lot(s, f, client, what);

	if (z % 1000 >= s->chances.late)
		return 0;
	z /= 1000;
	return z % 1000 < s->chances.never ? INT64_MAX : some_time(z / 1000);
}

enum { COMING, GOING, SENDING };

static bool stale(const struct sim *s, const struct sim_freeze *f, int64_t at)
{
	return f->until > s->now && at > f->since;
}

static bool shows_late(struct sim *s, int client, const struct sim_folder *in,
    const struct sim_file *f, int64_t at, unsigned what)
{
	if (!stale(s, &in->freeze[client], at) && !stale(s, &s->client[client].freeze, at) &&
	    s->now - at >= delay(s, f, client, what))
		return true;
	s->counts.late++;
	return false;
}

/* --- */

bool sim_came(struct sim *s, int client, struct sim_folder *in, struct sim_file *f)
{
	int64_t at = f->born > f->arrives ? f->born : f->arrives;

	if (client < 0)
		return true;
	if (!s->chances.blind)
		return f->maker == client || shows_in_time(s, client, f, f->born, &f->seen);
	if (f->told)
		return true;
	if (sim_chance(s, s->chances.miss))
		return false;
	if (f->maker == client || f->maker < 0)
		return true;
	if (f->arrives > s->now) {
		s->counts.late++;
		return false;
	}
	if (!knows(s, client) || (f->timely && !is_late(s, client)))
		return shows_in_time(s, client, f, at, &f->seen);
	return shows_late(s, client, in, f, at, COMING);
}

static bool went(struct sim *s, int client, struct sim_folder *in, struct sim_file *f)
{
	if (f->died == INT64_MAX)
		return false;
	if (client < 0 || f->killer == client || f->told)
		return true;
	if (!s->chances.blind || f->went_timely || !knows(s, client))
		return shows_in_time(s, client, f, f->died, &f->gone);
	return shows_late(s, client, in, f, f->died, GOING);
}

bool sim_listed(struct sim *s, int client, struct sim_folder *in, struct sim_file *f)
{
	if (!sim_came(s, client, in, f) || went(s, client, in, f))
		return false;
	s->counts.ghosts += f->died != INT64_MAX;
	return true;
}

bool sim_reached(struct sim *s, int client, struct sim_folder *in, struct sim_file *f)
{
	return sim_listed(s, client, in, f) &&
	    (f->died == INT64_MAX || sim_chance(s, s->chances.ghost));
}

/* From now on, or from long ago: what was seen is not seen any more. */
static void freeze(struct sim *s, struct sim_freeze *f)
{
	int64_t back = sim_draw(s, 2) ? some_time(sim_draw(s, UINT64_MAX)) : 0;

	if (f->until <= s->now)
		*f = (struct sim_freeze){
		    s->now - back, s->now + some_time(sim_draw(s, UINT64_MAX))};
}

void sim_look(struct sim *s, int client, struct sim_folder *in)
{
	if (client >= 0 && knows(s, client) && sim_chance(s, s->chances.freeze))
		freeze(s, sim_draw(s, 4) ? &s->client[client].freeze : &in->freeze[client]);
}

void sim_arrive(struct sim *s, int client)
{
	struct sim_client *c = &s->client[client];

	if (!s->chances.blind)
		return;
	if (sim_draw(s, 2))
		freeze(s, &c->freeze);
	if (sim_draw(s, 2))
		c->offline = s->now + some_time(sim_draw(s, UINT64_MAX));
}

/* When a cache sends what was put into it now: mostly with all else. */
static int64_t sent(struct sim *s, int client, const struct sim_file *f)
{
	struct sim_client *c = &s->client[client];
	int64_t late = delay(s, f, client, SENDING);

	if (c->offline <= s->now && sim_chance(s, s->chances.freeze / 2))
		c->offline = s->now + some_time(sim_draw(s, UINT64_MAX));
	if (late == INT64_MAX)
		return late;
	return (c->offline > s->now ? c->offline : s->now) + late;
}

void sim_made(struct sim *s, int client, struct sim_folder *in, struct sim_file *f)
{
	f->maker = client;
	if (client < 0)
		return;
	f->timely = !knows(s, client);
	if (s->chances.blind && is_cache(s, client))
		f->arrives = sent(s, client, f);
	if (strcmp(in->name, "clients") == 0)
		s->client[client].enlisted = true;
}

void sim_unmade(struct sim *s, int client, struct sim_file *f)
{
	f->died = s->now;
	f->killer = client;
	f->went_timely = client < 0 || !knows(s, client);
}
