/*
 * Reading bundles. One read of a file's end brings trailer and, nearly always, directory.
 * The header stands at the other end; all in it but the salt is known to the reader, and
 * the trailer repeats the salt, so the header is put together anew and its digest
 * checked. What the file's first bytes really are matters to nobody who opens it from the
 * end; only where something is wrong they are read, to tell a newer version from damage.
 */
#include "bundle/read.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	directory_release(&b->dir);
	buf_release(&b->tail);
	free(b);
}

/* What is wrong with a bundle whose end does not fit; always false. */
static bool diagnose(struct repo *r, const char *folder, const char *name,
    enum file_type type, uint64_t size, const char *found, struct err *e)
{
	struct buf head = BUF_EMPTY;
	struct file_head h;
	struct fault f;

	if (!repo_get(r, folder, name, 0, FILE_HEAD_SIZE, &head, NULL, e))
		goto out;
	if (!file_head_decode(buf_span(&head), &h, &f))
		err_fault(e, &f);
	else if (memcmp(h.repo, r->params.id, REPO_ID_SIZE) != 0)
		err_set(e, ERR_CORRUPT, "belongs to another repository");
	else if (h.type != type)
		err_set(e, ERR_CORRUPT, "is another type of file");
	else if (h.total != size)
		err_set(e, ERR_CORRUPT, "is %llu bytes long, and was written with %llu",
		    (unsigned long long)size, (unsigned long long)h.total);
	else
		err_set(e, ERR_CORRUPT, "%s", found);
out:
	buf_release(&head);
	return false;
}

/*
 * The header that the trailer goes with; false where the digest says that it is another.
 */
static bool rebuild_head(struct repo *r, const struct bundle *b,
    const struct bundle_trailer *t, uint8_t head[FILE_HEAD_SIZE])
{
	struct file_head h = {.type = b->type, .total = b->size};
	struct span parts[2];
	struct id digest;

	memcpy(h.repo, r->params.id, REPO_ID_SIZE);
	memcpy(h.salt, t->salt, SALT_SIZE);
	file_head_encode(&h, head);
	parts[0] = span_of(head, FILE_HEAD_SIZE);
	parts[1] =
	    span_of(b->tail.p + b->tail.n - BUNDLE_TRAIL_SIZE, BUNDLE_TRAIL_DIGESTED);
	digest_name(&digest, parts, 2);
	return id_equal(&digest, &t->digest);
}

/* NULL, or what does not fit. */
static const char *check_trailer(struct repo *r, const struct bundle *b,
    struct bundle_trailer *t, uint8_t head[FILE_HEAD_SIZE])
{
	struct fault f;

	if (!bundle_trailer_decode(buf_span(&b->tail), t, &f))
		return f.what;
	if (t->total != b->size)
		return "trailer: total length is not the file's";
	if (!rebuild_head(r, b, t, head))
		return "header or trailer: digest";
	return NULL;
}

/* The directory's stored bytes: of the tail, or read into *room. */
static bool get_directory(struct repo *r, const char *folder, const char *name,
    const struct bundle *b, const struct bundle_trailer *t, struct buf *room,
    struct span *out, struct err *e)
{
	if (t->directory_at >= b->tail_at) {
		*out = span_of(
		    b->tail.p + (t->directory_at - b->tail_at), t->directory_stored);
		return true;
	}
	if (!repo_get(
		r, folder, name, t->directory_at, t->directory_stored, room, NULL, e))
		return false;
	*out = buf_span(room);
	return out->n == t->directory_stored ||
	       err_set(e, ERR_CORRUPT, "ends before its directory does");
}

static bool open_directory(struct repo *r, struct bundle *b,
    const struct bundle_trailer *t, const uint8_t head[FILE_HEAD_SIZE],
    struct span stored, struct err *e)
{
	uint8_t digest[DIGEST_SHORT];
	struct buf plain = BUF_EMPTY;
	const struct frame_rec *last;
	uint64_t end = FILE_HEAD_SIZE;
	struct fault f;
	bool ok = false;

	digest_short(digest, stored);
	if (memcmp(digest, t->directory_digest, DIGEST_SHORT) != 0)
		return err_set(
		    e, ERR_CORRUPT, "the directory is damaged: its digest is wrong");
	if (!unseal(keyring_sealer(r->keys, PURPOSE_TABLES),
		span_of(head, FILE_HEAD_SIZE), stored, &plain, e)) {
		err_wrap(e, "directory");
		goto out;
	}
	if (!directory_decode(buf_span(&plain), &b->dir, &f)) {
		err_fault(e, &f);
		goto out;
	}
	if (b->dir.n_frames > 0) {
		last = &b->dir.frames[b->dir.n_frames - 1];
		end = last->at + last->stored;
	}
	ok = end == t->directory_at ||
	     err_set(e, ERR_CORRUPT, "the frames do not end where the directory begins");
out:
	buf_release(&plain);
	return ok;
}

static bool open_bundle(
    struct repo *r, const char *folder, const char *name, struct bundle *b, struct err *e)
{
	uint8_t head[FILE_HEAD_SIZE];
	struct bundle_trailer t;
	struct buf room = BUF_EMPTY;
	struct span stored;
	const char *wrong;
	bool ok;

