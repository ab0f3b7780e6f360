/* Making repositories and bundles. */
#include "repo_make.h"

#include <stdio.h>
#include <stdlib.h>

#include "bundle/read.h"
#include "codec/digest.h"

static void die(const char *doing, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", doing, e->text);
	exit(99);
}

bool secret_right(void *arg, struct secret *out, struct err *e)
{
	(void)arg;
	(void)e;
	*out = (struct secret){SECRET_PASSPHRASE, span_str(TEST_PASSPHRASE)};
	return true;
}

struct repo *repo_make(struct store *store, struct env *env, bool encrypted)
{
	struct repo_options o;
	struct err e = ERR_EMPTY;
	struct secret secret;
	struct repo *r;

	repo_options_init(&o);
	o.encrypted = encrypted;
	o.kdf_ops = 1;
	o.kdf_mem = 8192;
	secret_right(NULL, &secret, &e);
	if (!repo_create(store, env, &o, &secret, &r, &e))
		die("repo_create", &e);
	return r;
}

struct repo *repo_reopen(struct store *store, struct env *env)
{
	struct err e = ERR_EMPTY;
	struct repo *r;

	if (!repo_open(store, env, secret_right, NULL, &r, &e))
		die("repo_open", &e);
	return r;
}

static void add_frame(struct repo *r, struct compressor *c, struct span plain,
    struct directory *dir, struct buf *file)
{
	const struct sealer *s = keyring_sealer(r->keys, PURPOSE_FRAMES);
	uint8_t aad[REPO_ID_SIZE + 1], nonce[NONCE_SIZE], digest[DIGEST_SHORT];
	struct buf small = BUF_EMPTY;
	enum frame_method method = frame_compress(c, plain, &small);
	size_t at = file->n;

	memcpy(aad, r->params.id, REPO_ID_SIZE);
	aad[REPO_ID_SIZE] = 'F';
	r->env->random(r->env, nonce, sizeof nonce);
	seal(s, nonce, span_of(aad, sizeof aad), buf_span(&small), file);
	digest_short(digest, span_of(file->p + at, file->n - at));
	directory_add_frame(dir, (uint32_t)(file->n - at), method, digest);
	buf_release(&small);
}

static void add_frames(struct repo *r, enum file_type type, const struct span *chunks,
    size_t n, size_t per_frame, struct directory *dir, struct buf *file)
{
	struct compressor *c = compressor_new(3);
	struct buf plain = BUF_EMPTY;
	struct id id;

	for (size_t i = 0; i < n; i++) {
		chunk_id(r, type, chunks[i], &id);
		directory_add_chunk(dir, &id, (uint32_t)chunks[i].n);
		buf_add_span(&plain, chunks[i]);
		if ((i + 1) % per_frame == 0 || i + 1 == n) {
			add_frame(r, c, buf_span(&plain), dir, file);
			buf_clear(&plain);
		}
	}
	buf_release(&plain);
	compressor_free(c);
}

void bundle_make(struct repo *r, enum file_type type, const struct span *chunks, size_t n,
    size_t per_frame, struct buf *file, struct id *name)
{
	const struct sealer *s = keyring_sealer(r->keys, PURPOSE_TABLES);
	struct file_head h = {.type = type};
	struct bundle_trailer t = {.run = "20261118021007-0123456789abcdef-1"};
	struct directory dir = DIRECTORY_EMPTY;
	struct buf plain = BUF_EMPTY;
	uint8_t nonce[NONCE_SIZE], trail[BUNDLE_TRAIL_SIZE];
	struct span parts[2];

	buf_clear(file);
	buf_extend(file, FILE_HEAD_SIZE);
	add_frames(r, type, chunks, n, per_frame, &dir, file);
	directory_encode(&dir, &plain);
	t.directory_at = file->n;
	t.directory_stored = (uint32_t)seal_size(s, plain.n);
	t.total = h.total = file->n + t.directory_stored + BUNDLE_TRAIL_SIZE;
	memcpy(h.repo, r->params.id, REPO_ID_SIZE);
	r->env->random(r->env, h.salt, SALT_SIZE);
	memcpy(t.salt, h.salt, SALT_SIZE);
	file_head_encode(&h, file->p);
	buf_reserve(file, t.directory_stored); /* so that the header stays where it is */
	r->env->random(r->env, nonce, sizeof nonce);
	seal(s, nonce, span_of(file->p, FILE_HEAD_SIZE), buf_span(&plain), file);
	digest_short(
	    t.directory_digest, span_of(file->p + t.directory_at, t.directory_stored));
	bundle_trailer_encode(&t, trail);
	parts[0] = span_of(file->p, FILE_HEAD_SIZE);
	parts[1] = span_of(trail, BUNDLE_TRAIL_DIGESTED);
	digest_name(&t.digest, parts, 2);
	bundle_trailer_encode(&t, trail);
	buf_add(file, trail, sizeof trail);
	parts[0] = buf_span(file);
	digest_name(name, parts, 1);
	directory_release(&dir);
	buf_release(&plain);
}

void bundle_store(struct repo *r, enum file_type type, const struct span *chunks,
    size_t n, size_t per_frame, struct id *name)
{
	char text[2 * ID_SIZE + 1], folder[16];
	struct buf file = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct span part;

	bundle_make(r, type, chunks, n, per_frame, &file, name);
	name_of_id(name, text);
	part = buf_span(&file);
	if (!store_put(r->store, folder_of(type, name, folder), text, &part, 1, &e))
		die("put bundle", &e);
	buf_release(&file);
}

void store_replace(
    struct store *s, const char *folder, const char *name, struct span content)
{
	struct err e = ERR_EMPTY;

	store_remove(s, folder, name, NULL);
	if (!store_put(s, folder, name, &content, 1, &e))
		die("replace", &e);
}
