/*
 * The protocol on the real code, small and complete: a few runs of 2 or 3 clients, every
 * schedule with so many preemptions: hand-overs where the one who hands over could have
 * gone on. They are tried at each operation where another client can make a difference
 * (sim.h), and at every operation with BALE_EVERY=1. Each is searched where young changes
 * are seen at once; where they are not seen until it is certain, and where moreover what
 * is gone can still be read; and where only those of bundles are seen late, or only the
 * others. No chunk may be lost at any step (ledger.h), and all snapshots restore.
 *
 * A course is cut where it comes to a state that was searched with no fewer preemptions
 * left (sim.h): a run knows of others only what it is told, so nothing new can follow,
 * and what led there has been judged by then. With BALE_WHOLE=1 none is cut.
 *
 *   BALE_TORTURE=1       a long search, with more preemptions
 *   BALE_PREEMPTIONS=n   so many in each scenario; 1000: as many as there can be
 *   BALE_SCENARIO=text   only scenarios whose name has it in it
 *   BALE_GO_ON=1         after a loss too
 *
 * Built with -DBALE_MUTANT=n the test must fail.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "tests/support/course.h"

#define ANY      1000 /* preemptions */
#define SWITCHES 200
#define GRACE    (2 * SIM_DELTA)

struct scenario {
	const char *name;
	int clients;
	unsigned preemptions, more;      /* in a short search; in a long one */
	void (*before)(struct course *c); /* one run after the other */
	sim_script *script;              /* at the same time */
};

/* --- what stands at the start */

static void pass(struct course *c, int64_t ns)
{
	sim_pause(c->sim, 0, ns);
}

/* Snapshots 0 and 1 of clients 0 and 1, who do not see each other: each chunk twice. */
static void twice(struct course *c)
{
	course_backup(c, 0, 5, false);
	course_backup(c, 1, 5, false);
	pass(c, SIM_DELTA);
}

/* A snapshot that is removed, so that its chunks are dead. */
static void dead(struct course *c)
{
	course_backup(c, 0, 5, true);
	pass(c, SIM_DELTA);
	course_remove(c, 1, 0);
	pass(c, SIM_DELTA);
}

/* The same, condemned, and the grace is past. */
static void condemned(struct course *c)
{
	dead(c);
	course_vacuum(c, 1, 0);
	pass(c, SIM_DELTA);
	course_vacuum(c, 2, 0); /* knows of it too */
	pass(c, GRACE);
}

/* Some of the chunks of a bundle are needed by another snapshot. */
static void partly(struct course *c)
{
	course_backup(c, 0, 5, true);
	pass(c, SIM_DELTA);
	course_backup(c, 0, 4, false);
	pass(c, SIM_DELTA);
	course_remove(c, 1, 0);
	pass(c, SIM_DELTA);
}

static void partly_condemned(struct course *c)
{
	partly(c);
	course_vacuum(c, 1, 100);
	pass(c, SIM_DELTA);
	course_vacuum(c, 2, 0); /* knows of it too */
	pass(c, GRACE);
}

/*
 * Two copies of each chunk; one client has condemned the one, not knowing that it was
 * needed, another the other, and each snapshot was undeleted meanwhile. Both graces are
 * past.
 */
static void both_condemned(struct course *c)
{
	twice(c);
	course_remove(c, 2, 0);
	pass(c, SIM_DELTA);
	course_vacuum(c, 2, 0);      /* condemns the copy of client 0 */
	course_undelete(c, 1, 0);    /* does not see it, and relies on the same */
	course_remove(c, 1, 1);
	course_vacuum(c, 3, 0);      /* condemns the copy of client 1 */
	pass(c, GRACE);
}

/* A client died in its last moments: before or after its tail. */
static void died(struct course *c, bool after)
{
	dead(c);
	sim_begin(c->sim, 0);
	sim_doom(c->sim, 0, "-tail-", after);
	course_backup(c, 0, 4, false);
	sim_begin(c->sim, 0);
}

static void died_before_tail(struct course *c)
{
	died(c, false);
}

static void died_after_tail(struct course *c)
{
	died(c, true);
}

/*
 * Snapshot 1 points to a bundle that is gone; its chunk has been moved, and the snapshot
 * that pointed to where it is now has just been removed.
 */
