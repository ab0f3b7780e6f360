/* JSON files kept in the local cache: fewer reads, and never another answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sys.h"
#include "codec/digest.h"
#include "engine/list.h"
#include "engine/marks.h"
#include "repo/cache.h"
#include "repo/json_cache.h"
#include "store/fault.h"
#include "tests/support/band_make.h"
#include "tests/support/files.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"

#define BANDS 12

static struct env *env;
static char *top;

struct scene {
	struct store *mem, *trace;
	struct repo *r;
	char tails[BANDS][NAME_MAX_LEN + 1];
	struct store_counts before;
};

static int set_up(void **state)
{
	(void)state;
	env = env_fixed_new(INT64_C(1800000000000000000), 1000, 7);
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

static void hear(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	(void)m;
	(void)what;
	fail_msg("%.*s: %s", (int)subject.n, subject.p, e->text);
}

static struct monitor quiet = {.problem = hear};

/* Opens anew what is stored, with the cache that is there. */
static void reopen(struct scene *s)
{
	repo_close(s->r);
	s->trace = store_trace_new(store_lend(s->mem));
	s->r = repo_reopen(s->trace, env);
	json_cache_open(s->r, top);
	store_trace_counts(s->trace, &s->before);
}

static void scene_init(struct scene *s, bool encrypted)
{
	struct err e = ERR_EMPTY;
	struct marks *marks;

	memset(s, 0, sizeof *s);
	s->mem = store_mem_new(env);
	s->r = repo_make(store_lend(s->mem), env, encrypted);
	assert_true(marks_load(s->r, &quiet, &marks, &e));
	for (unsigned i = 0; i < BANDS; i++) {
		struct band b;

		band_start(&b, 1800000000 + (int64_t)i, i + 1, i == 1 ? "rare" : "home");
		band_store(s->r, &b, BAND_HEAD, NULL);
		band_store(s->r, &b, BAND_TAIL, s->tails[i]);
		if (i < 3)
			assert_true(marks_put(
			    marks, s->r, &b.name, i ? MARK_TAG : MARK_PIN, i ? "x" : "", &e));
		band_release(&b);
	}
	marks_free(marks);
	reopen(s);
}

static void scene_release(struct scene *s)
{
	repo_close(s->r);
	store_free(s->mem);
}

/* Operations since the repository was opened. */
static struct store_counts done(const struct scene *s)
{
	struct store_counts n;

	store_trace_counts(s->trace, &n);
	n.get -= s->before.get;
	n.list -= s->before.list;
	n.stat -= s->before.stat;
	return n;
}

static bool see(void *arg, const struct band_info *info, enum band_file state,
    const struct band *b, bool pinned, struct err *e)
{
	(void)e;
	buf_printf(arg, "%u%s%s%s ", (unsigned)info->name.counter,
	    state == BAND_TAIL ? "" : "?", pinned ? "!" : "", b->tags.n ? "#" : "");
	return true;
}

static const char *const all = "1! 2# 3# 4 5 6 7 8 9 10 11 12 ";

static void check_list(struct scene *s, const char *want)
{
	struct buf seen = BUF_EMPTY;
	struct list_result res;
	struct err e = ERR_EMPTY;

	if (!list_run(s->r, false, see, &seen, &quiet, &res, &e))
		fail_msg("list: %s", e.text);
	assert_string_equal(buf_str(&seen), want);
	buf_release(&seen);
}

static void path_of(const struct scene *s, const char *name, char out[512])
{
	char id[2 * REPO_ID_SIZE + 1];

	hex_encode(s->r->params.id, REPO_ID_SIZE, id);
	snprintf(out, 512, "%s/%s/%s", top, id, name);
}

static void read_raw(const struct scene *s, const char *name, struct buf *out)
{
	char path[512];

	path_of(s, name, path);
	file_read(path, out);
}

static void write_raw(const struct scene *s, const char *name, struct span content)
{
	char path[512];

	path_of(s, name, path);
	file_write(path, content);
}

/* The first list reads each tail and mark once, the next ones none. */
static void warm(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct scene s;
		struct buf raw = BUF_EMPTY, again = BUF_EMPTY;

		scene_init(&s, encrypted);
		check_list(&s, all);
		assert_int_equal(done(&s).get, BANDS + 3);
		assert_int_equal(done(&s).list, 2);
		check_list(&s, all); /* what this run has read it does not read again */
		assert_int_equal(done(&s).get, BANDS + 3);
		reopen(&s);
		read_raw(&s, "json-bands", &raw);
		check_list(&s, all);
		assert_int_equal(done(&s).get, 0);
		assert_int_equal(done(&s).list, 2);
		assert_int_equal(done(&s).stat, 0);
		reopen(&s);
		read_raw(&s, "json-bands", &again); /* nothing new: left as it was */
		assert_true(span_equal(buf_span(&raw), buf_span(&again)));
		buf_release(&raw);
		buf_release(&again);
		scene_release(&s);
	}
}

