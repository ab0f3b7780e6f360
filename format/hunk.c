/*
 * Reading hunks. Every column is read by a cursor of its own, all side by side, one entry
 * at a time: nothing is unpacked before it is asked for and nothing is allocated per
 * entry. A cursor that fails stays failed, so each group of fields is decoded straight
 * down and judged once.
 */
#include "format/hunk.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/hints.h"
#include "format/hunk_columns.h"

#define HUNK_ENDS_MIN   256
#define HUNK_ENDS_MASK  1023u
#define HUNK_ENDS_BYTES (4u << 20)

struct hunk_columns {
	struct cursor c[COLUMN_COUNT]; /* over the whole hunk up to the column's end */
	uint32_t left;
	bool failed;
	struct buf apath;
	struct buf hardlink;
	int64_t mtime_s, ctime_s;
	int64_t mtime_ns, ctime_ns;
	struct owner_set *sets;
	size_t n_sets, sets_cap;
	struct extent *extents;
	size_t extents_cap;
	struct hint_reader hints;
};

bool hunk_ends(struct span apath, uint32_t count, size_t bytes)
{
	uint64_t h = 0xcbf29ce484222325u;
	size_t i;

	if (count >= HUNK_ENTRIES_MAX || bytes >= HUNK_ENDS_BYTES)
		return true;
	if (count < HUNK_ENDS_MIN)
		return false;
	for (i = 0; i < apath.n; i++)
		h = (h ^ apath.p[i]) * 0x100000001b3u;
	/* The low bits of FNV-1a alone are poorly mixed. */
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	h ^= h >> 33;
	return (h & HUNK_ENDS_MASK) == 0;
}

static void columns_free(struct hunk_columns *k)
{
	if (!k)
		return;
	buf_release(&k->apath);
	buf_release(&k->hardlink);
	free(k->sets);
	free(k->extents);
	hint_reader_release(&k->hints);
	free(k);
}

void hunk_close(struct hunk_iter *it)
{
	free(it->bundles);
	columns_free(it->columns);
	*it = (struct hunk_iter){0};
}

/* Lays the cursors over the columns; leaves *c behind the last. */
static void open_columns(struct cursor *c, struct hunk_columns *k)
{
	size_t length[COLUMN_COUNT];
	unsigned i;

	for (i = 0; i < COLUMN_COUNT; i++)
		length[i] =
		    (size_t)cursor_varint(c, HUNK_PLAIN_MAX, "hunk: column length");
	for (i = 0; i < COLUMN_COUNT && !c->bad; i++) {
		cursor_init(&k->c[i], span_of(c->s.p, c->at + length[i]));
		k->c[i].at = c->at;
		cursor_bytes(c, length[i], "hunk: column");
	}
	if (c->bad)
		return;
	if (length[COLUMN_KIND] != k->left || length[COLUMN_FLAGS] != k->left)
		cursor_fail(c, FAULT_CORRUPT, "hunk: columns and count differ");
}

static void check_head(struct cursor *c)
{
	if (cursor_left(c) > HUNK_PLAIN_MAX)
		cursor_fail(c, FAULT_LIMIT, "hunk: too long");
	if (cursor_u8(c, "hunk: tag") != HUNK_TAG)
		cursor_fail(c, FAULT_FOREIGN, "hunk: tag");
	if (cursor_u8(c, "hunk: version") > HUNK_VERSION)
		cursor_fail(c, FAULT_NEWER, "hunk: version");
	else if (!c->bad && c->s.p[1] == 0)
		cursor_fail(c, FAULT_CORRUPT, "hunk: version");
}

bool hunk_open(struct hunk_iter *it, struct span plain, struct fault *f)
{
	struct hunk_columns *k = mem_zalloc(sizeof *k);
	struct cursor c;

	*it = (struct hunk_iter){.columns = k};
	cursor_init(&c, plain);
	check_head(&c);
	k->left = (uint32_t)cursor_varint(&c, HUNK_ENTRIES_MAX, "hunk: count");
	if (k->left == 0)
		cursor_fail(&c, FAULT_CORRUPT, "hunk: no entries");
	it->n_bundles = (uint32_t)cursor_varint(&c, HUNK_BUNDLES_MAX, "hunk: bundles");
	open_columns(&c, k);
	it->bundles = bundle_table_decode(&c, it->n_bundles);
	if (!cursor_end(&c, f, "hunk: bytes behind the end")) {
		hunk_close(it);
		return false;
	}
	it->count = k->left;
	hint_reader_init(&k->hints, it->n_bundles);
	return true;
}

