/*
 * Vacuum: exactness of what it calls dead and of what it predicts, over generations of a
 * changing source; and that it gives up where anything is unreadable or missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"

static void add_up(struct store *s, const struct vacuum_result *res)
{
	assert_int_equal(res->total_bytes, store_bytes(s));
	assert_int_equal(res->live_bytes + res->condemned_bytes + res->dead_bytes +
	        res->unknown_bytes,
	    res->total_bytes);
}

static void make_generations(struct ages *w, unsigned n)
{
	char cache[4096];
	unsigned i;

	ages_init(w, 300, 3u << 20);
	scratch_mkdir(w->dir, "cache");
	snprintf(cache, sizeof cache, "%s/cache", w->dir);
	for (i = 0; i < n; i++) {
		if (i)
			ages_change(w, 4);
		ages_backup(w, cache);
	}
}

static void test_nothing_dead(void **state)
{
	struct vacuum_options o;
	struct vacuum_result res;
	struct ages w;

	(void)state;
	make_generations(&w, 3);
	vacuum_do_init(&o);
	vacuum_must(w.store, &o, &res);
	add_up(w.store, &res);
	assert_int_equal(res.condemned_bytes, 0);
	assert_int_equal(res.unknown_bytes, 0);
	assert_true(res.live_chunks > 500);
	assert_true(res.dead_bytes * 100 < res.total_bytes);
	ages_release(&w);
}

/* Sole client: condemned and deleted in one go. */
static void vacuum_all(struct ages *w, int below, struct vacuum_result *res)
{
	struct vacuum_options o;

	vacuum_do_init(&o);
	o.run = o.deletes = o.sole_client = true;
	o.below = below;
	vacuum_must(w->store, &o, res);
	ages_check(w, w->store);
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Prediction and outcome, but for the few small files that each run writes itself. */
static void test_exact(void **state)
{
	static const int below[] = {0, 30, 50, 70, 90, 100};
	struct vacuum_options look;
	struct vacuum_result res, before;
	uint64_t bytes, freed;
	struct ages w;
	unsigned i, k;

	(void)state;
	make_generations(&w, 30);
	ages_check(&w, w.store);
	for (i = 0; i < 24; i++)
		if (i % 8)
			ages_remove(&w, i);
	vacuum_do_init(&look);
	for (k = 0; k < 6; k++) {
		vacuum_must(w.store, &look, &before);
		add_up(w.store, &before);
		bytes = store_bytes(w.store);
		vacuum_all(&w, below[k], &res);
		freed = bytes > store_bytes(w.store) ? bytes - store_bytes(w.store) : 0;
		if (apart(freed, before.thresholds[k].free_bytes) >=
		    before.thresholds[k].free_bytes / 100 + 16384)
			fail_msg("below %d: %ju freed, %ju predicted; %ju written, %ju predicted", below[k],
			    (uintmax_t)freed, (uintmax_t)before.thresholds[k].free_bytes,
			    (uintmax_t)res.written_bytes, (uintmax_t)before.thresholds[k].write_bytes);
		assert_true(res.copied_bytes * 100 <= before.thresholds[k].write_bytes * 105);
		vacuum_must(w.store, &look, &res);
		add_up(w.store, &res);
		assert_int_equal(res.condemned_bytes, 0);
		assert_true(apart(res.dead_bytes, before.thresholds[k].dead_bytes) < 16384);
	}
	assert_int_equal(res.dead_bytes, 0);
	assert_int_equal(res.unknown_bytes, 0);
	ages_release(&w);
}

/* Bundles that are not below the threshold stay as they are. */
static void test_untouched(void **state)
{
	struct store *before;
	struct vacuum_options o;
	struct vacuum_result res;
	struct buf why = BUF_EMPTY;
	struct ages w;

	(void)state;
	make_generations(&w, 4);
	before = store_mem_clone(w.store);
	vacuum_all(&w, 0, &res);
	assert_int_equal(res.condemned_bundles, 0);
	if (!stores_within(before, w.store, &why))
		fail_msg("%s", buf_str(&why));
	vacuum_do_init(&o);
	store_free(before);
	ages_release(&w);
}

/* --- what ends it */

struct hiding {
	struct store store;
	struct store *inner;
	const char *folder, *name; /* name NULL: all of the folder */
};

static bool hide_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n, struct err *e)
{
	return store_put(((struct hiding *)s)->inner, folder, name, parts, n, e);
}

