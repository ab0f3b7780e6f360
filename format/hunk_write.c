/*
 * Writing hunks. Each field goes to the buf of its column at once; what the coding of the
 * next entry leans on (apath, times, owner sets, hints) is all that is remembered
 * besides. Whether bytes can be written is never in question, so broken rules are the
 * caller's bug and are asserted.
 */
#include "format/hunk_columns.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "format/hints.h"

/* An owner set. Its names lie in `names`, at offsets, since the buf moves. */
struct stored_set {
	struct owner_set set; /* spans unused */
	size_t user_at, user_n, group_at, group_n;
};

struct hunk_writer {
	struct buf column[COLUMN_COUNT];
	uint32_t count;
	struct buf apath; /* of the entry before */
	int64_t mtime_s, ctime_s;
	int64_t mtime_ns, ctime_ns;
	struct stored_set *sets;
	size_t n_sets, sets_cap;
	size_t last_set;
	struct buf names;
	struct hint_writer hints;
};

struct hunk_writer *hunk_writer_new(void)
{
	struct hunk_writer *w = mem_zalloc(sizeof *w);

	/* Never NULL, so that the offset of an empty name in it is defined. */
	buf_reserve(&w->names, 64);
	return w;
}

void hunk_writer_free(struct hunk_writer *w)
{
	unsigned i;

	if (!w)
		return;
	for (i = 0; i < COLUMN_COUNT; i++)
		buf_release(&w->column[i]);
	buf_release(&w->apath);
	free(w->sets);
	buf_release(&w->names);
	hint_writer_release(&w->hints);
	free(w);
}

static void writer_clear(struct hunk_writer *w)
{
	unsigned i;

	for (i = 0; i < COLUMN_COUNT; i++)
		buf_clear(&w->column[i]);
	w->count = 0;
	buf_clear(&w->apath);
	w->mtime_s = w->ctime_s = 0;
	w->mtime_ns = w->ctime_ns = 0;
	w->n_sets = 0;
	w->last_set = 0;
	buf_clear(&w->names);
	hint_writer_clear(&w->hints);
}

static size_t shared_length(struct span a, struct span b)
{
	size_t i = 0;

	while (i < a.n && i < b.n && a.p[i] == b.p[i])
		i++;
	return i;
}

static void add_kind(struct hunk_writer *w, const struct entry *e)
{
	bool same = e->mtime_s == e->ctime_s && e->mtime_ns == e->ctime_ns;

	assert(content_fits(e->kind, e->content, e->size) && e->size <= INT64_MAX);
	buf_add_byte(&w->column[COLUMN_KIND],
	    (uint8_t)((unsigned)e->kind | (unsigned)e->content << CONTENT_SHIFT));
	buf_add_byte(&w->column[COLUMN_FLAGS],
	    (uint8_t)((e->stale ? FLAG_STALE : 0) | (e->xattrs.n ? FLAG_XATTRS : 0) |
	        (e->hardlink.n ? FLAG_HARDLINK : 0) | (same ? FLAG_SAME_CTIME : 0)));
	if (e->kind == ENTRY_FILE)
		buf_add_varint(&w->column[COLUMN_SIZE], e->size);
}

static void add_times(struct hunk_writer *w, const struct entry *e)
{
	assert(e->mtime_ns <= NS_MAX && e->ctime_ns <= NS_MAX);
	buf_add_signed(&w->column[COLUMN_MTIME_S],
	    (int64_t)((uint64_t)e->mtime_s - (uint64_t)w->mtime_s));
	buf_add_signed(&w->column[COLUMN_MTIME_NS], e->mtime_ns - w->mtime_ns);
	if (e->mtime_s != e->ctime_s || e->mtime_ns != e->ctime_ns) {
		buf_add_signed(&w->column[COLUMN_CTIME_S],
		    (int64_t)((uint64_t)e->ctime_s - (uint64_t)w->ctime_s));
		buf_add_signed(&w->column[COLUMN_CTIME_NS], e->ctime_ns - w->ctime_ns);
	}
	w->mtime_s = e->mtime_s;
	w->mtime_ns = e->mtime_ns;
	w->ctime_s = e->ctime_s;
	w->ctime_ns = e->ctime_ns;
}

