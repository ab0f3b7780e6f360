/*
 * Strict mode (docs/protocol.md, section 5): nothing is assumed of time, because
 * somebody's files may arrive late. Who may rely on what, and what must be seen before
 * anything is deleted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "band/bands.h"
#include "engine/band_run.h"
#include "base/mem.h"
#include "engine/clients.h"
#include "engine/remove.h"
#include "engine/undelete.h"
#include "tests/support/band_make.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"
#include "tests/support/watch.h"

#define MINUTES  60 /* of grace */
#define STRANGER "aaaaaaaaaaaaaaaa"

/*
 * A has created the repository, over a mount that can be relied on; the others' cannot.
 */
enum { A, B, C, CLIENTS };

struct world {
	struct ages w;
	char cache[CLIENTS][4096];
	struct watch watch[CLIENTS]; /* what each of them sees */
	struct vacuum_options o;
	char last[BAND_MAX_LEN + 1]; /* band */
	char stone[NAME_MAX_LEN + 1];
};

static void pass(unsigned minutes)
{
	while (minutes--)
		backup_clock();
}

static void setup(struct world *x)
{
	struct repo *r;
	unsigned i;

	ages_init(&x->w, 24, 60000);
	for (i = 0; i < CLIENTS; i++) {
		snprintf(x->cache[i], sizeof x->cache[i], "cache-%u", i);
		scratch_mkdir(x->w.dir, x->cache[i]);
		snprintf(x->cache[i], sizeof x->cache[i], "%s/cache-%u", x->w.dir, i);
		watch_init(&x->watch[i], x->w.store);
		x->watch[i].store.mount = i == A ? MOUNT_THROUGH : MOUNT_WRITE_BACK;
	}
	vacuum_do_init(&x->o);
	x->o.run = true;
	x->o.grace = MINUTES * VACUUM_HOUR / 60;
	x->o.below = 0;
	r = backup_open(x->w.store);
	client_state_found(r, x->cache[A]);
	repo_close(r);
}

static void teardown(struct world *x)
{
	unsigned i;

	for (i = 0; i < CLIENTS; i++)
		watch_release(&x->watch[i]);
	ages_release(&x->w);
}

/* A generation by a client; how many bundles of data it put. */
static size_t backup(struct world *x, int client)
{
	struct watch *w = &x->watch[client];
	size_t before = watch_count(w, OP_PUT, "data"), i;
	char name[32], command[9000];
	struct err e = ERR_EMPTY;
	struct backup_result res;
	struct backup_do d = {.store = &w->store, .cache = x->cache[client],
	    .source = scratch_path(x->w.dir, "src")};

	snprintf(name, sizeof name, "gen-%u", x->w.generations);
	snprintf(command, sizeof command, "cp -a '%s' '%s'", scratch_path(x->w.dir, "src"),
	    scratch_path(x->w.dir, name));
	assert_int_equal(system(command), 0);
	if (!backup_do(&d, &res, &e))
		fail_msg("%s", e.text);
	memcpy(x->w.band[x->w.generations++], res.snapshot, sizeof res.snapshot);
	memcpy(x->last, res.snapshot, sizeof x->last);
	i = watch_count(w, OP_PUT, "data");
	return i - before;
}

static bool try_vacuum(
    struct world *x, int client, struct vacuum_result *res, struct err *e)
{
	x->o.cache_dir = x->cache[client];
	err_clear(e);
	return vacuum_do(&x->watch[client].store, &x->o, res, e);
}

/* How many files a client's vacuum deleted. */
static size_t vacuum(struct world *x, int client, struct vacuum_result *res)
{
	struct err e;

	if (!try_vacuum(x, client, res, &e))
		fail_msg("%s", e.text);
	return res->deleted_files;
}

static void tail_of(struct world *x, const char *name, struct band *b)
{
	struct repo *r = backup_open(x->w.store);
	struct err e = ERR_EMPTY;
	enum band_file kind;
	struct bands bands;

	assert_true(bands_list(r, &bands, &e));
	assert_true(band_read(r, bands_find(&bands, name), &kind, b, &e));
	assert_int_equal(kind, BAND_TAIL);
	bands_release(&bands);
	repo_close(r);
}

static bool last_has_leave(struct world *x)
{
	struct band b;
	bool leave;

	tail_of(x, x->last, &b);
	leave = b.leave;
	band_release(&b);
	return leave;
}

static const char *client_of(struct world *x, unsigned generation)
{
	static char id[CLIENT_SIZE + 1];
	struct band_name n;

	assert_true(band_name_parse(span_str(x->w.band[generation]), &n));
	memcpy(id, n.client, sizeof id);
	return id;
}

