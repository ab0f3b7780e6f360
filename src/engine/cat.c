/*
 * One file's bytes, in order: chunk by chunk, each verified before any of it is given
 * out.
 */
#include "engine/restore.h"

#include "base/mem.h"
#include "engine/reading.h"

#define FRAMES_KEPT 4

struct catting {
	struct reading *rd;
	cat_write_fn *write;
	void *arg;
};

static bool write_hole(struct catting *c, uint64_t n, struct err *e)
{
	static const uint8_t zeros[1u << 16];

	while (n > 0) {
		size_t some = n < sizeof zeros ? (size_t)n : sizeof zeros;

		if (!c->write(c->arg, span_of(zeros, some), e))
			return false;
		n -= some;
	}
	return true;
}

static bool cat_extent(void *arg, const struct extent *x, struct err *e)
{
	struct catting *c = arg;
	struct found hint;
	struct span bytes;

	if (x->hole)
		return write_hole(c, x->length, e);
	hint.bundle = inventory_get(c->rd->inventory, x->hint.bundle)->name;
	hint.slot = x->hint.slot;
	if (!resolver_read(
		c->rd->resolver, c->rd->chunks, FILE_DATA, &hint, &x->id, &bytes, e))
		return false;
	if (bytes.n != x->length)
		return err_set(
		    e, ERR_CORRUPT, "a chunk is not as long as its reference tells");
	return c->write(c->arg, bytes, e);
}

static bool cat_entry(struct catting *c, const struct entry *en, struct err *e)
{
	switch (en->content) {
	case CONTENT_NONE:
		return true;
	case CONTENT_INLINE:
		return c->write(c->arg, en->inline_data, e);
	case CONTENT_EXTENTS:
	case CONTENT_LIST:
		break;
	}
	return stream_extents(c->rd->stream, en, cat_extent, c, e);
}

bool cat_run(struct repo *r, const struct band *band, struct span path,
    const char *cache_dir, cat_write_fn *write, void *arg, struct err *e)
{
	struct reading rd;
	struct catting c = {&rd, write, arg};
	struct err why = ERR_EMPTY;
	struct entry en;
	bool lost, ok = false;
	int n = (int)(path.n < 400 ? path.n : 400);

	reading_open(&rd, r, band, cache_dir, FRAMES_KEPT);
	if (reading_find(&rd, path, &en, &lost, NULL, NULL, &why) != STREAM_ENTRY)
		;
	else if (lost)
		err_set(&why, ERR_CORRUPT, "%.*s: the index is damaged there", n, path.p);
	else if (en.kind == ENTRY_SYMLINK)
		err_set(&why, ERR_USAGE, "%.*s is a symbolic link to %.*s", n, path.p,
		    (int)(en.target.n < 400 ? en.target.n : 400), en.target.p);
	else if (en.kind != ENTRY_FILE)
		err_set(&why, ERR_USAGE, "%.*s is not a file", n, path.p);
	else
		ok = cat_entry(&c, &en, &why) || err_wrap(&why, "%.*s", n, path.p);
	reading_close(&rd);
	if (!ok && e)
		*e = why;
	return ok;
}
