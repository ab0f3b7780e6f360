/*
 * A file system for tests that allows no more than the contract with the storage: create
 * with O_EXCL, write from start to end, sync, close once, read, list, delete a file, make a
 * folder. Everything else is refused with EPERM and counted. What may be done lands in a
 * backing folder.
 *
 *	dumbfs [-o latency=MS] [-o report=FILE] [fuse options] BACKING MOUNTPOINT
 *
 * The counts are read from .dumbfs-violations at the top of the mount (it is not listed),
 * and written to the report when the file system ends: one line "kind count" for each kind
 * that occurred, "total count", then the first violations with their paths.
 *
 * A file counts as being written until its first flush, which the kernel sends within
 * close(). The release comes later, at a time of its own, and says nothing. A second flush
 * means that a copy of the descriptor was closed (dup or fork).
 */
#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define CONTROL  "/.dumbfs-violations"
#define LOG_SIZE 8192

enum kind {
	V_RENAME, V_LINK, V_SYMLINK, V_MKNOD, V_RMDIR, V_TRUNCATE, V_CHMOD, V_CHOWN, V_UTIME,
	V_LOCK, V_XATTR, V_FALLOCATE, V_COPY_RANGE, V_OPEN_WRITE, V_NOT_EXCLUSIVE, V_RDWR,
	V_APPEND, V_SEEK, V_OPEN_WHILE_WRITTEN, V_UNLINK_WHILE_WRITTEN, V_SECOND_FLUSH,
	V_WRITE_AFTER_FLUSH, V_EMPTY_FILE, V_KINDS,
};

static const char *const kind_names[V_KINDS] = {"rename", "link", "symlink", "mknod", "rmdir",
	"truncate", "chmod", "chown", "utime", "lock", "xattr", "fallocate", "copy-range",
	"open-for-write", "not-exclusive", "read-write", "append", "seeking-write",
	"open-while-written", "unlink-while-written", "second-flush", "write-after-flush",
	"empty-file"};

struct handle {
	int fd;
	bool writer, flushed, failed;
	off_t at; /* where the next write must begin */
	char *path;
	struct handle *next; /* of the writers */
};

struct options {
	unsigned latency; /* milliseconds before each operation */
	char *report;
};

static struct {
	struct options options;
	char *backing;
	FILE *report;
	int root;
	pthread_mutex_t lock; /* guards what follows, and the handles' fields */
	struct handle *writers;
	unsigned long counts[V_KINDS];
	char log[LOG_SIZE];
	size_t log_n;
} fs = {.root = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static void count_locked(enum kind kind, const char *path)
{
	size_t room = LOG_SIZE - fs.log_n;
	int n = snprintf(fs.log + fs.log_n, room, "! %s %s\n", kind_names[kind], path);

	fs.counts[kind]++;
	if (n > 0 && (size_t)n < room)
		fs.log_n += (size_t)n;
	else
		fs.log[fs.log_n] = '\0'; /* no room: counted only */
}

/* Count and refuse. */
static int refuse(enum kind kind, const char *path)
{
	pthread_mutex_lock(&fs.lock);
	count_locked(kind, path);
	pthread_mutex_unlock(&fs.lock);
	return -EPERM;
}

static void wait_latency(void)
{
	unsigned ms = fs.options.latency;
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	if (ms)
		nanosleep(&t, NULL);
}

/* Every operation begins so: the path relative to the backing folder. */
static const char *begin(const char *path)
{
	wait_latency();
	return path[1] ? path + 1 : ".";
}

static int result(int r)
{
	return r < 0 ? -errno : 0;
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static size_t report_text(char *out, size_t size)
{
	unsigned long total = 0;
	size_t n = 0;

	pthread_mutex_lock(&fs.lock);
	for (int i = 0; i < V_KINDS; i++) {
		if (fs.counts[i])
			n += (size_t)snprintf(out + n, size - n, "%s %lu\n", kind_names[i],
			    fs.counts[i]);
		total += fs.counts[i];
	}
	n += (size_t)snprintf(out + n, size - n, "total %lu\n%s", total, fs.log);
	pthread_mutex_unlock(&fs.lock);
	return n < size ? n : size - 1;
}

static void *dumb_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
	(void)conn;
	config->hard_remove = 1; /* or libfuse would rename what is unlinked while open */
	return NULL;
}

static void dumb_destroy(void *data)
{
	char text[LOG_SIZE + 4096];
	size_t n = report_text(text, sizeof text);

	(void)data;
	if (fs.report) {
		fwrite(text, 1, n, fs.report);
		fclose(fs.report);
	}
}

static int dumb_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	const char *p = begin(path);

	if (strcmp(path, CONTROL) == 0) {
		memset(st, 0, sizeof *st);
		st->st_mode = S_IFREG | 0444;
		st->st_nlink = 1;
		return 0;
	}
	if (fi && fi->fh)
		return result(fstat(handle_of(fi)->fd, st));
	return result(fstatat(fs.root, p, st, AT_SYMLINK_NOFOLLOW));
}

