/* Scratch directories. */
#include "scratch.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(99);
}

bool scratch_private(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "mode=0755") != 0)
		return false;
	setenv("TMPDIR", "/mnt", 1);
	return true;
}

char *scratch_new(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path, *real;

	check(asprintf(&path, "%s/bale-test-XXXXXX", tmp ? tmp : "/tmp") > 0, "asprintf");
	check(mkdtemp(path) != NULL, path);
	real = realpath(path, NULL);
	check(real != NULL, path);
	free(path);
	return real;
}

void scratch_free(char *dir)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--one-file-system", dir, (char *)NULL);
		_exit(127);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "rm");
	free(dir);
}

const char *scratch_path(const char *dir, const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	char *p = paths[next++ % 4];

	check(snprintf(p, 4096, "%s/%s", dir, name) < 4096, "path too long");
	return p;
}

void scratch_mkdir(const char *dir, const char *name)
{
	char path[4096], *p;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	for (p = path + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(path, 0755);
	}
	mkdir(path, 0755);
	check(access(path, F_OK) == 0, path);
}

void scratch_file(const char *dir, const char *name, const void *p, size_t n)
{
	const char *path = scratch_path(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	check(fd >= 0, path);
	check(write(fd, p, n) == (ssize_t)n, path);
	close(fd);
}

void scratch_symlink(const char *dir, const char *name, const char *target)
{
	const char *path = scratch_path(dir, name);

	check(symlink(target, path) == 0, path);
}

void scratch_deep(const char *dir, const char *name, unsigned n)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), next;

	check(fd >= 0, dir);
	while (n--) {
		check(mkdirat(fd, name, 0755) == 0, name);
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		check(next >= 0, name);
		close(fd);
		fd = next;
	}
	next = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	check(next >= 0, "f");
	close(next);
	close(fd);
}
