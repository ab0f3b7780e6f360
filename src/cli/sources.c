/*
 * The walk takes a link for a link, and leaves the repository out wherever it meets it,
 * as it should. Named as a source, each would make a snapshot that has next to nothing in
 * it and looks like one of what was meant.
 */
#include "cli/sources.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "cli/path.h"
#include "format/limits.h"

static void note(struct cli *c, const char *source, const char *text)
{
	struct err why = ERR_EMPTY;

	err_set(&why, ERR_NONE, "%s", text);
	report_problem(&c->report, PROBLEM_NOTE, span_str(source), &why);
}

/* With a slash behind it, it would be followed. */
static bool is_link_to_folder(const char *source)
{
	struct stat st;

	return sys_fstatat(AT_FDCWD, source, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode) && sys_fstatat(AT_FDCWD, source, &st, 0) == 0 &&
	    S_ISDIR(st.st_mode);
}

static bool is_own(const struct cli *c, const char *source)
{
	char *path = path_absolute(source);
	bool own = path_within(path, c->path);

	free(path);
	return own;
}

bool sources_read(struct cli *c, const char ***out, size_t *n, struct err *e)
{
	const struct options *o = &c->options;
	const char **v = mem_array((size_t)o->n_args + 1, sizeof *v);

	*out = v;
	*n = 0;
	for (int i = 0; i < o->n_args; i++)
		if (!*o->args[i])
			return err_set(
			    e, ERR_USAGE, "a source is an empty path; nothing was written");
	for (int i = 0; i < o->n_args; i++) {
		const char *source = o->args[i];

		if (is_link_to_folder(source)) {
			note(c, source,
			    "is a link, and is saved as one; with a slash behind its name, "
			    "what it leads to is saved");
		} else if (is_own(c, source)) {
			note(c, source, "is the repository, or in it, and is not saved");
			continue;
		}
		v[(*n)++] = source;
	}
	return *n > 0 ||
	    err_set(e, ERR_USAGE, "nothing else is to be saved; nothing was written");
}

bool tag_check(const char *tag, struct err *e)
{
	size_t n = strlen(tag);

	if (n == 0 || n > TEXT_MAX)
		return err_set(e, ERR_USAGE, "a tag has 1 to %u bytes", TEXT_MAX);
	return !strchr(tag, ',') ||
	    err_set(e, ERR_USAGE,
	        "%s: a tag has no comma; several are given one by one, and prune --keep-tag "
	        "takes a comma for \"and\"",
	        tag);
}
