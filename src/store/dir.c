/*
 * A mounted folder, used as the least of file systems would allow: a file is created
 * under a fresh name, written once from start to end, synced and closed once, and from
 * then on only read or deleted.
 *
 * Invariants. Any failure of write, fsync or close condemns the attempt, even where a
 * later call reports success: sshfs answers a close with success after a write that
 * failed. A file is never opened twice for writing, and never read before its one close.
 * A name that could not be created is not removed: it may be somebody else's. No folder
 * is made or looked at before a listing or an open has failed for want of it, since each
 * look is a round trip.
 *
 * The root is held open and everything is relative to it, so that what appears at the
 * path later (another mount, an empty mount point) is never taken for the repository.
 * Where the file system under it dies, the descriptor answers with an error.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "store/folders.h"
#include "store/mount.h"
#include "store/store.h"

/* Bytes in one write: FUSE takes 256 pages, a part of one too. */
#define PIECE ((1u << 20) - 4096)
#define READ_BACK 4096u  /* bytes compared after the close */
#define PATH_SIZE 256

struct store_dir {
	struct store store;
	struct env *env;
	char *path;
	DIR *top; /* open as long as the store is */
	int root; /* its descriptor */
	struct folders *folders;
};

static struct store_dir *begin(struct store *s, const char *point)
{
	struct store_dir *d = (struct store_dir *)s;

	d->env->yield(d->env, point);
	return d;
}

/* The asserted rule for names keeps this far below PATH_SIZE. */
static void path_join(char *path, const char *folder, const char *name)
{
	int n = snprintf(path, PATH_SIZE, "%s%s%s", folder, *folder ? "/" : "", name);

	assert(n < PATH_SIZE);
}

/* An ESTALE is about one file, unless the root itself is stale. */
static bool fail(const struct store_dir *d, struct err *e, int sys, const char *doing,
    const char *path)
{
	struct stat st;

	err_sys(e, sys, "%s %s", doing, path);
	if (e && (sys == ECONNABORTED || (sys == ESTALE && sys_fstat(d->root, &st) != 0)))
		e->kind = ERR_UNREACHABLE;
	return false;
}

static bool gone(const struct store_dir *d, struct err *e)
{
	return err_set(e, ERR_UNREACHABLE,
	    "%s: the folder itself is gone: is the storage still mounted?", d->path);
}

/* 0, or the errno. */
static int make_one(struct store_dir *d, const char *folder)
{
	if (sys_mkdirat(d->root, folder, 0700) != 0)
		return errno == EEXIST ? 0 : errno;
	d->store.folders_made++;
	return 0;
}

/* Tries the folder itself first: the one above is nearly always there. */
static bool make_folder(struct store_dir *d, const char *folder, struct err *e)
{
	const char *slash = strrchr(folder, '/');
	int sys = make_one(d, folder);
	char above[PATH_SIZE];

	if (sys == ENOENT && !slash)
		return gone(d, e);
	if (sys == ENOENT) {
		snprintf(above, sizeof above, "%.*s", (int)(slash - folder), folder);
		if (!make_folder(d, above, e))
			return false;
		sys = make_one(d, folder);
	}
	return sys == 0 || fail(d, e, sys, "make folder", folder);
}

/* Of one that no listing has found it need not be found out once more. */
static void dir_folder(struct store *s, const char *folder)
{
	struct store_dir *d = (struct store_dir *)s;
	const char *slash = strrchr(folder, '/');
	char above[PATH_SIZE];

	if (slash) {
		snprintf(above, sizeof above, "%.*s", (int)(slash - folder), folder);
		dir_folder(s, above);
	}
	if (folders_take(d->folders, folder))
		make_folder(d, folder, NULL);
}

