/*
 * Packs: records one behind another. A record's head is
 *
 *	id (24)  method (4)  length of the stored bytes (4)  of the plain ones (4)
 *	BLAKE2b-128 of the record's other bytes (16)
 *
 * and behind it stand the stored bytes: compressed, then sealed, bound to the head. So a
 * record can be copied from pack to pack as it is, which makes the pack of an unchanged
 * tree cost no compression. Opening reads the heads alone.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "repo/cache_internal.h"

#define BOUND_SIZE (ID_SIZE + 12u)
#define HEAD_SIZE (BOUND_SIZE + DIGEST_SHORT)
#define FLUSH_SIZE (256u << 10)

static const char magic[8] = "balepak1";

struct cache_pack {
	struct cache *c;
	int fd;
	struct map offsets; /* of heads, by id */
	struct buf room;    /* compressed bytes */
};

struct cache_pack_writer {
	struct cache *c;
	char name[NAME_MAX_LEN + 1];
	int fd;
	bool failed;
	bool append; /* fd is the pack itself */
	struct cache_pack *old;
	struct map ids;
	struct compressor *compressor;
	struct buf out; /* not written yet */
	struct buf room;
};

/*
 * Reads heads (into offsets, unless NULL) until one does not fit the file; where that is,
 * or 0 where it is no pack.
 */
static uint64_t scan(int fd, uint64_t size, struct map *offsets)
{
	char begin[sizeof magic];
	uint8_t head[HEAD_SIZE];
	uint64_t at = sizeof magic;

	if (sys_pread(fd, begin, sizeof begin, 0) != (ssize_t)sizeof begin ||
	    memcmp(begin, magic, sizeof magic) != 0)
		return 0;
	while (at + HEAD_SIZE <= size &&
	       sys_pread(fd, head, HEAD_SIZE, at) == (ssize_t)HEAD_SIZE) {
		uint32_t stored = get_u32(head + ID_SIZE + 4);

		if (stored > FRAME_STORED_MAX || stored > size - at - HEAD_SIZE)
			break;
		if (offsets)
			map_put(offsets, head, at);
		at += HEAD_SIZE + stored;
	}
	return at;
}

void cache_pack_name(struct repo *r, const char *set, char name[NAME_MAX_LEN + 1])
{
	char hex[2 * ID_SIZE + 1];
	struct id id;

	digest_id(&id, keyring_key(r->keys, PURPOSE_INDEX_ID), span_str(set));
	name_of_id(&id, hex);
	snprintf(name, NAME_MAX_LEN + 1, "basis-%.16s", hex);
}

struct cache_pack *cache_pack_open(struct cache *c, const char *name)
{
	struct cache_pack *p;
	uint64_t size;
	int fd = cache_read(c, name, &size);

	if (fd < 0)
		return NULL;
	p = mem_zalloc(sizeof *p);
	p->c = c;
	p->fd = fd;
	map_init(&p->offsets, ID_SIZE);
	scan(fd, size, &p->offsets);
	if (p->offsets.count > 0)
		return p;
	cache_pack_close(p);
	return NULL;
}

void cache_pack_close(struct cache_pack *p)
{
	if (!p)
		return;
	sys_close(p->fd);
	map_release(&p->offsets);
	buf_release(&p->room);
	free(p);
}

/* Append the record of an id, head and all, if it is there and whole. */
static bool read_record(struct cache_pack *p, const struct id *id, struct buf *out)
{
	const uint64_t *at = map_get(&p->offsets, id->b);
	uint8_t digest[DIGEST_SHORT];
	size_t before = out->n, n;
	uint8_t *head;

	if (!at)
		return false;
	head = buf_extend(out, HEAD_SIZE);
	if (sys_pread(p->fd, head, HEAD_SIZE, *at) != (ssize_t)HEAD_SIZE)
		goto fail;
	n = get_u32(head + ID_SIZE + 4);
	if (n > FRAME_STORED_MAX ||
	    sys_pread(p->fd, buf_extend(out, n), n, *at + HEAD_SIZE) != (ssize_t)n)
		goto fail;
	head = out->p + before;
	cache_digest(span_of(head, BOUND_SIZE), span_of(head + HEAD_SIZE, n), digest);
	if (memcmp(head, id->b, ID_SIZE) == 0 &&
	    memcmp(head + BOUND_SIZE, digest, DIGEST_SHORT) == 0)
		return true;
fail:
	out->n = before;
	return false;
}

bool cache_pack_get(struct cache_pack *p, const struct id *id, struct buf *plain)
{
	struct repo *r = p->c->r;
	struct buf record = BUF_EMPTY;
	struct compressor *c;
	uint32_t method, size;
	bool ok = false;

	buf_clear(plain);
	buf_clear(&p->room);
	if (!read_record(p, id, &record) ||
	    !unseal(keyring_sealer(r->keys, PURPOSE_CACHE), span_of(record.p, BOUND_SIZE),
		span_of(record.p + HEAD_SIZE, record.n - HEAD_SIZE), &p->room, NULL))
		goto out;
	method = get_u32(record.p + ID_SIZE);
	size = get_u32(record.p + ID_SIZE + 8);
	if (method != FRAME_RAW && method != FRAME_ZSTD)
		goto out;
	c = compressor_take(r->compressors);
	ok = frame_expand(c, method, buf_span(&p->room), size, plain, NULL);
	compressor_give(r->compressors, c);
out:
	buf_release(&record);
	return ok;
}

