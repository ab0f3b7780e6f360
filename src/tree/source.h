/*
 * Reading one of the user's files: by its directory and name, never through a symlink,
 * leaving its access time alone where that is allowed. All functions may be called by any
 * thread, each source by one at a time.
 */
#ifndef BALE_TREE_SOURCE_H
#define BALE_TREE_SOURCE_H

#include "base/err.h"
#include "tree/dir.h"
#include "tree/facts.h"

struct source {
	struct facts facts; /* when it was opened: what to store */
	/* private */
	int fd;
	uint64_t at;
	bool sparse;
};

#define SOURCE_CLOSED {.fd = -1}

/* A run of the file: data to be read, or a hole. */
struct segment {
	uint64_t at, length; /* length at least 1 */
	bool hole;
};

/*
 * Open the regular file that was seen as `expected`. ERR_MISSING: gone, or something else
 * stands in its place. A changed size or time is no failure: see s->facts.
 */
bool source_open(struct dir *dir, const char *name, const struct facts *expected,
    struct source *s, struct err *e);
void source_close(struct source *s); /* harmless on a closed one */

/*
 * The next run, from 0 to facts.size without a gap. Holes are looked for only where the
 * file has fewer blocks than bytes. STEP_FAILED: ERR_IO.
 */
enum step source_next(struct source *s, struct segment *seg, struct err *e);

/* Read n bytes from `at`; *got is less only where the file has become shorter. */
bool source_read(
    struct source *s, void *p, size_t n, uint64_t at, size_t *got, struct err *e);

/* Whether it was written, or its attributes changed, since source_open. */
bool source_changed(struct source *s, bool *changed, struct err *e);

/* Set *out to a symlink's target. ERR_MISSING as above. */
bool source_readlink(struct dir *dir, const char *name, struct buf *out, struct err *e);

/*
 * Append the extended attributes, encoded (xattrs_add), of an open file, or of anything
 * by name; nothing where there are none or the file system has no such thing. ERR_IO also
 * where they are more than an entry can hold. `follow` as in struct walk_item.
 */
bool source_xattrs(struct source *s, struct buf *out, struct err *e);
bool source_xattrs_at(
    struct dir *dir, const char *name, bool follow, struct buf *out, struct err *e);

#endif
