/*
 * Backup: one run from walking the sources to the tail of a new band.
 */
#ifndef BALE_ENGINE_BACKUP_H
#define BALE_ENGINE_BACKUP_H

#include "base/monitor.h"
#include "format/band.h"
#include "repo/repo.h"

struct filter;

struct backup_options {
	const char *set, *host, *user, *program;
	const char *const *paths; /* sources; at least one */
	size_t n_paths;
	const char *const *tags;
	size_t n_tags;
	const struct filter *filter; /* excludes; NULL: none */
	bool one_file_system, no_cachedir, ignore_ctime;
	unsigned threads;     /* for reading, compressing; 0 runs all on the calling thread */
	unsigned transfers;   /* storage operations at once; 0: on the calling thread */
	/* Bundles being put at once; 0: by the latency of the storage. */
	unsigned puts;
	int level;            /* zstd */
	uint64_t checkpoint;  /* bytes read between parts; 0: none */
	int64_t checkpoint_ns; /* or this long; 0: none */
	/* None by bytes so soon that parts would take a share of the time. */
	bool spaced;
	const char *cache_dir; /* see cache.h; NULL: no cache */
	/* Where the repository lies, so that it is not backed up; may be NULL. */
	const char *repo_path;
	const volatile bool *stop; /* set by a signal: stop cleanly; may be NULL */
};

void backup_options_init(struct backup_options *o);

struct backup_result {
	char snapshot[BAND_MAX_LEN + 1]; /* the band; "" before its head was written */
	bool complete;  /* the tail is written, and no fence was found after it */
	/* The storage acknowledged everything in a way that means something. */
	bool confirmed;
	unsigned parts; /* checkpoints written */
	struct band_totals totals;
	char basis[BAND_MAX_LEN + 1];
};

/*
 * False: no complete snapshot came about (or it is complete, and whether it has arrived
 * could not be told), *e says why; ERR_STOPPED after a clean stop (a part has been
 * written, which the next backup goes on from). True with totals.unreadable > 0 or a
 * missing source: partial. *out is filled in either case. A run that finds itself
 * declared dead at its end is repeated, once.
 */
bool backup_run(struct repo *r, const struct backup_options *o, struct monitor *m,
    struct backup_result *out, struct err *e);

#endif
