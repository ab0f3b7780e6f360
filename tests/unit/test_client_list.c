/*
 * Who there is in a repository, by all that tells of it; and a client that was retired,
 * and comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "engine/client.h"
#include "engine/client_list.h"
#include "engine/clients.h"
#include "tests/support/backup_do.h"
#include "tests/support/band_make.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"

#define SECOND INT64_C(1700000000)
#define ROLLED "aaaaaaaaaaaaaaaa"
#define SIGNED "aaaabbbbbbbbbbbb"
#define MET    "cccccccccccccccc"

struct world {
	struct env *env;
	struct store *store;
	struct repo *repo;
	char *dir, *cache;
};

static void setup(struct world *w)
{
	w->env = env_fixed_new(SECOND * 1000000000, 0, 3);
	w->store = store_mem_new(w->env);
	w->dir = scratch_new();
	w->cache = mem_printf("%s/cache", w->dir);
	scratch_mkdir(w->dir, "cache");
	scratch_mkdir(w->dir, "src");
	scratch_file(w->dir, "src/file", "content", 7);
	backup_init(w->store, true, 1);
	w->repo = backup_open(w->store);
}

static void teardown(struct world *w)
{
	repo_close(w->repo);
	store_free(w->store);
	env_fixed_free(w->env);
	free(w->cache);
	scratch_free(w->dir);
}

static const struct listed_client *find(struct client_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].id, id) == 0)
			return &l->v[i];
	return NULL;
}

static void read_list(struct world *w, struct client_list *l)
{
	struct err e = ERR_EMPTY;

	if (!client_list_read(w->repo, w->cache, NULL, l, &e))
		fail_msg("%s", e.text);
}

/* Of one client: a tail that tells of another, a tail that is damaged, a head. */
static void put_bands(struct world *w)
{
	struct roll roll = {.client = ROLLED, .from = 1, .to = 2};
	char file[NAME_MAX_LEN + 1];
	struct band b;

	band_start(&b, SECOND, 1, "home");
	b.leave = true;
	band_add_roll(&b, &roll);
	band_store(w->repo, &b, BAND_TAIL, NULL);
	band_release(&b);
	band_start(&b, SECOND + 60, 2, "home");
	band_store(w->repo, &b, BAND_TAIL, file);
	band_release(&b);
	store_replace(w->store, "bands", file, span_str("damaged"));
	band_start(&b, SECOND + 3600, 3, "home");
	free(b.host);
	b.host = mem_strdup("");
	band_store(w->repo, &b, BAND_HEAD, NULL);
	band_release(&b);
}

static void enlist(struct world *w, const char *id)
{
	struct client c = {.retired = false};
	struct err e = ERR_EMPTY;
	uint64_t size = 0;

	memcpy(c.id, id, sizeof c.id);
	assert_true(clients_put(w->repo, &c, &size, &e));
}

/* This client's notes tell of one that nothing else tells of. */
static void note(struct world *w, char self[CLIENT_SIZE + 1])
{
	struct cache *c = cache_open(w->repo, w->cache);
	struct client_state s;

	client_state_load(c, w->repo->env, &s);
	memcpy(self, s.id, sizeof s.id);
	client_state_meet(&s, MET);
	client_state_save(c, &s);
	client_state_release(&s);
	cache_close(c);
}

static void test_list(void **state)
{
	const struct listed_client *c;
	char self[CLIENT_SIZE + 1];
	struct client_list l;
	struct world w;

	(void)state;
	setup(&w);
	read_list(&w, &l);
	assert_int_equal(l.n, 0);
	client_list_release(&l);

	put_bands(&w);
	enlist(&w, SIGNED);
	note(&w, self);
	read_list(&w, &l);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.unreadable, 1);
	c = find(&l, TEST_CLIENT);
	assert_string_equal(c->host, "ana");
	assert_int_equal(c->bands, 3);
	assert_int_equal(c->first, SECOND);
	assert_int_equal(c->last, SECOND + 3600);
	assert_true(c->leave && !c->self && !c->registered && !c->retired);
	c = find(&l, ROLLED);
	assert_true(c && c->bands == 0 && !c->registered);
	assert_true(find(&l, SIGNED)->registered);
	assert_non_null(find(&l, MET));
	assert_true(find(&l, self)->self);
	client_list_release(&l);
	teardown(&w);
}

static void test_find(void **state)
{
	const struct listed_client *c;
	struct err e = ERR_EMPTY;
	struct client_list l;
	struct world w;

	(void)state;
	setup(&w);
	put_bands(&w);
	enlist(&w, SIGNED);
	read_list(&w, &l);
	assert_true(client_list_find(&l, SIGNED, &c, &e));
	assert_string_equal(c->id, SIGNED);
	assert_true(client_list_find(&l, "aaaab", &c, &e));
	assert_string_equal(c->id, SIGNED);
	assert_false(client_list_find(&l, "aaaa", &c, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	err_clear(&e);
	assert_false(client_list_find(&l, "aaa", &c, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	err_clear(&e);
	assert_false(client_list_find(&l, SIGNED "0", &c, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	client_list_release(&l);
	teardown(&w);
}

static void test_retire(void **state)
{
	static const char *const bad[] = {"", "nobody", "aaaaaaaaaaaaaaaaa",
	    "aaaaaaaaaaaaaaaw", "AAAAAAAAAAAAAAAA", "aaaaaaaaaaaaaaa-"};
	char self[CLIENT_SIZE + 1];
	struct err e = ERR_EMPTY;
	struct client_list l;
	struct world w;

	(void)state;
	setup(&w);
	note(&w, self);
	enlist(&w, SIGNED);
	read_list(&w, &l);
	assert_false(client_list_retire(w.repo, find(&l, self), &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_int_equal(stores_count(w.store, "clients"), 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err_clear(&e);
		assert_false(clients_retire(w.repo, bad[i], &e));
		assert_int_equal(e.kind, ERR_USAGE);
	}
	err_clear(&e);
	assert_true(client_list_retire(w.repo, find(&l, SIGNED), &e));
	assert_int_equal(stores_count(w.store, "clients"), 2);
	client_list_release(&l);
	read_list(&w, &l);
	assert_true(find(&l, SIGNED)->retired && !find(&l, SIGNED)->registered);
	assert_true(client_list_retire(w.repo, find(&l, SIGNED), &e));
	assert_int_equal(stores_count(w.store, "clients"), 2);
	client_list_release(&l);
	teardown(&w);
}

/* Under its old name it stores nothing, and nobody waits for it; then it is a new one. */
static void test_back(void **state)
{
	struct backup_result res;
	char self[CLIENT_SIZE + 1];
	struct err e = ERR_EMPTY;
	struct client_list l;
	struct band_name n;
	struct backup_do d;
	struct world w;

	(void)state;
	setup(&w);
	d = (struct backup_do){
	    .store = w.store, .cache = w.cache, .source = scratch_path(w.dir, "src")};
	note(&w, self);
	assert_true(clients_retire(w.repo, self, &e));
	assert_false(backup_do(&d, &res, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_false(res.complete);
	assert_int_equal(stores_count(w.store, "bands"), 2); /* head and fence */
	assert_int_equal(stores_count(w.store, "hunks"), 0);
	backup_must(&d, &res);
	assert_true(band_name_parse(span_str(res.snapshot), &n));
	assert_string_not_equal(n.client, self);
	read_list(&w, &l);
	assert_true(find(&l, n.client)->self);
	assert_true(find(&l, self)->retired && !find(&l, self)->self);
	client_list_release(&l);
	teardown(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_retire),
	    cmocka_unit_test(test_back),
	};

	scratch_private();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
