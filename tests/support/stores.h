/* Looking at what stores hold, for tests. A failing operation ends the test program. */
#ifndef BALE_TESTS_STORES_H
#define BALE_TESTS_STORES_H

#include "store/store.h"

/*
 * A store over one that outlives it: what is done to it reaches `inner`, but for its end.
 * For repo_open, which takes its store.
 */
struct store *store_lend(struct store *inner);

/* The same, which adds what is put through it to the log as "folder/name", in order. */
struct store *store_lend_logged(struct store *inner, struct store_listing *log);

/* Each file of a repository, folder by folder, in order. */
typedef void stores_fn(
    void *arg, const char *folder, const char *name, struct span content);
void stores_each(struct store *s, stores_fn *fn, void *arg);

/* How many files a folder has. */
size_t stores_count(struct store *s, const char *folder);

/*
 * Whether every file of `a` is in `b` with the same bytes; where not, `why` gets its
 * name. Both ways round, two stores hold the same.
 */
bool stores_within(struct store *a, struct store *b, struct buf *why);

#endif
