/*
 * When what was closed gets onto the storage: a thread uploads what is due, one at a
 * time. What still waits when the file system ends is lost, unless it is told to wait.
 */
#include "own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_t thread;
static bool running;

static void drop_pending_locked(void)
{
	for (struct own **at = &own.files; *at;) {
		if ((*at)->fd >= 0 && (*at)->closed && !(*at)->uploading)
			own_drop_locked(at);
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
	else if (strcmp(word, "no-placeholder") == 0)
		own.placeholder = false;
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

bool uploads_set(char *words)
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

bool uploads_late(void)
{
	bool late;

	pthread_mutex_lock(&own.lock);
	late = own.late > 0 || own.hold;
	pthread_mutex_unlock(&own.lock);
	return late;
}

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
	to = openat(
	    fs.root, backing_path(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
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
			own_drop_locked(own_find_locked(f->path));
		pthread_cond_broadcast(&own.changed);
	}
	pthread_mutex_unlock(&own.lock);
	return NULL;
}

void uploads_start(void)
{
	running = pthread_create(&thread, NULL, uploader, NULL) == 0;
}

void uploads_stop(void)
{
	pthread_mutex_lock(&own.lock);
	own.ending = true;
	pthread_cond_broadcast(&own.changed);
	pthread_mutex_unlock(&own.lock);
	if (running)
		pthread_join(thread, NULL);
}
