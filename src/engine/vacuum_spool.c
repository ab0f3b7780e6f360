/*
 * Directories of all bundles, outside of memory: they are asked for slot by slot while
 * references are resolved, and once from beginning to end. References run along bundles,
 * so a few windows of the file serve nearly all of the first kind.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"
#include "engine/vacuum_internal.h"

#define WINDOW  4096u
#define WINDOWS 64u

struct window {
	uint64_t number; /* + 1; 0: empty */
	uint8_t bytes[WINDOW];
};

struct spool {
	int fd;           /* -1: in memory */
	uint64_t size;
	struct buf bytes; /* in memory: all; else what is not written yet */
	struct window *windows;
};

struct spool *spool_new(struct cache *c)
{
	struct spool *s = mem_zalloc(sizeof *s);

	s->fd = cache_unnamed(c);
	s->windows = mem_array(WINDOWS, sizeof *s->windows);
	return s;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		sys_close(s->fd);
	buf_release(&s->bytes);
	free(s->windows);
	free(s);
}

static bool flush(struct spool *s, struct err *e)
{
	if (s->fd < 0 || s->bytes.n == 0)
		return true;
	if (!sys_pwrite(s->fd, s->bytes.p, s->bytes.n, s->size - s->bytes.n))
		return err_sys(e, errno, "a temporary file in the cache folder");
	buf_clear(&s->bytes);
	return true;
}

bool spool_add(struct spool *s, struct span bytes, uint64_t *at, struct err *e)
{
	*at = s->size;
	buf_add_span(&s->bytes, bytes);
	s->size += bytes.n;
	return s->bytes.n < 1u << 20 || flush(s, e);
}

static bool read_at(struct spool *s, uint64_t at, void *out, size_t n, struct err *e)
{
	if (s->fd < 0) {
		memcpy(out, s->bytes.p + at, n);
		return true;
	}
	if (!flush(s, e))
		return false;
	if (sys_pread(s->fd, out, n, at) != (ssize_t)n)
		return err_sys(e, errno ? errno : EIO, "a temporary file in the cache folder");
	return true;
}

bool spool_get(struct spool *s, uint64_t at, size_t n, struct buf *out, struct err *e)
{
	buf_clear(out);
	return read_at(s, at, buf_extend(out, n), n, e);
}

bool spool_peek(struct spool *s, uint64_t at, void *out, size_t n, struct err *e)
{
	uint64_t number = at / WINDOW;
	struct window *w = &s->windows[number % WINDOWS];
	size_t skip = (size_t)(at % WINDOW);
	uint64_t left = s->size - number * WINDOW;

	if (s->fd < 0 || skip + n > WINDOW)
		return read_at(s, at, out, n, e);
	if (w->number != number + 1) {
		w->number = 0;
		if (!read_at(s, number * WINDOW, w->bytes, left < WINDOW ? left : WINDOW, e))
			return false;
		w->number = number + 1;
	}
	memcpy(out, w->bytes + skip, n);
	return true;
}
