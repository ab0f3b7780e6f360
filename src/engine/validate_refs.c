/*
 * Every reference of every band. Each distinct hunk and list is read once, whoever names
 * it, and its damages are kept with its id; so what a band suffers from follows from what
 * its own references suffer from.
 *
 * A reference resolves where the table says that its chunk is, be it the hint or any
 * other place; that it is really there is for validate_check.c to have found out. Hunks
 * and lists themselves are read here, at every level.
 */
#include "engine/validate_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/hunk.h"

/* Ordinals of a table of bundles as our numbers, looked up when first needed. */
struct numbers {
	const struct bundle_ref *table;
	uint32_t *v;
	enum file_type type;
};

static void numbers_init(
    struct numbers *m, const struct bundle_ref *table, uint32_t n, enum file_type type)
{
	m->table = table;
	m->type = type;
	m->v = mem_array((size_t)n + 1, sizeof *m->v);
	for (uint32_t i = 0; i < n; i++)
		m->v[i] = NO_BUNDLE;
}

static uint32_t hinted(
    struct valid *v, enum file_type type, const struct id *name, uint64_t size)
{
	uint32_t n = valid_bundle(v, type, name);
	struct vbundle *b = &v->bundles[n];

	valid_bundle_size(b, size);
	if (!v->quiet)
		b->named = true;
	return n;
}

static uint32_t numbers_get(struct valid *v, struct numbers *m, uint32_t i)
{
	if (m->v[i] == NO_BUNDLE)
		m->v[i] = hinted(v, m->type, &m->table[i].name, m->table[i].size);
	return m->v[i];
}

/* --- chunks that cannot be had */

static void blame(struct valid *v, uint32_t bundle, struct vset *out)
{
	if (!v->quiet)
		vset_add(out, damage_of_bundle(v, bundle));
}

/* All places that should have it, or else the one where it was said to be. */
static void blame_places(struct valid *v, enum file_type type, const struct id *id,
    uint32_t bundle, struct vset *out)
{
	struct vplace p;
	size_t at = 0;
	bool any = false;

	v->quiet_refs += v->quiet;
	while (valid_places(v, type, id, &at, &p)) {
		blame(v, p.bundle, out);
		any = true;
	}
	if (!any)
		blame(v, bundle, out);
}

/* Whether a chunk of a file is somewhere; else *out is told which damages cost it. */
static void check_chunk(struct valid *v, enum file_type type, const struct id *id,
    uint32_t bundle, uint32_t slot, struct vset *out)
{
	struct vplace p;
	size_t at = 0;

	if (valid_place_good(v, bundle, slot, id))
		return;
	while (valid_places(v, type, id, &at, &p))
		if (valid_place_good(v, p.bundle, p.slot, id))
			return;
	blame_places(v, type, id, bundle, out);
}

/* --- hunks and lists */

/* It has its id, and yet is not what it should be. */
static void malformed(
    struct valid *v, uint32_t bundle, const struct fault *f, struct vset *out)
{
	struct vbundle *b = &v->bundles[bundle];
	struct err why = ERR_EMPTY;

	v->quiet_refs += v->quiet;
	if (v->quiet)
		return;
	err_fault(&why, f);
	if (!b->kind) {
		b->kind = f->kind == FAULT_NEWER ? "newer" : "content";
		b->text = mem_printf("a hunk or list in it: %s", why.text);
	}
	vset_add(out, damage_of_bundle(v, bundle));
}

/* --- what is known of hunks and lists that were read before */

static bool recall(const struct valid *v, const struct id *id, struct vset *out)
{
	const uint64_t *at = map_get(&v->seen, id->b);

	if (!at)
		return false;
	for (uint32_t i = 0; *at && i < v->chains[*at - 1]; i++)
		vset_add(out, v->chains[*at + i]);
	return true;
}

static void remember(
    struct valid *v, const struct id *id, const struct vset *mine, struct vset *out)
{
	size_t at = v->n_chains;

	map_put(&v->seen, id->b, mine->n ? at + 1 : 0);
	if (mine->n == 0)
		return;
	v->chains =
	    mem_grow(v->chains, &v->chains_cap, at + 1 + mine->n, sizeof *v->chains);
	v->chains[at] = (uint32_t)mine->n;
	memcpy(v->chains + at + 1, mine->v, mine->n * sizeof *mine->v);
	v->n_chains += 1 + mine->n;
	for (size_t i = 0; i < mine->n; i++)
		vset_add(out, mine->v[i]);
}

/* --- content of files */

static bool check_extent_list(struct valid *v, const struct extent *ref, uint32_t bundle,
    uint32_t level, struct vset *out, struct err *e);

