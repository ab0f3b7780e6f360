/*
 * The state of one vacuum, shared by its files:
 *
 *   vacuum.c          the run from beginning to end
 *   vacuum_list.c     what lies on the storage, listed twice
 *   vacuum_sizes.c    what files take that no delta tells of
 *   vacuum_notes.c    tombstones, damage, registrations
 *   vacuum_bands.c    bands: which count, their references, their roll-calls
 *   vacuum_deltas.c   the table of bundles, from the deltas
 *   vacuum_spool.c    directories on local disk, so that memory does not grow with them
 *   vacuum_resolve.c  a reference to the one usable place that is marked
 *   vacuum_mark.c     lists and hunks, each once; what they refer to is marked
 *   vacuum_read.c     their reading: from the cache, or ahead from the storage
 *   vacuum_frames.c   frames of a bundle, neighbours in one read
 *   vacuum_merge.c    deltas that are to be put together
 *   vacuum_share.c    live shares, totals
 *   vacuum_predict.c  what acting below each threshold costs and frees
 *
 * What is read ahead is taken in the order in which it was asked for, on one thread: the
 * outcome does not hang on how many operations are under way.
 *
 * Memory: a bit a chunk, and a constant for each bundle, hunk, move and small file.
 */
#ifndef BALE_ENGINE_VACUUM_INTERNAL_H
#define BALE_ENGINE_VACUUM_INTERNAL_H

#include "band/bands.h"
#include "base/map.h"
#include "base/pool.h"
#include "bundle/read.h"
#include "engine/clients.h"
#include "engine/vacuum.h"
#include "format/delta.h"
#include "format/health.h"
#include "format/tombstone.h"
#include "engine/vacuum_wait.h"
#include "repo/cache.h"

#define NO_HELD UINT32_MAX

/*
 * Folders in the order in which they are listed: what names others before what is named.
 */
enum vac_folder {
	VAC_BANDS, VAC_INDEX, VAC_TOMBSTONES, VAC_HEALTH, VAC_MARKS, VAC_CLIENTS, VAC_KEYS,
	VAC_TOP, VAC_HUNKS, VAC_DATA, /* sixteen of these */
	VAC_FOLDERS = VAC_DATA + 16
};

/* What a small file counts as, or a bundle that no delta tells of. */
enum vac_class { VAC_LIVE, VAC_CONDEMNED, VAC_DEAD, VAC_UNKNOWN };

/* A bundle that was listed, or that something names. */
struct held {
	struct id name;
	enum file_type type;
	uint64_t size;        /* as a delta, tail or hunk tells */
	uint64_t base;        /* the bit of slot 0 */
	uint64_t dir_at;      /* its directory in the spool */
	uint32_t dir_n, ids_at; /* its length; offset of the ids in it */
	uint32_t delta;       /* that tells of it, the last of several */
	uint32_t chunks;
	bool told;            /* by a delta: the directory is known */
	bool listed, condemned;
	bool lost;            /* damaged as a whole, as health/ tells */
	bool hurt;            /* some of its slots are damaged */
	bool open;            /* that of its run is */
	/* A live reference says that it is here, or a move from there. */
	bool hinted;
	bool named;           /* by a band that counts, or a delta */
	bool orphan;          /* the band of its run is not there */
	bool settled;         /* everybody sees it by now */
	/* It may never have left this machine: reading it proves nothing. */
	bool late;
	bool doomed;          /* a tombstone names it whose time has come */
	bool safe;            /* and what is alive in it is safe elsewhere */
	uint64_t live;        /* bytes */
	uint64_t copy;        /* bytes of live frames and shares of frames */
	uint64_t anew;        /* plain bytes of the shares, which are framed anew */
	uint64_t tables;      /* bytes of directory and moves that go with them */
	uint32_t live_chunks;
};

struct vac_delta {
	struct id name;
	size_t size; /* of its plain bytes */
	size_t gone; /* of them about what is no more, about */
	bool merge;  /* to be taken into the delta of this run */
};

enum vac_state {
	VAC_COUNTS,  /* complete, or unfinished: its references are alive */
	/* Fenced: it may still turn out whole, so what resolves of it is alive. */
	VAC_SUSPECT,
	VAC_GONE,    /* removed; or fenced, and that has been watched without a tail */
};

