/* The store in memory, and listings. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "store_contract.h"

static void test_contract(void **state)
{
	struct store *s = store_mem_new(env_real());

	(void)state;
	contract_run(s);
	store_free(s);
}

static void test_clone_is_apart(void **state)
{
	struct store *a = store_mem_new(env_real()), *b;
	struct err e = ERR_EMPTY;

	(void)state;
	assert_true(put_text(a, "x", "one", "1", &e));
	b = store_mem_clone(a);
	assert_true(put_text(a, "x", "two", "2", &e));
	assert_true(put_text(b, "x", "three", "3", &e));
	assert_true(store_remove(b, "x", "one", &e));
	check_listing(a, "x", "one two ");
	check_listing(b, "x", "three ");
	check_content(a, "x", "one", "1");
	assert_int_equal(b->folders_made, 1);
	store_free(a);
	check_content(b, "x", "three", "3");
	store_free(b);
	b = store_mem_new(env_real());
	a = store_mem_clone(b);
	assert_true(put_text(a, "", "one", "1", &e));
	check_listing(b, "", "");
	store_free(a);
	store_free(b);
	store_free(NULL);
}

static unsigned yields;

static void count_yield(struct env *env, const char *point)
{
	(void)env;
	(void)point;
	yields++;
}

static void test_yields_at_each_operation(void **state)
{
	struct env env = *env_real();
	struct store *s;
	struct err e = ERR_EMPTY;
	struct buf got = BUF_EMPTY;
	uint64_t size;

	(void)state;
	env.yield = count_yield;
	s = store_mem_new(&env);
	put_text(s, "", "a", "x", &e);
	store_get(s, "", "a", 0, 1, &got, NULL, &e);
	check_listing(s, "", "a ");
	store_stat(s, "", "a", &size, &e);
	store_remove(s, "", "a", &e);
	assert_int_equal(yields, 5);
	buf_release(&got);
	store_free(s);
}

struct worker {
	struct store *store;
	unsigned id;
	bool ok;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct err e = ERR_EMPTY;
	char name[32];

	w->ok = true;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "f%u-%u", w->id, i);
		w->ok &= put_text(w->store, "data/0", name, name, &e);
		if (i % 2)
			w->ok &= store_remove(w->store, "data/0", name, &e);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct store *s = store_mem_new(env_real());
	struct store_listing l = {NULL, 0, 0};
	struct worker workers[4];
	pthread_t threads[4];
	struct err e = ERR_EMPTY;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		workers[i] = (struct worker){s, i, false};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(workers[i].ok);
	}
	assert_true(store_list(s, "data/0", &l, &e));
	assert_int_equal(l.n, 400);
	check_content(s, "data/0", "f3-198", "f3-198");
	store_listing_release(&l);
	store_free(s);
}

static void test_listing(void **state)
{
	struct store_listing l = {NULL, 0, 0};

	(void)state;
	store_listing_sort(&l);
	assert_false(store_listing_has(&l, "a"));
	store_listing_add(&l, "b");
	store_listing_add(&l, "a.b");
	store_listing_add(&l, "a");
	store_listing_add(&l, "b");
	store_listing_add(&l, "a-b");
	store_listing_sort(&l);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.names[1], "a-b");
	assert_true(store_listing_has(&l, "b"));
	assert_true(store_listing_has(&l, "a"));
	assert_false(store_listing_has(&l, "c"));
	store_listing_release(&l);
	assert_int_equal(l.n, 0);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(store_name_ok("bale.json"));
	assert_true(store_name_ok("README.txt"));
	assert_false(store_name_ok("readme.TXT"));
	assert_false(store_name_ok(""));
	assert_false(store_name_ok(".."));
	assert_false(store_name_ok("a/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contract),
	    cmocka_unit_test(test_clone_is_apart),
	    cmocka_unit_test(test_yields_at_each_operation),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_listing),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
