/*
 * The protocol on the real code: backups, removals, undeletes and vacuums of several clients,
 * interleaved at every storage operation, over a storage that shows changes late, cut short,
 * or after they are gone. Whatever happens: a snapshot that a client was told is complete,
 * and that nobody has removed or declared dead, restores.
 *
 *   INTERLEAVE_SEEDS=n   so many random courses (default 60), from INTERLEAVE_FIRST on
 *
 * A course that fails tells its seed. Built with -DBALE_MUTANT=n the tests must fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/backup.h"
#include "engine/remove.h"
#include "engine/undelete.h"
#include "engine/vacuum.h"
#include "tests/support/backup_do.h"
#include "tests/support/bytes.h"
#include "tests/support/check_snapshot.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/sim.h"

#define VERSIONS 6
#define SNAPS    64

/* A snapshot that a client was told is complete. */
struct snap {
	char band[BAND_MAX_LEN + 1];
	unsigned version;
	bool removed;  /* somebody has set out to remove it */
};

struct course {
	const char *dir;
	uint64_t seed;
	struct sim *sim;
	unsigned clients, steps;
	int64_t grace;
	struct snap snap[SNAPS];
	unsigned n_snaps;
	bool planned;
	unsigned vacuums, deletions;
	char why[1200];
};

static struct store *pristine;
static struct env *pristine_env;

/* --- the world before */

static void make_sources(const char *dir)
{
	static const char *const holds[VERSIONS] = {"01", "12", "2", "02", "1", "012"};
	char name[64];
	struct buf b = BUF_EMPTY;
	unsigned i;
	const char *f;

	for (i = 0; i < VERSIONS; i++) {
		snprintf(name, sizeof name, "v%u", i);
		scratch_mkdir(dir, name);
		for (f = holds[i]; *f; f++) {
			buf_clear(&b);
			bytes_noise(&b, 300 + 40 * (unsigned)(*f - '0'), (unsigned)*f);
			snprintf(name, sizeof name, "v%u/f%c", i, *f);
			scratch_file(dir, name, b.p, b.n);
		}
	}
	buf_release(&b);
}

static int64_t begin_of_time(void)
{
	static int64_t t;

	if (!t)
		t = backup_clock();
	return t;
}

static struct repo *open_as(struct course *c, int client)
{
	struct err e = ERR_EMPTY;
	struct repo *r;

	if (!repo_open(sim_store(c->sim, client), sim_env(c->sim, client), secret_right, NULL,
	        &r, &e))
		return NULL;
	r->patience = 0;
	return r;
}

static void cache_of(struct course *c, int client, char out[4096])
{
	snprintf(out, 4096, "%s/cache-%d", c->dir, client);
}

/* --- what clients do */

static void keep_snap(struct course *c, const char *band, unsigned version)
{
	struct snap *s;

	if (c->n_snaps == SNAPS)
		return;
	s = &c->snap[c->n_snaps++];
	snprintf(s->band, sizeof s->band, "%s", band);
	s->version = version;
	s->removed = false;
}

static void do_backup(struct course *c, int client, unsigned version)
{
	struct repo *r = open_as(c, client);
	struct backup_result res;
	struct err e = ERR_EMPTY;
	struct backup_options o;
	char cache[4096], path[4200], set[16];
	const char *paths[] = {path};
	bool ok;

	if (!r)
		return;
	cache_of(c, client, cache);
	snprintf(path, sizeof path, "%s/v%u", c->dir, version);
	snprintf(set, sizeof set, "set%d", client);
	backup_options_init(&o);
	o.set = set;
	o.host = o.user = "x";
	o.paths = paths;
	o.n_paths = 1;
	o.threads = o.transfers = 0;
	o.level = 1;
	o.checkpoint = 0;
	o.checkpoint_ns = 0;
	o.cache_dir = cache;
	sim_busy(c->sim, client, true);
	ok = backup_run(r, &o, NULL, &res, &e);
	sim_busy(c->sim, client, false);
	if (ok && res.complete)
		keep_snap(c, res.snapshot, version);
	repo_close(r);
}

