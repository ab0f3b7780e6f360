/* Files of a folder. */
#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static void die(const char *doing)
{
	perror(doing);
	exit(99);
}

size_t files_each(const char *dir, const char *prefix, files_fn *fn)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	size_t n = 0;

	if (!d)
		die(dir);
	while ((de = readdir(d))) {
		char *path;

		if (strncmp(de->d_name, prefix, strlen(prefix)) != 0)
			continue;
		n++;
		path = mem_printf("%s/%s", dir, de->d_name);
		if (fn)
			fn(path);
		free(path);
	}
	closedir(d);
	return n;
}

size_t files_count(const char *dir, const char *prefix)
{
	return files_each(dir, prefix, NULL);
}

static off_t size_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		die(path);
	return st.st_size;
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	unsigned char byte = 0;

	if (fd < 0 || pread(fd, &byte, 1, at) != 1)
		die(path);
	byte ^= 4;
	if (pwrite(fd, &byte, 1, at) != 1)
		die(path);
	close(fd);
}

static void cut(const char *path, off_t size)
{
	if (truncate(path, size) != 0)
		die(path);
}

void files_flip_first(const char *path)
{
	flip(path, 0);
}

void files_flip_middle(const char *path)
{
	flip(path, size_of(path) / 2);
}

void files_flip_last(const char *path)
{
	flip(path, size_of(path) - 1);
}

void files_cut_half(const char *path)
{
	cut(path, size_of(path) / 2);
}

void files_cut_one(const char *path)
{
	cut(path, size_of(path) - 1);
}

void files_empty(const char *path)
{
	cut(path, 0);
}

void file_read(const char *path, struct buf *out)
{
	size_t n = (size_t)size_of(path);
	int fd = open(path, O_RDONLY);

	buf_clear(out);
	if (fd < 0 || read(fd, buf_extend(out, n), n) != (ssize_t)n)
		die(path);
	close(fd);
}

void file_write(const char *path, struct span content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, content.p, content.n) != (ssize_t)content.n)
		die(path);
	close(fd);
}
