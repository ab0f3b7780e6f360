/* From an argument to a snapshot and a path in it. */
#include "cli/snapshot.h"

bool snapshot_open(struct cli *c, const char *arg, struct snapshot *s, struct err *e)
{
	struct span snap, path;

	*s = (struct snapshot){0};
	band_init(&s->band);
	snapshot_split(arg, &snap, &path);
	buf_add_span(&s->path, path);
	if (snap.n == 0)
		return err_set(
		    e, ERR_USAGE, "%s: no snapshot is named; try latest%s", arg, arg);
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

void snapshot_release(struct snapshot *s)
{
	band_release(&s->band);
	bands_release(&s->bands);
	buf_release(&s->path);
}
