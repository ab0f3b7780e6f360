/*
 * A bundle: header, frames, directory, trailer (bundle.md). The header also begins a
 * delta. Nothing here hashes, unseals or decompresses; digests are carried, not checked.
 */
#ifndef BALE_FORMAT_BUNDLE_H
#define BALE_FORMAT_BUNDLE_H

#include "format/wire.h"

#define FILE_HEAD_SIZE    64
#define BUNDLE_TRAIL_SIZE 144
#define BUNDLE_MIN        (FILE_HEAD_SIZE + BUNDLE_TRAIL_SIZE) /* of a whole bundle */

enum file_type { FILE_DATA = 'D', FILE_HUNKS = 'H', FILE_DELTA = 'I' };

struct file_head {
	enum file_type type;
	uint64_t total; /* length of the whole file */
	uint8_t repo[REPO_ID_SIZE];
	uint8_t salt[SALT_SIZE]; /* random: makes the name fresh */
};

void file_head_encode(const struct file_head *h, uint8_t out[FILE_HEAD_SIZE]);

/* Reads the first FILE_HEAD_SIZE bytes of s. */
bool file_head_decode(struct span s, struct file_head *h, struct fault *f);

/* The last bytes. digest is BLAKE2b-192 of the header and of the trailer before it. */
struct bundle_trailer {
	uint64_t directory_at;      /* offset from the start of the file */
	uint32_t directory_stored;  /* its sealed length */
	uint32_t pick;              /* any: another one makes another name */
	uint8_t directory_digest[DIGEST_SHORT]; /* of its sealed bytes */
	uint64_t total;
	char run[BAND_MAX_LEN + 1]; /* the band whose run wrote it, NUL-padded */
	uint8_t salt[SALT_SIZE];    /* the header's, so that the end tells it too */
	struct id digest;
};

/* The digest covers the header and this many bytes of the trailer. */
#define BUNDLE_TRAIL_DIGESTED (BUNDLE_TRAIL_SIZE - ID_SIZE)

void bundle_trailer_encode(
    const struct bundle_trailer *t, uint8_t out[BUNDLE_TRAIL_SIZE]);

/* Reads the last BUNDLE_TRAIL_SIZE bytes of s; a fault's `at` counts from their start. */
bool bundle_trailer_decode(struct span s, struct bundle_trailer *t, struct fault *f);

enum frame_method { FRAME_RAW = 0, FRAME_ZSTD = 1, FRAME_PADDING = 2 };

struct frame_rec {
	uint64_t at;     /* offset in the bundle; derived: frames stand end to end */
	uint32_t stored; /* sealed length */
	uint32_t plain;  /* length before compression; the sum of its chunks */
	enum frame_method method;
	uint32_t first;  /* slot of its first chunk; derived */
	uint32_t chunks;
	uint8_t digest[DIGEST_SHORT]; /* BLAKE2b-128 of the stored bytes */
};

/*
 * The directory in memory. A chunk's slot is its place in ids and lengths; frames hold
 * consecutive slots.
 */
struct directory {
	struct frame_rec *frames;
	uint32_t n_frames;
	struct id *ids;
	uint32_t *lengths;
	uint32_t n_chunks;
	size_t frames_cap, ids_cap, lengths_cap; /* capacities */
};

#define DIRECTORY_EMPTY {NULL, 0, NULL, NULL, 0, 0, 0, 0}

void directory_release(struct directory *d);
void directory_clear(struct directory *d);

/* Append a chunk; it belongs to the next frame that is added. */
void directory_add_chunk(struct directory *d, const struct id *id, uint32_t length);

/* Append a frame that holds the chunks added since the last; at and first are derived. */
void directory_add_frame(struct directory *d, uint32_t stored, enum frame_method method,
    const uint8_t *digest);

void directory_encode(const struct directory *d, struct buf *out);

/* Replaces what *d holds. On failure *d is empty. */
bool directory_decode(struct span s, struct directory *d, struct fault *f);

/* The frame that holds a slot: its number. slot < n_chunks. */
uint32_t directory_frame_of(const struct directory *d, uint32_t slot);

/* Offset of a chunk in its frame's plain bytes. */
uint32_t directory_chunk_at(const struct directory *d, uint32_t slot);

#endif
