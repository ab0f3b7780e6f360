/* System calls, retried on EINTR and carried on after a short count. */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int (*sys_fault)(enum sys_call call, const char *path);
void (*sys_seen)(struct stat *st);

static bool faulty(enum sys_call call, const char *path)
{
	int e = sys_fault ? sys_fault(call, path) : 0;

	if (e)
		errno = e;
	return e != 0;
}

int sys_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	if (faulty(SYS_OPEN, path))
		return -1;
	do
		fd = openat(dir, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/*
 * Once: the descriptor is gone on Linux whatever close says, and a second close could hit
 * somebody else's. EINTR is a failure: nobody knows whether the last bytes were taken.
 */
int sys_close(int fd)
{
	int r = close(fd);

	return faulty(SYS_CLOSE, NULL) ? -1 : r;
}

int sys_fsync(int fd)
{
	int r;

	if (faulty(SYS_FSYNC, NULL))
		return -1;
	do
		r = fsync(fd);
	while (r != 0 && errno == EINTR);
	return r;
}

ssize_t sys_pread(int fd, void *p, size_t n, uint64_t at)
{
	size_t done = 0;
	ssize_t got;

	if (faulty(SYS_READ, NULL))
		return -1;
	while (done < n) {
		got = pread(fd, (char *)p + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

ssize_t sys_read(int fd, void *p, size_t n)
{
	size_t done = 0;
	ssize_t got;

	if (faulty(SYS_READ, NULL))
		return -1;
	while (done < n) {
		got = read(fd, (char *)p + done, n - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

bool sys_write(int fd, const void *p, size_t n)
{
	ssize_t put;

	if (faulty(SYS_WRITE, NULL))
		return false;
	while (n > 0) {
		put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			if (put == 0)
				errno = EIO;
			return false;
		}
		p = (const char *)p + put;
		n -= (size_t)put;
	}
	return true;
}

bool sys_pwrite(int fd, const void *p, size_t n, uint64_t at)
{
	ssize_t put;

	if (faulty(SYS_WRITE, NULL))
		return false;
	while (n > 0) {
		put = pwrite(fd, p, n, (off_t)at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			if (put == 0)
				errno = EIO;
			return false;
		}
		p = (const char *)p + put;
		n -= (size_t)put;
		at += (uint64_t)put;
	}
	return true;
}

static int seen(int r, struct stat *st)
{
	if (r == 0 && sys_seen)
		sys_seen(st);
	return r;
}

int sys_fstat(int fd, struct stat *st)
{
	int r;

	if (faulty(SYS_STAT, NULL))
		return -1;
	do
		r = fstat(fd, st);
	while (r != 0 && errno == EINTR);
	return seen(r, st);
}

int sys_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	int r;

	if (faulty(SYS_STAT, path))
		return -1;
	do
		r = fstatat(dir, path, st, flags);
	while (r != 0 && errno == EINTR);
	return seen(r, st);
}

int sys_mkdirat(int dir, const char *path, mode_t mode)
{
	int r;

	if (faulty(SYS_MKDIR, path))
		return -1;
	do
		r = mkdirat(dir, path, mode);
	while (r != 0 && errno == EINTR);
	return r;
}

int sys_unlinkat(int dir, const char *path, int flags)
{
	int r;

	if (faulty(SYS_UNLINK, path))
		return -1;
	do
		r = unlinkat(dir, path, flags);
	while (r != 0 && errno == EINTR);
	return r;
}