static struct owner_set set_at(const struct hunk_writer *w, size_t i)
{
	const struct stored_set *s = &w->sets[i];
	struct owner_set set = s->set;

	set.user = span_of(w->names.p + s->user_at, s->user_n);
	set.group = span_of(w->names.p + s->group_at, s->group_n);
	return set;
}

static bool owner_name_valid(struct span s)
{
	return s.n <= OWNER_MAX && (s.n == 0 || !memchr(s.p, '\0', s.n));
}

static size_t store_set(struct hunk_writer *w, const struct owner_set *set)
{
	struct buf *column = &w->column[COLUMN_OWNER_SET];
	struct stored_set *s;

	assert(set->mode <= MODE_MAX);
	assert(owner_name_valid(set->user) && owner_name_valid(set->group));
	w->sets = mem_grow(w->sets, &w->sets_cap, w->n_sets + 1, sizeof *w->sets);
	s = &w->sets[w->n_sets];
	*s = (struct stored_set){.set = *set};
	s->user_at = w->names.n;
	s->user_n = set->user.n;
	buf_add_span(&w->names, set->user);
	s->group_at = w->names.n;
	s->group_n = set->group.n;
	buf_add_span(&w->names, set->group);

	buf_add_varint(column, set->mode);
	buf_add_varint(column, set->uid);
	buf_add_varint(column, set->gid);
	buf_add_span(column, set->user);
	buf_add_byte(column, 0);
	buf_add_span(column, set->group);
	buf_add_byte(column, 0);
	return w->n_sets++;
}

static void add_owner(struct hunk_writer *w, const struct entry *e)
{
	struct owner_set other, set = {e->mode, e->uid, e->gid, e->user, e->group};
	size_t i = w->last_set, tried;

	/* From the last one on: neighbours are alike. */
	for (tried = 0; tried < w->n_sets; tried++) {
		other = set_at(w, i);
		if (owner_set_equal(&other, &set))
			break;
		i = i + 1 < w->n_sets ? i + 1 : 0;
	}
	if (tried == w->n_sets)
		i = store_set(w, &set);
	buf_add_varint(&w->column[COLUMN_OWNER], i);
	w->last_set = i;
}

static bool holes_in(const struct entry *e)
{
	uint32_t i;

	for (i = 0; i < e->n_extents; i++)
		if (e->extents[i].hole)
			return true;
	return false;
}

static void add_extents(struct hunk_writer *w, const struct entry *e)
{
	bool list = e->content == CONTENT_LIST, holes = holes_in(e);
	const struct extent *x;
	uint64_t sum = 0;
	uint32_t i;

	assert(e->n_extents >= 1 && e->n_extents <= ENTRY_EXTENTS && !(list && holes));
	buf_add_varint(&w->column[COLUMN_EXTENTS], (uint64_t)e->n_extents << 1 | holes);
	for (i = 0; i < e->n_extents; i++) {
		x = &e->extents[i];
		assert(x->length >= 1 && x->length <= (x->hole || list ? INT64_MAX : CHUNK_MAX));
		sum += x->length;
		assert(sum <= e->size);
		if (holes)
			buf_add_byte(&w->column[COLUMN_HOLES], x->hole);
		/* A file's last length follows from its size. */
		if (i + 1 < e->n_extents)
			buf_add_varint(&w->column[COLUMN_LENGTH], x->length);
		if (x->hole)
			continue;
		buf_add(&w->column[COLUMN_ID], x->id.b, ID_SIZE);
		hint_writer_add(&w->hints, &x->hint, &w->column[COLUMN_BUNDLE],
		    &w->column[COLUMN_SLOT]);
	}
	assert(sum == e->size);
	if (list) {
		assert(e->list_level <= LIST_LEVEL_MAX);
		buf_add_byte(&w->column[COLUMN_LEVEL], (uint8_t)e->list_level);
	}
}

