/* Frames kept for a later window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/kept.h"
#include "tests/support/bytes.h"

static void put(struct kept *k, uint32_t bundle, uint32_t frame, size_t n)
{
	struct buf b = BUF_EMPTY;

	bytes_noise(&b, n, bundle * 1000 + frame + 1);
	kept_put(k, bundle, frame, buf_span(&b));
	buf_release(&b);
}

/* Whether it has the frame, with the right content. */
static bool take(struct kept *k, uint32_t bundle, uint32_t frame)
{
	struct buf b = BUF_EMPTY, want = BUF_EMPTY;
	bool yes = kept_has(k, bundle, frame);

	assert_int_equal(kept_take(k, bundle, frame, &b), yes);
	assert_false(kept_has(k, bundle, frame));
	if (yes) {
		bytes_noise(&want, b.n, bundle * 1000 + frame + 1);
		assert_memory_equal(b.p, want.p, b.n);
	}
	buf_release(&b);
	buf_release(&want);
	return yes;
}

static void test_oldest_goes(void **state)
{
	struct kept *k = kept_new(1000);

	(void)state;
	put(k, 1, 1, 400);
	put(k, 1, 2, 400);
	assert_true(take(k, 1, 1));
	put(k, 1, 1, 400); /* the youngest now */
	put(k, 2, 1, 400);
	assert_false(take(k, 1, 2));
	assert_true(take(k, 1, 1));
	assert_true(take(k, 2, 1));
	put(k, 3, 1, 1001); /* never */
	assert_false(take(k, 3, 1));
	kept_free(k);
}

static void test_replaced(void **state)
{
	struct kept *k = kept_new(1000);

	(void)state;
	put(k, 1, 1, 600);
	put(k, 1, 1, 900);
	put(k, 1, 2, 100);
	assert_true(take(k, 1, 1));
	assert_true(take(k, 1, 2));
	kept_free(k);
}

/* Many in and out, against a plain account of what must still be there. */
static void test_many(void **state)
{
	struct kept *k = kept_new(50 * 100);
	uint64_t random = 7, last[200] = {0};
	unsigned i, younger, f, j;

	(void)state;
	for (i = 1; i < 20000; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		f = (unsigned)(random >> 33) % 200;
		if (random >> 60 < 3) {
			for (younger = j = 0; j < 200; j++)
				younger += last[j] > last[f];
			if (last[f] && younger < 50)
				assert_true(kept_has(k, 5, f));
			take(k, 5, f);
			last[f] = 0;
		} else {
			put(k, 5, f, 100);
			last[f] = i;
		}
	}
	kept_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_oldest_goes),
	    cmocka_unit_test(test_replaced),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