static int create(
    struct store_dir *d, const char *folder, const char *path, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd;

	dir_folder(&d->store, folder);
	fd = sys_openat(d->root, path, flags, 0600);
	if (fd < 0 && errno == ENOENT) {
		if (!*folder)
			gone(d, e);
		if (!*folder || !make_folder(d, folder, e))
			return -1;
		fd = sys_openat(d->root, path, flags, 0600);
	}
	if (fd < 0) {
		fail(d, e, errno, "create", path);
		if (e && e->kind == ERR_MISSING) /* a put looks for nothing */
			e->kind = ERR_IO;
	}
	return fd;
}

/*
 * In pieces as large as they come; small ones are gathered first, since each write costs
 * a trip. The memory for that was there before the file was: running out of it ends the
 * program, and must leave no piece of a file. False: *sys is the errno, or 0 where the
 * source failed with *e.
 */
static bool write_all(int fd, const struct store_source *source, struct buf *gathered,
    int *sys, struct err *e)
{
	struct span piece;
	bool ok = true;

	*sys = 0;
	for (uint64_t at = 0; ok && at < source->size; at += piece.n) {
		ok = source->read(source->arg, at, PIECE - gathered->n, &piece, e);
		if (!ok)
			break;
		if (piece.n < PIECE) {
			buf_add_span(gathered, piece);
			if (gathered->n < PIECE && at + piece.n < source->size)
				continue;
		}
		ok = gathered->n ? sys_write(fd, gathered->p, gathered->n)
				: sys_write(fd, piece.p, piece.n);
		*sys = ok ? 0 : errno;
		buf_clear(gathered);
	}
	return ok;
}

static bool fsync_judged(int fd)
{
	return sys_fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS ||
	       errno == ENOTSUP;
}

/* The one close happens in any case; the first failure is the one to tell of. */
static bool write_and_close(struct store_dir *d, int fd, const char *path,
    const struct store_source *source, struct buf *gathered, struct err *e)
{
	const char *doing = "write";
	int sys;
	bool ok = write_all(fd, source, gathered, &sys, e);

	if (ok && !fsync_judged(fd)) {
		sys = errno;
		doing = "sync";
		ok = false;
	}
	if (sys_close(fd) != 0 && ok) {
		sys = errno;
		doing = "close";
		ok = false;
	}
	if (ok)
		return true;
	if (sys != 0)
		return fail(d, e, sys, doing, path);
	if (e && e->kind == ERR_IO)
		e->kind = ERR_REFUSED; /* it would fail the same way again */
	return false;
}

/* Append the last bytes of the content. */
static bool tail_of(const struct store_source *source, struct buf *out, struct err *e)
{
	uint64_t at = source->size > READ_BACK ? source->size - READ_BACK : 0;
	struct span piece;

	for (; at < source->size; at += piece.n) {
		if (!source->read(source->arg, at, READ_BACK, &piece, e))
			return false;
		buf_add_span(out, piece);
	}
	return true;
}

/*
 * Through the server again, as far as the mount lets one: it finds the file that was cut
 * short, emptied or replaced although every call said yes.
 */
static bool read_back(struct store_dir *d, const char *path,
    const struct store_source *source, struct err *e)
{
	struct buf want = BUF_EMPTY;
	uint8_t got[READ_BACK];
	struct stat st;
	ssize_t n;
	bool ok = false;
	int fd = -1;

	if (!tail_of(source, &want, e))
		goto out;
	fd = sys_openat(d->root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0 || sys_fstat(fd, &st) != 0 ||
	    (n = sys_pread(fd, got, want.n, source->size - want.n)) < 0) {
		fail(d, e, errno, "read back", path);
		if (e && e->kind != ERR_UNREACHABLE)
			e->kind = ERR_IO;
		goto out;
	}
	if ((uint64_t)st.st_size != source->size ||
	    !span_equal(span_of(got, (size_t)n), buf_span(&want))) {
		err_set(e, ERR_IO, "%s: read back differs from what was written", path);
		goto out;
	}
	ok = true;
out:
	if (fd >= 0)
		sys_close(fd);
	buf_release(&want);
	return ok;
}