static bool read_apath(struct hunk_columns *k, struct entry *e)
{
	if (!apath_decode(&k->c[COLUMN_PREFIX], &k->c[COLUMN_SUFFIX], &k->apath))
		return false;
	e->apath = buf_span(&k->apath);
	return true;
}

static bool read_kind(struct hunk_columns *k, struct entry *e, uint8_t *flags)
{
	struct cursor *c = &k->c[COLUMN_KIND], *fc = &k->c[COLUMN_FLAGS];
	struct cursor *sc = &k->c[COLUMN_SIZE];
	uint8_t byte = cursor_u8(c, "hunk: kind");

	*flags = cursor_u8(fc, "hunk: flags");
	if ((byte & KIND_UNKNOWN) || (byte & KIND_BITS) > ENTRY_BLOCK)
		cursor_fail(c, FAULT_NEWER, "hunk: kind");
	if (*flags & FLAG_UNKNOWN)
		cursor_fail(fc, FAULT_NEWER, "hunk: flags");
	if (c->bad || fc->bad)
		return false;
	e->kind = byte & KIND_BITS;
	e->content = byte >> CONTENT_SHIFT & CONTENT_BITS;
	e->stale = *flags & FLAG_STALE;
	if (e->kind == ENTRY_FILE)
		e->size = cursor_varint(sc, INT64_MAX, "hunk: size");
	if (!sc->bad && !content_fits(e->kind, e->content, e->size))
		cursor_fail(c, FAULT_CORRUPT, "hunk: content of that kind and size");
	return !sc->bad && !c->bad;
}

static int64_t read_seconds(struct cursor *c, int64_t before, const char *what)
{
	return (int64_t)((uint64_t)before + (uint64_t)cursor_signed(c, what));
}

static int64_t read_ns(struct cursor *c, int64_t before, const char *what)
{
	uint64_t ns = (uint64_t)before + (uint64_t)cursor_signed(c, what);

	if (ns <= NS_MAX)
		return (int64_t)ns;
	cursor_fail(c, FAULT_CORRUPT, what);
	return 0;
}

static bool read_times(struct hunk_columns *k, struct entry *e, uint8_t flags)
{
	struct cursor *ms = &k->c[COLUMN_MTIME_S], *mn = &k->c[COLUMN_MTIME_NS];
	struct cursor *cs = &k->c[COLUMN_CTIME_S], *cn = &k->c[COLUMN_CTIME_NS];

	k->mtime_s = read_seconds(ms, k->mtime_s, "hunk: mtime");
	k->mtime_ns = read_ns(mn, k->mtime_ns, "hunk: nanoseconds of mtime");
	if (flags & FLAG_SAME_CTIME) {
		k->ctime_s = k->mtime_s;
		k->ctime_ns = k->mtime_ns;
	} else {
		k->ctime_s = read_seconds(cs, k->ctime_s, "hunk: ctime");
		k->ctime_ns = read_ns(cn, k->ctime_ns, "hunk: nanoseconds of ctime");
		if (k->ctime_s == k->mtime_s && k->ctime_ns == k->mtime_ns)
			cursor_fail(
			    cs, FAULT_CORRUPT, "hunk: ctime is the mtime, unsaid");
	}
	e->mtime_s = k->mtime_s;
	e->mtime_ns = (uint32_t)k->mtime_ns;
	e->ctime_s = k->ctime_s;
	e->ctime_ns = (uint32_t)k->ctime_ns;
	return !ms->bad && !mn->bad && !cs->bad && !cn->bad;
}

/* The next of the sets, which is used here for the first time. */
static void read_set(struct hunk_columns *k)
{
	struct cursor *c = &k->c[COLUMN_OWNER_SET];
	struct owner_set set;
	size_t i;

	set.mode = (uint32_t)cursor_varint(c, MODE_MAX, "hunk: mode");
	set.uid = (uint32_t)cursor_varint(c, UINT32_MAX, "hunk: uid");
	set.gid = (uint32_t)cursor_varint(c, UINT32_MAX, "hunk: gid");
	set.user = cursor_text(c, OWNER_MAX, "hunk: user");
	set.group = cursor_text(c, OWNER_MAX, "hunk: group");
	if (c->bad)
		return;
	for (i = 0; i < k->n_sets; i++)
		if (owner_set_equal(&k->sets[i], &set))
			cursor_fail(c, FAULT_CORRUPT, "hunk: owner set stands twice");
	k->sets = mem_grow(k->sets, &k->sets_cap, k->n_sets + 1, sizeof *k->sets);
	k->sets[k->n_sets++] = set;
}

