/*
 * What this mount last saw of a folder, and believes still: caches as clients of NFS,
 * sshfs and rclone keep them. For so many seconds after a folder was read, listings of it
 * (and, told so, look-ups in it) show what was there then, with the changes made through
 * this mount. 0 seconds: nothing is believed.
 */
#include "dumbfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
	char *path;
	double seen;
	struct names names;
	struct folder *next;
};

static struct {
	pthread_mutex_t lock; /* guards what follows */
	double list, look;    /* seconds */
	struct folder *folders;
} stale = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct name *names_find(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->at[i].name, name) == 0)
			return &names->at[i];
	return NULL;
}

static void names_append(struct names *names, const char *name, const struct stat *st)
{
	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 64;
		names->at = realloc(names->at, names->cap * sizeof *names->at);
		if (!names->at)
			abort();
	}
	names->at[names->n].name = strdup(name);
	names->at[names->n++].st = *st;
}

void names_set(struct names *names, const char *name, const struct stat *st)
{
	struct name *known = names_find(names, name);

	if (known)
		known->st = *st;
	else
		names_append(names, name, st);
}

void names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->at[i].name);
	free(names->at);
	*names = (struct names){0};
}

/* What the backing folder holds. */
static int names_read(const char *folder, struct names *out)
{
	int fd = openat(fs.root, backing_path(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	struct stat st;

	if (!dir)
		return -errno;
	while ((d = readdir(dir)))
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			names_append(out, d->d_name, &st);
	closedir(dir);
	return 0;
}

bool stale_set(char *words)
{
	char *save = NULL;
	bool ok = true;

	pthread_mutex_lock(&stale.lock);
	for (char *w = strtok_r(words, " ", &save); w && ok; w = strtok_r(NULL, " ", &save)) {
		if (strcmp(w, "forget") == 0)
			for (struct folder *f = stale.folders; f; f = f->next)
				f->seen = -1e9;
		else
			ok = sscanf(w, "list=%lf", &stale.list) == 1 ||
			     sscanf(w, "look=%lf", &stale.look) == 1;
	}
	pthread_mutex_unlock(&stale.lock);
	return ok;
}

/* What is believed of a folder for so many seconds; read anew where that is over. */
static struct folder *believed(const char *path, double seconds, int *r)
{
	struct folder *f = stale.folders;

	while (f && strcmp(f->path, path) != 0)
		f = f->next;
	if (!f) {
		f = calloc(1, sizeof *f);
		if (!f || !(f->path = strdup(path)))
			abort();
		f->seen = -1e9;
		f->next = stale.folders;
		stale.folders = f;
	}
	*r = 0;
	if (now() - f->seen > seconds) {
		names_release(&f->names);
		*r = names_read(path, &f->names);
		f->seen = *r == 0 ? now() : -1e9;
	}
	return f;
}

/* Splits "/bands/x" into "/bands" and "x". */
static const char *split(const char *path, char *folder, size_t size)
{
	const char *slash = strrchr(path, '/');

	snprintf(folder, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return slash + 1;
}

static struct folder *known_folder(const char *path, const char **name)
{
	char folder[4096];
	struct folder *f;

	*name = split(path, folder, sizeof folder);
	for (f = stale.folders; f && strcmp(f->path, folder) != 0; f = f->next)
		;
	return f;
}

void stale_made(const char *path)
{
	const char *name;
	struct folder *f;
	struct stat st;

	pthread_mutex_lock(&stale.lock);
	f = known_folder(path, &name);
	if (f && fstatat(fs.root, backing_path(path), &st, AT_SYMLINK_NOFOLLOW) == 0)
		names_set(&f->names, name, &st);
	pthread_mutex_unlock(&stale.lock);
}

void stale_removed(const char *path)
{
	const char *name;
	struct folder *f;
	struct name *known;

	pthread_mutex_lock(&stale.lock);
	f = known_folder(path, &name);
	known = f ? names_find(&f->names, name) : NULL;
	if (known) {
		free(known->name);
		*known = f->names.at[--f->names.n];
	}
	pthread_mutex_unlock(&stale.lock);
}

int stale_list(const char *folder, struct names *out)
{
	struct folder *f;
	int r;

	pthread_mutex_lock(&stale.lock);
	if (stale.list > 0) {
		f = believed(folder, stale.list, &r);
		for (size_t i = 0; i < f->names.n; i++)
			names_append(out, f->names.at[i].name, &f->names.at[i].st);
	} else {
		r = names_read(folder, out);
	}
	pthread_mutex_unlock(&stale.lock);
	return r;
}

int stale_stat(const char *path, struct stat *st)
{
	char folder[4096];
	const char *name = split(path, folder, sizeof folder);
	struct name *known;
	int r;

	pthread_mutex_lock(&stale.lock);
	if (stale.look > 0 && path[1]) {
		known = names_find(&believed(folder, stale.look, &r)->names, name);
		r = known ? 0 : r ? r : -ENOENT;
		if (known)
			*st = known->st;
		/* What grew since is told as it is: only names are believed. */
		if (known)
			fstatat(fs.root, backing_path(path), st, AT_SYMLINK_NOFOLLOW);
	} else {
		r = result(fstatat(fs.root, backing_path(path), st, AT_SYMLINK_NOFOLLOW));
	}
	pthread_mutex_unlock(&stale.lock);
	return r;
}
