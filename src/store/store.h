/*
 * The storage, as little as bale asks of it: put a whole new file, read a range, list a
 * folder, delete a file. Folders are made when the first file is put in them. A place is
 * (folder, name): folder is "" for the top, or "bands", "data/7"; a name matches
 * [0-9a-z.-]{1,80} ("README.txt" is the one exception) and is never used twice.
 *
 * Every operation is tried once and judged; who calls decides on another try, under a new
 * name (repo/put.h). All operations may be called from several threads at once, except on
 * store_mem and store_fault under a simulator, where one thread calls.
 */
#ifndef BALE_STORE_STORE_H
#define BALE_STORE_STORE_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"

/* What a close that succeeded means (design.md, section 3). */
enum mount_class { MOUNT_THROUGH, MOUNT_WRITE_BACK, MOUNT_UNKNOWN };

struct store_counts {
	uint64_t put, get, list, remove, mkdir, stat;
	uint64_t bytes_out, bytes_in; /* of operations that succeeded */
};

struct store_listing {
	char **names; /* of files, ascending bytewise, each once */
	size_t n, cap;
};

void store_listing_release(struct store_listing *l);
/* Binary search. */
bool store_listing_has(const struct store_listing *l, const char *name);
/* For implementations: append, and at the end sort and drop what stands there twice. */
void store_listing_add(struct store_listing *l, const char *name);
void store_listing_sort(struct store_listing *l);

/*
 * Whether a file may be called so: the rule above, README.txt included. What else lies in
 * a folder is not listed.
 */
bool store_name_ok(const char *name);

/* As `at` of the get operation: the last n bytes. */
#define STORE_TAIL UINT64_MAX

struct store;

/* A file's content that is read while it is put: for what is too large to be held. */
struct store_source {
	uint64_t size; /* not 0 */
	/* Set *out to bytes from `at` on, one to n of them, borrowed until the next call. */
	bool (*read)(void *arg, uint64_t at, size_t n, struct span *out, struct err *e);
	void *arg;
};

struct store_ops {
	bool (*put)(struct store *s, const char *folder, const char *name,
	    const struct span *parts, size_t n_parts, struct err *e);
	bool (*get)(struct store *s, const char *folder, const char *name, uint64_t at,
	    size_t n, struct buf *out, uint64_t *size, struct err *e);
	bool (*list)(
	    struct store *s, const char *folder, struct store_listing *out, struct err *e);
	bool (*stat)(struct store *s, const char *folder, const char *name, uint64_t *size,
	    struct err *e);
	bool (*remove)(struct store *s, const char *folder, const char *name, struct err *e);
	bool (*space)(struct store *s, uint64_t *free_bytes);
	void (*free)(struct store *s);
	/* NULL: the content is gathered, and put. */
	bool (*put_from)(struct store *s, const char *folder, const char *name,
	    const struct store_source *source, struct err *e);
	void (*folder)(struct store *s, const char *folder); /* NULL: nothing is done */
};

/* The first member of every implementation. */
struct store {
	const struct store_ops *ops;
	enum mount_class mount;
	/* For messages: the path, or "memory"; owned by the implementation. */
	const char *describe;
	_Atomic uint64_t folders_made;
};

/*
 * Write a new file from the parts, start to end, and close it. True means: the storage
 * has acknowledged it (as far as the mount class lets one know). On any failure the
 * attempt is condemned: nothing may rely on the name, and if the file had been created,
 * its removal has been tried. ERR_EXISTS if the name is taken; ERR_NOSPACE;
 * ERR_UNREACHABLE; ERR_REFUSED; ERR_IO (worth another try).
 *
 * The parts together are not empty: some storage drops empty files silently. No process
 * may be started while a put runs: when the child closes its copy of the descriptor,
 * rclone takes that for the end of the file.
 */
bool store_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e);

/*
 * The same with a source. Where that fails, with its error: ERR_REFUSED if it was ERR_IO.
 */
bool store_put_from(struct store *s, const char *folder, const char *name,
    const struct store_source *source, struct err *e);

/*
 * Append to *out up to n bytes from offset `at`, fewer only where the file ends; SIZE_MAX
 * reads to the end. *size (may be NULL) is the file's whole length. On failure *out is as
 * it was. ERR_MISSING; ERR_IO; …
 */
bool store_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e);

/*
 * Append the last n bytes (all of a shorter file), and its whole length. One operation.
 */
bool store_get_tail(struct store *s, const char *folder, const char *name, size_t n,
    struct buf *out, uint64_t *size, struct err *e);

/*
 * Append the names of the files in a folder. On failure *out is empty. A folder that is
 * not there is ERR_MISSING at the top ("") and an empty listing below it.
 */
bool store_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e);

bool store_stat(struct store *s, const char *folder, const char *name, uint64_t *size,
    struct err *e);
bool store_remove(struct store *s, const char *folder, const char *name, struct err *e);

/*
 * Files will be put in this folder: where a listing has found that it is not there, and
 * the storage has folders without files, make it, so that no put has to. Best effort.
 */
void store_folder(struct store *s, const char *folder);

/* Bytes that can still be written; false where the storage cannot tell. */
bool store_space(struct store *s, uint64_t *free_bytes);

void store_free(struct store *s); /* NULL is harmless */

/*
 * A mounted folder. Fails with ERR_MISSING where `path` is no folder; with `create`, its
 * last component is made if it is not there. An ESTALE of the folder itself is
 * ERR_UNREACHABLE.
 */
struct store *store_dir_open(
    const char *path, bool create, struct env *env, struct err *e);

/* In memory. Deep copies for tests: the twin holds the same files. */
struct store *store_mem_new(struct env *env);
struct store *store_mem_clone(struct store *mem);

/*
 * Passes every operation on to `inner` and counts it; frees inner with itself.
 * Thread-safe.
 */
struct store *store_trace_new(struct store *inner);
void store_trace_counts(struct store *trace, struct store_counts *out);

#endif
