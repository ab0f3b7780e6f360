/* The local cache: what is damaged, foreign or not ours to write counts as absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>


#include "base/sys.h"
#include "repo/cache.h"
#include "tests/support/bytes.h"
#include "tests/support/files.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"

static struct env *env;
static char *top;

static int set_up(void **state)
{
	(void)state;
	env = env_fixed_new(INT64_C(1700000000000000000), 1000, 7);
	top = scratch_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_free(top);
	env_fixed_free(env);
	return 0;
}

static void path_in(const struct cache *c, const char *name, char out[512])
{
	snprintf(out, 512, "%s/%s", cache_path(c), name);
}

static void read_raw(const struct cache *c, const char *name, struct buf *out)
{
	char path[512];

	path_in(c, name, path);
	file_read(path, out);
}

static void write_raw(const struct cache *c, const char *name, struct span content)
{
	char path[512];

	path_in(c, name, path);
	file_write(path, content);
}

static void small_files(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		char deep[512], path[512];
		struct buf raw = BUF_EMPTY, plain = BUF_EMPTY;
		struct cache *c;
		struct stat st;

		snprintf(deep, sizeof deep, "%s/a/b%d", top, encrypted);
		c = cache_open(r, deep);
		assert_true(cache_owned(c));
		assert_int_equal(stat(cache_path(c), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		assert_false(cache_get(c, "state", &plain));
		cache_put(c, "state", span_str("first words"));
		cache_put(c, "state", span_str("last words"));
		cache_close(c);

		c = cache_open(r, deep);
		assert_true(cache_get(c, "state", &plain));
		assert_string_equal(buf_str(&plain), "last words");
		path_in(c, "state", path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		path_in(c, "state.tmp", path);
		assert_int_not_equal(stat(path, &st), 0);
		read_raw(c, "state", &raw);
		assert_int_equal(memmem(raw.p, raw.n, "words", 5) == NULL, encrypted);
		for (size_t i = 0; i < raw.n; i++) {
			raw.p[i] ^= 4;
			write_raw(c, "state", buf_span(&raw));
			assert_false(cache_get(c, "state", &plain));
			assert_int_equal(plain.n, 0);
			raw.p[i] ^= 4;
		}
		for (size_t n = 0; n < raw.n; n++) {
			write_raw(c, "state", span_of(raw.p, n));
			assert_false(cache_get(c, "state", &plain));
		}
		/* Under another name it is another file's. */
		write_raw(c, "other", buf_span(&raw));
		assert_false(cache_get(c, "other", &plain));
		write_raw(c, "state", buf_span(&raw));
		assert_true(cache_get(c, "state", &plain));
		cache_drop(c, "state");
		assert_false(cache_get(c, "state", &plain));
		cache_put(c, "empty", SPAN_EMPTY);
		assert_false(cache_get(c, "empty", &plain));
		cache_close(c);
		buf_release(&raw);
		buf_release(&plain);
		repo_close(r);
	}
}

/* The second process reads, and changes nothing. */
static void second_process(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct cache *first = cache_open(r, top), *second = cache_open(r, top);
	struct buf plain = BUF_EMPTY;
	struct id id = {{1}};

	(void)state;
	assert_true(cache_owned(first));
	assert_false(cache_owned(second));
	cache_put(first, "state", span_str("mine"));
	cache_put(second, "state", span_str("theirs"));
	cache_drop(second, "state");
	assert_null(cache_pack_create(second, "pack", NULL));
	assert_null(cache_pack_append(second, "pack"));
	cache_pack_add(NULL, &id, span_str("x"));
	cache_pack_commit(NULL);
	cache_pack_abandon(NULL);
	assert_true(cache_get(second, "state", &plain));
	assert_string_equal(buf_str(&plain), "mine");
	cache_close(first);
	cache_close(second);
	second = cache_open(r, top);
	assert_true(cache_owned(second));
	cache_close(second);
	buf_release(&plain);
	repo_close(r);
}

static void keeps_nothing(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	const char *const dirs[] = {NULL, "", "/proc/no/such/folder"};
	struct buf plain = BUF_EMPTY;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct cache *c = cache_open(r, dirs[i]);

		assert_non_null(c);
		assert_false(cache_owned(c));
		assert_null(cache_path(c));
		cache_put(c, "state", span_str("x"));
		assert_false(cache_get(c, "state", &plain));
		cache_drop(c, "state");
		assert_null(cache_pack_open(c, "pack"));
		assert_null(cache_pack_create(c, "pack", NULL));
		cache_close(c);
	}
	cache_close(NULL);
	cache_pack_close(NULL);
	repo_close(r);
}