static bool hide_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct store *in = ((struct hiding *)s)->inner;

	return in->ops->get(in, folder, name, at, n, out, size, e);
}

static bool hide_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	struct hiding *h = (struct hiding *)s;
	size_t i, k = 0;

	if (!store_list(h->inner, folder, out, e))
		return false;
	for (i = 0; strcmp(folder, h->folder) == 0 && i < out->n; i++) {
		if (h->name && strcmp(out->names[i], h->name) != 0)
			out->names[k++] = out->names[i];
		else
			free(out->names[i]);
	}
	if (strcmp(folder, h->folder) == 0)
		out->n = k;
	return true;
}

static bool hide_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	return store_stat(((struct hiding *)s)->inner, folder, name, size, e);
}

static bool hide_remove(struct store *s, const char *folder, const char *name, struct err *e)
{
	return store_remove(((struct hiding *)s)->inner, folder, name, e);
}

static bool hide_space(struct store *s, uint64_t *n)
{
	(void)s;
	(void)n;
	return false;
}

static void hide_free(struct store *s)
{
	free(s);
}

static const struct store_ops hide_ops = {
    hide_put, hide_get, hide_list, hide_stat, hide_remove, hide_space, hide_free};

/* It fails with this kind, and all that was there still is. */
static void must_refuse(struct store *store, struct store *as_seen, enum err_kind kind)
{
	struct store *before = store_mem_clone(store);
	struct buf why = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct vacuum_options o;
	struct vacuum_result res;
	unsigned run;

	vacuum_do_init(&o);
	for (run = 0; run < 2; run++) {
		o.run = o.deletes = o.sole_client = run;
		o.below = 100;
		if (vacuum_do(as_seen, &o, &res, &e))
			fail_msg("it did not notice");
		if (e.kind != kind)
			fail_msg("%s", e.text);
		if (!stores_within(before, store, &why))
			fail_msg("%s", buf_str(&why));
		assert_int_equal(stores_count(store, "tombstones"), stores_count(before, "tombstones"));
		assert_int_equal(stores_count(store, "index"), stores_count(before, "index"));
		assert_int_equal(stores_count(store, "hunks"), stores_count(before, "hunks"));
	}
	store_free(before);
}

struct picking {
	const char *folder, *part;
	char name[NAME_MAX_LEN + 1];
	char in[16];
};

static void pick(void *arg, const char *folder, const char *name, struct span content)
{
	struct picking *p = arg;

	(void)content;
	if (strncmp(folder, p->folder, strlen(p->folder)) == 0 && strstr(name, p->part)) {
		snprintf(p->name, sizeof p->name, "%s", name);
		snprintf(p->in, sizeof p->in, "%s", folder);
	}
}

/* A file of the folder whose name has that part. */
static struct picking picked(struct store *s, const char *folder, const char *part)
{
	struct picking p = {.folder = folder, .part = part};

	stores_each(s, pick, &p);
	assert_true(p.name[0]);
	return p;
}

static void flip(struct store *s, const struct picking *p)
{
	struct buf b = BUF_EMPTY;
	struct span part;

	assert_true(store_get(s, p->in, p->name, 0, SIZE_MAX, &b, NULL, NULL));
	b.p[b.n / 2] ^= 1;
	part = buf_span(&b);
	assert_true(store_remove(s, p->in, p->name, NULL));
	assert_true(store_put(s, p->in, p->name, &part, 1, NULL));
	buf_release(&b);
}

/* A repository with a live snapshot, a removed one, and a tombstone. */
static void make_few(struct ages *w)
{
	struct vacuum_options o;
	struct vacuum_result res;
	unsigned i;

	ages_init(w, 60, 1u << 20);
	for (i = 0; i < 3; i++) {
		if (i)
			ages_change(w, 20);
		ages_backup(w, NULL);
	}
	ages_remove(w, 0);
	vacuum_do_init(&o);
	o.run = true;
	o.below = 0;
	vacuum_must(w->store, &o, &res);
	assert_true(res.tombstone[0]);
}

