/*
 * The state of one backup run, shared by the files of the backup engine:
 *
 *   backup.c        the run from beginning to end
 *   backup_merge.c  the walk against the basis: what is unchanged, what is to be read
 *   backup_pass.c   what was read: dedup and packing
 *   backup_store.c  what was packed: on to the hunks
 *   backup_stale.c  what stands in for what cannot be read
 *   backup_band.c   head, parts, tail, deltas
 *   band_run.c      what a band's run has in common with others
 *   client.c        who this client is, from run to run
 */
#ifndef BALE_ENGINE_BACKUP_RUN_H
#define BALE_ENGINE_BACKUP_RUN_H

#include "band/basis.h"
#include "band/write.h"
#include "base/map.h"
#include "bundle/pack.h"
#include "engine/backup.h"
#include "engine/band_run.h"
#include "engine/item.h"
#include "engine/reader.h"
#include "format/delta.h"
#include "index/index.h"
#include "tree/owner.h"
#include "tree/walk.h"

/* A hard-link group: its first item is kept until all links were seen. */
struct link_group {
	struct buf apath;
	uint64_t left;      /* links not yet met by the walk */
	uint32_t waiting;   /* items in the queue that need `content` */
	bool gone;          /* the first could not be read, or is not there any more */
	/* The first item once it was stored; NULL before, or if it failed. */
	struct item *content;
};

enum { BEHIND_CHUNK = 1, BEHIND_LIST = 2 };

/* A bundle of hunks or lists, until a delta tells of it. */
struct untold {
	struct band_bundle bundle;
	struct buf directory;
};

struct run {
	struct repo *repo;
	const struct backup_options *o;
	struct monitor *m;
	struct backup_result *result;

	/* what this machine remembers */
	struct cache *cache;
	struct cache_pack *pack;
	struct cache_pack_writer *new_pack;

	/* what the repository has */
	struct inventory *inventory;
	struct resolver *resolver;
	struct chunk_reader *chunks;
	struct index *index;
	struct basis *basis;

	/* what this run writes */
	struct band_run band;
	int64_t start;
	uint8_t seed[3][32];
	struct compressor_cache *compressors;
	struct pool *cpu, *transfer;
	struct lane *folders; /* being made ahead */
	struct packer *data, *hunks, *lists;
	struct band_writer *writer;
	struct map own;             /* chunk id → ticket of `data` */
	struct delta_writer delta;  /* bundles of data since the last delta */
	struct delta_writer *full;  /* those that have grown large enough to be put */
	size_t n_full, full_cap;
	struct untold *untold;      /* bundles of hunks and lists since the last delta */
	size_t n_untold, untold_cap;
	struct band_bundle *bundles; /* all bundles acknowledged */
	size_t n_bundles, bundles_cap;
	struct string_list deltas;
	bool low_space;             /* the storage is nearly full */
	uint64_t space_next;        /* bytes stored when it is asked again */

	/* the source */
	struct walk *walk;
	struct walk_inode own_folders[2]; /* the repository and its cache: not backed up */
	struct owners *owners;
	bool nameless;              /* it was told that names of owners cannot be found out */
	struct reader reader;
	/* Digest of the first apath in the basis → of stale_firsts. */
	struct map stale_links;
	struct string_list sources; /* their apaths */
	/* The entry written last is on the way to one, or is one. */
	bool way;
	struct string_list stale_firsts; /* apaths in this snapshot */
	struct span *unreadable;    /* apaths below which the basis is carried forward */
	size_t n_unreadable, unreadable_cap;
	struct map links;           /* (dev, ino) → number of the group + 1 */
	struct link_group *groups;
	size_t n_groups, groups_cap;

	/* items on their way, in apath order */
	struct item *head, **tail;
	/* The first whose content is not packed yet; NULL: none. */
	struct item *unpassed;
	size_t queued;
	struct lane *reads, *streams;
	struct batch *batch;        /* being filled */
	struct batch *taken;        /* read; its last taken_left items are to be passed */
	size_t taken_left;
	struct batch *spare;        /* kept for their memory, linked by next_spare */

