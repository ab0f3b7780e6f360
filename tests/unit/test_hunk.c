/* Hunks: random entries with every field, truncations, vectors, and where hunks end. */
#include "format/hunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/codec.h"

#define ENTRIES 400

static uint64_t state = 88172645463325252u;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

/* What entries borrow; freed all at once. */
static void *kept[ENTRIES * 8];
static size_t n_kept;

static void *keep(void *p)
{
	assert_true(n_kept < sizeof kept / sizeof *kept);
	kept[n_kept++] = p;
	return p;
}

static void drop_kept(void)
{
	while (n_kept > 0)
		free(kept[--n_kept]);
}

static struct span random_bytes(size_t n, bool no_nul)
{
	uint8_t *p = keep(mem_alloc(n ? n : 1));
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(no_nul ? 1 + chance(255) : chance(256));
	return span_of(p, n);
}

static struct span random_apath(void)
{
	static const char *names[] = {"a", "a-x", "ab", "b", "caf\xc3\xa9", "\xff\x01",
	    "...", ".x", "a long name with spaces in it.tar.gz", "z"};
	struct buf b = BUF_EMPTY;
	unsigned i, n = 1 + (unsigned)chance(5);

	for (i = 0; i < n; i++)
		buf_printf(&b, "/%s%d", names[chance(10)], (int)chance(3));
	keep(b.p);
	return buf_span(&b);
}

static struct span random_xattrs(void)
{
	struct buf b = BUF_EMPTY;
	uint8_t value[300] = {7};

	xattrs_add(&b, span_str("security.capability"), span_of(value, chance(300)));
	if (chance(2))
		xattrs_add(&b, span_str("user.a"), SPAN_EMPTY);
	keep(b.p);
	return buf_span(&b);
}

static void random_extents(struct entry *e, bool list)
{
	uint32_t i, n = chance(3) ? 1 : 1 + (uint32_t)chance(ENTRY_EXTENTS);
	struct extent *x = keep(mem_array(n, sizeof *x));
	bool holes = !list && chance(4) == 0;

	e->size = 0;
	for (i = 0; i < n; i++) {
		x[i].hole = holes && chance(2);
		x[i].length = 1 + chance(x[i].hole || list ? 1u << 30 : CHUNK_MAX);
		e->size += x[i].length;
		if (x[i].hole)
			continue;
		memcpy(x[i].id.b, random_bytes(ID_SIZE, false).p, ID_SIZE);
		x[i].hint.bundle = (uint32_t)(chance(2) ? chance(5) : chance(300)) * 977;
		x[i].hint.slot = (uint32_t)chance(BUNDLE_CHUNKS_MAX);
	}
	e->extents = x;
	e->n_extents = n;
}

static void random_content(struct entry *e)
{
	e->content = (enum content)chance(4);
	if (e->content == CONTENT_INLINE) {
		e->inline_data = random_bytes(1 + chance(ENTRY_INLINE), false);
		e->size = e->inline_data.n;
	} else if (e->content == CONTENT_EXTENTS) {
		random_extents(e, false);
	} else if (e->content == CONTENT_LIST) {
		random_extents(e, true);
		e->list_level = (uint32_t)chance(LIST_LEVEL_MAX + 1);
	}
}

static int64_t random_time(uint32_t *ns)
{
	static const int64_t odd[] = {0, -1, INT64_MAX, INT64_MIN, 1700000000};

	*ns = (uint32_t)(chance(2) ? 0 : chance(1000000000));
	return chance(3) ? (int64_t)(1700000000 + chance(1000)) : odd[chance(5)];
}

static struct entry random_entry(struct span apath, struct span first)
{
	struct entry e = {.apath = apath, .kind = (enum entry_kind)chance(6)};

