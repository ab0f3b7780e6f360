/*
 * What to leave out, in the syntax of gitignore: `*`, `?`, `[...]`, `**`, a trailing `/`
 * for directories only, `!` to take back, `\` to take the next character as it is. Later
 * patterns win; nothing below an excluded directory can be taken back, as it is not
 * entered.
 *
 * A pattern without a slash (but a trailing one) matches the last component of any path.
 * One with a slash is anchored: it is matched against the path below the source, and, so
 * that a whole path such as /home/ana/tmp can be given, against the absolute path; either
 * will do.
 */
#ifndef BALE_TREE_FILTER_H
#define BALE_TREE_FILTER_H

#include "base/buf.h"
#include "base/err.h"

struct filter;

struct filter *filter_new(void);
void filter_free(struct filter *f); /* NULL is harmless */

/* One pattern, as it is. ERR_USAGE, naming it, where it makes no sense. */
bool filter_add(struct filter *f, const char *pattern, struct err *e);

/*
 * A file of patterns, one a line: blank lines and those that begin with '#' are comments;
 * trailing spaces are not part of the pattern unless escaped.
 */
bool filter_add_file(struct filter *f, const char *path, struct err *e);

/*
 * Whether it is excluded, its parents being not. `root` is the length of the source's
 * apath, of which apath is below. Thread-safe once all patterns are added.
 */
bool filter_match(const struct filter *f, struct span apath, size_t root, bool is_dir);

#endif