static void enlist_stranger(struct world *x)
{
	struct repo *r = backup_open(x->w.store);
	struct client c = {.id = STRANGER};
	struct err e = ERR_EMPTY;
	uint64_t size = 0;

	assert_true(clients_put(r, &c, &size, &e));
	repo_close(r);
}

/* The folder of the first file that a client put. */
static const char *first_put(const struct watch *w)
{
	size_t i;

	for (i = 0; i < w->n && w->v[i].op != OP_PUT; i++)
		;
	return i < w->n ? w->v[i].folder : "";
}

/* --- S3: leave */

static void test_leave(void **state)
{
	struct vacuum_result res;
	struct world x;
	struct err e;

	(void)state;
	setup(&x);
	assert_true(backup(&x, A) > 0);
	assert_true(backup(&x, B) > 0); /* all of it is there, by A */
	assert_false(last_has_leave(&x));
	assert_string_equal(first_put(&x.watch[A]), "bands");
	assert_string_equal(first_put(&x.watch[B]), "clients");
	assert_int_equal(stores_count(x.w.store, "clients"), 1);
	assert_int_equal(backup(&x, B), 0); /* what it has itself written will do */
	assert_false(try_vacuum(&x, B, &res, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_int_equal(stores_count(x.w.store, "tombstones"), 0);

	ages_change(&x.w, 50);
	assert_true(backup(&x, A) > 0); /* it has seen B */
	assert_int_equal(backup(&x, B), 0);
	assert_true(last_has_leave(&x));
	vacuum(&x, B, &res);
	assert_int_equal(stores_count(x.w.store, "clients"), 2); /* A's has come */
	ages_check(&x.w, x.w.store);
	teardown(&x);
}

/* Who does not know yet that it is such a repository gives none: it cannot be asked. */
static void test_leave_of_unknowing(void **state)
{
	struct world x;

	(void)state;
	setup(&x);
	backup(&x, A);
	assert_false(last_has_leave(&x));
	backup(&x, B);
	x.watch[A].hidden = "clients";
	ages_change(&x.w, 50);
	backup(&x, A); /* sees B's band, and is settled */
	assert_false(last_has_leave(&x));
	backup(&x, B);
	assert_false(last_has_leave(&x));
	x.watch[A].hidden = NULL;
	backup(&x, A);
	backup(&x, B);
	assert_true(last_has_leave(&x));
	teardown(&x);
}

/* A look relies on nothing, so nobody need be asked for its sake. */
static void test_prune_registers_nobody(void **state)
{
	struct retention policy = {.count = {[KEEP_LAST] = 1}};
	struct prune_options o = {.policy = &policy};
	struct prune_result res;
	struct err e = ERR_EMPTY;
	struct world x;
	struct repo *r;

	(void)state;
	setup(&x);
	backup(&x, A);
	backup(&x, A);
	enlist_stranger(&x);
	r = backup_open(&x.watch[B].store);
	o.cache_dir = x.cache[B];
	if (!prune_run(r, &o, NULL, &res, &e))
		fail_msg("%s", e.text);
	repo_close(r);
	assert_int_equal(stores_count(x.w.store, "clients"), 1);
	teardown(&x);
}

/* Only who has leave can give it. */
static void test_leave_of_none(void **state)
{
	struct world x;

	(void)state;
	setup(&x);
	backup(&x, A);
	backup(&x, C);
	backup(&x, B); /* sees C, and has no leave itself */
	backup(&x, C);
	assert_false(last_has_leave(&x));
	backup(&x, A); /* sees both */
	backup(&x, C);
	assert_true(last_has_leave(&x));
	teardown(&x);
}

/* What the giver has seen is taken over, and so is what is condemned by it. */
static void test_leave_carries_seen(void **state)
{
	struct vacuum_result res;
	struct world x;
	struct band b;
	unsigned i;

	(void)state;
	setup(&x);
	backup(&x, A);
	backup(&x, B);
	ages_remove(&x.w, 0);
	vacuum(&x, A, &res); /* condemns its own bundles */
	assert_true(res.tombstone[0]);
	ages_change(&x.w, 50);
	backup(&x, A);
	x.watch[B].hidden = "tombstones";
	backup(&x, B);
	assert_true(last_has_leave(&x));
	tail_of(&x, x.last, &b);
	for (i = 0; i < b.seen.n && strcmp(b.seen.v[i], res.tombstone) != 0; i++)
		;
	assert_true(i < b.seen.n);
	band_release(&b);
	teardown(&x);
}

/* Who has none cannot bring back what another wrote, and is told why. */
static void test_undelete_without_leave(void **state)
{
	struct undelete_options o = {.program = "test"};
	struct undelete_result res;
	struct err e = ERR_EMPTY;
	struct world x;
	struct repo *r;

	(void)state;
	setup(&x);
	backup(&x, A);
	ages_remove(&x.w, 0);
	r = backup_open(&x.watch[B].store);
	o.cache_dir = x.cache[B];
	assert_false(undelete_run(r, x.w.band[0], &o, NULL, &res, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.text, "not known to the others yet"));
	assert_true(res.lost > 0);
	assert_int_equal(res.paths.n, 0);
	repo_close(r);
	teardown(&x);
}

static void test_sole_client_has_leave(void **state)
{
	struct vacuum_result res;
	struct world x;
	struct err e;

	(void)state;
	setup(&x);
	backup(&x, B);
	assert_false(try_vacuum(&x, B, &res, &e));
	x.o.sole_client = true;
	assert_true(try_vacuum(&x, B, &res, &e));
	x.o.sole_client = false;
	assert_true(try_vacuum(&x, B, &res, &e));
	backup(&x, B);
	assert_true(last_has_leave(&x));
	teardown(&x);
}

/* --- what was condemned once is not forgotten */

/*
 * A knows the tombstone, which its later listings leave out. It does not rely on what is
 * there all the same: by the copy that it keeps; or as it can still be read; or as it
 * cannot be told any more what is condemned.
 */
enum loss { UNREADABLE, COPY_LOST, BOTH_LOST };

static void condemned_not_listed(enum loss loss)
{
	struct vacuum_result res;
	struct world x;
	char command[9000];

	setup(&x);
	backup(&x, A);
	enlist_stranger(&x); /* strict from here on */
	ages_remove(&x.w, 0);
	vacuum(&x, A, &res);
	assert_true(res.condemned_bundles > 0);
	x.watch[A].hidden = "tombstones";
	if (loss == UNREADABLE)
		x.watch[A].unreadable = "tombstones";
	snprintf(command, sizeof command, "find '%s' -name 'stone-*' -delete", x.cache[A]);
	if (loss != UNREADABLE)
		assert_int_equal(system(command), 0);
	if (loss == BOTH_LOST)
		assert_true(store_remove(x.w.store, "tombstones", res.tombstone, NULL));
	assert_true(backup(&x, A) > 0);
	ages_check(&x.w, x.w.store);
	teardown(&x);
}

static void test_condemned_not_listed(void **state)
{
	(void)state;
	condemned_not_listed(UNREADABLE);
	condemned_not_listed(COPY_LOST);
	condemned_not_listed(BOTH_LOST);
}

static void drop(void *arg, const char *folder, const char *name, struct span content)
{
	(void)content;
	if (strcmp(folder, "clients") == 0)
		store_remove(arg, folder, name, NULL);
}

/* Nor is it that this is such a repository, even if no registration is seen any more. */
static void test_stays_strict(void **state)
{
	struct vacuum_result res;
	struct world x;

	(void)state;
	setup(&x);
	backup(&x, A);
	enlist_stranger(&x);
	ages_remove(&x.w, 0);
	vacuum(&x, A, &res);
	assert_true(res.condemned_bundles > 0);
	stores_each(x.w.store, drop, x.w.store);
	x.watch[A].hidden = x.watch[A].unreadable = "tombstones";
	assert_true(backup(&x, A) > 0);
	pass(2 * MINUTES);
	vacuum(&x, A, &res); /* knows what it has condemned */
	assert_int_equal(res.condemned_bundles, 0);
	ages_check(&x.w, x.w.store);
	teardown(&x);
}

static void die_at_tail(void *arg, enum fail_op op, const char *folder, const char *name)
{
	(void)arg;
	if (op == OP_PUT && strcmp(folder, "bands") == 0 && strstr(name, "-tail-"))
		_exit(0);
}

/* Nor if the run that found it so has died. */
static void test_registered_and_died(void **state)
{
	struct client_state c;
	struct cache *cache;
	struct repo *r;
	struct world x;
	int status;
	pid_t child;

	(void)state;
	setup(&x);
	backup(&x, A);
	enlist_stranger(&x);
	x.watch[A].hook = die_at_tail;
	child = fork();
	if (child == 0)
		backup(&x, A);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	r = backup_open(x.w.store);
	cache = cache_open(r, x.cache[A]);
	assert_true(client_state_look(cache, &c));
	assert_true(c.enlisted);
	client_state_release(&c);
	cache_close(cache);
	repo_close(r);
	teardown(&x);
}

/* --- S1, S2: evidence */

/* B has leave and has seen nothing yet of the tombstone that A has written since. */
static void condemn_first(struct world *x)
{
	struct vacuum_result res;

	backup(x, A);
	backup(x, B);
	ages_change(&x->w, 60);
	backup(x, A);
	backup(x, B);
	ages_remove(&x->w, 0);
	ages_remove(&x->w, 1);
	assert_int_equal(vacuum(x, A, &res), 0);
	assert_true(res.condemned_bundles > 0);
	memcpy(x->stone, res.tombstone, sizeof x->stone);
	pass(2 * MINUTES);
}

static void test_asked(void **state)
{
	struct vacuum_result res;
	struct world x;

	(void)state;
	setup(&x);
	condemn_first(&x);
	assert_int_equal(vacuum(&x, A, &res), 0);
	assert_string_equal(res.lacking, client_of(&x, 1));
	backup(&x, B);
	assert_true(vacuum(&x, A, &res) > 0);
	assert_string_equal(res.lacking, "");
	ages_check(&x.w, x.w.store);
	teardown(&x);
}

/*
 * A client of which nothing but its registration has been seen; and when it is retired.
 */
static void test_registered_asked(void **state)
{
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	struct world x;
	struct repo *r;

	(void)state;
	setup(&x);
	condemn_first(&x);
	backup(&x, B);
	enlist_stranger(&x);
	r = backup_open(x.w.store);
	assert_int_equal(vacuum(&x, A, &res), 0);
	assert_string_equal(res.lacking, STRANGER);
	assert_false(clients_retire(r, "nobody", &e));
	assert_true(clients_retire(r, STRANGER, &e));
	assert_true(vacuum(&x, A, &res) > 0);
	repo_close(r);
	teardown(&x);
}

/* A client of which nothing is seen but that a band of it was removed. */
static void test_trace_asked(void **state)
{
	struct vacuum_result res;
	struct world x;
	struct band b;
	struct repo *r;

	(void)state;
	setup(&x);
	condemn_first(&x);
	backup(&x, B);
	r = backup_open(x.w.store);
	band_start(&b, backup_clock() / 1000000000, 1, "home");
	band_mark(r, &b, BAND_REMOVED, NULL);
	assert_int_equal(vacuum(&x, A, &res), 0);
	assert_string_equal(res.lacking, TEST_CLIENT);
	band_release(&b);
	repo_close(r);
	teardown(&x);
}

/* A tail of the chain is not seen: B's first, or its second, which is declared dead. */
static void test_gap(void **state)
{
	char hidden[BAND_MAX_LEN + 16];
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	struct band_name n;
	struct world x;
	struct repo *r;
	uint64_t size;

	(void)state;
	setup(&x);
	condemn_first(&x);
	backup(&x, B);
	r = backup_open(x.w.store);
	assert_true(band_name_parse(span_str(x.w.band[3]), &n));
	assert_true(band_note_put(r, &n, BAND_FENCE, TEST_CLIENT, &size, &e));
	repo_close(r);
	snprintf(hidden, sizeof hidden, "bands/%s-tail", x.w.band[3]);
	x.watch[A].hidden = hidden;
	assert_int_equal(vacuum(&x, A, &res), 0);
	pass(2 * MINUTES);
	assert_int_equal(vacuum(&x, A, &res), 0);
	assert_string_equal(res.lacking, client_of(&x, 1));
	x.watch[A].hidden = NULL;
	assert_true(vacuum(&x, A, &res) > 0);
	x.w.removed[3] = true; /* is fenced */
	ages_check(&x.w, x.w.store);
	teardown(&x);
}

/* A client's only tail that is seen knows of the tombstone, but is not its first. */
static void test_beginning_not_seen(void **state)
{
	struct vacuum_result res;
	struct world x;
	struct band b;
	struct repo *r;
	unsigned i;

	(void)state;
	for (i = 1; i <= 2; i++) {
		setup(&x);
		condemn_first(&x);
		backup(&x, B);
		r = backup_open(x.w.store);
		band_start(&b, backup_clock() / 1000000000, i, "");
		b.kind = BAND_VACUUM;
		b.settled = true;
		string_list_add(&b.seen, span_str(x.stone));
		if (i == 2) {
			free(b.prev);
			b.prev = mem_strdup("20200101000000-" TEST_CLIENT "-1");
		}
		band_store(r, &b, BAND_TAIL, NULL);
		assert_int_equal(vacuum(&x, A, &res) > 0, i == 1);
		assert_string_equal(res.lacking, i == 1 ? "" : TEST_CLIENT);
		band_release(&b);
		repo_close(r);
		teardown(&x);
	}
}

/* A client of which only the tail of a removed band tells, which is a link of a chain. */
static void test_named_asked(void **state)
{
	struct roll roll = {.client = STRANGER, .from = 1, .to = 1};
	struct vacuum_result res;
	struct world x;
	struct band b;
	struct repo *r;

	(void)state;
	setup(&x);
	condemn_first(&x);
	backup(&x, B);
	r = backup_open(x.w.store);
	band_start(&b, backup_clock() / 1000000000, 1, "");
	b.kind = BAND_VACUUM;
	b.settled = true;
	string_list_add(&b.seen, span_str(x.stone));
	band_add_roll(&b, &roll);
	band_store(r, &b, BAND_TAIL, NULL);
	band_mark(r, &b, BAND_REMOVED, NULL);
	assert_int_equal(vacuum(&x, A, &res), 0);
	assert_string_equal(res.lacking, STRANGER);
	band_release(&b);
	repo_close(r);
	teardown(&x);
}

/* --- what stays */

static void test_own_only(void **state)
{
	struct vacuum_result res;
	struct world x;

	(void)state;
	setup(&x);
	condemn_first(&x);
	backup(&x, B);
	assert_int_equal(vacuum(&x, B, &res), 0);
	pass(2 * MINUTES);
	backup(&x, A);
	assert_int_equal(vacuum(&x, B, &res), 0);
	assert_string_equal(res.lacking, "");
	assert_true(vacuum(&x, A, &res) > 0);
	teardown(&x);
}

static void test_stones_and_tails_stay(void **state)
{
	struct span chunk = span_str("something");
	struct vacuum_result res;
	struct world x;
	struct band b;
	struct repo *r;
	size_t stones = 0;
	struct id id;
	unsigned i;

	(void)state;
	setup(&x);
	condemn_first(&x);
	r = backup_open(x.w.store);
	bundle_store(r, FILE_DATA, &chunk, 1, 1, &id); /* litter */
	repo_close(r);
	for (i = 0; i < 6; i++) {
		backup(&x, B);
		vacuum(&x, A, &res);
		assert_true(stores_count(x.w.store, "tombstones") >= stones);
		stones = stores_count(x.w.store, "tombstones");
		pass(2 * MINUTES);
	}
	assert_true(stones >= 2);
	tail_of(&x, x.w.band[0], &b);
	band_release(&b);
	ages_check(&x.w, x.w.store);
	teardown(&x);
}

/*
 * Over a mount that is its own cache, reading back what one wrote oneself proves nothing.
 */
static void survivor_late(int client)
{
	struct vacuum_result res;
	struct world x;

	setup(&x);
	x.watch[A].store.mount = client == A ? MOUNT_THROUGH : MOUNT_WRITE_BACK;
	x.o.strict = true;
	backup(&x, A);
	ages_change(&x.w, 30);
	backup(&x, A);
	ages_remove(&x.w, 0);
	x.o.below = 100;
	vacuum(&x, A, &res);
	assert_true(res.copied_bytes > 0);
	pass(2 * MINUTES);
	x.o.below = 0;
	vacuum(&x, A, &res);
	assert_int_equal(res.kept_bundles > 0, client != A);
	ages_check(&x.w, x.w.store);
	teardown(&x);
}

static void test_survivor_late(void **state)
{
	(void)state;
	survivor_late(A);
	survivor_late(B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_leave),
	    cmocka_unit_test(test_leave_of_none),
	    cmocka_unit_test(test_leave_of_unknowing),
	    cmocka_unit_test(test_prune_registers_nobody),
	    cmocka_unit_test(test_leave_carries_seen),
	    cmocka_unit_test(test_undelete_without_leave),
	    cmocka_unit_test(test_sole_client_has_leave),
	    cmocka_unit_test(test_condemned_not_listed),
	    cmocka_unit_test(test_stays_strict),
	    cmocka_unit_test(test_registered_and_died),
	    cmocka_unit_test(test_asked),
	    cmocka_unit_test(test_registered_asked),
	    cmocka_unit_test(test_trace_asked),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_beginning_not_seen),
	    cmocka_unit_test(test_named_asked),
	    cmocka_unit_test(test_own_only),
	    cmocka_unit_test(test_stones_and_tails_stay),
	    cmocka_unit_test(test_survivor_late),
	};

	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
