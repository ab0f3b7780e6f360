/* What may be relied on: listed, of the right size, neither condemned nor damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bundle/inventory.h"
#include "store/fault.h"
#include "tests/support/repo_make.h"
#include "tests/support/stores.h"

struct world {
	struct store *store, *trace;
	struct repo *repo;
	struct inventory *inv;
};

static struct id name_of(unsigned n)
{
	struct id id = {{0}};

	id.b[0] = (uint8_t)(n * 37);
	id.b[ID_SIZE - 1] = (uint8_t)n;
	return id;
}

/* A file of n bytes where the bundle would be. */
static void put(struct world *w, enum file_type type, unsigned number, size_t n)
{
	struct id id = name_of(number);
	char name[2 * ID_SIZE + 1], folder[16];
	struct buf b = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct span part;

	memset(buf_extend(&b, n), 'x', n);
	part = buf_span(&b);
	name_of_id(&id, name);
	assert_true(
	    store_put(w->store, folder_of(type, &id, folder), name, &part, 1, &e));
	buf_release(&b);
}

static void begin(struct world *w)
{
	struct err e = ERR_EMPTY;

	w->store = store_mem_new(env_real());
	repo_close(repo_make(store_lend(w->store), env_real(), false));
	put(w, FILE_DATA, 1, 100);
	put(w, FILE_DATA, 2, 200);
	put(w, FILE_HUNKS, 3, 300);
	w->trace = store_trace_new(store_lend(w->store));
	w->repo = repo_reopen(store_lend(w->trace), env_real());
	w->inv = inventory_new(w->repo);
	assert_true(inventory_list(w->inv, NULL, &e));
}

static void end(struct world *w)
{
	inventory_free(w->inv);
	repo_close(w->repo);
	store_free(w->trace);
	store_free(w->store);
}

static bool usable(struct world *w, uint32_t number)
{
	struct err e = ERR_EMPTY;
	bool yes = false;

	if (!inventory_usable(w->inv, number, &yes, &e))
		fail_msg("%s", e.text);
	return yes;
}

static uint64_t stats(struct world *w)
{
	struct store_counts c;

	store_trace_counts(w->trace, &c);
	return c.stat;
}

static uint32_t number(struct world *w, unsigned n, uint64_t size)
{
	struct id id = name_of(n);

	return inventory_number(w->inv, n == 3 ? FILE_HUNKS : FILE_DATA, &id, size);
}

static void test_numbers(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(inventory_count(w.inv), 3);
	assert_int_equal(number(&w, 2, 200), number(&w, 2, 0));
	assert_int_not_equal(number(&w, 1, 0), number(&w, 2, 0));
	assert_int_equal(number(&w, 9, 900), 3);
	assert_int_equal(inventory_get(w.inv, 3)->size, 900);
	assert_false(inventory_get(w.inv, 3)->listed);
	assert_true(inventory_get(w.inv, number(&w, 1, 0))->listed);
	end(&w);
}

static void test_usable(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_true(usable(&w, number(&w, 1, 100)));
	assert_int_equal(stats(&w), 1);
	assert_true(usable(&w, number(&w, 1, 100)));
	assert_int_equal(stats(&w), 1); /* asked once */
	assert_true(usable(&w, number(&w, 3, 300)));
	assert_false(usable(&w, number(&w, 9, 900))); /* not there */
	assert_int_equal(stats(&w), 2);
	end(&w);
}

static void test_sizes(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_false(usable(&w, number(&w, 1, 99))); /* truncated, or too long */
	assert_true(inventory_get(w.inv, number(&w, 1, 0))->damaged);
	assert_true(usable(&w, number(&w, 2, 0))); /* whatever it is */
	/* Two references disagree. */
	assert_true(usable(&w, number(&w, 3, 300)));
	assert_false(usable(&w, number(&w, 3, 301)));
	end(&w);
}

static void test_condemned_and_damaged(void **state)
{
	struct world w;
	struct id one = name_of(1), two = name_of(2), nine = name_of(9);

	(void)state;
	begin(&w);
	assert_true(usable(&w, number(&w, 1, 100)));
	inventory_condemn(w.inv, &one);
	assert_false(usable(&w, number(&w, 1, 100)));
	inventory_damage(w.inv, &two);
	assert_false(usable(&w, number(&w, 2, 200)));
	inventory_condemn(w.inv, &nine); /* gone already */
	assert_false(usable(&w, number(&w, 9, 900)));
	end(&w);
}

/* What an earlier run has seen needs no look, but must still be listed. */
static void test_trust(void **state)
{
	struct world w;
	struct id one = name_of(1), two = name_of(2), nine = name_of(9);

	(void)state;
	begin(&w);
	inventory_trust(w.inv, FILE_DATA, &one, 100);
	inventory_trust(w.inv, FILE_DATA, &nine, 900);
	inventory_trust(w.inv, FILE_DATA, &two, 201);
	assert_true(usable(&w, number(&w, 1, 100)));
	assert_false(usable(&w, number(&w, 9, 900)));
	assert_false(usable(&w, number(&w, 2, 200))); /* then it had another size */
	assert_int_equal(stats(&w), 0);
	end(&w);
}

static void test_own(void **state)
{
	struct world w;
	struct id nine = name_of(9);
	uint32_t n;

	(void)state;
	begin(&w);
	n = inventory_begin(w.inv, FILE_DATA);
	assert_true(usable(&w, n));
	assert_false(inventory_get(w.inv, n)->named);
	inventory_name(w.inv, n, &nine, 900);
	assert_true(inventory_get(w.inv, n)->named);
	assert_int_equal(number(&w, 9, 900), n);
	assert_int_equal(stats(&w), 0);
	end(&w);
}

/* A name that is listed and not there; a storage that fails. */
static void test_failing(void **state)
{
	struct fault_plan plan = {.how = FAIL_FOREVER, .kinds = OP_STAT};
	struct world w;
	struct store *f;
	struct repo *r;
	struct inventory *inv;
	struct err e = ERR_EMPTY;
	struct id one = name_of(1);
	struct env *env = env_fixed_new(0, 0, 1);
	char name[2 * ID_SIZE + 1], folder[16];
	bool yes;

	(void)state;
	begin(&w);
	name_of_id(&one, name);
	assert_true(store_remove(w.store, folder_of(FILE_DATA, &one, folder), name, &e));
	assert_false(usable(&w, number(&w, 1, 100)));
	assert_false(inventory_get(w.inv, number(&w, 1, 0))->listed);

	f = store_fault_new(store_lend(w.store), &plan);
	r = repo_reopen(store_lend(f), env);
	inv = inventory_new(r);
	assert_true(inventory_list(inv, NULL, &e));
	assert_false(inventory_usable(inv, 0, &yes, &e));
	assert_int_equal(e.kind, ERR_IO);
	inventory_free(inv);
	repo_close(r);
	store_free(f);
	plan = (struct fault_plan){.how = FAIL_FOREVER, .kinds = OP_LIST, .nth = 9};
	f = store_fault_new(store_lend(w.store), &plan);
	r = repo_reopen(store_lend(f), env);
	inv = inventory_new(r);
	assert_false(inventory_list(inv, NULL, &e));
	inventory_free(inv);
	repo_close(r);
	store_free(f);
	env_fixed_free(env);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_usable),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_condemned_and_damaged),
	    cmocka_unit_test(test_trust),
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_failing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
