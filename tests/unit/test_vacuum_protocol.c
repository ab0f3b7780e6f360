/*
 * Vacuum and the steps of docs/protocol.md, one by one: what it waits for, what it takes
 * for alive, what it looks at again before it deletes. Time is virtual: each run comes a
 * minute after the one before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "band/bands.h"
#include "engine/band_run.h"
#include "engine/vacuum_run.h"
#include "tests/support/band_make.h"
#include "tests/support/bytes.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"
#include "tests/support/watch.h"

#define MINUTES 60 /* of grace */

/* --- a repository, and a client that vacuums */

struct world {
	struct ages w;
	char cache[4096];
	struct vacuum_options o;
};

static void world_setup(struct world *x, unsigned generations)
{
	unsigned i;

	ages_init(&x->w, 24, 60000);
	for (i = 0; i < generations; i++) {
		if (i)
			ages_change(&x->w, 30);
		ages_backup(&x->w, NULL);
	}
	scratch_mkdir(x->w.dir, "cache");
	snprintf(x->cache, sizeof x->cache, "%s/cache", x->w.dir);
	vacuum_do_init(&x->o);
	x->o.run = true;
	x->o.grace = MINUTES * VACUUM_HOUR / 60;
	x->o.below = 0;
	x->o.cache_dir = x->cache;
}

static void pass(unsigned minutes)
{
	while (minutes--)
		backup_clock();
}

/* A vacuum by the client; how many files it deleted. */
static uint64_t vacuum(struct world *x)
{
	struct vacuum_result res;

	vacuum_must(x->w.store, &x->o, &res);
	return res.deleted_files;
}

/* Generation 0 is condemned as far as it is dead, and the grace is past. */
static void condemn_first(struct world *x)
{
	struct vacuum_result res;

	ages_remove(&x->w, 0);
	vacuum_must(x->w.store, &x->o, &res);
	assert_true(res.tombstone[0]);
	assert_true(res.condemned_bundles > 0);
	assert_int_equal(res.deleted_files, 0);
	pass(2 * MINUTES);
}

/* --- files that are not there for a time */

struct kept {
	char folder[16], name[NAME_MAX_LEN + 1];
	struct buf bytes;
};

struct finding {
	const char *folder, *part;
	struct kept *kept;
};

static void find(void *arg, const char *folder, const char *name, struct span content)
{
	struct finding *f = arg;

	if (strcmp(folder, f->folder) != 0 || !strstr(name, f->part))
		return;
	snprintf(f->kept->folder, sizeof f->kept->folder, "%s", folder);
	snprintf(f->kept->name, sizeof f->kept->name, "%s", name);
	buf_clear(&f->kept->bytes);
	buf_add_span(&f->kept->bytes, content);
}

/* Whether there is a file whose name has that part. */
static bool has(struct world *x, const char *folder, const char *part)
{
	struct kept k = {.bytes = BUF_EMPTY};
	struct finding f = {folder, part, &k};

	stores_each(x->w.store, find, &f);
	buf_release(&k.bytes);
	return k.name[0];
}

static void look_for(
    struct world *x, const char *folder, const char *part, struct kept *k)
{
	struct finding f = {folder, part, k};

	*k = (struct kept){.bytes = BUF_EMPTY};
	stores_each(x->w.store, find, &f);
	assert_true(k->name[0]);
}

static void take(struct world *x, const char *folder, const char *part, struct kept *k)
{
	look_for(x, folder, part, k);
	assert_true(store_remove(x->w.store, k->folder, k->name, NULL));
}

static void give_back(struct world *x, struct kept *k)
{
	struct span part = buf_span(&k->bytes);

	assert_true(store_put(x->w.store, k->folder, k->name, &part, 1, NULL));
	buf_release(&k->bytes);
}

static void take_tail(struct world *x, unsigned generation, struct kept *k)
{
	char part[BAND_MAX_LEN + 8];

	snprintf(part, sizeof part, "%s-tail", x->w.band[generation]);
	take(x, "bands", part, k);
}

