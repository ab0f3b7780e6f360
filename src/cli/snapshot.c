/* From an argument to a snapshot and a path in it. */
#include "cli/snapshot.h"

#include <ctype.h>

/* A path where a snapshot should be, or one that is not absolute behind it. */
static bool check_snap(struct span snap, const char *arg, struct err *e)
{
	const uint8_t *colon = snap.n ? memchr(snap.p, ':', snap.n) : NULL;

	if (snap.n == 0 || (!colon && memchr(snap.p, '/', snap.n)))
		return err_set(e, ERR_USAGE, "\"%s\": no snapshot is named; try latest%s%s%s",
		    arg, *arg && *arg != ':' ? ":" : "", *arg && !strchr("/:", *arg) ? "/" : "",
		    arg);
	if (colon && !memchr(snap.p, '@', snap.n))
		return err_set(e, ERR_USAGE, "%s: a path in a snapshot is absolute; try %.*s:/%s",
		    arg, (int)(colon - snap.p), snap.p, (const char *)colon + 1);
	return true;
}

/* Whether it may be copied from what was shown: names are escaped there. */
static bool looks_escaped(struct span path)
{
	for (size_t i = 0; i + 2 < path.n; i++)
		if (path.p[i] == '%' && isxdigit(path.p[i + 1]) && isxdigit(path.p[i + 2]))
			return true;
	return false;
}

bool snapshot_open(struct cli *c, const char *arg, struct snapshot *s, struct err *e)
{
	struct span snap, path;

	*s = (struct snapshot){0};
	band_init(&s->band);
	snapshot_split(arg, &snap, &path);
	buf_add_span(&s->path, path);
	if (!check_snap(snap, arg, e))
		return false;
	if (!apath_valid(path))
		return err_set(e, ERR_USAGE,
		    "%s: a path in a snapshot begins with / and has no empty, . or .. "
		    "part",
		    arg);
	if (!cli_open(c, e) || !bands_list(c->repo, &s->bands, e) ||
	    !snapshot_resolve(c->repo, &s->bands, snap, &s->info, &s->kind, &s->band, e))
		return false;
	if (s->kind == BAND_HEAD)
		return err_set(e, ERR_MISSING,
		    "snapshot %s was interrupted before anything of it could be read "
		    "again",
		    s->info->name.text);
	return true;
}

bool snapshot_failed(const struct snapshot *s, struct err *e)
{
	struct err was = *e;

	if (e->kind == ERR_MISSING && s->info && looks_escaped(buf_span(&s->path)))
		err_set(e, ERR_MISSING,
		    "%s; a %%XX in a name that is shown stands for a byte, but arguments are "
		    "taken as they are",
		    was.text);
	return false;
}

void snapshot_release(struct snapshot *s)
{
	band_release(&s->band);
	bands_release(&s->bands);
	buf_release(&s->path);
}
