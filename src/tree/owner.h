/*
 * Names of users and groups, and back, remembered. Thread-safe: a mutex guards all.
 * Answers live as long as the struct.
 */
#ifndef BALE_TREE_OWNER_H
#define BALE_TREE_OWNER_H

#include "base/buf.h"

struct owners;

struct owners *owners_new(void);
void owners_free(struct owners *o); /* NULL is harmless */

/* Empty where the number has no name, or one longer than an entry can hold. */
struct span owners_user(struct owners *o, uint32_t uid);
struct span owners_group(struct owners *o, uint32_t gid);

/* The number that the name has here; `otherwise` where it has none, or is empty. */
uint32_t owners_uid(struct owners *o, struct span user, uint32_t otherwise);
uint32_t owners_gid(struct owners *o, struct span group, uint32_t otherwise);

#endif
