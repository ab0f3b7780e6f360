/*
 * The index against a naive model: thousands of random ids in deltas that come one after
 * the other, with and without a cache, and with a cache that is spoilt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "format/delta.h"
#include "index/index.h"
#include "tests/support/bytes.h"
#include "tests/support/copy.h"
#include "tests/support/files.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"

#define RUN "20261118021007-0123456789abcdef-1"
#define PER_BUNDLE 100
#define PER_DELTA 3

struct place {
	struct id id, bundle;
	uint32_t slot;
};

struct world {
	struct store *store, *trace;
	struct repo *repo;
	char *dir;           /* of caches, or NULL */
	struct place *v;     /* the model */
	size_t n, cap;
	uint64_t seed;
	struct id last;      /* the delta put last */
	/* what is open */
	struct cache *cache;
	struct inventory *inv;
	struct index *index;
};

static void begin(struct world *w)
{
	*w = (struct world){.seed = 1, .dir = scratch_new()};
	w->store = store_mem_new(env_real());
	repo_close(repo_make(store_lend(w->store), env_real(), false));
	w->trace = store_trace_new(store_lend(w->store));
	w->repo = repo_reopen(store_lend(w->trace), env_real());
}

static void end(struct world *w)
{
	repo_close(w->repo);
	store_free(w->trace);
	store_free(w->store);
	scratch_free(w->dir);
	free(w->v);
}

static void random_id(struct world *w, struct id *id)
{
	struct buf b = BUF_EMPTY;

	bytes_noise(&b, ID_SIZE, w->seed++ * 0x9e3779b97f4a7c15u);
	memcpy(id->b, b.p, ID_SIZE);
	buf_release(&b);
}

static void open_index(struct world *w, bool cached)
{
	struct err e = ERR_EMPTY;

	w->cache = cache_open(w->repo, cached ? w->dir : NULL);
	w->inv = inventory_new(w->repo);
	assert_true(inventory_list(w->inv, NULL, &e));
	w->index = index_new(w->repo, w->cache, w->inv);
}

static void close_index(struct world *w)
{
	index_free(w->index);
	inventory_free(w->inv);
	cache_close(w->cache);
}

/* A bundle that is but a name and a size, with a directory in the delta. */
static void add_bundle(struct world *w, struct delta_writer *d, unsigned known)
{
	struct directory dir = DIRECTORY_EMPTY;
	struct delta_bundle b = {.type = FILE_DATA, .size = 500, .run = span_str(RUN)};
	uint8_t digest[DIGEST_SHORT] = {0}, bytes[500] = {1};
	struct buf encoded = BUF_EMPTY;
	char name[2 * ID_SIZE + 1], folder[16];
	struct span part = span_of(bytes, sizeof bytes);
	struct err e = ERR_EMPTY;
	struct id id;
	uint32_t i;

	random_id(w, &b.name);
	for (i = 0; i < PER_BUNDLE; i++) {
		if (i < known && w->n > 0)
			id = w->v[(w->seed * 7919 + i) % w->n].id;
		else
			random_id(w, &id);
		directory_add_chunk(&dir, &id, 1000);
		w->v = mem_grow(w->v, &w->cap, w->n + 1, sizeof *w->v);
		w->v[w->n++] = (struct place){id, b.name, i};
	}
	directory_add_frame(&dir, 300, FRAME_RAW, digest);
	directory_encode(&dir, &encoded);
	b.directory = buf_span(&encoded);
	delta_add_bundle(d, &b);
	directory_release(&dir);
	buf_release(&encoded);
	name_of_id(&b.name, name);
	assert_true(store_put(
	    w->store, folder_of(FILE_DATA, &b.name, folder), name, &part, 1, &e));
}

static void put_delta(struct world *w, const struct delta_writer *d, struct buf *plain)
{
	struct err e = ERR_EMPTY;
	uint64_t size;

	buf_clear(plain);
	delta_encode(d, span_str(RUN), plain);
	if (!repo_put_delta(w->repo, buf_span(plain), &w->last, &size, &e))
		fail_msg("%s", e.text);
}

