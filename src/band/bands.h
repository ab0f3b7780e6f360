/*
 * The bands of a repository, from one listing, and the reading of their files.
 */
#ifndef BALE_BAND_BANDS_H
#define BALE_BAND_BANDS_H

#include "format/band.h"
#include "repo/repo.h"

/*
 * One band as the listing shows it: file names by kind. Any whole file of a kind counts.
 */
struct band_info {
	struct band_name name;
	struct string_list heads, tails, removed, fences;
	struct string_list parts; /* ascending by number */
};

struct bands {
	struct band_info *v; /* ascending by start, then by client, then by counter */
	size_t n, cap;
};

bool bands_list(struct repo *r, struct bands *out, struct err *e);
/* The same from a listing of their folder at hand. */
void bands_of_listing(const struct store_listing *l, struct bands *out);
void bands_release(struct bands *b);
struct band_info *bands_find(const struct bands *b, const char *name);

/*
 * Read what tells most of a band: its tail; else its newest whole part; else its head.
 * *kind says which. Of several files of a kind the first whole one counts; a tail that is
 * there and not whole is ERR_CORRUPT, not a reason to look at the parts. Released by the
 * caller.
 */
bool band_read(struct repo *r, const struct band_info *info, enum band_file *kind,
    struct band *b, struct err *e);

/* Read one file. */
bool band_read_file(
    struct repo *r, const char *file, enum band_file kind, struct band *b, struct err *e);

/*
 * Get what band_read would read of all bands that are removed, or of all that are not,
 * several at once (json_cache.h). For who will read most of them.
 */
void bands_prefetch(struct repo *r, const struct bands *b, bool removed);

/*
 * For who reads from the newest back until the right one is met, before each reading, of
 * band i: nothing is got ahead for the first, and then ever more. {0} at the start.
 */
struct bands_ahead {
	size_t window; /* how many are got next; 0: none yet */
	size_t from;   /* what stands before this has not been */
};

void bands_ahead(struct repo *r, const struct bands *b, size_t i, struct bands_ahead *a);

/* By the listing alone: kind is not known yet. */
static inline bool band_looks_complete(const struct band_info *i)
{
	return i->tails.n > 0 && i->fences.n == 0 && i->removed.n == 0;
}

/* Whether only the note of its removal, or of its end, is left. */
static inline bool band_is_trace(const struct band_info *i)
{
	return i->heads.n + i->parts.n + i->tails.n == 0 && i->removed.n + i->fences.n > 0;
}

/*
 * What a user calls a snapshot: `latest`, `latest~N`, SET, SET~N, SET@DATE (the newest
 * that began at or before; local time; YYYY, YYYY-MM, YYYY-MM-DD, each then to its end,
 * and YYYY-MM-DDTHH:MM[:SS]), or a prefix of a band's name of at least 4 characters. Only
 * complete snapshots, but for a name's prefix, which also finds unfinished ones.
 * ERR_MISSING tells what there is; an ambiguous prefix is ERR_USAGE and names the
 * matches.
 */
bool snapshot_resolve(struct repo *r, const struct bands *bands, struct span text,
    struct band_info **info, enum band_file *kind, struct band *b, struct err *e);

/*
 * Split SNAP[:PATH] at the first ':' that a '/' follows; *path is "/" where there is
 * none.
 */
void snapshot_split(const char *arg, struct span *snap, struct span *path);

#endif