static struct handle *handle_new(const char *path, int fd, bool writer)
{
	struct handle *h = calloc(1, sizeof *h);

	if (!h || !(h->path = strdup(path)))
		abort();
	h->fd = fd;
	h->writer = writer;
	return h;
}

/* Counts and returns true if somebody still writes the file. */
static bool clash(const char *path, enum kind kind)
{
	struct handle *h;

	pthread_mutex_lock(&fs.lock);
	for (h = fs.writers; h && (h->flushed || strcmp(h->path, path) != 0); h = h->next)
		;
	if (h)
		count_locked(kind, path);
	pthread_mutex_unlock(&fs.lock);
	return h != NULL;
}

static int dumb_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	const char *p = begin(path);
	struct handle *h;
	int fd;

	if (strcmp(path, CONTROL) == 0)
		return -EEXIST;
	if (!(fi->flags & O_EXCL))
		return refuse(V_NOT_EXCLUSIVE, path);
	if ((fi->flags & O_ACCMODE) != O_WRONLY)
		return refuse(V_RDWR, path);
	if (fi->flags & O_APPEND)
		return refuse(V_APPEND, path);
	fd = openat(fs.root, p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	h = handle_new(path, fd, true);
	fi->fh = (uintptr_t)h;
	pthread_mutex_lock(&fs.lock);
	h->next = fs.writers;
	fs.writers = h;
	pthread_mutex_unlock(&fs.lock);
	return 0;
}

static int dumb_open(const char *path, struct fuse_file_info *fi)
{
	const char *p = begin(path);
	int fd;

	if ((fi->flags & O_ACCMODE) == O_RDWR)
		return refuse(V_RDWR, path);
	if (fi->flags & O_APPEND)
		return refuse(V_APPEND, path);
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC))
		return refuse(V_OPEN_WRITE, path);
	if (strcmp(path, CONTROL) == 0) {
		fi->direct_io = 1; /* its length is not known beforehand */
		return 0;
	}
	if (clash(path, V_OPEN_WHILE_WRITTEN))
		return -EPERM;
	fd = openat(fs.root, p, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fi->fh = (uintptr_t)handle_new(path, fd, false);
	return 0;
}

static int read_control(char *out, size_t n, off_t at)
{
	char text[LOG_SIZE + 4096];
	size_t len = report_text(text, sizeof text);

	if (at < 0 || (size_t)at >= len)
		return 0;
	if (n > len - (size_t)at)
		n = len - (size_t)at;
	memcpy(out, text + at, n);
	return (int)n;
}

static int dumb_read(
    const char *path, char *out, size_t n, off_t at, struct fuse_file_info *fi)
{
	ssize_t got;

	begin(path);
	if (!fi->fh)
		return read_control(out, n, at);
	got = pread(handle_of(fi)->fd, out, n, at);
	return got < 0 ? -errno : (int)got;
}

