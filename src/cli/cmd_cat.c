/* bale cat */
#include "cli/cli.h"
#include "cli/snapshot.h"
#include "engine/restore.h"

static bool on_bytes(void *arg, struct span bytes, struct err *e)
{
	struct cli *c = arg;

	report_raw(&c->report, bytes);
	return report_holds(&c->report, e);
}

static bool run(struct cli *c, struct err *e)
{
	const char *arg = c->options.args[0];
	struct snapshot s;
	bool ok = snapshot_open(c, arg, &s, e);

	if (ok && s.path.n == 1)
		ok = err_set(e, ERR_USAGE, "%s: which file of it? bale cat SNAP:PATH", arg);
	else if (ok)
		ok = cat_run(c->repo, &s.band, buf_span(&s.path), c->cache_dir, on_bytes, c, e) ||
		    snapshot_failed(&s, e);
	snapshot_release(&s);
	return ok;
}

const struct command cmd_cat = {
    .name = "cat",
    .synopsis = "SNAP:PATH",
    .help = "write the content of one file to standard output",
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
