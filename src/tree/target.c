/*
 * Making files beneath the open root. A file's directory is found by openat2, which
 * refuses links and whatever leads out, also while somebody moves directories about;
 * where the kernel lacks it, or a sandbox forbids it, component by component. The
 * directories found last are kept open, as entries come in runs.
 */
#include "tree/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "tree/attr.h"
#include "tree/dir.h"
#include "tree/later.h"

#define KEPT  16u
#define PIECE 4000u /* of a path, given to the kernel at once: below PATH_MAX */

struct kept {
	char *path;
	size_t n;
	struct dir *dir;
	uint64_t used;
};

struct target {
	int root;
	struct attrs attrs;
	atomic_bool by_component; /* openat2 is not to be had */
	pthread_mutex_t lock;     /* guards all below */
	struct kept kept[KEPT];
	uint64_t clock;
	struct later *later;
};

struct target_file {
	struct target *t;
	struct dir *dir;
	char *path;
	size_t n;
	const char *name; /* in path */
	int fd;
};

/* --- finding directories */

static int open_piece(struct target *t, int base, const char *piece, int flags)
{
	struct open_how how = {
	    .flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd = -1;

	errno = sys_fault ? sys_fault(SYS_OPEN, piece) : 0;
	if (errno == 0) {
		do
			fd = syscall(SYS_openat2, base, piece, &how, sizeof how);
		while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	}
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		atomic_store(&t->by_component, true);
	return (int)fd;
}

/* How much of the path to open at once: up to a slash, or all of it. */
static size_t piece_length(struct span path, bool one)
{
	const uint8_t *slash;
	size_t n;

	if (path.n <= PIECE && !one)
		return path.n;
	n = path.n < PIECE ? path.n : PIECE;
	slash = one ? memchr(path.p, '/', n) : memrchr(path.p, '/', n);
	return slash ? (size_t)(slash - path.p) : path.n;
}

/* Open what stands at path, with O_NOFOLLOW. -1 and errno. */
static int open_beneath(struct target *t, struct span path, int flags)
{
	char piece[PIECE + 1];
	int base = t->root, fd = t->root, sys;
	size_t n;

	if (path.n == 0)
		return sys_openat(t->root, ".", flags, 0);
	while (path.n > 0) {
		bool one = atomic_load(&t->by_component);

		n = piece_length(path, one);
		if (n > PIECE) {
			errno = ENAMETOOLONG;
			fd = -1;
		} else {
			int how = n == path.n ? flags : O_PATH | O_DIRECTORY;

			memcpy(piece, path.p, n);
			piece[n] = 0;
			fd = one ? sys_openat(base, piece, how | O_NOFOLLOW, 0)
			         : open_piece(t, base, piece, how);
		}
		if (fd < 0 && !one && atomic_load(&t->by_component))
			continue;
		sys = errno;
		if (base != t->root)
			sys_close(base);
		if (fd < 0) {
			errno = sys;
			return -1;
		}
		base = fd;
		n += n < path.n;
		path = span_of(path.p + n, path.n - n);
	}
	return fd;
}

static struct dir *kept_find(struct target *t, struct span path)
{
	struct dir *found = NULL;
	struct kept *k;

	pthread_mutex_lock(&t->lock);
	for (k = t->kept; k < t->kept + KEPT && !found; k++) {
		if (k->dir && span_equal(span_of(k->path, k->n), path)) {
			k->used = ++t->clock;
			found = dir_ref(k->dir);
		}
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void kept_drop(struct kept *k)
{
	dir_unref(k->dir);
	free(k->path);
	*k = (struct kept){0};
}

static void kept_add(struct target *t, struct span path, struct dir *dir)
{
	struct kept *k, *oldest = t->kept;

	pthread_mutex_lock(&t->lock);
	for (k = t->kept; k < t->kept + KEPT; k++)
		if (k->used < oldest->used)
			oldest = k;
	kept_drop(oldest);
	oldest->path = mem_alloc(path.n);
	memcpy(oldest->path, path.p, path.n);
	oldest->n = path.n;
	oldest->dir = dir_ref(dir);
	oldest->used = ++t->clock;
	pthread_mutex_unlock(&t->lock);
}

static bool path_valid(struct span path)
{
	const uint8_t *p = path.p, *end = p + path.n, *slash;
	size_t n;

	if (path.n > APATH_MAX || memchr(path.p, 0, path.n))
		return false;
	for (;; p = slash + 1) {
		slash = memchr(p, '/', (size_t)(end - p));
		n = (size_t)((slash ? slash : end) - p);
		if (n == 0 || (n <= 2 && p[0] == '.' && p[n - 1] == '.'))
			return false;
		if (!slash)
			return true;
	}
}

/*
 * The directory that path stands in, and its name there, in *text, a copy of the path.
 * The caller frees and unrefs.
 */
static bool resolve(struct target *t, struct span path, struct dir **dir, char **text,
    const char **name, struct err *e)
{
	const uint8_t *slash;
	struct span parent;
	int fd;

	*dir = NULL;
	*text = NULL;
	if (path.n == 0 || !path_valid(path))
		return err_set(e, ERR_CORRUPT, "a path that leads elsewhere");
	slash = memrchr(path.p, '/', path.n);
	parent = span_of(path.p, slash ? (size_t)(slash - path.p) : 0);
	*dir = kept_find(t, parent);
	if (!*dir) {
		fd = open_beneath(t, parent, O_PATH | O_DIRECTORY);
		if (fd < 0)
			return err_sys(e, errno, "the directory it is in");
		*dir = dir_new(fd);
		kept_add(t, parent, *dir);
	}
	*text = mem_alloc(path.n + 1);
	memcpy(*text, path.p, path.n);
	(*text)[path.n] = 0;
	*name = *text + (slash ? parent.n + 1 : 0);
	return true;
}

/* --- the root */

static bool is_empty(int fd, bool *empty)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *de;

	if (!d) {
		if (copy >= 0)
			sys_close(copy);
		return false;
	}
	*empty = true;
	errno = 0;
	while ((de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			*empty = false;
	if (errno) {
		closedir(d);
		return false;
	}
	closedir(d);
	return true;
}

static int open_root(const char *path, struct err *e)
{
	bool empty;
	int fd;

	if (sys_mkdirat(AT_FDCWD, path, 0700) != 0 && errno != EEXIST) {
		err_sys(e, errno, "make the folder %s", path);
		return -1;
	}
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOTDIR) {
		err_set(e, ERR_EXISTS, "%s is no folder; nothing was restored", path);
		return -1;
	}
	if (fd < 0 || !is_empty(fd, &empty)) {
		err_sys(e, errno, "%s", path);
	} else if (!empty) {
		err_set(e, ERR_EXISTS,
		    "%s is not empty; nothing was restored: try an empty or absent folder", path);
	} else {
		return fd;
	}
	if (fd >= 0)
		sys_close(fd);
	return -1;
}

bool target_open(const char *path, const struct target_options *opt, struct target **out,
    struct err *e)
{
	struct target *t;
	int root = open_root(path, e);

	*out = NULL;
	if (root < 0)
		return false;
	t = mem_zalloc(sizeof *t);
	t->root = root;
	attrs_init(&t->attrs, opt);
	t->attrs.inherits = fgetxattr(root, "system.posix_acl_default", NULL, 0) > 0;
	pthread_mutex_init(&t->lock, NULL);
	t->later = later_new(root);
	*out = t;
	return true;
}

void target_close(struct target *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < KEPT; i++)
		kept_drop(&t->kept[i]);
	later_free(t->later);
	attrs_release(&t->attrs);
	pthread_mutex_destroy(&t->lock);
	sys_close(t->root);
	free(t);
}

uint64_t target_lost(const struct target *t)
{
	return atomic_load(&t->attrs.lost);
}

/* --- directories */

bool target_mkdir(
    struct target *t, struct span path, const struct entry *en, struct err *e)
{
	struct dir *dir = NULL;
	const char *name;
	char *text = NULL;
	bool ok = false;

	if (path.n > 0) {
		if (!resolve(t, path, &dir, &text, &name, e))
			goto out;
		if (sys_mkdirat(dir_fd(dir), name, 0700) != 0) {
			err_sys(e, errno, "mkdir");
			goto out;
		}
	}
	pthread_mutex_lock(&t->lock);
	later_push(t->later, path, en);
	pthread_mutex_unlock(&t->lock);
	ok = true;
out:
	free(text);
	dir_unref(dir);
	return ok;
}

bool target_finish(struct target *t, struct err *e)
{
	struct span path;
	struct entry en;
	bool ok = true;
	enum step st;
	int fd;

	while ((st = later_pop(t->later, &path, &en)) != STEP_END) {
		fd = -1;
		if (st == STEP_ITEM)
			fd = open_beneath(t, path, O_RDONLY | O_DIRECTORY);
		if (fd >= 0) {
			attrs_apply(&t->attrs, fd, false, path, &en);
			sys_close(fd);
		} else if (ok) {
			ok = false;
			if (st == STEP_ITEM)
				err_sys(e, errno, "directory %.*s", (int)path.n,
				    (const char *)path.p);
			else
				err_sys(e, errno, "attributes of directories");
		}
	}
	return ok;
}

/* --- files */

bool target_create(
    struct target *t, struct span path, struct target_file **out, struct err *e)
{
	struct target_file *f = mem_zalloc(sizeof *f);

	*out = NULL;
	f->t = t;
	f->n = path.n;
	if (!resolve(t, path, &f->dir, &f->path, &f->name, e))
		goto fail;
	f->fd = sys_openat(dir_fd(f->dir), f->name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (f->fd < 0) {
		err_sys(e, errno, "create");
		goto fail;
	}
	*out = f;
	return true;
fail:
	free(f->path);
	dir_unref(f->dir);
	free(f);
	return false;
}

bool target_write(
    struct target_file *f, const void *p, size_t n, uint64_t at, struct err *e)
{
	return sys_pwrite(f->fd, p, n, at) || err_sys(e, errno, "write");
}

bool target_truncate(struct target_file *f, uint64_t size, struct err *e)
{
	return ftruncate(f->fd, (off_t)size) == 0 || err_sys(e, errno, "set the length");
}

/* Close it; on failure, or if it is not wanted, remove it. False with errno. */
static bool file_end(struct target_file *f, bool keep)
{
	bool ok = sys_close(f->fd) == 0;
	int sys = errno;

	if (!ok || !keep)
		sys_unlinkat(dir_fd(f->dir), f->name, 0);
	free(f->path);
	dir_unref(f->dir);
	free(f);
	errno = sys;
	return ok;
}

bool target_file_finish(struct target_file *f, const struct entry *en, struct err *e)
{
	attrs_apply(&f->t->attrs, f->fd, false, span_of(f->path, f->n), en);
	return file_end(f, true) || err_sys(e, errno, "close");
}

void target_file_abandon(struct target_file *f)
{
	if (f)
		file_end(f, false);
}

/* --- all else */

static int make_symlink(int dir, const char *name, struct span to)
{
	char *text = mem_alloc(to.n + 1);
	int sys;

	memcpy(text, to.p, to.n);
	text[to.n] = 0;
	sys = strlen(text) < to.n ? EINVAL : symlinkat(text, dir, name) == 0 ? 0 : errno;
	free(text);
	return sys;
}

static mode_t type_of(enum entry_kind kind)
{
	switch (kind) {
	case ENTRY_SYMLINK:
		return S_IFLNK;
	case ENTRY_FIFO:
		return S_IFIFO;
	case ENTRY_CHAR:
		return S_IFCHR;
	case ENTRY_BLOCK:
		return S_IFBLK;
	default:
		return 0;
	}
}

/* 0 or an errno value. */
static int make_special(int dir, const char *name, const struct entry *en)
{
	int sys = sys_fault ? sys_fault(SYS_META, "device") : 0;
	dev_t dev = makedev(en->major, en->minor);

	if (en->kind == ENTRY_SYMLINK)
		return make_symlink(dir, name, en->target);
	if (sys)
		return sys;
	return mknodat(dir, name, type_of(en->kind) | 0600, dev) == 0 ? 0 : errno;
}

/* Open what was just made, unless something else has taken its place. */
static int open_special(int dir, const char *name, const struct entry *en, struct err *e)
{
	int fd = sys_openat(dir, name, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0 || sys_fstat(fd, &st) != 0) {
		err_sys(e, errno, "open");
	} else if ((st.st_mode & S_IFMT) != type_of(en->kind) || st.st_nlink != 1) {
		err_set(e, ERR_EXISTS, "something else has taken its place");
	} else {
		return fd;
	}
	if (fd >= 0)
		sys_close(fd);
	return -1;
}

bool target_special(
    struct target *t, struct span path, const struct entry *en, struct err *e)
{
	bool device = en->kind == ENTRY_CHAR || en->kind == ENTRY_BLOCK, ok = false;
	struct dir *dir = NULL;
	const char *name;
	char *text = NULL;
	int fd = -1, sys;

	if (!resolve(t, path, &dir, &text, &name, e))
		goto out;
	sys = make_special(dir_fd(dir), name, en);
	if (device && sys == EPERM) {
		attrs_lost(&t->attrs, path, "device", sys);
		ok = true;
		goto out;
	}
	if (sys) {
		err_sys(e, sys, "create");
		goto out;
	}
	fd = open_special(dir_fd(dir), name, en, e);
	if (fd < 0)
		goto out;
	attrs_apply(&t->attrs, fd, true, path, en);
	ok = true;
out:
	if (fd >= 0)
		sys_close(fd);
	free(text);
	dir_unref(dir);
	return ok;
}

bool target_link(struct target *t, struct span path, struct span first, struct err *e)
{
	struct dir *dir = NULL, *from = NULL;
	char *text = NULL, *from_text = NULL;
	const char *name, *from_name;
	int sys = sys_fault ? sys_fault(SYS_LINK, "") : 0;
	bool ok = false;

	if (!resolve(t, path, &dir, &text, &name, e) ||
	    !resolve(t, first, &from, &from_text, &from_name, e))
		goto out;
	if (!sys && linkat(dir_fd(from), from_name, dir_fd(dir), name, 0) != 0)
		sys = errno;
	ok = !sys || err_sys(e, sys, "link");
out:
	free(from_text);
	free(text);
	dir_unref(from);
	dir_unref(dir);
	return ok;
}