	if (!repo_get_tail(r, folder, name, BUNDLE_TAIL, &b->tail, &b->size, e))
		return false;
	b->tail_at = b->size - b->tail.n;
	wrong = check_trailer(r, b, &t, head);
	if (wrong)
		return diagnose(r, folder, name, b->type, b->size, wrong, e);
	if (b->tail_at == 0 && memcmp(b->tail.p, head, FILE_HEAD_SIZE) != 0)
		return err_set(e, ERR_CORRUPT, "the header is damaged");
	memcpy(b->run, t.run, sizeof b->run);
	ok = get_directory(r, folder, name, b, &t, &room, &stored, e) &&
	     open_directory(r, b, &t, head, stored, e);
	if (ok) {
		b->tail.n =
		    t.directory_at > b->tail_at ? (size_t)(t.directory_at - b->tail_at) : 0;
		buf_trim(&b->tail);
	}
	buf_release(&room);
	return ok;
}

bool bundle_open(struct repo *r, enum file_type type, const struct id *name,
    struct bundle **out, struct err *e)
{
	struct bundle *b = mem_zalloc(sizeof *b);
	char text[2 * ID_SIZE + 1], folder[16];

	b->name = *name;
	b->type = type;
	name_of_id(name, text);
	folder_of(type, name, folder);
	if (open_bundle(r, folder, text, b, e)) {
		*out = b;
		return true;
	}
	*out = NULL;
	bundle_free(b);
	if (e && (e->kind == ERR_CORRUPT || e->kind == ERR_NEWER))
		err_wrap(e, "%s/%s", folder, text);
	return false;
}

bool frame_get(struct repo *r, const struct bundle *b, uint32_t frame, struct buf *stored,
    struct err *e)
{
	const struct frame_rec *rec = &b->dir.frames[frame];
	char text[2 * ID_SIZE + 1], folder[16];
	size_t before = stored->n;

	if (rec->at >= b->tail_at) {
		buf_add(stored, b->tail.p + (rec->at - b->tail_at), rec->stored);
		return true;
	}
	name_of_id(&b->name, text);
	folder_of(b->type, &b->name, folder);
	if (!repo_get(r, folder, text, rec->at, rec->stored, stored, NULL, e))
		return false;
	if (stored->n - before == rec->stored)
		return true;
	stored->n = before;
	return err_set(
	    e, ERR_CORRUPT, "%s/%s: ends before frame %u does", folder, text, frame);
}

bool frame_open(struct repo *r, const struct frame_rec *rec, struct span stored,
    struct buf *plain, struct err *e)
{
	const struct sealer *s = keyring_sealer(r->keys, PURPOSE_FRAMES);
	uint8_t aad[REPO_ID_SIZE + 1], digest[DIGEST_SHORT];
	struct compressor *c;
	struct buf opened = BUF_EMPTY;
	bool ok = false;

	buf_clear(plain);
	if (stored.n != rec->stored)
		return err_set(e, ERR_CORRUPT, "a frame is damaged: its length is wrong");
	if (s->off) { /* a seal proves as much, and is looked at anyway */
		digest_short(digest, stored);
		if (memcmp(digest, rec->digest, DIGEST_SHORT) != 0)
			return err_set(e, ERR_CORRUPT, "a frame is damaged: its digest is wrong");
	}
	memcpy(aad, r->params.id, REPO_ID_SIZE);
	aad[REPO_ID_SIZE] = 'F';
	if (!s->off) {
		if (!unseal(s, span_of(aad, sizeof aad), stored, &opened, e)) {
			err_wrap(e, "frame");
			goto out;
		}
		stored = buf_span(&opened);
	}
	c = compressor_take(r->compressors);
	ok = frame_expand(c, rec->method, stored, rec->plain, plain, e);
	compressor_give(r->compressors, c);
out:
	buf_release(&opened);
	return ok;
}

void chunk_id(struct repo *r, enum file_type type, struct span plain, struct id *out)
{
	enum purpose p = type == FILE_DATA ? PURPOSE_CONTENT_ID : PURPOSE_INDEX_ID;

	digest_id(out, keyring_key(r->keys, p), plain);
}

bool chunk_in_frame(struct repo *r, const struct bundle *b, uint32_t slot,
    struct span plain, const struct id *want, struct span *out, struct err *e)
{
	struct span chunk;
	struct id id;
	uint32_t at;

	if (slot >= b->dir.n_chunks || !id_equal(&b->dir.ids[slot], want))
		return err_set(
		    e, ERR_CORRUPT, "slot %u holds another chunk, or none", slot);
	at = directory_chunk_at(&b->dir, slot);
	if (plain.n < at || plain.n - at < b->dir.lengths[slot])
		return err_set(e, ERR_CORRUPT, "slot %u does not fit its frame", slot);
	chunk = span_of(plain.p + at, b->dir.lengths[slot]);
	chunk_id(r, b->type, chunk, &id);
	if (!id_equal(&id, want))
		return err_set(
		    e, ERR_CORRUPT, "slot %u: the content does not have its id", slot);
	*out = chunk;
	return true;
}
