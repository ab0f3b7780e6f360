/*
 * The protocol on the real code: backups, removals, undeletes and vacuums of 4 clients,
 * of 500 storage operations each, interleaved at every one of them, over a storage that
 * shows changes late, cut short, or after they are gone, and where runs fail and die.
 * Whatever happens, no snapshot loses a chunk (ledger.h), and all restore.
 *
 *   BALE_SEEDS=n   so many courses (60), from BALE_FIRST on (1)
 *   BALE_STRICT=1  all of them in strict mode, 0: none, else each fourth
 *   BALE_GO_ON=1   after a loss too
 *   BALE_SHOW=1    tells of every file that comes or goes
 *
 * A course that fails tells its seed, and is reproduced by it. Built with -DBALE_MUTANT=n
 * the test must fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/course.h"

#define OPERATIONS 500 /* of a client: no run begins after them */
#define STRICT     4   /* every so-many-th course */

static void random_run(struct course *c, int client)
{
	unsigned snap = c->n_snaps ? (unsigned)sim_draw(c->sim, c->n_snaps) : 0;

	switch (sim_draw(c->sim, 16)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		course_vacuum(c, client, sim_draw(c->sim, 2) ? 0 : 100);
		break;
	case 5:
	case 6:
	case 7:
		course_remove(c, client, snap);
		break;
	case 8:
		course_prune(c, client, 1);
		break;
	case 9:
		course_undelete(c, client, snap);
		break;
	default:
		course_backup(c, client, (unsigned)sim_draw(c->sim, COURSE_VERSIONS),
		    sim_draw(c->sim, 2));
	}
}

/* Nobody waits for one that is certainly gone. */
static void retire(struct course *c, int client)
{
	int i;

	for (i = 0; i < SIM_CLIENTS; i++)
		if ((c->left & ~c->retired) >> i & 1 && sim_draw(c->sim, 2))
			course_retire(c, client, i);
}

static void script(void *arg, int client)
{
	struct course *c = arg;

	if (c->strict && client > 0) {
		sim_pause(c->sim, client, (int64_t)sim_draw(c->sim, (uint64_t)c->pause));
		sim_arrive(c->sim, client);
	}
	/* Mostly not seeing each other yet, so that some chunks lie in two bundles. */
	sim_begin(c->sim, client);
	course_backup(c, client, COURSE_VERSIONS - 1 - (unsigned)client % 2, false);
	while (sim_count(c->sim)->by[client] < (c->strict ? 2 : 1) * OPERATIONS) {
		sim_begin(c->sim, client);
		retire(c, client);
		random_run(c, client);
		sim_begin(c->sim, client);
		sim_pause(c->sim, client, (int64_t)sim_draw(c->sim, (uint64_t)c->pause));
	}
	if (c->strict)
		course_leave(c, client);
}

/*
 * Quiet times: a client vacuums, and again when the grace is past. Then the newer
 * snapshots are removed: of the older ones many point to what has been moved away, and
 * nobody else points any more to where it is now. That what they point to was there once
 * is forgotten only later (100).
 */
static void afterwards(void *arg, int client)
{
	static const int below[] = {0, 0, 0, 100, 100};
	struct course *c = arg;
	unsigned i, k;

	c->sole = c->strict; /* retired, it is a new client from its second run on */
	for (i = 0; i < sizeof below / sizeof *below; i++) {
		sim_begin(c->sim, client);
		for (k = c->n_snaps / 2; i == 2 && k < c->n_snaps; k++)
			course_remove(c, client, k);
		course_vacuum(c, client, below[i]);
		sim_pause(c->sim, client, c->grace + SIM_DELTA);
	}
}

/* Of several numbers one, as the seed has it. */
static int64_t pick(uint64_t *seed, const int64_t *v, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return v[(*seed >> 33) % n];
}

