/*
 * What there is: snapshots of a repository, entries of a snapshot.
 */
#ifndef BALE_ENGINE_LIST_H
#define BALE_ENGINE_LIST_H

#include "band/bands.h"
#include "base/monitor.h"
#include "format/entry.h"
#include "repo/repo.h"

/*
 * One snapshot. `state` says whether the band is complete, a part, or only a head. Its
 * tags are what they are by now.
 */
typedef bool list_snapshot_fn(void *arg, const struct band_info *info,
    enum band_file state, const struct band *band, bool pinned, struct err *e);

struct list_result {
	uint64_t snapshots;
	uint64_t unreadable; /* bands whose files cannot be read: each was named */
};

/*
 * All backups that are removed, or all that are not, oldest first. Unreadable ones are
 * named and counted.
 */
bool list_run(struct repo *r, bool removed, list_snapshot_fn *fn, void *arg,
    struct monitor *m, struct list_result *out, struct err *e);

/* An entry; its spans are borrowed. */
typedef bool ls_entry_fn(void *arg, const struct entry *entry, struct err *e);

/*
 * The entry at `path` and, of a directory, its children, or all below it where
 * `recursive`. *damaged counts hunks that could not be had. ERR_MISSING where the path is
 * not there.
 */
bool ls_run(struct repo *r, const struct band *band, struct span path, bool recursive,
    const char *cache_dir, ls_entry_fn *fn, void *arg, struct monitor *m,
    uint64_t *damaged, struct err *e);

#endif