/* Without a folder it serves the run that it is opened for. */
static void in_memory(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, true);
	for (int i = 0; i < 2; i++) {
		json_cache_close(s.r);
		json_cache_open(s.r, NULL);
		check_list(&s, all);
		check_list(&s, all);
		assert_int_equal(done(&s).get, (uint64_t)(i + 1) * (BANDS + 3));
	}
	scene_release(&s);
}

/* Damage costs reads, at most those of the files that it has hit, and is made good. */
static void damaged(void **state)
{
	struct buf raw = BUF_EMPTY;
	struct scene s;

	(void)state;
	scene_init(&s, true);
	check_list(&s, all);
	reopen(&s);
	read_raw(&s, "json-bands", &raw);
	for (size_t i = 0; i < raw.n; i += 61) {
		raw.p[i] ^= 1;
		write_raw(&s, "json-bands", buf_span(&raw));
		raw.p[i] ^= 1;
		json_cache_close(s.r);
		json_cache_open(s.r, top);
		check_list(&s, all);
	}
	assert_true(done(&s).get > 0);
	for (size_t n = 0; n < raw.n; n += 97) {
		write_raw(&s, "json-bands", span_of(raw.p, n));
		reopen(&s);
		check_list(&s, all);
		assert_true(done(&s).get > 0);
		reopen(&s);
		check_list(&s, all);
		assert_int_equal(done(&s).get, 0);
	}
	buf_release(&raw);
	scene_release(&s);
}

static void put_tail(struct scene *s, unsigned n, char name[NAME_MAX_LEN + 1])
{
	struct band b;

	band_start(&b, 1800001000 + (int64_t)n, BANDS + n, "home");
	band_store(s->r, &b, BAND_TAIL, name);
	band_release(&b);
}

/* What was put need not be got, but where the mount cannot tell that it arrived. */
static void put(void **state)
{
	char name[NAME_MAX_LEN + 1];
	struct scene s;
	struct bands bands;
	struct band b;
	struct err e;

	(void)state;
	scene_init(&s, true);
	check_list(&s, all);
	for (unsigned i = 0; i < 2; i++) {
		reopen(&s);
		s.r->store->mount = i ? MOUNT_WRITE_BACK : MOUNT_THROUGH;
		put_tail(&s, i + 1, name);
		reopen(&s); /* nothing was listed, and nothing was dropped */
		assert_true(bands_list(s.r, &bands, &e));
		assert_true(band_read_file(s.r, name, BAND_TAIL, &b, &e));
		band_release(&b);
		assert_true(band_read_file(s.r, s.tails[0], BAND_TAIL, &b, &e));
		band_release(&b);
		bands_release(&bands);
		assert_int_equal(done(&s).get, i);
	}
	scene_release(&s);
}

static void record_id(const struct scene *s, const char *name, struct id *id)
{
	char text[200];

	snprintf(text, sizeof text, "bands/%s", name);
	digest_id(id, keyring_key(s->r->keys, PURPOSE_INDEX_ID), span_str(text));
}

static void forge(struct scene *s, const char *name, struct span bytes)
{
	struct cache *c = cache_open_apart(s->r, top, "lock-json");
	struct cache_pack_writer *w = cache_pack_append(c, "json-bands");
	struct id id;

	record_id(s, name, &id);
	assert_non_null(w);
	cache_pack_add(w, &id, bytes);
	cache_pack_commit(w);
	cache_close(c);
}

/*
 * A record that is whole, but not what the storage has, passes the same checks or none.
 */
static void changed(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct buf bytes = BUF_EMPTY;
		struct err e = ERR_EMPTY;
		struct scene s;

		scene_init(&s, encrypted);
		check_list(&s, all);
		json_cache_close(s.r);
		assert_true(store_get(
		    s.mem, "bands", s.tails[4], 0, SIZE_MAX, &bytes, NULL, &e));
		bytes.p[bytes.n / 2] ^= 1;
		forge(&s, s.tails[4], buf_span(&bytes));
		buf_clear(&bytes);
		assert_true(store_get(
		    s.mem, "bands", s.tails[6], 0, SIZE_MAX, &bytes, NULL, &e));
		forge(&s, s.tails[7], buf_span(&bytes)); /* another band's */
		json_cache_open(s.r, top);
		store_trace_counts(s.trace, &s.before);
		check_list(&s, all);
		assert_int_equal(done(&s).get, 2);
		reopen(&s);
		check_list(&s, all);
		assert_int_equal(done(&s).get, 0);
		buf_release(&bytes);
		scene_release(&s);
	}
}

