/*
 * One open file. The calls are few, as most files are small: open, fstat, read, fstat,
 * flistxattr, close; holes are asked for only where st_blocks says that there must be
 * some.
 */
#include "tree/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"

/* What opening says where something else than expected stands there now. */
static bool is_gone(int sys)
{
	return sys == ENOENT || sys == ENOTDIR || sys == ELOOP || sys == ENXIO;
}

bool source_open(struct dir *dir, const char *name, const struct facts *expected,
    struct source *s, struct err *e)
{
	struct stat st;
	int sys;

	*s = (struct source)SOURCE_CLOSED;
	/*
	 * O_NONBLOCK: should a fifo stand there by now, this must not wait for its
	 * writer.
	 */
	s->fd = dir_open(dir, name, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (s->fd < 0) {
		sys = errno;
		err_sys(e, sys, "open");
		return is_gone(sys) ? err_set(e, ERR_MISSING, "it is gone") : false;
	}
	if (sys_fstat(s->fd, &st) != 0) {
		err_sys(e, errno, "fstat");
		goto fail;
	}
	if (!facts_of(&st, &s->facts) || s->facts.kind != expected->kind) {
		err_set(e, ERR_MISSING, "something else has taken its place");
		goto fail;
	}
	s->sparse = s->facts.blocks * 512 < s->facts.size;
	return true;
fail:
	source_close(s);
	return false;
}

void source_close(struct source *s)
{
	if (s->fd >= 0)
		sys_close(s->fd);
	s->fd = -1;
}

/* Where from `at` on the next data or hole begins; the file's end where none does. */
static bool seek(const struct source *s, int whence, uint64_t *at, struct err *e)
{
	off_t to = lseek(s->fd, (off_t)*at, whence);

	if (to < 0 && errno != ENXIO)
		return err_sys(e, errno, "lseek");
	*at = to < 0 || (uint64_t)to > s->facts.size ? s->facts.size : (uint64_t)to;
	return true;
}

enum step source_next(struct source *s, struct segment *seg, struct err *e)
{
	uint64_t to = s->at;

	if (s->at >= s->facts.size)
		return STEP_END;
	*seg = (struct segment){.at = s->at, .length = s->facts.size - s->at};
	if (s->sparse) {
		if (!seek(s, SEEK_DATA, &to, e))
			return STEP_FAILED;
		seg->hole = to > s->at;
		if (!seg->hole && !seek(s, SEEK_HOLE, &to, e))
			return STEP_FAILED;
		/* The file has changed between the two: what is left is read as it is. */
		if (to == s->at)
			to = s->facts.size;
		seg->length = to - s->at;
	}
	s->at += seg->length;
	return STEP_ITEM;
}

bool source_read(
    struct source *s, void *p, size_t n, uint64_t at, size_t *got, struct err *e)
{
	ssize_t r = sys_pread(s->fd, p, n, at);

