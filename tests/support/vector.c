/* Reading test vectors. */
#include "vector.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *path, const char *what)
{
	fprintf(stderr, "vector %s: %s\n", path, what);
	exit(99);
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void read_hex(const char *path, FILE *f, struct buf *out)
{
	int c, high = -1;

	while ((c = getc(f)) != EOF) {
		if (c == '#') {
			while (c != '\n' && c != EOF)
				c = getc(f);
			continue;
		}
		if (isspace(c))
			continue;
		if (digit(c) < 0)
			die(path, "not a lower-case hex digit");
		if (high < 0) {
			high = digit(c);
			continue;
		}
		buf_add_byte(out, (uint8_t)(high << 4 | digit(c)));
		high = -1;
	}
	if (high >= 0)
		die(path, "half a byte at the end");
}

void vector_read(const char *path, struct buf *out)
{
	size_t len = strlen(path);
	FILE *f = fopen(path, "r");
	char piece[4096];
	size_t n;

	if (!f)
		die(path, "cannot be opened (run from the top of the tree)");
	buf_clear(out);
	if (len > 4 && strcmp(path + len - 4, ".hex") == 0) {
		read_hex(path, f, out);
	} else {
		while ((n = fread(piece, 1, sizeof piece, f)) > 0)
			buf_add(out, piece, n);
	}
	fclose(f);
}

size_t vector_each(const char *structure, const char *prefix,
    void (*fn)(const char *name, struct span bytes, void *arg), void *arg)
{
	struct buf bytes = BUF_EMPTY;
	struct dirent **names;
	char dir[256], path[1024];
	size_t count = 0;
	int i, n;

	snprintf(dir, sizeof dir, "testdata/vectors/%s", structure);
	n = scandir(dir, &names, NULL, alphasort);
	if (n < 0)
		die(dir, "cannot be listed (run from the top of the tree)");
	for (i = 0; i < n; i++) {
		if (strncmp(names[i]->d_name, prefix, strlen(prefix)) == 0) {
			snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
			vector_read(path, &bytes);
			fn(names[i]->d_name, buf_span(&bytes), arg);
			count++;
		}
		free(names[i]);
	}
	free(names);
	buf_release(&bytes);
	return count;
}
