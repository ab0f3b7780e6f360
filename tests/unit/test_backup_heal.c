/*
 * Backups over a storage that has lost something, or on which others are at work: damage
 * heals, the condemned is not relied on, and what was interrupted is gone on from.
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

#include <errno.h>
#include <sys/stat.h>

#include "band/bands.h"
#include "base/mem.h"
#include "base/sys.h"
#include "format/health.h"
#include "format/tombstone.h"
#include "tests/support/copy.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/world.h"

static void begin(struct world *w)
{
	unsigned i;
	char name[16];

	world_begin(w);
	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "f%02u", i);
		world_noise(w, name, 30000, i + 1);
	}
	world_noise(w, "long", 1500000, 50); /* in lists of extents */
	world_run(w);
	world_keep(w);
}

/* --- bundles lost, damaged, condemned */

struct names {
	enum file_type type;
	struct id v[256];
	size_t n;
};

static void note(void *arg, const char *folder, const char *name, struct span content)
{
	struct names *names = arg;
	struct id id;
	char its[16];

	(void)content;
	if (id_of_name(name, &id) && strcmp(folder_of(names->type, &id, its), folder) == 0)
		names->v[names->n++] = id;
}

static struct names bundles(struct world *w, enum file_type type)
{
	struct names names = {.type = type};

	stores_each(w->store, note, &names);
	return names;
}

static void drop(struct world *w, enum file_type type, const struct id *name)
{
	char text[2 * ID_SIZE + 1], folder[16];
	struct err e = ERR_EMPTY;

	name_of_id(name, text);
	assert_true(store_remove(w->store, folder_of(type, name, folder), text, &e));
}

static void drop_hunks(struct world *w)
{
	struct names names = bundles(w, FILE_HUNKS);
	size_t i;

	for (i = 0; i < names.n; i++)
		drop(w, FILE_HUNKS, &names.v[i]);
}

static void random_name(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	(void)arg;
	snprintf(name, NAME_MAX_LEN + 1, "%s", random);
}

static void put_json(
    struct world *w, const char *folder, const char *type, struct json_body *body)
{
	struct repo *r = backup_open(w->store);
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;
	uint64_t size;

	if (!repo_put_json(r, folder, type, random_name, NULL, body, name, &size, &e))
		fail_msg("%s", e.text);
	json_body_release(body);
	repo_close(r);
}

static void condemn(struct world *w, const struct names *names)
{
	struct json_body body = JSON_BODY_EMPTY;
	struct tombstone t;
	size_t i;

	tombstone_init(&t);
	band_name_make(&t.run, backup_clock(), "0123456789abcdef", 1);
	t.time = backup_clock();
	for (i = 0; i < names->n; i++)
		tombstone_add_bundle(&t, &names->v[i], names->type == FILE_HUNKS);
	tombstone_encode(&t, &body);
	tombstone_release(&t);
	put_json(w, "tombstones", "tombstone", &body);
}

static void mark(struct world *w, const struct id *name, bool damaged)
{
	struct json_body body = JSON_BODY_EMPTY;
	struct health h;

	health_init(&h);
	h.time = backup_clock() + !damaged;
	memcpy(h.client, "0123456789abcdef", sizeof h.client);
	if (damaged)
		health_add_damage(&h, &(struct damage){.bundle = *name});
	else
		health_add_checked(&h, &(struct checked){*name, HEALTH_FULL});
	health_encode(&h, &body);
	health_release(&h);
	put_json(w, "health", "health", &body);
}

static void test_lost_bundle(void **state)
{
	struct world w;
	struct names names;
	char first[BAND_MAX_LEN + 1];
	size_t i;

	(void)state;
	begin(&w);
	memcpy(first, w.result.snapshot, sizeof first);
	names = bundles(&w, FILE_DATA);
	assert_true(names.n > 10);
	for (i = 0; i < names.n; i += 3)
		drop(&w, FILE_DATA, &names.v[i]);
	world_run(&w);
	assert_true(w.result.totals.bytes_new > 300000);
	assert_true(w.result.totals.bytes_new < 1000000);
	world_check(&w, w.result.snapshot);
	world_check_then(&w, first, 0); /* whole again, through the index */
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 0);
	assert_int_equal(w.counts.put, 2);
	world_end(&w);
}