static void hints_in_vain(struct course *c)
{
	partly(c);
	course_vacuum(c, 1, 100);
	pass(c, SIM_DELTA);
	course_vacuum(c, 1, 0);
	course_backup(c, 2, 4, false);
	pass(c, GRACE);
	course_vacuum(c, 1, 0);
	pass(c, SIM_DELTA);
	course_remove(c, 2, 2);
	pass(c, SIM_DELTA);
}

/* A condemned bundle that a backup relies on, unless it has seen the tombstone. */
static void relied_on(struct course *c)
{
	dead(c);
	course_vacuum(c, 1, 0);
	course_backup(c, 0, 4, false);
	pass(c, GRACE);
}

/* --- what happens at the same time */

static void backup_and_vacuum(void *arg, int client)
{
	if (client == 0)
		course_backup(arg, 0, 4, false);
	else
		course_vacuum(arg, client, 100);
}

/* The vacuum condemns, waits, and deletes. */
static void backup_and_whole_vacuum(void *arg, int client)
{
	struct course *c = arg;

	if (client == 0) {
		course_backup(c, 0, 4, false);
		return;
	}
	course_vacuum(c, client, 100);
	sim_pause(c->sim, client, GRACE);
	course_vacuum(c, client, 100);
}

static void backup_and_dead_vacuumed(void *arg, int client)
{
	struct course *c = arg;

	if (client == 0) {
		course_backup(c, 0, 3, false);
		return;
	}
	course_vacuum(c, client, 0);
	sim_pause(c->sim, client, GRACE);
	course_vacuum(c, client, 0);
}

/* A vacuum, and soon another. */
static void backup_and_hasty_vacuum(void *arg, int client)
{
	struct course *c = arg;

	if (client == 0) {
		course_backup(c, 0, 4, false);
		return;
	}
	course_vacuum(c, client, 0);
	sim_pause(c->sim, client, SIM_DELTA / 10);
	course_vacuum(c, client, 0);
}

/* A backup that sleeps at its end, until it is declared dead, and for so long after. */
static void sleeper(struct course *c, int client, int64_t longer)
{
	int i;

	if (client == 0) {
		sim_nap(c->sim, 0, "-tail-", 9 * SIM_DELTA + longer);
		course_backup(c, 0, 4, false);
		return;
	}
	course_vacuum(c, client, 0);
	sim_pause(c->sim, client, SIM_DELTA);
	course_vacuum(c, client, 0); /* sees the head for certain */
	sim_pause(c->sim, client, 8 * SIM_DELTA);
	course_vacuum(c, client, 0);
	for (i = 0; i < 2; i++) {
		sim_pause(c->sim, client, longer);
		course_vacuum(c, client, 0);
	}
}

static void declared_dead_just_then(void *arg, int client)
{
	sleeper(arg, client, SIM_DELTA / 2);
}

static void declared_dead_long_ago(void *arg, int client)
{
	sleeper(arg, client, 3 * SIM_DELTA);
}

static void two_backups_and_vacuum(void *arg, int client)
{
	if (client < 2)
		course_backup(arg, client, 4, false);
	else
		course_vacuum(arg, client, 100);
}

static void undelete_and_vacuum(void *arg, int client)
{
	if (client == 0)
		course_undelete(arg, 0, 0);
	else
		course_vacuum(arg, client, 100);
}

static void prune_undelete_and_vacuum(void *arg, int client)
{
	struct course *c = arg;

	if (client == 0) {
		course_remove(c, 0, c->n_snaps - 1);
		course_undelete(c, 0, 0);
		return;
	}
	course_vacuum(c, client, 100);
	sim_pause(c->sim, client, GRACE);
	course_vacuum(c, client, 100);
}

/* Those who have condemned something delete it. */
static void two_vacuums(void *arg, int client)
{
	if (client >= 2)
		course_vacuum(arg, client, 0);
}