/* Whether it refuses with that file damaged; where not, nobody needed it. */
static bool refused(struct ages *w, const struct picking *p)
{
	struct store *s = store_mem_clone(w->store);
	struct vacuum_options o;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	bool yes;

	flip(s, p);
	vacuum_do_init(&o);
	yes = !vacuum_do(s, &o, &res, &e);
	if (yes) {
		must_refuse(s, s, ERR_CORRUPT);
	} else {
		o.run = o.deletes = o.sole_client = true;
		o.below = 100;
		vacuum_must(s, &o, &res);
		ages_check(w, s);
	}
	store_free(s);
	return yes;
}

struct each {
	struct ages *w;
	const char *folder;
	unsigned refused, n;
};

static void damage_one(void *arg, const char *folder, const char *name, struct span content)
{
	struct each *each = arg;
	struct picking p = {.folder = folder};

	(void)content;
	if (strcmp(folder, each->folder) != 0)
		return;
	snprintf(p.name, sizeof p.name, "%s", name);
	snprintf(p.in, sizeof p.in, "%s", folder);
	each->refused += refused(each->w, &p);
	each->n++;
}

static void test_damage_refused(void **state)
{
	static const char *const folders[] = {"tombstones", "index", "hunks"};
	char tail[BAND_MAX_LEN + 16];
	struct picking p;
	struct each each;
	struct ages w;
	unsigned i;

	(void)state;
	make_few(&w);
	each.w = &w;
	for (i = 0; i < 3; i++) {
		each.folder = folders[i];
		each.refused = each.n = 0;
		stores_each(w.store, damage_one, &each);
		assert_true(each.refused > 0);
		if (i == 0)
			assert_int_equal(each.refused, each.n);
	}
	snprintf(tail, sizeof tail, "%s-tail", w.band[1]);
	p = picked(w.store, "bands", tail);
	assert_true(refused(&w, &p));
	ages_release(&w);
}

static void refuse_hidden(struct ages *w, const char *folder, const char *name)
{
	struct hiding h = {{&hide_ops, MOUNT_THROUGH, "hiding", 0}, w->store, folder, name};

	must_refuse(w->store, &h.store, ERR_MISSING);
}

static void hide_one(void *arg, const char *folder, const char *name, struct span content)
{
	struct each *each = arg;
	struct hiding h = {
	    {&hide_ops, MOUNT_THROUGH, "hiding", 0}, each->w->store, folder, name};
	struct vacuum_options o;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;

	(void)content;
	vacuum_do_init(&o);
	if (strcmp(folder, each->folder) != 0 || vacuum_do(&h.store, &o, &res, &e))
		return;
	must_refuse(each->w->store, &h.store, e.kind);
	assert_true(e.kind == ERR_MISSING || e.kind == ERR_CORRUPT);
	each->refused++;
}

/* Each file of a folder is left out of its listing, one after another. */
static void hide_each(struct ages *w, const char *folder)
{
	struct each each = {.w = w, .folder = folder};
	struct store *same = store_mem_clone(w->store);

	stores_each(same, hide_one, &each);
	store_free(same);
	assert_true(each.refused > 0);
}

static void test_listings_refused(void **state)
{
	char part[BAND_MAX_LEN + 16];
	struct picking p;
	struct store *s;
	struct ages w;

	(void)state;
	make_few(&w);
	refuse_hidden(&w, "bands", NULL);
	refuse_hidden(&w, "index", NULL);
	refuse_hidden(&w, "hunks", NULL);
	p = picked(w.store, "data/", "");
	refuse_hidden(&w, p.in, NULL);
	hide_each(&w, "index");
	hide_each(&w, p.in);

	/* every trace of a snapshot is lost: the one after it tells of it */
	s = store_mem_clone(w.store);
	do {
		snprintf(part, sizeof part, "%s-", w.band[1]);
		p = (struct picking){.folder = "bands", .part = part};
		stores_each(s, pick, &p);
	} while (p.name[0] && store_remove(s, "bands", p.name, NULL));
	must_refuse(s, s, ERR_MISSING);
	store_free(s);

	s = store_mem_clone(w.store);
	assert_true(store_remove(s, "", "README.txt", NULL));
	store_free(s);
	ages_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_dead),
	    cmocka_unit_test(test_exact),
	    cmocka_unit_test(test_untouched),
	    cmocka_unit_test(test_damage_refused),
	    cmocka_unit_test(test_listings_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
