/* Handlers that only set flags. */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>

volatile bool signals_stop;
static volatile sig_atomic_t asked;

static void on_stop(int sig)
{
	if (signals_stop) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	signals_stop = true;
}

static void on_usr1(int sig)
{
	(void)sig;
	asked = 1;
}

void signals_install(void)
{
	struct sigaction stop = {.sa_handler = on_stop};
	struct sigaction usr1 = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};

	/* No SA_RESTART: waiting at the terminal for a passphrase must end. */
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGUSR1, &usr1, NULL);
	signal(SIGPIPE, SIG_IGN);
	/*
	 * Whoever started bale may have ignored it; then no command would tell how it ended.
	 */
	signal(SIGCHLD, SIG_DFL);
}

bool signals_asked(void)
{
	bool was = asked;

	asked = 0;
	return was;
}