#define CHUNKS 5

struct chunks {
	struct id ids[CHUNKS];
	struct buf plain[CHUNKS];
};

static void chunks_init(struct chunks *k, size_t length)
{
	memset(k, 0, sizeof *k);
	for (size_t i = 0; i < CHUNKS; i++) {
		memset(k->ids[i].b, (int)i + 1, ID_SIZE);
		if (i % 2)
			bytes_noise(&k->plain[i], length + i, i + 1);
		else
			bytes_text(&k->plain[i], length + i, i + 1);
	}
}

static void chunks_release(struct chunks *k)
{
	for (size_t i = 0; i < CHUNKS; i++)
		buf_release(&k->plain[i]);
}

static void write_pack(struct cache *c, const struct chunks *k, size_t from, size_t to,
    struct cache_pack *old)
{
	struct cache_pack_writer *w = cache_pack_create(c, "pack", old);

	assert_non_null(w);
	for (size_t i = from; i < to; i++)
		cache_pack_add(w, &k->ids[i], buf_span(&k->plain[i]));
	if (to > from)
		cache_pack_add(w, &k->ids[from], buf_span(&k->plain[from]));
	cache_pack_commit(w);
}

/* How many of the chunks the pack has, all of them right; a bit each. */
static unsigned pack_has(struct cache *c, const struct chunks *k)
{
	struct cache_pack *p = cache_pack_open(c, "pack");
	struct buf plain = BUF_EMPTY;
	unsigned found = 0;

	for (size_t i = 0; p && i < CHUNKS; i++) {
		if (!cache_pack_get(p, &k->ids[i], &plain))
			continue;
		if (!span_equal(buf_span(&plain), buf_span(&k->plain[i])))
			fail_msg("chunk %zu is wrong", i);
		found |= 1u << i;
	}
	cache_pack_close(p);
	buf_release(&plain);
	return found;
}

static void packs(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		struct cache *c = cache_open(r, top);
		struct cache_pack_writer *w;
		struct cache_pack *old;
		struct chunks k;
		struct buf first = BUF_EMPTY, second = BUF_EMPTY;

		chunks_init(&k, 150000); /* more than is held before it is written */
		assert_int_equal(pack_has(c, &k), 0);
		write_pack(c, &k, 0, CHUNKS, NULL);
		assert_int_equal(pack_has(c, &k), (1 << CHUNKS) - 1);
		read_raw(c, "pack", &first);

		/* Copied as it stands: a new sealing would have a new nonce. */
		old = cache_pack_open(c, "pack");
		write_pack(c, &k, 0, CHUNKS, old);
		cache_pack_close(old);
		read_raw(c, "pack", &second);
		assert_true(span_equal(buf_span(&first), buf_span(&second)));

		/* What is not finished leaves the old one. */
		w = cache_pack_create(c, "pack", NULL);
		cache_pack_add(w, &k.ids[0], buf_span(&k.plain[0]));
		cache_pack_abandon(w);
		assert_int_equal(pack_has(c, &k), (1 << CHUNKS) - 1);
		write_pack(c, &k, 1, 3, NULL);
		assert_int_equal(pack_has(c, &k), 6);
		write_pack(c, &k, 0, 0, NULL);
		assert_null(cache_pack_open(c, "pack"));
		buf_release(&first);
		buf_release(&second);
		chunks_release(&k);
		cache_close(c);
		repo_close(r);
	}
}

