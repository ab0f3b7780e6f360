/* Opening bundles, frames, chunks: what is read, how often, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/pool.h"
#include "bundle/read.h"
#include "codec/digest.h"
#include "tests/support/bytes.h"
#include "tests/support/repo_make.h"
#include "tests/support/steady.h"

#define CHUNKS 7

/* A repository behind a counting store, and chunks to put in it. */
struct scene {
	struct repo *r;
	struct store *trace;
	struct buf content[CHUNKS];
	struct span chunks[CHUNKS];
	struct id ids[CHUNKS];
};

static void scene_init(
    struct scene *s, bool encrypted, enum file_type type, size_t length)
{
	memset(s, 0, sizeof *s);
	s->trace = store_trace_new(store_mem_new(env));
	s->r = repo_make(s->trace, env, encrypted);
	for (size_t i = 0; i < CHUNKS; i++) {
		if (i % 2)
			bytes_noise(&s->content[i], length + i, i + 1);
		else
			bytes_text(&s->content[i], length + i, i + 1);
		s->chunks[i] = buf_span(&s->content[i]);
		chunk_id(s->r, type, s->chunks[i], &s->ids[i]);
	}
}

static void scene_release(struct scene *s)
{
	for (size_t i = 0; i < CHUNKS; i++)
		buf_release(&s->content[i]);
	repo_close(s->r);
}

static uint64_t gets(const struct scene *s)
{
	struct store_counts c;

	store_trace_counts(s->trace, &c);
	return c.get;
}

/* Reads every chunk through its frame, without a reader. */
static bool read_all(struct scene *s, const struct bundle *b, struct err *e)
{
	struct buf stored = BUF_EMPTY, plain = BUF_EMPTY;
	struct span chunk;
	bool ok = true;

	for (uint32_t i = 0; i < CHUNKS && ok; i++) {
		uint32_t frame = directory_frame_of(&b->dir, i);

		buf_clear(&stored);
		ok = frame_get(s->r, b, frame, &stored, e) &&
		     frame_open(
			 s->r, &b->dir.frames[frame], buf_span(&stored), &plain, e) &&
		     chunk_in_frame(s->r, b, i, buf_span(&plain), &s->ids[i], &chunk, e);
		if (ok)
			assert_true(span_equal(chunk, s->chunks[i]));
	}
	buf_release(&stored);
	buf_release(&plain);
	return ok;
}

static void small_bundle(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		enum file_type type = i % 2 ? FILE_DATA : FILE_HUNKS;
		struct scene s;
		struct bundle *b;
		struct err e = ERR_EMPTY;
		struct id name;
		uint64_t before;

		scene_init(&s, i / 2, type, 300);
		bundle_store(s.r, type, s.chunks, CHUNKS, 3, &name);
		before = gets(&s);
		assert_true(bundle_open(s.r, type, &name, &b, &e));
		assert_int_equal(b->dir.n_frames, 3);
		assert_int_equal(b->dir.n_chunks, CHUNKS);
		assert_string_equal(b->run, "20261118021007-0123456789abcdef-1");
		assert_true(read_all(&s, b, &e));
		assert_int_equal(
		    gets(&s) - before, 1); /* frames in the tail cost nothing */
		bundle_free(b);
		scene_release(&s);
	}
}

static void large_bundle(void **state)
{
	struct scene s;
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct id name;
	uint64_t before;

	(void)state;
	scene_init(&s, true, FILE_DATA, 4 * BUNDLE_TAIL);
	bundle_store(s.r, FILE_DATA, s.chunks, CHUNKS, 1, &name);
	before = gets(&s);
	assert_true(bundle_open(s.r, FILE_DATA, &name, &b, &e));
	assert_int_equal(gets(&s) - before, 1);
	assert_true(read_all(&s, b, &e));
	assert_int_equal(gets(&s) - before, 1 + CHUNKS);
	bundle_free(b);
	scene_release(&s);
}

/* A directory that does not fit the first read: one more. */
static void long_directory(void **state)
{
	enum { many = 12000 };
	struct span *chunks = calloc(many, sizeof *chunks);
	uint32_t *numbers = calloc(many, sizeof *numbers);
	struct scene s;
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct id name, id;
	uint64_t before;

	(void)state;
	for (uint32_t i = 0; i < many; i++) {
		numbers[i] = i;
		chunks[i] = span_of(&numbers[i], sizeof *numbers);
	}
	scene_init(&s, true, FILE_DATA, 10);
	bundle_store(s.r, FILE_DATA, chunks, many, 100, &name);
	before = gets(&s);
	assert_true(bundle_open(s.r, FILE_DATA, &name, &b, &e));
	assert_int_equal(gets(&s) - before, 2);
	assert_int_equal(b->dir.n_chunks, many);
	chunk_id(s.r, FILE_DATA, chunks[4321], &id);
	assert_true(id_equal(&id, &b->dir.ids[4321]));
	bundle_free(b);
	scene_release(&s);
	free(chunks);
	free(numbers);
}

