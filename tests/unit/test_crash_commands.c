/*
 * Crashes and failures at every storage operation of the commands that write but are
 * neither backup nor vacuum. Whatever happens: the repository opens and is valid, every
 * snapshot that was not removed restores to the tree it was taken of, nothing that was
 * stored is touched, what reports success has done it, and the same command, given again,
 * does it. Given again, it is crashed too: here and there, each time at another of its
 * operations; with BALE_TORTURE set, each time at each.
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
#include "engine/client_list.h"
#include "engine/doctor.h"
#include "engine/marks.h"
#include "engine/remove.h"
#include "engine/validate.h"
#include "store/fault.h"
#include "tests/support/backup_do.h"
#include "tests/support/bytes.h"
#include "tests/support/check_snapshot.h"
#include "tests/support/copy.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"

#define MADE    3
#define NEW_KEY "another passphrase"
#define STRIDE  31 /* operations between two crashes of a command given again, … */
#define SLOW_STRIDE 307 /* … and in slow builds */

/* A repository with MADE snapshots, of which the oldest is pinned and tagged "old". */
struct scene {
	struct store *base, *damaged; /* the second: without a bit of a bundle's */
	char *source, *then[MADE];
	char band[MADE][BAND_MAX_LEN + 1];
	const char *what;
	struct fault_plan plan; /* of the point at work, … */
	bool again;
	struct fault_plan second; /* … and of the crash of the command given again */
	unsigned points, twice;
};

struct command {
	const char *name;
	bool (*run)(struct scene *w, struct repo *r, struct err *e);
	bool (*done)(struct scene *w, struct repo *r); /* its effect is there */
	bool damaged; /* it works on the damaged store */
	bool forgives; /* a failing put is told of, and is no failure */
	bool slow;     /* only plans of all operations; test_doctor.c has more */
};

static void failed(const struct scene *w, const char *doing, const char *why)
{
	struct buf plan = BUF_EMPTY;

	store_fault_describe(&w->plan, &plan);
	if (w->again) {
		buf_add_str(&plan, "; then ");
		store_fault_describe(&w->second, &plan);
	}
	fail_msg("%s, %s: %s: %s", w->what, buf_str(&plan), doing, why);
}

/* --- the commands */

static bool remove_these(
    struct scene *w, struct repo *r, const size_t *which, size_t n, struct err *e)
{
	struct band_info *v[MADE];
	struct bands bands;
	uint64_t removed;
	bool ok;

	if (!bands_list(r, &bands, e))
		return false;
	for (size_t i = 0; i < n; i++)
		v[i] = bands_find(&bands, w->band[which[i]]);
	ok = remove_run(r, NULL, v, n, NULL, &removed, e);
	bands_release(&bands);
	return ok;
}

static bool run_remove(struct scene *w, struct repo *r, struct err *e)
{
	return remove_these(w, r, (const size_t[]){1, 2}, 2, e);
}

static bool is_removed(struct scene *w, struct repo *r, size_t i)
{
	struct err e = ERR_EMPTY;
	struct bands bands;
	bool yes;

	if (!bands_list(r, &bands, &e))
		failed(w, "bands_list", e.text);
	yes = bands_find(&bands, w->band[i])->removed.n > 0;
	bands_release(&bands);
	return yes;
}

static bool removed_both(struct scene *w, struct repo *r)
{
	return is_removed(w, r, 1) && is_removed(w, r, 2);
}

static bool prune(struct repo *r, bool dry_run, struct err *e)
{
	struct retention policy = {.count = {[KEEP_LAST] = 1}};
	struct prune_options o = {.policy = &policy, .dry_run = dry_run};
	struct prune_result result;

	return prune_run(r, &o, NULL, &result, e);
}

static bool run_prune(struct scene *w, struct repo *r, struct err *e)
{
	(void)w;
	return prune(r, false, e);
}

static bool pruned(struct scene *w, struct repo *r)
{
	return is_removed(w, r, 1);
}

static bool put_mark(struct scene *w, struct repo *r, size_t i, enum mark_kind kind,
    const char *tag, struct err *e)
{
	struct marks *marks = NULL;
	struct band_name name;
	bool ok = band_name_parse(span_str(w->band[i]), &name) &&
	          marks_load(r, NULL, &marks, e) && marks_put(marks, r, &name, kind, tag, e);

	marks_free(marks);
	return ok;
}