static void damaged_packs(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		struct cache *c = cache_open(r, top);
		struct buf raw = BUF_EMPTY;
		struct cache_pack *old;
		struct chunks k;
		unsigned has, last = 0;

		chunks_init(&k, 40);
		write_pack(c, &k, 0, CHUNKS, NULL);
		read_raw(c, "pack", &raw);
		for (size_t i = 0; i < 8 * raw.n; i++) {
			raw.p[i / 8] ^= (uint8_t)(1 << i % 8);
			write_raw(c, "pack", buf_span(&raw));
			if (pack_has(c, &k) == (1 << CHUNKS) - 1)
				fail_msg("byte %zu goes unseen", i / 8);
			raw.p[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		for (size_t n = 0; n <= raw.n; n++) {
			write_raw(c, "pack", span_of(raw.p, n));
			has = pack_has(c, &k);
			assert_true(has == last || has == (last << 1 | 1));
			last = has;
		}
		assert_int_equal(last, (1 << CHUNKS) - 1);

		/* A damaged record is not copied on, but made anew. */
		raw.p[raw.n - 1] ^= 1;
		write_raw(c, "pack", buf_span(&raw));
		assert_int_equal(pack_has(c, &k), (1 << (CHUNKS - 1)) - 1);
		old = cache_pack_open(c, "pack");
		write_pack(c, &k, 0, CHUNKS, old);
		cache_pack_close(old);
		assert_int_equal(pack_has(c, &k), (1 << CHUNKS) - 1);
		buf_release(&raw);
		chunks_release(&k);
		cache_close(c);
		repo_close(r);
	}
}

static void append(struct cache *c, const struct chunks *k, size_t from, size_t to)
{
	struct cache_pack_writer *w = cache_pack_append(c, "pack");

	assert_non_null(w);
	for (size_t i = from; i < to; i++)
		cache_pack_add(w, &k->ids[i], buf_span(&k->plain[i]));
	cache_pack_commit(w);
}

/*
 * Wherever the pack was cut off, what is appended can be read; the last of an id counts.
 */
static void appended_packs(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct cache *c = cache_open(r, top);
	struct buf raw = BUF_EMPTY;
	struct chunks k, other;
	struct cache_pack *p;

	(void)state;
	chunks_init(&k, 40);
	chunks_init(&other, 50);
	append(c, &k, 0, 2);
	assert_int_equal(pack_has(c, &k), 3);
	append(c, &k, 2, 3);
	read_raw(c, "pack", &raw);
	for (size_t n = 0; n <= raw.n; n++) {
		write_raw(c, "pack", span_of(raw.p, n));
		append(c, &k, 3, CHUNKS);
		assert_int_equal(pack_has(c, &k) & 24, 24);
	}
	assert_int_equal(pack_has(c, &k), (1 << CHUNKS) - 1);
	write_raw(c, "pack", span_str("something else altogether"));
	append(c, &other, 0, CHUNKS);
	append(c, &k, 0, CHUNKS);
	assert_int_equal(pack_has(c, &k), (1 << CHUNKS) - 1);
	p = cache_pack_open(c, "pack");
	assert_int_equal(cache_pack_count(p), CHUNKS);
	assert_true(cache_pack_has(p, &k.ids[0]));
	cache_pack_close(p);
	buf_release(&raw);
	chunks_release(&k);
	chunks_release(&other);
	cache_close(c);
	repo_close(r);
}

static enum sys_call failing;

static int fail_call(enum sys_call call, const char *path)
{
	(void)path;
	return call == failing ? 28 /* ENOSPC */ : 0;
}

/* A full disk costs the new file, never the old one, and nothing is left behind. */
static void full_disk(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct cache *c = cache_open(r, top);
	struct buf plain = BUF_EMPTY;
	struct chunks k;
	char path[512];
	struct stat st;

	(void)state;
	chunks_init(&k, 100);
	cache_put(c, "state", span_str("old"));
	write_pack(c, &k, 0, 2, NULL);
	for (int i = 0; i < 2; i++) {
		failing = i ? SYS_CLOSE : SYS_WRITE;
		sys_fault = fail_call;
		cache_put(c, "state", span_str("new"));
		write_pack(c, &k, 0, CHUNKS, NULL);
		sys_fault = NULL;
		assert_true(cache_get(c, "state", &plain));
		assert_string_equal(buf_str(&plain), "old");
		assert_int_equal(pack_has(c, &k), 3);
		path_in(c, "pack.tmp", path);
		assert_int_not_equal(stat(path, &st), 0);
	}
	buf_release(&plain);
	chunks_release(&k);
	cache_close(c);
	repo_close(r);
}

/* Whether a cache is kept changes nothing of what a run draws from env. */
static void draws_the_same(void **state)
{
	uint8_t drawn[2][16];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct env *own = env_fixed_new(0, 0, 5);
		struct repo *r = repo_make(store_mem_new(own), own, true);
		struct cache *c = cache_open(r, i ? top : NULL);

		cache_put(c, "state", span_str("x"));
		own->random(own, drawn[i], 16);
		cache_close(c);
		repo_close(r);
		env_fixed_free(own);
	}
	assert_memory_equal(drawn[0], drawn[1], 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_files),
	    cmocka_unit_test(second_process),
	    cmocka_unit_test(keeps_nothing),
	    cmocka_unit_test(packs),
	    cmocka_unit_test(damaged_packs),
	    cmocka_unit_test(appended_packs),
	    cmocka_unit_test(full_disk),
	    cmocka_unit_test(draws_the_same),
	};

	return cmocka_run_group_tests_name("cache", tests, set_up, tear_down);
}