	if (r < 0)
		return err_sys(e, errno, "read");
	*got = (size_t)r;
	return true;
}

bool source_changed(struct source *s, bool *changed, struct err *e)
{
	const struct facts *was = &s->facts;
	struct stat st;

	if (sys_fstat(s->fd, &st) != 0)
		return err_sys(e, errno, "fstat");
	*changed = (uint64_t)st.st_size != was->size ||
	           st.st_mtim.tv_sec != was->mtime_s ||
	           (uint32_t)st.st_mtim.tv_nsec != was->mtime_ns ||
	           st.st_ctim.tv_sec != was->ctime_s ||
	           (uint32_t)st.st_ctim.tv_nsec != was->ctime_ns;
	return true;
}

bool source_readlink(struct dir *dir, const char *name, struct buf *out, struct err *e)
{
	size_t cap = 256;
	ssize_t n;

	for (;;) {
		buf_clear(out);
		buf_reserve(out, cap);
		n = readlinkat(dir_fd(dir), name, (char *)out->p, cap);
		if (n < 0 && (is_gone(errno) || errno == EINVAL))
			return err_set(e, ERR_MISSING, "the link is gone");
		if (n < 0)
			return err_sys(e, errno, "readlink");
		if ((size_t)n < cap) {
			out->n = (size_t)n;
			return true;
		}
		if (cap > TARGET_MAX)
			return err_set(e, ERR_IO, "the link's target is too long");
		cap *= 2;
	}
}

/* Where attributes are: an open file, or a path. */
struct place {
	int fd; /* or -1 */
	const char *path;
	bool follow;
};

static ssize_t list_names(const struct place *p, char *out, size_t n)
{
	int fault = sys_fault ? sys_fault(SYS_META, p->path) : 0;

	if (fault) {
		errno = fault;
		return -1;
	}
	if (p->fd >= 0)
		return flistxattr(p->fd, out, n);
	return p->follow ? listxattr(p->path, out, n) : llistxattr(p->path, out, n);
}

static ssize_t get_value(const struct place *p, const char *name, void *out, size_t n)
{
	if (p->fd >= 0)
		return fgetxattr(p->fd, name, out, n);
	return p->follow ? getxattr(p->path, name, out, n)
	                 : lgetxattr(p->path, name, out, n);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted pointers into a list of names, each ended by a NUL. */
static const char **sort_names(const struct buf *list, size_t *count)
{
	const char **names = NULL;
	size_t cap = 0, at;

	*count = 0;
	for (at = 0; at < list->n; at += strlen(names[*count - 1]) + 1) {
		names = mem_grow(names, &cap, *count + 1, sizeof *names);
		names[(*count)++] = (const char *)list->p + at;
	}
	if (names)
		qsort(names, *count, sizeof *names, compare);
	return names;
}

/* Append one attribute. One that has gone since it was listed is passed over. */
static bool add_value(const struct place *p, const char *name, struct buf *value,
    struct buf *out, struct err *e)
{
	ssize_t n;

	buf_clear(value);
	buf_reserve(value, 256);
	while ((n = get_value(p, name, value->p, value->cap)) < 0 && errno == ERANGE) {
		n = get_value(p, name, NULL, 0);
		if (n < 0)
			break;
		buf_reserve(value, (size_t)n + 1);
	}
	if (n < 0 && (errno == ENODATA || errno == ENOTSUP))
		return true;
	if (n < 0)
		return err_sys(e, errno, "extended attribute %s", name);
	xattrs_add(out, span_str(name), span_of(value->p, (size_t)n));
	return true;
}

static bool add_all(
    const struct place *p, struct buf *list, struct buf *out, struct err *e)
{
	struct buf value = BUF_EMPTY;
	size_t start = out->n, n, i;
	const char **names = sort_names(list, &n);
	bool ok = true;

	for (i = 0; ok && i < n; i++)
		ok = add_value(p, names[i], &value, out, e);
	if (ok && out->n - start > XATTRS_MAX)
		ok = err_set(e, ERR_IO, "more extended attributes than can be stored");
	if (!ok)
		out->n = start;
	free(names);
	buf_release(&value);
	return ok;
}

static bool read_xattrs(const struct place *p, struct buf *out, struct err *e)
{
	char first[512]; /* nearly always enough, mostly for nothing at all */
	struct buf list = BUF_EMPTY;
	ssize_t n = list_names(p, first, sizeof first);
	bool ok = true;

	if (n > 0)
		buf_add(&list, first, (size_t)n);
	while (n < 0 && errno == ERANGE) {
		n = list_names(p, NULL, 0);
		if (n < 0)
			break;
		buf_reserve(&list, (size_t)n + 256);
		n = list_names(p, (char *)list.p, list.cap);
		list.n = n > 0 ? (size_t)n : 0;
	}
	if (n < 0 && errno != ENOTSUP)
		ok = err_sys(e, errno, "extended attributes");
	else if (n > 0)
		ok = add_all(p, &list, out, e);
	buf_release(&list);
	return ok;
}

bool source_xattrs(struct source *s, struct buf *out, struct err *e)
{
	struct place p = {.fd = s->fd};

	return read_xattrs(&p, out, e);
}

/*
 * There is no llistxattrat on most kernels: /proc leads to the directory without its
 * path.
 */
bool source_xattrs_at(
    struct dir *dir, const char *name, bool follow, struct buf *out, struct err *e)
{
	char path[64 + 256];
	struct place p = {.fd = -1, .path = path, .follow = follow};
	int n = snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dir_fd(dir), name);

	if (n >= (int)sizeof path)
		return err_sys(e, ENAMETOOLONG, "extended attributes");
	return read_xattrs(&p, out, e);
}
