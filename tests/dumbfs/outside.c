/*
 * What is outside the contract: refused and counted; or done, where the contract is off
 * (other programs are measured so).
 */
#include "dumbfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* From here on, operations that look at little of what they are given. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

static int dumb_rename(const char *path, const char *to, unsigned flags)
{
	int r;

	if (fs.contract)
		return refuse(V_RENAME, path);
	known_forget(path);
	r = begin(OP_RENAME, path, 0, NULL);
	return r ? r : result(renameat2(fs.root, backing_path(path), fs.root,
			backing_path(to), flags));
}

static int dumb_link(const char *from, const char *path)
{
	int r;

	if (fs.contract)
		return refuse(V_LINK, path);
	r = begin(OP_OTHER, path, 0, NULL);
	return r ? r : result(linkat(fs.root, backing_path(from), fs.root,
			backing_path(path), 0));
}

static int dumb_rmdir(const char *path)
{
	int r;

	if (fs.contract)
		return refuse(V_RMDIR, path);
	r = begin(OP_UNLINK, path, 0, NULL);
	return r ? r : result(unlinkat(fs.root, backing_path(path), AT_REMOVEDIR));
}

static int dumb_truncate(const char *path, off_t n, struct fuse_file_info *fi)
{
	int r, fd;

	if (fs.contract)
		return refuse(V_TRUNCATE, path);
	r = begin(OP_SETATTR, path, 0, NULL);
	if (r)
		return r;
	if (fi && fi->fh)
		return result(ftruncate(handle_of(fi)->fd, n));
	fd = openat(fs.root, backing_path(path), O_WRONLY | O_CLOEXEC);
	r = result(ftruncate(fd, n));
	if (fd >= 0)
		close(fd);
	return r;
}

static int dumb_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	int r;

	if (fs.contract)
		return refuse(V_CHMOD, path);
	r = begin(OP_SETATTR, path, 0, NULL);
	return r ? r : result(fchmodat(fs.root, backing_path(path), mode, 0));
}

static int dumb_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	int r;

	if (fs.contract)
		return refuse(V_CHOWN, path);
	r = begin(OP_SETATTR, path, 0, NULL);
	return r ? r : result(fchownat(fs.root, backing_path(path), uid, gid,
			AT_SYMLINK_NOFOLLOW));
}

static int dumb_utimens(
    const char *path, const struct timespec times[2], struct fuse_file_info *fi)
{
	int r;

	if (fs.contract)
		return refuse(V_UTIME, path);
	r = begin(OP_SETATTR, path, 0, NULL);
	return r ? r : result(utimensat(fs.root, backing_path(path), times,
			AT_SYMLINK_NOFOLLOW));
}

/* libfuse itself unlocks at each flush. */
static int dumb_lock(
    const char *path, struct fuse_file_info *fi, int command, struct flock *lock)
{
	if (lock->l_type == F_UNLCK)
		return 0;
	return fs.contract ? refuse(V_LOCK, path) : -ENOTSUP;
}

static int dumb_flock(const char *path, struct fuse_file_info *fi, int op)
{
	return fs.contract ? refuse(V_LOCK, path) : 0;
}

/* Refused in any case: nobody who is measured needs them. */

#define REFUSE(type, op, kind, path, ...)                                                \
	static type dumb_##op(__VA_ARGS__)                                                   \
	{                                                                                    \
		return fs.contract ? refuse(kind, path) : -ENOTSUP;                              \
	}

REFUSE(int, symlink, V_SYMLINK, path, const char *target, const char *path)
REFUSE(int, mknod, V_MKNOD, path, const char *path, mode_t mode, dev_t device)
REFUSE(int, setxattr, V_XATTR, path, const char *path, const char *name,
    const char *value, size_t n, int flags)
REFUSE(int, listxattr, V_XATTR, path, const char *path, char *out, size_t n)
REFUSE(int, fallocate, V_FALLOCATE, path, const char *path, int mode, off_t at, off_t n,
    struct fuse_file_info *fi)
REFUSE(ssize_t, copy_file_range, V_COPY_RANGE, path, const char *from,
    struct fuse_file_info *from_fi, off_t from_at, const char *path,
    struct fuse_file_info *to_fi, off_t to_at, size_t n, int flags)

/* The kernel asks for these by itself, at a write or for permissions. */
static bool asked_by_kernel(const char *name)
{
	return strncmp(name, "security.", 9) == 0 ||
	    strncmp(name, "system.posix_acl", 16) == 0;
}

static int dumb_getxattr(const char *path, const char *name, char *out, size_t n)
{
	if (asked_by_kernel(name))
		return -ENODATA;
	return fs.contract ? refuse(V_XATTR, path) : -ENOTSUP;
}

static int dumb_removexattr(const char *path, const char *name)
{
	if (asked_by_kernel(name))
		return -ENODATA;
	return fs.contract ? refuse(V_XATTR, path) : -ENOTSUP;
}

void outside_ops(struct fuse_operations *ops)
{
	ops->rename = dumb_rename;
	ops->link = dumb_link;
	ops->symlink = dumb_symlink;
	ops->mknod = dumb_mknod;
	ops->rmdir = dumb_rmdir;
	ops->truncate = dumb_truncate;
	ops->chmod = dumb_chmod;
	ops->chown = dumb_chown;
	ops->utimens = dumb_utimens;
	ops->lock = dumb_lock;
	ops->flock = dumb_flock;
	ops->getxattr = dumb_getxattr;
	ops->setxattr = dumb_setxattr;
	ops->listxattr = dumb_listxattr;
	ops->removexattr = dumb_removexattr;
	ops->fallocate = dumb_fallocate;
	ops->copy_file_range = dumb_copy_file_range;
}
