/*
 * Over posix_spawn, which does not copy the process and its secrets. SIGPIPE, which bale
 * ignores, is what the command expects.
 */
#include "cli/shell.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

bool shell_start(
    const char *command, const char *what, int out, bool apart, pid_t *pid, struct err *e)
{
	char *argv[] = {"sh", "-c", (char *)command, NULL};
	short flags = POSIX_SPAWN_SETSIGDEF;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t pipe_signal;
	int failed;

	posix_spawn_file_actions_init(&actions);
	if (apart) {
		flags |= POSIX_SPAWN_SETPGROUP;
		posix_spawn_file_actions_addopen(
		    &actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	}
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &pipe_signal);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, flags);
	failed = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return !failed || err_sys(e, failed, "run %s", what);
}

bool shell_ended(int status, const char *what, enum err_kind kind, struct err *e)
{
	return status == 0 ||
	    err_set(e, kind, "%s failed (%s %d)", what,
	        WIFEXITED(status) ? "exit status" : "signal",
	        WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}
