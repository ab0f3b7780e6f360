/* From arguments to snapshots. */
#include "cli/snapshots.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/remove.h"

static void add_once(struct snapshots *s, struct band_info *info)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == info)
			return;
	s->v[s->n++] = info;
}

/* False: none is meant, and *e is as it was, or there are several. */
static bool removed_meant(struct snapshots *s, const char *arg, struct err *e)
{
	struct band_info *info;
	struct err why = ERR_EMPTY;

	if (e->kind != ERR_MISSING)
		return false;
	if (!removed_find(&s->bands, span_str(arg), &info, &why)) {
		if (why.kind == ERR_USAGE)
			*e = why;
		return false;
	}
	err_clear(e);
	add_once(s, info);
	return true;
}

static bool open_all(struct cli *c, int n, bool any, struct snapshots *s, struct err *e)
{
	bool ok = true;

	*s = (struct snapshots){.v = mem_array((size_t)n + 1, sizeof *s->v)};
	for (int i = 0; ok && i < n; i++)
		ok = !strchr(c->options.args[i], '/') ||
		    err_set(e, ERR_USAGE, "%s: a whole snapshot is wanted, without a path",
		        c->options.args[i]);
	ok = ok && cli_open(c, e) && bands_list(c->repo, &s->bands, e);
	for (int i = 0; ok && i < n; i++) {
		struct band_info *info;
		enum band_file kind;
		struct band b;

		ok = snapshot_resolve(
		    c->repo, &s->bands, span_str(c->options.args[i]), &info, &kind, &b, e);
		band_release(&b);
		if (ok)
			add_once(s, info);
		else
			ok = any && removed_meant(s, c->options.args[i], e);
	}
	return ok;
}

bool snapshots_open(struct cli *c, int n, struct snapshots *s, struct err *e)
{
	return open_all(c, n, false, s, e);
}

bool snapshots_open_any(struct cli *c, int n, struct snapshots *s, struct err *e)
{
	return open_all(c, n, true, s, e);
}

void snapshots_release(struct snapshots *s)
{
	free(s->v);
	bands_release(&s->bands);
	*s = (struct snapshots){0};
}
