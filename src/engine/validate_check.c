/*
 * One bundle, in the pool: its size; or its bytes in pieces, hashed on the way; or also
 * its frames, opened as the pieces come by.
 *
 * A bundle whose bytes are wrong is looked into frame by frame at every level but QUICK:
 * it costs little, and then what is lost is known to the chunk.
 */
#include "engine/validate_internal.h"

#include "base/mem.h"
#include "codec/digest.h"

#define PIECE (4u << 20) /* read at once, or a frame that is larger */

/* The first verdict counts, unless none can be given at all. */
static bool fail(struct vcheck *c, const char *kind, const struct err *why)
{
	if (!c->kind || valid_fatal(why)) {
		c->kind = kind;
		c->why = *why;
	}
	return false;
}

/* --- frames */

static void slot_bad(
    struct vcheck *c, uint32_t slot, const char *kind, const struct err *why)
{
	if (!c->bad)
		c->bad = mem_array(c->bundle->dir.n_chunks / 8 + 1, 1);
	if (c->n_bad++ == 0) {
		c->frame_kind = kind;
		c->frame_why = *why;
	}
	c->bad[slot / 8] |= (uint8_t)(1u << slot % 8);
}

static void frame_bad(
    struct vcheck *c, uint32_t number, const char *kind, const struct err *why)
{
	const struct frame_rec *rec = &c->bundle->dir.frames[number];

	for (uint32_t i = 0; i < rec->chunks; i++)
		slot_bad(c, rec->first + i, kind, why);
}

static void check_frame(struct vcheck *c, uint32_t number, struct span stored)
{
	const struct directory *dir = &c->bundle->dir;
	const struct frame_rec *rec = &dir->frames[number];
	struct err why = ERR_EMPTY;
	size_t at = 0;
	struct id id;

	if (rec->method == FRAME_PADDING)
		return;
	if (!frame_open(c->repo, rec, stored, &c->plain, &why)) {
		err_wrap(&why, "frame %u", number);
		frame_bad(c, number, "frame", &why);
		return;
	}
	for (uint32_t i = rec->first; i < rec->first + rec->chunks; i++) {
		chunk_id(
		    c->repo, c->type, span_of(c->plain.p + at, dir->lengths[i]), &id);
		at += dir->lengths[i];
		if (id_equal(&id, &dir->ids[i]))
			continue;
		err_set(
		    &why, ERR_CORRUPT, "slot %u: the content does not have its id", i);
		slot_bad(c, i, "chunk", &why);
	}
}

/* The frames of the piece that was got: from `frame` on, up to `end`. */
static void check_piece(struct vcheck *c, uint64_t at, uint32_t frame, uint32_t end)
{
	struct err why = ERR_EMPTY;

	for (; frame < end; frame++) {
		const struct frame_rec *rec = &c->bundle->dir.frames[frame];

		if (rec->at - at + rec->stored <= c->piece.n) {
			check_frame(
			    c, frame, span_of(c->piece.p + (rec->at - at), rec->stored));
			continue;
		}
		err_set(&why, ERR_CORRUPT, "frame %u cannot be read", frame);
		frame_bad(c, frame, "unreadable", &why);
	}
}

/* --- bytes */

/* The end of the piece from `at` on, and the first frame behind it. */
static uint64_t piece_end(
    const struct vcheck *c, uint64_t at, bool frames, uint32_t *frame)
{
	const struct frame_rec *rec;
	uint64_t end = at;

	if (!frames || *frame == c->bundle->dir.n_frames)
		return at + PIECE;
	do {
		rec = &c->bundle->dir.frames[(*frame)++];
		end = rec->at + rec->stored;
	} while (*frame < c->bundle->dir.n_frames &&
		 end + c->bundle->dir.frames[*frame].stored <= at + PIECE);
	return end;
}

/* What the header says, once the digest has shown it to be what was written. */
static bool check_head(struct vcheck *c, struct span head)
{
	struct err why = ERR_EMPTY;
	struct file_head h;
	struct fault f;

	if (!file_head_decode(head, &h, &f)) {
		err_fault(&why, &f);
		return fail(c, valid_kind(&why, "content"), &why);
	}
	if (memcmp(h.repo, c->repo->params.id, REPO_ID_SIZE) != 0) {
		err_set(&why, ERR_CORRUPT, "belongs to another repository");
		return fail(c, "foreign", &why);
	}
	if (h.type != c->type) {
		err_set(&why, ERR_CORRUPT, "is another sort of file");
		return fail(c, "foreign", &why);
	}
	return true;
}

/* Its own words about its length: an attempt that was cut off is shorter. */
static bool looks_torn(struct span head, uint64_t size)
{
	struct file_head h;

	return !file_head_decode(head, &h, NULL) || h.total != size;
}