/* What is not on the storage any more is not known any more. */
static void removed(void **state)
{
	struct store_listing l = {0};
	struct buf bytes = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct cache_pack *pack;
	struct cache *c;
	struct scene s;
	struct id id;

	(void)state;
	scene_init(&s, true);
	check_list(&s, all);
	reopen(&s);
	assert_false(json_cache_get(s.r->json_cache, "bands", s.tails[0], &bytes));
	assert_true(repo_list(s.r, "bands", &l, &e));
	store_listing_release(&l);
	assert_true(json_cache_get(s.r->json_cache, "bands", s.tails[0], &bytes));
	for (unsigned i = 1; i < 6; i++)
		assert_true(store_remove(s.mem, "bands", s.tails[i], &e));
	/* Heads are left of those five. */
	check_list(&s, "1! 2?# 3?# 4? 5? 6? 7 8 9 10 11 12 ");
	buf_clear(&bytes);
	assert_false(json_cache_get(s.r->json_cache, "bands", s.tails[1], &bytes));
	assert_int_equal(bytes.n, 0);
	reopen(&s);
	c = cache_look(s.r, top);
	pack = cache_pack_open(c, "json-bands");
	assert_non_null(pack);
	assert_int_equal(cache_pack_count(pack), BANDS);
	record_id(&s, s.tails[1], &id);
	assert_false(cache_pack_has(pack, &id));
	record_id(&s, s.tails[0], &id);
	assert_true(cache_pack_has(pack, &id));
	cache_pack_close(pack);
	cache_close(c);
	check_list(&s, "1! 2?# 3?# 4? 5? 6? 7 8 9 10 11 12 ");
	assert_int_equal(done(&s).get, 0);
	buf_release(&bytes);
	scene_release(&s);
}

/*
 * While another process writes, nothing is written; and no backup's lock is in the way.
 */
static void second_process(void **state)
{
	struct cache *backup, *other;
	char path[512];
	struct stat st;
	struct scene s;

	(void)state;
	scene_init(&s, true);
	other = cache_open_apart(s.r, top, "lock-json");
	backup = cache_open(s.r, top);
	assert_true(cache_owned(other));
	assert_true(cache_owned(backup));
	check_list(&s, all);
	json_cache_close(s.r);
	path_of(&s, "json-bands", path);
	assert_int_not_equal(stat(path, &st), 0);
	cache_close(other);
	json_cache_open(s.r, top);
	check_list(&s, all);
	json_cache_close(s.r);
	assert_int_equal(stat(path, &st), 0);
	cache_close(backup);
	scene_release(&s);
}

/* An error on the way is the reader's to meet, once all that was under way has ended. */
static void failing(void **state)
{
	struct fault_plan plan = {
	    .how = FAIL_FOREVER, .nth = 7, .kinds = OP_GET, .err = ERR_UNREACHABLE};
	struct buf seen = BUF_EMPTY;
	struct list_result res;
	struct err e = ERR_EMPTY;
	struct repo *r;
	struct scene s;

	(void)state;
	scene_init(&s, true);
	r = repo_reopen(store_fault_new(store_mem_clone(s.mem), &plan), env);
	json_cache_open(r, NULL);
	assert_false(list_run(r, false, see, &seen, &quiet, &res, &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	repo_close(r);
	buf_release(&seen);
	scene_release(&s);
}

/* Looking for a set, the first tail is read alone, and then more at once. */
static void by_set(void **state)
{
	static const struct {
		const char *text;
		uint64_t gets, counter;
	} steps[] = {{"latest", 1, 12}, {"home~1", 9, 11}, {"rare", 12, 2}};
	struct bands bands = {0};
	struct err e = ERR_EMPTY;
	struct scene s;

	(void)state;
	scene_init(&s, true);
	assert_true(bands_list(s.r, &bands, &e));
	for (size_t i = 0; i < 3; i++) {
		struct band_info *info;
		enum band_file kind;
		struct band b;

		assert_true(snapshot_resolve(
		    s.r, &bands, span_str(steps[i].text), &info, &kind, &b, &e));
		assert_int_equal(info->name.counter, steps[i].counter);
		assert_int_equal(done(&s).get, steps[i].gets);
		band_release(&b);
	}
	bands_release(&bands);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(warm),
	    cmocka_unit_test(in_memory),
	    cmocka_unit_test(damaged),
	    cmocka_unit_test(put),
	    cmocka_unit_test(changed),
	    cmocka_unit_test(removed),
	    cmocka_unit_test(second_process),
	    cmocka_unit_test(failing),
	    cmocka_unit_test(by_set),
	};

	return cmocka_run_group_tests_name("json_cache", tests, set_up, tear_down);
}
