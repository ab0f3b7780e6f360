/* Finding chunks whose hint has missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/delta.h"
#include "index/resolve.h"
#include "store/fault.h"
#include "tests/support/bytes.h"
#include "tests/support/index_make.h"
#include "tests/support/repo_make.h"
#include "tests/support/steady.h"

#define CHUNKS 6
#define RUN    "20261118021007-0123456789abcdef-1"

struct scene {
	struct store *mem;
	struct repo *r;
	struct buf content[CHUNKS];
	struct span chunks[CHUNKS];
	struct id ids[CHUNKS];
};

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof *s);
	s->mem = store_mem_new(env);
	s->r = repo_make(s->mem, env, true);
	for (size_t i = 0; i < CHUNKS; i++) {
		bytes_noise(&s->content[i], 300 + i, i + 1);
		s->chunks[i] = buf_span(&s->content[i]);
		chunk_id(s->r, FILE_DATA, s->chunks[i], &s->ids[i]);
	}
}

static void scene_release(struct scene *s)
{
	for (size_t i = 0; i < CHUNKS; i++)
		buf_release(&s->content[i]);
	repo_close(s->r);
}

/* A bundle of the chunks from..to-1, told of by a delta. */
static struct bundle_ref add_bundle(
    struct scene *s, size_t from, size_t to, struct delta_writer *w)
{
	struct bundle_ref ref =
	    index_bundle(s->r, FILE_DATA, s->chunks + from, to - from, 2);
	struct delta_bundle d = {.name = ref.name, .type = FILE_DATA, .size = ref.size};
	struct buf dir = BUF_EMPTY;
	struct bundle *b;
	struct err e;

	if (w) {
		assert_true(bundle_open(s->r, FILE_DATA, &ref.name, &b, &e));
		directory_encode(&b->dir, &dir);
		d.run = span_str(RUN);
		d.directory = buf_span(&dir);
		delta_add_bundle(w, &d);
		bundle_free(b);
		buf_release(&dir);
	}
	return ref;
}

static struct id put_delta(struct scene *s, struct delta_writer *w)
{
	struct buf plain = BUF_EMPTY;
	struct id name;
	uint64_t size;
	struct err e;

	delta_encode(w, span_str(RUN), &plain);
	assert_true(repo_put_delta(s->r, buf_span(&plain), &name, &size, &e));
	buf_release(&plain);
	delta_writer_release(w);
	*w = (struct delta_writer)DELTA_WRITER_EMPTY;
	return name;
}

static size_t find(struct resolver *res, const struct id *id, bool deep,
    const struct found **f)
{
	struct err e;
	size_t n;

	assert_true(resolver_find(res, FILE_DATA, id, deep ? REACH_BUNDLES : REACH_DELTAS, f,
	    &n, &e));
	return n;
}

static void test_deltas(void **state)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	struct bundle_ref a, b;
	struct resolver *res;
	const struct found *f;
	struct scene s;
	struct err e;
	size_t n;

	(void)state;
	scene_init(&s);
	a = add_bundle(&s, 0, 3, &w);
	put_delta(&s, &w);
	b = add_bundle(&s, 2, 5, &w);
	put_delta(&s, &w);
	res = resolver_new(s.r);
	assert_int_equal(find(res, &s.ids[1], false, &f), 1);
	assert_true(id_equal(&f[0].bundle, &a.name));
	assert_int_equal(f[0].slot, 1);
	assert_int_equal(find(res, &s.ids[4], false, &f), 1);
	assert_true(id_equal(&f[0].bundle, &b.name));
	assert_int_equal(f[0].slot, 2);
	assert_int_equal(find(res, &s.ids[2], false, &f), 2);
	assert_false(id_equal(&f[0].bundle, &f[1].bundle));
	assert_int_equal(find(res, &s.ids[5], false, &f), 0);
	assert_int_equal(find(res, &s.ids[5], true, &f), 0);
	assert_true(resolver_find(res, FILE_HUNKS, &s.ids[1], REACH_BUNDLES, &f, &n, &e));
	assert_int_equal(n, 0);
	resolver_free(res);
	scene_release(&s);
}

