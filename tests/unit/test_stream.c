/* The entries of a band: all of them, from a path on, past damage, and from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "band/stream.h"
#include "store/fault.h"
#include "tests/support/band_make.h"
#include "tests/support/bytes.h"
#include "tests/support/index_make.h"
#include "tests/support/repo_make.h"
#include "tests/support/steady.h"

#define FILES 100
#define DATA  4

/* FILES files and a band that refers to them. */
struct scene {
	struct store *mem, *trace;
	struct repo *r;
	struct band b;
	char paths[FILES][16];
	struct entry entries[FILES];
	struct extent extents[FILES][2];
	struct buf content[DATA];
	struct id data;
};

static void scene_init(struct scene *s, uint32_t per_hunk, uint32_t per_list)
{
	struct index_make m = {.per_hunk = per_hunk, .per_list = per_list};
	struct span chunks[DATA];

	memset(s, 0, sizeof *s);
	s->mem = store_mem_new(env);
	s->trace = store_trace_new(s->mem);
	s->r = m.r = repo_make(s->trace, env, true);
	for (size_t i = 0; i < DATA; i++) {
		bytes_noise(&s->content[i], 1000 + i, i + 1);
		chunks[i] = buf_span(&s->content[i]);
	}
	m.data = index_bundle(s->r, FILE_DATA, chunks, DATA, 2);
	s->data = m.data.name;
	for (uint32_t i = 0; i < FILES; i++) {
		struct entry *en = &s->entries[i];

		snprintf(s->paths[i], sizeof s->paths[i], "/f%04u", 2 * i);
		en->apath = span_str(s->paths[i]);
		en->kind = ENTRY_FILE;
		en->mode = 0644;
		en->content = CONTENT_EXTENTS;
		en->extents = s->extents[i];
		en->n_extents = 2;
		index_extent(&m, i % DATA, chunks[i % DATA], &s->extents[i][0]);
		s->extents[i][1] = (struct extent){.length = 500 + i, .hole = true};
		en->size = chunks[i % DATA].n + 500 + i;
	}
	band_start(&s->b, 1800000000, 1, "home");
	index_store(&m, s->entries, FILES, &s->b);
}

static void scene_release(struct scene *s)
{
	band_release(&s->b);
	for (size_t i = 0; i < DATA; i++)
		buf_release(&s->content[i]);
	repo_close(s->r);
}

/* A stream with all that it needs. */
struct view {
	struct inventory *inv;
	struct resolver *res;
	struct chunk_reader *cr;
	struct stream *s;
};

static void view_open(struct view *v, struct scene *s, bool resolver)
{
	struct stream_options o = {0};

	v->inv = inventory_new(s->r);
	v->res = resolver ? resolver_new(s->r) : NULL;
	v->cr = chunk_reader_new(s->r, 2, 2);
	o.inventory = v->inv;
	o.resolver = v->res;
	v->s = stream_open(s->r, v->cr, &s->b, &o);
}

static void view_close(struct view *v)
{
	stream_close(v->s);
	chunk_reader_free(v->cr);
	resolver_free(v->res);
	inventory_free(v->inv);
}

static uint64_t gets(const struct scene *s)
{
	struct store_counts c;

	store_trace_counts(s->trace, &c);
	return c.get;
}

struct extents_seen {
	struct view *v;
	struct scene *s;
	const struct entry *want;
	uint32_t n;
};

static bool see_extent(void *arg, const struct extent *x, struct err *e)
{
	struct extents_seen *seen = arg;
	const struct extent *want = &seen->want->extents[seen->n++];

	(void)e;
	assert_int_equal(x->length, want->length);
	assert_int_equal(x->hole, want->hole);
	if (!x->hole) {
		const struct stocked *in = inventory_get(seen->v->inv, x->hint.bundle);

		assert_true(id_equal(&x->id, &want->id));
		assert_int_equal(x->hint.slot, want->hint.slot);
		assert_true(id_equal(&in->name, &seen->s->data));
		assert_int_equal(in->type, FILE_DATA);
	}
	return true;
}

static void expect(struct view *v, struct scene *s, uint32_t i)
{
	struct extents_seen seen = {v, s, &s->entries[i], 0};
	struct entry en;
	struct err e;

	assert_int_equal(stream_next(v->s, &en, &e), STREAM_ENTRY);
	assert_true(span_equal(en.apath, s->entries[i].apath));
	assert_true(stream_extents(v->s, &en, see_extent, &seen, &e));
	assert_int_equal(seen.n, 2);
}

static void expect_end(struct view *v)
{
	struct entry en;
	struct err e;

	assert_int_equal(stream_next(v->s, &en, &e), STREAM_END);
	assert_int_equal(stream_next(v->s, &en, &e), STREAM_END);
}

static const struct {
	uint32_t per_hunk, per_list;
} shapes[] = {{100, 0}, {10, 0}, {7, 0}, {10, 4}, {3, 3}, {1, 2}};

#define SHAPES (sizeof shapes / sizeof *shapes)

