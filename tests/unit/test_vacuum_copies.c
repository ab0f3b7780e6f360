/*
 * Chunks that lie in several bundles: two clients that stored the same at once, and what
 * was stored again after damage. Whichever snapshots are removed, and however vacuums
 * choose, those that remain stay whole, and are still whole after a second vacuum.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/validate.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"
#include "tests/support/watch.h"

/* --- what is common */

static void vacuum_at(struct ages *w, int below, bool combine, struct vacuum_result *res)
{
	struct vacuum_options o;

	vacuum_do_init(&o);
	o.run = o.sole_client = true;
	o.below = below;
	o.combine = combine;
	vacuum_must(w->store, &o, res);
}

/* Nothing is missing, nothing damaged, for who reads every byte. */
static void check_valid(struct ages *w)
{
	struct validate_options o = {.level = VALIDATE_FULL};
	struct repo *r = backup_open(w->store);
	struct validate_result res;
	struct err e = ERR_EMPTY;

	if (!validate_run(r, &o, NULL, &res, &e))
		fail_msg("%s", e.text);
	assert_int_equal(res.damaged_paths, 0);
	repo_close(r);
}

/* Remove these generations from a copy of the store, and vacuum it, twice. */
static void try_removed(struct ages *w, unsigned removed, int below)
{
	struct store *whole = w->store;
	struct vacuum_result res;
	unsigned i;

	w->store = store_mem_clone(whole);
	for (i = 0; i < w->generations; i++)
		if (removed >> i & 1)
			ages_remove(w, i);
	vacuum_at(w, below, below == 70, &res);
	ages_check(w, w->store);
	check_valid(w);
	vacuum_at(w, 100, false, &res);
	ages_check(w, w->store);
	check_valid(w);
	store_free(w->store);
	w->store = whole;
	memset(w->removed, 0, sizeof w->removed);
}

static void try_all(struct ages *w)
{
	static const int below[] = {0, 50, 70, 100};
	unsigned removed, i;

	for (removed = 0; removed + 1 < 1u << w->generations; removed++)
		for (i = 0; i < sizeof below / sizeof *below; i++)
			try_removed(w, removed, below[i]);
}

/* Back up as somebody who sees nothing of what the others store meanwhile. */
static void backup_blind(struct ages *w, const char *cache)
{
	struct store *seen = w->store;
	struct watch watch;

	watch_init(&watch, seen);
	watch.hidden = "data/";
	w->store = &watch.store;
	ages_backup(w, cache);
	w->store = seen;
	watch_release(&watch);
}

/* --- two clients at once */

static void test_two_clients(void **state)
{
	char a[4096], b[4096];
	struct ages w;
	uint64_t one;

	(void)state;
	ages_init(&w, 30, 300000);
	scratch_mkdir(w.dir, "a");
	scratch_mkdir(w.dir, "b");
	snprintf(a, sizeof a, "%s/a", w.dir);
	snprintf(b, sizeof b, "%s/b", w.dir);
	ages_backup(&w, a);
	one = store_bytes(w.store);
	backup_blind(&w, b);
	assert_true(store_bytes(w.store) > one + one * 9 / 10); /* all of it twice */
	ages_change(&w, 15);
	ages_backup(&w, a);
	ages_change(&w, 15);
	ages_backup(&w, b);
	try_all(&w);
	ages_release(&w);
}

/* The copy that nobody's hint leads to is dead, whoever wrote it. */
static void test_copy_dies(void **state)
{
	struct vacuum_result res;
	struct ages w;
	uint64_t one;

	(void)state;
	ages_init(&w, 30, 300000);
	ages_backup(&w, NULL);
	one = folder_bytes(w.store, "hunks");
	backup_blind(&w, NULL);
	ages_remove(&w, 0);
	vacuum_at(&w, 0, false, &res);
	assert_true(res.deleted_bytes > 300000);
	ages_check(&w, w.store);
	assert_true(folder_bytes(w.store, "hunks") <= 2 * one);
	check_valid(&w);
	ages_release(&w);
}