static int dumb_write(
    const char *path, const char *p, size_t n, off_t at, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	ssize_t put = -1;

	begin(path);
	pthread_mutex_lock(&fs.lock);
	if (h->flushed) {
		count_locked(V_WRITE_AFTER_FLUSH, path);
		errno = EPERM;
	} else if (at != h->at) {
		count_locked(V_SEEK, path);
		errno = EPERM;
	} else {
		put = pwrite(h->fd, p, n, at);
		h->at += put > 0 ? put : 0;
	}
	h->failed |= put < 0;
	pthread_mutex_unlock(&fs.lock);
	return put < 0 ? -errno : (int)put;
}

static int dumb_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
	(void)data_only;
	begin(path);
	return fi->fh ? result(fsync(handle_of(fi)->fd)) : 0;
}

static int dumb_flush(const char *path, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	bool again = false;

	begin(path);
	if (!h || !h->writer)
		return 0;
	pthread_mutex_lock(&fs.lock);
	again = h->flushed;
	if (again)
		count_locked(V_SECOND_FLUSH, path);
	else if (h->at == 0 && !h->failed)
		count_locked(V_EMPTY_FILE, path);
	h->flushed = true;
	pthread_mutex_unlock(&fs.lock);
	return again ? -EPERM : 0;
}

static int dumb_release(const char *path, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi), **at;

	(void)path;
	if (!h)
		return 0;
	pthread_mutex_lock(&fs.lock);
	for (at = &fs.writers; *at; at = &(*at)->next) {
		if (*at == h) {
			*at = h->next;
			break;
		}
	}
	pthread_mutex_unlock(&fs.lock);
	close(h->fd);
	free(h->path);
	free(h);
	return 0;
}

static int dumb_unlink(const char *path)
{
	const char *p = begin(path);

	if (strcmp(path, CONTROL) == 0)
		return -EPERM;
	if (clash(path, V_UNLINK_WHILE_WRITTEN))
		return -EPERM;
	return result(unlinkat(fs.root, p, 0));
}

static int dumb_mkdir(const char *path, mode_t mode)
{
	return result(mkdirat(fs.root, begin(path), mode));
}