static bool run_tag(struct scene *w, struct repo *r, struct err *e)
{
	return put_mark(w, r, 1, MARK_TAG, "one", e) && put_mark(w, r, 2, MARK_TAG, "two", e);
}

static bool run_untag(struct scene *w, struct repo *r, struct err *e)
{
	return put_mark(w, r, 0, MARK_UNTAG, "old", e);
}

static bool run_pin(struct scene *w, struct repo *r, struct err *e)
{
	return put_mark(w, r, 1, MARK_PIN, "", e);
}

static bool run_unpin(struct scene *w, struct repo *r, struct err *e)
{
	return put_mark(w, r, 0, MARK_UNPIN, "", e);
}

/* What is said of a snapshot: whether it is pinned, or has the tag. */
static bool said(struct scene *w, struct repo *r, size_t i, const char *tag)
{
	struct err e = ERR_EMPTY;
	struct marks *marks;
	struct band b;
	bool yes = false;

	if (!marks_load(r, NULL, &marks, &e))
		failed(w, "marks_load", e.text);
	if (marks_unreadable(marks))
		failed(w, "marks_load", "one cannot be read");
	band_init(&b);
	band_name_parse(span_str(w->band[i]), &b.name);
	marks_apply(marks, &b);
	for (size_t k = 0; tag && k < b.tags.n; k++)
		yes = yes || strcmp(b.tags.v[k], tag) == 0;
	if (!tag)
		yes = marks_pinned(marks, &b.name);
	band_release(&b);
	marks_free(marks);
	return yes;
}

static bool tagged(struct scene *w, struct repo *r)
{
	return said(w, r, 1, "one") && said(w, r, 2, "two");
}

static bool untagged(struct scene *w, struct repo *r)
{
	return !said(w, r, 0, "old");
}

static bool pinned(struct scene *w, struct repo *r)
{
	return said(w, r, 1, NULL);
}

static bool unpinned(struct scene *w, struct repo *r)
{
	return !said(w, r, 0, NULL);
}

static bool run_key_add(struct scene *w, struct repo *r, struct err *e)
{
	struct secret secret = {SECRET_PASSPHRASE, span_str(NEW_KEY)};
	char name[NAME_MAX_LEN + 1];

	(void)w;
	return repo_key_add(r, &secret, "new", 1, 8192, name, e);
}

static bool secret_new(void *arg, struct secret *out, struct err *e)
{
	(void)arg;
	(void)e;
	*out = (struct secret){SECRET_PASSPHRASE, span_str(NEW_KEY)};
	return true;
}

static bool key_added(struct scene *w, struct repo *r)
{
	struct err e = ERR_EMPTY;
	struct repo *again;
	bool ok = repo_open(store_lend(r->store), r->env, secret_new, NULL, &again, &e);

	(void)w;
	if (ok)
		repo_close(again);
	return ok;
}

/* Every snapshot here was made by a client of its own. */
static bool find_client(struct scene *w, struct repo *r, struct client_list *l,
    const struct listed_client **out, struct err *e)
{
	char id[CLIENT_SIZE + 1];

	*l = (struct client_list){NULL, 0, 0, 0};
	/* YYYYMMDDHHMMSS-<client>-<counter> */
	snprintf(id, sizeof id, "%.*s", CLIENT_SIZE, w->band[1] + 15);
	return client_list_read(r, NULL, NULL, l, e) && client_list_find(l, id, out, e);
}

static bool run_retire(struct scene *w, struct repo *r, struct err *e)
{
	const struct listed_client *client;
	struct client_list l;
	bool ok = find_client(w, r, &l, &client, e) && client_list_retire(r, client, e);

	client_list_release(&l);
	return ok;
}

static bool retired(struct scene *w, struct repo *r)
{
	const struct listed_client *client;
	struct err e = ERR_EMPTY;
	struct client_list l;
	bool yes;

	if (!find_client(w, r, &l, &client, &e))
		failed(w, "client_list_read", e.text);
	yes = client->retired;
	client_list_release(&l);
	return yes;
}

static bool validate_all(struct repo *r, struct validate_result *out, struct err *e)
{
	struct validate_options o = {.level = VALIDATE_FULL};

	return validate_run(r, &o, NULL, out, e);
}

static bool run_validate(struct scene *w, struct repo *r, struct err *e)
{
	struct validate_result result;

	(void)w;
	if (!validate_all(r, &result, e))
		return false;
	return result.damaged_files > 0 || err_set(e, ERR_CORRUPT, "the damage is not found");
}

