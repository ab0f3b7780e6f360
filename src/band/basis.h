/*
 * The basis: the snapshot a backup compares with. Where the last runs of the set were
 * interrupted, it is stitched: each unfinished band as far as its last part reaches,
 * newest first, and beyond them the newest complete one. One thread.
 */
#ifndef BALE_BAND_BASIS_H
#define BALE_BAND_BASIS_H

#include "band/bands.h"
#include "band/stream.h"
#include "repo/cache.h"

struct basis;

struct basis_options {
	struct chunk_reader *reader;
	struct inventory *inventory;
	struct resolver *resolver;
	struct cache_pack *pack; /* hunks of the set's newest band; may be NULL */
	struct monitor *monitor; /* told of hunks that cannot be had */
};

/*
 * Choose and open the basis for a set; *out is NULL where there is none. Bands that were
 * removed do not count, nor does `self`. A tail that cannot be read is passed over, and
 * told of: a basis is a help, not a truth.
 */
bool basis_open(struct repo *r, const struct bands *bands, const char *set,
    const char *self, const struct basis_options *o, struct basis **out, struct err *e);
void basis_close(struct basis *b); /* NULL is harmless */

/* The name of the newest band that it rests on. */
const char *basis_name(const struct basis *b);

/* The entry that comes next, or NULL at the end; valid until basis_step. */
const struct entry *basis_peek(struct basis *b, struct err *e, bool *failed);
void basis_step(struct basis *b);

/* All extents of the entry that basis_peek gave. */
bool basis_extents(struct basis *b, stream_extent_fn *fn, void *arg, struct err *e);

/* A hunk that the basis has passed or is in: where it stands. */
bool basis_hunk(const struct basis *b, const struct id *id, struct hint *out);

/* Totals of its newest tail, as an estimate of what will come; zero where it has none. */
const struct band_totals *basis_totals(const struct basis *b);

#endif
