/*
 * Backups over a mount whose close means nothing: what is claimed of them, with and
 * without a command that waits for the uploads, and where it fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "band/bands.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/world.h"

struct settling {
	unsigned calls, fails_at; /* the nth call, from 1 */
	enum err_kind kind;
	bool stop;
};

static bool settle(void *arg, struct err *e)
{
	struct settling *s = arg;

	if (++s->calls != s->fails_at)
		return true;
	s->stop = s->kind == ERR_STOPPED;
	return err_set(e, s->kind, "the uploads do not end");
}

static void begin(struct world *w, struct settling *s)
{
	world_begin(w);
	w->store->mount = MOUNT_WRITE_BACK;
	world_noise(w, "a", 40000, 1);
	world_noise(w, "b", 70000, 2);
	*s = (struct settling){.kind = ERR_IO};
	w->d.settle = settle;
	w->d.settle_arg = s;
	w->d.stop = &s->stop;
}

/* What the newest file of the band tells. */
static bool told_settled(struct world *w, enum band_file want)
{
	enum band_file kind;
	struct band b;
	bool settled;

	world_band(w, w->result.snapshot, &kind, &b);
	assert_int_equal(kind, want);
	settled = b.settled;
	band_release(&b);
	return settled;
}

static void test_confirmed(void **state)
{
	struct settling s;
	struct world w;

	(void)state;
	begin(&w, &s);
	w.d.settle = NULL;
	world_run(&w);
	assert_false(w.result.confirmed);
	assert_false(told_settled(&w, BAND_TAIL));

	w.d.settle = settle;
	world_run(&w);
	assert_int_equal(s.calls, 3); /* after the head, before the tail, after it */
	assert_true(w.result.confirmed);
	assert_true(told_settled(&w, BAND_TAIL));

	w.d.settle = NULL;
	w.store->mount = MOUNT_THROUGH;
	world_run(&w);
	assert_true(w.result.confirmed);
	assert_true(told_settled(&w, BAND_TAIL));
	world_end(&w);
}

/* A new client relies on what others stored once its head is settled, and not before. */
static void test_new_client(void **state)
{
	struct settling s;
	struct world w;

	(void)state;
	begin(&w, &s);
	world_run(&w);
	w.d.cache = NULL;
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 0);
	w.d.settle = NULL;
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 110000);
	world_end(&w);
}

static void test_head_fails(void **state)
{
	struct settling s;
	struct world w;

	(void)state;
	begin(&w, &s);
	s.fails_at = 1;
	world_fail(&w, ERR_IO);
	assert_false(w.result.complete);
	assert_int_equal(w.counts.put, 1);
	assert_int_equal(w.counts.list, 0); /* no look before the head counts */
	world_end(&w);
}

/* No tail says that all is there, but nothing is stored twice. */
static void test_data_fails(void **state)
{
	struct settling s;
	struct world w;

	(void)state;
	begin(&w, &s);
	s.fails_at = 2;
	world_fail(&w, ERR_IO);
	assert_false(w.result.complete || w.result.confirmed);
	assert_true(strstr(w.err.text, "may not have arrived") != NULL);
	assert_false(told_settled(&w, BAND_PART));
	world_run(&w);
	assert_true(w.result.complete && w.result.confirmed);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_tail_fails(void **state)
{
	struct settling s;
	struct world w;

	(void)state;
	begin(&w, &s);
	s.fails_at = 3;
	world_fail(&w, ERR_IO);
	assert_true(w.result.complete);
	assert_false(w.result.confirmed);
	assert_true(strstr(w.err.text, w.result.snapshot) != NULL);
	assert_true(told_settled(&w, BAND_TAIL)); /* all that it tells of had arrived */
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

static void test_stopped(void **state)
{
	(void)state;
	for (unsigned at = 1; at <= 3; at++) {
		struct settling s;
		struct world w;

		begin(&w, &s);
		s.fails_at = at;
		s.kind = ERR_STOPPED;
		world_fail(&w, ERR_STOPPED);
		assert_int_equal(w.result.complete, at == 3);
		assert_int_equal(w.result.parts, at == 2);
		s = (struct settling){.calls = 0};
		world_run(&w);
		if (at > 1)
			assert_int_equal(w.result.totals.bytes_read, 0);
		world_check(&w, w.result.snapshot);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_confirmed),
	    cmocka_unit_test(test_new_client),
	    cmocka_unit_test(test_head_fails),
	    cmocka_unit_test(test_data_fails),
	    cmocka_unit_test(test_tail_fails),
	    cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
