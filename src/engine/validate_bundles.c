/*
 * Bundles, each by one job of the pool: its size; or its bytes in pieces, hashed on the way;
 * or also its frames, opened as the pieces come by. What a job needs of the table is copied
 * into it, and what it finds goes into the table when it is taken, on the main thread.
 *
 * A bundle whose bytes are wrong is looked into frame by frame at every level but QUICK: it
 * costs little, and then what is lost is known to the chunk.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"

#define PIECE (2u << 20) /* read at once, or a frame that is larger */

struct check {
	struct job job;
	struct repo *repo;
	const volatile bool *stop;
	uint32_t number;
	enum validate_level level;
	struct id name;
	enum file_type type;
	uint64_t told;        /* size; 0: not told */
	bool want_dir;
	char folder[16], file[2 * ID_SIZE + 1];
	/* found */
	uint64_t size, bytes; /* bytes: read to be checked */
	struct bundle *bundle;
	const char *kind;
	struct err why;
	bool torn;
	uint8_t *bad;         /* a bit for each slot; NULL: none is */
	uint32_t n_bad;
	const char *frame_kind; /* what the first bad slot suffers from */
	struct err frame_why;
	struct buf piece, plain;
};

static bool fail(struct check *c, const char *kind, const struct err *why)
{
	if (!c->kind) {
		c->kind = kind;
		c->why = *why;
	}
	return false;
}

/* --- in the pool: frames */

static void slot_bad(struct check *c, uint32_t slot, const char *kind, const struct err *why)
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
    struct check *c, uint32_t number, const char *kind, const struct err *why)
{
	const struct frame_rec *rec = &c->bundle->dir.frames[number];

	for (uint32_t i = 0; i < rec->chunks; i++)
		slot_bad(c, rec->first + i, kind, why);
}

static void check_frame(struct check *c, uint32_t number, struct span stored)
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
		chunk_id(c->repo, c->type, span_of(c->plain.p + at, dir->lengths[i]), &id);
		at += dir->lengths[i];
		if (id_equal(&id, &dir->ids[i]))
			continue;
		err_set(&why, ERR_CORRUPT, "slot %u: the content does not have its id", i);
		slot_bad(c, i, "chunk", &why);
	}
}

/* The frames of the piece that was got: from `frame` on, up to `end`. */
static void check_piece(struct check *c, uint64_t at, uint32_t frame, uint32_t end)
{
	struct err why = ERR_EMPTY;

	for (; frame < end; frame++) {
		const struct frame_rec *rec = &c->bundle->dir.frames[frame];

		if (rec->at - at + rec->stored <= c->piece.n) {
			check_frame(c, frame, span_of(c->piece.p + (rec->at - at), rec->stored));
			continue;
		}
		err_set(&why, ERR_CORRUPT, "frame %u cannot be read", frame);
		frame_bad(c, frame, "unreadable", &why);
	}
}

/* --- in the pool: bytes */

/* The end of the piece from `at` on, and the first frame behind it. */
static uint64_t piece_end(const struct check *c, uint64_t at, bool frames, uint32_t *frame)
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
static bool check_head(struct check *c, struct span head)
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

static bool get_piece(struct check *c, uint64_t at, uint64_t end)
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
static bool read_bytes(
    struct check *c, bool frames, struct digest *d, uint8_t head[FILE_HEAD_SIZE], uint64_t *n)
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
		more = frames ? end < c->bundle->size : c->piece.n == end - at && end < c->size;
		at = end;
	} while (more);
	return ok;
}

/* Whether the file has the digest that it is named by. Its frames too, where asked. */
static bool check_bytes(struct check *c, bool frames)
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

static bool open_it(struct check *c, struct err *why)
{
	return c->bundle || bundle_open(c->repo, c->type, &c->name, &c->bundle, why);
}

static void run_quick(struct check *c)
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

static void run_whole(struct check *c)
{
	bool full = c->level == VALIDATE_FULL;
	struct err open_why = ERR_EMPTY;
	bool open = (full || c->want_dir) && open_it(c, &open_why);

	if (open_why.kind != ERR_NONE && valid_fatal(&open_why)) {
		fail(c, "unreadable", &open_why);
		return;
	}
	if (check_bytes(c, full && open)) {
		if (!open && (full || c->want_dir))
			fail(c, valid_kind(&open_why, "directory"), &open_why);
		return;
	}
	if (valid_fatal(&c->why) || c->why.kind == ERR_MISSING)
		return;
	if (!full && open_it(c, &open_why))
		check_bytes(c, true);
	c->bytes = c->size;
}

static void check_run(struct job *j)
{
	struct check *c = (struct check *)j;

	if (c->level == VALIDATE_QUICK)
		run_quick(c);
	else
		run_whole(c);
	buf_release(&c->piece);
	buf_release(&c->plain);
}

/* --- on the main thread */

static bool same_directory(const struct valid *v, const struct vbundle *b,
    const struct directory *dir)
{
	return dir->n_chunks == b->n_chunks &&
	    (dir->n_chunks == 0 ||
	        memcmp(dir->ids, v->ids + b->base, dir->n_chunks * sizeof *v->ids) == 0);
}

static void set_bad(struct vbundle *b, const char *kind, const char *text)
{
	if (b->kind)
		return;
	b->kind = kind;
	b->text = mem_strdup(text);
}