static bool recorded(struct scene *w, struct repo *r)
{
	struct store_listing l = {0};
	struct err e = ERR_EMPTY;
	bool any;

	if (!repo_list(r, "health", &l, &e))
		failed(w, "repo_list", e.text);
	any = l.n > 0;
	store_listing_release(&l);
	return any;
}

static bool run_doctor(struct scene *w, struct repo *r, struct err *e)
{
	struct doctor_options o = {.env = r->env};
	struct doctor_result result;

	(void)w;
	return doctor_run(r->store, &o, &result, e) &&
	       (result.ok || err_set(e, ERR_IO, "something does not work"));
}

static bool left_nothing(struct scene *w, struct repo *r)
{
	(void)w;
	return stores_count(r->store, "doctor") == 0;
}

static const struct command commands[] = {
    {"remove", run_remove, removed_both, false, false, false},
    {"prune", run_prune, pruned, false, false, false},
    {"tag", run_tag, tagged, false, false, false},
    {"tag --remove", run_untag, untagged, false, false, false},
    {"pin", run_pin, pinned, false, false, false},
    {"unpin", run_unpin, unpinned, false, false, false},
    {"key add", run_key_add, key_added, false, false, false},
    {"client retire", run_retire, retired, false, false, false},
    {"validate", run_validate, recorded, true, true, false},
    {"doctor", run_doctor, left_nothing, false, false, true},
};

/* --- the scene */

static void flip_middle(struct store *s)
{
	char folder[16];

	for (unsigned x = 0; x < 16; x++) {
		struct store_listing l = {0};
		struct buf b = BUF_EMPTY;
		struct err e = ERR_EMPTY;

		snprintf(folder, sizeof folder, "data/%x", x);
		assert_true(store_list(s, folder, &l, &e));
		if (l.n > 0) {
			assert_true(store_get(s, folder, l.names[0], 0, SIZE_MAX, &b, NULL, &e));
			b.p[b.n / 3] ^= 1;
			store_replace(s, folder, l.names[0], buf_span(&b));
			x = 16;
		}
		buf_release(&b);
		store_listing_release(&l);
	}
}

static void scene_begin(struct scene *w)
{
	struct err e = ERR_EMPTY;
	struct backup_do d;
	struct repo *r;

	*w = (struct scene){.source = scratch_new(), .base = store_mem_new(env_real())};
	backup_init(w->base, true, 23);
	d = (struct backup_do){.store = w->base, .source = w->source};
	for (unsigned i = 0; i < MADE; i++) {
		struct backup_result result;
		struct buf b = BUF_EMPTY;
		char name[16];

		snprintf(name, sizeof name, "new%u", i);
		bytes_noise(&b, 30000, 50 + i);
		scratch_file(w->source, name, b.p, b.n);
		scratch_file(w->source, "changes", b.p, 3000);
		buf_release(&b);
		backup_must(&d, &result);
		strcpy(w->band[i], result.snapshot);
		w->then[i] = scratch_new();
		copy_tree(w->source, w->then[i]);
	}
	r = backup_open(w->base);
	assert_true(put_mark(w, r, 0, MARK_PIN, "", &e));
	assert_true(put_mark(w, r, 0, MARK_TAG, "old", &e));
	repo_close(r);
	w->damaged = store_mem_clone(w->base);
	flip_middle(w->damaged);
}

static void scene_end(struct scene *w)
{
	store_free(w->base);
	store_free(w->damaged);
	scratch_free(w->source);
	for (unsigned i = 0; i < MADE; i++)
		scratch_free(w->then[i]);
}

/* --- a point */

/* All that must hold of a repository, whatever was done to it. */
static void look(
    struct scene *w, const struct command *c, struct store *s, const char *doing)
{
	struct repo *r = backup_open(s);
	struct validate_result valid;
	struct key_info *keys;
	struct err e = ERR_EMPTY;
	struct bands bands;
	size_t n;

