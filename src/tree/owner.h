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

/*
 * Set *name; empty where the number has none, or one longer than an entry can hold. Not
 * 0: an errno, with which the system could not tell; then it is empty too.
 */
int owners_user(struct owners *o, uint32_t uid, struct span *name);
int owners_group(struct owners *o, uint32_t gid, struct span *name);

/*
 * Set *id to the number that the name has here; unchanged where it has none, or is empty.
 * Not 0: an errno, with which the system could not tell; then it is unchanged too.
 */
int owners_uid(struct owners *o, struct span user, uint32_t *id);
int owners_gid(struct owners *o, struct span group, uint32_t *id);

#endif
