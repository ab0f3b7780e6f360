/*
 * Validate: prove that what is stored is what was written (design.md, section 10).
 */
#ifndef BALE_ENGINE_VALIDATE_H
#define BALE_ENGINE_VALIDATE_H

#include "base/monitor.h"
#include "repo/repo.h"

enum validate_level { VALIDATE_QUICK, VALIDATE_STORED, VALIDATE_FULL };

/* One damage: a file of the repository, what is wrong, and who suffers (FULL only). */
struct damage_report {
	const char *file; /* folder/name */
	const char *kind; /* "missing", "size", "digest", "frame", "chunk", "unresolved", … */
	const char *text;
	const char *const *snapshots;
	size_t n_snapshots;
	const struct span *paths; /* apaths, at most 1000; more are counted */
	size_t n_paths, all_paths;
};

typedef void validate_damage_fn(void *arg, const struct damage_report *d);

struct validate_options {
	enum validate_level level;
	unsigned threads, transfers;
	const char *cache_dir;
	const volatile bool *stop;
	validate_damage_fn *damage;
	void *arg;
};

struct validate_result {
	uint64_t damaged_files, damaged_paths;
	uint64_t checked_files, checked_bytes;
	uint64_t snapshots, incomplete;
};

/* Damage found is success with counts; false: the check itself could not be done. */
bool validate_run(struct repo *r, const struct validate_options *o, struct monitor *m,
    struct validate_result *out, struct err *e);

#endif