bool cache_pack_has(const struct cache_pack *p, const struct id *id)
{
	return map_get(&p->offsets, id->b) != NULL;
}

size_t cache_pack_count(const struct cache_pack *p)
{
	return p->offsets.count;
}

static struct cache_pack_writer *writer_new(struct cache *c, const char *name, int fd)
{
	struct cache_pack_writer *w = mem_zalloc(sizeof *w);

	w->c = c;
	strcpy(w->name, name);
	w->fd = fd;
	map_init(&w->ids, ID_SIZE);
	return w;
}

struct cache_pack_writer *cache_pack_create(
    struct cache *c, const char *name, struct cache_pack *old)
{
	struct cache_pack_writer *w;
	int fd = cache_begin(c, name);

	if (fd < 0)
		return NULL;
	w = writer_new(c, name, fd);
	w->old = old;
	buf_add(&w->out, magic, sizeof magic);
	return w;
}

struct cache_pack_writer *cache_pack_append(struct cache *c, const char *name)
{
	struct cache_pack_writer *w;
	int fd = cache_edit(c, name);
	struct stat st;
	uint64_t end;

	if (fd < 0)
		return NULL;
	if (sys_fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		goto fail;
	/* A record that was cut off would swallow the head of the one behind it. */
	end = scan(fd, (uint64_t)st.st_size, NULL);
	if (ftruncate(fd, (off_t)end) != 0 || lseek(fd, (off_t)end, SEEK_SET) < 0)
		goto fail;
	w = writer_new(c, name, fd);
	w->append = true;
	if (end == 0)
		buf_add(&w->out, magic, sizeof magic);
	return w;
fail:
	sys_close(fd);
	return NULL;
}

static void flush(struct cache_pack_writer *w)
{
	if (!w->failed && !sys_write(w->fd, w->out.p, w->out.n))
		w->failed = true;
	buf_clear(&w->out);
}

static void add_record(
    struct cache_pack_writer *w, const struct id *id, struct span plain)
{
	struct repo *r = w->c->r;
	size_t at = w->out.n;
	uint8_t bound[BOUND_SIZE], *head;
	enum frame_method method;

	if (!w->compressor)
		w->compressor = compressor_take(r->compressors);
	buf_clear(&w->room);
	method = frame_compress(w->compressor, plain, &w->room);
	buf_add(&w->out, id->b, ID_SIZE);
	buf_add_u32(&w->out, method);
	buf_add_u32(&w->out,
	    (uint32_t)seal_size(keyring_sealer(r->keys, PURPOSE_CACHE), w->room.n));
	buf_add_u32(&w->out, (uint32_t)plain.n);
	buf_extend(&w->out, DIGEST_SHORT);
	/* Copied: sealing may move the buf that it stands in. */
	memcpy(bound, w->out.p + at, BOUND_SIZE);
	cache_seal(w->c, span_of(bound, BOUND_SIZE), buf_span(&w->room), &w->out);
	head = w->out.p + at;
	cache_digest(span_of(bound, BOUND_SIZE),
	    span_of(head + HEAD_SIZE, w->out.n - at - HEAD_SIZE), head + BOUND_SIZE);
}

void cache_pack_add(struct cache_pack_writer *w, const struct id *id, struct span plain)
{
	if (!w || w->failed || !map_put(&w->ids, id->b, 0))
		return;
	assert(plain.n > 0 && plain.n <= FRAME_PLAIN_MAX);
	if (!w->old || !read_record(w->old, id, &w->out))
		add_record(w, id, plain);
	if (w->out.n >= FLUSH_SIZE)
		flush(w);
}

void cache_pack_keep(struct cache_pack_writer *w, const struct id *id)
{
	if (!w || w->failed || !w->old || map_get(&w->ids, id->b))
		return;
	if (read_record(w->old, id, &w->out))
		map_put(&w->ids, id->b, 0);
	if (w->out.n >= FLUSH_SIZE)
		flush(w);
}

static void end(struct cache_pack_writer *w, bool whole)
{
	if (w->append)
		sys_close(w->fd);
	else
		cache_end(w->c, w->name, w->fd, whole);
	if (w->compressor)
		compressor_give(w->c->r->compressors, w->compressor);
	map_release(&w->ids);
	buf_release(&w->out);
	buf_release(&w->room);
	free(w);
}

void cache_pack_commit(struct cache_pack_writer *w)
{
	if (!w)
		return;
	flush(w);
	end(w, !w->failed);
}

void cache_pack_abandon(struct cache_pack_writer *w)
{
	if (w)
		end(w, false);
}
