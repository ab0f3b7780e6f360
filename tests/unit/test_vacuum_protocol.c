/*
 * Vacuum and the steps of docs/protocol.md, one by one: what it waits for, what it takes for
 * alive, what it looks at again before it deletes. Time is virtual: each run comes a minute
 * after the one before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "band/bands.h"
#include "engine/band_run.h"
#include "tests/support/band_make.h"
#include "tests/support/bytes.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"

#define MINUTES 60 /* of grace */

/* --- a repository, and a client that vacuums */

struct world {
	struct ages w;
	char cache[4096];
	struct vacuum_options o;
};

static void world_setup(struct world *x, unsigned generations)
{
	unsigned i;

	ages_init(&x->w, 24, 60000);
	for (i = 0; i < generations; i++) {
		if (i)
			ages_change(&x->w, 30);
		ages_backup(&x->w, NULL);
	}
	scratch_mkdir(x->w.dir, "cache");
	snprintf(x->cache, sizeof x->cache, "%s/cache", x->w.dir);
	vacuum_do_init(&x->o);
	x->o.run = x->o.deletes = true;
	x->o.grace = MINUTES * VACUUM_HOUR / 60;
	x->o.below = 0;
	x->o.cache_dir = x->cache;
}

static void pass(unsigned minutes)
{
	while (minutes--)
		backup_clock();
}

/* A vacuum by the client; how many files it deleted. */
static uint64_t vacuum(struct world *x)
{
	struct vacuum_result res;

	vacuum_must(x->w.store, &x->o, &res);
	return res.deleted_files;
}

/* Generation 0 is condemned as far as it is dead, and the grace is past. */
static void condemn_first(struct world *x)
{
	struct vacuum_result res;

	ages_remove(&x->w, 0);
	vacuum_must(x->w.store, &x->o, &res);
	assert_true(res.tombstone[0]);
	assert_true(res.condemned_bundles > 0);
	assert_int_equal(res.deleted_files, 0);
	pass(2 * MINUTES);
}

/* --- files that are not there for a time */

struct kept {
	char folder[16], name[NAME_MAX_LEN + 1];
	struct buf bytes;
};

struct finding {
	const char *folder, *part;
	struct kept *kept;
};

static void find(void *arg, const char *folder, const char *name, struct span content)
{
	struct finding *f = arg;

	if (strcmp(folder, f->folder) != 0 || !strstr(name, f->part))
		return;
	snprintf(f->kept->folder, sizeof f->kept->folder, "%s", folder);
	snprintf(f->kept->name, sizeof f->kept->name, "%s", name);
	buf_clear(&f->kept->bytes);
	buf_add_span(&f->kept->bytes, content);
}

/* A file whose name has that part. */
static void look_for(struct world *x, const char *folder, const char *part, struct kept *k)
{
	struct finding f = {folder, part, k};

	*k = (struct kept){.bytes = BUF_EMPTY};
	stores_each(x->w.store, find, &f);
	assert_true(k->name[0]);
}

static void take(struct world *x, const char *folder, const char *part, struct kept *k)
{
	look_for(x, folder, part, k);
	assert_true(store_remove(x->w.store, k->folder, k->name, NULL));
}

static void give_back(struct world *x, struct kept *k)
{
	struct span part = buf_span(&k->bytes);

	assert_true(store_put(x->w.store, k->folder, k->name, &part, 1, NULL));
	buf_release(&k->bytes);
}

static void take_tail(struct world *x, unsigned generation, struct kept *k)
{
	char part[BAND_MAX_LEN + 8];

	snprintf(part, sizeof part, "%s-tail", x->w.band[generation]);
	take(x, "bands", part, k);
}

/* The generation is declared dead: by its own client, or by another. */
static void fence(struct world *x, unsigned generation, bool by_itself)
{
	struct repo *r = backup_open(x->w.store);
	struct err e = ERR_EMPTY;
	struct band_name n;
	uint64_t size;

	assert_true(band_name_parse(span_str(x->w.band[generation]), &n));
	assert_true(
	    band_note_put(r, &n, BAND_FENCE, by_itself ? n.client : TEST_CLIENT, &size, &e));
	repo_close(r);
}

static void unfence(struct world *x)
{
	struct kept k;

	take(x, "bands", "-fence-", &k);
	buf_release(&k.bytes);
}

/* --- V5, V6: heads, tails, fences */

