/* Deltas got ahead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "repo/deltas.h"
#include "tests/support/bytes.h"
#include "tests/support/repo_make.h"
#include "tests/support/steady.h"

#define MANY 60

struct scene {
	struct store *trace;
	struct repo *r;
	struct id names[MANY];
	struct buf plain[MANY];
};

/* Not deltas to who decodes them, but that is not asked here. */
static void scene_begin(struct scene *s, unsigned transfers)
{
	struct err e;

	memset(s, 0, sizeof *s);
	s->trace = store_trace_new(store_mem_new(env));
	s->r = repo_make(s->trace, env, true);
	for (unsigned i = 0; i < MANY; i++) {
		bytes_noise(&s->plain[i], i % 9 == 0 ? 300000 : 100 + i, i);
		assert_true(repo_put_delta(
		    s->r, buf_span(&s->plain[i]), &s->names[i], NULL, &e));
	}
	s->r->transfers = transfers;
}

static void scene_end(struct scene *s)
{
	for (unsigned i = 0; i < MANY; i++)
		buf_release(&s->plain[i]);
	repo_close(s->r);
}

static uint64_t gets(const struct scene *s)
{
	struct store_counts n;

	store_trace_counts(s->trace, &n);
	return n.get;
}

static void assert_got(struct scene *s, struct deltas *d, unsigned i)
{
	struct buf plain = BUF_EMPTY;
	struct err e;

	assert_true(deltas_get(d, &s->names[i], &plain, &e));
	assert_true(span_equal(buf_span(&plain), buf_span(&s->plain[i])));
	buf_release(&plain);
}

static void test_all(void **state)
{
	static const unsigned transfers[] = {0, 1, 8, 100};

	(void)state;
	for (unsigned t = 0; t < 4; t++) {
		struct scene s;
		struct deltas *d;

		scene_begin(&s, transfers[t]);
		d = deltas_new(s.r);
		for (unsigned i = 0; i < MANY; i++)
			deltas_add(d, &s.names[i]);
		for (unsigned i = 0; i < MANY; i++)
			assert_got(&s, d, i);
		deltas_free(d);
		assert_int_equal(gets(&s), MANY);
		scene_end(&s);
	}
}

/* What turns out not to be needed costs nothing where nothing is got ahead. */
static void test_skip(void **state)
{
	static const unsigned transfers[] = {0, 8};

	(void)state;
	for (unsigned t = 0; t < 2; t++) {
		struct scene s;
		struct deltas *d;

		scene_begin(&s, transfers[t]);
		d = deltas_new(s.r);
		for (unsigned i = 0; i < MANY; i++)
			deltas_add(d, &s.names[i]);
		for (unsigned i = 0; i < MANY - 5; i = i < 10 ? i + 1 : i * 2)
			assert_got(&s, d, i);
		deltas_free(d); /* with the rest under way */
		if (!transfers[t])
			assert_int_equal(gets(&s), 12 + 1);
		scene_end(&s);
	}
}

static void test_missing(void **state)
{
	(void)state;
	for (unsigned transfers = 0; transfers < 5; transfers += 4) {
		struct buf plain = BUF_EMPTY;
		struct scene s;
		struct deltas *d;
		struct err e = ERR_EMPTY;
		char name[2 * ID_SIZE + 1];

		scene_begin(&s, transfers);
		name_of_id(&s.names[3], name);
		assert_true(store_remove(s.trace, "index", name, &e));
		d = deltas_new(s.r);
		for (unsigned i = 0; i < 6; i++)
			deltas_add(d, &s.names[i]);
		for (unsigned i = 0; i < 6; i++)
			if (i != 3)
				assert_got(&s, d, i);
			else
				assert_false(deltas_get(d, &s.names[i], &plain, &e));
		assert_int_equal(e.kind, ERR_MISSING);
		assert_int_equal(plain.n, 0);
		deltas_free(d);
		deltas_free(deltas_new(s.r));
		scene_end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all),
	    cmocka_unit_test(test_skip),
	    cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, steady_begin, steady_end);
}
