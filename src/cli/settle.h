/*
 * The command that --settle names: it waits until a mount that uploads behind our back
 * has nothing left to upload, and says by its exit status whether it did.
 */
#ifndef BALE_CLI_SETTLE_H
#define BALE_CLI_SETTLE_H

#include "cli/cli.h"

/*
 * Have the repository settled by the command of --settle, where it was given. In its
 * environment BALE_REPO is the folder; what it prints goes to standard error.
 * ERR_USAGE where it is empty, as it would be of a variable that is not set.
 */
bool settle_use(struct cli *c, struct err *e);

#endif
