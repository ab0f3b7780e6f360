/*
 * How an engine talks while it works: problems with single files or places, and progress.
 * It knows no terminal; the command line (or a test) listens. All calls come from the
 * main thread. Any function may be NULL.
 */
#ifndef BALE_BASE_MONITOR_H
#define BALE_BASE_MONITOR_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum problem {
	PROBLEM_UNREADABLE, /* a source that could not be read; carried forward or left out */
	PROBLEM_CHANGED,    /* changed while it was read */
	PROBLEM_VANISHED,   /* gone between being seen and being read */
	PROBLEM_SKIPPED,    /* a socket, by design not kept */
	PROBLEM_ATTRIBUTE,  /* restored, but for an attribute */
	PROBLEM_DAMAGED,    /* in the repository: a file's content or a hunk cannot be had */
	PROBLEM_REFUSED,    /* not restored: the target would not take it */
	PROBLEM_RETRY,      /* a storage operation failed and is tried again */
	PROBLEM_NOTE,       /* worth telling, nothing is lost */
};

struct progress {
	const char *phase; /* "scan", "read", "restore", "check", … */
	/* A total of 0 is not known; one that is passed was a guess. */
	uint64_t files, files_total;
	bool parts; /* files counts parts of the index */
	uint64_t bytes, bytes_total;
	uint64_t bytes_stored;
};

struct monitor {
	/* subject: an apath, or a file of the repository. e may be NULL. */
	void (*problem)(
	    struct monitor *m, enum problem what, struct span subject, const struct err *e);
	/* Called often; the listener decides how often to show it. */
	void (*progress)(struct monitor *m, const struct progress *p);
};

static inline void monitor_problem(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	if (m && m->problem)
		m->problem(m, what, subject, e);
}

static inline void monitor_progress(struct monitor *m, const struct progress *p)
{
	if (m && m->progress)
		m->progress(m, p);
}

#endif
