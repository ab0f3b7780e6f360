/*
 * A library to be preloaded (LD_PRELOAD) that lets chosen calls of a program fail: system
 * calls, as libc's functions, and allocations, those of the libraries too. Wrapping at
 * the door of libc, and not by strace or seccomp, costs nothing, needs no privilege and
 * can shorten reads and writes; what it misses are the calls that libc makes by itself.
 * Within look-ups of users and groups nothing fails: glibc 2.36 itself crashes there
 * without memory.
 *
 *   INJECT_CALL    the call that fails: open, read, …, or alloc
 *   INJECT_NTH     which of them, from 0 on
 *   INJECT_TIMES   so many in a row; 0: all that follow
 *   INJECT_ERRNO   with this errno
 *   INJECT_SHORT   reads and writes get or take no more than this many bytes
 *   INJECT_FIRED   a file that is made longer whenever a call was made to fail
 *   INJECT_COUNTS  a file that gets a line "CALL NUMBER" for each call at the end
 *   INJECT_NOW     seconds since 1970 at which the clock stands still
 *   INJECT_TICKS   and those since the machine's start
 *
 * Time flies: a sleep ends after 20 microseconds and moves the clocks on. Nothing is
 * synced. Where the clock stands still random bytes are the same each time.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum call {
	CALL_OPEN, CALL_CLOSE, CALL_READ, CALL_WRITE, CALL_FSYNC, CALL_STAT, CALL_LISTDIR,
	CALL_OPENDIR, CALL_MKDIR, CALL_UNLINK, CALL_RENAME, CALL_LINK, CALL_SYMLINK,
	CALL_MKNOD, CALL_READLINK, CALL_SEEK, CALL_TRUNCATE, CALL_MMAP, CALL_UTIME,
	CALL_CHOWN, CALL_CHMOD, CALL_SETXATTR, CALL_GETXATTR, CALL_LISTXATTR, CALL_FLOCK,
	CALL_OPENAT2, CALL_STATVFS, CALL_FOPEN, CALL_FGETS, CALL_REALPATH, CALL_THREAD,
	CALL_SPAWN, CALL_WAIT, CALL_PIPE, CALL_DUP, CALL_ALLOC, CALLS,
};

static const char *const names[CALLS] = {
	"open", "close", "read", "write", "fsync", "stat", "listdir",
	"opendir", "mkdir", "unlink", "rename", "link", "symlink",
	"mknod", "readlink", "seek", "truncate", "mmap", "utime",
	"chown", "chmod", "setxattr", "getxattr", "listxattr", "flock",
	"openat2", "statvfs", "fopen", "fgets", "realpath", "thread",
	"spawn", "wait", "pipe", "dup", "alloc",
};

static bool ready;
static int target = -1, error, fired = -1;
static long nth, times;
static size_t most = SIZE_MAX;
static const char *counts_path;
static atomic_long counts[CALLS];
static atomic_long slept; /* ns */
static long now, ticks; /* s; 0: as they are */
static atomic_ulong chance;
static _Thread_local bool spared;

extern ssize_t __write(int fd, const void *p, size_t n);
extern int __open64(const char *path, int flags, ...);
extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static long number(const char *name, long otherwise)
{
	const char *s = getenv(name);

	return s && *s ? atol(s) : otherwise;
}

