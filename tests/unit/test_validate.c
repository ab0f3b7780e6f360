/* Validate: what is clean, flipped bytes and who suffers from them, and the record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "band/bands.h"
#include "engine/reading.h"
#include "store/fault.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/validate_make.h"

static void put(struct store *s, const char *folder, const char *name, struct span bytes)
{
	struct err e = ERR_EMPTY;

	assert_true(store_put(s, folder, name, &bytes, 1, &e));
}

/* --- nothing is wrong */

static void test_clean(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct fixture f;
		struct files l;
		struct hearing h;
		unsigned data = 0, hunks = 0;
		uint64_t bytes = 0;

		fixture_setup(&f, encrypted);
		expect_clean(&f, f.clean, 4, 0, 0);
		l = files_of(f.clean);
		for (size_t i = 0; i < l.n; i++) {
			data += strncmp(l.v[i].folder, "data", 4) == 0;
			hunks += strcmp(l.v[i].folder, "hunks") == 0;
			bytes += l.v[i].bytes.n;
		}
		assert_true(data >= 3 && hunks >= 3);
		hear(&f, f.clean, VALIDATE_FULL, &h);
		assert_int_equal(h.res.checked_files, l.n);
		assert_true(
		    h.res.checked_bytes <= bytes && h.res.checked_bytes > bytes * 9 / 10);
		forget(&h);
		files_release(&l);
		fixture_teardown(&f);
	}
}

static void test_threads(void **state)
{
	struct fixture f;
	struct hearing h;
	struct err e = ERR_EMPTY;

	(void)state;
	fixture_setup(&f, true);
	for (enum validate_level l = VALIDATE_QUICK; l <= VALIDATE_FULL; l++) {
		assert_true(validate(&f, f.clean, l, 4, &h, &e));
		assert_int_equal(h.n, 0);
		forget(&h);
	}
	fixture_teardown(&f);
}

struct stopper {
	struct monitor monitor;
	volatile bool stop;
};

static void stop_late(struct monitor *m, const struct progress *p)
{
	if (p->files > 4100)
		((struct stopper *)m)->stop = true;
}

/* So many files that a hunk must end before all of them were seen. */
static void make_many(const char *dir, const char *below)
{
	char bytes[700] = "";

	scratch_mkdir(dir, below);
	for (unsigned i = 0; i < 5200; i++) {
		snprintf(bytes, sizeof bytes, "%s/%u", below, i);
		scratch_file(dir, bytes, bytes, sizeof bytes);
	}
}

/* A client that dies at any put leaves nothing that counts as damage. */
static void test_killed(void **state)
{
	struct fault_plan plan = {.how = FAIL_CRASH, .kinds = OP_PUT};
	struct backup_result res;
	struct fixture f;
	bool done = false;

	(void)state;
	fixture_setup(&f, true);
	fixture_tree(f.dir, "three", 250, 123456);
	for (; !done; plan.nth++) {
		struct store *faulty = store_fault_new(store_mem_clone(f.clean), &plan),
			     *left;
		struct err e = ERR_EMPTY;

		fixture_forget_client(&f);
		f.repo->store = faulty;
		done = fixture_backup(&f, "three", "three", NULL, NULL, &res, &e);
		f.repo->store = f.clean;
		left = store_fault_release_inner(faulty);
		expect_clean(&f, left, 4 + done, !done && plan.nth > 0, 0);
		store_free(left);
		store_free(faulty);
	}
	assert_true(plan.nth > 5);
	fixture_teardown(&f);
}

/*
 * An interrupted run leaves a band without a tail; one that was killed also torn bundles.
 */
static void test_interrupted(void **state)
{
	struct stopper stopper = {.monitor = {.progress = stop_late}};
	struct backup_result res;
	struct err e = ERR_EMPTY;
	struct store *torn;
	struct fixture f;
	struct files l;
	char snapshot[BAND_MAX_LEN + 1];

	(void)state;
	fixture_setup(&f, true);
	make_many(f.dir, "many");
	assert_false(fixture_backup(
	    &f, "many", "many", &stopper.stop, &stopper.monitor, &res, &e));
	assert_int_equal(e.kind, ERR_STOPPED);
	assert_true(res.parts > 0);
	expect_clean(&f, f.clean, 4, 1, 0);

	l = files_of(f.clean);
	torn = store_mem_clone(f.clean);
	put(torn, "data/0", "000000000000000000000000000000000000000000000000",
	    span_of(l.v[0].bytes.p, l.v[0].bytes.n / 2));
	put(torn, "index", "111111111111111111111111111111111111111111111111",
	    span_of(l.v[0].bytes.p, 20));
	files_release(&l);
	expect_clean(&f, torn, 4, 1, 2);
	store_free(torn);
	fixture_backup_well(&f, "many", "many", snapshot);
	expect_clean(&f, f.clean, 5, 0, 0);
	fixture_teardown(&f);
}

/* --- flipped bytes */

static struct store *with_flip(struct fixture *f, const struct file *file, size_t at)
{
	struct store *s = store_mem_clone(f->clean);
	struct buf b = BUF_EMPTY;

