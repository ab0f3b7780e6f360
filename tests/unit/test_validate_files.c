/* Validate: files cut short, missing, swapped, doubled; storage that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/fault.h"
#include "tests/support/repo_make.h"
#include "tests/support/validate_make.h"

static void put(struct store *s, const char *folder, const char *name, struct span bytes)
{
	struct err e = ERR_EMPTY;

	assert_true(store_put(s, folder, name, &bytes, 1, &e));
}

/* --- other damage */

static void test_lengths(void **state)
{
	struct fixture f;
	struct files l;

	(void)state;
	fixture_setup(&f, true);
	l = files_of(f.clean);
	for (size_t i = 0; i < l.n; i++) {
		size_t n = l.v[i].bytes.n,
		       lengths[] = {0, 1, n / 2, n - 1, n + 1, n + 5000};
		bool bundle = strcmp(l.v[i].folder, "hunks") == 0 ||
			      strncmp(l.v[i].folder, "data", 4) == 0;

		for (size_t k = 0; k < 6; k++) {
			struct store *s = store_mem_clone(f.clean);
			struct buf b = BUF_EMPTY;

			buf_add_span(&b, buf_span(&l.v[i].bytes));
			memset(buf_extend(&b, 5000), 0, 5000);
			b.n = lengths[k];
			store_replace(s, l.v[i].folder, l.v[i].name, buf_span(&b));
			for (enum validate_level at = VALIDATE_QUICK; at <= VALIDATE_FULL;
			     at++) {
				struct hearing h;

				hear(&f, s, at, &h);
				if (bundle || k == 0 || at > VALIDATE_QUICK)
					expect_named(&h, &l.v[i], lengths[k]);
				forget(&h);
			}
			store_free(s);
			buf_release(&b);
		}
	}
	files_release(&l);
	fixture_teardown(&f);
}

/* What a command that was killed leaves of a small file is told of, and no damage. */
static void test_torn(void **state)
{
	static const char *const folders[] = {
	    "marks", "clients", "health", "tombstones", "keys", "bands"};
	const size_t lengths[] = {0, 1, 40};
	struct fixture f;

	(void)state;
	fixture_setup(&f, true);
	for (size_t i = 0; i < 6; i++)
		for (size_t k = 0; k < 3; k++) {
			struct store *s = store_mem_clone(f.clean);
			const char *begin = "{\"bale\":1,\"type\":\"mark\",\"name\":\"0123456789";
			const char *random = "abcdefghijklmnopqrstuv0123";
			char *name = strcmp(folders[i], "bands") ? mem_strdup(random)
								 : mem_printf("%s-removed-%s",
								       f.snapshot[0], random);

			put(s, folders[i], name, span_str("x"));
			store_replace(
			    s, folders[i], name, span_of((const uint8_t *)begin, lengths[k]));
			for (enum validate_level at = VALIDATE_QUICK; at <= VALIDATE_FULL;
			     at++) {
				struct hearing h;

				hear(&f, s, at, &h);
				if (h.n != 0)
					fail_msg("%s/%s: damage", folders[i], name);
				assert_true(h.res.litter == 1 || at == VALIDATE_QUICK);
				forget(&h);
			}
			free(name);
			store_free(s);
		}
	fixture_teardown(&f);
}

/* Nothing tells of the newest tail, and in memory of its band is then only a head and
 * parts. */
static bool is_untold(const struct fixture *f, const struct file *file)
{
	return strncmp(file->name, f->snapshot[SNAPSHOTS - 1],
		   strlen(f->snapshot[SNAPSHOTS - 1])) == 0 &&
	       (strstr(file->name, "-tail-") || strstr(file->name, "-part-"));
}

static bool is_last_part(const struct files *l, const struct file *file)
{
	char *stem = mem_strdup(file->name), *part = strstr(stem, "-part-");
	bool last = part != NULL;

	if (part) {
		part[10] = 0;
		for (size_t i = 0; i < l->n; i++)
			if (strncmp(l->v[i].name, stem, (size_t)(part - stem) + 6) == 0 &&
			    strncmp(l->v[i].name, stem, strlen(stem)) > 0)
				last = false;
	}
	free(stem);
	return last;
}

static void test_missing(void **state)
{
	struct fixture f;
	struct files l;
	struct err e = ERR_EMPTY;

	(void)state;
	fixture_setup(&f, true);
	l = files_of(f.clean);
	for (size_t i = 0; i < l.n; i++) {
		struct store *s = store_mem_clone(f.clean);
		bool band = strcmp(l.v[i].folder, "bands") == 0;

		if (!strcmp(l.v[i].name, "bale.json") || is_untold(&f, &l.v[i]) ||
		    is_last_part(&l, &l.v[i])) {
			store_free(s);
			continue;
		}
		assert_true(store_remove(s, l.v[i].folder, l.v[i].name, &e));
		for (enum validate_level at = VALIDATE_QUICK; at <= VALIDATE_FULL; at++) {
			struct hearing h;

			hear(&f, s, at, &h);
			if (h.n != 1)
				fail_msg("%s: %zu damages", path_of(&l.v[i]), h.n);
			assert_string_equal(h.v[0].kind, "missing");
			if (!band && strcmp(l.v[i].folder, "keys") != 0)
				assert_string_equal(h.v[0].file, path_of(&l.v[i]));
			if (strncmp(l.v[i].folder, "data", 4) == 0)
				assert_true(
				    h.v[0].all_paths > 0 && h.v[0].snapshots.n > 0);
			forget(&h);
		}
		store_free(s);
	}
	files_release(&l);
	fixture_teardown(&f);
}

