/* A descriptor and its count. */
#include "tree/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"

struct dir {
	int fd;
	atomic_uint refs;
};

struct dir *dir_new(int fd)
{
	struct dir *d = mem_alloc(sizeof *d);

	d->fd = fd;
	atomic_init(&d->refs, 1);
	return d;
}

struct dir *dir_ref(struct dir *d)
{
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void dir_unref(struct dir *d)
{
	if (!d || atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) > 1)
		return;
	sys_close(d->fd);
	free(d);
}

int dir_fd(const struct dir *d)
{
	return d->fd;
}

int dir_open(const struct dir *d, const char *name, int flags)
{
	int fd = sys_openat(d->fd, name, flags | O_RDONLY | O_NOATIME, 0);

	if (fd < 0 && errno == EPERM)
		fd = sys_openat(d->fd, name, flags | O_RDONLY, 0);
	return fd;
}