struct vac_band {
	const struct band_info *info;
	enum vac_state state;
	/* Neither tail, nor a fence that has been watched, nor removed. */
	bool open;
	/* Of one that is gone: its run is certainly not at work any more. */
	bool ended;
	bool whole;           /* a tail, part or head was read: */
	bool tail;            /* it is a tail */
	bool pinned;          /* it was removed all the same */
	bool rolled;          /* a roll-call names it */
	bool wrote;           /* it wrote a bundle that is still there */
	struct band band;
	/* vacuum_evidence.c: of one that is gone */
	bool linked;          /* its tail was read: */
	struct band *link;    /* NULL: that was not tried yet */
};

struct vac_stone {
	char name[NAME_MAX_LEN + 1];
	bool gone;            /* deleted by this run */
	bool evident;         /* in strict mode: every client has been seen to know it */
	struct tombstone t;
};

/* A listed file, and what it takes. */
struct vac_file {
	const char *name;     /* of the listing */
	uint64_t size;
	enum vac_folder folder;
	bool there;           /* else it is gone since it was listed */
};

/* A reference that no place was found for yet. */
struct vac_miss {
	struct id id;
	enum file_type type;
	bool needed;          /* of a band that counts: it must resolve */
	uint32_t hint;        /* the bundle that its first reference names */
	uint32_t held, slot;  /* where it was found; NO_HELD: nowhere */
	char *path;           /* who wants it, of the first ones; NULL */
};

/* A hunk or list to be read. */
struct vac_chunk {
	struct id id;
	uint32_t held, slot;
	uint8_t kind;         /* 0: hunk; LIST_HUNKS, LIST_EXTENTS */
	uint8_t level;
	bool needed;
};

/* A move, its bundles by number. */
struct vac_move {
	uint32_t from, slot, count, to, to_slot;
	uint32_t delta;
};

struct vac {
	struct repo *repo;
	const struct vacuum_options *o;
	struct monitor *m;
	struct vacuum_result *result;
	struct cache *cache;
	struct waits *waits;  /* NULL: nothing is known to be old */
	const char *client;   /* that runs; NULL */
	const struct string_list *noted; /* strict mode: tombstones it knows of; NULL */
	struct pool *readers; /* as many threads as operations may be under way */

	/* vacuum_list.c */
	struct store_listing lists[VAC_FOLDERS];
	struct store_listing vanished; /* "folder/name": in the first listing only */

	/* vacuum_sizes.c */
	struct vac_file *small;       /* all that is listed but for hunks/ and data/ */
	size_t n_small;

	/* vacuum_notes.c */
	struct vac_stone *stones;
	size_t n_stones, stones_cap;
	struct map condemned;         /* names of bundles */
	struct store_listing files;   /* condemned, as "folder/name" */
	struct store_listing torn;    /* "folder/name" of what was never finished */
	struct damage *damage;        /* of slots; sorted */
	size_t n_damage, damage_cap;
	struct map lost;              /* names of bundles damaged as a whole */
	struct clients clients;

	/* vacuum_bands.c */
	struct bands bands;
	struct vac_band *v;
	size_t n_v;
	struct map needed_deltas;     /* name → 1 */
	/* Nothing is assumed of time (docs/protocol.md, section 5). */
	bool strict;

	/* vacuum_deltas.c */
	struct held *held;
	size_t n_held, held_cap;
	struct map held_at;           /* name → number */
	struct map superseded;        /* names of deltas */
	struct map bad_deltas;        /* names of those that are not whole */
	struct vac_delta *deltas;     /* those that were read */
	size_t n_deltas, deltas_cap;
	struct vac_move *moves;       /* sorted */
	size_t n_moves, moves_cap;
	uint64_t chunks;              /* bits in use */
	uint8_t *bits;

	/* vacuum_spool.c */
	struct spool *spool;

	/* vacuum_mark.c and vacuum_resolve.c */
	/* id → number; types do not share ids: they are keyed. */
	struct map misses;
	struct vac_miss *miss;
	size_t n_miss, miss_cap, missed; /* those from `missed` on have not been looked for */
	struct map read;              /* ids of hunks and lists seen → 1 */
	struct vac_chunk *todo;
	size_t n_todo, todo_cap;
	struct vac_chunk *stuck;      /* wait for a place */
	size_t n_stuck, stuck_cap;
	struct cache_pack **packs;
	size_t n_packs, packs_cap;

