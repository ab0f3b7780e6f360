/*
 * A store that writes down what is asked of it, and shows less than there is: names that
 * listings leave out, files that cannot be read, a mount point with nothing mounted. For
 * tests; without a hook, any thread.
 */
#ifndef BALE_TESTS_WATCH_H
#define BALE_TESTS_WATCH_H

#include <pthread.h>

#include "format/limits.h"
#include "store/fault.h"

struct watched {
	enum fail_op op;
	char folder[16], name[NAME_MAX_LEN + 1]; /* the name is "" for a listing */
	uint64_t at, n; /* of a get: the bytes that it gave */
};

/* Each is the beginning of "folder/name", or NULL; all may be changed at any time. */
struct watch {
	struct store store;     /* give this to whoever is watched */
	struct store *inner;    /* borrowed */
	const char *hidden;     /* not listed, … */
	unsigned hidden_from;   /* … from the nth listing of a folder on */
	const char *unreadable; /* gets fail, ERR_IO */
	bool unmounted;         /* nothing is there at all */
	/* Told of each operation before it is done; may be NULL. */
	void (*hook)(void *arg, enum fail_op op, const char *folder, const char *name);
	void *hook_arg;
	bool silent;            /* it does not tell how much room is left */

	pthread_mutex_t lock;   /* guards what follows */
	struct watched *v;      /* what was asked, in order */
	size_t n, cap;
};

void watch_init(struct watch *w, struct store *inner);
void watch_release(struct watch *w);

/*
 * How many operations of these kinds (a set of OP_) there were on folders that begin so.
 */
size_t watch_count(const struct watch *w, unsigned kinds, const char *folder);

#endif
