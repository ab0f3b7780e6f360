/*
 * Bundles that are open while frames are read out of them: opened ahead by the transfer
 * pool, kept within a budget of memory, held while a job looks at one. One thread, but
 * for the looking.
 */
#ifndef BALE_ENGINE_SHELF_H
#define BALE_ENGINE_SHELF_H

#include "base/pool.h"
#include "bundle/inventory.h"
#include "bundle/read.h"

struct shelf;

struct shelf *shelf_new(
    struct repo *r, struct inventory *inv, struct pool *transfer, size_t budget);
void shelf_free(struct shelf *s); /* nothing may be held; NULL is harmless */

/* Begin to open a bundle of data, by its inventory number. Does not wait. */
void shelf_ask(struct shelf *s, uint32_t number);

/*
 * Hold it, opening it if need be. That it is not there, or damaged, is remembered and
 * told again at once.
 */
bool shelf_hold(struct shelf *s, uint32_t number, struct bundle **out, struct err *e);
void shelf_hold_again(struct shelf *s, uint32_t number); /* what is held */
void shelf_release(struct shelf *s, uint32_t number);

/* A read out of it has shown that it is not what it was: *why is told from now on. */
void shelf_condemn(struct shelf *s, uint32_t number, const struct err *why);

#endif
