/*
 * Giving a restored file its attributes. The order matters: the owner first, as a change
 * of owner clears the set-id bits and the capabilities; extended attributes next, while
 * the file can still be written; then the mode; the times last. The set-id bits are not
 * set for an owner they were not meant for, nor the group's rights widened where the
 * access list that narrowed them could not be restored.
 */
#ifndef BALE_TREE_ATTR_H
#define BALE_TREE_ATTR_H

#include <pthread.h>
#include <stdatomic.h>

#include "tree/owner.h"
#include "tree/target.h"

struct attrs {
	struct target_options opt;
	struct owners *owners;
	/*
	 * New files take on an access list from their directory: remove what is not
	 * theirs.
	 */
	bool inherits;
	pthread_mutex_t lock; /* held while opt.lost runs */
	atomic_uint_least64_t lost;
};

void attrs_init(struct attrs *a, const struct target_options *opt);
void attrs_release(struct attrs *a);

/* Tell that something was not restored. Thread-safe. */
void attrs_lost(struct attrs *a, struct span path, const char *what, int sys);

/*
 * To an open file or directory, or (path_only) to what an O_PATH descriptor stands for.
 */
void attrs_apply(struct attrs *a, int fd, bool path_only, struct span path,
    const struct entry *en);

#endif
