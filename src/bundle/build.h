/*
 * A bundle being put together in memory, and its way onto the storage, on which its
 * frames may wait in a file.
 */
#ifndef BALE_BUNDLE_BUILD_H
#define BALE_BUNDLE_BUILD_H

#include "format/bundle.h"
#include "repo/cache.h"

/*
 * Lanes of nonce_derive under the seed of a packer: tickets are frames, and attempts at
 * bundles.
 */
enum { BUILD_LANE_FRAMES = 1, BUILD_LANE_DIRECTORY = 2, BUILD_LANE_SALT = 3 };

/* Associated data of a frame: the repository's id and 'F' (crypto.md). */
#define FRAME_AAD_SIZE (REPO_ID_SIZE + 1)
void frame_aad(const struct repo *r, uint8_t out[FRAME_AAD_SIZE]);

struct build {
	enum file_type type;
	char run[BAND_MAX_LEN + 1];
	const uint8_t *seed; /* with the serial, salts and directory nonces follow from it */
	uint64_t serial;
	unsigned folders; /* DATA_FOLDERS, where any name will do */
	struct directory dir;
	struct buf *frames; /* stored bytes */
	size_t n_frames, cap;
	uint64_t stored;    /* bytes of the frames */
	int spool;          /* holds the frames instead, in a row; -1: no */
	/* when it has been put */
	struct id name;
	uint64_t size;
	/* of the attempt under way */
	uint8_t head[FILE_HEAD_SIZE], trail[BUNDLE_TRAIL_SIZE];
	struct buf directory;
	struct buf window; /* read of the spool */
	struct repo *repo;
};

/*
 * The serial is fresh under the seed, which is borrowed. A bundle of data will be named
 * for one of the first so many folders.
 */
struct build *build_new(enum file_type type, const char *run, const uint8_t seed[32],
    uint64_t serial, unsigned folders);
void build_free(struct build *b); /* NULL is harmless */

/* Takes the stored bytes; the frame's chunks have been added to b->dir before. */
void build_add_frame(struct build *b, struct buf *stored, enum frame_method method,
    const uint8_t digest[DIGEST_SHORT]);

/*
 * Move the frames to a temporary file of the cache, to be read from there when they are
 * put. False: they stay where they are.
 */
bool build_spool(struct build *b, struct cache *cache);

/* Put it, under a new salt and so a new name at each attempt. Any thread. */
bool build_put(struct build *b, struct repo *r, struct err *e);

#endif