static bool dir_put_from(struct store *s, const char *folder, const char *name,
    const struct store_source *source, struct err *e)
{
	struct store_dir *d = begin(s, "put");
	struct buf gathered = BUF_EMPTY;
	char path[PATH_SIZE];
	bool ok;
	int fd;

	assert(source->size > 0);
	path_join(path, folder, name);
	buf_reserve(&gathered, source->size < PIECE ? (size_t)source->size : PIECE);
	fd = create(d, folder, path, e);
	ok = fd >= 0 && write_and_close(d, fd, path, source, &gathered, e);
	buf_release(&gathered);
	ok = ok && (s->mount != MOUNT_THROUGH || read_back(d, path, source, e));
	if (fd >= 0 && !ok)
		sys_unlinkat(d->root, path, 0); /* best effort: what stays is litter, no lie */
	folders_put(d->folders);
	return ok;
}

/* Parts as a source; `at` mostly goes on where it was. */
struct parts {
	const struct span *v;
	size_t n, i;
	uint64_t begin; /* of the ith */
};

static bool parts_read(
    void *arg, uint64_t at, size_t n, struct span *out, struct err *e)
{
	struct parts *p = arg;
	struct span rest;

	(void)e;
	if (at < p->begin)
		p->i = p->begin = 0;
	while (at - p->begin >= p->v[p->i].n)
		p->begin += p->v[p->i++].n;
	rest = span_of(p->v[p->i].p + (at - p->begin), p->v[p->i].n - (at - p->begin));
	*out = span_of(rest.p, rest.n < n ? rest.n : n);
	return true;
}

static bool dir_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct parts p = {parts, n_parts, 0, 0};
	struct store_source source = {0, parts_read, &p};

	for (size_t i = 0; i < n_parts; i++)
		source.size += parts[i].n;
	return dir_put_from(s, folder, name, &source, e);
}

static bool dir_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct store_dir *d = begin(s, "get");
	size_t before = out->n;
	char path[PATH_SIZE];
	struct stat st;
	uint64_t len;
	ssize_t got;
	bool ok = false;
	int fd;

	path_join(path, folder, name);
	fd = sys_openat(d->root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fail(d, e, errno, "open", path);
	if (sys_fstat(fd, &st) != 0) {
		fail(d, e, errno, "look at", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_MISSING, "%s: not a regular file", path);
		goto out;
	}
	len = (uint64_t)st.st_size;
	if (at == STORE_TAIL)
		at = len > n ? len - n : 0;
	if (at >= len)
		n = 0;
	else if (n > len - at)
		n = (size_t)(len - at);
	got = n ? sys_pread(fd, buf_extend(out, n), n, at) : 0;
	if (got < 0) {
		fail(d, e, errno, "read", path);
	} else if ((size_t)got < n) {
		err_set(e, ERR_IO, "%s: ends before its size of %llu bytes", path,
		    (unsigned long long)len);
	} else {
		if (size)
			*size = len;
		ok = true;
	}
out:
	if (!ok)
		out->n = before;
	sys_close(fd); /* nothing was written: it has nothing to tell */
	return ok;
}

