/* Copying. */
#include "copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/scratch.h"

static void die(const char *doing)
{
	perror(doing);
	exit(99);
}

void copy_tree(const char *from, const char *to)
{
	char *command = mem_printf("cp -a '%s/.' '%s'", from, to);

	if (system(command) != 0)
		die(command);
	free(command);
}

void copy_home(void)
{
	char self[4096], *slash;
	ssize_t n;

	if (scratch_private())
		return;
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		die("/proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	/* A tree that is itself in /tmp has a parent that others write to. */
	if (strncmp(self, "/tmp/", 5) == 0 && access("/dev/shm", W_OK) == 0)
		strcpy(self, "/dev/shm");
	setenv("TMPDIR", self, 1);
}

static void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		die(from);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		if (write(out, bytes, (size_t)n) != n)
			die(to);
	close(in);
	close(out);
}

void copy_plain(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *d;

	if (!dir)
		die(from);
	while ((d = readdir(dir))) {
		char *a, *b;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		a = mem_printf("%s/%s", from, d->d_name);
		b = mem_printf("%s/%s", to, d->d_name);
		if (d->d_type == DT_DIR) {
			if (mkdir(b, 0700) != 0)
				die(b);
			copy_plain(a, b);
		} else {
			copy_file(a, b);
		}
		free(a);
		free(b);
	}
	closedir(dir);
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void copy_free(char *dir)
{
	if (nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die(dir);
	free(dir);
}
