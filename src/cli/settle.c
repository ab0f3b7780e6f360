/*
 * A shell command, in a process group of its own: a signal to bale ends it and what it
 * has started. No descriptor of the repository is open for writing while it runs, nor
 * would one be handed down.
 */
#include "cli/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/signals.h"

#define LOOK_NS 50000000 /* between two looks at the command and at the flag */

extern char **environ;

static int start(const char *command, pid_t *pid)
{
	char *argv[] = {"sh", "-c", (char *)command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t pipe_signal;
	int failed;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &pipe_signal);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	failed = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return failed;
}

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
	const char *command = arg;
	int status = -1, failed;
	pid_t pid;

	failed = start(command, &pid);
	if (failed)
		return err_sys(e, failed, "run the command of --settle");
	if (!wait_for(pid, &status))
		return err_set(e, ERR_STOPPED, "stopped");
	return status == 0 ||
	       err_set(e, ERR_IO, "the command of --settle failed (%s %d)",
		   WIFEXITED(status) ? "exit status" : "signal",
		   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

void settle_use(struct cli *c)
{
	const char *command = options_value(&c->options, "settle");

	if (!command)
		return;
	setenv("BALE_REPO", c->path, 1);
	c->repo->settle = settle;
	c->repo->settle_arg = (char *)command;
}