/* Decides by d_type, and where the file system gives none, by one look. */
static bool list_entry(struct store_dir *d, int fd, const char *folder,
    const struct dirent *entry, struct store_listing *out, struct err *e)
{
	bool regular = entry->d_type == DT_REG;
	struct stat st;

	if (!store_name_ok(entry->d_name))
		return true;
	if (entry->d_type == DT_UNKNOWN) {
		if (sys_fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return errno == ENOENT || fail(d, e, errno, "look into", folder);
		regular = S_ISREG(st.st_mode);
	}
	if (regular)
		store_listing_add(out, entry->d_name);
	return true;
}

static bool list_open(struct store_dir *d, int fd, DIR *dir, const char *folder,
    struct store_listing *out, struct err *e)
{
	struct dirent *entry;
	struct stat st;
	bool empty = true;

	while ((entry = folder_next(dir, folder))) {
		empty = false;
		if (!list_entry(d, fd, folder, entry, out, e))
			return false;
	}
	if (errno)
		return fail(d, e, errno, "list", *folder ? folder : d->path);
	/* A folder removed while open lists as empty, even without "." and "..". */
	if (empty && !*folder && sys_fstat(fd, &st) == 0 && st.st_nlink == 0)
		return err_set(
		    e, ERR_MISSING, "%s: the folder has been removed", d->path);
	store_listing_sort(out);
	return true;
}

static bool dir_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	struct store_dir *d = begin(s, "list");
	const char *path = *folder ? folder : ".";
	bool ok;
	DIR *dir;
	int fd;

	if (folders_absent(d->folders, d->root, folder))
		return true;
	fd =
	    sys_openat(d->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT && *folder) {
		folders_lack(d->folders, folder);
		return true;
	}
	if (fd < 0)
		return fail(d, e, errno, "open folder", *folder ? folder : d->path);
	dir = fdopendir(fd);
	if (!dir) {
		fail(d, e, errno, "open folder", *folder ? folder : d->path);
		sys_close(fd);
		return false;
	}
	ok = list_open(d, fd, dir, folder, out, e);
	closedir(dir);
	return ok;
}

static bool dir_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	struct store_dir *d = begin(s, "stat");
	char path[PATH_SIZE];
	struct stat st;

	path_join(path, folder, name);
	if (sys_fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(d, e, errno, "look at", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_MISSING, "%s: not a regular file", path);
	*size = (uint64_t)st.st_size;
	return true;
}

static bool dir_remove(
    struct store *s, const char *folder, const char *name, struct err *e)
{
	struct store_dir *d = begin(s, "remove");
	char path[PATH_SIZE];

	path_join(path, folder, name);
	return sys_unlinkat(d->root, path, 0) == 0 || fail(d, e, errno, "remove", path);
}

static bool dir_space(struct store *s, uint64_t *free_bytes)
{
	struct store_dir *d = begin(s, "space");
	struct statvfs st;

	if (fstatvfs(d->root, &st) != 0 || st.f_blocks == 0)
		return false;
	*free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return true;
}

static void dir_free(struct store *s)
{
	struct store_dir *d = (struct store_dir *)s;

	closedir(d->top);
	folders_free(d->folders);
	free(d->path);
	free(d);
}

static const struct store_ops dir_ops = {
    .put = dir_put,
    .put_from = dir_put_from,
    .get = dir_get,
    .list = dir_list,
    .stat = dir_stat,
    .remove = dir_remove,
    .space = dir_space,
    .free = dir_free,
    .folder = dir_folder,
};

struct store *store_dir_open(
    const char *path, bool create_it, struct env *env, struct err *e)
{
	/* Not O_PATH: some FUSE file systems answer nothing relative to such a one. */
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = sys_openat(AT_FDCWD, path, flags, 0);
	struct store_dir *d;
	DIR *top;

	if (fd < 0 && errno == ENOENT && create_it) {
		if (sys_mkdirat(AT_FDCWD, path, 0700) != 0 && errno != EEXIST) {
			err_sys(e, errno, "make folder %s", path);
			return NULL;
		}
		fd = sys_openat(AT_FDCWD, path, flags, 0);
	}
	if (fd < 0) {
		err_sys(e, errno, "open folder %s", path);
		return NULL;
	}
	top = fdopendir(fd);
	if (!top) {
		err_sys(e, errno, "open folder %s", path);
		sys_close(fd);
		return NULL;
	}
	d = mem_zalloc(sizeof *d);
	d->store.ops = &dir_ops;
	d->store.mount = mount_class_of(fd);
	d->path = mem_strdup(path);
	d->store.describe = d->path;
	d->env = env;
	d->top = top;
	d->root = fd;
	d->folders = folders_new(env);
	folders_begin(d->folders, top);
	return &d->store;
}
