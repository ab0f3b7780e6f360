/*
 * Tags and pins given to snapshots after the fact: files of marks/ (mark.md).
 */
#ifndef BALE_ENGINE_MARKS_H
#define BALE_ENGINE_MARKS_H

#include "base/monitor.h"
#include "format/mark.h"
#include "repo/repo.h"

struct marks;

/*
 * Read all. One that cannot be read is told of (PROBLEM_DAMAGED) and counted; what it
 * said is not known. One that is torn (torn.h) is told of (PROBLEM_NOTE), and does not
 * count. False: the storage failed.
 */
bool marks_load(struct repo *r, struct monitor *m, struct marks **out, struct err *e);
void marks_free(struct marks *m); /* NULL is harmless */

/* How many files could not be read. */
uint64_t marks_unreadable(const struct marks *m);

/*
 * Whether that is none; else ERR_CORRUPT: there may be pins that are not
 * known. `undone` is what was therefore not done: "nothing was …".
 */
bool marks_whole(const struct marks *m, const char *undone, struct err *e);

bool marks_pinned(const struct marks *m, const struct band_name *band);

/* Make a band's own tags what they are by now: the first ones first. */
void marks_apply(const struct marks *m, struct band *b);

/*
 * Put a mark that counts from now on, and learn it: its time is later than that of any
 * mark on the same thing, whatever the clocks of those who wrote them. `tag` is "" for
 * pins.
 */
bool marks_put(struct marks *m, struct repo *r, const struct band_name *band,
    enum mark_kind kind, const char *tag, struct err *e);

#endif
