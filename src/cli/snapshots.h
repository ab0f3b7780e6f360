/*
 * The SNAP arguments of a command that takes several.
 */
#ifndef BALE_CLI_SNAPSHOTS_H
#define BALE_CLI_SNAPSHOTS_H

#include "band/bands.h"
#include "cli/cli.h"

struct snapshots {
	struct bands bands;
	struct band_info **v; /* each once, in the order named */
	size_t n;
};

/*
 * Open the repository and find what the first n arguments name; all of them before
 * anything is done. Released by the caller, also after a failure.
 */
bool snapshots_open(struct cli *c, int n, struct snapshots *s, struct err *e);

/* The same; where an argument names none, one that was removed may be meant. */
bool snapshots_open_any(struct cli *c, int n, struct snapshots *s, struct err *e);
void snapshots_release(struct snapshots *s);

#endif