static void test_damaged_bundle(void **state)
{
	struct world w;
	struct names names;

	(void)state;
	begin(&w);
	names = bundles(&w, FILE_DATA);
	mark(&w, &names.v[4], true);
	world_run(&w);
	assert_true(w.result.totals.bytes_new > 30000);
	assert_true(w.result.totals.bytes_new < 200000);
	drop(&w, FILE_DATA, &names.v[4]);
	world_check(&w, w.result.snapshot);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_end(&w);
}

/* A later look found the bundle whole. */
static void test_damage_taken_back(void **state)
{
	struct world w;
	struct names names;

	(void)state;
	begin(&w);
	names = bundles(&w, FILE_DATA);
	mark(&w, &names.v[4], true);
	mark(&w, &names.v[4], false);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_new, 0);
	world_end(&w);
}

/*
 * The hunk of a tree that is unchanged is stored again as it was, and both snapshots have
 * it.
 */
static void test_lost_hunks(void **state)
{
	struct world w;
	char first[BAND_MAX_LEN + 1];

	(void)state;
	begin(&w);
	assert_int_equal(unlink(world_path(&w, "long")), 0);
	world_run(&w);
	memcpy(first, w.result.snapshot, sizeof first);
	drop_hunks(&w);
	world_run(&w); /* the cache has it */
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_check(&w, w.result.snapshot);
	world_check(&w, first);
	drop_hunks(&w);
	w.d.cache = NULL; /* and where nobody has it, all is read */
	world_run(&w);
	assert_true(w.result.totals.bytes_read > 0);
	assert_int_equal(w.result.totals.bytes_new, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/*
 * Lists of extents are of the index, but no cache has all that is needed: the file is
 * read.
 */
static void test_lost_lists(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	drop_hunks(&w);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 1500000);
	assert_int_equal(w.result.totals.bytes_new, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* Of a truncated one, a run that has not seen it yet. */
static void test_truncated_bundle(void **state)
{
	struct world w;
	struct names names;
	struct buf content = BUF_EMPTY;
	char text[2 * ID_SIZE + 1], folder[16];
	struct err e = ERR_EMPTY;
	struct span part;

	(void)state;
	begin(&w);
	names = bundles(&w, FILE_DATA);
	name_of_id(&names.v[2], text);
	folder_of(FILE_DATA, &names.v[2], folder);
	assert_true(store_get(w.store, folder, text, 0, SIZE_MAX, &content, NULL, &e));
	drop(&w, FILE_DATA, &names.v[2]);
	part = span_of(content.p, content.n / 2);
	assert_true(store_put(w.store, folder, text, &part, 1, &e));
	w.d.cache = NULL;
	world_run(&w);
	assert_true(w.result.totals.bytes_new > 30000);
	world_check(&w, w.result.snapshot);
	buf_release(&content);
	world_end(&w);
}

static void test_condemned(void **state)
{
	struct world w;
	struct names data, hunks;
	size_t i;

	(void)state;
	begin(&w);
	data = bundles(&w, FILE_DATA);
	hunks = bundles(&w, FILE_HUNKS);
	data.n = data.n / 2;
	condemn(&w, &data);
	condemn(&w, &hunks);
	world_run(&w);
	assert_true(w.result.totals.bytes_new > 400000);
	for (i = 0; i < data.n; i++)
		drop(&w, FILE_DATA, &data.v[i]);
	for (i = 0; i < hunks.n; i++)
		drop(&w, FILE_HUNKS, &hunks.v[i]);
	world_check(&w, w.result.snapshot);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* --- stale entries on condemned bundles */

static int unreadable(enum sys_call call, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (call != SYS_OPEN || !path)
		return 0;
	path = slash ? slash + 1 : path;
	return *path == 'f' || strcmp(path, "long") == 0 ? EACCES : 0;
}

static void touch_all(struct world *w)
{
	char name[16];
	unsigned i;

	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "f%02u", i);
		assert_int_equal(chmod(world_path(w, name), 0600), 0);
	}
	assert_int_equal(chmod(world_path(w, "long"), 0600), 0);
}

static void rescued(bool source_gone)
{
	struct world w;
	struct names data, hunks;
	const char *sources[3] = {NULL, NULL, NULL};
	char *away;
	size_t i;

	begin(&w);
	data = bundles(&w, FILE_DATA);
	hunks = bundles(&w, FILE_HUNKS);
	data.n -= 3;
	condemn(&w, &data);
	condemn(&w, &hunks);
	away = mem_printf("%s-away", w.source);
	if (source_gone) {
		sources[0] = w.source;
		sources[1] = w.cache;
		w.d.sources = sources;
		assert_int_equal(rename(w.source, away), 0);
	} else {
		touch_all(&w);
		sys_fault = unreadable;
	}
	world_run(&w);
	sys_fault = NULL;
	assert_true(w.result.complete);
	assert_int_equal(w.result.totals.unreadable, source_gone ? 1 : 13);
	assert_true(w.result.totals.bytes_new > 1000000);
	for (i = 0; i < data.n; i++)
		drop(&w, FILE_DATA, &data.v[i]);
	for (i = 0; i < hunks.n; i++)
		drop(&w, FILE_HUNKS, &hunks.v[i]);
	if (source_gone)
		assert_int_equal(rename(away, w.source), 0);
	assert_true(world_entry(&w, w.result.snapshot, "f00", 0));
	assert_true(world_entry(&w, w.result.snapshot, "f11", 0));
	assert_true(world_entry(&w, w.result.snapshot, "long", 0));
	w.d.sources = NULL;
	world_run(&w);
	world_check(&w, w.result.snapshot);
	free(away);
	world_end(&w);
}

static void test_rescued(void **state)
{
	(void)state;
	rescued(false);
	rescued(true);
}

/* Lost altogether: then the snapshot does not pretend to have it. */
static void test_beyond_rescue(void **state)
{
	struct world w;
	struct names data;
	unsigned i, have = 0;
	char name[16];

	(void)state;
	begin(&w);
	data = bundles(&w, FILE_DATA);
	for (i = 0; i < 12; i++)
		drop(&w, FILE_DATA, &data.v[i]);
	touch_all(&w);
	sys_fault = unreadable;
	world_run(&w);
	sys_fault = NULL;
	assert_true(w.result.complete);
	assert_int_equal(w.result.totals.unreadable, 13);
	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "f%02u", i);
		if (world_has(&w, w.result.snapshot, name)) {
			assert_true(world_entry(&w, w.result.snapshot, name, 0));
			have++;
		}
	}
	assert_true(have > 0 || !world_has(&w, w.result.snapshot, "long"));
	world_run(&w);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* --- interrupted */

static volatile bool stop;
static uint64_t stop_at;

static void on_progress(struct monitor *m, const struct progress *p)
{
	(void)m;
	if (stop_at && p->bytes >= stop_at)
		stop = true;
}

static uint64_t part_read(struct world *w)
{
	enum band_file kind;
	struct band b;
	uint64_t read;

	world_band(w, w->result.snapshot, &kind, &b);
	assert_int_equal(kind, BAND_PART);
	read = b.totals.bytes_read;
	band_release(&b);
	return read;
}

static size_t count_kind(struct world *w, enum band_file kind)
{
	struct repo *r = backup_open(w->store);
	struct err e = ERR_EMPTY;
	struct bands bands;
	size_t i, n = 0;

	assert_true(bands_list(r, &bands, &e));
	for (i = 0; i < bands.n; i++)
		n += kind == BAND_FENCE ? bands.v[i].fences.n : bands.v[i].tails.n;
	bands_release(&bands);
	repo_close(r);
	return n;
}

static void run_until(struct world *w, uint64_t bytes)
{
	stop = false;
	stop_at = bytes;
	w->d.stop = &stop;
	w->monitor.progress = on_progress;
	world_fail(w, ERR_STOPPED);
	stop = false;
	stop_at = 0;
}

static void make_long(struct world *w)
{
	unsigned i;
	char name[16];

	world_begin(w);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "f%02u", i);
		world_noise(w, name, 100000, i + 1);
	}
}