/* Any flipped byte is noticed at opening or at reading; nothing wrong comes out. */
static void flipped(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		char text[2 * ID_SIZE + 1], folder[16];
		struct buf file = BUF_EMPTY;
		struct scene s;
		struct bundle *b;
		struct err e = ERR_EMPTY;
		struct id name;

		scene_init(&s, encrypted, FILE_DATA, 100);
		bundle_make(s.r, FILE_DATA, s.chunks, CHUNKS, 3, &file, &name);
		name_of_id(&name, text);
		folder_of(FILE_DATA, &name, folder);
		for (size_t i = 0; i < 2 * file.n; i++) {
			uint8_t bit = i % 2 ? 0x80 : 1;
			bool ok;

			file.p[i / 2] ^= bit;
			store_replace(s.r->store, folder, text, buf_span(&file));
			ok = bundle_open(s.r, FILE_DATA, &name, &b, &e);
			if (!ok)
				assert_non_null(strstr(e.text, text));
			if (ok)
				ok = read_all(&s, b, &e);
			if (ok)
				fail_msg("byte %zu of %zu goes unseen", i / 2, file.n);
			if (e.kind != ERR_CORRUPT)
				fail_msg("byte %zu: %s", i / 2, e.text);
			bundle_free(b);
			file.p[i / 2] ^= bit;
		}
		for (size_t n = 1; n < file.n; n++) {
			store_replace(s.r->store, folder, text, span_of(file.p, n));
			assert_false(bundle_open(s.r, FILE_DATA, &name, &b, &e));
			assert_int_equal(e.kind, ERR_CORRUPT);
		}
		store_remove(s.r->store, folder, text, NULL);
		assert_false(bundle_open(s.r, FILE_DATA, &name, &b, &e));
		assert_int_equal(e.kind, ERR_MISSING);
		assert_null(b);
		buf_release(&file);
		scene_release(&s);
	}
}

