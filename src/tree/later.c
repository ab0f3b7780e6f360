/*
 * A stack of records in memory, of which all but the newest lie in a file, in segments of
 * about SEGMENT bytes. A record is its fields, and at its end, where a stack needs it,
 * its length. The file has no name, so that it is gone with the process.
 */
#include "tree/later.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"

#define SEGMENT (4u << 20)
#define FIXED   (8u + 4 * 8) /* mtime_s; mtime_ns, mode, uid, gid and four lengths */

struct later {
	int dir, file; /* file: -1 before it is made */
	bool memory_only; /* it cannot be made */
	struct buf top;
	struct buf got; /* the record given back */
	uint64_t *segments; /* lengths of those in the file */
	size_t n, cap;
	uint64_t end; /* of the file */
};

struct later *later_new(int dir)
{
	struct later *l = mem_zalloc(sizeof *l);

	l->dir = dir;
	l->file = -1;
	return l;
}

void later_free(struct later *l)
{
	if (!l)
		return;
	if (l->file >= 0)
		sys_close(l->file);
	buf_release(&l->top);
	buf_release(&l->got);
	free(l->segments);
	free(l);
}

static void spill(struct later *l)
{
	if (l->file < 0)
		l->file = sys_openat(l->dir, ".", O_TMPFILE | O_RDWR, 0600);
	if (l->file < 0 || !sys_pwrite(l->file, l->top.p, l->top.n, l->end)) {
		l->memory_only = true;
		return;
	}
	l->segments = mem_grow(l->segments, &l->cap, l->n + 1, sizeof *l->segments);
	l->segments[l->n++] = l->top.n;
	l->end += l->top.n;
	buf_clear(&l->top);
}

void later_push(struct later *l, struct span path, const struct entry *en)
{
	size_t start = l->top.n;

	buf_add_u64(&l->top, (uint64_t)en->mtime_s);
	buf_add_u32(&l->top, en->mtime_ns);
	buf_add_u32(&l->top, en->mode);
	buf_add_u32(&l->top, en->uid);
	buf_add_u32(&l->top, en->gid);
	buf_add_u32(&l->top, (uint32_t)path.n);
	buf_add_u32(&l->top, (uint32_t)en->user.n);
	buf_add_u32(&l->top, (uint32_t)en->group.n);
	buf_add_u32(&l->top, (uint32_t)en->xattrs.n);
	buf_add_span(&l->top, path);
	buf_add_span(&l->top, en->user);
	buf_add_span(&l->top, en->group);
	buf_add_span(&l->top, en->xattrs);
	buf_add_u32(&l->top, (uint32_t)(l->top.n - start));
	if (l->top.n >= SEGMENT && !l->memory_only)
		spill(l);
}

/* Bring the newest segment back from the file. */
static bool fetch(struct later *l)
{
	uint64_t n = l->segments[--l->n];
	ssize_t got;

	l->end -= n;
	got = sys_pread(l->file, buf_extend(&l->top, n), n, l->end);
	if (got == (ssize_t)n)
		return true;
	if (got >= 0)
		errno = EIO;
	buf_clear(&l->top);
	return false;
}

static void take(const uint8_t **p, uint32_t n, struct span *out)
{
	*out = span_of(*p, n);
	*p += n;
}

enum step later_pop(struct later *l, struct span *path, struct entry *en)
{
	const uint8_t *p, *rest;
	uint32_t n;

	if (l->top.n == 0 && l->n == 0)
		return STEP_END;
	if (l->top.n == 0 && !fetch(l))
		return STEP_FAILED;
	n = get_u32(l->top.p + l->top.n - 4);
	l->top.n -= 4 + n;
	buf_clear(&l->got);
	buf_add(&l->got, l->top.p + l->top.n, n);
	p = l->got.p;
	*en = (struct entry){
	    .kind = ENTRY_DIR,
	    .mtime_s = (int64_t)get_u64(p),
	    .mtime_ns = get_u32(p + 8),
	    .mode = get_u32(p + 12),
	    .uid = get_u32(p + 16),
	    .gid = get_u32(p + 20),
	};
	rest = p + FIXED;
	take(&rest, get_u32(p + 24), path);
	take(&rest, get_u32(p + 28), &en->user);
	take(&rest, get_u32(p + 32), &en->group);
	take(&rest, get_u32(p + 36), &en->xattrs);
	return STEP_ITEM;
}
