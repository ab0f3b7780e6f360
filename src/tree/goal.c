/* Making sources absolute and sorting them into one tree. */
#include "tree/goal.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "format/limits.h"

/* Where `name` is among the children, or belongs. */
static size_t place(const struct goal *g, const char *name, bool *found)
{
	size_t low = 0, high = g->n, mid;
	int c;

	*found = false;
	while (low < high) {
		mid = low + (high - low) / 2;
		c = strcmp(g->children[mid]->name, name);
		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct goal *goal_find(const struct goal *g, const char *name)
{
	bool found;
	size_t at;

	if (!g || g->n == 0)
		return NULL;
	at = place(g, name, &found);
	return found ? g->children[at] : NULL;
}

static struct goal *child(struct goal *g, const char *name)
{
	struct goal *c;
	bool found;
	size_t at = place(g, name, &found);

	if (found)
		return g->children[at];
	c = mem_zalloc(sizeof *c);
	c->name = mem_strdup(name);
	g->children = mem_grow(g->children, &g->cap, g->n + 1, sizeof *g->children);
	memmove(
	    g->children + at + 1, g->children + at, (g->n - at) * sizeof *g->children);
	g->children[at] = c;
	g->n++;
	/*
	 * What stands on the way must be a directory, so that the rest can be below it.
	 */
	g->follow = true;
	return c;
}

void goals_free(struct goal *root)
{
	size_t i;

	if (!root)
		return;
	for (i = 0; i < root->n; i++)
		goals_free(root->children[i]);
	free(root->children);
	free(root->name);
	free(root);
}

/*
 * Resolve "." and ".." in the text; the result begins with a slash unless it is "/": "".
 */
static void normalise(char *path, struct buf *out)
{
	char *rest = path, *part;

	buf_clear(out);
	while ((part = strsep(&rest, "/"))) {
		if (strcmp(part, "..") == 0) {
			while (out->n > 0 && out->p[--out->n] != '/')
				;
		} else if (*part && strcmp(part, ".") != 0) {
			buf_add_byte(out, '/');
			buf_add_str(out, part);
		}
	}
}

static bool ends_in_directory(const char *source)
{
	size_t n = strlen(source);

	return source[n - 1] == '/' || (n > 1 && strcmp(source + n - 2, "/.") == 0) ||
	       (n > 2 && strcmp(source + n - 3, "/..") == 0);
}

static bool add(struct goal *root, const char *source, struct err *e)
{
	struct buf path = BUF_EMPTY;
	struct goal *g = root;
	char *cwd = NULL, *whole = NULL, *rest, *part;
	bool ok = false;

	if (!*source) {
		err_set(e, ERR_USAGE, "the source is an empty path");
		goto out;
	}
	if (*source != '/' && !(cwd = getcwd(NULL, 0))) {
		err_sys(e, errno, "the working directory is not known");
		goto out;
	}
	whole = mem_printf("%s/%s", cwd ? cwd : "", source);
	normalise(whole, &path);
	if (path.n > APATH_MAX) {
		err_set(e, ERR_USAGE, "the source's path is over %u bytes", APATH_MAX);
		goto out;
	}
	rest = (char *)buf_str(&path);
	while ((part = strsep(&rest, "/")))
		if (*part)
			g = child(g, part);
	g->source = true;
	g->follow |= ends_in_directory(source);
	ok = true;
out:
	buf_release(&path);
	free(whole);
	free(cwd);
	return ok;
}

bool goals_new(const char *const *sources, size_t n, struct goal **out, struct err *e)
{
	struct goal *root = mem_zalloc(sizeof *root);
	size_t i;

	*out = NULL;
	root->name = mem_strdup("");
	root->follow = true;
	for (i = 0; i < n; i++) {
		if (!add(root, sources[i], e)) {
			goals_free(root);
			return false;
		}
	}
	if (n == 0) {
		goals_free(root);
		return err_set(e, ERR_USAGE, "there is no source");
	}
	*out = root;
	return true;
}
