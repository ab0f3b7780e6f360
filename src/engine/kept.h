/*
 * Frames as they are stored, of which only a part was wanted so far: in a snapshot that
 * grew over many backups each frame holds a little of every part of the tree, and the
 * next window wants more of it. Within a budget of memory; what was used longest ago goes
 * first. One thread.
 */
#ifndef BALE_ENGINE_KEPT_H
#define BALE_ENGINE_KEPT_H

#include "base/buf.h"

struct kept;

struct kept *kept_new(size_t budget);
void kept_free(struct kept *k); /* NULL is harmless */

/* A copy of the frame, instead of one that it has. */
void kept_put(struct kept *k, uint32_t bundle, uint32_t frame, struct span stored);

bool kept_has(struct kept *k, uint32_t bundle, uint32_t frame);

/* Takes the frame out of it; replaces *stored. False where it has none. */
bool kept_take(struct kept *k, uint32_t bundle, uint32_t frame, struct buf *stored);

#endif