static bool read_owner(struct hunk_columns *k, struct entry *e)
{
	struct cursor *c = &k->c[COLUMN_OWNER];
	uint64_t i = cursor_varint(c, UINT64_MAX, "hunk: owner set");

	if (c->bad)
		return false;
	if (i > k->n_sets) {
		cursor_fail(c, FAULT_CORRUPT, "hunk: owner set out of order");
		return false;
	}
	if (i == k->n_sets)
		read_set(k);
	if (k->c[COLUMN_OWNER_SET].bad)
		return false;
	e->mode = k->sets[i].mode;
	e->uid = k->sets[i].uid;
	e->gid = k->sets[i].gid;
	e->user = k->sets[i].user;
	e->group = k->sets[i].group;
	return true;
}

static void read_hole(struct cursor *c, struct extent *x, bool *any)
{
	uint8_t byte = cursor_u8(c, "hunk: hole");

	if (byte > 1)
		cursor_fail(c, FAULT_CORRUPT, "hunk: hole");
	x->hole = byte == 1;
	*any |= byte != 0;
}

/* rest: what is left of the file's size; the last extent takes it whole. */
static void read_length(
    struct hunk_columns *k, struct extent *x, bool list, uint64_t *rest, bool last)
{
	struct cursor *c = &k->c[COLUMN_LENGTH];

	if (last)
		x->length = *rest;
	else
		x->length = cursor_varint(c, INT64_MAX, "hunk: length of an extent");
	if (x->length == 0 || x->length > *rest)
		cursor_fail(c, FAULT_CORRUPT, "hunk: lengths and size differ");
	else if (!x->hole && !list && x->length > CHUNK_MAX)
		cursor_fail(c, FAULT_LIMIT, "hunk: length of a chunk");
	*rest -= x->length;
}

static bool read_extents(struct hunk_columns *k, struct entry *e)
{
	struct cursor *c = &k->c[COLUMN_EXTENTS];
	uint64_t v = cursor_varint(c, ENTRY_EXTENTS * 2 + 1, "hunk: extents");
	bool list = e->content == CONTENT_LIST, holes = v & 1, any = false;
	uint32_t i, n = (uint32_t)(v >> 1);
	uint64_t rest = e->size;
	struct extent *x;

	if (!c->bad && (n == 0 || (list && holes)))
		cursor_fail(c, FAULT_CORRUPT, "hunk: extents");
	if (c->bad)
		return false;
	k->extents = mem_grow(k->extents, &k->extents_cap, n, sizeof *k->extents);
	for (i = 0; i < n; i++) {
		x = &k->extents[i];
		*x = (struct extent){0};
		if (holes)
			read_hole(&k->c[COLUMN_HOLES], x, &any);
		read_length(k, x, list, &rest, i + 1 == n);
		if (!x->hole) {
			cursor_id(&k->c[COLUMN_ID], &x->id, "hunk: chunk id");
			hint_reader_next(&k->hints, &k->c[COLUMN_BUNDLE],
			    &k->c[COLUMN_SLOT], &x->hint);
		}
	}
	if (holes && !any)
		cursor_fail(c, FAULT_CORRUPT, "hunk: holes announced, none there");
	e->extents = k->extents;
	e->n_extents = n;
	return !c->bad && !k->c[COLUMN_HOLES].bad && !k->c[COLUMN_LENGTH].bad &&
	    !k->c[COLUMN_ID].bad && !k->c[COLUMN_BUNDLE].bad && !k->c[COLUMN_SLOT].bad;
}

static bool read_content(struct hunk_columns *k, struct entry *e)
{
	struct cursor *inl = &k->c[COLUMN_INLINE], *level = &k->c[COLUMN_LEVEL];

	switch (e->content) {
	case CONTENT_NONE:
		return true;
	case CONTENT_INLINE:
		if (e->size > ENTRY_INLINE)
			cursor_fail(inl, FAULT_LIMIT, "hunk: inline content");
		e->inline_data =
		    cursor_bytes(inl, (size_t)e->size, "hunk: inline content");
		return !inl->bad;
	case CONTENT_EXTENTS:
		return read_extents(k, e);
	case CONTENT_LIST:
		e->list_level = cursor_u8(level, "hunk: list level");
		if (e->list_level > LIST_LEVEL_MAX)
			cursor_fail(level, FAULT_LIMIT, "hunk: list level");
		return read_extents(k, e) && !level->bad;
	}
	return false;
}