/* What a vacuum has moved away from is tried last. */
static void test_moves(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		struct delta_writer w = DELTA_WRITER_EMPTY;
		struct bundle_ref ref[2];
		struct delta_move m = {.slot = 0, .count = 3, .to_slot = 0};
		struct resolver *res;
		const struct found *f;
		struct scene s;

		scene_init(&s);
		ref[0] = add_bundle(&s, 0, 3, &w);
		ref[1] = add_bundle(&s, 0, 3, &w);
		m.from = ref[k].name;
		m.to = ref[1 - k].name;
		delta_add_move(&w, &m);
		put_delta(&s, &w);
		res = resolver_new(s.r);
		assert_int_equal(find(res, &s.ids[1], false, &f), 2);
		assert_true(id_equal(&f[0].bundle, &ref[1 - k].name));
		resolver_free(res);
		scene_release(&s);
	}
}

/* Where a delta tells of moves and of where they went, no other is read. */
static void test_moves_first(void **state)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	struct delta_move m = {.slot = 0, .count = 3, .to_slot = 0};
	struct store_counts before, after;
	struct store *trace;
	struct bundle_ref ref;
	struct resolver *res;
	const struct found *f;
	struct scene s;
	struct repo *r;
	struct err e;
	struct id id;
	size_t n;

	(void)state;
	scene_init(&s);
	m.from = add_bundle(&s, 0, 3, &w).name;
	for (unsigned i = 0; i < 20; i++) {
		struct delta_writer none = DELTA_WRITER_EMPTY;

		id = put_delta(&s, i ? &none : &w);
		assert_false(delta_name_moves(&id));
	}
	ref = add_bundle(&s, 0, 3, &w);
	m.to = ref.name;
	delta_add_move(&w, &m);
	id = put_delta(&s, &w);
	assert_true(delta_name_moves(&id));

	trace = store_trace_new(store_mem_clone(s.mem));
	r = repo_reopen(trace, env);
	res = resolver_new(r);
	store_trace_counts(trace, &before);
	assert_true(resolver_find(res, FILE_DATA, &s.ids[1], REACH_MOVES, &f, &n, &e));
	assert_true(n == 1 && id_equal(&f[0].bundle, &ref.name));
	store_trace_counts(trace, &after);
	assert_int_equal(after.get - before.get, 1);
	assert_int_equal(find(res, &s.ids[1], false, &f), 2);
	assert_true(id_equal(&f[0].bundle, &ref.name));
	store_trace_counts(trace, &after);
	assert_int_equal(after.get - before.get, 21);
	assert_int_equal(after.list - before.list, 1);
	resolver_free(res);
	repo_close(r);
	scene_release(&s);
}

/* A delta that is damaged, or not there at all, hides nothing for good. */
static void test_deep(void **state)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	char text[2 * ID_SIZE + 1];
	struct bundle_ref a, b;
	struct resolver *res;
	const struct found *f;
	struct scene s;
	struct id delta;

	(void)state;
	scene_init(&s);
	a = add_bundle(&s, 0, 3, &w);
	delta = put_delta(&s, &w);
	b = add_bundle(&s, 3, 5, NULL);
	name_of_id(&delta, text);
	store_replace(s.r->store, "index", text, span_str("not what it was"));
	res = resolver_new(s.r);
	assert_int_equal(find(res, &s.ids[0], false, &f), 0);
	assert_int_equal(find(res, &s.ids[0], true, &f), 1);
	assert_true(id_equal(&f[0].bundle, &a.name));
	assert_int_equal(find(res, &s.ids[4], false, &f), 1);
	assert_true(id_equal(&f[0].bundle, &b.name));
	resolver_free(res);
	scene_release(&s);
}