static bool get_piece(struct vcheck *c, uint64_t at, uint64_t end)
{
	struct err why = ERR_EMPTY;

	if (c->stop && *c->stop) {
		err_set(&why, ERR_STOPPED, "stopped");
		return fail(c, "stopped", &why);
	}
	buf_clear(&c->piece);
	if (!repo_get(c->repo, c->folder, c->file, at, (size_t)(end - at), &c->piece,
		&c->size, &why))
		return fail(c, valid_kind(&why, "unreadable"), &why);
	c->bytes += c->piece.n;
	return true;
}

/* All of the file, piece by piece; a piece that cannot be had costs the frames in it. */
static bool read_bytes(struct vcheck *c, bool frames, struct digest *d,
    uint8_t head[FILE_HEAD_SIZE], uint64_t *n)
{
	uint64_t at = 0, end;
	uint32_t next = 0, frame;
	bool ok = true, more;

	do {
		frame = next;
		end = piece_end(c, at, frames, &next);
		if (!get_piece(c, at, end)) {
			ok = false;
			if (!frames || valid_fatal(&c->why) || c->why.kind == ERR_MISSING)
				return false;
		}
		digest_add(d, buf_span(&c->piece));
		if (at == 0 && c->piece.n > 0)
			memcpy(head, c->piece.p,
			    c->piece.n < FILE_HEAD_SIZE ? c->piece.n : FILE_HEAD_SIZE);
		check_piece(c, at, frame, next);
		*n = at + c->piece.n;
		more = frames ? end < c->bundle->size
			      : c->piece.n == end - at && end < c->size;
		at = end;
	} while (more);
	return ok;
}

/* Whether the file has the digest that it is named by. Its frames too, where asked. */
static bool check_bytes(struct vcheck *c, bool frames)
{
	uint8_t head[FILE_HEAD_SIZE] = {0};
	struct err why = ERR_EMPTY;
	struct digest d;
	uint64_t n = 0;
	struct id id;

	digest_init(&d, ID_SIZE, NULL, 0);
	if (!read_bytes(c, frames, &d, head, &n))
		return false;
	digest_end(&d, id.b);
	c->torn = looks_torn(span_of(head, sizeof head), n);
	if (c->told && n != c->told) {
		err_set(&why, ERR_CORRUPT, "%llu bytes long, and was written with %llu",
		    (unsigned long long)n, (unsigned long long)c->told);
		return fail(c, "size", &why);
	}
	if (!id_equal(&id, &c->name)) {
		err_set(&why, ERR_CORRUPT, "the content is not what the name tells");
		return fail(c, "digest", &why);
	}
	return check_head(c, span_of(head, sizeof head));
}

static bool open_it(struct vcheck *c, struct err *why)
{
	return c->bundle || bundle_open(c->repo, c->type, &c->name, &c->bundle, why);
}

static void run_quick(struct vcheck *c)
{
	struct err why = ERR_EMPTY;

	if (!repo_stat(c->repo, c->folder, c->file, &c->size, &why)) {
		fail(c, valid_kind(&why, "unreadable"), &why);
		return;
	}
	if (c->told && c->size != c->told) {
		err_set(&why, ERR_CORRUPT, "%llu bytes long, and was written with %llu",
		    (unsigned long long)c->size, (unsigned long long)c->told);
		fail(c, "size", &why);
	} else if (c->want_dir && !open_it(c, &why)) {
		c->torn = true; /* as far as can be told without reading it */
		fail(c, valid_kind(&why, "directory"), &why);
	}
}

static void run_whole(struct vcheck *c)
{
	bool full = c->level == VALIDATE_FULL, want = full || c->want_dir;
	struct err why = ERR_EMPTY;
	bool open = want && open_it(c, &why);

	if (want && !open && valid_fatal(&why)) {
		fail(c, "unreadable", &why);
		return;
	}
	if (check_bytes(c, full && open)) {
		if (want && !open)
			fail(c, valid_kind(&why, "directory"), &why);
		return;
	}
	if (full || valid_fatal(&c->why) || c->why.kind == ERR_MISSING)
		return;
	err_clear(&why);
	if (open_it(c, &why))
		check_bytes(c, true);
	else if (valid_fatal(&why))
		fail(c, "unreadable", &why);
	c->bytes = c->size;
}

void vcheck_run(struct job *j)
{
	struct vcheck *c = (struct vcheck *)j;

	if (c->level == VALIDATE_QUICK)
		run_quick(c);
	else
		run_whole(c);
	buf_release(&c->piece);
	buf_release(&c->plain);
}
