/*
 * Commands that the user names, for sh.
 */
#ifndef BALE_CLI_SHELL_H
#define BALE_CLI_SHELL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Start `command`, which messages call `what`. Its standard output is the descriptor
 * `out`. Apart: in a process group of its own, that a signal may end with all it has
 * started, and with nothing to read.
 */
bool shell_start(const char *command, const char *what, int out, bool apart, pid_t *pid,
    struct err *e);

/* What came of it, as waitpid tells: false, and an error of the kind, where it failed. */
bool shell_ended(int status, const char *what, enum err_kind kind, struct err *e);

#endif
