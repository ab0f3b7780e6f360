/*
 * How long this machine has known of something, by its own clock alone: no clocks are
 * compared. A note in the cache says when it was first seen, and under which boot;
 * whatever is in doubt starts again.
 */
#ifndef BALE_ENGINE_VACUUM_WAIT_H
#define BALE_ENGINE_VACUUM_WAIT_H

#include "repo/cache.h"

struct waits;

/*
 * The cache may be one that keeps nothing: then nothing is ever old. One that is only
 * looked at does, too: what another run has noted holds, but nothing new is.
 */
struct waits *waits_open(struct cache *c, struct env *env);

/* To forget: what was not asked for, as nobody will any more. NULL is harmless. */
void waits_close(struct waits *w, bool forget);

/*
 * For how long `key`, a line of text, had been known when this was opened, ns; 0 where it
 * is new. So what is listed after opening is listed at least so much later.
 */
int64_t waits_age(struct waits *w, const char *key);

#endif
