/*
 * Every entry is looked up in the folder, and both are counted: as entries come in
 * strictly ascending order, equal numbers mean equal sets.
 */
#include "check_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "band/bands.h"
#include "band/stream.h"
#include "base/map.h"
#include "base/mem.h"

struct check {
	struct repo *r;
	const char *apath, *folder;
	struct band band;
	struct inventory *inv;
	struct resolver *res;
	struct chunk_reader *chunks;
	struct stream *stream;
	struct map links;   /* (dev, ino) → number of `firsts` */
	char **firsts;
	size_t n_firsts, firsts_cap;
	struct buf last;
	struct id hunk;
	/* The file within an entry seen last: its further names need no second look. */
	struct stat seen;
	struct buf seen_data, seen_xattrs;
	struct check_result result;
};

static int apath_width(const struct entry *en)
{
	return (int)(en->apath.n < 300 ? en->apath.n : 300);
}

static bool differs(const struct entry *en, struct err *e, const char *what)
{
	return err_set(
	    e, ERR_CORRUPT, "%.*s: %s", apath_width(en), (const char *)en->apath.p, what);
}

/* Where in the folder an apath below c->apath stands. */
static char *place_of(const struct check *c, struct span apath)
{
	size_t skip = strcmp(c->apath, "/") == 0 ? 0 : strlen(c->apath);

	return mem_printf("%s%.*s", c->folder, (int)(apath.n - skip), apath.p + skip);
}

static enum entry_kind kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return ENTRY_DIR;
	case S_IFLNK:
		return ENTRY_SYMLINK;
	case S_IFIFO:
		return ENTRY_FIFO;
	case S_IFCHR:
		return ENTRY_CHAR;
	case S_IFBLK:
		return ENTRY_BLOCK;
	default:
		return ENTRY_FILE;
	}
}

static bool check_owner(const struct entry *en, const struct stat *st, struct err *e)
{
	static uint32_t uid = UINT32_MAX, gid = UINT32_MAX;
	static char user[256], group[256];
	const struct passwd *pw;
	const struct group *gr;

	if (en->uid != st->st_uid || en->gid != st->st_gid)
		return differs(en, e, "owner");
	if (uid != st->st_uid) {
		pw = getpwuid(st->st_uid);
		uid = st->st_uid;
		snprintf(user, sizeof user, "%s", pw ? pw->pw_name : "");
	}
	if (gid != st->st_gid) {
		gr = getgrgid(st->st_gid);
		gid = st->st_gid;
		snprintf(group, sizeof group, "%s", gr ? gr->gr_name : "");
	}
	if (!span_equal(en->user, span_str(user)) || !span_equal(en->group, span_str(group)))
		return differs(en, e, "name of owner or group");
	return true;
}

static bool check_xattrs(
    const struct entry *en, const char *path, struct err *e)
{
	char names[65536], value[65536];
	ssize_t size = llistxattr(path, names, sizeof names), n;
	size_t want = 0, have = 0;
	struct xattr_iter it;
	struct span name, val;
	struct fault f;
	enum step step;

	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1)
		want++;
	xattrs_open(&it, en->xattrs);
	while ((step = xattrs_next(&it, &name, &val, &f)) == STEP_ITEM) {
		snprintf(names, sizeof names, "%.*s", (int)name.n, name.p);
		n = lgetxattr(path, names, value, sizeof value);
		if (n < 0 || !span_equal(val, span_of(value, (size_t)n)))
			return differs(en, e, "value of an extended attribute");
		have++;
	}
	if (step == STEP_FAILED || have != want)
		return differs(en, e, "number of extended attributes");
	return true;
}

static bool check_target(const struct entry *en, const char *path, struct err *e)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof target);

	if (n < 0 || !span_equal(en->target, span_of(target, (size_t)n)))
		return differs(en, e, "target");
	return true;
}

/* All names of a file in the snapshot tell of the first of them. */
static bool check_link(
    struct check *c, const struct entry *en, const struct stat *st, struct err *e)
{
	uint64_t key[2] = {st->st_dev, st->st_ino}, *at;

	if (en->kind != ENTRY_FILE || st->st_nlink < 2)
		return en->hardlink.n == 0 || differs(en, e, "is no hard link");
	at = map_get(&c->links, key);
	if (!at) {
		c->firsts =
		    mem_grow(c->firsts, &c->firsts_cap, c->n_firsts + 1, sizeof *c->firsts);
		c->firsts[c->n_firsts] =
		    mem_printf("%.*s", (int)en->apath.n, (const char *)en->apath.p);
		map_put(&c->links, key, c->n_firsts++);
		at = map_get(&c->links, key);
	}
	if (!span_equal(en->hardlink, span_str(c->firsts[*at])))
		return differs(en, e, "is not a link to the first of its group");
	return true;
}