	struct band_totals totals;  /* up to the item that left the queue last */
	struct told told;           /* for the item that comes next */
	unsigned behind;            /* what there is that later items wait for: BEHIND_ */
	size_t behind_items, behind_bytes; /* passed since */
	bool lists_open;            /* a list was packed, and its bundle not closed since */
	size_t lists_behind;        /* bytes of entries emitted since */

	size_t part_hunks;          /* ended when the last part was put */
	bool due;                   /* a checkpoint, before anything else is passed */
	uint64_t read_since_part;
	int64_t last_part;          /* ticks */
	struct extent *extents;     /* scratch */
	size_t extents_cap;
};

/* --- backup_merge.c */

/* Take the next item of the walk through the merge; STEP_END after the last one. */
enum step merge_next(struct run *r, struct err *e);

/* Whether every bundle that the entry at hand of the basis rests on may be relied on. */
bool merge_usable(struct run *r, const struct entry *be, bool *usable, struct err *e);

/* For walk_options.note. */
void merge_note(void *arg, enum walk_note what, struct span apath, int sys);

/* The rest of the basis: removed, or carried forward. */
bool merge_finish(struct run *r, struct err *e);

/* --- backup_pass.c */

#define BEHIND_BYTES (16u << 20) /* about, of entries that wait for a bundle's name */

/* One that joined the queue; if it has to be read, it goes to a job. */
void pass_item(struct run *r, struct item *it);

/* A batch for each worker at work, and two waiting. */
bool pass_read_ahead(const struct run *r);

/*
 * Whether the chunk is there and may be relied on: then the piece has its place or
 * ticket.
 */
bool pass_known(struct run *r, struct piece *p, bool *known, struct err *e);

/* Pack one that is not. */
bool pass_new(
    struct run *r, struct item *it, struct piece *p, struct span plain, struct err *e);

/*
 * Pass what can be passed, up to one batch or large file to be read, or to where a
 * checkpoint is due. `wait`: for the batch.
 */
bool pass_some(struct run *r, bool wait, bool *progress, struct err *e);

void pass_abandon(struct run *r);

/* --- backup_stale.c */

/*
 * Set *out to the basis' entry, marked stale, to stand in for a source that cannot be
 * read; NULL where lists of it are lost.
 */
bool stale_copy(struct run *r, const struct entry *be, struct item **out, struct err *e);

/*
 * An item's turn to be passed: what it takes from the basis, and rests on bundles that
 * may not be relied on, is copied into new ones; what cannot be is lost, which the item
 * then says.
 */
bool stale_pass(struct run *r, struct item *it, struct err *e);

/* Make a stale hard link one to an entry of this snapshot. */
void stale_link(struct run *r, struct item *it);

void stale_release(struct run *r);

/* --- backup_store.c */

/* Tell how far the run has come; `more`: bytes of the file under way. */
void store_show(struct run *r, uint64_t more);


/* Append to the queue. */
void store_item(struct run *r, struct item *it);

/*
 * Move on whatever can be, checkpoints included; `wait`: something, where there is any.
 */
bool store_pump(struct run *r, bool wait, struct err *e);

/* All items into hunks, whatever it takes. */
bool store_drain(struct run *r, struct err *e);

/* Those whose content is at hand into hunks, and all data onto the storage. */
bool store_settle(struct run *r, struct err *e);

/* Whether so much is on its way that no more should be taken in. */
bool store_full(const struct run *r);

/* Add to the totals what the walk has met without an item for it. */
void store_told(struct run *r, struct told *t);

/* Free what an aborted run left in the queue and in jobs. */
void store_abandon(struct run *r);

/* --- backup_band.c */

/* Write the head; then look: bands, tombstones, damage; bundles are being listed. */
bool band_begin(struct run *r, struct err *e);

/* Told by the packers. */
void band_bundle(void *arg, uint32_t number, const struct directory *dir);

/* Put the deltas of the bundles so far: those that are full, or all. */
bool band_delta(struct run *r, bool all, struct err *e);
void band_deltas_release(struct run *r);

/* Bytes put so far, or on their way. */
uint64_t run_stored(const struct run *r);

/* Bundles, hunks and a delta so far to the storage, then a part, or the tail. */
bool band_checkpoint(struct run *r, struct err *e);
bool band_finish(struct run *r, struct err *e);

#endif