	buf_add_span(&b, buf_span(&file->bytes));
	b.p[at] ^= (uint8_t)(1u << at % 8);
	store_replace(s, file->folder, file->name, buf_span(&b));
	buf_release(&b);
	return s;
}

/* BALE_TEST_STRIDE=1 takes every byte of every file. */
static size_t stride(size_t usual)
{
	const char *s = getenv("BALE_TEST_STRIDE");

	return s ? strtoul(s, NULL, 10) : usual;
}

static void test_flips_stored(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct fixture f;
		struct files l;

		fixture_setup(&f, encrypted);
		l = files_of(f.clean);
		for (size_t i = 0; i < l.n; i++) {
			size_t step = l.v[i].bytes.n > 5000 ? stride(2003) : stride(101);

			for (size_t at = i % step; at < l.v[i].bytes.n; at += step) {
				struct store *s = with_flip(&f, &l.v[i], at);
				struct hearing h;

				hear(&f, s, VALIDATE_STORED, &h);
				expect_named(&h, &l.v[i], at);
				forget(&h);
				store_free(s);
			}
		}
		files_release(&l);
		fixture_teardown(&f);
	}
}

/* --- who suffers */

/* The chunks that a flipped byte of a bundle costs; all of them behind the last frame. */
struct lost {
	const struct bundle *b;
	uint32_t first, end; /* slots */
};

static struct lost lost_by(const struct bundle *b, size_t at)
{
	struct lost l = {b, 0, b->dir.n_chunks};

	for (uint32_t i = 0; i < b->dir.n_frames; i++) {
		const struct frame_rec *f = &b->dir.frames[i];

		if (at >= f->at && at < f->at + f->stored) {
			l.first = f->first;
			l.end = f->first + f->chunks;
		}
	}
	return l;
}

static bool is_lost(const struct lost *l, const struct id *id)
{
	for (uint32_t i = l->first; i < l->end; i++)
		if (id_equal(&l->b->dir.ids[i], id))
			return true;
	return false;
}

struct asking {
	const struct lost *lost;
	bool hit;
};

static bool on_extent(void *arg, const struct extent *x, struct err *e)
{
	struct asking *a = arg;

	(void)e;
	a->hit = a->hit || (!x->hole && is_lost(a->lost, &x->id));
	return true;
}

/* Paths, each once, and snapshots whose entries refer to chunks that are lost. */
static void expect_suffering(
    struct fixture *f, const struct lost *lost, struct buf *paths, struct buf *snapshots)
{
	struct bands bands;
	struct err e = ERR_EMPTY;
	char line[400];

	assert_true(bands_list(f->repo, &bands, &e));
	for (size_t i = 0; i < bands.n; i++) {
		enum band_file kind;
		struct reading rd;
		struct entry en;
		struct band b;
		bool any = false;

		assert_true(band_read(f->repo, &bands.v[i], &kind, &b, &e));
		reading_open(&rd, f->repo, &b, NULL, 2);
		while (stream_next(rd.stream, &en, &e) == STREAM_ENTRY) {
			struct asking a = {lost, false};

			for (uint32_t k = 0; k < en.n_extents; k++)
				a.hit = a.hit || (en.content == CONTENT_LIST &&
						     is_lost(lost, &en.extents[k].id));
			if (en.content == CONTENT_EXTENTS || en.content == CONTENT_LIST)
				assert_true(
				    stream_extents(rd.stream, &en, on_extent, &a, &e));
			if (!a.hit)
				continue;
			any = true;
			snprintf(
			    line, sizeof line, "%.*s\n", (int)en.apath.n, en.apath.p);
			if (!strstr(buf_str(paths), line))
				buf_add_str(paths, line);
		}
		if (any)
			buf_printf(snapshots, "%s\n", bands.v[i].name.text);
		reading_close(&rd);
		band_release(&b);
	}
	bands_release(&bands);
}

static size_t count_lines(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->p[i] == '\n';
	return n;
}

static void check_same_lines(struct buf *got, struct buf *want)
{
	char *copy, *line, *save = NULL;

	assert_int_equal(count_lines(got), count_lines(want));
	copy = mem_strdup(buf_str(want));
	for (line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *whole = mem_printf("%s\n", line);

		if (!strstr(buf_str(got), whole))
			fail_msg("not told of: %s", line);
		free(whole);
	}
	free(copy);
}

/* Who is expected to suffer; the same for all bytes of a frame. */
struct expected {
	bool known;
	uint32_t first, end;
	struct buf paths, snapshots;
};

static void expect(struct fixture *f, const struct lost *lost, struct expected *x)
{
	if (x->known && x->first == lost->first && x->end == lost->end)
		return;
	buf_clear(&x->paths);
	buf_clear(&x->snapshots);
	expect_suffering(f, lost, &x->paths, &x->snapshots);
	x->known = true;
	x->first = lost->first;
	x->end = lost->end;
}

static void check_data_flip(struct fixture *f, const struct file *file, size_t at,
    struct heard *heard, struct expected *x)
{
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct lost lost;
	struct id name;

