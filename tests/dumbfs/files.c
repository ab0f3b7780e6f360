/*
 * The operations on files: create, write, close, open, read; and the control file, which
 * is one to programs.
 *
 * A file counts as being written until its first flush, which the kernel sends within
 * close(). The release comes later, at a time of its own, and says nothing. A second
 * flush means that a copy of the descriptor was closed (dup or fork).
 */
#include "dumbfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Guards writers, handles' fields. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct handle *writers;

static struct handle *handle_new(const char *path, int fd, bool writer)
{
	struct handle *h = calloc(1, sizeof *h);

	if (!h || !(h->path = strdup(path)))
		abort();
	h->fd = fd;
	h->writer = writer;
	return h;
}

static void writer_add(struct handle *h)
{
	pthread_mutex_lock(&lock);
	h->next = writers;
	writers = h;
	pthread_mutex_unlock(&lock);
}

bool still_written(const char *path, enum violation what)
{
	struct handle *h;

	if (!fs.contract)
		return false;
	pthread_mutex_lock(&lock);
	for (h = writers; h && (h->flushed || strcmp(h->path, path) != 0); h = h->next)
		;
	pthread_mutex_unlock(&lock);
	if (h)
		refuse(what, path);
	return h != NULL;
}

static int create_refused(const char *path, int flags, mode_t mode)
{
	struct stat st;

	if (!fs.contract)
		return 0;
	if (!name_allowed(path))
		return refuse(V_NAME, path);
	if ((mode & 07777) != 0600)
		return refuse(V_MODE, path);
	if (!(flags & O_EXCL))
		return refuse(V_NOT_EXCLUSIVE, path);
	if ((flags & O_ACCMODE) != O_WRONLY)
		return refuse(V_RDWR, path);
	if (flags & O_APPEND)
		return refuse(V_APPEND, path);
	/* One that is there is refused without being a breach: doctor tries that. */
	if (name_is_used(path) && !own_stat(path, &st) && stale_stat(path, &st) != 0)
		return refuse(V_NAME_REUSED, path);
	return 0;
}

static int dumb_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	int r = begin(OP_CREATE, path, 0, NULL), flags = (fi->flags & ~O_APPEND) | O_CREAT;
	bool late = uploads_late();
	struct handle *h;
	struct stat st;
	int fd;

	if (strcmp(path, CONTROL) == 0)
		return -EEXIST;
	/* Of which the kernel, or whoever asked, asks again. */
	if (r && r != -EINTR && r != -ESTALE)
		name_use(path);
	r = r ? r : create_refused(path, fi->flags, mode);
	if (r)
		return r;
	if (late && (own_stat(path, &st) || stale_stat(path, &st) == 0))
		return -EEXIST;
	fd = late ? own_create(path)
		  : openat(fs.root, backing_path(path), flags | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return late ? fd : -errno;
	h = handle_new(path, fd, true);
	h->late = late;
	fi->fh = (uintptr_t)h;
	fi->direct_io = 1;
	name_use(path);
	if (!late)
		stale_made(path);
	known_add(path, NULL);
	writer_add(h);
	return 0;
}

static int open_refused(const char *path, int flags)
{
	if (!fs.contract)
		return 0;
	if ((flags & O_ACCMODE) == O_RDWR)
		return refuse(V_RDWR, path);
	if (flags & O_APPEND)
		return refuse(V_APPEND, path);
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		return refuse(V_OPEN_WRITE, path);
	return still_written(path, V_OPEN_WHILE_WRITTEN) ? -EPERM : 0;
}

static int dumb_open(const char *path, struct fuse_file_info *fi)
{
	bool control = strcmp(path, CONTROL) == 0, writer;
	struct handle *h;
	int r, fd;

	fi->direct_io = 1;
	if (control) {
		h = handle_new(path, -1, false);
		h->text = count_text();
		fi->fh = (uintptr_t)h;
		return 0;
	}
	r = begin(OP_OPEN, path, 0, NULL);
	r = r ? r : open_refused(path, fi->flags);
	if (r)
		return r;
	fd = own_open(path);
	if (fd == -ENOENT)
		fd = openat(fs.root, backing_path(path),
		    (fi->flags & ~O_APPEND) | O_NOFOLLOW | O_CLOEXEC);
	else
		errno = -fd;
	if (fd < 0)
		return -errno;
	writer = (fi->flags & O_ACCMODE) != O_RDONLY;
	known_add(path, NULL);
	h = handle_new(path, fd, writer);
	fi->fh = (uintptr_t)h;
	if (writer)
		writer_add(h);
	return 0;
}