	e.stale = chance(9) == 0;
	e.mtime_s = random_time(&e.mtime_ns);
	e.ctime_s = random_time(&e.ctime_ns);
	if (chance(2)) {
		e.ctime_s = e.mtime_s;
		e.ctime_ns = e.mtime_ns;
	}
	e.mode = (uint32_t)(chance(3) ? 0644 : chance(010000));
	e.uid = (uint32_t)(chance(3) ? 1000 : chance((uint64_t)UINT32_MAX + 1));
	e.gid = (uint32_t)chance(3);
	e.user = chance(2) ? span_str("ana") : random_bytes(chance(OWNER_MAX + 1), true);
	e.group = chance(2) ? SPAN_EMPTY : span_str("staff");
	if (chance(9) == 0)
		e.xattrs = random_xattrs();
	if (e.kind == ENTRY_FILE)
		random_content(&e);
	if (e.kind == ENTRY_SYMLINK)
		e.target = random_bytes(1 + chance(400), true);
	if (e.kind == ENTRY_CHAR || e.kind == ENTRY_BLOCK) {
		e.major = (uint32_t)chance(4096);
		e.minor = UINT32_MAX - (uint32_t)chance(3);
	}
	if (e.kind != ENTRY_DIR && chance(5) == 0)
		e.hardlink = chance(2) ? apath : first;
	return e;
}

static int by_apath(const void *a, const void *b)
{
	return apath_compare(*(const struct span *)a, *(const struct span *)b);
}

static uint32_t random_entries(struct entry *e)
{
	struct span apaths[ENTRIES];
	uint32_t i, n = 0, want = 1 + (uint32_t)chance(ENTRIES - 1);

	for (i = 0; i < want; i++)
		apaths[i] = chance(60) ? random_apath() : span_str("/");
	qsort(apaths, want, sizeof *apaths, by_apath);
	for (i = 0; i < want; i++)
		if (i == 0 || by_apath(&apaths[i - 1], &apaths[i]) != 0)
			e[n++] = random_entry(apaths[i], apaths[0]);
	return n;
}

/* The name says the caller's number, so that hints can be checked by what they name. */
static struct bundle_ref ref_of(uint32_t number)
{
	struct bundle_ref r = {.size = 300 + number};

	put_u32(r.name.b, number);
	return r;
}

static void finish(struct hunk_writer *w, struct buf *out)
{
	uint32_t i, n;
	const uint32_t *numbers = hunk_writer_bundles(w, &n);
	struct bundle_ref *refs = mem_array(n, sizeof *refs);

	for (i = 0; i < n; i++)
		refs[i] = ref_of(numbers[i]);
	hunk_writer_finish(w, refs, out);
	free(refs);
}

static void check_extents(
    const struct hunk_iter *it, const struct entry *a, const struct entry *b)
{
	const struct extent *x, *y;
	uint32_t i;

	assert_int_equal(a->n_extents, b->n_extents);
	for (i = 0; i < a->n_extents; i++) {
		x = &a->extents[i];
		y = &b->extents[i];
		assert_int_equal(x->length, y->length);
		assert_int_equal(x->hole, y->hole);
		assert_memory_equal(x->id.b, y->id.b, ID_SIZE);
		if (x->hole)
			continue;
		assert_int_equal(x->hint.slot, y->hint.slot);
		assert_true(y->hint.bundle < it->n_bundles);
		assert_int_equal(
		    get_u32(it->bundles[y->hint.bundle].name.b), x->hint.bundle);
		assert_int_equal(it->bundles[y->hint.bundle].size, 300 + x->hint.bundle);
	}
}

static void check_entry(
    const struct hunk_iter *it, const struct entry *a, const struct entry *b)
{
	assert_true(span_equal(a->apath, b->apath));
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->stale, b->stale);
	assert_int_equal(a->size, b->size);
	assert_true(a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns);
	assert_true(a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns);
	assert_true(a->mode == b->mode && a->uid == b->uid && a->gid == b->gid);
	assert_true(span_equal(a->user, b->user) && span_equal(a->group, b->group));
	assert_true(span_equal(a->xattrs, b->xattrs));
	assert_true(span_equal(a->target, b->target));
	assert_true(a->major == b->major && a->minor == b->minor);
	assert_true(span_equal(a->hardlink, b->hardlink));
	assert_int_equal(a->content, b->content);
	assert_true(span_equal(a->inline_data, b->inline_data));
	assert_int_equal(a->list_level, b->list_level);
	check_extents(it, a, b);
}

