/* Comparing directories. */
#include "tree_compare.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char text[2000];
static bool partial;
static unsigned n_missing;

static bool differ(const char *path, const char *fmt, ...)
{
	char what[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	snprintf(text, sizeof text, "%s: %s", path, what);
	return true;
}

static bool content_differs(const char *a, const char *b)
{
	FILE *x = fopen(a, "re"), *y = fopen(b, "re");
	long at = 0;
	int c = 0, d = 0;

	if (x && y)
		do {
			c = getc_unlocked(x);
			d = getc_unlocked(y);
			at++;
		} while (c == d && c != EOF);
	if (x)
		fclose(x);
	if (y)
		fclose(y);
	return (!x || !y || c != d) && differ(b, "content, at byte %ld", at - 1);
}

static bool xattrs_differ(const char *a, const char *b)
{
	char names[2][1000], values[2][1000];
	ssize_t n = llistxattr(a, names[0], 1000), m = llistxattr(b, names[1], 1000);

	if (n != m)
		return differ(b, "extended attributes");
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names[0] + i) + 1) {
		ssize_t u = lgetxattr(a, names[0] + i, values[0], 1000);
		ssize_t v = lgetxattr(b, names[0] + i, values[1], 1000);

		if (u != v || (u > 0 && memcmp(values[0], values[1], (size_t)u) != 0))
			return differ(b, "extended attribute %s", names[0] + i);
	}
	return false;
}

static bool links_differ(const char *a, const char *b)
{
	char x[4096] = "", y[4096] = "";

	return (readlink(a, x, sizeof x - 1) < 0 || readlink(b, y, sizeof y - 1) < 0 ||
	    strcmp(x, y) != 0) && differ(b, "links to %s, not %s", y, x);
}

static bool one_differs(
    const char *a, const struct stat *x, const char *b, const struct stat *y)
{
	bool dir = S_ISDIR(x->st_mode);

	if (x->st_mode != y->st_mode && !(partial && dir))
		return differ(b, "mode %o, not %o", y->st_mode, x->st_mode);
	if (x->st_uid != y->st_uid || x->st_gid != y->st_gid)
		return differ(b, "owner");
	if (!dir && x->st_size != y->st_size)
		return differ(b, "size %ld, not %ld", (long)y->st_size, (long)x->st_size);
	if (!(partial && dir) && (x->st_mtim.tv_sec != y->st_mtim.tv_sec ||
	    x->st_mtim.tv_nsec != y->st_mtim.tv_nsec))
		return differ(b, "mtime");
	if (!partial && x->st_nlink != y->st_nlink)
		return differ(b, "%d links, not %d", (int)y->st_nlink, (int)x->st_nlink);
	if (x->st_rdev != y->st_rdev)
		return differ(b, "device number");
	if (!(partial && dir) && xattrs_differ(a, b))
		return true;
	if (S_ISLNK(x->st_mode))
		return links_differ(a, b);
	return S_ISREG(x->st_mode) && content_differs(a, b);
}

static bool compare(const char *a, const char *b);

static bool below_differs(const char *a, const char *b)
{
	char x[4096], y[4096];
	struct dirent *de;
	struct stat st;
	bool differs = false;
	DIR *d = opendir(a);

	if (!d)
		return differ(a, "cannot be read");
	while (!differs && (de = readdir(d))) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(x, sizeof x, "%s/%s", a, de->d_name);
		snprintf(y, sizeof y, "%s/%s", b, de->d_name);
		differs = compare(x, y);
	}
	closedir(d);
	d = differs ? NULL : opendir(b);
	while (d && !differs && (de = readdir(d))) {
		snprintf(x, sizeof x, "%s/%s", a, de->d_name);
		if (lstat(x, &st) != 0)
			differs = differ(x, "is not there, but in %s", b);
	}
	if (d)
		closedir(d);
	return differs;
}

static unsigned count_files(const char *path)
{
	struct stat st;
	unsigned n = 0;
	char x[4096];
	DIR *d;

	if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return 1;
	d = opendir(path);
	for (struct dirent *de; d && (de = readdir(d));) {
		snprintf(x, sizeof x, "%s/%s", path, de->d_name);
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			n += count_files(x);
	}
	if (d)
		closedir(d);
	return n;
}

static bool compare(const char *a, const char *b)
{
	struct stat x, y;

	if (lstat(a, &x) != 0)
		return differ(a, "is not there");
	if (lstat(b, &y) != 0) {
		n_missing += partial ? count_files(a) : 0;
		return !partial && differ(b, "is not there");
	}
	return one_differs(a, &x, b, &y) || (S_ISDIR(x.st_mode) && below_differs(a, b));
}

const char *tree_differs(const char *a, const char *b)
{
	partial = false;
	return compare(a, b) ? text : NULL;
}

const char *tree_exceeds(const char *a, const char *b, unsigned *missing)
{
	bool differs;

	partial = true;
	n_missing = 0;
	differs = compare(a, b);
	*missing = n_missing;
	return differs ? text : NULL;
}
