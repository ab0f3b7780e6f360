/* Headers, trailers and directories of bundles. */
#include "format/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/codec.h"

static uint64_t state = 521288629546311u;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static void random_directory(struct directory *d, uint32_t frames)
{
	uint8_t digest[DIGEST_SHORT];
	uint32_t i, k, chunks;
	struct id id;
	bool padding;

	for (i = 0; i < frames; i++) {
		padding = chance(6) == 0;
		chunks = padding ? 0 : 1 + (uint32_t)chance(chance(4) ? 3 : 60);
		for (k = 0; k < chunks; k++) {
			memset(id.b, (int)chance(256), ID_SIZE);
			directory_add_chunk(d, &id, 1 + (uint32_t)chance(200000));
		}
		memset(digest, (int)chance(256), sizeof digest);
		directory_add_frame(d, 1 + (uint32_t)chance(1u << 20),
		    padding ? FRAME_PADDING : chance(2) ? FRAME_RAW : FRAME_ZSTD, digest);
	}
}

static void check_same(const struct directory *a, const struct directory *b)
{
	const struct frame_rec *x, *y;
	uint32_t i;

	assert_int_equal(a->n_frames, b->n_frames);
	assert_int_equal(a->n_chunks, b->n_chunks);
	for (i = 0; i < a->n_frames; i++) {
		x = &a->frames[i];
		y = &b->frames[i];
		assert_int_equal(x->at, y->at);
		assert_true(x->stored == y->stored && x->plain == y->plain);
		assert_true(x->method == y->method && x->first == y->first);
		assert_int_equal(x->chunks, y->chunks);
		assert_memory_equal(x->digest, y->digest, DIGEST_SHORT);
	}
	for (i = 0; i < a->n_chunks; i++) {
		assert_true(id_equal(&a->ids[i], &b->ids[i]));
		assert_int_equal(a->lengths[i], b->lengths[i]);
	}
}

/* Every slot's frame and place, counted by hand. */
static void check_places(const struct directory *d)
{
	uint32_t frame, i, slot = 0, at;
	uint64_t offset = FILE_HEAD_SIZE;

	for (frame = 0; frame < d->n_frames; frame++) {
		assert_int_equal(d->frames[frame].at, offset);
		offset += d->frames[frame].stored;
		at = 0;
		for (i = 0; i < d->frames[frame].chunks; i++, slot++) {
			assert_int_equal(directory_frame_of(d, slot), frame);
			assert_int_equal(directory_chunk_at(d, slot), at);
			at += d->lengths[slot];
		}
		assert_int_equal(d->frames[frame].plain, at);
	}
	assert_int_equal(slot, d->n_chunks);
}

static bool directory_decodes(struct span s, struct fault *f)
{
	struct directory d = DIRECTORY_EMPTY;
	bool ok = directory_decode(s, &d, f);

	assert_true(ok || (d.n_frames == 0 && d.n_chunks == 0));
	directory_release(&d);
	return ok;
}

static const struct codec directory_codec = {"bundle", directory_decodes, NULL};

static void test_directory(void **s)
{
	struct directory d = DIRECTORY_EMPTY, got = DIRECTORY_EMPTY;
	struct buf out = BUF_EMPTY;
	struct fault f;
	uint32_t round;

	(void)s;
	for (round = 0; round < 40; round++) {
		directory_clear(&d);
		random_directory(&d, (uint32_t)chance(30));
		buf_clear(&out);
		directory_encode(&d, &out);
		assert_true(directory_decode(buf_span(&out), &got, &f));
		check_same(&d, &got);
		check_places(&got);
		if (out.n < 1000)
			assert_true(codec_truncations(&directory_codec, buf_span(&out)));
	}
	directory_release(&d);
	directory_release(&got);
	buf_release(&out);
}

static void test_frames_too_long_together(void **s)
{
	struct directory d = DIRECTORY_EMPTY;
	struct buf out = BUF_EMPTY;
	const uint8_t digest[DIGEST_SHORT] = {0};
	struct id id = {{0}};
	struct fault f;
	int i;

	(void)s;
	for (i = 0; i < 17; i++) {
		directory_add_chunk(&d, &id, 1);
		directory_add_frame(&d, 32u << 20, FRAME_RAW, digest);
	}
	directory_encode(&d, &out);
	assert_false(directory_decodes(buf_span(&out), &f));
	assert_int_equal(f.kind, FAULT_LIMIT);
	directory_release(&d);
	buf_release(&out);
}