static void test_tail_awaited(void **state)
{
	struct world x;
	struct kept tail;

	(void)state;
	world_setup(&x, 2);
	take_tail(&x, 1, &tail);
	condemn_first(&x);
	assert_int_equal(vacuum(&x), 0);
	give_back(&x, &tail);
	assert_true(vacuum(&x) > 0);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* A fence counts after it has been watched, whoever wrote it. */
static void fence_watched(bool by_itself)
{
	struct world x;
	struct kept tail;

	world_setup(&x, 2);
	take_tail(&x, 1, &tail);
	condemn_first(&x);
	fence(&x, 1, by_itself);
	assert_int_equal(vacuum(&x), 0);
	pass(MINUTES - 2);
	assert_int_equal(vacuum(&x), 0);
	pass(2);
	assert_true(vacuum(&x) > 0);
	buf_release(&tail.bytes);
	ages_release(&x.w);
}

static void test_fence_watched(void **state)
{
	(void)state;
	fence_watched(false);
	fence_watched(true);
}

/* A tail that turns up while the fence is watched takes the fence's place, and is alive. */
static void test_tail_beside_fence(void **state)
{
	struct world x;
	struct kept tail;
	unsigned i;

	(void)state;
	world_setup(&x, 2);
	take_tail(&x, 1, &tail);
	condemn_first(&x);
	fence(&x, 1, true);
	assert_int_equal(vacuum(&x), 0);
	give_back(&x, &tail);
	x.o.below = 100;
	for (i = 0; i < 3; i++) {
		assert_true(vacuum(&x) > 0 || i > 0);
		pass(2 * MINUTES);
	}
	unfence(&x);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* One that turns up when all is gone stops nobody. */
static void test_tail_too_late(void **state)
{
	struct world x;
	struct kept tail;
	struct vacuum_result res;
	unsigned i;

	(void)state;
	world_setup(&x, 2);
	ages_change(&x.w, 100);
	ages_backup(&x.w, NULL);
	take_tail(&x, 1, &tail);
	fence(&x, 1, true);
	for (i = 0; i < 4; i++) {
		vacuum(&x);
		pass(2 * MINUTES);
	}
	give_back(&x, &tail);
	condemn_first(&x);
	assert_true(vacuum(&x) > 0);
	x.o.run = false;
	vacuum_must(x.w.store, &x.o, &res);
	ages_remove(&x.w, 1);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* --- heads of vacuums */

static void put_head(struct world *x, enum band_kind kind, struct band *b)
{
	struct repo *r = backup_open(x->w.store);

	band_start(b, backup_clock() / 1000000000, 1, "");
	b->kind = kind;
	band_store(r, b, BAND_HEAD, NULL);
	repo_close(r);
}

static void test_vacuum_not_awaited(void **state)
{
	struct world x;
	struct band b;
	enum band_kind kind;

	(void)state;
	for (kind = BAND_BACKUP; kind <= BAND_VACUUM; kind++) {
		world_setup(&x, 2);
		put_head(&x, kind, &b);
		condemn_first(&x);
		assert_int_equal(vacuum(&x) > 0, kind == BAND_VACUUM);
		ages_check(&x.w, x.w.store);
		band_release(&b);
		ages_release(&x.w);
	}
}

/* What it has put by then is no litter, until its fence has been watched. */
static void test_vacuum_keeps_bundles(void **state)
{
	struct vacuum_result res;
	struct world x;
	struct band b;
	struct repo *r;
	struct id id;
	struct span chunk = span_str("something");
	unsigned i;

	(void)state;
	world_setup(&x, 1);
	put_head(&x, BAND_VACUUM, &b);
	r = backup_open(x.w.store);
	bundle_store(r, FILE_DATA, &chunk, 1, 1, &id);
	for (i = 0; i < 4; i++) {
		if (i == 2)
			band_mark(r, &b, BAND_FENCE, NULL);
		vacuum_must(x.w.store, &x.o, &res);
		assert_int_equal(res.tombstone[0] != '\0', i == 3);
		pass(2 * MINUTES);
	}
	assert_true(vacuum(&x) > 0);
	ages_check(&x.w, x.w.store);
	repo_close(r);
	band_release(&b);
	ages_release(&x.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tail_awaited),
	    cmocka_unit_test(test_fence_watched),
	    cmocka_unit_test(test_tail_beside_fence),
	    cmocka_unit_test(test_tail_too_late),
	    cmocka_unit_test(test_vacuum_not_awaited),
	    cmocka_unit_test(test_vacuum_keeps_bundles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
