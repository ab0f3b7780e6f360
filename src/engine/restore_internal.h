/* Shared by restore.c and restore_links.c. */
#ifndef BALE_ENGINE_RESTORE_INTERNAL_H
#define BALE_ENGINE_RESTORE_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "engine/gather.h"
#include "engine/restore.h"

#define FRAMES_KEPT 4

/* Attributes that were not restored, on their way from the workers. */
struct lost_attr {
	struct span path;
	struct err why;
};

struct link {
	char *apath, *first;
	bool file;
};

struct restore {
	struct repo *repo;
	const struct band *band;
	const struct restore_options *o;
	struct monitor *m;
	struct restore_result *out;
	struct reading rd;
	struct target *target;
	struct pool *cpu, *transfer;
	struct gather *gather;
	struct span root; /* what is restored; its last slash ends the prefix */
	size_t prefix;    /* bytes that apaths lose */
	uint64_t seen;
	bool torn;        /* directories may be missing */
	struct buf parent; /* where that is so: the last one seen to be there */

	struct link *links;
	size_t n_links, links_cap;
	struct map stand_ins; /* digest of a first apath → index in paths */
	struct string_list paths;

	pthread_mutex_t lock; /* guards what follows */
	struct lost_attr **attrs;
	size_t n_attrs, attrs_cap;
};

/* A gather's `done`; arg is the restore. */
void restore_file_done(void *arg, const struct outfile *f);

/* An entry that is neither file nor directory. */
bool restore_special(struct restore *r, const struct entry *en, struct err *e);

/* Count and name an entry that is lost. */
void restore_damage(struct restore *r, struct span subject, const struct err *e);

/*
 * Note an attribute that an entry lacks, by its path below the target, to be told and
 * counted later. Any thread; arg is the restore.
 */
void restore_attribute(void *arg, struct span path, const char *what, int sys);

/* Whether to stop; then *e says so. */
bool restore_stopped(const struct restore *r, struct err *e);

/* The apath's path below the target. */
static inline struct span restore_below(const struct restore *r, struct span apath)
{
	if (apath.n <= r->prefix)
		return SPAN_EMPTY;
	return span_of(apath.p + r->prefix, apath.n - r->prefix);
}

/*
 * Whether the file is a link that must wait for the first of its group; if so, it does.
 */
bool link_waits(struct restore *r, const struct entry *en);

/* Make the links, once every file so far is done. */
bool links_make(struct restore *r, struct err *e);
void links_release(struct restore *r);

#endif