static void test_all(void **state)
{
	(void)state;
	for (size_t k = 0; k < SHAPES; k++) {
		struct scene s;
		struct view v;

		scene_init(&s, shapes[k].per_hunk, shapes[k].per_list);
		view_open(&v, &s, false);
		for (uint32_t i = 0; i < FILES; i++) {
			expect(&v, &s, i);
			assert_true(span_equal(stream_hunk(v.s)->first,
			    s.entries[i - i % shapes[k].per_hunk].apath));
		}
		expect_end(&v);
		view_close(&v);
		scene_release(&s);
	}
}

/* The first entry at or behind i halves. */
static void seek(struct view *v, uint32_t i)
{
	char path[16];

	snprintf(path, sizeof path, "/f%04u", i);
	stream_seek(v->s, span_str(path));
}

static void test_seek(void **state)
{
	(void)state;
	for (size_t k = 0; k < SHAPES; k++) {
		struct scene s;
		struct view v;

		scene_init(&s, shapes[k].per_hunk, shapes[k].per_list);
		for (uint32_t step = 2; step < 70; step += 3) {
			view_open(&v, &s, false);
			for (uint32_t i = 0; i < 2 * FILES; i += step) {
				if (i > 2 * FILES - 2)
					break;
				seek(&v, i);
				expect(&v, &s, (i + 1) / 2);
				if (step > 4 && (i + 1) / 2 + 1 < FILES)
					expect(&v, &s, (i + 1) / 2 + 1);
			}
			seek(&v, 2 * FILES);
			expect_end(&v);
			view_close(&v);
		}
		/* Backwards is nowhere. */
		view_open(&v, &s, false);
		expect(&v, &s, 0);
		expect(&v, &s, 1);
		stream_seek(v.s, span_str("/f"));
		expect(&v, &s, 2);
		view_close(&v);
		scene_release(&s);
	}
}

/* One list a level and one hunk: three levels of which each is one bundle here. */
static void test_seek_cost(void **state)
{
	struct scene s;
	struct view v;
	uint64_t before;

	(void)state;
	scene_init(&s, 3, 4);
	assert_int_equal(s.b.list_level, 2);
	view_open(&v, &s, false);
	before = gets(&s);
	seek(&v, 150);
	expect(&v, &s, 75);
	/* A bundle's end holds all of these small ones: one read each. */
	assert_int_equal(gets(&s) - before, 3);
	view_close(&v);
	scene_release(&s);
}

/*
 * Spoil the chunk with this id: of a bundle of hunks, every byte of the frame that holds
 * it.
 */
static void spoil(struct scene *s, const struct id *bundle, uint32_t slot)
{
	char name[2 * ID_SIZE + 1], folder[16];
	struct buf file = BUF_EMPTY;
	struct bundle *b;
	struct err e;

	name_of_id(bundle, name);
	folder_of(FILE_HUNKS, bundle, folder);
	assert_true(bundle_open(s->r, FILE_HUNKS, bundle, &b, &e));
	assert_true(store_get(s->r->store, folder, name, 0, SIZE_MAX, &file, NULL, &e));
	file.p[b->dir.frames[directory_frame_of(&b->dir, slot)].at + 50] ^= 1;
	store_replace(s->r->store, folder, name, buf_span(&file));
	bundle_free(b);
	buf_release(&file);
}

static void test_damaged_hunk(void **state)
{
	struct scene s;
	struct view v;
	struct entry en;
	struct err e;

	(void)state;
	scene_init(&s, 10, 0);
	spoil(&s, &s.b.refs[2].bundle.name, 2); /* and 3: two to a frame */
	view_open(&v, &s, true);
	for (uint32_t i = 0; i < 20; i++)
		expect(&v, &s, i);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stream_next(v.s, &en, &e), STREAM_DAMAGED);
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_non_null(strstr(e.text, i ? "/f0060" : "/f0040"));
		assert_int_equal(stream_lost(v.s), 10);
	}
	for (uint32_t i = 40; i < FILES; i++)
		expect(&v, &s, i);
	expect_end(&v);
	view_close(&v);
	/* A seek into it. */
	view_open(&v, &s, true);
	seek(&v, 44);
	assert_int_equal(stream_next(v.s, &en, &e), STREAM_DAMAGED);
	assert_int_equal(stream_next(v.s, &en, &e), STREAM_DAMAGED);
	expect(&v, &s, 40);
	view_close(&v);
	scene_release(&s);
}

static void test_damaged_list(void **state)
{
	struct scene s;
	struct view v;
	struct entry en;
	struct err e;

	(void)state;
	scene_init(&s, 5, 3);
	assert_int_equal(s.b.list_level, 2);
	spoil(&s, &s.b.refs[0].bundle.name, 2); /* of three lists the last */
	view_open(&v, &s, true);
	for (uint32_t i = 0; i < 90; i++)
		expect(&v, &s, i);
	assert_int_equal(stream_next(v.s, &en, &e), STREAM_DAMAGED);
	assert_int_equal(stream_lost(v.s), 10);
	expect_end(&v);
	view_close(&v);
	scene_release(&s);
}

