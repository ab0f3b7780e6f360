/*
 * The SNAP[:PATH] of a command line.
 */
#ifndef BALE_CLI_SNAPSHOT_H
#define BALE_CLI_SNAPSHOT_H

#include "band/bands.h"
#include "cli/cli.h"

struct snapshot {
	struct bands bands;
	struct band_info *info;
	enum band_file kind;
	struct band band;
	struct buf path; /* without a slash at its end */
};

/*
 * Open the repository and find the snapshot. A snapshot that is only a head has nothing
 * in it: ERR_MISSING. Released by the caller, also after a failure.
 */
bool snapshot_open(struct cli *c, const char *arg, struct snapshot *s, struct err *e);
/* Something failed with it: false. What is not found may have been copied from a list. */
bool snapshot_failed(const struct snapshot *s, struct err *e);
void snapshot_release(struct snapshot *s);

#endif