/* A band is declared dead: by its own client, or by another. */
static void fence_band(struct world *x, const char *band, bool by_itself)
{
	struct repo *r = backup_open(x->w.store);
	struct err e = ERR_EMPTY;
	struct band_name n;
	uint64_t size;

	assert_true(band_name_parse(span_str(band), &n));
	assert_true(
	    band_note_put(r, &n, BAND_FENCE, by_itself ? n.client : TEST_CLIENT, &size, &e));
	repo_close(r);
}

static void fence(struct world *x, unsigned generation, bool by_itself)
{
	fence_band(x, x->w.band[generation], by_itself);
}

static void unfence(struct world *x)
{
	struct kept k;

	take(x, "bands", "-fence-", &k);
	buf_release(&k.bytes);
}

/* --- V5, V6: heads, tails, fences */

static void test_tail_awaited(void **state)
{
	struct world x;
	struct kept tail;

	(void)state;
	world_setup(&x, 2);
	take_tail(&x, 1, &tail);
	condemn_first(&x);
	assert_int_equal(vacuum(&x), 0);
	give_back(&x, &tail);
	assert_true(vacuum(&x) > 0);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* A fence counts after it has been watched, whoever wrote it. */
static void fence_watched(bool by_itself)
{
	struct world x;
	struct kept tail;

	world_setup(&x, 2);
	take_tail(&x, 1, &tail);
	condemn_first(&x);
	fence(&x, 1, by_itself);
	assert_int_equal(vacuum(&x), 0);
	pass(MINUTES - 2);
	assert_int_equal(vacuum(&x), 0);
	pass(2);
	assert_true(vacuum(&x) > 0);
	buf_release(&tail.bytes);
	ages_release(&x.w);
}

static void test_fence_watched(void **state)
{
	(void)state;
	fence_watched(false);
	fence_watched(true);
}

/*
 * A tail that turns up while the fence is watched takes the fence's place, and is alive.
 */
static void test_tail_beside_fence(void **state)
{
	struct world x;
	struct kept tail;
	unsigned i;

	(void)state;
	world_setup(&x, 2);
	take_tail(&x, 1, &tail);
	condemn_first(&x);
	fence(&x, 1, true);
	assert_int_equal(vacuum(&x), 0);
	give_back(&x, &tail);
	x.o.below = 100;
	for (i = 0; i < 3; i++) {
		assert_true(vacuum(&x) > 0 || i > 0);
		pass(2 * MINUTES);
	}
	unfence(&x);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/*
 * A run that others have declared dead may wake up at any time, and then finds its fence.
 * One whose own client has done so is dead.
 */
static void fence_stays(bool by_itself)
{
	char head[BAND_MAX_LEN + 8], stranger[] = "20260101000000-aaaaaaaaaaaaaaaa-1";
	struct world x;
	struct kept tail;
	unsigned i;

	world_setup(&x, 2);
	take_tail(&x, 1, &tail);
	fence_band(&x, x.w.band[1], by_itself);
	fence_band(&x, stranger, by_itself); /* of which nothing else is seen any more */
	for (i = 0; i < 6; i++) {
		vacuum(&x);
		pass(2 * MINUTES);
	}
	snprintf(head, sizeof head, "%s-head", x.w.band[1]);
	assert_int_equal(has(&x, "bands", head), !by_itself);
	/* The fence, as roll-calls tell of the band. */
	assert_true(has(&x, "bands", x.w.band[1]));
	assert_int_equal(has(&x, "bands", stranger), !by_itself);
	buf_release(&tail.bytes);
	ages_release(&x.w);
}

static void test_fence_stays(void **state)
{
	(void)state;
	fence_stays(false);
	fence_stays(true);
}

/* One that turns up when all is gone stops nobody. */
static void test_tail_too_late(void **state)
{
	struct world x;
	struct kept tail;
	struct vacuum_result res;
	unsigned i;

	(void)state;
	world_setup(&x, 2);
	ages_change(&x.w, 100);
	ages_backup(&x.w, NULL);
	take_tail(&x, 1, &tail);
	fence(&x, 1, true);
	for (i = 0; i < 4; i++) {
		vacuum(&x);
		pass(2 * MINUTES);
	}
	give_back(&x, &tail);
	condemn_first(&x);
	assert_true(vacuum(&x) > 0);
	x.o.run = false;
	vacuum_must(x.w.store, &x.o, &res);
	ages_remove(&x.w, 1);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* --- V7: what others condemn meanwhile */

/* A tombstone of another client that names a bundle, or nothing that is there. */
static void put_stone(struct world *x, const struct id *bundles, size_t n)
{
	static unsigned number;
	struct repo *r = backup_open(x->w.store);
	struct json_body body = JSON_BODY_EMPTY;
	struct err e = ERR_EMPTY;
	struct tombstone t;
	char name[NAME_MAX_LEN + 1];
	size_t i;

	tombstone_init(&t);
	band_name_make(&t.run, backup_clock(), TEST_CLIENT, ++number);
	for (i = 0; i < n; i++)
		tombstone_add_bundle(&t, &bundles[i], false);
	tombstone_encode(&t, &body);
	assert_true(repo_put_json(r, "tombstones", "tombstone", vacuum_any_name, NULL, &body,
	    name, NULL, &e));
	json_body_release(&body);
	tombstone_release(&t);
	repo_close(r);
}

/* Bundles of data that no tombstone names. */
struct standing {
	struct id id[256];
	size_t n;
	struct map condemned;
	struct repo *repo;
};

static void take_stone(
    void *arg, const char *folder, const char *name, struct span content)
{
	struct standing *s = arg;
	struct buf secret = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct json_file jf;
	struct tombstone t;
	size_t i;

	if (strcmp(folder, "tombstones") != 0)
		return;
	assert_true(repo_check_json(s->repo, name, "tombstone", content, &jf, &secret, &e));
	tombstone_init(&t);
	assert_true(tombstone_decode(&jf, &t, NULL));
	for (i = 0; i < t.n_bundles; i++)
		map_put(&s->condemned, &t.bundles[i], 1);
	tombstone_release(&t);
	json_file_close(&jf);
	buf_release(&secret);
}

static void take_bundle(
    void *arg, const char *folder, const char *name, struct span content)
{
	struct standing *s = arg;

	(void)content;
	if (strncmp(folder, "data/", 5) == 0 && id_of_name(name, &s->id[s->n]) &&
	    !map_get(&s->condemned, &s->id[s->n]))
		s->n++;
}

static void look_standing(struct world *x, struct standing *s)
{
	s->n = 0;
	s->repo = backup_open(x->w.store);
	map_init(&s->condemned, ID_SIZE);
	stores_each(x->w.store, take_stone, s);
	stores_each(x->w.store, take_bundle, s);
	map_release(&s->condemned);
	repo_close(s->repo);
}

/* What is alive of generation 1 has been moved, and where it was is to go. */
static void move_all(struct world *x, struct vacuum_result *res)
{
	ages_remove(&x->w, 0);
	x->o.below = 100;
	vacuum_must(x->w.store, &x->o, res);
	assert_true(res->condemned_bundles > 0 && res->copied_bytes > 0);
	x->o.below = 0;
	pass(2 * MINUTES);
}

struct meddling {
	struct world *x;
	unsigned looks, from, to; /* at which looks at the tombstones there is a new one */
	struct standing names;
};

static void meddle(void *arg, enum fail_op op, const char *folder, const char *name)
{
	struct meddling *m = arg;

	(void)name;
	if (op != OP_LIST || strcmp(folder, "tombstones") != 0)
		return;
	m->looks++;
	if (m->looks >= m->from && m->looks <= m->to)
		put_stone(m->x, m->names.id, m->names.n);
}

static void vacuum_meddled(struct meddling *m, struct vacuum_result *res)
{
	struct err e = ERR_EMPTY;
	struct watch watch;

	watch_init(&watch, m->x->w.store);
	watch.hook = meddle;
	watch.hook_arg = m;
	if (!vacuum_do(&watch.store, &m->x->o, res, &e))
		fail_msg("%s", e.text);
	watch_release(&watch);
}

/* The vacuum's own look, and two of its survey; the next is that of V7. */
#define LOOK_AGAIN 4

/* Where the chunks survive is condemned in the last moment: they are saved first. */
static void test_others_condemn(void **state)
{
	struct meddling m = {.from = LOOK_AGAIN, .to = LOOK_AGAIN};
	struct vacuum_result res;
	struct world x;
	size_t before;
	unsigned i;

	(void)state;
	world_setup(&x, 2);
	move_all(&x, &res);
	m.x = &x;
	look_standing(&x, &m.names);
	before = m.names.n;
	assert_true(before > 0);
	vacuum_meddled(&m, &res);
	assert_true(m.looks > LOOK_AGAIN);
	assert_true(res.kept_bundles > 0);
	assert_true(res.copied_bytes > 0);
	look_standing(&x, &m.names);
	assert_true(m.names.n > 0);
	for (i = 0; i < 4; i++) {
		ages_check(&x.w, x.w.store);
		pass(2 * MINUTES);
		vacuum_must(x.w.store, &x.o, &res);
	}
	assert_int_equal(res.kept_bundles, 0);
	assert_int_equal(res.condemned_bytes, 0);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* Where others go on condemning, it lets be. */
static void test_others_never_rest(void **state)
{
	struct meddling m = {.from = LOOK_AGAIN, .to = 1000};
	struct vacuum_result res;
	struct world x;

	(void)state;
	world_setup(&x, 2);
	move_all(&x, &res);
	m.x = &x;
	vacuum_meddled(&m, &res);
	assert_true(res.disturbed);
	assert_int_equal(res.deleted_files, 0);
	vacuum_must(x.w.store, &x.o, &res);
	assert_false(res.disturbed);
	assert_true(res.deleted_files > 0);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* --- V8: where what is alive survives */

/* END_CUT: all frames are there, but who restores cannot open the bundle. */
enum harm { FLIPPED, HALVED, END_CUT };

static void spoil(struct world *x, const struct id *bundle, enum harm harm)
{
	struct buf b = BUF_EMPTY;
	char name[2 * ID_SIZE + 1], folder[16];

	name_of_id(bundle, name);
	folder_of(FILE_DATA, bundle, folder);
	assert_true(store_get(x->w.store, folder, name, 0, SIZE_MAX, &b, NULL, NULL));
	if (harm == FLIPPED)
		b.p[b.n / 2] ^= 1;
	else
		b.n = harm == HALVED ? b.n / 2 : b.n - 1;
	store_replace(x->w.store, folder, name, buf_span(&b));
	buf_release(&b);
}

/* What stands now and did not before: the copies. */
static void spoil_new(struct world *x, const struct standing *before, enum harm harm)
{
	struct standing now;
	size_t i, k, n = 0;

	look_standing(x, &now);
	for (i = 0; i < now.n; i++) {
		for (k = 0; k < before->n && !id_equal(&before->id[k], &now.id[i]); k++)
			;
		if (k < before->n)
			continue;
		spoil(x, &now.id[i], harm);
		n++;
	}
	assert_true(n > 0);
}

/* A copy that reads badly is none: its chunks are taken from the condemned bundle. */
static void survivor_damaged(enum harm harm)
{
	struct vacuum_result res;
	struct standing before;
	struct world x;
	unsigned i;

	world_setup(&x, 2);
	look_standing(&x, &before);
	move_all(&x, &res);
	spoil_new(&x, &before, harm);
	vacuum_must(x.w.store, &x.o, &res);
	assert_true(res.kept_bundles > 0);
	assert_true(res.copied_bytes > 0);
	assert_int_equal(stores_count(x.w.store, "health"), 1);
	ages_check(&x.w, x.w.store);
	for (i = 0; i < 2; i++) {
		pass(2 * MINUTES);
		vacuum_must(x.w.store, &x.o, &res);
		ages_check(&x.w, x.w.store);
	}
	assert_int_equal(res.kept_bundles, 0);
	assert_int_equal(stores_count(x.w.store, "health"), 1);
	ages_release(&x.w);
}

static void test_survivor_damaged(void **state)
{
	(void)state;
	survivor_damaged(FLIPPED);
	survivor_damaged(HALVED);
	survivor_damaged(END_CUT);
}

/* If the condemned bundle reads badly as well, it stays all the same. */
static void test_both_damaged(void **state)
{
	struct vacuum_result res;
	struct standing before;
	struct world x;
	unsigned i;

	(void)state;
	world_setup(&x, 2);
	look_standing(&x, &before);
	move_all(&x, &res);
	spoil_new(&x, &before, HALVED);
	for (i = 0; i < before.n; i++)
		spoil(&x, &before.id[i], HALVED);
	for (i = 0; i < 3; i++) {
		vacuum_must(x.w.store, &x.o, &res);
		assert_true(res.kept_bundles > 0);
		pass(2 * MINUTES);
	}
	ages_release(&x.w);
}

/* Generation 0 is condemned; a run that did not see that relies on it all the same. */
static void rely_on_condemned(struct world *x)
{
	struct backup_result res;
	struct err e = ERR_EMPTY;
	struct watch watch;
	struct backup_do d = {.source = scratch_path(x->w.dir, "src")};

	watch_init(&watch, x->w.store);
	watch.hidden = "tombstones";
	d.store = &watch.store;
	if (!backup_do(&d, &res, &e))
		fail_msg("%s", e.text);
	assert_int_equal(watch_count(&watch, OP_PUT, "data"), 0);
	watch_release(&watch);
	memcpy(x->w.band[0], res.snapshot, sizeof res.snapshot);
	x->w.removed[0] = false;
}

/* A copy counts when everybody sees it: by the clock of whoever deletes. */
static void test_survivor_young(void **state)
{
	char other[4096];
	struct vacuum_result res;
	struct world x;

	(void)state;
	world_setup(&x, 1);
	scratch_mkdir(x.w.dir, "other");
	snprintf(other, sizeof other, "%s/other", x.w.dir);
	ages_remove(&x.w, 0);
	assert_int_equal(vacuum(&x), 0);
	x.o.cache_dir = other; /* it has known the tombstone for as long */
	assert_int_equal(vacuum(&x), 0);
	rely_on_condemned(&x);
	pass(2 * MINUTES);

	x.o.cache_dir = x.cache;
	vacuum_must(x.w.store, &x.o, &res);
	assert_true(res.copied_bytes > 0 && res.kept_bundles > 0);
	vacuum_must(x.w.store, &x.o, &res);
	assert_true(res.copied_bytes == 0 && res.kept_bundles > 0);
	x.o.cache_dir = other;
	vacuum_must(x.w.store, &x.o, &res);
	assert_true(res.copied_bytes == 0 && res.kept_bundles > 0);
	pass(MINUTES / 2);
	vacuum_must(x.w.store, &x.o, &res);
	assert_true(res.deleted_files > 0 && res.kept_bundles == 0);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

/* --- V10: tombstones */

static void test_stone_goes(void **state)
{
	struct backup_do d = {0};
	struct span chunk = span_str("something");
	struct backup_result done;
	struct world x;
	struct repo *r;
	struct id id;

	(void)state;
	world_setup(&x, 1);
	d = (struct backup_do){
	    .store = x.w.store, .cache = x.cache, .source = scratch_path(x.w.dir, "src")};
	r = backup_open(x.w.store);
	bundle_store(r, FILE_DATA, &chunk, 1, 1, &id);
	repo_close(r);
	vacuum(&x);
	backup_must(&d, &done);
	assert_int_equal(stores_count(x.w.store, "tombstones"), 1);
	pass(2 * MINUTES);
	assert_int_equal(vacuum(&x), 1); /* the bundle */
	assert_int_equal(vacuum(&x), 0); /* it is gone */
	pass(MINUTES - 2);
	assert_int_equal(vacuum(&x), 0);
	assert_int_equal(stores_count(x.w.store, "tombstones"), 1);
	pass(2);
	assert_int_equal(vacuum(&x), 1); /* the tombstone */
	assert_int_equal(stores_count(x.w.store, "tombstones"), 0);
	backup_must(&d, &done); /* whose client remembers it */
	vacuum(&x);
	ages_check(&x.w, x.w.store);
	ages_release(&x.w);
}

struct dropping {
	struct world *x;
	enum fail_op op;
	unsigned after; /* so many of them */
	struct kept stone;
};

static void drop(void *arg, enum fail_op op, const char *folder, const char *name)
{
	struct dropping *d = arg;

	(void)name;
	if (op == d->op && strcmp(folder, "tombstones") == 0 && d->after-- == 0)
		store_remove(d->x->w.store, folder, d->stone.name, NULL);
}

/* It goes between being listed and being read: nobody minds. */
static void test_stone_goes_meanwhile(void **state)
{
	struct backup_result done;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	struct backup_do d;
	struct world x;
	/* A vacuum has a look of its own first, and then lists twice. */
	struct dropping dropping[] = {{&x, OP_GET, 0, {.name = ""}},
	    {&x, OP_GET, 1, {.name = ""}}, {&x, OP_LIST, 2, {.name = ""}}};
	struct watch watch;
	unsigned i;

	(void)state;
	world_setup(&x, 1);
	watch_init(&watch, x.w.store);
	watch.hook = drop;
	d = (struct backup_do){.store = &watch.store, .source = scratch_path(x.w.dir, "src")};
	for (i = 0; i < 3; i++) {
		put_stone(&x, NULL, 0);
		look_for(&x, "tombstones", "", &dropping[i].stone);
		watch.hook_arg = &dropping[i];
		if (i == 0 ? !backup_do(&d, &done, &e)
		           : !vacuum_do(&watch.store, &x.o, &res, &e))
			fail_msg("%s", e.text);
		assert_int_equal(stores_count(x.w.store, "tombstones"), 0);
		buf_release(&dropping[i].stone.bytes);
	}
	watch_release(&watch);
	ages_release(&x.w);
}

/* --- heads of vacuums */

static void put_head(struct world *x, enum band_kind kind, struct band *b)
{
	struct repo *r = backup_open(x->w.store);

	band_start(b, backup_clock() / 1000000000, 1, "");
	b->kind = kind;
	band_store(r, b, BAND_HEAD, NULL);
	repo_close(r);
}

static void test_vacuum_not_awaited(void **state)
{
	struct world x;
	struct band b;
	enum band_kind kind;

	(void)state;
	for (kind = BAND_BACKUP; kind <= BAND_VACUUM; kind++) {
		world_setup(&x, 2);
		put_head(&x, kind, &b);
		condemn_first(&x);
		assert_int_equal(vacuum(&x) > 0, kind == BAND_VACUUM);
		ages_check(&x.w, x.w.store);
		band_release(&b);
		ages_release(&x.w);
	}
}

/* What it has put by then is no litter, until its fence has been watched. */
static void test_vacuum_keeps_bundles(void **state)
{
	struct vacuum_result res;
	struct world x;
	struct band b;
	struct repo *r;
	struct id id;
	struct span chunk = span_str("something");
	unsigned i;

	(void)state;
	world_setup(&x, 1);
	put_head(&x, BAND_VACUUM, &b);
	r = backup_open(x.w.store);
	bundle_store(r, FILE_DATA, &chunk, 1, 1, &id);
	for (i = 0; i < 4; i++) {
		if (i == 2)
			band_mark(r, &b, BAND_FENCE, NULL);
		vacuum_must(x.w.store, &x.o, &res);
		assert_int_equal(res.tombstone[0] != '\0', i == 3);
		pass(2 * MINUTES);
	}
	assert_true(vacuum(&x) > 0);
	ages_check(&x.w, x.w.store);
	repo_close(r);
	band_release(&b);
	ages_release(&x.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tail_awaited),
	    cmocka_unit_test(test_fence_watched),
	    cmocka_unit_test(test_tail_beside_fence),
	    cmocka_unit_test(test_fence_stays),
	    cmocka_unit_test(test_tail_too_late),
	    cmocka_unit_test(test_vacuum_not_awaited),
	    cmocka_unit_test(test_vacuum_keeps_bundles),
	    cmocka_unit_test(test_others_condemn),
	    cmocka_unit_test(test_others_never_rest),
	    cmocka_unit_test(test_survivor_damaged),
	    cmocka_unit_test(test_both_damaged),
	    cmocka_unit_test(test_survivor_young),
	    cmocka_unit_test(test_stone_goes),
	    cmocka_unit_test(test_stone_goes_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
