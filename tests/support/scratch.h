/*
 * A scratch directory for tests that touch files. A failing call ends the test program.
 */
#ifndef BALE_TESTS_SCRATCH_H
#define BALE_TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * From now on scratch directories lie in a file system that only this program sees, so
 * that nobody changes the times of the folders above them. False where that takes root.
 */
bool scratch_private(void);

/* Makes it; its absolute path, freed by scratch_free, which removes all that is in it. */
char *scratch_new(void);
void scratch_free(char *dir);

/* dir/name, in a static buffer that the fourth next call uses again. */
const char *scratch_path(const char *dir, const char *name);

void scratch_mkdir(const char *dir, const char *name); /* with its parents */
void scratch_file(const char *dir, const char *name, const void *p, size_t n);
void scratch_symlink(const char *dir, const char *name, const char *target);

/* A chain of n directories, each called `name`, and a file "f" in the last. */
void scratch_deep(const char *dir, const char *name, unsigned n);

#endif
