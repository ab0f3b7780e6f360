/*
 * Bundles. The header and the trailer have fixed places and sizes, so that one read from
 * either end tells what stands between them. The directory stores what can not be
 * derived: offsets and first slots follow from frames standing end to end.
 */
#include "format/bundle.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static const uint8_t magic[8] = {0x89, 'b', 'a', 'l', 'e', 0x0d, 0x0a, 0x1a};
static const uint8_t end_magic[8] = {0x1a, 0x0a, 0x0d, 'e', 'l', 'a', 'b', 0x89};

/* The least that the directory takes for one of each. */
#define FRAME_REC_MIN (4 + DIGEST_SHORT)
#define CHUNK_REC_MIN (ID_SIZE + 1)

void file_head_encode(const struct file_head *h, uint8_t out[FILE_HEAD_SIZE])
{
	memset(out, 0, FILE_HEAD_SIZE);
	memcpy(out, magic, sizeof magic);
	out[8] = (uint8_t)h->type;
	out[9] = FORMAT_VERSION;
	put_u64(out + 16, h->total);
	memcpy(out + 24, h->repo, REPO_ID_SIZE);
	memcpy(out + 40, h->salt, SALT_SIZE);
}

static bool head_total(uint8_t type, uint64_t total, struct fault *f)
{
	bool delta = type == FILE_DELTA;

	if (total < (delta ? FILE_HEAD_SIZE : BUNDLE_MIN))
		return fault_set(f, FAULT_CORRUPT, 16, "header: total length too small");
	if (total > (delta ? DELTA_MAX : BUNDLE_MAX))
		return fault_set(f, FAULT_LIMIT, 16, "header: total length");
	return true;
}

bool file_head_decode(struct span s, struct file_head *h, struct fault *f)
{
	size_t n = s.n < sizeof magic ? s.n : sizeof magic;

	/* n may be 0 and s.p NULL, which memcmp must not see. */
	if (n > 0 && memcmp(s.p, magic, n) != 0)
		return fault_set(f, FAULT_FOREIGN, 0, "header: magic");
	if (s.n < FILE_HEAD_SIZE)
		return fault_set(f, FAULT_TRUNCATED, s.n, "header");
	if (s.p[9] > FORMAT_VERSION)
		return fault_set(f, FAULT_NEWER, 9, "header: version");
	if (s.p[9] == 0)
		return fault_set(f, FAULT_CORRUPT, 9, "header: version");
	if (s.p[8] != FILE_DATA && s.p[8] != FILE_HUNKS && s.p[8] != FILE_DELTA)
		return fault_set(f, FAULT_FOREIGN, 8, "header: type");
	if (get_u16(s.p + 10) != 0)
		return fault_set(f, FAULT_NEWER, 10, "header: required features");
	if (get_u32(s.p + 12) != 0)
		return fault_set(f, FAULT_CORRUPT, 12, "header: reserved bytes");
	if (!head_total(s.p[8], get_u64(s.p + 16), f))
		return false;
	h->type = s.p[8];
	h->total = get_u64(s.p + 16);
	memcpy(h->repo, s.p + 24, REPO_ID_SIZE);
	memcpy(h->salt, s.p + 40, SALT_SIZE);
	return true;
}

void bundle_trailer_encode(const struct bundle_trailer *t, uint8_t out[BUNDLE_TRAIL_SIZE])
{
	size_t n = strnlen(t->run, sizeof t->run);

	assert(name_valid(span_of(t->run, n)) && n <= BAND_MAX_LEN);
	memset(out, 0, BUNDLE_TRAIL_SIZE);
	put_u64(out, t->directory_at);
	put_u32(out + 8, t->directory_stored);
	put_u32(out + 12, t->pick);
	memcpy(out + 16, t->directory_digest, DIGEST_SHORT);
	memcpy(out + 32, t->run, n);
	put_u64(out + 80, t->total);
	memcpy(out + 88, t->salt, SALT_SIZE);
	memcpy(out + 112, end_magic, sizeof end_magic);
	memcpy(out + 120, t->digest.b, ID_SIZE);
}

static bool trailer_run(const uint8_t *p, char run[BAND_MAX_LEN + 1], struct fault *f)
{
	size_t i, n = strnlen((const char *)p, BAND_MAX_LEN + 1);

	if (n > BAND_MAX_LEN || !name_valid(span_of(p, n)))
		return fault_set(f, FAULT_CORRUPT, 32, "trailer: run");
	for (i = n; i <= BAND_MAX_LEN; i++)
		if (p[i] != 0)
			return fault_set(
			    f, FAULT_CORRUPT, 32 + i, "trailer: padding of run");
	memcpy(run, p, BAND_MAX_LEN + 1);
	return true;
}

