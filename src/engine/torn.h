/*
 * JSON files whose writing never came to an end. Storage that is fed a file and then
 * loses its writer keeps what it has under the final name; nobody has been told that it
 * is there, so nobody can have acted on it, and it counts as not there.
 */
#ifndef BALE_ENGINE_TORN_H
#define BALE_ENGINE_TORN_H

#include "repo/repo.h"

/*
 * Whether a file that does not read well is only the beginning of one, or only room for
 * one. A file that is not there any more counts as such. Fails where the storage does.
 */
bool file_torn(
    struct repo *r, const char *folder, const char *name, bool *torn, struct err *e);

#endif