static void test_stopped(void **state)
{
	struct world w;
	uint64_t first, second;

	(void)state;
	make_long(&w);
	run_until(&w, 2000000);
	assert_int_equal(w.result.parts, 1);
	first = part_read(&w);
	assert_true(first >= 2000000);
	assert_int_equal(count_kind(&w, BAND_FENCE), 0);
	run_until(&w, 4000000);
	second = part_read(&w);
	assert_true(second > 0 && first + second < 6000000);
	assert_int_equal(count_kind(&w, BAND_FENCE), 1);
	world_run(&w);
	assert_int_equal(count_kind(&w, BAND_FENCE), 2);
	assert_int_equal(w.result.totals.bytes_read, 6000000 - first - second);
	assert_int_equal(w.result.totals.bytes_new, 6000000 - first - second);
	assert_int_equal(w.result.totals.bytes, 6000000);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* In a large file: what is before it is kept, and its own chunks are not stored again. */
static void test_stopped_within(void **state)
{
	struct world w;
	uint64_t kept;

	(void)state;
	make_long(&w);
	world_noise(&w, "g", 20u << 20, 99);
	run_until(&w, 6000000 + (8u << 20));
	kept = part_read(&w);
	assert_int_equal(kept, 6000000);
	world_run(&w);
	assert_int_equal(w.result.totals.bytes_read, 20u << 20);
	assert_true(w.result.totals.bytes_new <= 13u << 20);
	world_check(&w, w.result.snapshot);
	world_end(&w);
}

/* Only the client itself knows that no process of it is at work. */
static void test_fence_own(void **state)
{
	struct world w;
	char *other;

	(void)state;
	make_long(&w);
	run_until(&w, 2000000);
	other = scratch_new();
	w.d.cache = other;
	world_run(&w);
	assert_int_equal(count_kind(&w, BAND_FENCE), 0);
	w.d.cache = w.cache;
	world_run(&w);
	assert_int_equal(count_kind(&w, BAND_FENCE), 1);
	assert_int_equal(w.result.totals.bytes_read, 0);
	world_run(&w);
	assert_int_equal(count_kind(&w, BAND_FENCE), 1);
	scratch_free(other);
	world_end(&w);
}

/* --- a store on which somebody fences each band as soon as its tail is there */

struct fencing {
	struct store store;
	struct store *inner;
	unsigned left;
};

static bool fencing_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct fencing *f = (struct fencing *)s;
	char fence[NAME_MAX_LEN + 1];
	struct span text = span_str("a fence");
	enum band_file kind;
	struct band_name n;
	unsigned part;

	if (!store_put(f->inner, folder, name, parts, n_parts, e))
		return false;
	if (f->left > 0 && strcmp(folder, "bands") == 0 &&
	    band_file_parse(span_str(name), &n, &kind, &part) && kind == BAND_TAIL) {
		f->left--;
		band_file_name(fence, n.text, BAND_FENCE, 0, "abcdefghijklmnopqrstuv0123");
		assert_true(store_put(f->inner, folder, fence, &text, 1, e));
	}
	return true;
}