__attribute__((constructor)) static void begin(void)
{
	const char *s = getenv("INJECT_CALL");

	for (int i = 0; s && i < CALLS; i++)
		if (strcmp(s, names[i]) == 0)
			target = i;
	nth = number("INJECT_NTH", 0);
	times = number("INJECT_TIMES", 1);
	error = (int)number("INJECT_ERRNO", EIO);
	most = (size_t)number("INJECT_SHORT", 0);
	if (most == 0)
		most = SIZE_MAX;
	now = number("INJECT_NOW", 0);
	ticks = number("INJECT_TICKS", 0);
	counts_path = getenv("INJECT_COUNTS");
	s = getenv("INJECT_FIRED");
	if (s) {
		int fd = __open64(s, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		fired = fcntl(fd, F_DUPFD_CLOEXEC, 700);
		syscall(SYS_close, fd);
	}
	unsetenv("LD_PRELOAD");
	ready = true;
}

__attribute__((destructor)) static void end(void)
{
	FILE *f;

	ready = false;
	f = counts_path ? fopen(counts_path, "we") : NULL;
	for (int i = 0; f && i < CALLS; i++)
		fprintf(f, "%s %ld\n", names[i], (long)counts[i]);
	if (f)
		fclose(f);
}

/* Whether this one is to fail. */
static bool fails(enum call call)
{
	long n;

	if (!ready || spared)
		return false;
	n = atomic_fetch_add(&counts[call], 1);
	if ((int)call != target || n < nth || (times && n - nth >= times))
		return false;
	if (fired >= 0)
		__write(fired, "x", 1);
	errno = error;
	return true;
}

#define REAL(name) ((__typeof__(&name))real(&at, #name))

static void *real(void **at, const char *name)
{
	if (!*at) {
		bool was = ready;

		ready = false;
		*at = dlsym(RTLD_NEXT, name);
		ready = was;
	}
	return *at;
}

#define WRAP(call, type, failed, name, params, args)                                     \
	type name params                                                                     \
	{                                                                                    \
		static void *at;                                                                 \
                                                                                         \
		return fails(call) ? failed : REAL(name) args;                                   \
	}

static size_t shorter(size_t n)
{
	return ready && n > most ? most : n;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open64(const char *path, int flags, ...)
{
	static void *at;
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(CALL_OPEN) ? -1 : REAL(open64)(path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	static void *at;
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(CALL_OPEN) ? -1 : REAL(openat64)(dir, path, flags, mode);
}

/* What the program calls by number is openat2, with three or four arguments. */
long syscall(long what, ...)
{
	static void *at;
	long a[6];
	va_list ap;

	va_start(ap, what);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (what == SYS_openat2 && fails(CALL_OPENAT2))
		return -1;
	return REAL(syscall)(what, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Of its commands those that make a descriptor. */
int fcntl64(int fd, int command, ...)
{
	static void *at;
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (command == F_DUPFD_CLOEXEC && fails(CALL_DUP))
		return -1;
	return REAL(fcntl64)(fd, command, arg);
}

/* The descriptor is gone whatever close says. */
int close(int fd)
{
	static void *at;
	int r = REAL(close)(fd);

	return fails(CALL_CLOSE) ? -1 : r;
}

ssize_t read(int fd, void *p, size_t n)
{
	static void *at;

	return fails(CALL_READ) ? -1 : REAL(read)(fd, p, shorter(n));
}

ssize_t pread64(int fd, void *p, size_t n, off64_t from)
{
	static void *at;

	return fails(CALL_READ) ? -1 : REAL(pread64)(fd, p, shorter(n), from);
}

/* What goes to the terminal is not what is tested. */
ssize_t write(int fd, const void *p, size_t n)
{
	static void *at;

	return fd > 2 && fails(CALL_WRITE) ? -1 : REAL(write)(fd, p, shorter(n));
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t to)
{
	static void *at;

	return fails(CALL_WRITE) ? -1 : REAL(pwrite64)(fd, p, shorter(n), to);
}

int fsync(int fd)
{
	(void)fd;
	return fails(CALL_FSYNC) ? -1 : 0;
}

WRAP(CALL_STAT, int, -1, stat64, (const char *path, struct stat64 *st), (path, st))
WRAP(CALL_STAT, int, -1, fstat64, (int fd, struct stat64 *st), (fd, st))
WRAP(CALL_STAT, int, -1, fstatat64,
    (int dir, const char *path, struct stat64 *st, int flags), (dir, path, st, flags))
WRAP(CALL_LISTDIR, struct dirent64 *, NULL, readdir64, (DIR * d), (d))
WRAP(CALL_LISTDIR, ssize_t, -1, getdents64, (int fd, void *p, size_t n), (fd, p, n))
WRAP(CALL_OPENDIR, DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(CALL_OPENDIR, DIR *, NULL, opendir, (const char *path), (path))
WRAP(CALL_MKDIR, int, -1, mkdirat, (int dir, const char *path, mode_t mode),
    (dir, path, mode))
WRAP(CALL_UNLINK, int, -1, unlinkat, (int dir, const char *path, int flags),
    (dir, path, flags))
WRAP(CALL_RENAME, int, -1, rename, (const char *a, const char *b), (a, b))
WRAP(CALL_RENAME, int, -1, renameat, (int d, const char *a, int f, const char *b),
    (d, a, f, b))
WRAP(CALL_LINK, int, -1, linkat, (int d, const char *a, int f, const char *b, int flags),
    (d, a, f, b, flags))
WRAP(CALL_SYMLINK, int, -1, symlinkat, (const char *to, int dir, const char *path),
    (to, dir, path))
WRAP(CALL_MKNOD, int, -1, mknodat, (int dir, const char *path, mode_t mode, dev_t dev),
    (dir, path, mode, dev))
WRAP(CALL_READLINK, ssize_t, -1, readlink, (const char *path, char *p, size_t n),
    (path, p, n))
WRAP(CALL_READLINK, ssize_t, -1, readlinkat,
    (int dir, const char *path, char *p, size_t n), (dir, path, p, n))
WRAP(CALL_SEEK, off64_t, -1, lseek64, (int fd, off64_t to, int whence), (fd, to, whence))
WRAP(CALL_TRUNCATE, int, -1, ftruncate64, (int fd, off64_t n), (fd, n))
WRAP(CALL_MMAP, void *, MAP_FAILED, mmap64,
    (void *p, size_t n, int prot, int flags, int fd, off64_t from),
    (p, n, prot, flags, fd, from))
WRAP(CALL_UTIME, int, -1, futimens, (int fd, const struct timespec t[2]), (fd, t))
WRAP(CALL_UTIME, int, -1, utimensat,
    (int dir, const char *path, const struct timespec t[2], int flags),
    (dir, path, t, flags))
WRAP(CALL_CHOWN, int, -1, fchownat,
    (int dir, const char *path, uid_t u, gid_t g, int flags), (dir, path, u, g, flags))
WRAP(CALL_CHMOD, int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(CALL_CHMOD, int, -1, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(CALL_SETXATTR, int, -1, fsetxattr,
    (int fd, const char *name, const void *p, size_t n, int flags),
    (fd, name, p, n, flags))
WRAP(CALL_SETXATTR, int, -1, setxattr,
    (const char *path, const char *name, const void *p, size_t n, int flags),
    (path, name, p, n, flags))
WRAP(CALL_GETXATTR, ssize_t, -1, fgetxattr, (int fd, const char *name, void *p, size_t n),
    (fd, name, p, n))
WRAP(CALL_GETXATTR, ssize_t, -1, getxattr,
    (const char *path, const char *name, void *p, size_t n), (path, name, p, n))
WRAP(CALL_GETXATTR, ssize_t, -1, lgetxattr,
    (const char *path, const char *name, void *p, size_t n), (path, name, p, n))
WRAP(CALL_LISTXATTR, ssize_t, -1, flistxattr, (int fd, char *p, size_t n), (fd, p, n))
WRAP(CALL_LISTXATTR, ssize_t, -1, listxattr, (const char *path, char *p, size_t n),
    (path, p, n))
WRAP(CALL_LISTXATTR, ssize_t, -1, llistxattr, (const char *path, char *p, size_t n),
    (path, p, n))
WRAP(CALL_FLOCK, int, -1, flock, (int fd, int how), (fd, how))
WRAP(CALL_STATVFS, int, -1, fstatvfs64, (int fd, struct statvfs64 *st), (fd, st))
WRAP(CALL_FOPEN, FILE *, NULL, fopen64, (const char *path, const char *mode),
    (path, mode))
WRAP(CALL_FGETS, char *, NULL, fgets, (char *p, int n, FILE *f), (p, n, f))
WRAP(CALL_REALPATH, char *, NULL, realpath, (const char *path, char *out), (path, out))
WRAP(CALL_THREAD, int, error, pthread_create,
    (pthread_t * t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
    (t, attr, fn, arg))
WRAP(CALL_SPAWN, int, error, posix_spawn,
    (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const envp[]),
    (pid, path, actions, attr, argv, envp))
WRAP(CALL_WAIT, pid_t, -1, waitpid, (pid_t pid, int *status, int options),
    (pid, status, options))
WRAP(CALL_PIPE, int, -1, pipe2, (int fd[2], int flags), (fd, flags))
WRAP(CALL_ALLOC, int, error, posix_memalign, (void **p, size_t align, size_t n),
    (p, align, n))

#define SPARE(name, params, args)                                                        \
	int name params                                                                      \
	{                                                                                    \
		static void *at;                                                                 \
		int r;                                                                           \
                                                                                         \
		spared = true;                                                                   \
		r = REAL(name) args;                                                             \
		spared = false;                                                                  \
		return r;                                                                        \
	}

SPARE(getpwnam_r,
    (const char *name, struct passwd *to, char *p, size_t n, struct passwd **out),
    (name, to, p, n, out))
SPARE(getpwuid_r, (uid_t id, struct passwd *to, char *p, size_t n, struct passwd **out),
    (id, to, p, n, out))
SPARE(getgrnam_r,
    (const char *name, struct group *to, char *p, size_t n, struct group **out),
    (name, to, p, n, out))
SPARE(getgrgid_r, (gid_t id, struct group *to, char *p, size_t n, struct group **out),
    (id, to, p, n, out))

struct passwd *getpwuid(uid_t id)
{
	static void *at;
	struct passwd *pw;

	spared = true;
	pw = REAL(getpwuid)(id);
	spared = false;
	return pw;
}

void *malloc(size_t n)
{
	return fails(CALL_ALLOC) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(CALL_ALLOC) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(CALL_ALLOC) ? NULL : __libc_realloc(p, n);
}

/* --- time */

int nanosleep(const struct timespec *want, struct timespec *rest)
{
	static void *at;
	const struct timespec nap = {0, 20000};

	(void)rest;
	REAL(nanosleep)(&nap, NULL);
	atomic_fetch_add(&slept, (long)want->tv_sec * 1000000000 + want->tv_nsec);
	return 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	static void *at;
	int r = REAL(clock_gettime)(id, t);
	long ns;

	if (now && (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME || id == CLOCK_MONOTONIC))
		*t = (struct timespec){id == CLOCK_REALTIME ? now : ticks, 0};
	ns = t->tv_nsec + slept % 1000000000;
	t->tv_sec += slept / 1000000000 + ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	return r;
}

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	static void *at;
	unsigned char *to = p;
	unsigned long z;

	if (!now)
		return REAL(getrandom)(p, n, flags);
	for (size_t i = 0; i < n; i++) {
		z = atomic_fetch_add(&chance, 1) * 0x9e3779b97f4a7c15u;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		to[i] = (unsigned char)(z >> 56);
	}
	return (ssize_t)n;
}
