/*
 * Listening to an engine: problems are reported and counted; progress is a line on a
 * terminal's standard error, redrawn at most ten times a second, and silence elsewhere.
 * SIGUSR1 prints one line wherever it goes.
 */
#ifndef BALE_CLI_PROGRESS_H
#define BALE_CLI_PROGRESS_H

#include "base/monitor.h"
#include "cli/report.h"

struct listener {
	struct monitor monitor; /* give this to the engine */
	struct report *report;
	uint64_t problems[PROBLEM_NOTE + 1]; /* how many of each */
	/* private */
	bool terminal;
	struct progress most;      /* of this phase */
	int64_t phase_began, last; /* ns of the monotonic clock */
};

void listener_init(struct listener *l, struct report *r);

/* Erase the line. */
void listener_end(struct listener *l);

/*
 * Take what is told into what is shown: within a phase nothing goes back, as numbers do
 * that count what is under way. Whether a new phase began.
 */
bool progress_take(struct progress *most, const struct progress *p);

/*
 * "read  1,203 of 4,100 files  2.6 of 4.2 GiB …": what is known of p, `seconds` after its
 * phase began, cut to `width` columns.
 */
void progress_text(
    struct buf *out, const struct progress *p, double seconds, unsigned width);

#endif
