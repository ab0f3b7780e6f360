/*
 * The sources of a walk as a tree of names from "/" down, merged.
 */
#ifndef BALE_TREE_GOAL_H
#define BALE_TREE_GOAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct goal {
	char *name;
	struct goal **children; /* ascending bytewise */
	size_t n, cap;
	bool source;  /* all below it is wanted, not only the way to its children */
	bool follow;  /* if it is a symlink */
};

/* ERR_USAGE: an empty or overlong source; ERR_IO: no working directory. */
bool goals_new(const char *const *sources, size_t n, struct goal **out, struct err *e);
void goals_free(struct goal *root); /* NULL is harmless */

/* g may be NULL. */
const struct goal *goal_find(const struct goal *g, const char *name);

#endif
