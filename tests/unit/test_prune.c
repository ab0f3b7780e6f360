/* Prune and remove on a store in memory: decisions, bytes, and what a crash leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/list.h"
#include "engine/marks.h"
#include "engine/remove.h"
#include "store/fault.h"
#include "tests/support/band_make.h"
#include "tests/support/generations.h"
#include "tests/support/repo_make.h"

#define MADE 4

static struct generations g; /* MADE of them; tests work on copies of its store */

static int make_all(void **state)
{
	(void)state;
	generations_make(&g, MADE, true);
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

static size_t files_in(struct repo *r, const char *folder)
{
	struct store_listing l = {0};
	struct err e;
	size_t n;

	assert_true(store_list(r->store, folder, &l, &e));
	n = l.n;
	store_listing_release(&l);
	return n;
}

/* --- what prune tells */

struct told {
	unsigned n;
	char names[16][BAND_MAX_LEN + 1];
	bool keep[16];
	uint64_t frees[16];
};

static bool hear(void *arg, const struct candidate *c, uint64_t frees, struct err *e)
{
	struct told *t = arg;

	(void)e;
	assert_true(c->reasons.n > 0);
	snprintf(t->names[t->n], sizeof t->names[0], "%s", c->name);
	t->keep[t->n] = c->keep;
	t->frees[t->n++] = frees;
	return true;
}

static bool try_prune(struct repo *r, const char *set, uint32_t last, bool dry_run,
    struct told *t, struct prune_result *out, struct err *e)
{
	struct retention policy = {.count = {[KEEP_LAST] = last}};
	struct prune_options o = {
	    .set = set, .policy = &policy, .dry_run = dry_run, .decision = hear, .arg = t};

	*t = (struct told){0};
	return prune_run(r, &o, NULL, out, e);
}

static void prune(struct repo *r, uint32_t last, bool dry_run, struct told *t,
    struct prune_result *out)
{
	struct err e = ERR_EMPTY;

	if (!try_prune(r, NULL, last, dry_run, t, out, &e))
		fail_msg("%s", e.text);
}

static bool count_one(void *arg, const struct band_info *info, enum band_file state,
    const struct band *b, bool pinned, struct err *e)
{
	(void)info;
	(void)state;
	(void)b;
	(void)pinned;
	(void)e;
	++*(unsigned *)arg;
	return true;
}

static unsigned listed(struct repo *r, bool removed)
{
	struct list_result res;
	unsigned n = 0;
	struct err e;

	assert_true(list_run(r, removed, count_one, &n, NULL, &res, &e));
	return n;
}

static void whole(struct repo *r)
{
	for (unsigned k = 0; k < MADE; k++) {
		const char *wrong = generation_differs(&g, r, g.names[k], k);

		if (wrong)
			fail_msg("generation %u: %s", k, wrong);
	}
}

static void removes(void **state)
{
	struct repo *r = copy();
	size_t before = files_in(r, "bands");
	struct prune_result res;
	struct told t;

	(void)state;
	prune(r, 2, true, &t, &res);
	assert_int_equal(files_in(r, "bands"), before);
	assert_int_equal(t.n, MADE);
	assert_int_equal(res.kept, 2);
	assert_int_equal(res.removed, 2);
	for (unsigned k = 0; k < MADE; k++) {
		assert_string_equal(t.names[k], g.names[k]);
		assert_int_equal(t.keep[k], k >= 2);
	}
	prune(r, 2, false, &t, &res);
	assert_int_equal(res.removed, 2);
	assert_int_equal(files_in(r, "bands"), before + 2);
	assert_int_equal(listed(r, false), 2);
	assert_int_equal(listed(r, true), 2);
	/* Again: nothing is left to remove, and nothing is written. */
	prune(r, 2, false, &t, &res);
	assert_int_equal(res.kept, 2);
	assert_int_equal(res.removed, 0);
	assert_int_equal(res.frees, 0);
	assert_int_equal(files_in(r, "bands"), before + 2);
	whole(r);
	repo_close(r);
}

/* Noise does not compress, so a file's bytes are about what it takes. */
static void about(uint64_t got, uint64_t want)
{
	if (got < want || got > want + want / 10 + 4000)
		fail_msg("%llu instead of about %llu", (unsigned long long)got,
		    (unsigned long long)want);
}

static void frees(void **state)
{
	struct repo *r = copy();
	struct prune_result res;
	struct told t;

	(void)state;
	/* Only generation 0 has f0; 0 and 1 have f1 and big0. */
	prune(r, 3, true, &t, &res);
	about(t.frees[0], FILE_BYTES);
	about(res.frees, FILE_BYTES);
	prune(r, 2, true, &t, &res);
	about(t.frees[0], FILE_BYTES);
	about(t.frees[1], 0);
	about(res.frees, 2 * FILE_BYTES + BIG_BYTES);
	assert_false(res.uncertain);
	prune(r, 1, true, &t, &res);
	about(t.frees[2], 0);
	about(res.frees, 3 * FILE_BYTES + BIG_BYTES);
	repo_close(r);
}

/* What is counted does not hang on how much is read at the same time. */
static void ahead(void **state)
{
	struct repo *r = copy();
	struct prune_result one, many;
	struct told t, u;

	(void)state;
	for (unsigned last = 1; last < 4; last++) {
		r->transfers = 0;
		prune(r, last, true, &t, &one);
		r->transfers = 4;
		prune(r, last, true, &u, &many);
		assert_int_equal(many.frees, one.frees);
		assert_int_equal(u.n, t.n);
		assert_memory_equal(u.frees, t.frees, sizeof t.frees);
		assert_false(many.uncertain);
	}
	repo_close(r);
}

/* What another set has, or an unfinished backup, is not freed. */
static void other_sets(void **state)
{
	struct repo *r = copy();
	struct prune_result res;
	struct err e = ERR_EMPTY;
	struct band b;
	struct told t;

	(void)state;
	assert_true(tail_read(r, g.names[0], &b));
	free(b.set);
	b.set = mem_strdup("other");
	band_name_make(&b.name, b.start, TEST_CLIENT, 1);
	band_store(r, &b, BAND_HEAD, NULL);
	b.part = 1;
	free(b.last);
	b.last = mem_strdup("/x");
	b.last_len = 2;
	band_store(r, &b, BAND_PART, NULL);
	prune(r, 2, true, &t, &res);
	assert_int_equal(t.n, MADE); /* it is no snapshot */
	about(res.frees, 0);
	b.part = 0;
	band_store(r, &b, BAND_TAIL, NULL);
	assert_true(try_prune(r, "home", 2, true, &t, &res, &e));
	assert_int_equal(t.n, MADE);
	about(res.frees, 0);
	assert_true(try_prune(r, "other", 1, true, &t, &res, &e));
	assert_int_equal(t.n, 1);
	assert_false(try_prune(r, "none", 1, true, &t, &res, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	band_release(&b);
	repo_close(r);
}

/*
 * A chunk that a vacuum has moved is where it is now, for old references as for new ones.
 */
static void moved(void **state)
{
	struct repo *r = copy();
	struct prune_result res;
	struct generations others = g; /* names apart */
	struct told t;
	struct band b;

	(void)state;
	for (unsigned k = 0; k < MADE; k++) {
		assert_true(tail_read(r, g.names[k], &b));
		for (size_t i = 0; i < b.n_bundles; i++)
			bundle_condemn(r, &b.bundles[i], true);
		band_release(&b);
	}
	prune(r, 2, true, &t, &res);
	about(res.frees, 2 * FILE_BYTES + BIG_BYTES);
	generation_backup(&others, r, 1, "other");
	generation_backup(&others, r, 0, "other");
	prune(r, 2, true, &t, &res);
	assert_int_equal(res.removed, 2);
	assert_true(res.frees < FILE_BYTES); /* only of the index */
	repo_close(r);
}

static void pins(void **state)
{
	struct repo *r = copy();
	struct prune_result res;
	struct err e = ERR_EMPTY;
	struct bands bands;
	struct band_info *one;
	struct marks *marks;
	uint64_t removed;
	struct told t;

	(void)state;
	assert_true(bands_list(r, &bands, &e));
	one = &bands.v[0];
	assert_true(marks_load(r, NULL, &marks, &e));
	assert_true(marks_put(marks, r, &one->name, MARK_PIN, "", &e));
	marks_free(marks);
	prune(r, 2, true, &t, &res);
	assert_true(t.keep[0]);
	assert_int_equal(res.removed, 1);
	assert_false(remove_run(r, NULL, &one, 1, NULL, &removed, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_int_equal(removed, 0);
	assert_int_equal(listed(r, true), 0);
	/* A mark that cannot be read may be a pin. */
	assert_true(store_put(r->store, "marks", "aaaaaaaaaaaaaaaaaaaaaaaaaa",
	    &(struct span){(const uint8_t *)"torn", 4}, 1, &e));
	assert_false(try_prune(r, NULL, 2, false, &t, &res, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(listed(r, true), 0);
	bands_release(&bands);
	repo_close(r);
}

static void refuses(void **state)
{
	struct retention policy = {.count = {0}};
	struct told t = {0};
	struct prune_options o = {.policy = &policy, .decision = hear, .arg = &t};
	struct repo *r = copy();
	struct prune_result res;
	struct err e = ERR_EMPTY;

	(void)state;
	assert_false(prune_run(r, &o, NULL, &res, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	string_list_add(&policy.tags, span_str("unknown"));
	assert_false(prune_run(r, &o, NULL, &res, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	retention_release(&policy);
	policy = (struct retention){.count = {0}};
	string_list_add(&policy.tags, span_str("first")); /* all have it */
	assert_true(prune_run(r, &o, NULL, &res, &e));
	assert_int_equal(res.kept, MADE);
	retention_release(&policy);
	assert_int_equal(listed(r, false), MADE);
	repo_close(r);
}

/* A tail that cannot be read is left alone, and makes the sums uncertain. */
static void damaged(void **state)
{
	struct repo *r = copy();
	struct store_listing l = {0};
	struct prune_result res;
	struct told t;
	struct err e;

	(void)state;
	assert_true(store_list(r->store, "bands", &l, &e));
	for (size_t i = 0; i < l.n; i++)
		if (strstr(l.names[i], "-tail-") && strncmp(l.names[i], g.names[1],
		        strlen(g.names[1])) == 0)
			store_replace(r->store, "bands", l.names[i], span_str("torn"));
	store_listing_release(&l);
	prune(r, 1, false, &t, &res);
	assert_int_equal(t.n, MADE - 1);
	assert_int_equal(res.unreadable, 1);
	assert_true(res.uncertain);
	assert_int_equal(res.removed, MADE - 2);
	repo_close(r);
}

static void remove_two(struct repo *r, struct err *e, bool *ok, uint64_t *removed)
{
	struct band_info *v[2];
	struct bands bands;

	*removed = 0;
	*ok = bands_list(r, &bands, e);
	if (*ok) {
		v[0] = bands_find(&bands, g.names[0]);
		v[1] = bands_find(&bands, g.names[2]);
		*ok = v[0] && v[1] && remove_run(r, NULL, v, 2, NULL, removed, e);
	}
	bands_release(&bands);
}

static void remove_again(void **state)
{
	struct repo *r = copy();
	struct bands bands;
	struct band_info *x;
	struct err e = ERR_EMPTY;
	uint64_t removed;
	size_t files;
	bool ok;

	(void)state;
	remove_two(r, &e, &ok, &removed);
	assert_true(ok);
	assert_int_equal(removed, 2);
	files = files_in(r, "bands");
	remove_two(r, &e, &ok, &removed);
	assert_true(ok);
	assert_int_equal(removed, 0);
	assert_int_equal(files_in(r, "bands"), files);
	assert_true(bands_list(r, &bands, &e));
	assert_true(removed_find(&bands, span_str(g.names[2]), &x, &e));
	assert_string_equal(x->name.text, g.names[2]);
	assert_false(removed_find(&bands, span_str(g.names[1]), &x, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	assert_false(removed_find(&bands, span_of(g.names[0], 4), &x, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_false(removed_find(&bands, span_of(g.names[0], 3), &x, &e));
	bands_release(&bands);
	whole(r);
	repo_close(r);
}

/* Not of a band that may still be at work; of one that was declared dead. */
static void unfinished(void **state)
{
	struct repo *r = copy();
	struct err e = ERR_EMPTY;
	struct band_info *x;
	struct bands bands;
	uint64_t removed;
	struct band b;

	(void)state;
	band_start(&b, 1790000000, 5, "home");
	band_store(r, &b, BAND_HEAD, NULL);
	assert_true(bands_list(r, &bands, &e));
	x = bands_find(&bands, b.name.text);
	assert_false(remove_run(r, NULL, &x, 1, NULL, &removed, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	bands_release(&bands);
	band_mark(r, &b, BAND_FENCE, NULL);
	assert_true(bands_list(r, &bands, &e));
	x = bands_find(&bands, b.name.text);
	assert_true(remove_run(r, NULL, &x, 1, NULL, &removed, &e));
	assert_int_equal(removed, 1);
	bands_release(&bands);
	band_release(&b);
	repo_close(r);
}

/* --- misfortune */

static void do_remove(struct repo *r, bool *ok, struct err *e)
{
	uint64_t removed;

	remove_two(r, e, ok, &removed);
}

static void do_prune(struct repo *r, bool *ok, struct err *e)
{
	struct prune_result res;
	struct told t;

	*ok = try_prune(r, NULL, 2, false, &t, &res, e);
}

static const enum fail_land lands[] = {
    LAND_NOTHING, LAND_ONE, LAND_HALF, LAND_BUT_ONE, LAND_WHOLE};

/* A plan that begins to count once the repository is open. */
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

/* Whether the plan came to pass. What was there restores, and a second time succeeds. */
static bool one_fault(void (*act)(struct repo *, bool *, struct err *),
    struct fault_plan plan, bool restore)
{
	struct store *fault, *inner;
	struct repo *r = open_faulty(&plan, &fault);
	struct err e = ERR_EMPTY;
	bool ok, fired;

	act(r, &ok, &e);
	fired = store_fault_fired(fault);
	if (!fired)
		assert_true(ok);
	else if (plan.how == FAIL_CRASH)
		assert_false(ok);
	inner = store_fault_release_inner(fault);
	repo_close(r);
	r = repo_reopen(inner, g.env);
	if (restore)
		whole(r);
	act(r, &ok, &e);
	if (!ok)
		fail_msg("a second time: %s", e.text);
	assert_int_equal(listed(r, false), 2);
	repo_close(r);
	return fired;
}

/* Ends at each put, and at each operation of another kind, which changes nothing. */
static void each_crash(void (*act)(struct repo *, bool *, struct err *))
{
	struct fault_plan plan = {.how = FAIL_CRASH, .kinds = OP_PUT};
	bool fired = true;

	for (plan.nth = 0; fired; plan.nth++)
		for (unsigned i = 0; i < 5; i++) {
			plan.land = lands[i];
			fired = one_fault(act, plan, true);
		}
	fired = true;
	plan.kinds = 0;
	for (plan.nth = 0; fired; plan.nth++)
		fired = one_fault(act, plan, false);
}

static void remove_crashes(void **state)
{
	(void)state;
	each_crash(do_remove);
}

static void prune_crashes(void **state)
{
	(void)state;
	each_crash(do_prune);
}

static void prune_errors(void **state)
{
	struct fault_plan plan = {.how = FAIL_ONCE};
	bool fired = true;

	(void)state;
	for (; fired; plan.nth++)
		fired = one_fault(do_prune, plan, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(removes),
	    cmocka_unit_test(frees),
	    cmocka_unit_test(ahead),
	    cmocka_unit_test(other_sets),
	    cmocka_unit_test(moved),
	    cmocka_unit_test(pins),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(damaged),
	    cmocka_unit_test(remove_again),
	    cmocka_unit_test(unfinished),
	    cmocka_unit_test(remove_crashes),
	    cmocka_unit_test(prune_crashes),
	    cmocka_unit_test(prune_errors),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