static bool extent_items(struct valid *v, struct span plain, uint32_t bundle,
    uint32_t level, struct vset *out, struct err *e)
{
	struct numbers numbers;
	struct list_iter it;
	struct fault f;
	struct extent x;
	enum step st;
	bool ok = true;

	if (!list_open(&it, plain, &f)) {
		malformed(v, bundle, &f, out);
		return true;
	}
	numbers_init(&numbers, it.bundles, it.n_bundles, level ? FILE_HUNKS : FILE_DATA);
	if (it.kind != LIST_EXTENTS || it.level != level) {
		fault_set(&f, FAULT_CORRUPT, 0, "another list than its reference tells");
		malformed(v, bundle, &f, out);
		goto out;
	}
	while (ok && (st = list_next_extent(&it, &x, &f)) == STEP_ITEM) {
		if (x.hole)
			continue;
		if (level > 0)
			ok = check_extent_list(v, &x,
			    numbers_get(v, &numbers, x.hint.bundle), level - 1, out, e);
		else
			check_chunk(v, FILE_DATA, &x.id,
			    numbers_get(v, &numbers, x.hint.bundle), x.hint.slot, out);
	}
	if (ok && st == STEP_FAILED)
		malformed(v, bundle, &f, out);
out:
	list_close(&it);
	free(numbers.v);
	return ok;
}

static bool check_extent_list(struct valid *v, const struct extent *ref, uint32_t bundle,
    uint32_t level, struct vset *out, struct err *e)
{
	struct vplace place = {bundle, ref->hint.slot};
	struct buf plain = BUF_EMPTY;
	struct vset mine = {0};
	bool ok = true;

	if (recall(v, &ref->id, out))
		return true;
	switch (valid_read_index(v, &ref->id, &place, &plain, e)) {
	case STEP_ITEM:
		ok = extent_items(v, buf_span(&plain), place.bundle, level, &mine, e);
		break;
	case STEP_END:
		blame_places(v, FILE_HUNKS, &ref->id, bundle, &mine);
		break;
	case STEP_FAILED:
		ok = false;
	}
	if (ok)
		remember(v, &ref->id, &mine, out);
	buf_release(&plain);
	free(mine.v);
	return ok;
}

static bool check_entry(struct valid *v, const struct entry *en, struct numbers *data,
    struct numbers *lists, struct vset *out, struct err *e)
{
	bool ok = true;

	if (en->content != CONTENT_EXTENTS && en->content != CONTENT_LIST)
		return true;
	for (uint32_t i = 0; ok && i < en->n_extents; i++) {
		const struct extent *x = &en->extents[i];

		if (x->hole)
			continue;
		if (en->content == CONTENT_LIST)
			ok =
			    check_extent_list(v, x, numbers_get(v, lists, x->hint.bundle),
				en->list_level, out, e);
		else
			check_chunk(v, FILE_DATA, &x->id,
			    numbers_get(v, data, x->hint.bundle), x->hint.slot, out);
	}
	return ok;
}

/* --- hunks and lists of hunks */

static bool hunk_items(struct valid *v, const struct hunk_ref *ref, struct span plain,
    uint32_t bundle, struct vset *out, struct err *e)
{
	struct numbers data, lists;
	struct vset mine = {0};
	struct hunk_iter it;
	struct entry en;
	struct fault f;
	enum step st = STEP_FAILED;
	uint64_t seen = 0;
	bool ok = true;

	if (!hunk_open(&it, plain, &f)) {
		malformed(v, bundle, &f, out);
		for (size_t i = 0; i < out->n; i++)
			damage_path(v, out->v[i], ref->first, ref->entries);
		return true;
	}
	numbers_init(&data, it.bundles, it.n_bundles, FILE_DATA);
	numbers_init(&lists, it.bundles, it.n_bundles, FILE_HUNKS);
	while (ok && (st = hunk_next(&it, &en, &f)) == STEP_ITEM) {
		if (seen++ == 0 && !span_equal(en.apath, ref->first)) {
			fault_set(&f, FAULT_CORRUPT, 0,
			    "it does not begin as its reference tells");
			st = STEP_FAILED;
			break;
		}
		mine.n = 0;
		ok = check_entry(v, &en, &data, &lists, &mine, e);
		for (size_t i = 0; i < mine.n; i++) {
			damage_path(v, mine.v[i], en.apath, 1);
			vset_add(out, mine.v[i]);
		}
	}
	if (ok && st == STEP_END && seen != ref->entries) {
		fault_set(
		    &f, FAULT_CORRUPT, 0, "not as many entries as its reference tells");
		st = STEP_FAILED;
	}
	if (ok && st == STEP_FAILED) {
		mine.n = 0;
		malformed(v, bundle, &f, &mine);
		for (size_t i = 0; i < mine.n; i++) {
			damage_path(v, mine.v[i], ref->first,
			    ref->entries > seen ? ref->entries - seen : 1);
			vset_add(out, mine.v[i]);
		}
	}
	hunk_close(&it);
	free(data.v);
	free(lists.v);
	free(mine.v);
	return ok;
}

static bool check_index(struct valid *v, const struct hunk_ref *ref, uint32_t bundle,
    uint32_t level, struct vset *out, struct err *e);