static void take_in(struct valid *v, struct check *c)
{
	struct vbundle *b = &v->bundles[c->number];

	if (c->bundle && !b->has_dir)
		valid_add_directory(v, c->number, &c->bundle->dir);
	b = &v->bundles[c->number];
	b->torn = c->torn;
	if (c->bundle && !same_directory(v, b, &c->bundle->dir)) {
		set_bad(b, "directory", "it is not the directory that a delta tells of");
		b->all_bad = true;
	}
	for (uint32_t i = 0; c->bad && i < b->n_chunks; i++)
		if (c->bad[i / 8] >> i % 8 & 1)
			valid_chunk_bad(v, c->number, i);
	if (c->n_bad > 0)
		set_bad(b, c->frame_kind, c->frame_why.text);
	if (!c->kind)
		return;
	/* Damage to none of its frames, nor to its directory, costs no chunk. */
	if (!c->bundle)
		b->all_bad = true;
	if (strcmp(c->kind, "missing") == 0)
		b->listed = false;
	else
		set_bad(b, c->kind, c->why.text);
}

static void check_free(struct check *c)
{
	bundle_free(c->bundle);
	free(c->bad);
	free(c);
}

static bool take(struct valid *v, struct lane *lane, bool go_on, struct err *e)
{
	struct check *c = (struct check *)lane_take(lane);

	if (go_on && c->kind && valid_fatal(&c->why)) {
		*e = c->why;
		go_on = false;
	}
	if (go_on) {
		valid_checked(v, 1, c->bytes);
		take_in(v, c);
		go_on = !valid_stopped(v, e);
	}
	check_free(c);
	return go_on;
}

static struct check *check_new(struct valid *v, uint32_t number)
{
	const struct vbundle *b = &v->bundles[number];
	struct check *c = mem_zalloc(sizeof *c);

	c->job.run = check_run;
	c->repo = v->repo;
	c->stop = v->o->stop;
	c->number = number;
	c->level = v->o->level;
	c->name = b->name;
	c->type = b->type;
	c->told = b->size;
	c->want_dir = !b->has_dir;
	name_of_id(&b->name, c->file);
	folder_of(b->type, &b->name, c->folder);
	return c;
}

static bool list_folder(
    struct valid *v, enum file_type type, const char *folder, struct err *e)
{
	struct store_listing l = {0};
	char right[16], *path;
	struct id id;
	bool ok = repo_list(v->repo, folder, &l, e);

	for (size_t i = 0; ok && i < l.n; i++) {
		if (id_of_name(l.names[i], &id) &&
		    strcmp(folder_of(type, &id, right), folder) == 0) {
			valid_bundle_named(v, type, &id)->listed = true;
			continue;
		}
		path = mem_printf("%s/%s", folder, l.names[i]);
		valid_note(v, path, "not a name of bale's there: left alone");
		free(path);
	}
	store_listing_release(&l);
	return ok;
}

static bool list_all(struct valid *v, struct err *e)
{
	char folder[16];

	for (unsigned i = 0; i < 16; i++) {
		snprintf(folder, sizeof folder, "data/%x", i);
		if (!list_folder(v, FILE_DATA, folder, e))
			return false;
	}
	return list_folder(v, FILE_HUNKS, "hunks", e);
}

static int by_size(const void *a, const void *b, void *arg)
{
	const struct vbundle *v = arg, *x = &v[*(const uint32_t *)a],
			     *y = &v[*(const uint32_t *)b];

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return memcmp(x->name.b, y->name.b, ID_SIZE);
}

bool valid_bundles(struct valid *v, struct err *e)
{
	struct lane *lane;
	uint32_t *order;
	size_t n = 0;
	bool ok = true;

	if (!list_all(v, e))
		return false;
	order = mem_array(v->n_bundles + 1, sizeof *order);
	for (uint32_t i = 0; i < v->n_bundles; i++)
		if (v->bundles[i].listed) {
			order[n++] = i;
			v->progress.bytes_total += v->bundles[i].size;
		}
	if (v->o->level == VALIDATE_QUICK)
		v->progress.bytes_total = 0;
	v->progress.files_total = v->progress.files + n;
	/* The largest first, so that all threads end at about the same time. */
	qsort_r(order, n, sizeof *order, by_size, v->bundles);
	lane = lane_new(v->pool);
	for (size_t i = 0; ok && i < n; i++) {
		lane_put(lane, &check_new(v, order[i])->job);
		if (lane_jobs(lane) > 4 * (size_t)pool_threads(v->pool))
			ok = take(v, lane, true, e);
	}
	while (lane_jobs(lane) > 0)
		ok = take(v, lane, ok, e) && ok;
	lane_free(lane);
	free(order);
	return ok;
}

void valid_bundles_judge(struct valid *v)
{
	for (uint32_t i = 0; i < v->n_bundles; i++) {
		struct vbundle *b = &v->bundles[i];
		char name[2 * ID_SIZE + 1], folder[16], *path;

		if (!b->listed) {
			if (b->required && !b->gone)
				damage_of_bundle(v, i);
		} else if (b->kind && (b->named || !b->torn)) {
			damage_of_bundle(v, i);
		} else if (b->kind) {
			name_of_id(&b->name, name);
			path = mem_printf(
			    "%s/%s", folder_of(b->type, &b->name, folder), name);
			v->result->litter++;
			valid_note(v, path, "left by an attempt that was cut off");
			free(path);
		}
	}
}
