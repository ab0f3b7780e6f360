/* What stands of what validations have found. */
#include "engine/findings.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct id bundle(uint8_t n)
{
	struct id id = {{n}};

	return id;
}

static void add_damage(
    struct findings *all, int64_t time, uint8_t b, uint32_t slot, uint32_t n)
{
	struct health h;

	health_init(&h);
	h.time = time;
	health_add_damage(&h, &(struct damage){bundle(b), slot, n});
	findings_add(all, &h);
	health_release(&h);
}

static void add_checked(
    struct findings *all, int64_t time, uint8_t b, enum health_level level)
{
	struct health h;

	health_init(&h);
	h.time = time;
	health_add_checked(&h, &(struct checked){bundle(b), level});
	findings_add(all, &h);
	health_release(&h);
}

static void note(void *arg, const struct damage *d)
{
	char *out = arg, one[32];

	snprintf(one, sizeof one, "%u:%u+%u ", d->bundle.b[0], d->slot, d->count);
	strcat(out, one);
}

static void assert_stands(struct findings *all, const char *want)
{
	char got[256] = "";

	findings_tell(all, note, got);
	assert_string_equal(got, want);
	findings_release(all);
}

static void test_stands(void **state)
{
	struct findings all = {NULL, 0, 0};

	(void)state;
	assert_stands(&all, "");
	add_damage(&all, 5, 2, 7, 1);
	add_damage(&all, 4, 1, 0, 0);
	add_damage(&all, 6, 1, 0, 0);
	assert_stands(&all, "1:0+0 2:7+1 ");
}

static void test_taken_back(void **state)
{
	struct findings all = {NULL, 0, 0};

	(void)state;
	add_damage(&all, 5, 1, 7, 1);
	add_damage(&all, 5, 2, 0, 0);
	add_checked(&all, 9, 1, HEALTH_FULL);
	add_checked(&all, 9, 2, HEALTH_FULL);
	assert_stands(&all, "");

	/* The digest of a bundle that was put damaged is right. */
	add_damage(&all, 5, 1, 7, 1);
	add_damage(&all, 5, 2, 0, 0);
	add_checked(&all, 9, 1, HEALTH_STORED);
	add_checked(&all, 9, 2, HEALTH_STORED);
	assert_stands(&all, "1:7+1 ");
}

/* Files are read in the order of their names, which is chance. */
static void test_the_newest_counts(void **state)
{
	struct findings all = {NULL, 0, 0};

	(void)state;
	add_checked(&all, 3, 1, HEALTH_FULL);
	add_damage(&all, 5, 1, 7, 1);
	add_checked(&all, 4, 1, HEALTH_FULL);
	add_damage(&all, 2, 1, 1, 1);
	assert_stands(&all, "1:7+1 ");
}

/* In one file, what was found whole in a second look is whole. */
static void test_at_one_time(void **state)
{
	struct findings all = {NULL, 0, 0};

	(void)state;
	add_checked(&all, 5, 1, HEALTH_FULL);
	add_damage(&all, 5, 1, 7, 1);
	assert_stands(&all, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stands),
	    cmocka_unit_test(test_taken_back),
	    cmocka_unit_test(test_the_newest_counts),
	    cmocka_unit_test(test_at_one_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
