/*
 * Putting a bundle together: header, frames, sealed directory, trailer. The salt is
 * chosen anew for each attempt, so that each has a name that was never used. What is put
 * is read piece by piece, be the frames in memory or in a file.
 */
#include "bundle/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "codec/seal.h"

void frame_aad(const struct repo *r, uint8_t out[FRAME_AAD_SIZE])
{
	memcpy(out, r->params.id, REPO_ID_SIZE);
	out[REPO_ID_SIZE] = 'F';
}

struct build *build_new(enum file_type type, const char *run, const uint8_t seed[32],
    uint64_t serial, unsigned folders)
{
	struct build *b = mem_zalloc(sizeof *b);

	b->type = type;
	snprintf(b->run, sizeof b->run, "%s", run);
	b->seed = seed;
	b->serial = serial;
	b->folders = type == FILE_DATA ? folders : DATA_FOLDERS;
	b->spool = -1;
	return b;
}

static void frames_free(struct build *b)
{
	size_t i;

	for (i = 0; i < b->n_frames; i++)
		buf_release(&b->frames[i]);
	free(b->frames);
	b->frames = NULL;
	b->n_frames = b->cap = 0;
}

void build_free(struct build *b)
{
	if (!b)
		return;
	frames_free(b);
	if (b->spool >= 0)
		sys_close(b->spool);
	directory_release(&b->dir);
	buf_release(&b->directory);
	buf_release(&b->window);
	free(b);
}

void build_add_frame(struct build *b, struct buf *stored, enum frame_method method,
    const uint8_t digest[DIGEST_SHORT])
{
	directory_add_frame(&b->dir, (uint32_t)stored->n, method, digest);
	b->frames = mem_grow(b->frames, &b->cap, b->n_frames + 1, sizeof *b->frames);
	b->frames[b->n_frames++] = *stored;
	b->stored += stored->n;
	*stored = (struct buf)BUF_EMPTY;
}

bool build_spool(struct build *b, struct cache *cache)
{
	int fd = cache_unnamed(cache);
	bool ok = fd >= 0;
	size_t i;

	for (i = 0; ok && i < b->n_frames; i++)
		ok = sys_write(fd, b->frames[i].p, b->frames[i].n);
	if (!ok) {
		if (fd >= 0)
			sys_close(fd);
		return false;
	}
	frames_free(b);
	b->spool = fd;
	return true;
}

/* --- reading what is put */

#define WINDOW (64u << 10) /* of each of very many puts at once */

static bool read_spool(
    struct build *b, uint64_t at, size_t n, struct span *out, struct err *e)
{
	ssize_t got;

	buf_clear(&b->window);
	n = n < WINDOW ? n : WINDOW;
	n = n < b->stored - at ? n : (size_t)(b->stored - at);
	got = sys_pread(b->spool, buf_extend(&b->window, n), n, at);
	if (got != (ssize_t)n)
		return err_sys(e, got < 0 ? errno : EIO, "a temporary file in the cache folder");
	*out = buf_span(&b->window);
	return true;
}

/* By binary search: a frame may be read in several pieces, and the end once more. */
static struct span frame_at(const struct build *b, uint64_t at)
{
	uint32_t low = 0, high = (uint32_t)b->n_frames;
	const struct buf *f;
	uint64_t begin;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (b->dir.frames[mid].at <= at + FILE_HEAD_SIZE)
			low = mid;
		else
			high = mid;
	}
	f = &b->frames[low];
	begin = b->dir.frames[low].at - FILE_HEAD_SIZE;
	return span_of(f->p + (at - begin), f->n - (size_t)(at - begin));
}

static bool read_some(void *arg, uint64_t at, size_t n, struct span *out, struct err *e)
{
	struct build *b = arg;
	uint64_t in = at;

	if (in < FILE_HEAD_SIZE) {
		*out = span_of(b->head + in, FILE_HEAD_SIZE - (size_t)in);
	} else if ((in -= FILE_HEAD_SIZE) < b->stored) {
		if (b->spool >= 0)
			return read_spool(b, in, n, out, e);
		*out = frame_at(b, in);
	} else if ((in -= b->stored) < b->directory.n) {
		*out = span_of(b->directory.p + in, b->directory.n - (size_t)in);
	} else {
		in -= b->directory.n;
		*out = span_of(b->trail + in, BUNDLE_TRAIL_SIZE - (size_t)in);
	}
	out->n = out->n < n ? out->n : n;
	return true;
}

static void put_trailer(struct build *b, struct bundle_trailer *t)
{
	struct span digested[2] = {span_of(b->head, sizeof b->head),
	    span_of(b->trail, BUNDLE_TRAIL_DIGESTED)};

	bundle_trailer_encode(t, b->trail);
	digest_name(&t->digest, digested, 2);
	bundle_trailer_encode(t, b->trail);
}

/*
 * What comes before the trailer is hashed once, and then trailers, until the name begins
 * with the digit of a folder that is to be filled.
 */
static bool name_it(struct build *b, struct bundle_trailer *t, struct err *e)
{
	uint64_t at, before = b->size - BUNDLE_TRAIL_SIZE;
	struct digest d, whole;
	struct span piece;

	digest_init(&d, ID_SIZE, NULL, 0);
	for (at = 0; at < before; at += piece.n) {
		if (!read_some(b, at, WINDOW, &piece, e))
			return false;
		digest_add(&d, piece);
	}
	for (t->pick = 0;; t->pick++) {
		put_trailer(b, t);
		whole = d;
		digest_add(&whole, span_of(b->trail, sizeof b->trail));
		digest_end(&whole, b->name.b);
		if (b->name.b[0] >> 4 < b->folders)
			return true;
	}
}

static bool compose(void *arg, unsigned attempt, struct repo_file *out, struct err *e)
{
	struct build *b = arg;
	const struct sealer *sealer = keyring_sealer(b->repo->keys, PURPOSE_TABLES);
	struct file_head head = {.type = b->type};
	struct bundle_trailer trail = {0};
	struct buf plain = BUF_EMPTY;
	uint64_t ticket = b->serial << 16 | attempt;
	uint8_t nonce[NONCE_SIZE];

	directory_encode(&b->dir, &plain);
	b->size = FILE_HEAD_SIZE + b->stored + seal_size(sealer, plain.n) + BUNDLE_TRAIL_SIZE;
	head.total = trail.total = b->size;
	memcpy(head.repo, b->repo->params.id, REPO_ID_SIZE);
	nonce_derive(head.salt, b->seed, BUILD_LANE_SALT, ticket);
	file_head_encode(&head, b->head);

	buf_clear(&b->directory);
	nonce_derive(nonce, b->seed, BUILD_LANE_DIRECTORY, ticket);
	seal(sealer, nonce, span_of(b->head, sizeof b->head), buf_span(&plain),
	    &b->directory);
	buf_release(&plain);

	trail.directory_at = FILE_HEAD_SIZE + b->stored;
	trail.directory_stored = (uint32_t)b->directory.n;
	digest_short(trail.directory_digest, buf_span(&b->directory));
	memcpy(trail.salt, head.salt, SALT_SIZE);
	memcpy(trail.run, b->run, sizeof trail.run);
	if (!name_it(b, &trail, e))
		return false;
	out->source = (struct store_source){b->size, read_some, b};
	name_of_id(&b->name, out->name);
	folder_of(b->type, &b->name, out->folder);
	return true;
}

bool build_put(struct build *b, struct repo *r, struct err *e)
{
	b->repo = r;
	return repo_put(r, compose, b, e);
}