static void add_delta(struct world *w, unsigned known)
{
	struct delta_writer d = DELTA_WRITER_EMPTY;
	struct buf plain = BUF_EMPTY;
	int i;

	for (i = 0; i < PER_DELTA; i++)
		add_bundle(w, &d, known);
	put_delta(w, &d, &plain);
	delta_writer_release(&d);
	buf_release(&plain);
}

static bool in_model(
    const struct world *w, const struct id *id, const struct id *bundle, uint32_t slot)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->v[i].slot == slot && id_equal(&w->v[i].id, id) &&
		    id_equal(&w->v[i].bundle, bundle))
			return true;
	return false;
}

static bool find(struct world *w, const struct id *id, struct hint *h)
{
	struct err e = ERR_EMPTY;
	bool found;

	if (!index_find(w->index, id, h, &found, &e))
		fail_msg("%s", e.text);
	return found;
}

/* Each id of the model at one of its places, and none that it has not. */
static void agree(struct world *w)
{
	struct hint h;
	struct id id;
	size_t i;

	for (i = 0; i < w->n; i++) {
		assert_true(find(w, &w->v[i].id, &h));
		assert_true(in_model(
		    w, &w->v[i].id, &inventory_get(w->inv, h.bundle)->name, h.slot));
	}
	for (i = 0; i < 2000; i++) {
		random_id(w, &id);
		assert_false(find(w, &id, &h));
		/* and its neighbours */
		id = w->v[i % w->n].id;
		id.b[ID_SIZE - 1] ^= 1;
		assert_false(find(w, &id, &h));
	}
}

static uint64_t gets(struct world *w)
{
	struct store_counts c;

	store_trace_counts(w->trace, &c);
	return c.get;
}

static void test_no_cache(void **state)
{
	struct world w;
	int i;

	(void)state;
	begin(&w);
	for (i = 0; i < 10; i++)
		add_delta(&w, 20);
	open_index(&w, false);
	agree(&w);
	close_index(&w);
	end(&w);
}

/* A session a delta: each fetches that one alone, and many runs become one. */
static void test_runs(void **state)
{
	struct world w;
	uint64_t before;
	size_t most = 0, n;
	int i;

	(void)state;
	begin(&w);
	for (i = 0; i < 20; i++) {
		add_delta(&w, i % 3 ? 0 : 30);
		before = gets(&w);
		open_index(&w, true);
		agree(&w);
		assert_int_equal(gets(&w) - before, 1);
		n = files_count(cache_path(w.cache), "run-");
		most = n > most ? n : most;
		close_index(&w);
	}
	assert_true(most > 3 && most <= 8);
	assert_true(n < 8);
	before = gets(&w);
	open_index(&w, true);
	agree(&w);
	assert_int_equal(gets(&w), before);
	assert_int_equal(files_count(cache_path(w.cache), "new-"), 0);
	close_index(&w);
	end(&w);
}

/* What a run has written it has learnt. */
static void test_learn(void **state)
{
	struct delta_writer d = DELTA_WRITER_EMPTY;
	struct buf plain = BUF_EMPTY;
	struct world w;
	uint64_t before;
	struct hint h;

	(void)state;
	begin(&w);
	add_delta(&w, 0);
	open_index(&w, true);
	assert_true(find(&w, &w.v[0].id, &h));
	add_bundle(&w, &d, 10);
	put_delta(&w, &d, &plain);
	index_learn(w.index, &w.last, buf_span(&plain));
	close_index(&w);
	before = gets(&w);
	open_index(&w, true);
	agree(&w);
	assert_int_equal(gets(&w), before);
	close_index(&w);
	delta_writer_release(&d);
	buf_release(&plain);
	end(&w);
}

static void spoil(struct world *w, files_fn *how)
{
	char *path = mem_printf("%s", cache_path(w->cache));

	assert_true(files_each(path, "run-", how) > 0);
	free(path);
}

