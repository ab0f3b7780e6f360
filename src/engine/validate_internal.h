/*
 * The state of one validation, shared by its files:
 *
 *   validate.c          the run from beginning to end
 *   validate_files.c    small files: listing, getting and checking them
 *   validate_small.c    the kinds of them, but for those of bands
 *   validate_bands.c    files of bands
 *   validate_judge.c    what bands tell of each other
 *   validate_deltas.c   the table of bundles and of all chunks, from the deltas
 *   validate_check.c    one bundle byte by byte, in the pool
 *   validate_bundles.c  all bundles
 *   validate_read.c     the reading of hunks and lists
 *   validate_refs.c     every reference of every band
 *   validate_lost.c     the entries of hunks that cannot be had
 *   validate_damage.c   what is damaged, who suffers, and the record of it
 *
 * Memory: 24 bytes and a bit a chunk; another 4 bytes once a hint has missed.
 */
#ifndef BALE_ENGINE_VALIDATE_INTERNAL_H
#define BALE_ENGINE_VALIDATE_INTERNAL_H

#include "base/map.h"
#include "base/pool.h"
#include "bundle/read.h"
#include "engine/validate.h"
#include "format/band.h"

#define NO_BUNDLE UINT32_MAX

/* A bundle that was listed, or that something names. */
struct vbundle {
	struct id name;
	enum file_type type;
	uint64_t size; /* as a delta, tail or hunk tells; 0: not told */
	bool listed;
	bool named;    /* by a delta, part, tail or hunk: not litter */
	bool required; /* by the tail of a complete band */
	bool gone;     /* condemned, or moved away: it may be missing */
	bool has_dir;
	uint32_t base, n_chunks; /* its share of the table of chunks */
	const char *kind;        /* what is wrong with it; NULL: nothing is known */
	char *text;
	bool all_bad;    /* none of its chunks can be had */
	bool torn;       /* shorter than it says: perhaps only an attempt */
	uint32_t damage; /* its number + 1; 0: none */
	int64_t bad_at,
	    good_at; /* health/ called it damaged, whole; 0: never */
};

/* A band, from the listing and from whichever of its files was read. */
struct vband {
	struct band_name name;
	unsigned heads, parts, tails, max_part; /* as listed */
	bool removed, fenced;
	enum band_kind kind;
	bool has_tail, has_head; /* a whole one */
	bool lost;               /* was complete, and its tail is damaged or missing */
	unsigned part;           /* the newest whole one, if there is no tail */
	char prev[BAND_MAX_LEN + 1];
	char *set;
	uint32_t level;
	struct band_ref *refs; /* of the tail, or the newest part */
	size_t n_refs;
};

/* A file of a band that is not whole; judged when all of them have been read. */
struct vbroken {
	size_t band;
	char *file;
	enum band_file kind;
	unsigned part;
	const char *what;
	char *text;
	bool torn;
};

struct vroll {
	char client[CLIENT_SIZE + 1];
	uint64_t from, to;
};

struct vdamage {
	char *file;
	const char *kind;
	char *text;
	struct buf paths; /* the first VALIDATE_PATHS, each with a NUL behind it */
	size_t n_paths, all_paths;
	uint8_t *bands; /* a bit for each band */
};

/* A hunk that cannot be had; its entries may be known to the local cache. */
struct vlost {
	struct id id;
	char *first; /* apath */
	uint64_t entries;
	uint32_t *damage;
	size_t n_damage;
};

/* Numbers of damages, ascending. */
struct vset {
	uint32_t *v;
	size_t n, cap;
};

/*
 * Frames of a bundle of hunks that stand behind the one read last, and that one opened.
 */
struct vahead {
	struct id bundle;
	uint64_t at;
	struct buf stored, plain;
	uint32_t frame; /* whose bytes `plain` is */
	bool opened;
};

struct valid {
	struct repo *repo;
	const struct validate_options *o;
	struct monitor *m;
	struct validate_result *result;
	struct pool *pool;
	struct progress progress;

	struct vband *bands; /* ascending by name */
	size_t n_bands, bands_cap;
	struct vbroken *broken;
	size_t n_broken, broken_cap;
	struct vroll *rolls;
	size_t n_rolls, rolls_cap;
	struct store_listing torn_keys; /* keys/<name> */
	struct map condemned; /* digest of "folder/name", or of "client-counter" */
	struct map told; /* name of a delta that a band tells of → 1 where required */

	struct vbundle *bundles;
	size_t n_bundles, bundles_cap;
	struct map bundle_at; /* type and name → number */
	uint32_t *by_base;    /* bundles with a directory, in the order of their share */
	size_t n_by_base, by_base_cap;
	struct id *ids; /* of all chunks */
	size_t n_ids, ids_cap;
	uint8_t *bad; /* a bit for each chunk */
	size_t bad_cap;
	uint32_t *sorted; /* chunks by id; NULL until it is needed */

	struct chunk_reader *reader; /* for its bundles */
	struct vahead ahead;
	struct map seen; /* hunk or list → its damages in chains: offset + 1, or 0 */
	uint32_t *chains; /* count and numbers, end to end */
	size_t n_chains, chains_cap;
	bool quiet; /* in an incomplete band: what does not resolve is only counted */
	uint64_t quiet_refs;

	struct vdamage *damage;
	size_t n_damage, damage_cap;
	struct vlost *lost;
	size_t n_lost, lost_cap;
	struct map suffering; /* digest of damage number and apath → 0 */
};

/* --- validate.c */

bool valid_stopped(const struct valid *v, struct err *e);

/* The storage as a whole fails, or the user stops: not a verdict on a file. */
bool valid_fatal(const struct err *e);

/* "missing", "unreadable", "newer", or `corrupt`. */
const char *valid_kind(const struct err *e, const char *corrupt);