static bool fencing_get(struct store *s, const char *folder, const char *name,
    uint64_t at, size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct store *inner = ((struct fencing *)s)->inner;

	return inner->ops->get(inner, folder, name, at, n, out, size, e);
}

static bool fencing_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	return store_list(((struct fencing *)s)->inner, folder, out, e);
}

static bool fencing_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	return store_stat(((struct fencing *)s)->inner, folder, name, size, e);
}

static bool fencing_space(struct store *s, uint64_t *free_bytes)
{
	(void)s;
	(void)free_bytes;
	return false;
}

static const struct store_ops fencing_ops = {
    .put = fencing_put,
    .get = fencing_get,
    .list = fencing_list,
    .stat = fencing_stat,
    .space = fencing_space,
};

static void test_fenced(void **state)
{
	struct world w;
	struct fencing f = {.store = {.ops = &fencing_ops, .describe = "fencing"}, .left = 1};

	(void)state;
	make_long(&w);
	f.inner = w.store;
	w.d.store = &f.store;
	world_run(&w);
	assert_true(w.result.complete);
	assert_int_equal(count_kind(&w, BAND_TAIL), 2);
	assert_int_equal(w.result.totals.bytes_read, 0); /* the dead band is its basis */
	assert_int_equal(w.problems[PROBLEM_NOTE], 1);
	world_check(&w, w.result.snapshot);
	f.left = 2;
	world_fail(&w, ERR_IO);
	assert_false(w.result.complete);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lost_bundle),
	    cmocka_unit_test(test_damaged_bundle),
	    cmocka_unit_test(test_damage_taken_back),
	    cmocka_unit_test(test_lost_hunks),
	    cmocka_unit_test(test_lost_lists),
	    cmocka_unit_test(test_truncated_bundle),
	    cmocka_unit_test(test_condemned),
	    cmocka_unit_test(test_rescued),
	    cmocka_unit_test(test_beyond_rescue),
	    cmocka_unit_test(test_stopped),
	    cmocka_unit_test(test_stopped_within),
	    cmocka_unit_test(test_fence_own),
	    cmocka_unit_test(test_fenced),
	};

	copy_home();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