#define PICK(seed, ...) \
	pick(seed, (const int64_t[]){__VA_ARGS__}, \
	    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/*
 * The weather follows from the seed: which misfortunes there are, and how often. Where
 * runs follow each other quickly, more of them meet what has just been condemned; where
 * they are few, more bundles are deleted while another client's run is under way.
 */
static struct sim_chances weather(uint64_t seed, int64_t *pause)
{
	struct sim_chances w = {.see = (unsigned)PICK(&seed, 100, 200, 300, 500, 700, 900)};
	bool busy = PICK(&seed, 0, 0, 0, 1);

	w.sticky = PICK(&seed, 0, 1);
	w.apart = PICK(&seed, 0, 0, 0, 1);
	w.ghost = (unsigned)PICK(&seed, 0, 300);
	w.error = (unsigned)PICK(&seed, 0, 0, 0, 3);
	w.crash = (unsigned)PICK(&seed, 0, 0, 0, 2);
	w.torn = (unsigned)PICK(&seed, 0, 0, 0, 0, 0, 50);
	w.lie = (unsigned)PICK(&seed, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200);
	if (busy) {
		w.sleep = (unsigned)PICK(&seed, 0, 5, 20, 60);
		w.stay = (unsigned)PICK(&seed, 0, 500, 900);
		w.pace = SIM_DELTA / PICK(&seed, 8, 30, 200);
		*pause = 5 * SIM_DELTA;
	} else {
		w.sleep = (unsigned)PICK(&seed, 0, 3, 10, 30);
		w.stay = (unsigned)PICK(&seed, 0, 800, 950);
		w.pace = SIM_DELTA / PICK(&seed, 4, 8, 20);
		*pause = SIM_DELTA * PICK(&seed, 16, 32, 48);
	}
	return w;
}

/*
 * The same where nothing is certain (strict mode): mounts that are their own caches,
 * folders shown as they once were, files that are seen late or never.
 */
static struct sim_chances blind(uint64_t seed, int64_t *pause, int *clients)
{
	struct sim_chances w = weather(seed, pause);

	seed ^= 0x5deece66d;
	w.blind = true;
	w.lie = 0;
	*clients = (int)PICK(&seed, 2, 3, 3, 4);
	w.caches = (unsigned)PICK(&seed, 15, 14, 12, 8, 6, 2, 1, 11);
	w.settles = w.caches & (unsigned)PICK(&seed, 0, 0, 0, 15, 14, 10, 5);
	w.late = (unsigned)PICK(&seed, 0, 0, 20, 50, 200);
	w.never = (unsigned)PICK(&seed, 0, 0, 0, 20);
	w.freeze = (unsigned)PICK(&seed, 10, 30, 50, 100);
	w.miss = (unsigned)PICK(&seed, 0, 0, 0, 1);
	return w;
}

static bool run_course(struct course *c)
{
	const struct sim_chances calm = {.see = 1000};

	sim_run(c->sim, c->clients, script, c);
	c->totals->early = ledger_count(c->ledger)->deleted > 0;
	if (!course_check(c))
		return false;
	sim_weather(c->sim, &calm);
	sim_run(c->sim, 1, afterwards, c);
	return course_check(c) && (c->lies || course_validate(c));
}

static unsigned number(const char *name, unsigned fallback)
{
	const char *v = getenv(name);

	return v ? (unsigned)strtoul(v, NULL, 10) : fallback;
}

static void test_random(void **state)
{
	unsigned first = number("BALE_FIRST", 1), n = number("BALE_SEEDS", 60), i, losses = 0;
	static struct course_totals all, strict;
	static struct course c;
	struct sim_chances w;
	unsigned every = number("BALE_STRICT", STRICT);
	int64_t pause;
	int clients;

	for (i = first; i < first + n; i++) {
		clients = SIM_CLIENTS;
		w = every > 0 && i % every == 0 ? blind(i, &pause, &clients) : weather(i, &pause);
		course_begin(&c, *state, i, &w, NULL);
		c.pause = pause;
		c.clients = clients;
		if (!run_course(&c)) {
			print_message("# LOSS seed %u: %s\n", i, c.why);
			losses++;
		}
		course_end(&c);
		course_totals_add(c.strict ? &strict : &all, c.totals);
		free(c.totals);
		if (losses && !getenv("BALE_GO_ON"))
			break;
	}
	course_totals_print(&all);
	print_message("# and where nothing is certain (strict mode):\n");
	course_totals_print(&strict);
	print_message("# losses: %u\n", losses);
	assert_int_equal(losses, 0);
	assert_true(all.deleting + strict.deleting > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, ground_begin, ground_end);
}
