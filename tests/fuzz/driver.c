/*
 * Runs a fuzz target without a fuzzer: over each vector and corpus file named on the
 * command line (folders are read), each truncation of it up to a bound, and seeded
 * mutations. Under libFuzzer this file is left out (make fuzz).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "../support/vector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long runs;
static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* A copy of exactly n bytes, so that a sanitizer sees each byte read beyond. */
static void run(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	runs++;
}

static void mutate(const struct buf *b)
{
	struct buf m = BUF_EMPTY;
	unsigned i, k, flips;

	for (i = 0; i < 500 && b->n > 0; i++) {
		buf_clear(&m);
		buf_add(&m, b->p, b->n);
		flips = 1 + (unsigned)(next() % 4);
		for (k = 0; k < flips; k++)
			m.p[next() % m.n] = (uint8_t)next();
		run(m.p, m.n);
	}
	buf_release(&m);
}

static void file(const char *path)
{
	struct buf b = BUF_EMPTY;
	size_t i, step;

	vector_read(path, &b);
	run(b.p, b.n);
	step = b.n / 4096 + 1;
	for (i = 0; i < b.n; i += step)
		run(b.p, i);
	mutate(&b);
	buf_release(&b);
}

int main(int argc, char **argv)
{
	struct dirent **names;
	struct stat st;
	char path[2048];
	int i, k, n;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &st) != 0) {
			fprintf(stderr, "%s: not there\n", argv[i]);
			return 1;
		}
		if (!S_ISDIR(st.st_mode)) {
			file(argv[i]);
			continue;
		}
		n = scandir(argv[i], &names, NULL, alphasort);
		for (k = 0; k < n; k++) {
			snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
			if (names[k]->d_name[0] != '.')
				file(path);
			free(names[k]);
		}
		if (n >= 0)
			free(names);
	}
	printf("%lu runs, no crash\n", runs);
	return runs > 0 ? 0 : 1;
}