/* --- damage */

struct largest {
	const char *begin;
	char folder[16], name[NAME_MAX_LEN + 1];
	size_t n;
};

static void look(void *arg, const char *folder, const char *name, struct span content)
{
	struct largest *l = arg;

	if (strncmp(folder, l->begin, strlen(l->begin)) != 0 || content.n <= l->n)
		return;
	l->n = content.n;
	snprintf(l->folder, sizeof l->folder, "%s", folder);
	snprintf(l->name, sizeof l->name, "%s", name);
}

/*
 * Damage the largest bundle: a byte in it, or all of it. Paths that a validation then
 * finds.
 */
static uint64_t hurt(struct ages *w, const char *begin, bool gone)
{
	struct validate_options o = {.level = VALIDATE_FULL};
	struct largest l = {.begin = begin};
	struct validate_result res;
	struct err e = ERR_EMPTY;
	struct buf b = BUF_EMPTY;
	struct repo *r;

	stores_each(w->store, look, &l);
	assert_true(l.n > 0);
	assert_true(store_get(w->store, l.folder, l.name, 0, SIZE_MAX, &b, NULL, NULL));
	b.p[200] ^= 1;
	if (gone)
		assert_true(store_remove(w->store, l.folder, l.name, NULL));
	else
		store_replace(w->store, l.folder, l.name, buf_span(&b));
	buf_release(&b);
	r = backup_open(w->store);
	assert_true(validate_run(r, &o, NULL, &res, &e));
	assert_int_equal(res.damaged_files, 1);
	repo_close(r);
	return res.damaged_paths;
}

/*
 * What is damaged is stored again by the next backup, which heals the older snapshot.
 * Then the newer one goes: the older still needs what came with it.
 */
static void heal_and_prune(const char *begin, bool gone)
{
	char cache[4096];
	struct ages w;

	ages_init(&w, 30, 300000);
	scratch_mkdir(w.dir, "cache");
	snprintf(cache, sizeof cache, "%s/cache", w.dir);
	ages_backup(&w, cache);
	assert_true(hurt(&w, begin, gone) > 0);
	ages_backup(&w, cache);
	ages_change(&w, 10);
	ages_backup(&w, cache);
	ages_check(&w, w.store); /* healed */
	try_all(&w);
	ages_release(&w);
}

static void test_healed_data(void **state)
{
	(void)state;
	heal_and_prune("data/", false);
}

static void test_healed_lost(void **state)
{
	(void)state;
	heal_and_prune("data/", true);
}

/*
 * Nothing heals what a snapshot that is no more alone told of its files: the vacuum
 * refuses until it is removed, and then harms nobody.
 */
static void test_lost_hunks(void **state)
{
	struct vacuum_options o;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	struct ages w;

	(void)state;
	ages_init(&w, 30, 300000);
	ages_backup(&w, NULL);
	assert_true(hurt(&w, "hunks", false) > 0);
	ages_change(&w, 10);
	ages_backup(&w, NULL);
	vacuum_do_init(&o);
	assert_false(vacuum_do(w.store, &o, &res, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	ages_remove(&w, 0);
	vacuum_at(&w, 100, false, &res);
	ages_check(&w, w.store);
	check_valid(&w);
	ages_release(&w);
}

/* One of two copies is damaged: references that lead there are given the other. */
static void test_copy_hurt(void **state)
{
	struct ages w;

	(void)state;
	ages_init(&w, 30, 300000);
	ages_backup(&w, NULL);
	backup_blind(&w, NULL);
	ages_change(&w, 10);
	ages_backup(&w, NULL);
	ages_check(&w, w.store);
	assert_int_equal(hurt(&w, "data/", true), 0);
	ages_check(&w, w.store);
	try_all(&w);
	ages_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_two_clients),
	    cmocka_unit_test(test_copy_dies),
	    cmocka_unit_test(test_healed_data),
	    cmocka_unit_test(test_healed_lost),
	    cmocka_unit_test(test_lost_hunks),
	    cmocka_unit_test(test_copy_hurt),
	};

	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
