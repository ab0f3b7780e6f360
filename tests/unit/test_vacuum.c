/*
 * Vacuum: exactness of what it calls dead and of what it predicts, over generations of a
 * changing source. What makes it give up: test_vacuum_abort.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"

static void add_up(struct store *s, const struct vacuum_result *res)
{
	assert_int_equal(res->total_bytes, store_bytes(s));
	assert_int_equal(res->live_bytes + res->condemned_bytes + res->dead_bytes +
	        res->unknown_bytes,
	    res->total_bytes);
}

static void make_generations(struct ages *w, unsigned n)
{
	char cache[4096];
	unsigned i;

	ages_init(w, 300, 3u << 20);
	scratch_mkdir(w->dir, "cache");
	snprintf(cache, sizeof cache, "%s/cache", w->dir);
	for (i = 0; i < n; i++) {
		if (i)
			ages_change(w, 4);
		ages_backup(w, cache);
	}
}

static void test_nothing_dead(void **state)
{
	struct vacuum_options o;
	struct vacuum_result res;
	struct ages w;

	(void)state;
	make_generations(&w, 3);
	vacuum_do_init(&o);
	vacuum_must(w.store, &o, &res);
	add_up(w.store, &res);
	assert_int_equal(res.condemned_bytes, 0);
	assert_int_equal(res.unknown_bytes, 0);
	assert_true(res.live_chunks > 500);
	assert_true(res.dead_bytes * 100 < res.total_bytes);
	ages_release(&w);
}

/* Sole client: condemned and deleted in one go. */
static void vacuum_all(struct ages *w, int below, struct vacuum_result *res)
{
	struct vacuum_options o;

	vacuum_do_init(&o);
	o.run = o.sole_client = true;
	o.below = below;
	vacuum_must(w->store, &o, res);
	ages_check(w, w->store);
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Tombstones come and go by their own rule: what they take is not predicted. */
static uint64_t bytes_of(struct store *s)
{
	return store_bytes(s) - folder_bytes(s, "tombstones");
}

/*
 * What is left of the fixed sizes that are guessed: head and tail, lines of directories.
 */
#define APART 1024

static void test_exact(void **state)
{
	static const int below[] = {0, 30, 50, 70, 90, 100};
	struct vacuum_options look;
	struct vacuum_result res, before;
	uint64_t bytes, freed;
	struct ages w;
	unsigned i, k;

	(void)state;
	make_generations(&w, 30);
	ages_check(&w, w.store);
	for (i = 0; i < 24; i++)
		if (i % 8)
			ages_remove(&w, i);
	vacuum_do_init(&look);
	for (k = 0; k < 6; k++) {
		vacuum_must(w.store, &look, &before);
		add_up(w.store, &before);
		bytes = bytes_of(w.store);
		vacuum_all(&w, below[k], &res);
		freed = bytes > bytes_of(w.store) ? bytes - bytes_of(w.store) : 0;
		if (apart(freed, before.thresholds[k].free_bytes) >=
		    before.thresholds[k].free_bytes / 100 + APART)
			fail_msg("below %d: %ju freed, %ju predicted; %ju written, %ju predicted",
			    below[k], (uintmax_t)freed, (uintmax_t)before.thresholds[k].free_bytes,
			    (uintmax_t)res.written_bytes,
			    (uintmax_t)before.thresholds[k].write_bytes);
		assert_true(res.copied_bytes * 100 <= before.thresholds[k].write_bytes * 105);
		vacuum_must(w.store, &look, &res);
		add_up(w.store, &res);
		assert_int_equal(res.condemned_bytes, 0);
		assert_true(apart(res.dead_bytes, before.thresholds[k].dead_bytes) < APART);
	}
	assert_int_equal(res.dead_bytes, 0);
	assert_int_equal(res.unknown_bytes, 0);
	ages_release(&w);
}

/* Bundles that are not below the threshold stay as they are. */
static void test_untouched(void **state)
{
	struct store *before;
	struct vacuum_options o;
	struct vacuum_result res;
	struct buf why = BUF_EMPTY;
	struct ages w;

	(void)state;
	make_generations(&w, 4);
	before = store_mem_clone(w.store);
	vacuum_all(&w, 0, &res);
	assert_int_equal(res.condemned_bundles, 0);
	if (!stores_within(before, w.store, &why))
		fail_msg("%s", buf_str(&why));
	vacuum_do_init(&o);
	store_free(before);
	ages_release(&w);
}

static void print(struct buf *b, const struct vacuum_result *r)
{
	const struct vacuum_threshold *t;
	unsigned i;

	buf_printf(b, "%ju = %ju + %ju + %ju + %ju\n", (uintmax_t)r->total_bytes,
	    (uintmax_t)r->live_bytes, (uintmax_t)r->condemned_bytes,
	    (uintmax_t)r->dead_bytes, (uintmax_t)r->unknown_bytes);
	buf_printf(b, "%ju bundles, %ju of %ju chunks, %ju hunks\n", (uintmax_t)r->bundles,
	    (uintmax_t)r->live_chunks, (uintmax_t)r->chunks, (uintmax_t)r->hunks);
	for (i = 0; i < VACUUM_BINS; i++)
		buf_printf(b, "%ju in %ju\n", (uintmax_t)r->bins[i].bytes,
		    (uintmax_t)r->bins[i].bundles);
	for (i = 0; i < VACUUM_THRESHOLDS; i++) {
		t = &r->thresholds[i];
		buf_printf(b, "%d: %ju, %ju, %ju, %ju\n", t->below, (uintmax_t)t->bundles,
		    (uintmax_t)t->write_bytes, (uintmax_t)t->free_bytes,
		    (uintmax_t)t->dead_bytes);
	}
}

/* What is found out does not hang on how much is read at the same time. */
static void test_readers(void **state)
{
	static const unsigned readers[] = {0, 1, 2, 8, 100};
	struct vacuum_options o;
	struct vacuum_result res;
	struct buf first = BUF_EMPTY, b = BUF_EMPTY;
	struct ages w;
	unsigned i;

	(void)state;
	make_generations(&w, 12);
	for (i = 1; i < 9; i++)
		ages_remove(&w, i);
	vacuum_do_init(&o);
	o.run = true; /* something is condemned */
	o.below = 30;
	vacuum_must(w.store, &o, &res);
	ages_remove(&w, 9);
	o.run = false;
	for (i = 0; i < 5; i++) {
		o.transfers = readers[i];
		vacuum_must(w.store, &o, &res);
		add_up(w.store, &res);
		assert_true(res.condemned_bytes > 0 && res.dead_bytes > 0);
		buf_clear(&b);
		print(i == 0 ? &first : &b, &res);
		if (i > 0)
			assert_string_equal(buf_str(&b), buf_str(&first));
	}
	buf_release(&first);
	buf_release(&b);
	ages_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_dead),
	    cmocka_unit_test(test_exact),
	    cmocka_unit_test(test_untouched),
	    cmocka_unit_test(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