static const struct scenario scenarios[] = {
    {"backup | vacuum deletes", 2, 3, 3, condemned, backup_and_vacuum},
    {"backup | vacuum deletes, part is alive", 2, 3, 3, partly_condemned,
        backup_and_vacuum},
    {"backup | vacuum condemns and deletes", 2, 2, 3, dead, backup_and_whole_vacuum},
    {"backup | the same, part is alive", 2, 2, 3, partly, backup_and_whole_vacuum},
    {"backup | 2 vacuums delete", 3, 1, 2, partly_condemned, backup_and_vacuum},
    {"2 backups | vacuum deletes", 3, 1, 2, condemned, two_backups_and_vacuum},
    {"undelete | vacuum deletes", 2, 3, 3, condemned, undelete_and_vacuum},
    {"removal, undelete | vacuum condemns and deletes", 2, 2, 3, partly,
        prune_undelete_and_vacuum},
    {"backup | vacuum, hints in vain", 2, 1, 3, hints_in_vain, backup_and_dead_vacuumed},
    {"2 vacuums delete, each one copy", 4, 1, 2, both_condemned, two_vacuums},
    {"backup | vacuum, and soon again", 2, 2, 3, dead, backup_and_hasty_vacuum},
    {"backup | vacuum deletes, and soon again", 2, 2, 3, condemned,
        backup_and_hasty_vacuum},
    {"backup | vacuum saves, and soon again", 2, 2, 3, relied_on,
        backup_and_hasty_vacuum},
    {"backup, declared dead just before it ends | vacuums", 2, 1, 3, dead,
        declared_dead_just_then},
    {"backup, declared dead long before it ends | vacuums", 2, 1, 3, dead,
        declared_dead_long_ago},
    {"backup of one who died before its tail | vacuum", 2, 2, 3, died_before_tail,
        backup_and_whole_vacuum},
    {"backup of one who died after its tail | vacuum", 2, 2, 3, died_after_tail,
        backup_and_whole_vacuum},
};

/* --- the search */

struct search {
	struct ground *ground;
	const struct scenario *scenario;
	const struct sim_chances *weather;
	struct course base;
	bool every, whole;
	int first;
	struct sim_switch plan[SWITCHES];
	unsigned n_plan, max;
	struct map known; /* states, and how many preemptions were left when searched */
	struct map ends;  /* states in which all scripts have ended */
	uint64_t schedules, cut, n_ends, sum, deleting, beside;
	char loss[2000];
};

static void tell_loss(struct search *s, const char *why)
{
	size_t n;
	unsigned i;

	n = (size_t)snprintf(s->loss, sizeof s->loss, "%s; see %u%s, ghost %u; first %d",
	    s->scenario->name, s->weather->see, s->weather->apart ? ", bundles not" : "",
	    s->weather->ghost, s->first);
	for (i = 0; i < s->n_plan && n < sizeof s->loss / 2; i++)
		n += (size_t)snprintf(s->loss + n, sizeof s->loss - n, ", at %u to %d",
		    s->plan[i].at, s->plan[i].to);
	snprintf(s->loss + n, sizeof s->loss - n, ": %s", why);
}

static unsigned left(const struct search *s)
{
	return s->max == ANY ? 0 : s->max - s->n_plan;
}

static bool searched(const struct search *s, uint64_t state)
{
	const uint64_t *n = map_get(&s->known, &state);

	return n && *n >= left(s);
}

/* Whether all that may follow where a client is about to do an operation was searched. */
static bool known_point(void *arg, const struct sim_point *p)
{
	struct search *s = arg;

	if (searched(s, p->state))
		return true;
	map_put(&s->known, &p->state, left(s));
	return false;
}

/* The same where one goes on, and hands over before its next operation at soonest. */
static bool known_switch(struct search *s, uint64_t state)
{
	uint64_t going = ~state;

	if (s->whole)
		return false;
	if (searched(s, state) || searched(s, going))
		return true;
	map_put(&s->known, &going, left(s));
	return false;
}

static void note_end(struct search *s, struct course *c)
{
	uint64_t state = sim_state(c->sim);

	if (map_put(&s->ends, &state, 0)) {
		s->n_ends++;
		s->sum += state;
	}
	if (!course_check(c))
		tell_loss(s, c->why);
}

/* One schedule. What could be handed over to whom comes out, freed by the caller. */
static struct sim_point *run_plan(struct search *s, unsigned *n)
{
	static struct course c;
	struct sim_point *points;

	course_begin(&c, s->ground, 2, s->weather, &s->base);
	sim_plan(c.sim, s->first, s->plan, s->n_plan, s->every);
	if (!s->whole)
		sim_cut(c.sim, known_point, s);
	sim_run(c.sim, s->scenario->clients, s->scenario->script, &c);
	*n = sim_points(c.sim);
	points = mem_array(*n + 1, sizeof *points);
	for (unsigned i = 0; i < *n; i++)
		points[i] = *sim_point(c.sim, i);
	if (ledger_loss(c.ledger))
		tell_loss(s, ledger_loss(c.ledger));
	else if (!sim_was_cut(c.sim))
		note_end(s, &c);
	s->cut += sim_was_cut(c.sim);
	course_end(&c);
	s->schedules++;
	s->deleting += c.totals->deleting;
	s->beside += c.totals->beside;
	free(c.totals);
	return points;
}