static void do_vacuum(struct course *c, int client, int below)
{
	struct repo *r = open_as(c, client);
	struct vacuum_options o;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	char cache[4096];

	if (!r)
		return;
	cache_of(c, client, cache);
	vacuum_options_init(&o);
	o.run = o.deletes = true;
	o.below = below;
	o.grace = c->grace;
	o.threads = o.transfers = 0;
	o.level = 1;
	o.cache_dir = cache;
	c->vacuums++;
	sim_busy(c->sim, client, true);
	if (vacuum_run(r, &o, NULL, &res, &e))
		c->deletions += res.deleted_files > 0;
	else if (getenv("INTERLEAVE_SHOW"))
		printf("  vacuum of %d: %s\n", client, e.text);
	sim_busy(c->sim, client, false);
	repo_close(r);
}

static void do_remove(struct course *c, int client)
{
	struct repo *r = open_as(c, client);
	struct bands bands = {0};
	struct err e = ERR_EMPTY;
	struct band_info *info;
	struct snap *s;
	uint64_t n;

	if (!r)
		return;
	s = c->n_snaps ? &c->snap[sim_draw(c->sim, c->n_snaps)] : NULL;
	if (s && bands_list(r, &bands, &e) && (info = bands_find(&bands, s->band))) {
		s->removed = true;
		remove_run(r, NULL, &info, 1, NULL, &n, &e);
	}
	bands_release(&bands);
	repo_close(r);
}

static void do_undelete(struct course *c, int client)
{
	struct repo *r = open_as(c, client);
	struct undelete_options o = {.program = "test"};
	struct undelete_result res = {.complete = false};
	struct err e = ERR_EMPTY;
	char cache[4096];
	struct snap *s;

	if (!r)
		return;
	cache_of(c, client, cache);
	o.cache_dir = cache;
	s = c->n_snaps ? &c->snap[sim_draw(c->sim, c->n_snaps)] : NULL;
	if (s && s->removed) {
		unsigned version = s->version;

		sim_busy(c->sim, client, true);
		if (undelete_run(r, s->band, &o, NULL, &res, &e) && res.complete)
			keep_snap(c, res.snapshot, version);
		sim_busy(c->sim, client, false);
		string_list_release(&res.paths);
	}
	repo_close(r);
}

static void script(void *arg, int client)
{
	struct course *c = arg;
	unsigned i;

	/* Mostly not seeing each other yet, so that some chunks lie in two bundles. */
	sim_begin(c->sim, client);
	do_backup(c, client, VERSIONS - 1 - (unsigned)client % 2);
	for (i = 0; i < c->steps; i++) {
		sim_begin(c->sim, client);
		switch (sim_draw(c->sim, 16)) {
		case 0:
		case 1:
		case 2:
		case 3:
		case 4:
			do_vacuum(c, client, sim_draw(c->sim, 2) ? 0 : 100);
			break;
		case 5:
		case 6:
		case 7:
		case 8:
		case 9:
			do_remove(c, client);
			break;
		case 10:
			do_undelete(c, client);
			break;
		default:
			do_backup(c, client, (unsigned)sim_draw(c->sim, VERSIONS));
		}
		sim_begin(c->sim, client);
		sim_pause(c->sim, client, (int64_t)sim_draw(c->sim, 5 * SIM_DELTA));
	}
}

/* --- what must hold */

/* Whether the band is a complete snapshot, as far as the storage tells. */
static bool counts(const struct bands *bands, const struct snap *s)
{
	const struct band_info *i = bands_find(bands, s->band);

	return !i || (i->removed.n == 0 && i->fences.n == 0);
}

