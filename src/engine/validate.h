/*
 * Validate: prove that what is stored is what was written (design.md, section 10).
 *
 * QUICK: listings and sizes against what bands, hunks and deltas say; every reference of
 * every snapshot resolves. STORED: also every byte of every file against names and
 * digests. FULL: also every frame opens, and every chunk has its id.
 */
#ifndef BALE_ENGINE_VALIDATE_H
#define BALE_ENGINE_VALIDATE_H

#include "base/monitor.h"
#include "repo/repo.h"

enum validate_level { VALIDATE_QUICK, VALIDATE_STORED, VALIDATE_FULL };

#define VALIDATE_PATHS 1000 /* shown of one damage */

/*
 * One damaged file, what is wrong with it, and who suffers: snapshots, and paths in them,
 * that refer to what it held and is nowhere else. Borrowed until the function returns.
 * Of a part of the index that is lost, and that the local cache does not know either, the
 * first path is shown, and the others are only counted.
 *
 *   missing     something names it, and it is not there
 *   size        it is longer or shorter than it was written
 *   digest      its bytes are not those that it was written with
 *   frame       … and what is lost of a bundle is these frames
 *   chunk       a frame opens, but a chunk in it does not have its id
 *   directory   a bundle's directory cannot be had, or is not what the delta says
 *   content     whole, but breaks a rule of its format
 *   unresolved  whole, but a chunk that should be there is in no bundle
 *   unreadable  the storage fails to give it
 *   foreign     of another repository, or of another sort than its place says
 *   newer       written by a newer bale
 */
struct damage_report {
	const char
	    *file; /* folder/name; "bands/<band>-head-*" where no name can be known */
	const char *kind;
	const char *text;
	const char *const *snapshots;
	size_t n_snapshots;
	const struct span *paths; /* apaths, at most VALIDATE_PATHS */
	size_t n_paths, all_paths;
};

typedef void validate_damage_fn(void *arg, const struct damage_report *d);

struct validate_options {
	enum validate_level level;
	unsigned threads, transfers; /* the larger number reads and checks */
	const char *cache_dir; /* names what is lost, signs the record; or NULL */
	const volatile bool *stop;  /* may be NULL */
	validate_damage_fn *damage; /* told at the end, file by file; may be NULL */
	void *arg;
};

struct validate_result {
	uint64_t damaged_files, damaged_paths;
	uint64_t checked_files, checked_bytes;
	uint64_t snapshots; /* complete ones, all of whose references were followed */
	uint64_t
	    incomplete; /* bands without a tail that are neither fenced nor removed */
	uint64_t
	    litter; /* files that attempts left behind and nobody needs: each a note */
};

/*
 * Damage found is success with counts; false: the check itself could not be done. Bundles
 * that are there and damaged are recorded in the repository, so that no later backup
 * relies on them; where that cannot be written, a note says so.
 */
bool validate_run(struct repo *r, const struct validate_options *o, struct monitor *m,
    struct validate_result *out, struct err *e);

#endif