/* All that begin with the plan so far. */
static void explore(struct search *s)
{
	unsigned at = s->n_plan ? s->plan[s->n_plan - 1].at + 1 : 0, n;
	struct sim_point *p = run_plan(s, &n);

	if (s->n_plan == s->max)
		n = 0;
	for (; at < n && !s->loss[0]; at++)
		for (int to = 0; to < s->scenario->clients && !s->loss[0]; to++) {
			if (to == p[at].who || !p[at].to[to].there)
				continue;
			assert_true(s->n_plan < SWITCHES);
			s->plan[s->n_plan++] = (struct sim_switch){at, to};
			if (!known_switch(s, p[at].to[to].state))
				explore(s);
			s->n_plan--;
		}
	free(p);
}

static void search_weather(struct search *s)
{
	map_init(&s->known, sizeof(uint64_t));
	map_init(&s->ends, sizeof(uint64_t));
	course_begin(&s->base, s->ground, 1, s->weather, NULL);
	sim_plan(s->base.sim, 0, NULL, 0, false);
	s->scenario->before(&s->base);
	if (!course_check(&s->base))
		tell_loss(s, s->base.why);
	course_keep(&s->base);
	for (s->first = 0; s->first < s->scenario->clients && !s->loss[0]; s->first++)
		explore(s);
	course_end(&s->base);
	free(s->base.totals);
	map_release(&s->known);
	map_release(&s->ends);
}

static const struct sim_chances weathers[] = {{.see = 1000}, {.see = 0},
    {.see = 0, .ghost = 1000}, {.see = 1000, .apart = true, .ghost = 1000},
    {.see = 0, .apart = true}};

static void search_scenario(struct search *s)
{
	for (size_t k = 0; k < sizeof weathers / sizeof *weathers && !s->loss[0]; k++) {
		s->weather = &weathers[k];
		search_weather(s);
	}
}

static unsigned number(const char *name, unsigned fallback)
{
	const char *v = getenv(name);

	return v ? (unsigned)strtoul(v, NULL, 10) : fallback;
}

static void print_search(const struct search *s, double seconds)
{
	printf("# %s: ", s->scenario->name);
	if (s->max == ANY)
		printf("any preemptions");
	else
		printf("%u preemption%s", s->max, s->max == 1 ? "" : "s");
	printf(", %" PRIu64 " schedules, of which %" PRIu64 " came to a known state; %" PRIu64
	       " ends; %" PRIu64 " deleted a bundle, %" PRIu64 " beside a run; %.0f s\n",
	    s->schedules, s->cut, s->n_ends, s->deleting, s->beside, seconds);
	if (s->loss[0])
		printf("# LOSS %s\n", s->loss);
	fflush(stdout);
}

static void test_schedules(void **state)
{
	const char *only = getenv("BALE_SCENARIO");
	static struct search s;
	unsigned losses = 0;
	clock_t began;
	size_t i;

	for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		if (only && !strstr(scenarios[i].name, only))
			continue;
		began = clock();
		s = (struct search){.ground = *state, .scenario = &scenarios[i],
		    .every = number("BALE_EVERY", 0), .whole = number("BALE_WHOLE", 0),
		    .max = number("BALE_PREEMPTIONS", getenv("BALE_TORTURE") ?
		            scenarios[i].more : scenarios[i].preemptions)};
		if (getenv("BALE_TEST_STRIDE")) /* slow builds */
			s.max = 0;
		search_scenario(&s);
		print_search(&s, (double)(clock() - began) / CLOCKS_PER_SEC);
		losses += s.loss[0] != '\0';
		if (losses && !getenv("BALE_GO_ON"))
			break;
	}
	assert_int_equal(losses, 0);
}

/* Cutting leaves out no state in which a course can end. */
static void test_cut(void **state)
{
	static struct search s[2];

	for (int i = 0; i < 2; i++) {
		s[i] = (struct search){.ground = *state, .scenario = &scenarios[0], .max = 1,
		    .whole = i == 0};
		search_scenario(&s[i]);
	}
	assert_int_equal(s[0].cut, 0);
	assert_true(s[1].cut > 0);
	assert_int_equal(s[0].n_ends, s[1].n_ends);
	assert_true(s[0].sum == s[1].sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_schedules),
	};

	return cmocka_run_group_tests(tests, ground_begin, ground_end);
}