void valid_note(struct valid *v, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* So many files have been looked at, and so many of their bytes. */
void valid_checked(struct valid *v, uint64_t files, uint64_t bytes);

/* --- validate_files.c */

#define VPATH_SIZE (NAME_MAX_LEN + 20) /* of folder/name */

/* One small file, fetched by the pool, on its way to a verdict. */
struct vfile {
	struct job job;
	struct repo *repo;
	const char *folder;
	char name[NAME_MAX_LEN + 1];
	size_t band; /* for files of bands */
	bool look;   /* only its size is asked for */
	struct buf bytes;
	uint64_t size;
	struct err why;
	bool ok;
};

/* Called on the main thread for each file, in the order of the names. */
typedef bool vfile_fn(struct valid *v, struct vfile *f, struct err *e);

/* How far a file is to be looked at. */
enum vlook { VLOOK_NOT, VLOOK_SIZE, VLOOK_READ };
typedef enum vlook vlook_fn(struct valid *v, struct vfile *f);

/* List a folder and take every file through `look` and `fn`. */
bool valid_folder(
    struct valid *v, const char *folder, vlook_fn *look, vfile_fn *fn, struct err *e);

/*
 * Check the envelope of a JSON file that has been got. On success the caller closes *jf.
 * Else *what is the kind of damage, NULL where the file is sound, but of a newer version.
 */
bool valid_json(struct valid *v, const struct vfile *f, const char *type,
    struct json_file *jf, struct buf *secret, const char **what, bool *torn,
    struct err *e);

void vfile_path(const struct vfile *f, char out[VPATH_SIZE]);

/* --- validate_small.c */

/* README.txt, bale.json, keys, marks, clients, health; tombstones. */
bool valid_tombstones(struct valid *v, struct err *e);
bool valid_small_files(struct valid *v, struct err *e);

/* Condemned by a tombstone: a path, or a band by client and counter. */
bool valid_condemned(const struct valid *v, const char *path);

/* --- validate_bands.c */

bool valid_bands(struct valid *v, struct err *e);
void valid_bands_release(struct valid *v);

/* SIZE_MAX where it is not there. */
size_t valid_band_number(const struct valid *v, const char *name);

/* Whether its references have to resolve. */
bool valid_complete(const struct vband *b);

/* --- validate_judge.c */

/* When all is read: broken files, roll-calls, predecessors, heads and parts. */
void valid_bands_judge(struct valid *v);

/* --- validate_deltas.c */

bool valid_deltas(struct valid *v, struct err *e);

/* Added where it is new. */
uint32_t valid_bundle(struct valid *v, enum file_type type, const struct id *name);
/* Itself, valid until another is added. */
struct vbundle *valid_bundle_named(
    struct valid *v, enum file_type type, const struct id *name);
void valid_bundle_size(struct vbundle *b, uint64_t size);

void valid_add_directory(struct valid *v, uint32_t number, const struct directory *dir);
void valid_chunk_bad(struct valid *v, uint32_t number, uint32_t slot);

/* Whether the chunk is said to be there, and nothing speaks against it. */
bool valid_place_good(
    const struct valid *v, uint32_t number, uint32_t slot, const struct id *id);

struct vplace {
	uint32_t bundle, slot;
};

/* Places of a chunk in all directories: step with *at, from 0 on. */
bool valid_places(struct valid *v, enum file_type type, const struct id *id, size_t *at,
    struct vplace *out);

/* --- validate_check.c */

struct vcheck {
	struct job job;
	struct repo *repo;
	const volatile bool *stop;
	uint32_t number;
	enum validate_level level;
	struct id name;
	enum file_type type;
	uint64_t told; /* size; 0: not told */
	bool want_dir;
	char folder[16], file[2 * ID_SIZE + 1];
	/* found */
	uint64_t size, bytes; /* bytes: read to be checked */
	struct bundle *bundle;
	const char *kind;
	struct err why;
	bool torn;
	uint8_t *bad; /* a bit for each slot; NULL: none is */
	uint32_t n_bad;
	const char *frame_kind; /* what the first bad slot suffers from */
	struct err frame_why;
	struct buf piece, plain;
};

void vcheck_run(struct job *j);

/* --- validate_bundles.c */

bool valid_bundles(struct valid *v, struct err *e);
void valid_bundles_judge(struct valid *v);

/* --- validate_read.c */

void valid_reading_begin(struct valid *v);
void valid_reading_end(struct valid *v);

/*
 * A hunk or list from wherever it is: *place, the hint at first, becomes where it was
 * found. STEP_END: it cannot be had, and what stands in the way is noted with its bundle.
 */
enum step valid_read_index(struct valid *v, const struct id *id, struct vplace *place,
    struct buf *plain, struct err *e);

/* --- validate_refs.c */

bool valid_refs(struct valid *v, struct err *e);

/* --- validate_lost.c */

void lost_add(struct valid *v, const struct hunk_ref *ref, const struct vset *damage);

/* Put their paths to the damages: from the cache, or else the first and how many. */
void lost_paths(struct valid *v);
void lost_release(struct valid *v);

/* --- validate_damage.c */

/* Takes nothing; the first that is said of a file counts. */
uint32_t damage_add(
    struct valid *v, const char *file, const char *kind, const char *text);
uint32_t damage_of_bundle(struct valid *v, uint32_t number);
void damage_band(struct valid *v, uint32_t damage, size_t band);

/* `entries` paths are lost, of which this is the first. */
void damage_path(struct valid *v, uint32_t damage, struct span apath, uint64_t entries);

void damage_report_all(struct valid *v);
void damage_record(struct valid *v);
void damage_release(struct valid *v);

void vset_add(struct vset *s, uint32_t x);

#endif
