/* From arguments to snapshots. */
#include "cli/snapshots.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void add_once(struct snapshots *s, struct band_info *info)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == info)
			return;
	s->v[s->n++] = info;
}

bool snapshots_open(struct cli *c, int n, struct snapshots *s, struct err *e)
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
	}
	return ok;
}

void snapshots_release(struct snapshots *s)
{
	free(s->v);
	bands_release(&s->bands);
	*s = (struct snapshots){0};
}
