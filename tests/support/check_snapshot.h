/*
 * A second opinion on snapshots: reads one with the lower layers alone (band, stream,
 * chunk reader), never with the restore engine, and compares it with a folder.
 */
#ifndef BALE_TESTS_CHECK_SNAPSHOT_H
#define BALE_TESTS_CHECK_SNAPSHOT_H

#include "repo/repo.h"

struct check_result {
	uint64_t entries; /* of the snapshot, with the directories on the way to the apath */
	uint64_t stale;   /* of them marked as carried forward */
	uint64_t hunks;   /* distinct */
	uint64_t holes, lists; /* holes in files; files whose extents stand in lists */
	uint64_t list_level;   /* the highest of any such file */
	uint32_t index_level;  /* of the tail's references */
};

/*
 * Whether the complete snapshot `band` holds below `apath` exactly what `folder` holds:
 * names, kinds, attributes, hard links and content; and above it nothing but the way to
 * it. False: *e names the first difference. *out (may be NULL) is filled either way.
 */
bool check_snapshot(struct repo *r, const char *band, const char *apath,
    const char *folder, struct check_result *out, struct err *e);

/*
 * Whether one file or link of the snapshot is as `path`; *stale (may be NULL) tells
 * whether it was carried forward. ERR_MISSING where the snapshot has no such entry.
 */
bool check_entry(struct repo *r, const char *band, const char *apath, const char *path,
    bool *stale, struct err *e);

#endif