static bool check_attributes(struct check *c, const struct entry *en, const char *path,
    const struct stat *st, struct err *e)
{
	if (en->kind != kind_of(st->st_mode))
		return differs(en, e, "kind");
	if (en->kind != ENTRY_SYMLINK && en->mode != (st->st_mode & 07777))
		return differs(en, e, "mode");
	if (en->mtime_s != st->st_mtim.tv_sec ||
	    en->mtime_ns != (uint32_t)st->st_mtim.tv_nsec)
		return differs(en, e, "mtime");
	if (en->kind == ENTRY_FILE && en->size != (uint64_t)st->st_size)
		return differs(en, e, "size");
	if ((en->kind == ENTRY_CHAR || en->kind == ENTRY_BLOCK) &&
	    (en->major != major(st->st_rdev) || en->minor != minor(st->st_rdev)))
		return differs(en, e, "device number");
	if (en->kind == ENTRY_SYMLINK && !check_target(en, path, e))
		return false;
	return check_owner(en, st, e) && check_link(c, en, st, e);
}

/* --- content */

struct comparing {
	struct check *c;
	int fd;
	uint64_t at;
	struct buf there;
};

static bool check_extent(void *arg, const struct extent *x, struct err *e)
{
	struct comparing *t = arg;
	size_t n = (size_t)x->length, i;
	struct found hint;
	struct span got;

	buf_clear(&t->there);
	if (pread(t->fd, buf_extend(&t->there, n), n, (off_t)t->at) != (ssize_t)n)
		return err_set(e, ERR_IO, "the file is shorter");
	t->at += x->length;
	if (x->hole) {
		t->c->result.holes++;
		for (i = 0; i < n; i++)
			if (t->there.p[i])
				return err_set(e, ERR_CORRUPT, "a hole where there is data");
		return true;
	}
	hint = (struct found){inventory_get(t->c->inv, x->hint.bundle)->name, x->hint.slot};
	if (!resolver_read(t->c->res, t->c->chunks, FILE_DATA, &hint, &x->id, &got, e))
		return false;
	return span_equal(got, buf_span(&t->there)) ||
	    err_set(e, ERR_CORRUPT, "other content");
}

static bool check_content(
    struct check *c, const struct entry *en, const char *path, struct err *e)
{
	struct comparing t = {.c = c, .fd = open(path, O_RDONLY | O_CLOEXEC)};
	bool ok;

	if (t.fd < 0)
		return err_sys(e, errno, "%s", path);
	switch (en->content) {
	case CONTENT_NONE:
		ok = en->size == 0 || differs(en, e, "has no content");
		break;
	case CONTENT_INLINE:
		buf_extend(&t.there, (size_t)en->size);
		ok = en->inline_data.n == en->size &&
		    pread(t.fd, t.there.p, t.there.n, 0) == (ssize_t)en->size &&
		    span_equal(en->inline_data, buf_span(&t.there));
		if (!ok)
			differs(en, e, "content within the entry");
		break;
	default:
		if (en->content == CONTENT_LIST) {
			c->result.lists++;
			if (en->list_level > c->result.list_level)
				c->result.list_level = en->list_level;
		}
		ok = stream_extents(c->stream, en, check_extent, &t, e) ||
		    err_wrap(e, "%.*s", apath_width(en), (const char *)en->apath.p);
	}
	buf_release(&t.there);
	close(t.fd);
	return ok;
}

static bool seen_before(
    const struct check *c, const struct entry *en, const struct stat *st)
{
	return en->content == CONTENT_INLINE && st->st_dev == c->seen.st_dev &&
	    st->st_ino == c->seen.st_ino &&
	    span_equal(en->inline_data, buf_span(&c->seen_data)) &&
	    span_equal(en->xattrs, buf_span(&c->seen_xattrs));
}

static bool check_one(
    struct check *c, const struct entry *en, const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return differs(en, e, "is not in the folder");
	if (!check_attributes(c, en, path, &st, e))
		return false;
	if (seen_before(c, en, &st))
		return true;
	if (!check_xattrs(en, path, e) ||
	    (en->kind == ENTRY_FILE && !check_content(c, en, path, e)))
		return false;
	if (en->content == CONTENT_INLINE) {
		c->seen = st;
		buf_clear(&c->seen_data);
		buf_add_span(&c->seen_data, en->inline_data);
		buf_clear(&c->seen_xattrs);
		buf_add_span(&c->seen_xattrs, en->xattrs);
	}
	return true;
}

