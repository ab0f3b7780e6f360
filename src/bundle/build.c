/*
 * Putting a bundle together: header, frames, sealed directory, trailer. The salt is chosen
 * anew for each attempt, so that each has a name that was never used.
 */
#include "bundle/build.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "codec/seal.h"

void frame_aad(const struct repo *r, uint8_t out[FRAME_AAD_SIZE])
{
	memcpy(out, r->params.id, REPO_ID_SIZE);
	out[REPO_ID_SIZE] = 'F';
}

struct build *build_new(
    enum file_type type, const char *run, const uint8_t seed[32], uint64_t serial)
{
	struct build *b = mem_zalloc(sizeof *b);

	b->type = type;
	snprintf(b->run, sizeof b->run, "%s", run);
	b->seed = seed;
	b->serial = serial;
	return b;
}

void build_free(struct build *b)
{
	size_t i;

	if (!b)
		return;
	for (i = 0; i < b->n_frames; i++)
		buf_release(&b->frames[i]);
	free(b->frames);
	directory_release(&b->dir);
	buf_release(&b->directory);
	free(b->parts);
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

static bool compose(void *arg, unsigned attempt, char name[NAME_MAX_LEN + 1],
    char folder[16], const struct span **parts, size_t *n_parts, struct err *e)
{
	struct build *b = arg;
	const struct sealer *sealer = keyring_sealer(b->repo->keys, PURPOSE_TABLES);
	struct file_head head = {.type = b->type};
	struct bundle_trailer trail = {0};
	struct buf plain = BUF_EMPTY;
	struct span digested[2];
	uint64_t ticket = b->serial << 16 | attempt;
	uint8_t nonce[NONCE_SIZE];
	size_t i, n = 0;

	(void)e;
	directory_encode(&b->dir, &plain);
	b->size = FILE_HEAD_SIZE + b->stored + seal_size(sealer, plain.n) + BUNDLE_TRAIL_SIZE;
	head.total = trail.total = b->size;
	memcpy(head.repo, b->repo->params.id, REPO_ID_SIZE);
	nonce_derive(head.salt, b->seed, BUILD_LANE_SALT, ticket);
	file_head_encode(&head, b->head);

	buf_clear(&b->directory);
	nonce_derive(nonce, b->seed, BUILD_LANE_DIRECTORY, ticket);
	seal(sealer, nonce, span_of(b->head, sizeof b->head), buf_span(&plain), &b->directory);
	buf_release(&plain);

	trail.directory_at = FILE_HEAD_SIZE + b->stored;
	trail.directory_stored = (uint32_t)b->directory.n;
	digest_short(trail.directory_digest, buf_span(&b->directory));
	memcpy(trail.salt, head.salt, SALT_SIZE);
	memcpy(trail.run, b->run, sizeof trail.run);
	bundle_trailer_encode(&trail, b->trail);
	digested[0] = span_of(b->head, sizeof b->head);
	digested[1] = span_of(b->trail, BUNDLE_TRAIL_DIGESTED);
	digest_name(&trail.digest, digested, 2);
	bundle_trailer_encode(&trail, b->trail);

	b->parts[n++] = span_of(b->head, sizeof b->head);
	for (i = 0; i < b->n_frames; i++)
		b->parts[n++] = buf_span(&b->frames[i]);
	b->parts[n++] = buf_span(&b->directory);
	b->parts[n++] = span_of(b->trail, sizeof b->trail);
	digest_name(&b->name, b->parts, n);
	name_of_id(&b->name, name);
	folder_of(b->type, &b->name, folder);
	*parts = b->parts;
	*n_parts = n;
	return true;
}

bool build_put(struct build *b, struct repo *r, struct err *e)
{
	b->repo = r;
	free(b->parts);
	b->parts = mem_array(b->n_frames + 3, sizeof *b->parts);
	return repo_put(r, compose, b, e);
}