static bool read_hardlink(struct hunk_columns *k, struct entry *e)
{
	struct cursor *c = &k->c[COLUMN_HARDLINK];
	size_t shared =
	    (size_t)cursor_varint(c, APATH_MAX, "hunk: shared bytes of hard link");
	struct span suffix = cursor_text(c, APATH_MAX, "hunk: hard link");

	if (c->bad)
		return false;
	if (e->kind == ENTRY_DIR || shared > e->apath.n ||
	    (shared < e->apath.n && suffix.n > 0 && e->apath.p[shared] == suffix.p[0])) {
		cursor_fail(c, FAULT_CORRUPT, "hunk: hard link");
		return false;
	}
	buf_clear(&k->hardlink);
	buf_add(&k->hardlink, e->apath.p, shared);
	buf_add(&k->hardlink, suffix.p, suffix.n);
	e->hardlink = buf_span(&k->hardlink);
	if (!apath_valid(e->hardlink) || apath_compare(e->hardlink, e->apath) > 0)
		cursor_fail(c, FAULT_CORRUPT, "hunk: hard link");
	return !c->bad;
}

static bool read_xattrs(struct hunk_columns *k, struct entry *e)
{
	struct cursor *c = &k->c[COLUMN_XATTRS];
	size_t n = (size_t)cursor_varint(c, XATTRS_MAX, "hunk: length of xattrs");
	struct xattr_iter it;
	struct span name, value;
	struct fault f;
	enum step step;

	e->xattrs = cursor_bytes(c, n, "hunk: xattrs");
	if (!c->bad && n == 0)
		cursor_fail(c, FAULT_CORRUPT, "hunk: xattrs");
	if (c->bad)
		return false;
	xattrs_open(&it, e->xattrs);
	do
		step = xattrs_next(&it, &name, &value, &f);
	while (step == STEP_ITEM);
	/* Their end is told by their length: running past it is a contradiction. */
	if (step == STEP_FAILED)
		cursor_fail(
		    c, f.kind == FAULT_TRUNCATED ? FAULT_CORRUPT : f.kind, f.what);
	return !c->bad;
}

static bool read_rare(struct hunk_columns *k, struct entry *e, uint8_t flags)
{
	struct cursor *target = &k->c[COLUMN_TARGET], *device = &k->c[COLUMN_DEVICE];

	if (e->kind == ENTRY_SYMLINK) {
		e->target = cursor_text(target, TARGET_MAX, "hunk: symlink's target");
		if (e->target.n == 0)
			cursor_fail(target, FAULT_CORRUPT, "hunk: symlink's target");
	}
	if (e->kind == ENTRY_CHAR || e->kind == ENTRY_BLOCK) {
		e->major = (uint32_t)cursor_varint(device, UINT32_MAX, "hunk: device");
		e->minor = (uint32_t)cursor_varint(device, UINT32_MAX, "hunk: device");
	}
	if (target->bad || device->bad)
		return false;
	if ((flags & FLAG_HARDLINK) && !read_hardlink(k, e))
		return false;
	return !(flags & FLAG_XATTRS) || read_xattrs(k, e);
}

static enum step fail(struct hunk_columns *k, struct fault *f)
{
	unsigned i = 0;

	while (!k->c[i].bad)
		i++;
	if (f)
		*f = k->c[i].fault;
	k->failed = true;
	return STEP_FAILED;
}

/* Nothing may be left over in any column, nor in the table. */
static enum step finish(struct hunk_columns *k, struct fault *f)
{
	unsigned i;

	for (i = 0; i < COLUMN_COUNT; i++)
		if (cursor_left(&k->c[i]) > 0) {
			cursor_fail(
			    &k->c[i], FAULT_CORRUPT, "hunk: column longer than used");
			return fail(k, f);
		}
	if (k->hints.seen < k->hints.n) {
		cursor_fail(
		    &k->c[COLUMN_BUNDLE], FAULT_CORRUPT, "hunk: bundle never named");
		return fail(k, f);
	}
	return STEP_END;
}

enum step hunk_next(struct hunk_iter *it, struct entry *e, struct fault *f)
{
	struct hunk_columns *k = it->columns;
	uint8_t flags;

	if (k->failed)
		return fail(k, f);
	if (k->left == 0)
		return finish(k, f);
	*e = (struct entry){0};
	if (!read_apath(k, e) || !read_kind(k, e, &flags) ||
	    !read_times(k, e, flags) || !read_owner(k, e) || !read_content(k, e) ||
	    !read_rare(k, e, flags))
		return fail(k, f);
	k->left--;
	return STEP_ITEM;
}
