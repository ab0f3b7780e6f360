/*
 * System calls on files, each once: EINTR is retried (except by close), short reads and
 * writes are carried on, the descriptor is always close-on-exec. Results are judged by
 * the caller; on failure errno says why. Tests replace single calls through sys_fault.
 */
#ifndef BALE_BASE_SYS_H
#define BALE_BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum sys_call {
	SYS_OPEN, SYS_READ, SYS_WRITE, SYS_FSYNC, SYS_CLOSE, SYS_STAT, SYS_MKDIR,
	SYS_UNLINK, SYS_OPENDIR, SYS_READDIR, SYS_RENAME, SYS_LINK, SYS_OWNER, SYS_META,
};

/*
 * Tests: called before each call; a non-zero result is the errno with which the call
 * fails instead of being made. NULL in production.
 */
extern int (*sys_fault)(enum sys_call call, const char *path);

/* Tests: may change what a file is seen as, so that times do not differ between runs. */
extern void (*sys_seen)(struct stat *st);

int sys_openat(int dir, const char *path, int flags, mode_t mode); /* -1 on failure */
int sys_close(int fd); /* once, never retried; 0 or -1 */
int sys_fsync(int fd);

/* Read up to n bytes, fewer only at the end of the file; -1 on failure. */
ssize_t sys_pread(int fd, void *p, size_t n, uint64_t at);
ssize_t sys_read(int fd, void *p, size_t n);

/* All n bytes or failure. */
bool sys_write(int fd, const void *p, size_t n);
bool sys_pwrite(int fd, const void *p, size_t n, uint64_t at);

int sys_fstat(int fd, struct stat *st);
int sys_fstatat(int dir, const char *path, struct stat *st, int flags);
int sys_mkdirat(int dir, const char *path, mode_t mode);
int sys_unlinkat(int dir, const char *path, int flags);

#endif