	if (!bands_list(r, &bands, &e))
		failed(w, doing, e.text);
	for (size_t i = 0; i < MADE; i++) {
		const struct band_info *info = bands_find(&bands, w->band[i]);

		if (!info || (info->removed.n > 0 && i == 0))
			failed(w, doing, "a snapshot that nobody removed is gone");
		if (info->removed.n == 0 && !c->damaged &&
		    !check_snapshot(r, w->band[i], w->source, w->then[i], NULL, &e))
			failed(w, doing, e.text);
	}
	bands_release(&bands);
	if (!validate_all(r, &valid, &e))
		failed(w, doing, e.text);
	if (valid.damaged_files != c->damaged)
		failed(w, doing, "validate tells of damage");
	if (!repo_keys(r, &keys, &n, &e))
		failed(w, doing, e.text);
	free(keys);
	if (!prune(r, true, &e))
		failed(w, doing, e.text);
	repo_close(r);
}

static bool is_done(struct scene *w, const struct command *c, struct store *s)
{
	struct repo *r = backup_open(s);
	bool done = c->done(w, r);

	repo_close(r);
	return done;
}

static bool run(struct scene *w, const struct command *c, struct store *s, struct err *e)
{
	struct env *env = env_fixed_new(backup_clock(), 0, 77 + w->points);
	struct repo *r;
	bool ok = repo_open(store_lend(s), env, secret_right, NULL, &r, e);

	if (ok) {
		r->patience = 60 * INT64_C(1000000000);
		ok = c->run(w, r, e);
		repo_close(r);
	}
	env_fixed_free(env);
	return ok;
}

/* Given again, and nothing in the way. */
static void run_again(struct scene *w, const struct command *c, struct store *s)
{
	struct err e = ERR_EMPTY;

	w->points++; /* other random names */
	if (!run(w, c, s, &e))
		failed(w, "again", e.text);
	if (!is_done(w, c, s) && c->run != run_doctor)
		failed(w, "again", "success, but it is not done");
	look(w, c, s, "again");
}

/* At its nth operation, and at each that comes so many after it. */
static void crash_again(
    struct scene *w, const struct command *c, struct store *left, unsigned stride)
{
	bool fired = true;

	w->again = true;
	for (; fired; w->second.nth += stride) {
		struct store *s = store_mem_clone(left), *f = store_fault_new(s, &w->second);
		struct err e = ERR_EMPTY;
		bool ok;

		w->points++; /* other random names */
		ok = run(w, c, f, &e);
		fired = store_fault_fired(f);
		store_fault_release_inner(f);
		store_free(f);
		if (fired && ok && !c->forgives)
			failed(w, "given again", "it has not noticed that it is dead");
		if (fired) {
			look(w, c, s, "after a second crash");
			run_again(w, c, s);
			w->twice++;
		}
		store_free(s);
	}
	w->again = false;
}

static void crash_again_ways(struct scene *w, const struct command *c, struct store *left)
{
	static const enum fail_land lands[] = {LAND_NOTHING, LAND_HALF, LAND_WHOLE};
	bool all = getenv("BALE_TORTURE");
	unsigned stride = getenv("BALE_TEST_STRIDE") ? SLOW_STRIDE : STRIDE;

	for (unsigned i = 0; i < 3; i++) {
		if (!all && i != w->points % 3)
			continue;
		w->second = (struct fault_plan){.how = FAIL_CRASH, .land = lands[i],
		    .kinds = lands[i] == LAND_HALF ? OP_PUT : 0,
		    .nth = all ? 0 : w->points * 7 % stride};
		crash_again(w, c, left, all ? 1 : stride);
	}
}

static bool point(struct scene *w, const struct command *c)
{
	struct store *base = c->damaged ? w->damaged : w->base;
	struct store *s = store_mem_clone(base), *f = store_fault_new(s, &w->plan);
	struct err e = ERR_EMPTY;
	struct buf why = BUF_EMPTY;
	bool ok = run(w, c, f, &e), fired = store_fault_fired(f);

	store_fault_release_inner(f);
	store_free(f);
	if (fired && w->plan.how == FAIL_ONCE && !ok && c->run != run_doctor)
		failed(w, "one failure is one too many", e.text);
	if (fired && w->plan.how == FAIL_CRASH && ok && !c->forgives)
		failed(w, "the run", "has not noticed that it is dead");
	if (!ok && !*e.text)
		failed(w, "the run", "fails, and does not say why");
	if (ok && !c->forgives && !is_done(w, c, s))
		failed(w, "the run", "success, but it is not done");
	look(w, c, s, "after it");
	if (fired && w->plan.how == FAIL_CRASH)
		crash_again_ways(w, c, s);
	if (fired)
		run_again(w, c, s);
	if (!stores_within(base, s, &why))
		failed(w, "the run", buf_str(&why));
	buf_release(&why);
	store_free(s);
	return fired;
}