static int dumb_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t at,
    struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	int fd = openat(fs.root, begin(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	int r;

	(void)at;
	(void)fi;
	(void)flags;
	if (!dir)
		return -errno;
	errno = 0;
	while ((d = readdir(dir))) {
		struct stat st = {.st_ino = d->d_ino, .st_mode = (mode_t)d->d_type << 12};

		if (fill(out, d->d_name, &st, 0, 0))
			break;
		errno = 0;
	}
	r = -errno;
	closedir(dir);
	return r;
}

static int dumb_statfs(const char *path, struct statvfs *st)
{
	begin(path);
	return result(fstatvfs(fs.root, st));
}

/* From here on, operations that look at little of what they are given. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define REFUSE(type, op, kind, path, ...)                                                    \
	static type dumb_##op(__VA_ARGS__)                                                   \
	{                                                                                    \
		return refuse(kind, path);                                                   \
	}

REFUSE(int, rename, V_RENAME, path, const char *path, const char *to, unsigned flags)
REFUSE(int, link, V_LINK, path, const char *from, const char *path)
REFUSE(int, symlink, V_SYMLINK, path, const char *target, const char *path)
REFUSE(int, mknod, V_MKNOD, path, const char *path, mode_t mode, dev_t device)
REFUSE(int, rmdir, V_RMDIR, path, const char *path)
REFUSE(int, truncate, V_TRUNCATE, path, const char *path, off_t n, struct fuse_file_info *fi)
REFUSE(int, chmod, V_CHMOD, path, const char *path, mode_t mode, struct fuse_file_info *fi)
REFUSE(int, chown, V_CHOWN, path, const char *path, uid_t uid, gid_t gid,
    struct fuse_file_info *fi)
REFUSE(int, utimens, V_UTIME, path, const char *path, const struct timespec times[2],
    struct fuse_file_info *fi)
REFUSE(int, flock, V_LOCK, path, const char *path, struct fuse_file_info *fi, int op)
REFUSE(int, setxattr, V_XATTR, path, const char *path, const char *name, const char *value,
    size_t n, int flags)
REFUSE(int, listxattr, V_XATTR, path, const char *path, char *out, size_t n)
REFUSE(int, fallocate, V_FALLOCATE, path, const char *path, int mode, off_t at, off_t n,
    struct fuse_file_info *fi)
REFUSE(ssize_t, copy_file_range, V_COPY_RANGE, path, const char *from,
    struct fuse_file_info *from_fi, off_t from_at, const char *path,
    struct fuse_file_info *to_fi, off_t to_at, size_t n, int flags)

/* libfuse itself unlocks at each flush. */
static int dumb_lock(
    const char *path, struct fuse_file_info *fi, int command, struct flock *lock)
{
	return lock->l_type == F_UNLCK ? 0 : refuse(V_LOCK, path);
}

/* The kernel asks for these by itself, at a write or for permissions. */
static bool asked_by_kernel(const char *name)
{
	return strncmp(name, "security.", 9) == 0 || strncmp(name, "system.posix_acl", 16) == 0;
}

static int dumb_getxattr(const char *path, const char *name, char *out, size_t n)
{
	return asked_by_kernel(name) ? -ENODATA : refuse(V_XATTR, path);
}

static int dumb_removexattr(const char *path, const char *name)
{
	return asked_by_kernel(name) ? -ENODATA : refuse(V_XATTR, path);
}

static const struct fuse_operations dumb_ops = {
	.init = dumb_init, .destroy = dumb_destroy, .getattr = dumb_getattr,
	.create = dumb_create, .open = dumb_open, .read = dumb_read,
	.write = dumb_write, .fsync = dumb_fsync, .flush = dumb_flush,
	.release = dumb_release, .unlink = dumb_unlink, .mkdir = dumb_mkdir,
	.readdir = dumb_readdir, .statfs = dumb_statfs, .rename = dumb_rename,
	.link = dumb_link, .symlink = dumb_symlink, .mknod = dumb_mknod,
	.rmdir = dumb_rmdir, .truncate = dumb_truncate, .chmod = dumb_chmod,
	.chown = dumb_chown, .utimens = dumb_utimens, .lock = dumb_lock,
	.flock = dumb_flock, .getxattr = dumb_getxattr, .setxattr = dumb_setxattr,
	.listxattr = dumb_listxattr, .removexattr = dumb_removexattr,
	.fallocate = dumb_fallocate, .copy_file_range = dumb_copy_file_range,
};

/* The first argument that is no option is the backing folder. */
static int take_argument(void *data, const char *arg, int key, struct fuse_args *args)
{
	(void)data;
	(void)args;
	if (key != FUSE_OPT_KEY_NONOPT || fs.backing)
		return 1;
	fs.backing = strdup(arg);
	return 0;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	const struct fuse_opt options[] = {
		{"latency=%u", offsetof(struct options, latency), 0},
		{"report=%s", offsetof(struct options, report), 0}, FUSE_OPT_END};
	int r;

	if (fuse_opt_parse(&args, &fs.options, options, take_argument) != 0)
		return 2;
	if (!fs.backing) {
		fprintf(stderr, "usage: dumbfs [-o latency=MS] [-o report=FILE] BACKING DIR\n");
		return 2;
	}
	fs.root = open(fs.backing, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs.root < 0) {
		perror(fs.backing);
		return 1;
	}
	if (fs.options.report) { /* opened now, since the daemon moves to "/" */
		fs.report = fopen(fs.options.report, "we");
		if (!fs.report) {
			perror(fs.options.report);
			return 1;
		}
	}
	umask(0); /* the kernel has applied the caller's */
	r = fuse_main(args.argc, args.argv, &dumb_ops, NULL);
	fuse_opt_free_args(&args);
	return r;
}