static bool trailer_lengths(const struct bundle_trailer *t, struct fault *f)
{
	if (t->total > BUNDLE_MAX)
		return fault_set(f, FAULT_LIMIT, 80, "trailer: total length");
	if (t->directory_stored > DIRECTORY_MAX)
		return fault_set(f, FAULT_LIMIT, 8, "trailer: length of the directory");
	if (t->directory_at < FILE_HEAD_SIZE || t->directory_at > t->total)
		return fault_set(f, FAULT_CORRUPT, 0, "trailer: offset of the directory");
	if (t->directory_at + t->directory_stored + BUNDLE_TRAIL_SIZE != t->total)
		return fault_set(f, FAULT_CORRUPT, 0, "trailer: lengths do not add up");
	return true;
}

bool bundle_trailer_decode(struct span s, struct bundle_trailer *t, struct fault *f)
{
	const uint8_t *p;

	if (s.n < BUNDLE_TRAIL_SIZE)
		return fault_set(f, FAULT_TRUNCATED, s.n, "trailer");
	p = s.p + s.n - BUNDLE_TRAIL_SIZE;
	if (memcmp(p + 112, end_magic, sizeof end_magic) != 0)
		return fault_set(f, FAULT_FOREIGN, 112, "trailer: end magic");
	t->directory_at = get_u64(p);
	t->directory_stored = get_u32(p + 8);
	t->pick = get_u32(p + 12);
	memcpy(t->directory_digest, p + 16, DIGEST_SHORT);
	t->total = get_u64(p + 80);
	memcpy(t->salt, p + 88, SALT_SIZE);
	memcpy(t->digest.b, p + 120, ID_SIZE);
	return trailer_run(p + 32, t->run, f) && trailer_lengths(t, f);
}

void directory_release(struct directory *d)
{
	free(d->frames);
	free(d->ids);
	free(d->lengths);
	*d = (struct directory)DIRECTORY_EMPTY;
}

void directory_clear(struct directory *d)
{
	d->n_frames = 0;
	d->n_chunks = 0;
}

void directory_add_chunk(struct directory *d, const struct id *id, uint32_t length)
{
	assert(length >= 1 && length <= CHUNK_MAX && d->n_chunks < BUNDLE_CHUNKS_MAX);
	d->ids = mem_grow(d->ids, &d->ids_cap, d->n_chunks + 1, sizeof *d->ids);
	d->lengths =
	    mem_grow(d->lengths, &d->lengths_cap, d->n_chunks + 1, sizeof *d->lengths);
	d->ids[d->n_chunks] = *id;
	d->lengths[d->n_chunks++] = length;
}

void directory_add_frame(
    struct directory *d, uint32_t stored, enum frame_method method, const uint8_t *digest)
{
	const struct frame_rec *last;
	struct frame_rec r = {.at = FILE_HEAD_SIZE, .stored = stored, .method = method};
	uint64_t plain = 0;
	uint32_t i;

	if (d->n_frames > 0) {
		last = &d->frames[d->n_frames - 1];
		r.at = last->at + last->stored;
		r.first = last->first + last->chunks;
	}
	r.chunks = d->n_chunks - r.first;
	for (i = r.first; i < d->n_chunks; i++)
		plain += d->lengths[i];
	assert(plain <= FRAME_PLAIN_MAX && stored >= 1 && stored <= FRAME_STORED_MAX);
	assert((method == FRAME_PADDING) == (r.chunks == 0));
	assert(d->n_frames < BUNDLE_FRAMES_MAX);
	r.plain = (uint32_t)plain;
	memcpy(r.digest, digest, DIGEST_SHORT);
	d->frames =
	    mem_grow(d->frames, &d->frames_cap, d->n_frames + 1, sizeof *d->frames);
	d->frames[d->n_frames++] = r;
}

void directory_encode(const struct directory *d, struct buf *out)
{
	uint32_t i;

	buf_reserve(
	    out, 20 + d->n_frames * (size_t)FRAME_REC_MIN + d->n_chunks * (ID_SIZE + 3u));
	buf_add_varint(out, d->n_frames);
	buf_add_varint(out, d->n_chunks);
	for (i = 0; i < d->n_frames; i++)
		buf_add_byte(out, (uint8_t)d->frames[i].method);
	for (i = 0; i < d->n_frames; i++)
		buf_add_varint(out, d->frames[i].stored);
	for (i = 0; i < d->n_frames; i++)
		buf_add_varint(out, d->frames[i].plain);
	for (i = 0; i < d->n_frames; i++)
		buf_add_varint(out, d->frames[i].chunks);
	for (i = 0; i < d->n_frames; i++)
		buf_add(out, d->frames[i].digest, DIGEST_SHORT);
	if (d->n_chunks > 0)
		buf_add(out, d->ids, d->n_chunks * sizeof *d->ids);
	for (i = 0; i < d->n_chunks; i++)
		buf_add_varint(out, d->lengths[i]);
}