static void add_hardlink(struct hunk_writer *w, const struct entry *e)
{
	struct buf *column = &w->column[COLUMN_HARDLINK];
	size_t n = shared_length(e->apath, e->hardlink);

	assert(e->kind != ENTRY_DIR && apath_valid(e->hardlink));
	assert(apath_compare(e->hardlink, e->apath) <= 0);
	buf_add_varint(column, n);
	buf_add(column, e->hardlink.p + n, e->hardlink.n - n);
	buf_add_byte(column, 0);
}

static bool xattrs_valid(struct span xattrs)
{
	struct xattr_iter it;
	struct span name, value;
	enum step step;

	if (xattrs.n > XATTRS_MAX)
		return false;
	xattrs_open(&it, xattrs);
	do
		step = xattrs_next(&it, &name, &value, NULL);
	while (step == STEP_ITEM);
	return step == STEP_END;
}

/* What few entries have. */
static void add_rare(struct hunk_writer *w, const struct entry *e)
{
	if (e->kind == ENTRY_SYMLINK) {
		assert(e->target.n >= 1 && e->target.n <= TARGET_MAX);
		assert(!memchr(e->target.p, '\0', e->target.n));
		buf_add_span(&w->column[COLUMN_TARGET], e->target);
		buf_add_byte(&w->column[COLUMN_TARGET], 0);
	}
	if (e->kind == ENTRY_CHAR || e->kind == ENTRY_BLOCK) {
		buf_add_varint(&w->column[COLUMN_DEVICE], e->major);
		buf_add_varint(&w->column[COLUMN_DEVICE], e->minor);
	}
	if (e->hardlink.n > 0)
		add_hardlink(w, e);
	if (e->xattrs.n > 0) {
		assert(xattrs_valid(e->xattrs));
		buf_add_varint(&w->column[COLUMN_XATTRS], e->xattrs.n);
		buf_add_span(&w->column[COLUMN_XATTRS], e->xattrs);
	}
}

void hunk_writer_add(struct hunk_writer *w, const struct entry *e)
{
	assert(w->count < HUNK_ENTRIES_MAX);
	apath_encode(
	    &w->column[COLUMN_PREFIX], &w->column[COLUMN_SUFFIX], &w->apath, e->apath);
	add_kind(w, e);
	add_times(w, e);
	add_owner(w, e);
	if (e->content == CONTENT_INLINE) {
		assert(e->size <= ENTRY_INLINE && e->inline_data.n == e->size);
		buf_add_span(&w->column[COLUMN_INLINE], e->inline_data);
	}
	if (e->content == CONTENT_EXTENTS || e->content == CONTENT_LIST)
		add_extents(w, e);
	add_rare(w, e);
	w->count++;
}

uint32_t hunk_writer_count(const struct hunk_writer *w)
{
	return w->count;
}

size_t hunk_writer_size(const struct hunk_writer *w)
{
	size_t i, n = 8 + COLUMN_COUNT;

	for (i = 0; i < COLUMN_COUNT; i++)
		n += w->column[i].n;
	return n + w->hints.n * (size_t)(ID_SIZE + 4);
}

const uint32_t *hunk_writer_bundles(const struct hunk_writer *w, uint32_t *n)
{
	*n = w->hints.n;
	return w->hints.numbers;
}

void hunk_writer_finish(
    struct hunk_writer *w, const struct bundle_ref *refs, struct buf *out)
{
	size_t i, start = out->n;

	assert(w->count > 0);
	buf_reserve(out, hunk_writer_size(w) + 3 * COLUMN_COUNT);
	buf_add_byte(out, HUNK_TAG);
	buf_add_byte(out, HUNK_VERSION);
	buf_add_varint(out, w->count);
	buf_add_varint(out, w->hints.n);
	for (i = 0; i < COLUMN_COUNT; i++)
		buf_add_varint(out, w->column[i].n);
	for (i = 0; i < COLUMN_COUNT; i++)
		buf_add(out, w->column[i].p, w->column[i].n);
	bundle_table_encode(refs, w->hints.n, out);
	assert(out->n - start <= HUNK_PLAIN_MAX);
	writer_clear(w);
}