/* All of a band: others have seen it. */
static void test_missing_band(void **state)
{
	struct fixture f;
	struct hearing h;
	struct store *s;
	struct files l;
	struct err e = ERR_EMPTY;

	(void)state;
	fixture_setup(&f, false);
	l = files_of(f.clean);
	s = store_mem_clone(f.clean);
	for (size_t i = 0; i < l.n; i++)
		if (strncmp(l.v[i].name, f.snapshot[0], strlen(f.snapshot[0])) == 0)
			assert_true(store_remove(s, "bands", l.v[i].name, &e));
	hear(&f, s, VALIDATE_QUICK, &h);
	assert_true(h.n >= 1);
	assert_string_equal(h.v[0].kind, "missing");
	assert_int_equal(h.res.snapshots, SNAPSHOTS - 1);
	forget(&h);
	store_free(s);
	files_release(&l);
	fixture_teardown(&f);
}

static bool same_kind(const struct file *a, const struct file *b)
{
	return strncmp(a->folder, b->folder, 4) == 0 && *a->folder;
}

static void test_swapped(void **state)
{
	struct fixture f;
	struct files l;

	(void)state;
	fixture_setup(&f, true);
	l = files_of(f.clean);
	for (size_t i = 0; i + 1 < l.n; i++) {
		struct store *s;

		if (!same_kind(&l.v[i], &l.v[i + 1]))
			continue;
		s = store_mem_clone(f.clean);
		store_replace(s, l.v[i].folder, l.v[i].name, buf_span(&l.v[i + 1].bytes));
		store_replace(
		    s, l.v[i + 1].folder, l.v[i + 1].name, buf_span(&l.v[i].bytes));
		for (enum validate_level at = VALIDATE_STORED; at <= VALIDATE_FULL;
		     at++) {
			struct hearing h;

			hear(&f, s, at, &h);
			assert_non_null(heard_of(&h, path_of(&l.v[i])));
			assert_non_null(heard_of(&h, path_of(&l.v[i + 1])));
			assert_int_equal(h.n, 2);
			forget(&h);
		}
		store_free(s);
	}
	files_release(&l);
	fixture_teardown(&f);
}

/* A copy under another name that could be one; and a name that could not, which is a
 * note. */
static void test_doubled(void **state)
{
	struct fixture f;
	struct files l;

	(void)state;
	fixture_setup(&f, true);
	l = files_of(f.clean);
	for (size_t i = 0; i < l.n; i++) {
		struct store *s = store_mem_clone(f.clean);
		char other[NAME_MAX_LEN + 1];
		struct hearing h;
		size_t n = strlen(l.v[i].name);

		if (!*l.v[i].folder) {
			store_free(s);
			continue;
		}
		strcpy(other, l.v[i].name);
		other[n - 1] = other[n - 1] == '0' ? '1' : '0';
		put(s, l.v[i].folder, other, buf_span(&l.v[i].bytes));
		put(s, l.v[i].folder, "what.is-this", span_str("x"));
		for (enum validate_level at = VALIDATE_STORED; at <= VALIDATE_FULL;
		     at++) {
			hear(&f, s, at, &h);
			if (h.n != 1)
				fail_msg(
				    "a double of %s: %zu damages", path_of(&l.v[i]), h.n);
			assert_true(strstr(h.v[0].file, other) != NULL);
			assert_int_equal(h.notes, 1);
			assert_int_equal(h.res.damaged_paths, 0);
			forget(&h);
		}
		store_free(s);
	}
	files_release(&l);
	fixture_teardown(&f);
}

/* --- storage that fails */

static void test_unreadable(void **state)
{
	struct fault_plan plan = {.how = FAIL_FOREVER, .kinds = OP_GET, .err = ERR_IO};
	struct fixture f;
	struct hearing h;
	struct err e = ERR_EMPTY;
	bool all = false;

	(void)state;
	fixture_setup(&f, true);
	for (plan.nth = 0; !all; plan.nth += 5) {
		struct store *s = store_fault_new(store_mem_clone(f.clean), &plan);

		hear(&f, s, VALIDATE_FULL, &h);
		all = h.n == 0;
		for (size_t i = 0; i < h.n; i++)
			if (strcmp(h.v[i].kind, "missing") !=
			    0) /* told by what is unreadable */
				assert_string_equal(h.v[i].kind, "unreadable");
		forget(&h);
		store_free(s);
	}
	assert_true(plan.nth > 20);
	plan = (struct fault_plan){
	    .how = FAIL_FOREVER, .kinds = OP_GET, .err = ERR_UNREACHABLE, .nth = 10};
	for (plan.nth = 0; plan.nth < 20; plan.nth++) {
		struct store *s = store_fault_new(store_mem_clone(f.clean), &plan);

		e = (struct err)ERR_EMPTY;
		assert_false(validate(&f, s, VALIDATE_FULL, 0, &h, &e));
		assert_int_equal(e.kind, ERR_UNREACHABLE);
		forget(&h);
		store_free(s);
	}
	fixture_teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_torn),
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_missing_band),
	    cmocka_unit_test(test_swapped),
	    cmocka_unit_test(test_doubled),
	    cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
