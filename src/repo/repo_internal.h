/* What the files of repo/ share. */
#ifndef BALE_REPO_REPO_INTERNAL_H
#define BALE_REPO_REPO_INTERNAL_H

#include "repo/repo.h"

#define HEAD_NAME "bale.json"
#define HEAD_TYPE "repository"
#define README_NAME "README.txt"
#define KEY_FOLDER "keys"
#define KEY_TYPE "key"

/* A whole JSON file under a name that is settled, appended to *out. */
void json_compose(struct repo *r, const char *type, const char *name,
    const struct json_body *body, struct buf *out);

/* Whether an opened file's digest is right: ERR_CORRUPT. */
bool json_check_digest(struct span bytes, const struct json_file *jf, struct err *e);

/* Fill r->key from the slot that the secret opens. ERR_AUTH, ERR_CORRUPT, … */
bool repo_unlock(struct repo *r, const struct secret *secret, struct err *e);

#endif
