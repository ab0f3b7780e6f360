/*
 * What an analysis reads; and what ends a vacuum: whatever is unreadable, missing or not
 * listed. It must then say what it stumbled over, delete nothing, and write nothing but,
 * in a run that acts, the head of its own band. What it does not notice must not matter:
 * a vacuum that goes through with a file damaged or hidden leaves every snapshot whole.
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
#include "base/map.h"
#include "base/mem.h"
#include "engine/validate.h"
#include "tests/support/repo_make.h"
#include "tests/support/scratch.h"
#include "tests/support/stores.h"
#include "tests/support/vacuum_do.h"
#include "tests/support/watch.h"

#define READERS 4

/* --- what an analysis reads */

static size_t distinct_hunks(struct ages *w)
{
	struct repo *r = backup_open(w->store);
	struct err e = ERR_EMPTY;
	struct bands bands;
	enum band_file kind;
	struct band b;
	struct map ids;
	size_t i, k, n = 0;

	map_init(&ids, ID_SIZE);
	assert_true(bands_list(r, &bands, &e));
	for (i = 0; i < bands.n; i++) {
		if (bands.v[i].removed.n > 0)
			continue;
		assert_true(band_read(r, &bands.v[i], &kind, &b, &e));
		assert_int_equal(b.list_level, 0);
		for (k = 0; k < b.n_refs; k++)
			n += map_put(&ids, &b.refs[k].ref.id, 1);
		band_release(&b);
	}
	bands_release(&bands);
	repo_close(r);
	map_release(&ids);
	return n;
}

/* That no byte of a bundle of hunks is read twice. */
static void check_once(const struct watch *w)
{
	size_t i, k;

	for (i = 0; i < w->n; i++) {
		const struct watched *a = &w->v[i];

		if (a->op != OP_GET || strcmp(a->folder, "hunks") != 0)
			continue;
		for (k = 0; k < i; k++) {
			const struct watched *b = &w->v[k];

			if (b->op == OP_GET && strcmp(b->name, a->name) == 0 &&
			    strcmp(b->folder, "hunks") == 0 && a->at < b->at + b->n &&
			    b->at < a->at + a->n)
				fail_msg("hunks/%s: byte %ju read twice", a->name, (uintmax_t)a->at);
		}
	}
}

/* That sizes are asked for before anything but the head of the repository is read. */
static void check_looks(const struct watch *w)
{
	bool read = false;
	size_t i;

	assert_true(watch_count(w, OP_STAT, "bands") > 0);
	for (i = 0; i < w->n; i++) {
		read |= w->v[i].op == OP_GET && strcmp(w->v[i].folder, "bands") == 0;
		assert_false(read && w->v[i].op == OP_STAT);
	}
}

static void test_reads(void **state)
{
	struct vacuum_options o;
	struct vacuum_result res, many;
	struct err e = ERR_EMPTY;
	char cache[4096];
	struct ages w;
	struct watch watch, ahead;
	size_t gets;
	unsigned i;

	(void)state;
	ages_init(&w, 1200, 1u << 20);
	scratch_mkdir(w.dir, "cache");
	snprintf(cache, sizeof cache, "%s/cache", w.dir);
	for (i = 0; i < 6; i++) {
		if (i % 2 == 0)
			ages_change(&w, 4);
		ages_backup(&w, i == 5 ? NULL : cache); /* the last by another client */
	}
	ages_remove(&w, 0);

	vacuum_do_init(&o);
	watch_init(&watch, w.store);
	assert_true(vacuum_do(&watch.store, &o, &res, &e));
	assert_int_equal(watch_count(&watch, OP_PUT | OP_REMOVE, ""), 0);
	assert_int_equal(watch_count(&watch, OP_GET | OP_STAT, "data/"), 0);
	check_looks(&watch);
	gets = watch_count(&watch, OP_GET, "hunks");
	assert_true(gets > 0);
	assert_true(res.hunks >= 4);
	assert_int_equal(res.hunks, distinct_hunks(&w));
	check_once(&watch);
	o.transfers = READERS;
	watch_init(&ahead, w.store);
	assert_true(vacuum_do(&ahead.store, &o, &many, &e));
	check_once(&ahead);
	check_looks(&ahead);
	assert_int_equal(ahead.n, watch.n);
	assert_int_equal(many.hunks, res.hunks);
	watch_release(&ahead);
	watch_release(&watch);

	/* The hunks that the last backup of this machine has kept are not read again. */
	o.cache_dir = cache;
	watch_init(&watch, w.store);
	assert_true(vacuum_do(&watch.store, &o, &res, &e));
	assert_int_equal(watch_count(&watch, OP_PUT | OP_REMOVE, ""), 0);
	assert_true(watch_count(&watch, OP_GET, "hunks") < gets);
	assert_int_equal(watch_count(&watch, OP_GET | OP_STAT, "data/"), 0);
	check_once(&watch);
	assert_int_equal(res.hunks, distinct_hunks(&w));
	watch_release(&watch);
	ages_release(&w);
}

