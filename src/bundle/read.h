/*
 * Reading bundles: the directory in one read of the file's end, a frame in one read.
 */
#ifndef BALE_BUNDLE_READ_H
#define BALE_BUNDLE_READ_H

#include "format/bundle.h"
#include "repo/repo.h"

/*
 * Read of a bundle to open it: the directory of 32 MiB of small files and, in a bundle of
 * hunks, some of the hunks. Where an operation costs 100 ms, this costs less than a
 * second one.
 */
#define BUNDLE_TAIL (256u << 10)

/* A bundle that has been opened. */
struct bundle {
	struct id name;
	enum file_type type;
	uint64_t size;
	char run[BAND_MAX_LEN + 1];
	struct directory dir;
	/* Frames at the end that came with the directory: they cost no more reads. */
	struct buf tail;
	uint64_t tail_at;
};

/*
 * Read the trailer and the directory: one read, a second where the directory is longer
 * than BUNDLE_TAIL. Checks sizes, digests and the repository's id, and
 * unseals. ERR_MISSING, ERR_CORRUPT, ERR_NEWER, ERR_IO. Any thread. Freed with
 * bundle_free.
 */
bool bundle_open(struct repo *r, enum file_type type, const struct id *name,
    struct bundle **out, struct err *e);
void bundle_free(struct bundle *b); /* NULL is harmless */

/* Append a frame's stored bytes: from the tail at hand, or by one read. Any thread. */
bool frame_get(struct repo *r, const struct bundle *b, uint32_t frame, struct buf *stored,
    struct err *e);

/*
 * Undo a frame: unseal it (or check its digest, where nothing is sealed), and expand into
 * *plain (replaced). Sealed frames do not know their place: chunk_in_frame does. Any
 * thread, no I/O. ERR_CORRUPT, ERR_NEWER.
 */
bool frame_open(struct repo *r, const struct frame_rec *rec, struct span stored,
    struct buf *plain, struct err *e);

/* The id of a chunk: of file content (FILE_DATA), or of hunks and lists (FILE_HUNKS). */
void chunk_id(struct repo *r, enum file_type type, struct span plain, struct id *out);

/*
 * The chunk in a slot, cut out of its frame's plain bytes and verified: ERR_CORRUPT
 * unless the directory and the bytes both say `want`. Any thread.
 */
bool chunk_in_frame(struct repo *r, const struct bundle *b, uint32_t slot,
    struct span plain, const struct id *want, struct span *out, struct err *e);

/*
 * Reading one chunk after another (hunks, lists, cat, rescues): keeps the bundles opened
 * and the frames decoded most recently, so many of each. One thread.
 */
struct chunk_reader;

struct chunk_reader *chunk_reader_new(struct repo *r, unsigned bundles, unsigned frames);
void chunk_reader_free(struct chunk_reader *cr);

/*
 * Bundles that will be opened soon, in this order, most of them once: some are opened
 * ahead, as many as r->transfers at once. Instead of what was told before.
 */
void chunk_reader_expect(
    struct chunk_reader *cr, enum file_type type, const struct id *bundles, size_t n);

/* Valid until the next call on the reader. */
bool chunk_reader_bundle(struct chunk_reader *cr, enum file_type type,
    const struct id *name, struct bundle **out, struct err *e);

/*
 * The span is valid until the next call. ERR_CORRUPT where the slot holds something else.
 */
bool chunk_read(struct chunk_reader *cr, enum file_type type, const struct id *bundle,
    uint32_t slot, const struct id *want, struct span *out, struct err *e);

#endif