static void test_header(void **s)
{
	struct file_head got, h = {FILE_DELTA, 64, {1, 2, 3}, {4, 5, 6}};
	uint8_t out[FILE_HEAD_SIZE];
	struct fault f;
	size_t i;

	(void)s;
	file_head_encode(&h, out);
	assert_true(file_head_decode(span_of(out, sizeof out), &got, &f));
	assert_memory_equal(got.repo, h.repo, REPO_ID_SIZE);
	assert_memory_equal(got.salt, h.salt, SALT_SIZE);
	assert_true(got.type == FILE_DELTA && got.total == 64);
	for (i = 0; i < sizeof out; i++) {
		assert_false(file_head_decode(span_of(out, i), &got, &f));
		assert_int_equal(f.kind, FAULT_TRUNCATED);
	}
	assert_false(file_head_decode(SPAN_EMPTY, &got, &f));
	assert_int_equal(f.kind, FAULT_TRUNCATED);
	assert_false(file_head_decode(span_str("{\"bale\""), &got, &f));
	assert_int_equal(f.kind, FAULT_FOREIGN);
	h.total = 63;
	file_head_encode(&h, out);
	assert_false(file_head_decode(span_of(out, sizeof out), &got, &f));
	assert_int_equal(f.kind, FAULT_CORRUPT);
	h.total = DELTA_MAX + 1;
	file_head_encode(&h, out);
	assert_false(file_head_decode(span_of(out, sizeof out), &got, &f));
	assert_int_equal(f.kind, FAULT_LIMIT);
}

static void test_trailer(void **s)
{
	struct bundle_trailer got, t = {.directory_at = 100, .directory_stored = 72,
	    .pick = 11, .directory_digest = {9, 8}, .total = 316,
	    .run = "20261121060000-ab-1", .salt = {5, 4}, .digest = {{7, 6}}};
	uint8_t out[3 + BUNDLE_TRAIL_SIZE] = {1, 2, 3};
	struct fault f;
	size_t i;

	(void)s;
	bundle_trailer_encode(&t, out + 3);
	assert_true(bundle_trailer_decode(span_of(out, sizeof out), &got, &f));
	assert_true(got.directory_at == 100 && got.directory_stored == 72 &&
	    got.pick == 11);
	assert_memory_equal(got.directory_digest, t.directory_digest, DIGEST_SHORT);
	assert_int_equal(got.total, 316);
	assert_string_equal(got.run, t.run);
	assert_memory_equal(got.salt, t.salt, SALT_SIZE);
	assert_true(id_equal(&got.digest, &t.digest));
	for (i = 0; i < BUNDLE_TRAIL_SIZE; i++) {
		assert_false(bundle_trailer_decode(span_of(out + 3, i), &got, &f));
		assert_int_equal(f.kind, FAULT_TRUNCATED);
	}
}

/* A whole bundle of an unencrypted repository. */
static bool decodes(struct span s, struct fault *f)
{
	struct file_head h;
	struct bundle_trailer t;

	if (!file_head_decode(s, &h, f) || !bundle_trailer_decode(s, &t, f))
		return false;
	if (h.total != s.n || t.total != s.n)
		return fault_set(f, FAULT_TRUNCATED, s.n, "not the total length");
	return directory_decodes(span_of(s.p + t.directory_at, t.directory_stored), f);
}

static void recode(struct span s, struct buf *out)
{
	struct file_head h;
	struct bundle_trailer t;
	struct directory d = DIRECTORY_EMPTY;

	assert_true(file_head_decode(s, &h, NULL));
	assert_true(bundle_trailer_decode(s, &t, NULL));
	file_head_encode(&h, buf_extend(out, FILE_HEAD_SIZE));
	buf_add(out, s.p + FILE_HEAD_SIZE, t.directory_at - FILE_HEAD_SIZE);
	assert_true(directory_decode(
	    span_of(s.p + t.directory_at, t.directory_stored), &d, NULL));
	directory_encode(&d, out);
	directory_release(&d);
	bundle_trailer_encode(&t, buf_extend(out, BUNDLE_TRAIL_SIZE));
}

static const struct codec codec = {"bundle", decodes, recode};

static void test_vectors(void **s)
{
	(void)s;
	assert_true(codec_vectors(&codec, 3, 30, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_directory),
	    cmocka_unit_test(test_frames_too_long_together),
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_trailer),
	    cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