static void spoilt(files_fn *how)
{
	struct world w;
	uint64_t before;
	int i;

	begin(&w);
	for (i = 0; i < 4; i++)
		add_delta(&w, 10);
	open_index(&w, true);
	agree(&w);
	spoil(&w, how);
	close_index(&w);
	before = gets(&w);
	open_index(&w, true);
	agree(&w);
	assert_int_equal(gets(&w) - before, 4);
	/* The bad one is gone. */
	assert_int_equal(files_count(cache_path(w.cache), "run-"), 1);
	close_index(&w);
	end(&w);
}

static void test_spoilt(void **state)
{
	(void)state;
	spoilt(files_flip_first);
	spoilt(files_flip_middle);
	spoilt(files_flip_last);
	spoilt(files_cut_half);
	spoilt(files_cut_one);
	spoilt(files_empty);
}

/* Another process of the client: it reads the cache and leaves it alone. */
static void test_second_process(void **state)
{
	struct world w, other;
	size_t n;

	(void)state;
	begin(&w);
	add_delta(&w, 0);
	open_index(&w, true);
	agree(&w);
	n = files_count(cache_path(w.cache), "run-");
	other = w;
	add_delta(&other, 10);
	open_index(&other, true);
	agree(&other);
	assert_int_equal(files_count(cache_path(w.cache), "run-"), n);
	close_index(&other);
	close_index(&w);
	w.v = other.v;
	w.n = other.n;
	end(&w);
}

/* The first place is not usable: the next one is given. */
static void test_copies(void **state)
{
	struct world w;
	struct hint h, second;

	(void)state;
	begin(&w);
	add_delta(&w, 0);
	w.seed = 100000; /* the same ids once more, at least some */
	add_delta(&w, PER_BUNDLE);
	open_index(&w, true);
	assert_true(find(&w, &w.v[350].id, &h));
	inventory_condemn(w.inv, &inventory_get(w.inv, h.bundle)->name);
	assert_true(find(&w, &w.v[350].id, &second));
	assert_int_not_equal(h.bundle, second.bundle);
	while (find(&w, &w.v[350].id, &h))
		inventory_damage(w.inv, &inventory_get(w.inv, h.bundle)->name);
	close_index(&w);
	end(&w);
}

/* A delta that holds all of another, and is read before it, saves the reading of that. */
static void test_superseded(void **state)
{
	struct world w;
	struct delta_writer d = DELTA_WRITER_EMPTY;
	struct buf plain = BUF_EMPTY;
	struct id old;
	uint64_t before;

	(void)state;
	begin(&w);
	add_bundle(&w, &d, 0);
	put_delta(&w, &d, &plain);
	old = w.last;
	delta_add_superseded(&d, &old);
	do {
		add_bundle(&w, &d, 0);
		put_delta(&w, &d, &plain);
		if (memcmp(w.last.b, old.b, ID_SIZE) < 0) {
			char name[2 * ID_SIZE + 1];

			name_of_id(&w.last, name);
			assert_true(store_remove(w.store, "index", name, NULL));
		}
	} while (memcmp(w.last.b, old.b, ID_SIZE) < 0);
	before = gets(&w);
	open_index(&w, true);
	agree(&w);
	assert_int_equal(gets(&w) - before, 1);
	close_index(&w);
	delta_writer_release(&d);
	buf_release(&plain);
	end(&w);
}

/* One that is torn does not count; the others do. */
static void test_torn(void **state)
{
	struct world w;
	struct buf content = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	char name[2 * ID_SIZE + 1];
	size_t n;

	(void)state;
	begin(&w);
	add_delta(&w, 0);
	n = w.n;
	add_delta(&w, 0);
	name_of_id(&w.last, name);
	assert_true(store_get(w.store, "index", name, 0, 700, &content, NULL, &e));
	store_replace(w.store, "index", name, buf_span(&content));
	w.n = n;
	open_index(&w, true);
	agree(&w);
	close_index(&w);
	buf_release(&content);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_cache),
	    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_learn),
	    cmocka_unit_test(test_spoilt),
	    cmocka_unit_test(test_second_process),
	    cmocka_unit_test(test_copies),
	    cmocka_unit_test(test_superseded),
	    cmocka_unit_test(test_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
