/*
 * One lock a file. Nearly every file is small and touched by one job only, so it is free;
 * two jobs that write one file would wait for each other in the kernel anyway.
 */
#include "engine/outfile.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static struct span keep(uint8_t **at, struct span s)
{
	struct span copy = {*at, s.n};

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

struct outfile *outfile_new(const struct entry *en, size_t prefix)
{
	size_t bytes = en->apath.n + en->user.n + en->group.n + en->xattrs.n +
	               en->inline_data.n;
	struct outfile *f = mem_zalloc(sizeof *f + bytes);
	uint8_t *at = (uint8_t *)(f + 1);

	f->entry = *en;
	f->entry.apath = keep(&at, en->apath);
	f->entry.user = keep(&at, en->user);
	f->entry.group = keep(&at, en->group);
	f->entry.xattrs = keep(&at, en->xattrs);
	f->entry.inline_data = keep(&at, en->inline_data);
	f->entry.target = f->entry.hardlink = SPAN_EMPTY;
	f->entry.extents = NULL;
	f->entry.n_extents = 0;
	f->path = span_of(f->entry.apath.p + prefix, en->apath.n - prefix);
	f->left = 1;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void outfile_free(struct outfile *f)
{
	if (!f)
		return;
	target_file_abandon(f->out);
	pthread_mutex_destroy(&f->lock);
	free(f->why);
	free(f);
}

void outfile_expect(struct outfile *f, uint64_t n)
{
	pthread_mutex_lock(&f->lock);
	f->left += n;
	pthread_mutex_unlock(&f->lock);
}

static void fail(struct outfile *f, const struct err *why, bool refused)
{
	if (f->why)
		return;
	f->why = mem_alloc(sizeof *f->why);
	*f->why = *why;
	f->refused = refused;
}

void outfile_fail(struct outfile *f, const struct err *why, bool refused)
{
	pthread_mutex_lock(&f->lock);
	fail(f, why, refused);
	pthread_mutex_unlock(&f->lock);
}

bool outfile_write(struct outfile *f, struct target *t, struct span bytes, uint64_t at,
    struct err *e)
{
	bool ok = false;

	err_clear(e);
	pthread_mutex_lock(&f->lock);
	if (!f->why) {
		ok = (f->out || target_create(t, f->path, &f->out, e)) &&
		     (bytes.n == 0 || target_write(f->out, bytes.p, bytes.n, at, e));
		if (!ok)
			fail(f, e, true);
		if (at + bytes.n > f->end)
			f->end = at + bytes.n;
	}
	pthread_mutex_unlock(&f->lock);
	return ok;
}

static void finish(struct outfile *f, struct target *t)
{
	struct err e = ERR_EMPTY;
	struct target_file *out;
	bool ok = !f->why && (f->out || target_create(t, f->path, &f->out, &e)) &&
	          (f->end == f->entry.size || target_truncate(f->out, f->entry.size, &e));

	out = f->out;
	f->out = NULL;
	if (!ok)
		target_file_abandon(out);
	else
		ok = target_file_finish(out, &f->entry, &e);
	if (!ok)
		fail(f, &e, true);
}

bool outfile_done(struct outfile *f, struct target *t, uint64_t n)
{
	bool last;

	pthread_mutex_lock(&f->lock);
	f->left -= n;
	last = f->left == 0;
	if (last)
		finish(f, t);
	pthread_mutex_unlock(&f->lock);
	return last;
}

bool target_refusal(const struct err *e)
{
	/* A path that would lead out of the target; something else in a file's place. */
	if (e->kind == ERR_CORRUPT || e->kind == ERR_EXISTS)
		return true;
	switch (e->sys) {
	case EPERM: /* links of either sort, where the file system has none */
	case EINVAL:
	case ENAMETOOLONG:
	case EILSEQ:
	case EEXIST:
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
	case EMLINK:
	case EFBIG:
	case EOPNOTSUPP:
	case EXDEV:
		return true;
	default:
		return false;
	}
}