/* --- a repository */

/* A live snapshot, an unchanged one, a removed one, and a tombstone. */
static void make_few(struct ages *w)
{
	struct vacuum_options o;
	struct vacuum_result res;
	unsigned i;

	ages_init(w, 60, 1u << 20);
	for (i = 0; i < 4; i++) {
		if (i == 1 || i == 2)
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

struct picked {
	const char *begin, *part;
	char path[NAME_MAX_LEN + 32];
	char folder[16], name[NAME_MAX_LEN + 1];
};

static void pick(void *arg, const char *folder, const char *name, struct span content)
{
	struct picked *p = arg;

	(void)content;
	if (strncmp(folder, p->begin, strlen(p->begin)) != 0 || !strstr(name, p->part))
		return;
	snprintf(p->folder, sizeof p->folder, "%s", folder);
	snprintf(p->name, sizeof p->name, "%s", name);
	snprintf(p->path, sizeof p->path, "%s/%s", folder, name);
}

/* A file in such a folder whose name has that part. */
static struct picked pick_one(struct store *s, const char *begin, const char *part)
{
	struct picked p = {.begin = begin, .part = part};

	stores_each(s, pick, &p);
	assert_true(p.name[0]);
	return p;
}

static struct picked pick_band(struct ages *w, unsigned generation, const char *kind)
{
	char part[BAND_MAX_LEN + 16];

	snprintf(part, sizeof part, "%s-%s", w->band[generation], kind);
	return pick_one(w->store, "bands", part);
}

/* A file that whoever reads `generation` reads: its hunks, or its delta. */
static struct picked pick_needed(struct ages *w, unsigned generation, bool delta)
{
	struct repo *r = backup_open(w->store);
	char name[2 * ID_SIZE + 1];
	struct err e = ERR_EMPTY;
	struct bands bands;
	enum band_file kind;
	struct band b;

	assert_true(bands_list(r, &bands, &e));
	assert_true(band_read(r, bands_find(&bands, w->band[generation]), &kind, &b, &e));
	assert_true(b.n_refs > 0 && b.deltas.n > 0);
	if (!delta)
		name_of_id(&b.refs[0].bundle.name, name);
	else
		snprintf(name, sizeof name, "%s", b.deltas.v[0]);
	band_release(&b);
	bands_release(&bands);
	repo_close(r);
	return pick_one(w->store, delta ? "index" : "hunks", name);
}

static void flip(struct store *s, const struct picked *p)
{
	struct buf b = BUF_EMPTY;

	assert_true(store_get(s, p->folder, p->name, 0, SIZE_MAX, &b, NULL, NULL));
	b.p[b.n / 2] ^= 1;
	store_replace(s, p->folder, p->name, buf_span(&b));
	buf_release(&b);
}

/* --- refusals */

static void options_of(struct vacuum_options *o, bool acts)
{
	vacuum_do_init(o);
	o->run = o->sole_client = acts;
	o->below = 100;
}

/* What a failing run may leave: what was there, and files of bands. */
static void check_untouched(struct store *before, struct store *after, bool acts)
{
	static const char *const folders[] = {
	    "", "index", "hunks", "tombstones", "health", "marks", "clients", "keys"};
	struct buf why = BUF_EMPTY;
	char folder[16];
	unsigned i;

	if (!stores_within(before, after, &why))
		fail_msg("lost: %s", buf_str(&why));
	if (!acts && !stores_within(after, before, &why))
		fail_msg("written: %s", buf_str(&why));
	for (i = 0; i < sizeof folders / sizeof *folders; i++)
		assert_int_equal(
		    stores_count(before, folders[i]), stores_count(after, folders[i]));
	for (i = 0; i < 16; i++) {
		snprintf(folder, sizeof folder, "data/%x", i);
		assert_int_equal(stores_count(before, folder), stores_count(after, folder));
	}
	buf_release(&why);
}

/* What is wrong with the store that a vacuum gets to see. */
struct wrong {
	const struct picked *flipped;
	const char *hidden;
	unsigned hidden_from;
	const char *unreadable;
	bool unmounted;
};

/*
 * Vacuum a copy as it looks with that wrong. Whether it refused; the kind and text are
 * then in *e, and nothing was deleted or written.
 */
static bool refused(struct store *store, const struct wrong *wrong, bool acts,
    unsigned readers, struct store **left, struct err *e)
{
	struct store *s = store_mem_clone(store), *before;
	struct vacuum_options o;
	struct vacuum_result res;
	struct watch watch;
	bool ok;

	if (wrong->flipped)
		flip(s, wrong->flipped);
	before = store_mem_clone(s);
	watch_init(&watch, s);
	watch.hidden = wrong->hidden;
	/* A run that acts has had a look of its own before. */
	watch.hidden_from = wrong->hidden_from + (wrong->hidden_from && acts);
	watch.unreadable = wrong->unreadable;
	options_of(&o, acts);
	o.transfers = readers;
	err_clear(e);
	ok = vacuum_do(&watch.store, &o, &res, e);
	if (!ok)
		check_untouched(before, s, acts);
	watch_release(&watch);
	store_free(before);
	*left = s;
	return !ok;
}

/* It refuses, acting or not, reading ahead or not, and says these two things. */
static void must_refuse(struct ages *w, const struct wrong *wrong, enum err_kind kind,
    const char *names, const char *says)
{
	struct err e = ERR_EMPTY;
	struct store *left;
	unsigned i;

	for (i = 0; i < 3; i++) {
		if (!refused(w->store, wrong, i == 1, i == 2 ? READERS : 0, &left, &e))
			fail_msg("not noticed: %s, %s", names, says);
		if (e.kind != kind || !strstr(e.text, names) || !strstr(e.text, says))
			fail_msg("kind %d instead of %d; says: %s; not: %s, %s", e.kind, kind, e.text,
			    names, says);
		store_free(left);
	}
	if (getenv("BALE_TEST_VERBOSE"))
		print_message("# %s\n", e.text);
}

/* It refuses, or what is wrong does not matter. */
static bool refused_or_harmless(
    struct ages *w, struct store *store, const struct wrong *wrong)
{
	bool looked, acted, whole[AGES_MAX];
	struct err e = ERR_EMPTY;
	struct store *left;
	unsigned i;

	looked = refused(store, wrong, false, READERS, &left, &e);
	for (i = 0; i < w->generations; i++)
		whole[i] = !w->removed[i] && ages_whole(w, left, i, &e);
	store_free(left);
	acted = refused(store, wrong, true, 0, &left, &e);
	if (looked && !acted)
		fail_msg("the analysis refuses, and the run does not");
	if (acted && e.kind != ERR_MISSING && e.kind != ERR_CORRUPT && e.kind != ERR_REFUSED)
		fail_msg("%s", e.text);
	for (i = 0; !acted && i < w->generations; i++)
		if (whole[i] && !ages_whole(w, left, i, &e))
			fail_msg("%s", e.text);
	store_free(left);
	return acted;
}

struct each {
	struct ages *w;
	const char *begin;
	bool flips;
	unsigned refused, n;
};

static void try_one(void *arg, const char *folder, const char *name, struct span content)
{
	struct each *each = arg;
	struct picked p = {.begin = "", .part = ""};
	struct wrong wrong = {.hidden = NULL};

	(void)content;
	if (strncmp(folder, each->begin, strlen(each->begin)) != 0)
		return;
	pick(&p, folder, name, content);
	if (each->flips)
		wrong.flipped = &p;
	else
		wrong.hidden = p.path;
	each->refused += refused_or_harmless(each->w, each->w->store, &wrong);
	each->n++;
}

/* Each file of such folders in turn; at least one of them matters. */
static struct each try_each(struct ages *w, const char *begin, bool flips)
{
	struct each each = {.w = w, .begin = begin, .flips = flips};
	struct store *same = store_mem_clone(w->store);

	stores_each(same, try_one, &each);
	store_free(same);
	assert_true(each.refused > 0);
	return each;
}

/* --- each of them */

static void test_unreadable_hunk(void **state)
{
	struct ages w;
	struct picked p;

	(void)state;
	make_few(&w);
	p = pick_needed(&w, 1, false);
	must_refuse(&w, &(struct wrong){.flipped = &p}, ERR_CORRUPT, p.path, "hunk");
	must_refuse(&w, &(struct wrong){.unreadable = p.path}, ERR_IO, p.path, "simulated");
	try_each(&w, "hunks", true);
	ages_release(&w);
}

static void test_unreadable_tail(void **state)
{
	struct ages w;
	struct picked p;

	(void)state;
	make_few(&w);
	p = pick_band(&w, 1, "tail");
	must_refuse(&w, &(struct wrong){.flipped = &p}, ERR_CORRUPT, w.band[1],
	    "nothing may be called dead");
	must_refuse(
	    &w, &(struct wrong){.unreadable = p.path}, ERR_IO, w.band[1], "simulated");
	try_each(&w, "bands", true);
	ages_release(&w);
}

static void test_unreadable_delta(void **state)
{
	struct ages w;
	struct picked p;

	(void)state;
	make_few(&w);
	p = pick_needed(&w, 1, true);
	must_refuse(&w, &(struct wrong){.flipped = &p}, ERR_CORRUPT, p.path, "damaged");
	must_refuse(&w, &(struct wrong){.unreadable = p.path}, ERR_IO, p.path, "simulated");
	try_each(&w, "index", true);
	ages_release(&w);
}

static void test_unreadable_tombstone(void **state)
{
	struct ages w;
	struct each each;
	struct picked p;

	(void)state;
	make_few(&w);
	p = pick_one(w.store, "tombstones", "");
	must_refuse(&w, &(struct wrong){.flipped = &p}, ERR_CORRUPT, p.path, "cannot tell");
	must_refuse(&w, &(struct wrong){.unreadable = p.path}, ERR_IO, p.path, "simulated");
	each = try_each(&w, "tombstones", true);
	assert_int_equal(each.refused, each.n);
	ages_release(&w);
}

/* A bundle is lost, and a validation has put that on record. */
static void test_resolves_nowhere(void **state)
{
	struct validate_options vo = {.level = VALIDATE_QUICK};
	struct validate_result vr;
	struct err e = ERR_EMPTY;
	struct picked p;
	struct repo *r;
	struct ages w;
	struct store *whole;

	(void)state;
	make_few(&w);
	whole = w.store;
	w.store = store_mem_clone(whole);
	p = pick_one(w.store, "data/", "");
	assert_true(store_remove(w.store, p.folder, p.name, NULL));
	must_refuse(
	    &w, &(struct wrong){.hidden = NULL}, ERR_MISSING, p.path, "is not listed");
	r = backup_open(w.store);
	assert_true(validate_run(r, &vo, NULL, &vr, &e));
	assert_int_equal(vr.damaged_files, 1);
	repo_close(r);
	must_refuse(&w, &(struct wrong){.hidden = NULL}, ERR_CORRUPT, "chunk ",
	    "nowhere to be found");
	store_free(w.store);
	w.store = whole;
	ages_release(&w);
}

/* Every trace of a snapshot is gone; the roll-call of the next one tells of it. */
static void test_roll_call(void **state)
{
	char begin[BAND_MAX_LEN + 16];
	struct ages w;

	(void)state;
	make_few(&w);
	snprintf(begin, sizeof begin, "bands/%s", w.band[1]);
	must_refuse(&w, &(struct wrong){.hidden = begin}, ERR_MISSING, "of client ",
	    "was there when");
	ages_release(&w);
}

static void test_empty_listing(void **state)
{
	static const char *const folders[] = {"bands/", "index/", "hunks/"};
	struct ages w;
	struct picked p;
	unsigned i;

	(void)state;
	make_few(&w);
	for (i = 0; i < 3; i++)
		must_refuse(
		    &w, &(struct wrong){.hidden = folders[i]}, ERR_MISSING, "is not listed", "");
	p = pick_one(w.store, "data/", "");
	strcat(p.folder, "/");
	must_refuse(
	    &w, &(struct wrong){.hidden = p.folder}, ERR_MISSING, p.folder, "is not listed");
	must_refuse(&w, &(struct wrong){.hidden = "/bale.json"}, ERR_MISSING, "bale.json",
	    "is not listed");
	ages_release(&w);
}

static void test_short_listing(void **state)
{
	char begin[BAND_MAX_LEN + 16];
	struct picked p;
	struct ages w;
	unsigned i;

	(void)state;
	make_few(&w);
	try_each(&w, "bands", false);
	try_each(&w, "index", false);
	try_each(&w, "hunks", false);
	try_each(&w, "data/", false);
	for (i = 1; i < w.generations; i++) {
		snprintf(begin, sizeof begin, "bands/%s", w.band[i]);
		refused_or_harmless(&w, w.store, &(struct wrong){.hidden = begin});
	}
	p = pick_band(&w, 3, "tail");
	must_refuse(&w, &(struct wrong){.hidden = p.path, .hidden_from = 1}, ERR_MISSING,
	    p.path, "was listed and then was not");
	ages_release(&w);
}

/* The mount goes while it is at work: what is there then is the empty folder below. */
static void test_unmounted(void **state)
{
	struct vacuum_options o;
	struct vacuum_result res;
	struct err e = ERR_EMPTY;
	struct watch watch;
	struct repo *r;
	struct ages w;

	(void)state;
	make_few(&w);
	watch_init(&watch, w.store);
	r = repo_reopen(store_lend(&watch.store), w.env);
	watch.unmounted = true;
	options_of(&o, false);
	assert_false(vacuum_run(r, &o, NULL, &res, &e));
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	assert_non_null(strstr(e.text, "mounted"));
	assert_int_equal(watch_count(&watch, OP_PUT | OP_REMOVE, ""), 0);
	repo_close(r);
	watch_release(&watch);
	ages_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads),
	    cmocka_unit_test(test_unreadable_hunk),
	    cmocka_unit_test(test_unreadable_tail),
	    cmocka_unit_test(test_unreadable_delta),
	    cmocka_unit_test(test_unreadable_tombstone),
	    cmocka_unit_test(test_resolves_nowhere),
	    cmocka_unit_test(test_roll_call),
	    cmocka_unit_test(test_empty_listing),
	    cmocka_unit_test(test_short_listing),
	    cmocka_unit_test(test_unmounted),
	};

	scratch_private(); /* a disk that others use is slow */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