static void foreign(void **state)
{
	char text[2 * ID_SIZE + 1], folder[16];
	struct buf file = BUF_EMPTY;
	struct scene s;
	struct repo *other = repo_make(store_mem_new(env), env, false);
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct id name;

	(void)state;
	scene_init(&s, false, FILE_HUNKS, 100);
	bundle_make(s.r, FILE_HUNKS, s.chunks, CHUNKS, 3, &file, &name);
	name_of_id(&name, text);
	store_replace(other->store, "hunks", text, buf_span(&file));
	assert_false(bundle_open(other, FILE_HUNKS, &name, &b, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.text, "another repository"));

	store_replace(
	    s.r->store, folder_of(FILE_DATA, &name, folder), text, buf_span(&file));
	assert_false(bundle_open(s.r, FILE_DATA, &name, &b, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.text, "another type"));
	store_replace(s.r->store, "hunks", text, span_str("<html>504</html>"));
	assert_false(bundle_open(s.r, FILE_HUNKS, &name, &b, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	buf_release(&file);
	repo_close(other);
	scene_release(&s);
}

/* A version to come keeps magic and header; its end may look as it likes. */
static void newer(void **state)
{
	char text[2 * ID_SIZE + 1];
	struct buf file = BUF_EMPTY;
	struct scene s;
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct id name;

	(void)state;
	scene_init(&s, false, FILE_HUNKS, 100);
	bundle_make(s.r, FILE_HUNKS, s.chunks, CHUNKS, 3, &file, &name);
	file.p[9] = 2;
	memset(file.p + file.n - BUNDLE_TRAIL_SIZE, 0x55, BUNDLE_TRAIL_SIZE);
	name_of_id(&name, text);
	store_replace(s.r->store, "hunks", text, buf_span(&file));
	assert_false(bundle_open(s.r, FILE_HUNKS, &name, &b, &e));
	assert_int_equal(e.kind, ERR_NEWER);
	buf_release(&file);
	scene_release(&s);
}

/* The bundle shrinks behind an opened directory. */
static void short_frame(void **state)
{
	char text[2 * ID_SIZE + 1], folder[16];
	struct buf file = BUF_EMPTY, stored = BUF_EMPTY;
	struct scene s;
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct id name;

	(void)state;
	scene_init(&s, true, FILE_DATA, 100000);
	bundle_make(s.r, FILE_DATA, s.chunks, CHUNKS, 1, &file, &name);
	name_of_id(&name, text);
	folder_of(FILE_DATA, &name, folder);
	store_replace(s.r->store, folder, text, buf_span(&file));
	assert_true(bundle_open(s.r, FILE_DATA, &name, &b, &e));
	store_replace(s.r->store, folder, text, span_of(file.p, 1000));
	buf_add_str(&stored, "kept");
	assert_false(frame_get(s.r, b, 0, &stored, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_string_equal(buf_str(&stored), "kept");
	bundle_free(b);
	buf_release(&file);
	buf_release(&stored);
	scene_release(&s);
}

static void reader(void **state)
{
	struct chunk_reader *cr;
	struct scene s;
	struct span chunk;
	struct err e = ERR_EMPTY;
	struct id names[3], nothing = {{1}};
	uint64_t before;

	(void)state;
	scene_init(&s, true, FILE_HUNKS, 70000);
	for (int i = 0; i < 3; i++)
		bundle_store(s.r, FILE_HUNKS, s.chunks, CHUNKS, 2, &names[i]);
	cr = chunk_reader_new(s.r, 2, 2);
	before = gets(&s);
	for (int round = 0; round < 2; round++) {
		for (uint32_t slot = 0; slot < 2; slot++) {
			assert_true(chunk_read(
			    cr, FILE_HUNKS, &names[0], slot, &s.ids[slot], &chunk, &e));
			assert_true(span_equal(chunk, s.chunks[slot]));
		}
	}
	assert_int_equal(gets(&s) - before, 2); /* the bundle's end, and one frame */

	/* A wrong hint costs no frame. */
	assert_false(chunk_read(cr, FILE_HUNKS, &names[0], 2, &s.ids[3], &chunk, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_false(
	    chunk_read(cr, FILE_HUNKS, &names[0], CHUNKS, &s.ids[0], &chunk, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(gets(&s) - before, 2);

	/* Through all three and back: what was used longest ago has gone. */
	before = gets(&s);
	assert_true(chunk_read(cr, FILE_HUNKS, &names[1], 0, &s.ids[0], &chunk, &e));
	assert_true(chunk_read(cr, FILE_HUNKS, &names[0], 0, &s.ids[0], &chunk, &e));
	assert_int_equal(gets(&s) - before, 2);
	assert_true(chunk_read(cr, FILE_HUNKS, &names[2], 0, &s.ids[0], &chunk, &e));
	assert_true(chunk_read(cr, FILE_HUNKS, &names[0], 1, &s.ids[1], &chunk, &e));
	assert_int_equal(gets(&s) - before, 4);
	assert_true(chunk_read(cr, FILE_HUNKS, &names[1], 0, &s.ids[0], &chunk, &e));
	assert_int_equal(gets(&s) - before, 6);

	/* A failure leaves a reader that goes on. */
	assert_false(chunk_read(cr, FILE_HUNKS, &nothing, 0, &s.ids[0], &chunk, &e));
	assert_int_equal(e.kind, ERR_MISSING);
	for (uint32_t slot = 0; slot < CHUNKS; slot++) {
		assert_true(chunk_read(
		    cr, FILE_HUNKS, &names[2], slot, &s.ids[slot], &chunk, &e));
		assert_true(span_equal(chunk, s.chunks[slot]));
	}
	chunk_reader_free(cr);
	scene_release(&s);
}

/*
 * Opened ahead, some passed over, one not there, one asked for twice, one not expected.
 */
static void expects(void **state)
{
	enum { many = 50 };
	struct chunk_reader *cr;
	struct scene s;
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct id names[many], gone = {{1}};
	uint64_t before;

	(void)state;
	for (unsigned transfers = 0; transfers < 10; transfers += 9) {
		scene_init(&s, true, FILE_HUNKS, 700);
		s.r->transfers = transfers;
		for (int i = 0; i < many; i++)
			bundle_store(s.r, FILE_HUNKS, s.chunks, CHUNKS, 2, &names[i]);
		cr = chunk_reader_new(s.r, 2, 2);
		names[20] = gone;
		chunk_reader_expect(cr, FILE_HUNKS, names, many - 1);
		before = gets(&s);
		for (int i = 0; i < many - 8; i++)
			if (i % 5 != 2)
				assert_int_equal(chunk_reader_bundle(cr, FILE_HUNKS, &names[i],
				                     &b, &e), i != 20);
		assert_true(chunk_reader_bundle(cr, FILE_HUNKS, &names[many - 1], &b, &e));
		assert_true(chunk_reader_bundle(cr, FILE_HUNKS, &names[0], &b, &e));
		assert_true(id_equal(&b->name, &names[0]));
		assert_true(gets(&s) - before <= many + 3);
		chunk_reader_free(cr); /* with some under way */
		scene_release(&s);
	}
}

/*
 * Frame after frame of 60 MiB in 19 reads; each by itself where they are asked for
 * anyhow.
 */
static void reads_on(void **state)
{
	enum { many = 600 };
	struct span *chunks = calloc(many, sizeof *chunks);
	struct id *ids = calloc(many, sizeof *ids), name, other;
	struct buf all = BUF_EMPTY;
	struct chunk_reader *cr;
	struct scene s;
	struct span chunk;
	struct err e = ERR_EMPTY;
	uint64_t before;

	(void)state;
	scene_init(&s, true, FILE_DATA, 10);
	bytes_noise(&all, many * 100000, 1);
	for (uint32_t i = 0; i < many; i++) {
		chunks[i] = span_of(all.p + i * 100000, 100000);
		chunk_id(s.r, FILE_DATA, chunks[i], &ids[i]);
	}
	bundle_store(s.r, FILE_DATA, chunks, many, 1, &name);
	bundle_store(s.r, FILE_DATA, chunks, 20, 1, &other);
	cr = chunk_reader_new(s.r, 2, 2);
	before = gets(&s);
	for (uint32_t i = 0; i < many; i++) {
		assert_true(chunk_read(cr, FILE_DATA, &name, i, &ids[i], &chunk, &e));
		assert_true(span_equal(chunk, chunks[i]));
		if (i % 100 == 50) /* something else in between does not matter */
			assert_true(chunk_read(
			    cr, FILE_DATA, &other, 19, &ids[19], &chunk, &e));
	}
	assert_true(gets(&s) - before <= 2 + 20);
	before = gets(&s);
	for (uint32_t i = 0; i < 50; i++) {
		uint32_t slot = i * 251 % many;

		assert_true(chunk_read(cr, FILE_DATA, &name, slot, &ids[slot], &chunk, &e));
		assert_true(span_equal(chunk, chunks[slot]));
	}
	assert_true(gets(&s) - before >= 45);
	chunk_reader_free(cr);
	buf_release(&all);
	free(chunks);
	free(ids);
	scene_release(&s);
}

/* Frames changed places: each opens, and no chunk passes. */
static void frames_exchanged(void **state)
{
	struct buf stored = BUF_EMPTY, plain = BUF_EMPTY;
	struct scene s;
	struct bundle *b;
	struct span chunk;
	struct err e = ERR_EMPTY;
	struct id name;

	(void)state;
	scene_init(&s, true, FILE_DATA, 100);
	for (int i = 1; i < CHUNKS; i++)
		s.chunks[i].n = s.chunks[0].n;
	bundle_store(s.r, FILE_DATA, s.chunks, CHUNKS, 1, &name);
	assert_true(bundle_open(s.r, FILE_DATA, &name, &b, &e));
	assert_true(frame_get(s.r, b, 1, &stored, &e));
	assert_true(frame_open(s.r, &b->dir.frames[0], buf_span(&stored), &plain, &e));
	assert_false(
	    chunk_in_frame(s.r, b, 0, buf_span(&plain), &b->dir.ids[0], &chunk, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	bundle_free(b);
	buf_release(&stored);
	buf_release(&plain);
	scene_release(&s);
}

struct open_job {
	struct job job;
	struct scene *s;
	const struct bundle *b;
	bool ok;
};

static void run_open(struct job *job)
{
	struct open_job *o = (struct open_job *)job;
	struct bundle *own;
	struct err e = ERR_EMPTY;

	o->ok = bundle_open(o->s->r, FILE_DATA, &o->b->name, &own, &e) &&
		read_all(o->s, o->b, &e);
	bundle_free(own);
}

static void many_threads(void **state)
{
	struct open_job jobs[24];
	struct pool *pool = pool_new(4);
	struct lane *lane = lane_new(pool);
	struct scene s;
	struct bundle *b;
	struct err e = ERR_EMPTY;
	struct id name;

	(void)state;
	scene_init(&s, true, FILE_DATA, 20000);
	bundle_store(s.r, FILE_DATA, s.chunks, CHUNKS, 2, &name);
	assert_true(bundle_open(s.r, FILE_DATA, &name, &b, &e));
	for (size_t i = 0; i < 24; i++) {
		jobs[i] = (struct open_job){
		    {run_open, 0, NULL, NULL, NULL, false}, &s, b, false};
		lane_put(lane, &jobs[i].job);
	}
	while (lane_take(lane))
		;
	for (size_t i = 0; i < 24; i++)
		assert_true(jobs[i].ok);
	lane_free(lane);
	pool_free(pool);
	bundle_free(b);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_bundle),
	    cmocka_unit_test(large_bundle),
	    cmocka_unit_test(long_directory),
	    cmocka_unit_test(flipped),
	    cmocka_unit_test(foreign),
	    cmocka_unit_test(newer),
	    cmocka_unit_test(short_frame),
	    cmocka_unit_test(reader),
	    cmocka_unit_test(expects),
	    cmocka_unit_test(reads_on),
	    cmocka_unit_test(frames_exchanged),
	    cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests_name("bundle_read", tests, steady_begin, steady_end);
}
