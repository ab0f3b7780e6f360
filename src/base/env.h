/*
 * The world outside: clock, sleep, randomness and the hand-over between threads. Whatever
 * in bale depends on time or chance asks an env, so that a test can put a fixed or
 * simulated one in its place: production and simulator differ only here (and in the
 * store).
 */
#ifndef BALE_BASE_ENV_H
#define BALE_BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_SIZE 37 /* NUL-ended */

struct env {
	/*
	 * Wall clock, nanoseconds since 1970 UTC. Never used for a decision about deletion.
	 */
	int64_t (*now)(struct env *env);
	/* Monotonic clock that counts sleep (CLOCK_BOOTTIME), nanoseconds. */
	int64_t (*ticks)(struct env *env);
	void (*sleep)(struct env *env, int64_t ns);
	void (*random)(struct env *env, void *out, size_t n);
	/* Called at each storage operation; a simulator hands over to another client here. */
	void (*yield)(struct env *env, const char *point);
	/* What tells one start of this machine from another, and from other machines. */
	void (*boot)(struct env *env, char out[BOOT_SIZE]);
};

/* The real world; a static object, safe from any thread. */
struct env *env_real(void);

/*
 * A fixed one: the clock stands at `now` ns and moves on by `step` ns at each look; sleep
 * moves it on; random bytes follow from the seed. Thread-safe. Freed with env_fixed_free.
 */
struct env *env_fixed_new(int64_t now, int64_t step, uint64_t seed);
void env_fixed_free(struct env *env);

/*
 * Draw a number, repeatably: splitmix64 (Steele, Lea, Flood 2014). Every first state
 * gives a sequence of full period. Not for secrets.
 */
uint64_t splitmix(uint64_t *state);

#endif
