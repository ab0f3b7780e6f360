/* Finding one path: seek, and look at what stands there. */
#include "engine/reading.h"

#include "base/mem.h"

#define BUNDLES_OPEN 8

static bool from_pack(void *arg, const struct id *id, struct buf *plain)
{
	return cache_pack_get(arg, id, plain);
}

void reading_open(struct reading *rd, struct repo *r, const struct band *band,
    const char *cache_dir, unsigned frames)
{
	struct stream_options o = {0};

	char name[NAME_MAX_LEN + 1];

	*rd = (struct reading){.repo = r};
	cache_pack_name(r, band->set, name);
	rd->cache = cache_look(r, cache_dir);
	rd->pack = cache_pack_open(rd->cache, name);
	rd->inventory = inventory_new(r);
	rd->resolver = resolver_new(r);
	rd->chunks = chunk_reader_new(r, BUNDLES_OPEN, frames);
	o.inventory = rd->inventory;
	o.resolver = rd->resolver;
	if (rd->pack) {
		o.cache = from_pack;
		o.cache_arg = rd->pack;
	}
	rd->stream = stream_open(r, rd->chunks, band, &o);
}

void reading_close(struct reading *rd)
{
	stream_close(rd->stream);
	chunk_reader_free(rd->chunks);
	resolver_free(rd->resolver);
	inventory_free(rd->inventory);
	cache_pack_close(rd->pack);
	cache_close(rd->cache);
	*rd = (struct reading){0};
}

/* Nothing sorts before this in the directory. */
void reading_enter(struct reading *rd, struct span path)
{
	struct buf first = BUF_EMPTY;

	buf_add_span(&first, path);
	if (path.n > 1)
		buf_add_byte(&first, '/');
	buf_add_byte(&first, 1);
	stream_seek(rd->stream, buf_span(&first));
	buf_release(&first);
}

static bool not_there(struct span path, bool damage, struct err *e)
{
	int n = (int)(path.n < 400 ? path.n : 400);

	if (damage)
		return err_set(e, ERR_CORRUPT,
		    "%.*s is not in what is left of the snapshot: "
		    "its index is damaged there",
		    n, path.p);
	return err_set(e, ERR_MISSING, "%.*s is not in the snapshot", n, path.p);
}

enum stream_step reading_find(struct reading *rd, struct span path, struct entry *en,
    bool *lost, reading_damaged_fn *damaged, void *arg, struct err *e)
{
	enum stream_step st;

	*lost = false;
	if (!apath_valid(path)) {
		err_set(e, ERR_USAGE,
		    "%.*s: a path in a snapshot begins with / and has no "
		    "empty, \".\" or \"..\" parts",
		    (int)(path.n < 400 ? path.n : 400), path.p);
		return STREAM_FAILED;
	}
	stream_seek(rd->stream, path);
	for (;;) {
		st = stream_next(rd->stream, en, e);
		if (st == STREAM_DAMAGED) {
			/* After it, the entry may be gone and its children be left. */
			if (!*lost)
				reading_enter(rd, path);
			*lost = true;
			if (damaged)
				damaged(arg, stream_lost(rd->stream), e);
			continue;
		}
		if (st == STREAM_FAILED)
			return st;
		if (st == STREAM_ENTRY && span_equal(en->apath, path))
			*lost = false;
		else if (st == STREAM_END || !*lost || !apath_within(en->apath, path)) {
			not_there(path, *lost, e);
			return STREAM_END;
		}
		return STREAM_ENTRY;
	}
}