	/* vacuum_merge.c */
	uint64_t merge_write, merge_free; /* bytes */

	/* vacuum_share.c */
	uint64_t dead_files;  /* bytes of files that are no bundles */
	uint64_t idle_files;  /* bytes of evidence that nobody asks for any more */
	uint64_t open_dead;   /* dead bytes in bundles of unfinished runs */
};

/* --- vacuum.c */

/* All are borrowed. */
void vac_init(struct vac *v, struct repo *r, const struct vacuum_options *o,
    struct monitor *m, struct cache *cache, struct vacuum_result *out);
void vac_release(struct vac *v);

/* Find out everything; reads only. */
bool vac_survey(struct vac *v, struct err *e);

bool vac_stopped(const struct vac *v, struct err *e);

/* --- vacuum_list.c */

extern const char *const vac_folders[VAC_FOLDERS];

/* The head of the repository, then every folder, twice. */
bool vac_list(struct vac *v, struct err *e);

/*
 * Before another file of a folder is read, of which so many have been and about so many
 * are left: now and then, if they are many, the folder is listed again, and nothing made
 * of it. Most mounts remember for some seconds what a listing has told; a name that they
 * have forgotten costs one trip more, and through FUSE those of a folder are looked up
 * one by one, however many ask.
 */
bool vac_remind(
    struct vac *v, enum vac_folder folder, size_t done, size_t left, struct err *e);

/* What was there and is not any more must have been condemned. */
bool vac_check_vanished(struct vac *v, struct err *e);

bool vac_listed(const struct vac *v, enum vac_folder folder, const char *name);
/* Whether a list holds "folder/name". */
bool vac_names(const struct store_listing *l, enum vac_folder folder, const char *name);

/* --- vacuum_sizes.c */

/*
 * Look at all small files. At once after the listing: most mounts keep for some seconds
 * what a listing has told of its files, and then it costs no operation.
 */
bool vac_look(struct vac *v, struct err *e);

/* Set size and there of each. */
bool vac_sizes(struct vac *v, struct vac_file *files, size_t n, struct err *e);

/* --- vacuum_notes.c */

bool vac_read_notes(struct vac *v, struct err *e);

/* In strict mode: what is condemned by tombstones that are noted, and not listed now. */
bool vac_recall(struct vac *v, struct err *e);

/* A tombstone that was read, or NULL. */
struct vac_stone *vac_stone(struct vac *v, const char *name);
/* Of one that was not: *same is false if it is whole by now. */
bool vac_new_stone(struct vac *v, const char *name, bool *same, struct err *e);

/* Whether damage of the slot is on record, or of the whole bundle. */
bool vac_damaged(const struct vac *v, const struct held *h, uint32_t slot);

/* --- vacuum_bands.c */

bool vac_read_bands(struct vac *v, struct err *e);

/* Every band that a roll-call names is there, or was removed. */
bool vac_roll_call(struct vac *v, struct err *e);

/* The band with this name, or NULL. */
struct vac_band *vac_band(struct vac *v, struct span name);

/* --- vacuum_deltas.c */

bool vac_read_deltas(struct vac *v, struct err *e);

/* For how long this machine has known of a delta; it is noted if it is new. */
int64_t vac_delta_age(struct waits *w, const struct id *id);

/* A bundle's number; added where it is new. A size of 0 leaves what is known. */
uint32_t vac_held(
    struct vac *v, enum file_type type, const struct id *name, uint64_t size);

/* Every bundle that a delta or a band tells of is there, or was condemned. */
bool vac_check_bundles(struct vac *v, struct err *e);

/* --- vacuum_spool.c */

/*
 * Appends to a file in the cache folder that has no name, or to memory where there is
 * none.
 */
struct spool *spool_new(struct cache *c);
void spool_free(struct spool *s); /* NULL is harmless */
bool spool_add(struct spool *s, struct span bytes, uint64_t *at, struct err *e);
/* Replaces *out. */
bool spool_get(struct spool *s, uint64_t at, size_t n, struct buf *out, struct err *e);
/* A few bytes, of windows that are kept. */
bool spool_peek(struct spool *s, uint64_t at, void *out, size_t n, struct err *e);

