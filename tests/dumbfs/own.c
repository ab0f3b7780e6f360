/*
 * Files of this mount that are not, or not so, on the storage: those that wait for their
 * upload, as behind a write-back cache, and phantoms. Programs on this mount see them whole
 * (a phantom: listed, and unreadable); another mount of the same backing folder sees what
 * has been uploaded, and a file whose upload is under way half.
 *
 * A thread uploads what is due, one at a time. What still waits when the file system ends
 * is lost, unless it is told to wait.
 */
#include "dumbfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum order { ORDER_CLOSE, ORDER_REVERSE, ORDER_SHUFFLE };

struct own {
	char *path;
	int fd; /* -1: a phantom */
	bool closed, uploading;
	off_t size;  /* of a phantom */
	double due;
	struct own *next; /* in order of creation */
};

static struct {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct own *files;
	double late;
	enum order order;
	bool hold, placeholder, wait_at_end, ending, running;
	unsigned seed;
	pthread_t thread;
} own = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .seed = 1};

static struct own **find_locked(const char *path)
{
	struct own **at = &own.files;

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

static void drop_locked(struct own **at)
{
	struct own *f = *at;

	*at = f->next;
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
}

static void drop_pending_locked(void)
{
	for (struct own **at = &own.files; *at;) {
		if ((*at)->fd >= 0 && (*at)->closed && !(*at)->uploading)
			drop_locked(at);
		else
			at = &(*at)->next;
	}
}

static bool take_word_locked(const char *word)
{
	if (sscanf(word, "late=%lf", &own.late) == 1)
		return true;
	if (strcmp(word, "order=close") == 0)
		own.order = ORDER_CLOSE;
	else if (strcmp(word, "order=reverse") == 0)
		own.order = ORDER_REVERSE;
	else if (strcmp(word, "order=shuffle") == 0)
		own.order = ORDER_SHUFFLE;
	else if (strcmp(word, "placeholder") == 0)
		own.placeholder = true;
	else if (strcmp(word, "unmount=wait") == 0)
		own.wait_at_end = true;
	else if (strcmp(word, "unmount=drop") == 0)
		own.wait_at_end = false;
	else if (strcmp(word, "hold") == 0)
		own.hold = true;
	else if (strcmp(word, "go") == 0)
		own.hold = false;
	else if (strcmp(word, "drop") == 0)
		drop_pending_locked();
	else
		return false;
	return true;
}

bool own_set(char *words)
{
	char *save = NULL;
	bool ok = true;

	pthread_mutex_lock(&own.lock);
	for (char *w = strtok_r(words, " ", &save); w && ok; w = strtok_r(NULL, " ", &save))
		ok = take_word_locked(w);
	pthread_cond_broadcast(&own.changed);
	pthread_mutex_unlock(&own.lock);
	return ok;
}

bool own_late(void)
{
	bool late;

	pthread_mutex_lock(&own.lock);
	late = own.late > 0 || own.hold;
	pthread_mutex_unlock(&own.lock);
	return late;
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
	f = *find_locked(path);
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
	while (*(at = find_locked(path)) && (*at)->uploading)
		pthread_cond_wait(&own.changed, &own.lock);
	known = *at != NULL;
	if (known)
		drop_locked(at);
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
	f = *find_locked(path);
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
	f = *find_locked(path);
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

/* --- the uploads */

/* The next to upload; NULL if none is due, and when to look again. */
static struct own *due_locked(double *when)
{
	bool any = own.ending && own.wait_at_end;
	struct own *best = NULL;

	*when = now() + 3600;
	if (own.hold && !any)
		return NULL;
	for (struct own *f = own.files; f; f = f->next) {
		if (f->fd < 0 || !f->closed)
			continue;
		if (f->due > now() && !any) {
			*when = f->due < *when ? f->due : *when;
			continue;
		}
		if (!best || own.order == ORDER_REVERSE ||
		    (own.order == ORDER_SHUFFLE && rand_r(&own.seed) % 2))
			best = f;
	}
	return best;
}

static int copy_whole(int from, int to, long torn)
{
	static char block[1 << 16];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, block, sizeof block, at)) > 0) {
		if (torn >= 0 && at + n > torn)
			n = torn - at;
		if (n <= 0)
			return 0;
		link_carry(true, (size_t)n);
		if (write(to, block, (size_t)n) != n)
			return -EIO;
		at += n;
	}
	return n < 0 ? -EIO : 0;
}

static int upload(const char *path, int from)
{
	struct verdict v;
	int r, to;

	r = begin(OP_UPLOAD, path, 0, &v);
	if (r || v.lose)
		return r;
	to = openat(fs.root, backing_path(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	r = copy_whole(from, to, v.torn);
	return close(to) == 0 ? r : -EIO;
}

static void *uploader(void *arg)
{
	struct timespec until;
	double when;

	(void)arg;
	pthread_mutex_lock(&own.lock);
	for (;;) {
		struct own *f = due_locked(&when);
		int r;

		if (!f && own.ending)
			break;
		if (!f) {
			clock_gettime(CLOCK_REALTIME, &until);
			when = when > now() ? when - now() : 0;
			until.tv_sec += (time_t)when;
			until.tv_nsec += (long)((when - (double)(time_t)when) * 1e9);
			until.tv_sec += until.tv_nsec / 1000000000;
			until.tv_nsec %= 1000000000;
			pthread_cond_timedwait(&own.changed, &own.lock, &until);
			continue;
		}
		f->uploading = true;
		pthread_mutex_unlock(&own.lock);
		r = upload(f->path, f->fd);
		if (r == 0)
			stale_made(f->path); /* it is this mount's change */
		pthread_mutex_lock(&own.lock);
		f->uploading = false;
		f->due = now() + 1;
		if (r == 0 || own.ending)
			drop_locked(find_locked(f->path));
		pthread_cond_broadcast(&own.changed);
	}
	pthread_mutex_unlock(&own.lock);
	return NULL;
}

void own_start(void)
{
	own.running = pthread_create(&own.thread, NULL, uploader, NULL) == 0;
}

void own_stop(void)
{
	pthread_mutex_lock(&own.lock);
	own.ending = true;
	pthread_cond_broadcast(&own.changed);
	pthread_mutex_unlock(&own.lock);
	if (own.running)
		pthread_join(own.thread, NULL);
}