	assert_true(id_of_name(file->name, &name));
	assert_true(bundle_open(f->repo, FILE_DATA, &name, &b, &e));
	lost = lost_by(b, at);
	/* The header is not needed to read a bundle whose end is not also its beginning. */
	if (at < FILE_HEAD_SIZE && b->size > BUNDLE_TAIL)
		lost.end = lost.first = 0;
	expect(f, &lost, x);
	check_same_lines(&heard->paths, &x->paths);
	check_same_lines(&heard->snapshots, &x->snapshots);
	assert_int_equal(heard->all_paths, count_lines(&x->paths));
	bundle_free(b);
}

static void test_flips_full(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct fixture f;
		struct files l;

		fixture_setup(&f, encrypted);
		l = files_of(f.clean);
		for (size_t i = 0; i < l.n; i++) {
			size_t n = l.v[i].bytes.n, step = stride(n / 20 + 1);
			struct expected x = {.known = false};

			for (size_t at = i % 7; at < n; at += step) {
				struct store *s = with_flip(&f, &l.v[i], at);
				struct hearing h;

				hear(&f, s, VALIDATE_FULL, &h);
				expect_named(&h, &l.v[i], at);
				if (strncmp(l.v[i].folder, "data", 4) == 0)
					check_data_flip(&f, &l.v[i], at, &h.v[0], &x);
				forget(&h);
				store_free(s);
			}
			buf_release(&x.paths);
			buf_release(&x.snapshots);
		}
		files_release(&l);
		fixture_teardown(&f);
	}
}

/*
 * A lost hunk costs the snapshots that name it and all paths in it: named one by one
 * where the cache knows it, as of the newest snapshots; else the first of them.
 */
static void test_hunks_suffer(void **state)
{
	struct fixture f;
	struct files l;
	unsigned found = 0, named = 0;
	bool newest = false;

	(void)state;
	fixture_setup(&f, true);
	l = files_of(f.clean);
	for (size_t i = 0; i < l.n; i++) {
		struct store *s;
		struct hearing h;

		if (strcmp(l.v[i].folder, "hunks") != 0)
			continue;
		/* Behind the small hunk of the folders above the source. */
		s = with_flip(&f, &l.v[i], l.v[i].bytes.n / 2);
		hear(&f, s, VALIDATE_QUICK, &h);
		if (h.n == 1) {
			found++;
			assert_true(h.v[0].all_paths > 0 && h.v[0].snapshots.n > 0);
			assert_int_equal(h.res.damaged_paths, h.v[0].all_paths);
			named += count_lines(&h.v[0].paths) == h.v[0].all_paths;
			newest =
			    newest || (count_lines(&h.v[0].paths) > 20 &&
					  strstr(buf_str(&h.v[0].paths), "/two/large"));
		}
		forget(&h);
		store_free(s);
	}
	assert_true(found >= 3 && named >= 2 && named < found && newest);
	files_release(&l);
	fixture_teardown(&f);
}

/* --- the record, and healing */

static size_t records(struct store *s)
{
	struct store_listing l = {0};
	struct err e = ERR_EMPTY;
	size_t n;

	assert_true(store_list(s, "health", &l, &e));
	n = l.n;
	store_listing_release(&l);
	return n;
}

static void test_heals(void **state)
{
	struct fixture f;
	struct hearing h;
	struct files l;
	char snapshot[BAND_MAX_LEN + 1];
	size_t i = 0;

	(void)state;
	fixture_setup(&f, true);
	l = files_of(f.clean);
	while (strncmp(l.v[i].folder, "data", 4) != 0 || l.v[i].bytes.n < 30000)
		i++;
	l.v[i].bytes.p[3000] ^= 1;
	store_replace(f.clean, l.v[i].folder, l.v[i].name, buf_span(&l.v[i].bytes));
	hear(&f, f.clean, VALIDATE_STORED, &h);
	assert_int_equal(h.n, 1);
	assert_true(h.v[0].all_paths > 0);
	forget(&h);
	assert_int_equal(records(f.clean), 1);

	/* Known already: not recorded again. What can be had of it elsewhere is not lost. */
	fixture_backup_well(&f, "one", "one", snapshot);
	hear(&f, f.clean, VALIDATE_FULL, &h);
	assert_int_equal(h.n, 1);
	assert_int_equal(records(f.clean), 1);
	assert_null(strstr(buf_str(&h.v[0].snapshots), snapshot));
	forget(&h);

	/* Whole again: taken back, once. */
	l.v[i].bytes.p[3000] ^= 1;
	store_replace(f.clean, l.v[i].folder, l.v[i].name, buf_span(&l.v[i].bytes));
	expect_clean(&f, f.clean, 5, 0, 0);
	assert_int_equal(records(f.clean), 2);
	expect_clean(&f, f.clean, 5, 0, 0);
	assert_int_equal(records(f.clean), 2);
	files_release(&l);
	fixture_teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clean),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_interrupted),
	    cmocka_unit_test(test_flips_stored),
	    cmocka_unit_test(test_flips_full),
	    cmocka_unit_test(test_hunks_suffer),
	    cmocka_unit_test(test_heals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