/* What stands behind a reference must be what it tells of. */
static void test_disagreement(void **state)
{
	struct scene s;
	struct view v;
	struct entry en;
	struct err e;

	(void)state;
	for (int k = 0; k < 3; k++) {
		struct band_ref was;

		scene_init(&s, 10, 0);
		was = s.b.refs[1];
		if (k == 0)
			s.b.refs[1].ref.entries = 11;
		else if (k == 1)
			s.b.refs[1].ref.first = span_str("/f0021");
		else
			s.b.refs[1] = s.b.refs[0]; /* twice the same */
		view_open(&v, &s, false);
		for (uint32_t i = 0; i < 10; i++)
			expect(&v, &s, i);
		assert_int_equal(stream_next(v.s, &en, &e), STREAM_DAMAGED);
		assert_int_equal(e.kind, ERR_CORRUPT);
		for (uint32_t i = 20; i < FILES; i++)
			expect(&v, &s, i);
		expect_end(&v);
		view_close(&v);
		s.b.refs[1] = was;
		scene_release(&s);
	}
}

/* A hint that is wrong costs a look elsewhere. */
static void test_wrong_hint(void **state)
{
	struct scene s;
	struct view v;
	struct entry en;
	struct err e;

	(void)state;
	scene_init(&s, 10, 0);
	s.b.refs[0].ref.hint.slot = 5;
	s.b.refs[1].ref.hint.slot = 70000;
	s.b.refs[2].bundle.name.b[0] ^= 1;
	s.b.refs[3].bundle.name.b[5] ^= 255;
	view_open(&v, &s, false);
	for (int i = 0; i < 4; i++)
		assert_int_equal(stream_next(v.s, &en, &e), STREAM_DAMAGED);
	expect(&v, &s, 40);
	view_close(&v);
	view_open(&v, &s, true);
	for (uint32_t i = 0; i < FILES; i++)
		expect(&v, &s, i);
	expect_end(&v);
	view_close(&v);
	scene_release(&s);
}

/* Storage that fails is no damage. */
static void test_storage_fails(void **state)
{
	struct fault_plan plan = {
	    .how = FAIL_FOREVER, .nth = 60, .kinds = OP_GET, .err = ERR_UNREACHABLE};
	struct scene s;
	struct repo *whole;
	enum stream_step st = STREAM_END;
	struct entry en;
	struct err e;

	(void)state;
	scene_init(&s, 10, 0);
	whole = s.r;
	s.r = repo_reopen(store_fault_new(store_mem_clone(s.mem), &plan), env);
	for (int i = 0; i < 60 && st == STREAM_END; i++) {
		struct view v;

		view_open(&v, &s, true);
		while ((st = stream_next(v.s, &en, &e)) == STREAM_ENTRY)
			;
		view_close(&v);
	}
	assert_int_equal(st, STREAM_FAILED);
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	repo_close(s.r);
	s.r = whole;
	scene_release(&s);
}

struct cached {
	struct scene *s;
	struct buf *answer;
	unsigned asked;
};

static bool cached(void *arg, const struct id *id, struct buf *plain)
{
	struct cached *c = arg;

	(void)id;
	c->asked++;
	buf_clear(plain);
	buf_add_span(plain, buf_span(c->answer));
	return true;
}

/* A cache that lies is not believed. */
static void test_cache(void **state)
{
	struct scene s;
	struct view v;
	struct buf answer = BUF_EMPTY;
	struct cached c = {&s, &answer, 0};
	struct stream_options o = {.cache = cached, .cache_arg = &c};
	struct span bytes;
	uint64_t before;
	struct err e;

	(void)state;
	scene_init(&s, 100, 0);
	view_open(&v, &s, false);
	o.inventory = v.inv;
	stream_close(v.s);
	buf_add_str(&answer, "nonsense");
	v.s = stream_open(s.r, v.cr, &s.b, &o);
	expect(&v, &s, 0);
	assert_int_equal(c.asked, 1);
	stream_close(v.s);
	assert_true(chunk_read(v.cr, FILE_HUNKS, &s.b.refs[0].bundle.name, 0,
	    &s.b.refs[0].ref.id, &bytes, &e));
	buf_clear(&answer);
	buf_add_span(&answer, bytes);
	v.s = stream_open(s.r, v.cr, &s.b, &o);
	before = gets(&s);
	for (uint32_t i = 0; i < FILES; i++)
		expect(&v, &s, i);
	assert_int_equal(gets(&s), before);
	assert_int_equal(c.asked, 2);
	view_close(&v);
	buf_release(&answer);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_seek_cost),
		cmocka_unit_test(test_damaged_hunk),
		cmocka_unit_test(test_damaged_list),
		cmocka_unit_test(test_disagreement),
		cmocka_unit_test(test_wrong_hint),
		cmocka_unit_test(test_storage_fails),
		cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, steady_begin, steady_end);
}