static void decode_method(struct cursor *c, struct frame_rec *r)
{
	uint8_t m = cursor_u8(c, "directory: method");

	if (m > FRAME_PADDING)
		cursor_fail(c, FAULT_NEWER, "directory: method");
	r->method = m;
}

/* Columns, so that like stands beside like. */
static void decode_frames(struct cursor *c, struct directory *d)
{
	struct frame_rec *r, *end = d->frames + d->n_frames;
	uint64_t at = FILE_HEAD_SIZE;
	uint32_t slot = 0;
	struct span digest;

	for (r = d->frames; r < end; r++)
		decode_method(c, r);
	for (r = d->frames; r < end; r++) {
		r->stored =
		    (uint32_t)cursor_varint(c, FRAME_STORED_MAX, "directory: stored");
		if (r->stored == 0)
			cursor_fail(c, FAULT_CORRUPT, "directory: frame of no bytes");
		r->at = at;
		at += r->stored;
		if (at > BUNDLE_MAX)
			cursor_fail(
			    c, FAULT_LIMIT, "directory: frames too long together");
	}
	for (r = d->frames; r < end; r++)
		r->plain =
		    (uint32_t)cursor_varint(c, FRAME_PLAIN_MAX, "directory: plain");
	for (r = d->frames; r < end; r++) {
		r->chunks =
		    (uint32_t)cursor_varint(c, BUNDLE_CHUNKS_MAX, "directory: chunks");
		if ((r->method == FRAME_PADDING) != (r->chunks == 0))
			cursor_fail(
			    c, FAULT_CORRUPT, "directory: padding alone has no chunk");
		if (r->chunks > d->n_chunks - slot) {
			cursor_fail(c, FAULT_CORRUPT, "directory: chunks of frames");
			return;
		}
		r->first = slot;
		slot += r->chunks;
	}
	if (slot != d->n_chunks)
		cursor_fail(c, FAULT_CORRUPT, "directory: chunks of frames");
	for (r = d->frames; r < end; r++) {
		digest = cursor_bytes(c, DIGEST_SHORT, "directory: digest");
		if (digest.n > 0)
			memcpy(r->digest, digest.p, DIGEST_SHORT);
	}
}

static void decode_chunks(struct cursor *c, struct directory *d)
{
	const struct frame_rec *r, *end = d->frames + d->n_frames;
	uint64_t sum;
	uint32_t i;

	for (i = 0; i < d->n_chunks; i++)
		cursor_id(c, &d->ids[i], "directory: chunk id");
	for (r = d->frames; r < end && !c->bad; r++) {
		sum = 0;
		for (i = r->first; i < r->first + r->chunks; i++) {
			d->lengths[i] =
			    (uint32_t)cursor_varint(c, CHUNK_MAX, "directory: length");
			if (d->lengths[i] == 0)
				cursor_fail(c, FAULT_CORRUPT, "directory: empty chunk");
			sum += d->lengths[i];
		}
		if (sum != r->plain)
			cursor_fail(c, FAULT_CORRUPT, "directory: plain is not the sum");
	}
}

bool directory_decode(struct span s, struct directory *d, struct fault *f)
{
	struct cursor c;

	cursor_init(&c, s);
	directory_clear(d);
	d->n_frames = (uint32_t)cursor_varint(&c, BUNDLE_FRAMES_MAX, "directory: frames");
	d->n_chunks = (uint32_t)cursor_varint(&c, BUNDLE_CHUNKS_MAX, "directory: chunks");
	if (cursor_left(&c) < d->n_frames * (size_t)FRAME_REC_MIN +
	        d->n_chunks * (size_t)CHUNK_REC_MIN)
		cursor_fail(&c, FAULT_TRUNCATED, "directory: shorter than its counts");
	if (!c.bad) {
		/* One more than there are: never NULL. */
		d->frames = mem_grow(
		    d->frames, &d->frames_cap, d->n_frames + 1, sizeof *d->frames);
		d->ids = mem_grow(d->ids, &d->ids_cap, d->n_chunks, sizeof *d->ids);
		d->lengths = mem_grow(
		    d->lengths, &d->lengths_cap, d->n_chunks, sizeof *d->lengths);
		decode_frames(&c, d);
		decode_chunks(&c, d);
	}
	if (cursor_end(&c, f, "directory: bytes behind the end"))
		return true;
	directory_clear(d);
	return false;
}

uint32_t directory_frame_of(const struct directory *d, uint32_t slot)
{
	uint32_t low = 0, high = d->n_frames, mid;

	assert(slot < d->n_chunks);
	/* The last frame that begins at or before the slot: padding begins behind it. */
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (d->frames[mid].first <= slot)
			low = mid;
		else
			high = mid;
	}
	return low;
}

uint32_t directory_chunk_at(const struct directory *d, uint32_t slot)
{
	uint32_t i, at = 0;

	for (i = d->frames[directory_frame_of(d, slot)].first; i < slot; i++)
		at += d->lengths[i];
	return at;
}
