/*
 * The line to the storage: how long each kind of operation takes, and how many bytes go
 * over it in a second, each way. Latency passes for many at once; bytes wait for each
 * other.
 */
#include "dumbfs.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

struct direction {
	double rate;     /* bytes a second; 0: without a limit */
	double free_at;  /* when the last byte will have passed */
};

static struct {
	pthread_mutex_t lock; /* guards what follows */
	double latency[OP_KINDS]; /* seconds */
	struct direction up, down;
} line = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void sleep_for(double seconds)
{
	struct timespec t;

	if (seconds <= 0)
		return;
	t.tv_sec = (time_t)seconds;
	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

void link_latency(unsigned kinds, double ms)
{
	pthread_mutex_lock(&line.lock);
	for (int i = 0; i < OP_KINDS; i++)
		if (kinds & OP_BIT(i))
			line.latency[i] = ms / 1000;
	pthread_mutex_unlock(&line.lock);
}

void link_bandwidth(bool up, double bytes_per_second)
{
	pthread_mutex_lock(&line.lock);
	(up ? &line.up : &line.down)->rate = bytes_per_second;
	pthread_mutex_unlock(&line.lock);
}

void link_wait(enum kind kind)
{
	double seconds;

	pthread_mutex_lock(&line.lock);
	seconds = line.latency[kind];
	pthread_mutex_unlock(&line.lock);
	sleep_for(seconds);
}

void link_carry(bool up, size_t bytes)
{
	struct direction *d = up ? &line.up : &line.down;
	double t = now(), until = t;

	pthread_mutex_lock(&line.lock);
	if (d->rate > 0) {
		if (d->free_at < t)
			d->free_at = t;
		d->free_at += (double)bytes / d->rate;
		until = d->free_at;
	}
	pthread_mutex_unlock(&line.lock);
	sleep_for(until - t);
}
