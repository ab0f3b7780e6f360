/* bale remove */
#include "cli/snapshots.h"
#include "engine/remove.h"

static bool run(struct cli *c, struct err *e)
{
	struct snapshots s = {0};
	uint64_t removed = 0;
	json_t *line;
	bool ok;

	ok = snapshots_open(c, c->options.n_args, &s, e) &&
	    (remove_run(c->repo, c->cache_dir, s.v, s.n, &c->listener.monitor, &removed, e) ||
	        cli_failed(c, e));
	if (ok) {
		for (size_t i = 0; i < s.n; i++)
			report_text(&c->report, "removed %s\n", s.v[i]->name.text);
		report_text(&c->report,
		    "%s space comes back with bale vacuum --run; until then undelete brings %s "
		    "back\n",
		    s.n == 1 ? "its" : "their", s.n == 1 ? "it" : "them");
		line = line_new("summary");
		line_count(line, "removed", removed);
		cli_summary(c, line);
	}
	snapshots_release(&s);
	return ok;
}

const struct command cmd_remove = {
    .name = "remove",
    .synopsis = "SNAP...",
    .help = "remove snapshots; undelete brings them back until a vacuum",
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
