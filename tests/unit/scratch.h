/* A folder of its own for a test, and its removal. Included after cmocka.h. */
#ifndef BALE_TESTS_SCRATCH_H
#define BALE_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *scratch_new(char *path, size_t size)
{
	const char *top = getenv("TMPDIR");

	snprintf(path, size, "%s/bale-test-XXXXXX", top && *top ? top : "/tmp");
	if (!mkdtemp(path))
		fail_msg("mkdtemp %s", path);
	return path;
}

static int scratch_drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void scratch_free(const char *path)
{
	nftw(path, scratch_drop, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
