/* bale restore */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/path.h"
#include "cli/signals.h"
#include "cli/snapshot.h"
#include "cli/status.h"
#include "cli/text.h"
#include "engine/restore.h"

/* "3 files with 1.2 MiB, 1 folder, 2 others": links and the like. */
static void add_done(struct buf *out, const struct restore_result *res)
{
	text_counted(out, res->files, "file", "files");
	buf_add_str(out, " with ");
	text_size(out, res->bytes);
	buf_add_str(out, ", ");
	text_counted(out, res->dirs, "folder", "folders");
	if (res->others) {
		buf_add_str(out, ", ");
		text_counted(out, res->others, "other", "others");
	}
}

static void tell(struct cli *c, const struct snapshot *s, const struct restore_options *o,
    const struct restore_result *res)
{
	struct buf done = BUF_EMPTY, time = BUF_EMPTY, peak = BUF_EMPTY, storage = BUF_EMPTY,
	           target = BUF_EMPTY;
	json_t *line = line_new("summary");

	text_name(&target, span_str(o->target));
	add_done(&done, res);
	text_duration(&time, cli_seconds(c));
	text_size(&peak, cli_peak());
	cli_storage_text(c, &storage);
	report_text(
	    &c->report, "snapshot %s restored to %s\n", s->info->name.text, buf_str(&target));
	report_text(&c->report, " done     %s\n", buf_str(&done));
	if (res->damaged || res->refused || res->attributes)
		report_text(&c->report,
		    " lacking  %llu damaged, %llu refused by the target, "
		    "%llu without an attribute\n",
		    (unsigned long long)res->damaged, (unsigned long long)res->refused,
		    (unsigned long long)res->attributes);
	report_text(&c->report, " storage  %s\n took     %s, peak %s\n", buf_str(&storage),
	    buf_str(&time), buf_str(&peak));
	line_text(line, "snapshot", s->info->name.text);
	line_name(line, "target", span_str(o->target));
	line_count(line, "files", res->files);
	line_count(line, "dirs", res->dirs);
	line_count(line, "others", res->others);
	line_count(line, "bytes", res->bytes);
	line_count(line, "damaged", res->damaged);
	line_count(line, "refused", res->refused);
	line_count(line, "attributes", res->attributes);
	cli_summary(c, line);
	buf_release(&done);
	buf_release(&time);
	buf_release(&peak);
	buf_release(&storage);
	buf_release(&target);
}

/* In the repository it would be litter, and go with it. */
static bool check_target(const struct cli *c, const char *target, struct err *e)
{
	char *path;
	bool inside;

	if (!target || !*target)
		return err_set(e, ERR_USAGE, "where to? give --to FOLDER, empty or absent");
	path = path_absolute(target);
	inside = path_within(path, c->path);
	free(path);
	return !inside ||
	    err_set(e, ERR_USAGE, "--to %s: that is in the repository; nothing was restored",
	        target);
}

static bool run(struct cli *c, struct err *e)
{
	struct restore_options o = {
	    .target = options_value(&c->options, "to"),
	    .stop = &signals_stop,
	};
	struct restore_result res = {0};
	struct snapshot s;
	bool ok = false;

	if (!check_target(c, o.target, e) || !cli_jobs(c, &o.threads, e))
		return false;
	if (!snapshot_open(c, c->options.args[0], &s, e))
		goto out;
	o.transfers = c->repo->transfers;
	o.path = buf_span(&s.path);
	o.cache_dir = c->cache_dir;
	if (!restore_run(c->repo, &s.band, &o, &c->listener.monitor, &res, e)) {
		snapshot_failed(&s, e);
		goto out;
	}
	c->status = res.damaged             ? STATUS_DAMAGE
	    : res.attributes || res.refused ? STATUS_PARTIAL
	                                    : STATUS_DONE;
	listener_end(&c->listener);
	tell(c, &s, &o, &res);
	ok = true;
out:
	snapshot_release(&s);
	return ok;
}

static const struct option_def options[] = {
    {0, "to", "DIR", "folder to restore into, empty or absent"},
    {'j', "jobs", "N", "processors to use (all)"},
    {0},
};

const struct command cmd_restore = {
    .name = "restore",
    .synopsis = "SNAP[:PATH] --to DIR",
    .help = "restore a snapshot, or what is at a path in it",
    .options = options,
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
