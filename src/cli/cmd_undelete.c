/* bale undelete */
#include "cli/cli.h"
#include "cli/settle.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "cli/version.h"
#include "engine/undelete.h"

/* Each path on a line of standard error, as problems are. */
static void tell_lost(struct cli *c, const struct undelete_result *res)
{
	struct err why = ERR_EMPTY;

	err_set(&why, ERR_MISSING, "something that it needs is gone or about to go");
	for (size_t i = 0; i < res->paths.n; i++)
		report_problem(&c->report, PROBLEM_DAMAGED, span_str(res->paths.v[i]), &why);
}

static bool run(struct cli *c, struct err *e)
{
	struct undelete_options o = {"bale " BALE_VERSION, c->cache_dir, &signals_stop};
	struct undelete_result res = {.lost = 0};
	json_t *line;
	bool ok;

	ok = cli_open(c, e) && settle_use(c, e) &&
	    (undelete_run(c->repo, c->options.args[0], &o, &c->listener.monitor, &res, e) ||
	        cli_failed(c, e));
	listener_end(&c->listener);
	tell_lost(c, &res);
	if (ok) {
		report_text(&c->report, "back as %s\n", res.snapshot);
		line = line_new("summary");
		line_text(line, "snapshot", res.snapshot);
		line_flag(line, "complete", res.complete);
		cli_summary(c, line);
	}
	string_list_release(&res.paths);
	return ok;
}

static const struct option_def options[] = {
    {0, "settle", "CMD", "what waits for all uploads, or fails"},
    {0},
};

const struct command cmd_undelete = {
    .name = "undelete",
    .synopsis = "SNAP",
    .help = "bring a removed snapshot back",
    .options = options,
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
