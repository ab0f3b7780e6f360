/*
 * Files of this mount that are not, or not so, on the storage: those that wait for their
 * upload, as behind a write-back cache, and phantoms. Programs on this mount see them
 * whole (a phantom: listed, and unreadable); another mount of the same backing folder
 * sees what has been uploaded, and a file whose upload is under way half.
 */
#include "own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct owns own = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .seed = 1};

struct own **own_find_locked(const char *path)
{
	struct own **at = &own.files;

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

void own_drop_locked(struct own **at)
{
	struct own *f = *at;

	*at = f->next;
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
}

static void add(const char *path, int fd, bool closed, off_t size)
{
	struct own *f = calloc(1, sizeof *f), **at;

	if (!f || !(f->path = strdup(path)))
		abort();
	f->fd = fd;
	f->closed = closed;
	f->size = size;
	pthread_mutex_lock(&own.lock);
	for (at = &own.files; *at; at = &(*at)->next)
		;
	*at = f;
	pthread_mutex_unlock(&own.lock);
}

int own_create(const char *path)
{
	int fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int twin, empty;

	if (fd < 0)
		return -errno;
	twin = dup(fd);
	if (twin < 0) {
		close(fd);
		return -EMFILE;
	}
	if (own.placeholder) {
		empty = openat(fs.root, backing_path(path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (empty >= 0)
			close(empty);
	}
	add(path, twin, false, 0);
	return fd;
}

void own_closed(const char *path)
{
	struct own *f;
	double late;

	pthread_mutex_lock(&own.lock);
	f = *own_find_locked(path);
	if (f) {
		late = own.late;
		if (own.order == ORDER_SHUFFLE) /* half to one and a half times as late */
			late *= 0.5 + rand_r(&own.seed) % 1000 / 1000.0;
		f->closed = true;
		f->due = now() + late;
		pthread_cond_broadcast(&own.changed);
	}
	pthread_mutex_unlock(&own.lock);
}

void own_phantom(const char *path, off_t size)
{
	own_forget(path);
	add(path, -1, true, size);
}

bool own_forget(const char *path)
{
	struct own **at;
	bool known;

	pthread_mutex_lock(&own.lock);
	while (*(at = own_find_locked(path)) && (*at)->uploading)
		pthread_cond_wait(&own.changed, &own.lock);
	known = *at != NULL;
	if (known)
		own_drop_locked(at);
	pthread_mutex_unlock(&own.lock);
	return known;
}

static void facts_locked(const struct own *f, struct stat *st)
{
	memset(st, 0, sizeof *st);
	if (f->fd >= 0)
		fstat(f->fd, st);
	else
		st->st_size = f->size;
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
}

int own_stat(const char *path, struct stat *st)
{
	struct own *f;

	pthread_mutex_lock(&own.lock);
	f = *own_find_locked(path);
	if (f)
		facts_locked(f, st);
	pthread_mutex_unlock(&own.lock);
	return f != NULL;
}

int own_open(const char *path)
{
	char twin[64];
	struct own *f;
	int fd = -ENOENT;

	pthread_mutex_lock(&own.lock);
	f = *own_find_locked(path);
	if (f && f->fd < 0) {
		fd = -EIO;
	} else if (f) {
		snprintf(twin, sizeof twin, "/proc/self/fd/%d", f->fd);
		fd = open(twin, O_RDONLY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	pthread_mutex_unlock(&own.lock);
	return fd;
}

void own_list(const char *folder,
    void (*found)(void *arg, const char *name, const struct stat *st), void *arg)
{
	size_t n = strlen(folder);
	struct stat st;

	n = n == 1 ? 0 : n; /* "/" */
	pthread_mutex_lock(&own.lock);
	for (struct own *f = own.files; f; f = f->next) {
		if (strncmp(f->path, folder, n) != 0 || f->path[n] != '/' ||
		    strchr(f->path + n + 1, '/'))
			continue;
		facts_locked(f, &st);
		found(arg, f->path + n + 1, &st);
	}
	pthread_mutex_unlock(&own.lock);
}

size_t own_pending(void)
{
	size_t n = 0;

	pthread_mutex_lock(&own.lock);
	for (struct own *f = own.files; f; f = f->next)
		n += f->fd >= 0;
	pthread_mutex_unlock(&own.lock);
	return n;
}