static bool list_items(struct valid *v, struct span plain, uint32_t bundle,
    const struct hunk_ref *ref, uint32_t level, struct vset *out, struct err *e)
{
	struct numbers numbers;
	struct list_iter it;
	struct hunk_ref x;
	struct fault f;
	enum step st = STEP_FAILED;
	uint64_t entries = 0;
	bool ok = true;

	if (!list_open(&it, plain, &f)) {
		malformed(v, bundle, &f, out);
		return true;
	}
	numbers_init(&numbers, it.bundles, it.n_bundles, FILE_HUNKS);
	if (it.kind != LIST_HUNKS || it.level != level)
		fault_set(&f, FAULT_CORRUPT, 0, "another list than its reference tells");
	else
		while (ok && (st = list_next_hunk(&it, &x, &f)) == STEP_ITEM) {
			entries += x.entries;
			ok = !valid_stopped(v, e) &&
			     check_index(v, &x, numbers_get(v, &numbers, x.hint.bundle),
				 level, out, e);
		}
	if (ok && st == STEP_END && entries != ref->entries) {
		fault_set(
		    &f, FAULT_CORRUPT, 0, "not as many entries as its reference tells");
		st = STEP_FAILED;
	}
	if (ok && st == STEP_FAILED)
		malformed(v, bundle, &f, out);
	list_close(&it);
	free(numbers.v);
	return ok;
}

/* A hunk where level is 0, else a list of those of the level below. */
static bool check_index(struct valid *v, const struct hunk_ref *ref, uint32_t bundle,
    uint32_t level, struct vset *out, struct err *e)
{
	struct vplace place = {bundle, ref->hint.slot};
	struct buf plain = BUF_EMPTY;
	struct vset mine = {0};
	bool ok = true;

	if (recall(v, &ref->id, out))
		return true;
	switch (valid_read_index(v, &ref->id, &place, &plain, e)) {
	case STEP_ITEM:
		if (level == 0)
			ok = hunk_items(v, ref, buf_span(&plain), place.bundle, &mine, e);
		else
			ok = list_items(
			    v, buf_span(&plain), place.bundle, ref, level - 1, &mine, e);
		break;
	case STEP_END:
		blame_places(v, FILE_HUNKS, &ref->id, bundle, &mine);
		if (level == 0)
			lost_add(v, ref, &mine);
		for (size_t i = 0; level > 0 && i < mine.n; i++)
			damage_path(v, mine.v[i], ref->first, ref->entries);
		break;
	case STEP_FAILED:
		ok = false;
	}
	if (ok)
		remember(v, &ref->id, &mine, out);
	buf_release(&plain);
	free(mine.v);
	return ok;
}

/* --- bands */

static bool check_band(struct valid *v, size_t number, struct err *e)
{
	const struct vband *b = &v->bands[number];
	struct vset all = {0};
	bool ok = true;

	v->quiet_refs = 0;
	for (size_t i = 0; ok && i < b->n_refs; i++)
		ok = !valid_stopped(v, e) &&
		     check_index(v, &b->refs[i].ref,
			 hinted(v, FILE_HUNKS, &b->refs[i].bundle.name,
			     b->refs[i].bundle.size),
			 b->level, &all, e);
	for (size_t i = 0; ok && !v->quiet && i < all.n; i++)
		damage_band(v, all.v[i], number);
	if (ok && v->quiet && v->quiet_refs > 0)
		valid_note(v, b->name.text,
		    "incomplete, and %llu references in what there is of it do not "
		    "resolve",
		    (unsigned long long)v->quiet_refs);
	free(all.v);
	return ok;
}

/*
 * The bundles of the index in the order in which they will be wanted, as far as tails
 * tell.
 */
static void expect_bundles(struct valid *v)
{
	struct id *ids = NULL;
	size_t n = 0, cap = 0;
	struct map seen;

	map_init(&seen, ID_SIZE);
	for (size_t i = 0; i < v->n_bands; i++) {
		const struct vband *b = &v->bands[i];

		for (size_t k = 0; valid_complete(b) && k < b->n_refs; k++) {
			const struct id *id = &b->refs[k].bundle.name;

			if (!valid_bundle_named(v, FILE_HUNKS, id)->listed ||
			    !map_put(&seen, id, 1))
				continue;
			ids = mem_grow(ids, &cap, n + 1, sizeof *ids);
			ids[n++] = *id;
		}
	}
	chunk_reader_expect(v->reader, FILE_HUNKS, ids, n);
	map_release(&seen);
	free(ids);
}

/* Complete ones first: what they share with others is damage then, not a note. */
bool valid_refs(struct valid *v, struct err *e)
{
	bool ok = true;

	valid_reading_begin(v);
	expect_bundles(v);
	for (size_t i = 0; ok && i < v->n_bands; i++)
		if (valid_complete(&v->bands[i]))
			ok = check_band(v, i, e);
	v->quiet = true;
	for (size_t i = 0; ok && i < v->n_bands; i++)
		if (!v->bands[i].has_tail && !v->bands[i].removed && !v->bands[i].fenced)
			ok = check_band(v, i, e);
	v->quiet = false;
	valid_reading_end(v);
	return ok;
}