/* --- the snapshot */

static bool check_open(struct check *c, struct repo *r, const char *name, struct err *e)
{
	struct stream_options so = {0};
	struct bands bands;
	struct band_info *info;
	enum band_file kind;
	bool ok = false;

	c->r = r;
	map_init(&c->links, 16);
	c->inv = inventory_new(r);
	c->res = resolver_new(r);
	c->chunks = chunk_reader_new(r, 8, 8);
	so.inventory = c->inv;
	so.resolver = c->res;
	band_init(&c->band);
	if (!bands_list(r, &bands, e))
		return false;
	info = bands_find(&bands, name);
	if (!info || !band_looks_complete(info))
		err_set(e, ERR_MISSING, "%s is no complete snapshot", name);
	else
		ok = band_read(r, info, &kind, &c->band, e);
	if (ok)
		c->stream = stream_open(r, c->chunks, &c->band, &so);
	bands_release(&bands);
	return ok;
}

static void check_close(struct check *c)
{
	stream_close(c->stream);
	band_release(&c->band);
	chunk_reader_free(c->chunks);
	resolver_free(c->res);
	inventory_free(c->inv);
	map_release(&c->links);
	while (c->n_firsts > 0)
		free(c->firsts[--c->n_firsts]);
	free(c->firsts);
	buf_release(&c->last);
	buf_release(&c->seen_data);
	buf_release(&c->seen_xattrs);
}

static uint64_t counted;

static int count(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)path;
	(void)kind;
	(void)at;
	counted += !S_ISSOCK(st->st_mode);
	return 0;
}

static bool check_next(
    struct check *c, const struct entry *en, uint64_t *below, struct err *e)
{
	struct span top = span_str(c->apath);
	char *path;
	bool ok;

	c->result.entries++;
	c->result.stale += en->stale;
	if (!id_equal(&c->hunk, &stream_hunk(c->stream)->id)) {
		c->hunk = stream_hunk(c->stream)->id;
		c->result.hunks++;
	}
	if (c->last.n && apath_compare(buf_span(&c->last), en->apath) >= 0)
		return differs(en, e, "out of order");
	buf_clear(&c->last);
	buf_add_span(&c->last, en->apath);
	if (!apath_within(en->apath, top))
		return (en->kind == ENTRY_DIR && apath_within(top, en->apath)) ||
		    differs(en, e, "should not be there");
	path = place_of(c, en->apath);
	ok = check_one(c, en, path, e);
	free(path);
	++*below;
	return ok;
}

bool check_snapshot(struct repo *r, const char *band, const char *apath,
    const char *folder, struct check_result *out, struct err *e)
{
	struct check c = {.apath = apath, .folder = folder};
	enum stream_step step = STREAM_END;
	uint64_t below = 0;
	struct entry en;
	bool ok = check_open(&c, r, band, e);

	while (ok && (step = stream_next(c.stream, &en, e)) == STREAM_ENTRY)
		ok = check_next(&c, &en, &below, e);
	if (ok && step != STREAM_END)
		ok = false;
	counted = 0;
	if (ok && nftw(folder, count, 32, FTW_PHYS) != 0)
		ok = err_sys(e, errno, "%s", folder);
	if (ok && counted != below)
		ok = err_set(e, ERR_CORRUPT, "%llu entries where the folder has %llu",
		    (unsigned long long)below, (unsigned long long)counted);
	c.result.index_level = c.band.list_level;
	if (out)
		*out = c.result;
	check_close(&c);
	return ok || err_wrap(e, "snapshot %s", band);
}

bool check_entry(struct repo *r, const char *band, const char *apath, const char *path,
    bool *stale, struct err *e)
{
	struct check c = {.apath = apath, .folder = path};
	enum stream_step step;
	struct entry en;
	bool ok = check_open(&c, r, band, e);

	if (ok) {
		stream_seek(c.stream, span_str(apath));
		step = stream_next(c.stream, &en, e);
		if (step == STREAM_ENTRY && span_equal(en.apath, span_str(apath))) {
			ok = check_one(&c, &en, path, e);
			if (stale)
				*stale = en.stale;
		} else {
			ok = false;
			if (step == STREAM_ENTRY || step == STREAM_END)
				err_set(e, ERR_MISSING, "%s is not in it", apath);
		}
	}
	check_close(&c);
	return ok || err_wrap(e, "snapshot %s", band);
}
