/*
 * The inventory: every bundle that this run has heard of, under a small number that hints
 * in memory are kept with, and what is known of it: listed, condemned, damaged, its size
 * seen to be right? Relying on a bundle begins with inventory_usable. One thread.
 */
#ifndef BALE_BUNDLE_INVENTORY_H
#define BALE_BUNDLE_INVENTORY_H

#include "base/pool.h"
#include "format/bundle.h"
#include "format/hunk.h"
#include "repo/repo.h"

struct stocked {
	struct id name;
	enum file_type type; /* FILE_DATA or FILE_HUNKS */
	uint64_t size;       /* as references tell it; 0: not known */
	bool named;          /* false: this run is still writing it */
	bool own;            /* written by this run */
	bool allowed;        /* by inventory_allow */
	bool listed, condemned, damaged;
	/* Seen on the storage with this size, now or by an earlier run. */
	bool sized;
};

struct inventory;

struct inventory *inventory_new(struct repo *r);
void inventory_free(struct inventory *inv);

/* The number of a bundle; added where it is new. A size of 0 leaves what is known. */
uint32_t inventory_number(
    struct inventory *inv, enum file_type type, const struct id *name, uint64_t size);

/* A bundle of this run, named when the storage has acknowledged it. */
uint32_t inventory_begin(struct inventory *inv, enum file_type type);
void inventory_name(
    struct inventory *inv, uint32_t number, const struct id *name, uint64_t size);

/* Valid until the next addition. */
const struct stocked *inventory_get(const struct inventory *inv, uint32_t number);
uint32_t inventory_count(const struct inventory *inv);

/* How many bundles of data are listed. */
uint64_t inventory_listed_data(const struct inventory *inv);

/*
 * List data/0 to data/f and hunks, as many at once as the pool has threads (NULL: one by
 * one); what is there is marked listed, added where new.
 */
bool inventory_list(struct inventory *inv, struct pool *pool, struct err *e);

/*
 * The same in two steps: between them the listing goes on, and nothing may be asked that
 * hangs on it.
 */
void inventory_list_begin(struct inventory *inv, struct pool *pool);
bool inventory_list_end(struct inventory *inv, struct err *e);

void inventory_condemn(struct inventory *inv, const struct id *name);
void inventory_damage(struct inventory *inv, const struct id *name);

/* An earlier run of this client has seen the bundle with this size. */
void inventory_trust(
    struct inventory *inv, enum file_type type, const struct id *name, uint64_t size);

/* From now on only what this run writes is usable, and what is allowed besides. */
void inventory_rely_on_own(struct inventory *inv);
void inventory_allow(struct inventory *inv, const struct id *name);

/*
 * Whether a reference may rely on it: written by this run; or listed, not condemned, not
 * damaged, and of the size that the reference tells (looked up once: one operation).
 * "Not usable" is no error; an operation that fails is.
 */
bool inventory_usable(
    struct inventory *inv, uint32_t number, bool *usable, struct err *e);

#endif
