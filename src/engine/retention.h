/*
 * Which snapshots a policy keeps, and why. Pure: no storage, no clock.
 *
 * Every set is judged by itself. A snapshot is kept where any rule keeps it. A count
 * keeps the newest snapshot of so many periods, counted from the newest; periods are
 * those of the calendar in local time, weeks begin on Monday. Where there are fewer
 * periods, the oldest snapshot of all is kept too, so that a count which is not reached
 * yet has something to grow from. A stretch of time counts back from the set's newest
 * snapshot. Snapshots dated in the future are kept and shift nothing; pinned ones are
 * kept.
 */
#ifndef BALE_ENGINE_RETENTION_H
#define BALE_ENGINE_RETENTION_H

#include "base/err.h"
#include "format/json.h"

/* KEEP_LAST: each snapshot is a period of its own. */
enum keep { KEEP_LAST, KEEP_HOURLY, KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY, KEEP_YEARLY };
#define KEEP_KINDS     6
#define KEEP_UNLIMITED UINT32_MAX

/* Calendar time back from a moment; hours are hours. All 0: none. */
struct stretch {
	uint32_t years, months, weeks, days, hours;
};

struct retention {
	uint32_t count[KEEP_KINDS];        /* 0: no such rule */
	struct stretch within[KEEP_KINDS]; /* newest of each period in it */
	struct string_list tags;           /* "a", or "a,b": who has both */
};

void retention_release(struct retention *p);

/* A number from 1 on, or "unlimited". */
bool retention_parse_count(const char *text, uint32_t *out);

/* "1y5m2w7d2h": each unit at most once, not all of them 0. */
bool retention_parse_stretch(const char *text, struct stretch *out);

/* The word for a kind: "last", "hourly", … */
const char *keep_name(enum keep kind);

/* A complete snapshot, and what becomes of it. */
struct candidate {
	const char *name, *set;
	int64_t start; /* ns since 1970 */
	const struct string_list *tags;
	bool pinned;
	/* decided */
	bool keep;
	struct string_list reasons;
};

/* ERR_USAGE where it has no rule. */
bool retention_check(const struct retention *p, struct err *e);

/*
 * Decide for all, in any order. ERR_USAGE where the policy has no rule; ERR_REFUSED where
 * it would keep none of a set. The caller releases the reasons, also after a failure.
 */
bool retention_apply(
    const struct retention *p, int64_t now, struct candidate *v, size_t n, struct err *e);

#endif
