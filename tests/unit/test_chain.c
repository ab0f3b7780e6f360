/*
 * The chain of a client's bands (S2 of docs/protocol.md): each names as `prev` the newest
 * before it that the client has not declared dead, whatever the client could note of it.
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
#include "store/fault.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/world.h"

static void setup(struct world *w)
{
	world_begin(w);
	world_text(w, "a", "something");
	world_run(w);
	world_run(w);
}

static void newest(struct world *w, char band[BAND_MAX_LEN + 1])
{
	struct repo *r = backup_open(w->store);
	struct err e = ERR_EMPTY;
	struct bands bands;

	assert_true(bands_list(r, &bands, &e));
	assert_true(bands.n > 0);
	memcpy(band, bands.v[bands.n - 1].name.text, BAND_MAX_LEN + 1);
	bands_release(&bands);
	repo_close(r);
}

/* The next run dies when its nth put has landed; its band's name. */
static void die_at(struct world *w, uint64_t nth, char band[BAND_MAX_LEN + 1])
{
	struct fault_plan plan = {
	    .how = FAIL_CRASH, .kinds = OP_PUT, .nth = nth, .land = LAND_WHOLE};
	struct store *fault = store_fault_new(store_lend(w->store), &plan);

	w->d.store = fault;
	world_fail(w, ERR_STOPPED);
	assert_true(store_fault_crashed(fault));
	w->d.store = NULL;
	store_free(fault);
	newest(w, band);
}

static void check_prev(struct world *w, const char *band, const char *prev)
{
	enum band_file kind;
	struct band b;

	world_band(w, band, &kind, &b);
	assert_int_equal(kind, BAND_TAIL);
	assert_string_equal(b.prev, prev);
	band_release(&b);
}

static size_t fences(struct world *w, const char *band)
{
	struct repo *r = backup_open(w->store);
	struct err e = ERR_EMPTY;
	struct band_info *i;
	struct bands bands;
	size_t n;

	assert_true(bands_list(r, &bands, &e));
	i = bands_find(&bands, band);
	n = i ? i->fences.n : 0;
	bands_release(&bands);
	repo_close(r);
	return n;
}

struct hiding {
	struct world *w;
	const char *band;
};

/* Every file of a band is lost, or not seen. */
static void hide(void *arg, const char *folder, const char *name, struct span content)
{
	struct hiding *h = arg;

	(void)content;
	if (strcmp(folder, "bands") == 0 && strncmp(name, h->band, strlen(h->band)) == 0)
		assert_true(store_remove(h->w->store, folder, name, NULL));
}

static void test_noted(void **state)
{
	char first[BAND_MAX_LEN + 1];
	struct world w;

	(void)state;
	setup(&w);
	memcpy(first, w.result.snapshot, sizeof first);
	world_run(&w);
	check_prev(&w, w.result.snapshot, first);
	world_end(&w);
}

/* It dies after its tail was put, before it could note that. */
static void test_not_noted(void **state)
{
	char dead[BAND_MAX_LEN + 1];
	struct world w;

	(void)state;
	setup(&w);
	die_at(&w, w.counts.put - 1, dead);
	world_run(&w);
	assert_int_equal(fences(&w, dead), 0);
	check_prev(&w, w.result.snapshot, dead);
	world_end(&w);
}

/* The same, but the next run does not see the tail, or nothing at all. */
static void not_seen(bool nothing)
{
	char last[BAND_MAX_LEN + 1], dead[BAND_MAX_LEN + 1];
	struct world w;

	setup(&w);
	memcpy(last, w.result.snapshot, sizeof last);
	die_at(&w, nothing ? w.counts.put - 1 : 0, dead);
	if (nothing)
		stores_each(w.store, hide, &(struct hiding){&w, dead});
	world_run(&w);
	assert_int_equal(fences(&w, dead), 1);
	check_prev(&w, w.result.snapshot, last);
	memcpy(last, w.result.snapshot, sizeof last);
	world_run(&w);
	assert_int_equal(fences(&w, dead), 1);
	check_prev(&w, w.result.snapshot, last);
	world_end(&w);
}

static void test_not_seen(void **state)
{
	(void)state;
	not_seen(false);
	not_seen(true);
}

/* One dies after another; the older of them has a tail. */
static void test_two_dead(void **state)
{
	char first[BAND_MAX_LEN + 1], second[BAND_MAX_LEN + 1];
	struct world w;

	(void)state;
	setup(&w);
	die_at(&w, w.counts.put - 1, first);
	die_at(&w, 0, second);
	world_run(&w);
	assert_int_equal(fences(&w, first), 0);
	assert_int_equal(fences(&w, second), 1);
	check_prev(&w, w.result.snapshot, first);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_noted),
	    cmocka_unit_test(test_not_noted),
	    cmocka_unit_test(test_not_seen),
	    cmocka_unit_test(test_two_dead),
	};

	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
