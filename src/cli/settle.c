/*
 * A shell command, in a process group of its own: a signal to bale ends it and what it
 * has started. No descriptor of the repository is open for writing while it runs, nor
 * would one be handed down.
 */
#include "cli/settle.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/shell.h"
#include "cli/signals.h"

#define LOOK_NS 50000000 /* between two looks at the command and at the flag */

static const char what[] = "the command of --settle";

/* False: stopped. */
static bool wait_for(pid_t pid, int *status)
{
	const struct timespec pause = {0, LOOK_NS};
	bool stopped = false;
	pid_t done;

	while ((done = waitpid(pid, status, stopped ? 0 : WNOHANG)) != pid) {
		if (done < 0 && errno != EINTR)
			break;
		if (signals_stop && !stopped) {
			stopped = true;
			kill(-pid, SIGTERM);
		}
		if (!stopped)
			nanosleep(&pause, NULL);
	}
	return !stopped;
}

static bool settle(void *arg, struct err *e)
{
	int status = -1;
	pid_t pid;

	if (!shell_start(arg, what, STDERR_FILENO, true, &pid, e))
		return false;
	if (!wait_for(pid, &status))
		return err_set(e, ERR_STOPPED, "stopped");
	return shell_ended(status, what, ERR_IO, e);
}

bool settle_use(struct cli *c, struct err *e)
{
	const char *command = options_value(&c->options, "settle");

	if (!command)
		return true;
	if (!command[strspn(command, " \t\n")])
		return err_set(e, ERR_USAGE,
		    "--settle: the command is empty, and would wait for nothing");
	setenv("BALE_REPO", c->path, 1);
	c->repo->settle = settle;
	c->repo->settle_arg = (char *)command;
	return true;
}