/*
 * Where the storage fails, the answer is not "nowhere", and the next look-up starts anew.
 */
static void test_storage_fails(void **state)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	bool fired = true;
	struct scene s;

	(void)state;
	scene_init(&s);
	add_bundle(&s, 0, 3, &w);
	put_delta(&s, &w);
	add_bundle(&s, 3, 5, NULL);
	for (uint64_t nth = 4; fired; nth++) {
		struct fault_plan plan = {
		    .how = FAIL_ONCE, .nth = nth, .err = ERR_UNREACHABLE};
		struct store *fault = store_fault_new(store_mem_clone(s.mem), &plan);
		struct repo *r = repo_reopen(fault, env);
		struct resolver *res = resolver_new(r);
		bool before = store_fault_fired(fault);
		const struct found *f;
		struct err e;
		size_t n;

		if (!resolver_find(res, FILE_DATA, &s.ids[3], REACH_BUNDLES, &f, &n, &e))
			assert_int_equal(e.kind, ERR_UNREACHABLE);
		else
			assert_int_equal(n, 1);
		fired = store_fault_fired(fault);
		assert_false(before);
		assert_true(resolver_find(res, FILE_DATA, &s.ids[3], REACH_BUNDLES, &f, &n, &e));
		assert_int_equal(n, 1);
		assert_int_equal(find(res, &s.ids[0], true, &f), 1);
		resolver_free(res);
		repo_close(r);
	}
	scene_release(&s);
}

static void spoil_frame(struct scene *s, const struct id *bundle)
{
	char name[2 * ID_SIZE + 1], folder[16];
	struct buf file = BUF_EMPTY;

	name_of_id(bundle, name);
	folder_of(FILE_DATA, bundle, folder);
	assert_true(store_get(s->r->store, folder, name, 0, SIZE_MAX, &file, NULL, NULL));
	file.p[FILE_HEAD_SIZE + 30] ^= 1;
	store_replace(s->r->store, folder, name, buf_span(&file));
	buf_release(&file);
}

/* Reading goes through hint, copies and directories, until the bytes are right. */
static void test_read(void **state)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	struct chunk_reader *cr;
	struct resolver *res;
	struct bundle_ref a, b;
	struct found hint;
	struct scene s;
	struct span got;
	struct err e;

	(void)state;
	scene_init(&s);
	a = add_bundle(&s, 0, 3, &w);
	b = add_bundle(&s, 0, 1, &w);
	put_delta(&s, &w);
	add_bundle(&s, 3, 5, NULL);
	spoil_frame(&s, &a.name); /* chunks 0 and 1 */
	res = resolver_new(s.r);
	cr = chunk_reader_new(s.r, 2, 2);
	hint = (struct found){a.name, 0};
	assert_true(resolver_read(res, cr, FILE_DATA, &hint, &s.ids[0], &got, &e));
	assert_true(span_equal(got, s.chunks[0]));
	assert_false(resolver_read(NULL, cr, FILE_DATA, &hint, &s.ids[0], &got, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	hint = (struct found){b.name, 77};
	assert_true(resolver_read(res, cr, FILE_DATA, &hint, &s.ids[2], &got, &e));
	assert_true(span_equal(got, s.chunks[2]));
	assert_true(resolver_read(res, cr, FILE_DATA, NULL, &s.ids[4], &got, &e));
	assert_true(span_equal(got, s.chunks[4]));
	hint = (struct found){a.name, 1};
	assert_false(resolver_read(res, cr, FILE_DATA, &hint, &s.ids[1], &got, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	hint.bundle.b[3] ^= 1;
	assert_false(resolver_read(res, cr, FILE_DATA, &hint, &s.ids[5], &got, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	chunk_reader_free(cr);
	resolver_free(res);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_moves_first), cmocka_unit_test(test_deep),
		cmocka_unit_test(test_storage_fails),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, steady_begin, steady_end);
}
