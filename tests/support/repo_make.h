/* Repositories and bundles made quickly, for tests. */
#ifndef BALE_TESTS_REPO_MAKE_H
#define BALE_TESTS_REPO_MAKE_H

#include "repo/repo.h"

#define TEST_PASSPHRASE "correct horse"

/*
 * A new repository in `store`, which it takes; an encrypted one has TEST_PASSPHRASE, and
 * an Argon2id that costs next to nothing. Ends the test program where it fails.
 */
struct repo *repo_make(struct store *store, struct env *env, bool encrypted);

/* A repo_secret_fn: TEST_PASSPHRASE. */
bool secret_right(void *arg, struct secret *out, struct err *e);

/* Open the same. */
struct repo *repo_reopen(struct store *store, struct env *env);

/* The bytes of a whole bundle of the chunks, `per_frame` of them in each frame. */
void bundle_make(struct repo *r, enum file_type type, const struct span *chunks, size_t n,
    size_t per_frame, struct buf *file, struct id *name);

/* The same, and put on the storage. */
void bundle_store(struct repo *r, enum file_type type, const struct span *chunks,
    size_t n, size_t per_frame, struct id *name);

/* Other content in the place of a file. */
void store_replace(
    struct store *s, const char *folder, const char *name, struct span content);

#endif
