/*
 * Signals: SIGINT and SIGTERM ask for a clean stop, and kill when they come again;
 * SIGUSR1 asks for a line of progress; SIGPIPE is ignored, so that a reader that went
 * away is an error like any other.
 */
#ifndef BALE_CLI_SIGNALS_H
#define BALE_CLI_SIGNALS_H

#include <stdbool.h>

void signals_install(void);

/* Set once a stop was asked for. */
extern volatile bool signals_stop;

/* Whether SIGUSR1 came since the last call. */
bool signals_asked(void);

#endif
