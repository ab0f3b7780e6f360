/*
 * The packer: chunks that are new → frames → bundles → the storage. Frames are compressed
 * and sealed by one pool, bundles put by another; what comes out depends only on the
 * order in which chunks are added (and on what the storage refuses), never on the
 * threads.
 */
#ifndef BALE_BUNDLE_PACK_H
#define BALE_BUNDLE_PACK_H

#include "base/pool.h"
#include "bundle/inventory.h"
#include "codec/compress.h"
#include "format/entry.h"
#include "repo/cache.h"

struct packer;

/*
 * Told, on the main thread and in order, of each bundle that the storage has
 * acknowledged; the inventory has its name by then. The directory is borrowed.
 */
typedef void packer_bundle_fn(void *arg, uint32_t number, const struct directory *dir);

struct packer_options {
	enum file_type type;
	const char *run;        /* the band; borrowed */
	const uint8_t *seed;    /* 32 bytes, of this run and packer only; borrowed */
	uint32_t frame_plain;   /* a frame closes before it would pass this */
	uint32_t bundle_target; /* stored bytes at which a bundle closes */
	struct pool *cpu, *transfer;
	struct compressor_cache *compressors;
	size_t in_flight;       /* bytes of bundles being put, beyond the first, in memory */
	unsigned puts;          /* bundles being put; those beyond in_flight wait in … */
	struct cache *spool;    /* … a temporary file of this; NULL: none do */
	bool lean;              /* so does the first: no two bundles are in memory */
	packer_bundle_fn *acknowledged;
	void *arg;
};

struct packer *packer_new(
    struct repo *r, struct inventory *inv, const struct packer_options *o);
/*
 * So many bundles of data were there before this packer's, 0 unless it is told: the more
 * there are, the more folders are filled (folders_for).
 */
void packer_listed(struct packer *p, uint64_t bundles);
/* Waits for what is under way, and drops what is not put. NULL is harmless. */
void packer_free(struct packer *p);

/*
 * Add a chunk; the bytes are copied. The ticket finds its place later. May wait for room;
 * fails as the put of an earlier bundle failed.
 */
bool packer_add(struct packer *p, const struct id *id, struct span plain,
    uint64_t *ticket, struct err *e);

/*
 * Add a frame of another bundle as it is; takes its stored bytes, also on failure. The
 * ticket is that of its first chunk; those of the others follow it. May wait, and fail,
 * as packer_add does.
 */
bool packer_add_frame(struct packer *p, const struct frame_rec *rec, const struct id *ids,
    const uint32_t *lengths, struct buf *stored, uint64_t *ticket, struct err *e);

/* Where the chunk is, or false: its frame is not in a bundle yet. */
bool packer_place(const struct packer *p, uint64_t ticket, struct hint *out);

/* Take in what is done, without waiting. */
bool packer_poll(struct packer *p, struct err *e);

/* Close the open frame. */
bool packer_cut(struct packer *p, struct err *e);

/*
 * Take in what is under way longest, a frame or a put; *waited is false where nothing is.
 */
bool packer_wait(struct packer *p, bool *waited, struct err *e);

/* Close the open frame, and wait until every chunk added so far has a place. */
bool packer_settle(struct packer *p, struct err *e);

/* Close the open bundle too; it is on its way then. */
bool packer_close(struct packer *p, struct err *e);

/* The same, and wait until the storage has acknowledged all of them. */
bool packer_flush(struct packer *p, struct err *e);

/* Stored bytes of all bundles acknowledged so far, and of those still on their way. */
uint64_t packer_stored(const struct packer *p);

#endif
