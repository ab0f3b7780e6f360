/* What stat tells of a file, as far as a backup needs it. */
#ifndef BALE_TREE_FACTS_H
#define BALE_TREE_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "format/entry.h"

struct facts {
	enum entry_kind kind;
	uint32_t mode; /* 07777 */
	uint32_t uid, gid;
	uint64_t size; /* of a file; else 0 */
	uint64_t blocks; /* of 512 bytes */
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint64_t dev, ino, nlink;
	uint32_t major, minor; /* of a device */
};

/* False for what an entry cannot be: a socket. */
bool facts_of(const struct stat *st, struct facts *f);

/* Put the facts that an entry holds too into it; all else of it stays. */
void facts_to_entry(const struct facts *f, struct entry *en);

#endif