/* --- vacuum_resolve.c */

bool vac_marked(const struct vac *v, const struct held *h, uint32_t slot);

/* Whether a place may be relied on, but for what stands there. */
bool vac_usable(const struct vac *v, const struct held *h, uint32_t slot);

/* A chunk of so many bytes is needed from there, though it lies in a better place too. */
void vac_keep(struct vac *v, struct held *h, uint32_t slot, uint32_t length);

/* The directory of a bundle that a delta tells of; replaces what *d holds. */
bool vac_directory(
    struct vac *v, const struct held *h, struct directory *d, struct err *e);

/*
 * Mark the one usable place of a reference: its hint, where moves lead from there, else
 * it becomes a miss. *h and *slot are the place, or NO_HELD.
 */
bool vac_resolve(struct vac *v, enum file_type type, const struct id *id, bool needed,
    struct span path, uint32_t *h, uint32_t *slot, struct err *e);

/*
 * Look for all misses in one pass over the directories: any usable copy, else one in a
 * condemned bundle that is still there.
 */
bool vac_find_missed(struct vac *v, struct err *e);

/* --- vacuum_mark.c */

bool vac_mark(struct vac *v, struct err *e);

/* What a hunk or list refers to; errors name it. */
bool vac_take(struct vac *v, const struct vac_chunk *c, struct span plain, struct err *e);

/* --- vacuum_read.c */

/* Packs that backups of this machine have left, of the sets that there are. */
void vac_open_packs(struct vac *v);

/*
 * Take chunks of a round, in the order of their places: first those that the packs have,
 * then the others. Of bands that another client has declared dead, what is damaged is
 * passed over.
 */
bool vac_read_chunks(struct vac *v, struct vac_chunk *c, size_t n, struct err *e);

/* --- vacuum_frames.c */

/*
 * Whether a frame that stands behind what one read brings, from `at` to *end, is to come
 * with it: then *end is moved.
 */
bool vac_frame_near(const struct frame_rec *f, uint64_t at, uint64_t *end);

/* The bytes of a read; ERR_CORRUPT where the file ends before it. Any thread. */
bool vac_frames_get(struct repo *r, enum file_type type, const struct id *name,
    uint64_t at, uint64_t end, struct buf *out, struct err *e);

/* Told of each frame in order. */
typedef bool vac_frame_fn(void *arg, uint32_t frame, struct span stored, struct err *e);

/*
 * Read frames of a bundle, ascending numbers of its directory. ERR_CORRUPT where the file
 * ends before one does.
 */
bool vac_frames(struct vac *v, const struct held *h, const struct directory *d,
    const uint32_t *frames, size_t n, vac_frame_fn *fn, void *arg, struct err *e);

/* --- vacuum_merge.c */

/* Which deltas are to be put together, and what that writes and frees. */
void vac_merge(struct vac *v);

/* What is taken over of a delta. */
bool vac_keeps_bundle(const struct held *h);
bool vac_keeps_move(const struct held *from);

/* --- vacuum_predict.c */

void vac_predict(struct vac *v);

/* A bundle is small that is less than this part of the size at which one closes. */
#define VAC_SMALL 4

/*
 * Stored bytes at which a new bundle closes: of hunks early, so that two kinds in memory
 * cost little more than one; not so early that it would be a small one.
 */
uint32_t vac_target(const struct repo *r, enum file_type type);

/* --- vacuum_share.c */

bool vac_share(struct vac *v, struct err *e);

/* What a file counts as that is not told of by a delta. */
enum vac_class vac_class(struct vac *v, enum vac_folder folder, const char *name);
/* The same, whether or not a tombstone names it. */
enum vac_class vac_own_class(struct vac *v, enum vac_folder folder, const char *name);
/*
 * Whether a file of bands/ is the last evidence of a band that is gone, and nothing that
 * counts names the band any more.
 */
bool vac_evidence_idle(struct vac *v, const char *name);
/* Whether it is a bundle that a delta tells of. */
bool vac_told(const struct vac *v, enum vac_folder folder, const char *name);

/* Live share below the threshold, and nothing speaks against condemning it. */
bool vac_victim(const struct held *h, int below);

#endif
