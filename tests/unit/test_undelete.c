/*
 * Undelete on a store in memory: what comes back, what is refused, what a crash leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "band/bands.h"
#include "base/mem.h"
#include "engine/marks.h"
#include "engine/remove.h"
#include "engine/undelete.h"
#include "store/fault.h"
#include "tests/support/band_make.h"
#include "tests/support/generations.h"
#include "tests/support/repo_make.h"

#define MADE 3

static struct generations g; /* MADE of them, of which 0 and 1 are removed */

static void remove_one(struct repo *r, const char *name)
{
	struct err e = ERR_EMPTY;
	struct band_info *x;
	struct bands bands;
	uint64_t removed;

	assert_true(bands_list(r, &bands, &e));
	x = bands_find(&bands, name);
	assert_true(remove_run(r, NULL, &x, 1, NULL, &removed, &e));
	assert_int_equal(removed, 1);
	bands_release(&bands);
}

static int make_all(void **state)
{
	(void)state;
	generations_make(&g, MADE, true);
	remove_one(g.repo, g.names[0]);
	remove_one(g.repo, g.names[1]);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	generations_free(&g);
	return 0;
}

static struct repo *copy(void)
{
	return repo_reopen(store_mem_clone(g.mem), g.env);
}

static bool undelete(
    struct repo *r, const char *name, struct undelete_result *out, struct err *e)
{
	struct undelete_options o = {.program = "test"};

	*e = (struct err)ERR_EMPTY;
	return undelete_run(r, name, &o, NULL, out, e);
}

static void must_undelete(struct repo *r, const char *name, struct undelete_result *out)
{
	struct err e;

	if (!undelete(r, name, out, &e))
		fail_msg("%s", e.text);
	assert_true(out->complete);
	assert_int_equal(out->paths.n, 0);
}

static void restores(struct repo *r, const char *band, unsigned k)
{
	const char *wrong = generation_differs(&g, r, band, k);

	if (wrong)
		fail_msg("%s", wrong);
}

static const struct band_info *info_of(const struct bands *b, const char *name)
{
	const struct band_info *x = bands_find(b, name);

	assert_non_null(x);
	return x;
}

