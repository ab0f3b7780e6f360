/*
 * Exit statuses: the one place where they are decided.
 */
#ifndef BALE_CLI_STATUS_H
#define BALE_CLI_STATUS_H

#include "base/err.h"

enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_PARTIAL = 3,     /* a source not read, or an attribute not restored */
	STATUS_DAMAGE = 4,      /* damage found in the repository */
	STATUS_NO_REPO = 10,    /* none there, or not one */
	STATUS_PASSPHRASE = 12, /* wrong passphrase or key */
	STATUS_NO_SPACE = 13,
	STATUS_UNREACHABLE = 14, /* storage unreachable, vanished or not mounted */
	STATUS_INTERRUPTED = 130,
};

int status_of(enum err_kind kind);

/* The kind as scripts read it: "corrupt", "no-space", … */
const char *status_kind_name(enum err_kind kind);

#endif