static const struct fault_plan plans[] = {
    {.how = FAIL_ONCE},
    {.how = FAIL_ONCE, .kinds = OP_PUT, .land = LAND_HALF},
    {.how = FAIL_ONCE, .kinds = OP_PUT, .land = LAND_WHOLE},
    {.how = FAIL_FOREVER},
    {.how = FAIL_FOREVER, .err = ERR_NOSPACE, .kinds = OP_PUT},
    {.how = FAIL_FOREVER, .err = ERR_UNREACHABLE},
    {.how = FAIL_CRASH},
    {.how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE, .land = LAND_EMPTY},
    {.how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE, .land = LAND_ONE},
    {.how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE, .land = LAND_HALF},
    {.how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE, .land = LAND_BUT_ONE},
    {.how = FAIL_CRASH, .kinds = OP_PUT | OP_REMOVE, .land = LAND_WHOLE},
};
#define PLANS (sizeof plans / sizeof *plans)

static void test_commands(void **state)
{
	struct scene w;
	struct store *quiet;
	struct err e = ERR_EMPTY;

	(void)state;
	scene_begin(&w);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *c = &commands[i];
		unsigned points = 0, twice = w.twice;

		w.what = c->name;
		w.plan = (struct fault_plan){.how = FAIL_NEVER};
		quiet = store_mem_clone(c->damaged ? w.damaged : w.base);
		assert_true(c->run == run_doctor || !is_done(&w, c, quiet));
		assert_true(run(&w, c, quiet, &e));
		assert_true(is_done(&w, c, quiet));
		store_free(quiet);
		for (size_t k = 0; k < PLANS; k++)
			for (w.plan = plans[k]; !(c->slow && w.plan.kinds) && point(&w, c);
			     w.plan.nth++)
				points++;
		print_message("# %s: %u points, %u in a command given again\n", c->name, points,
		    w.twice - twice);
	}
	scene_end(&w);
}

/* --- init */

/*
 * Files are there that init would not touch: it says so, and an emptied folder takes it.
 */
static void test_init(void **state)
{
	struct secret secret = {SECRET_PASSPHRASE, span_str(TEST_PASSPHRASE)};
	struct scene w = {.what = "init"};

	(void)state;
	for (size_t k = 0; k < PLANS; k++) {
		bool fired = true;

		for (w.plan = plans[k]; fired; w.plan.nth++) {
			struct store *s = store_mem_new(env_real());
			struct store *f = store_fault_new(s, &w.plan);
			struct env *env = env_fixed_new(backup_clock(), 0, 5);
			struct err e = ERR_EMPTY, again = ERR_EMPTY;
			struct repo_options o;
			struct repo *r = NULL;
			bool ok, opens;

			repo_options_init(&o);
			o.kdf_ops = 1;
			o.kdf_mem = 8192;
			ok = repo_create(store_lend(f), env, &o, &secret, &r, &e);
			fired = store_fault_fired(f);
			if (ok)
				repo_close(r);
			store_fault_release_inner(f);
			store_free(f);
			if (!ok && !*e.text)
				failed(&w, "init", "fails, and does not say why");
			opens = repo_open(store_lend(s), env, secret_right, NULL, &r, &again);
			if (opens) {
				struct validate_result valid;

				if (!validate_all(r, &valid, &again) || valid.damaged_files)
					failed(&w, "what it made", "is damaged");
				repo_close(r);
			}
			if (ok && !opens)
				failed(&w, "success, but", again.text);
			if (!opens && again.kind != ERR_NOREPO && again.kind != ERR_CORRUPT)
				failed(&w, "opening it", again.text);
			err_clear(&again);
			if (!opens && stores_count(s, "") == 0 && stores_count(s, "keys") == 0) {
				if (!repo_create(store_lend(s), env, &o, &secret, &r, &again))
					failed(&w, "again", again.text);
				repo_close(r);
			} else if (repo_create(store_lend(s), env, &o, &secret, &r, &again) ||
			           again.kind != ERR_EXISTS) {
				failed(&w, "again", "makes one over another");
			}
			w.points += fired;
			env_fixed_free(env);
			store_free(s);
		}
	}
	print_message("# init: %u points\n", w.points);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_init),
	    cmocka_unit_test(test_commands),
	};

	scratch_private(); /* quick, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