static void brings_back(void **state)
{
	struct repo *r = copy();
	struct undelete_result res;
	char name[BAND_MAX_LEN + 1];
	struct bands bands;
	struct band old, new;
	struct err e;

	(void)state;
	must_undelete(r, g.names[0], &res);
	assert_string_not_equal(res.snapshot, g.names[0]);
	restores(r, res.snapshot, 0);
	assert_true(tail_read(r, g.names[0], &old));
	assert_true(tail_read(r, res.snapshot, &new));
	assert_int_equal(new.start, old.start);
	assert_int_equal(new.end, old.end);
	assert_string_equal(new.set, old.set);
	assert_string_equal(new.host, old.host);
	assert_int_equal(new.tags.n, 1);
	assert_string_equal(new.paths.v[0], old.paths.v[0]);
	assert_memory_equal(&new.totals, &old.totals, sizeof old.totals);
	assert_int_equal(new.n_refs, old.n_refs);
	assert_int_equal(new.n_bundles, 0);
	/* Its name is as old as it is: the newest is still the newest. */
	assert_true(bands_list(r, &bands, &e));
	assert_string_equal(bands.v[bands.n - 1].name.text, g.names[2]);
	assert_true(band_looks_complete(info_of(&bands, res.snapshot)));
	assert_false(band_looks_complete(info_of(&bands, g.names[0])));
	bands_release(&bands);
	band_release(&old);
	band_release(&new);
	/* Once is enough. */
	assert_false(undelete(r, g.names[0], &res, &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	/* What came back can go and come again. */
	must_undelete(r, g.names[1], &res);
	remove_one(r, res.snapshot);
	memcpy(name, res.snapshot, sizeof name);
	must_undelete(r, name, &res);
	restores(r, res.snapshot, 1);
	restores(r, g.names[2], 2);
	repo_close(r);
}

/* The next backup goes on from it as from any snapshot. */
static void basis_afterwards(void **state)
{
	struct generations more = g;
	struct repo *r = copy();
	struct undelete_result res;

	(void)state;
	must_undelete(r, g.names[1], &res);
	generation_backup(&more, r, 3, "home");
	restores(r, more.names[3], 3);
	restores(r, res.snapshot, 1);
	repo_close(r);
}

static void tags_come_along(void **state)
{
	struct repo *r = copy();
	struct undelete_result res;
	struct marks *marks;
	struct band_name name;
	struct band b;
	struct err e;

	(void)state;
	assert_true(band_name_parse(span_str(g.names[0]), &name));
	assert_true(marks_load(r, NULL, &marks, &e));
	assert_true(marks_put(marks, r, &name, MARK_UNTAG, "first", &e));
	assert_true(marks_put(marks, r, &name, MARK_TAG, "second", &e));
	marks_free(marks);
	must_undelete(r, g.names[0], &res);
	assert_true(tail_read(r, res.snapshot, &b));
	assert_int_equal(b.tags.n, 1);
	assert_string_equal(b.tags.v[0], "second");
	band_release(&b);
	repo_close(r);
}

static void not_removed(void **state)
{
	struct repo *r = copy();
	struct undelete_result res;
	struct err e;
	struct band b;

	(void)state;
	assert_false(undelete(r, g.names[2], &res, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(undelete(r, "2027", &res, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	band_start(&b, 1790000000, 5, "home");
	band_store(r, &b, BAND_HEAD, NULL);
	band_mark(r, &b, BAND_FENCE, NULL);
	band_mark(r, &b, BAND_REMOVED, NULL);
	assert_false(undelete(r, b.name.text, &res, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_string_equal(res.snapshot, "");
	band_release(&b);
	repo_close(r);
}

/* --- what it needs */

/* The bundle of data that generation k wrote as number i, or the one of hunks with -1. */
static struct band_bundle bundle_of(struct repo *r, unsigned k, int i)
{
	struct band_bundle found = {.size = 0};
	struct band b;
	int data = 0;

	assert_true(tail_read(r, g.names[k], &b));
	for (size_t n = 0; n < b.n_bundles; n++)
		if (b.bundles[n].hunks ? i < 0 : data++ == i)
			found = b.bundles[n];
	band_release(&b);
	assert_true(found.size > 0);
	return found;
}

static bool names_path(const struct undelete_result *res, const char *end)
{
	for (size_t i = 0; i < res->paths.n; i++) {
		const char *p = res->paths.v[i];

		if (strlen(p) >= strlen(end) && strcmp(p + strlen(p) - strlen(end), end) == 0)
			return true;
	}
	return false;
}

static void refused(struct repo *r, const char *path)
{
	struct undelete_result res;
	struct bands bands;
	struct err e;

	assert_false(undelete(r, g.names[0], &res, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_false(res.complete);
	assert_true(res.lost > 0);
	assert_true(res.paths.n > 0 && res.paths.n <= UNDELETE_PATHS);
	if (path)
		assert_true(names_path(&res, path));
	string_list_release(&res.paths);
	/* Nobody needs to wait for the band that came to nothing. */
	assert_true(bands_list(r, &bands, &e));
	assert_int_equal(info_of(&bands, res.snapshot)->tails.n, 0);
	assert_int_equal(info_of(&bands, res.snapshot)->fences.n, 1);
	bands_release(&bands);
	restores(r, g.names[2], 2);
}

static void condemned(void **state)
{
	struct repo *r = copy();
	struct band_bundle first = bundle_of(r, 0, 0);
	struct band b;

	(void)state;
	bundle_condemn(r, &first, false);
	refused(r, "/big0");
	repo_close(r);

	/*
	 * All the data there is: each file that has any is counted, and the first are named.
	 */
	r = copy();
	assert_true(tail_read(r, g.names[0], &b));
	for (size_t i = 0; i < b.n_bundles; i++)
		if (!b.bundles[i].hunks)
			bundle_condemn(r, &b.bundles[i], false);
	band_release(&b);
	refused(r, "/d/same9");
	repo_close(r);
}

/* Its index is gone: the place where it begins is named. */
static void index_condemned(void **state)
{
	struct repo *r = copy();
	struct band_bundle b = bundle_of(r, 0, -1);

	(void)state;
	bundle_condemn(r, &b, false);
	refused(r, NULL);
	repo_close(r);
}

static void deleted(void **state)
{
	struct repo *r = copy();
	struct band_bundle b = bundle_of(r, 0, 0);
	char name[2 * ID_SIZE + 1], folder[16];
	struct err e;

	(void)state;
	name_of_id(&b.name, name);
	assert_true(store_remove(r->store, folder_of(FILE_DATA, &b.name, folder), name, &e));
	refused(r, "/big0");
	repo_close(r);
}

/* What a vacuum has moved is there, hunks and data alike. */
static void moved(void **state)
{
	struct repo *r = copy();
	struct undelete_result res;
	struct band b;

	(void)state;
	for (unsigned k = 0; k < MADE; k++) {
		assert_true(tail_read(r, g.names[k], &b));
		for (size_t i = 0; i < b.n_bundles; i++)
			bundle_condemn(r, &b.bundles[i], true);
		band_release(&b);
	}
	must_undelete(r, g.names[0], &res);
	restores(r, res.snapshot, 0);
	repo_close(r);
}

/* Without its delta a bundle still tells what is in it. */
static void deltas_gone(void **state)
{
	struct repo *r = copy();
	struct store_listing l = {0};
	struct undelete_result res;
	struct err e;

	(void)state;
	assert_true(store_list(r->store, "index", &l, &e));
	for (size_t i = 0; i < l.n; i++)
		assert_true(store_remove(r->store, "index", l.names[i], &e));
	store_listing_release(&l);
	must_undelete(r, g.names[0], &res);
	restores(r, res.snapshot, 0);
	repo_close(r);
}

/* What is condemned cannot be told: nothing is done. */
static void torn_tombstone(void **state)
{
	struct repo *r = copy();
	struct undelete_result res;
	struct err e;

	(void)state;
	assert_true(store_put(r->store, "tombstones", "aaaaaaaaaaaaaaaaaaaaaaaaaa",
	    &(struct span){(const uint8_t *)"torn", 4}, 1, &e));
	assert_false(undelete(r, g.names[0], &res, &e));
	assert_false(res.complete);
	repo_close(r);
}

/* --- misfortune */

static struct repo *open_faulty(struct fault_plan *plan, struct store **fault)
{
	struct fault_plan none = {.kinds = plan->kinds};
	struct repo *r;

	*fault = store_fault_new(store_mem_clone(g.mem), &none);
	r = repo_reopen(*fault, g.env);
	plan->nth += store_fault_ops(*fault);
	repo_close(r);
	*fault = store_fault_new(store_mem_clone(g.mem), plan);
	return repo_reopen(*fault, g.env);
}

/* Whether some complete band has come back, which then must restore. */
static bool check_complete(struct repo *r)
{
	struct bands bands;
	bool back = false;
	struct err e;

	assert_true(bands_list(r, &bands, &e));
	for (size_t i = 0; i < bands.n; i++) {
		const struct band_info *x = &bands.v[i];
		struct band b;

		if (!band_looks_complete(x) || strcmp(x->name.text, g.names[2]) == 0)
			continue;
		if (tail_read(r, x->name.text, &b)) {
			restores(r, x->name.text, 0);
			back = true;
		}
		band_release(&b);
	}
	bands_release(&bands);
	return back;
}

static bool one_fault(struct fault_plan plan)
{
	struct store *fault, *inner;
	struct repo *r = open_faulty(&plan, &fault);
	struct undelete_result res;
	struct err e;
	bool ok = undelete(r, g.names[0], &res, &e), fired = store_fault_fired(fault);

	if (!fired)
		assert_true(ok);
	inner = store_fault_release_inner(fault);
	repo_close(r);
	r = repo_reopen(inner, g.env);
	if (check_complete(r)) {
		assert_false(undelete(r, g.names[0], &res, &e));
		assert_int_equal(e.kind, ERR_EXISTS);
	} else {
		assert_false(ok);
		must_undelete(r, g.names[0], &res);
		assert_true(check_complete(r));
	}
	if (plan.kinds == OP_PUT)
		for (unsigned k = 0; k < MADE; k++)
			restores(r, g.names[k], k);
	repo_close(r);
	return fired;
}

static void crashes(void **state)
{
	static const enum fail_land lands[] = {
	    LAND_NOTHING, LAND_ONE, LAND_HALF, LAND_BUT_ONE, LAND_WHOLE};
	struct fault_plan plan = {.how = FAIL_CRASH, .kinds = OP_PUT};
	bool fired = true;

	(void)state;
	for (plan.nth = 0; fired; plan.nth++)
		for (unsigned i = 0; i < 5; i++) {
			plan.land = lands[i];
			fired = one_fault(plan);
		}
}

static void errors(void **state)
{
	struct fault_plan plan = {.how = FAIL_ONCE};
	bool fired = true;

	(void)state;
	for (plan.nth = 0; fired; plan.nth += 1)
		fired = one_fault(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(brings_back),
	    cmocka_unit_test(basis_afterwards),
	    cmocka_unit_test(tags_come_along),
	    cmocka_unit_test(not_removed),
	    cmocka_unit_test(condemned),
	    cmocka_unit_test(index_condemned),
	    cmocka_unit_test(deleted),
	    cmocka_unit_test(moved),
	    cmocka_unit_test(deltas_gone),
	    cmocka_unit_test(torn_tombstone),
	    cmocka_unit_test(crashes),
	    cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