/* Whether all of it decodes; the fault if not. */
static bool decodes(struct span s, struct fault *f)
{
	struct hunk_iter it;
	struct entry e;
	enum step step;

	if (!hunk_open(&it, s, f))
		return false;
	do
		step = hunk_next(&it, &e, f);
	while (step == STEP_ITEM);
	if (step == STEP_FAILED)
		assert_int_equal(hunk_next(&it, &e, NULL), STEP_FAILED);
	hunk_close(&it);
	return step == STEP_END;
}

static void recode(struct span s, struct buf *out)
{
	struct hunk_writer *w = hunk_writer_new();
	struct hunk_iter it;
	struct entry e;

	assert_true(hunk_open(&it, s, NULL));
	while (hunk_next(&it, &e, NULL) == STEP_ITEM)
		hunk_writer_add(w, &e);
	hunk_writer_finish(w, it.bundles, out);
	hunk_writer_free(w);
	hunk_close(&it);
}

static const struct codec codec = {"hunk", decodes, recode};

static void test_round_trip(void **s)
{
	static struct entry entries[ENTRIES];
	struct hunk_writer *w = hunk_writer_new();
	struct buf out = BUF_EMPTY, again = BUF_EMPTY;
	struct hunk_iter it;
	struct entry e;
	struct fault f;
	uint32_t round, i, n;
	size_t guess;

	(void)s;
	for (round = 0; round < 60; round++) {
		n = random_entries(entries);
		for (i = 0; i < n; i++)
			hunk_writer_add(w, &entries[i]);
		assert_int_equal(hunk_writer_count(w), n);
		guess = hunk_writer_size(w);
		buf_clear(&out);
		finish(w, &out);
		assert_int_equal(hunk_writer_count(w), 0);
		assert_true(guess + 100 > out.n);
		assert_true(hunk_open(&it, buf_span(&out), &f));
		assert_int_equal(it.count, n);
		for (i = 0; i < n; i++) {
			assert_int_equal(hunk_next(&it, &e, &f), STEP_ITEM);
			check_entry(&it, &entries[i], &e);
		}
		assert_int_equal(hunk_next(&it, &e, &f), STEP_END);
		hunk_close(&it);
		buf_clear(&again);
		recode(buf_span(&out), &again);
		assert_true(span_equal(buf_span(&out), buf_span(&again)));
		drop_kept();
	}
	hunk_writer_free(w);
	buf_release(&out);
	buf_release(&again);
}

static void test_truncations(void **s)
{
	static struct entry entries[ENTRIES];
	struct hunk_writer *w = hunk_writer_new();
	struct buf out = BUF_EMPTY;
	uint32_t i, n;

	(void)s;
	do {
		drop_kept();
		n = random_entries(entries);
	} while (n < 30);
	for (i = 0; i < 30; i++)
		hunk_writer_add(w, &entries[i]);
	finish(w, &out);
	assert_true(decodes(buf_span(&out), NULL));
	assert_true(codec_truncations(&codec, buf_span(&out)));
	hunk_writer_free(w);
	buf_release(&out);
	drop_kept();
}

static void test_vectors(void **s)
{
	(void)s;
	assert_true(codec_vectors(&codec, 4, 50, 4));
}

static void test_ends(void **s)
{
	char apath[32];
	uint32_t i, ends = 0;

	(void)s;
	for (i = 0; i < 100000; i++) {
		snprintf(apath, sizeof apath, "/home/ana/%u", i);
		ends += hunk_ends(span_str(apath), 256, 0);
		assert_false(hunk_ends(span_str(apath), 255, (4u << 20) - 1));
		assert_true(hunk_ends(span_str(apath), 4096, 0));
		assert_true(hunk_ends(span_str(apath), 1, 4u << 20));
	}
	assert_in_range(ends, 60, 140);
	/* Found by trying; the hash is part of the format. */
	assert_true(hunk_ends(span_str("/e/1141"), 256, 0));
	assert_false(hunk_ends(span_str("/e/1142"), 256, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_truncations),
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