static bool check(struct course *c)
{
	struct repo *r = open_as(c, -1);
	struct bands bands = {0};
	struct err e = ERR_EMPTY;
	char source[4200];
	unsigned i;
	bool ok = r && bands_list(r, &bands, &e);

	for (i = 0; ok && i < c->n_snaps; i++) {
		snprintf(source, sizeof source, "%s/v%u", c->dir, c->snap[i].version);
		if (c->snap[i].removed || !counts(&bands, &c->snap[i]))
			continue;
		ok = check_snapshot(r, c->snap[i].band, source, source, NULL, &e);
		if (!ok)
			snprintf(c->why, sizeof c->why, "%s: %s", c->snap[i].band, e.text);
	}
	bands_release(&bands);
	repo_close(r);
	return ok;
}

/* Quiet times: a client vacuums, and again when the grace is past. */
static void afterwards(void *arg, int client)
{
	struct course *c = arg;
	unsigned i;

	for (i = 0; i < 3; i++) {
		sim_begin(c->sim, client);
		do_vacuum(c, client, 100);
		sim_begin(c->sim, client);
		sim_pause(c->sim, client, 2 * c->grace + SIM_DELTA);
	}
}

static void course_begin(struct course *c, const char *dir, uint64_t seed,
    const struct sim_chances *chances)
{
	char cache[4096];
	int i;

	*c = (struct course){.dir = dir, .seed = seed, .grace = 2 * SIM_DELTA};
	c->sim = sim_new(seed, begin_of_time(), chances);
	sim_copy(c->sim, pristine);
	for (i = 0; i < SIM_CLIENTS; i++) {
		cache_of(c, i, cache);
		sim_wipe(cache);
	}
}

static bool course_end(struct course *c)
{
	bool ok = check(c);

	if (ok) {
		sim_run(c->sim, 1, afterwards, c);
		ok = check(c);
	}
	return ok;
}

static unsigned number(const char *name, unsigned fallback)
{
	const char *v = getenv(name);

	return v ? (unsigned)strtoul(v, NULL, 10) : fallback;
}

/* The weather of a course follows from its seed: which misfortunes there are, how often. */
static struct sim_chances weather(uint64_t seed)
{
	static const unsigned sleeps[] = {0, 10, 30, 60};
	static const int64_t paces[] = {SIM_DELTA / 200, SIM_DELTA / 30, SIM_DELTA / 8};
	struct sim_chances w = {.see = 100 + (unsigned)(seed * 7 % 9) * 100,
	    .sticky = seed % 2, .sleep = sleeps[seed / 2 % 4], .pace = paces[seed / 3 % 3]};

	if (seed % 5 == 0)
		w.error = 3;
	if (seed % 4 == 0)
		w.crash = 2;
	if (seed % 7 == 0)
		w.torn = 50;
	return w;
}

static void test_random(void **state)
{
	unsigned first = number("INTERLEAVE_FIRST", 1), n = number("INTERLEAVE_SEEDS", 60), i;
	unsigned beside = 0, deleting = 0, vacuums = 0, snaps = 0;
	struct sim_chances w;
	struct sim_counts counted;
	struct course c;

	for (i = first; i < first + n; i++) {
		w = weather(i);
		course_begin(&c, *state, i, &w);
		c.clients = 2 + i % 3;
		c.steps = 10;
		sim_run(c.sim, (int)c.clients, script, &c);
		if (!course_end(&c))
			fail_msg("seed %u: %s", i, c.why);
		counted = sim_count(c.sim);
		beside += counted.beside > 0;
		deleting += counted.deleted > 0;
		vacuums += c.vacuums;
		snaps += c.n_snaps;
		sim_free(c.sim);
	}
	printf("%u courses, %u with deletion, %u beside another's run; %u vacuums, %u snapshots\n",
	    n, deleting, beside, vacuums, snaps);
	assert_true(deleting > 0);
}

static int setup(void **state)
{
	char *dir = scratch_new();

	pristine_env = env_fixed_new(0, 0, 5);
	pristine = store_mem_new(pristine_env);
	backup_init(pristine, false, 3);
	make_sources(dir);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	store_free(pristine);
	env_fixed_free(pristine_env);
	scratch_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
