/* The real world, and a fixed one for tests. */
#include "base/env.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

static int64_t clock_ns(clockid_t id)
{
	struct timespec t = {0, 0};

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t real_now(struct env *env)
{
	(void)env;
	return clock_ns(CLOCK_REALTIME);
}

static int64_t real_ticks(struct env *env)
{
	(void)env;
	return clock_ns(CLOCK_BOOTTIME);
}

static void real_sleep(struct env *env, int64_t ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};

	(void)env;
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/*
 * The kernel's generator never fails for a caller that waits; anything else ends the
 * program.
 */
static void real_random(struct env *env, void *out, size_t n)
{
	uint8_t *p = out;
	ssize_t got;

	(void)env;
	while (n > 0) {
		got = getrandom(p, n > 256 ? 256 : n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		p += got;
		n -= (size_t)got;
	}
}

static void real_yield(struct env *env, const char *point)
{
	(void)env;
	(void)point;
}

/*
 * Where the kernel does not tell, every look is at another boot: nothing is remembered.
 */
static void real_boot(struct env *env, char out[BOOT_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_SIZE - 1);
	uint64_t chance;

	if (n == BOOT_SIZE - 1) {
		out[n] = '\0';
	} else {
		real_random(env, &chance, sizeof chance);
		snprintf(out, BOOT_SIZE, "%016llx", (unsigned long long)chance);
	}
	if (fd >= 0)
		close(fd);
}

static struct env real = {
    real_now, real_ticks, real_sleep, real_random, real_yield, real_boot};

struct env *env_real(void)
{
	return &real;
}

struct fixed {
	struct env env;
	pthread_mutex_t lock; /* guards all below */
	int64_t now, step;
	uint64_t state;
};

static int64_t fixed_now(struct env *env)
{
	struct fixed *f = (struct fixed *)env;
	int64_t t;

	pthread_mutex_lock(&f->lock);
	t = f->now;
	f->now += f->step;
	pthread_mutex_unlock(&f->lock);
	return t;
}

static void fixed_sleep(struct env *env, int64_t ns)
{
	struct fixed *f = (struct fixed *)env;

	pthread_mutex_lock(&f->lock);
	f->now += ns;
	pthread_mutex_unlock(&f->lock);
}

uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void fixed_random(struct env *env, void *out, size_t n)
{
	struct fixed *f = (struct fixed *)env;
	uint8_t *p = out;
	uint64_t v = 0;
	size_t i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < n; i++) {
		if (i % 8 == 0)
			v = splitmix(&f->state);
		p[i] = (uint8_t)v;
		v >>= 8;
	}
	pthread_mutex_unlock(&f->lock);
}

static void fixed_boot(struct env *env, char out[BOOT_SIZE])
{
	(void)env;
	memcpy(out, "fixed", sizeof "fixed");
}

struct env *env_fixed_new(int64_t now, int64_t step, uint64_t seed)
{
	struct fixed *f = mem_zalloc(sizeof *f);

	f->env = (struct env){fixed_now, fixed_now, fixed_sleep, fixed_random, real_yield,
	    fixed_boot};
	pthread_mutex_init(&f->lock, NULL);
	f->now = now;
	f->step = step;
	f->state = seed;
	return &f->env;
}

void env_fixed_free(struct env *env)
{
	struct fixed *f = (struct fixed *)env;

	if (!f)
		return;
	pthread_mutex_destroy(&f->lock);
	free(f);
}
