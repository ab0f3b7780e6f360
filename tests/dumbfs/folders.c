/*
 * The operations on names: look, list, make a folder, delete a file.
 */
#include "dumbfs.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PAGE 1000 /* names that come with one trip, as from S3 */

/* libfuse looks at what mkdir just made, which a real client does not need to. */
static __thread bool just_made;

static int dumb_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	struct handle *h = fi ? handle_of(fi) : NULL;
	bool made = just_made;
	int r;

	just_made = false;
	if (strcmp(path, CONTROL) == 0) {
		memset(st, 0, sizeof *st);
		st->st_mode = S_IFREG | 0666;
		st->st_nlink = 1;
		return 0;
	}
	if (h && h->writer) /* libfuse looks at what it created */
		return result(fstat(h->fd, st));
	r = made ? 0 : begin(known_is(path) ? OP_KNOWN : OP_LOOK, path, 0, NULL);
	if (r)
		return r;
	if (h)
		r = result(fstat(h->fd, st));
	else
		r = own_stat(path, st) ? 0 : stale_stat(path, st);
	if (r == 0)
		known_add(path, NULL);
	return r;
}

struct listing {
	struct names names;
	struct verdict verdict;
};

static void add_own(void *arg, const char *name, const struct stat *st)
{
	names_set(arg, name, st);
}

/* One listing is one moment's, whatever the pages it is read in. */
static int dumb_opendir(const char *path, struct fuse_file_info *fi)
{
	struct listing *l = calloc(1, sizeof *l);
	struct verdict v;
	int r = begin(OP_OPENDIR, path, 0, &v);

	if (!l)
		abort();
	if (r == 0)
		r = stale_list(path, &l->names);
	if (r) {
		names_release(&l->names);
		free(l);
		return r;
	}
	own_list(path, add_own, &l->names);
	for (size_t n = PAGE; n < l->names.n; n += PAGE)
		if ((r = begin(OP_PAGE, path, 0, NULL)))
			break;
	l->verdict = v;
	known_add(path, NULL);
	for (size_t i = 0; i < l->names.n; i++)
		known_add(path, l->names.at[i].name);
	fi->fh = (uintptr_t)l;
	if (r) {
		names_release(&l->names);
		free(l);
	}
	return r;
}

/* The same names each time. */
static bool hidden(const struct verdict *v, const char *name)
{
	const char *at = name;
	unsigned h = 2166136261u;

	for (; *at; at++)
		h = (h ^ (unsigned char)*at) * 16777619u;
	return (h >> 8) % 100 < v->hide ||
	       (v->hidden[0] && fnmatch(v->hidden, name, 0) == 0);
}

static int dumb_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t at,
    struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	struct listing *l = (struct listing *)(uintptr_t)fi->fh;
	enum fuse_fill_dir_flags plus = 0;

	(void)path;
	(void)at;
	if (flags & FUSE_READDIR_PLUS)
		plus = FUSE_FILL_DIR_PLUS;
	for (size_t i = 0; i < l->names.n; i++) {
		struct name *n = &l->names.at[i];

		if (!hidden(&l->verdict, n->name) && fill(out, n->name, &n->st, 0, plus))
			break;
	}
	return 0;
}

static int dumb_releasedir(const char *path, struct fuse_file_info *fi)
{
	struct listing *l = (struct listing *)(uintptr_t)fi->fh;

	(void)path;
	names_release(&l->names);
	free(l);
	return 0;
}

static int dumb_unlink(const char *path)
{
	bool known;
	int r;

	if (strcmp(path, CONTROL) == 0)
		return -EPERM;
	r = begin(OP_UNLINK, path, 0, NULL);
	if (r)
		return r;
	if (still_written(path, V_UNLINK_WHILE_WRITTEN))
		return -EPERM;
	known = own_forget(path);
	r = result(unlinkat(fs.root, backing_path(path), 0));
	stale_removed(path);
	known_forget(path);
	return known ? 0 : r;
}

static int dumb_mkdir(const char *path, mode_t mode)
{
	int r = begin(OP_MKDIR, path, 0, NULL);

	if (r)
		return r;
	if (fs.contract && (mode & 07777) != 0700)
		return refuse(V_MODE, path);
	r = result(mkdirat(fs.root, backing_path(path), mode));
	just_made = r == 0;
	if (r == 0)
		stale_made(path);
	return r;
}

static int dumb_statfs(const char *path, struct statvfs *st)
{
	int r = begin(OP_STATFS, path, 0, NULL), fd;

	if (r)
		return r;
	fd = openat(fs.root, backing_path(path), O_RDONLY | O_CLOEXEC);
	r = result(fstatvfs(fd < 0 ? fs.root : fd, st));
	if (fd >= 0)
		close(fd);
	return r;
}

void folders_ops(struct fuse_operations *ops)
{
	ops->getattr = dumb_getattr;
	ops->opendir = dumb_opendir;
	ops->readdir = dumb_readdir;
	ops->releasedir = dumb_releasedir;
	ops->unlink = dumb_unlink;
	ops->mkdir = dumb_mkdir;
	ops->statfs = dumb_statfs;
}