static int read_text(const char *text, char *out, size_t n, off_t at)
{
	size_t len = strlen(text);

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
	struct handle *h = handle_of(fi);
	ssize_t got;
	bool on;
	int r;

	if (h->text)
		return read_text(h->text, out, n, at);
	got = pread(h->fd, out, n, at);
	if (got < 0)
		return -errno;
	pthread_mutex_lock(&lock);
	on = at == h->at;
	h->at = at + got;
	pthread_mutex_unlock(&lock);
	r = begin(on ? OP_READ : OP_SEEK, path, (size_t)got, NULL);
	if (r)
		return r;
	link_carry(false, (size_t)got);
	return (int)got;
}

/* Where it may write: 0, or an error. */
static int write_refused(struct handle *h, const char *path, off_t at)
{
	if (!fs.contract)
		return 0;
	if (h->flushed)
		return refuse(V_WRITE_AFTER_FLUSH, path);
	return at != h->at ? refuse(V_SEEK, path) : 0;
}

static int dumb_write(
    const char *path, const char *p, size_t n, off_t at, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	ssize_t put = -1;
	int r;

	if (h->text)
		return control_run(p, n) ? (int)n : -EINVAL;
	r = begin(OP_WRITE, path, n, NULL);
	pthread_mutex_lock(&lock);
	r = r ? r : write_refused(h, path, at);
	if (r == 0) {
		put = pwrite(h->fd, p, n, at);
		r = put < 0 ? -errno : (int)put;
		h->at += put > 0 ? put : 0;
	}
	h->failed |= r < 0;
	pthread_mutex_unlock(&lock);
	if (r > 0 && !h->late)
		link_carry(true, (size_t)r);
	return r;
}

static int dumb_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
	(void)data_only;
	if (handle_of(fi)->text)
		return 0;
	return begin(OP_FSYNC, path, 0, NULL);
}

/* What the rules leave of a file that was closed. */
static void close_judged(struct handle *h, const struct verdict *v)
{
	if (v->torn >= 0 && v->torn < h->at)
		(void)!ftruncate(h->fd, v->torn);
	if (v->lose || v->phantom) {
		own_forget(h->path);
		if (unlinkat(fs.root, backing_path(h->path), 0) == 0 && !v->phantom)
			stale_removed(h->path);
	}
	if (v->phantom)
		own_phantom(h->path, h->at);
	if (h->late && v->err)
		own_forget(h->path);
	else if (h->late)
		own_closed(h->path);
	else
		stale_made(h->path);
}

static int dumb_flush(const char *path, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	struct verdict v;
	bool again;
	int r;

	if (!h->writer)
		return 0;
	pthread_mutex_lock(&lock);
	again = h->flushed;
	h->flushed = true;
	pthread_mutex_unlock(&lock);
	if (again && fs.contract)
		return refuse(V_SECOND_FLUSH, path);
	if (h->at == 0 && !h->failed && fs.contract)
		refuse(V_EMPTY_FILE, path);
	r = begin(OP_FLUSH, path, 0, &v);
	close_judged(h, &v);
	return r;
}

static int dumb_release(const char *path, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi), **at;

	(void)path;
	pthread_mutex_lock(&lock);
	for (at = &writers; *at; at = &(*at)->next) {
		if (*at == h) {
			*at = h->next;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	if (h->fd >= 0)
		close(h->fd);
	free(h->text);
	free(h->path);
	free(h);
	return 0;
}

void files_ops(struct fuse_operations *ops)
{
	ops->create = dumb_create;
	ops->open = dumb_open;
	ops->read = dumb_read;
	ops->write = dumb_write;
	ops->fsync = dumb_fsync;
	ops->flush = dumb_flush;
	ops->release = dumb_release;
}
