/* bale prune */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/signals.h"
#include "cli/status.h"
#include "cli/text.h"
#include "engine/remove.h"

/* In the order of enum keep. */
static const char *const counts[KEEP_KINDS] = {"keep-last", "keep-hourly", "keep-daily",
    "keep-weekly", "keep-monthly", "keep-yearly"};
static const char *const stretches[KEEP_KINDS] = {"keep-within", "keep-within-hourly",
    "keep-within-daily", "keep-within-weekly", "keep-within-monthly",
    "keep-within-yearly"};

struct pruning {
	struct cli *c;
	bool shown;
};

static bool read_policy(struct cli *c, struct retention *p, struct err *e)
{
	const char **tags, *v;
	size_t n;

	for (int i = 0; i < KEEP_KINDS; i++) {
		v = options_value(&c->options, counts[i]);
		if (v && !retention_parse_count(v, &p->count[i]))
			return err_set(e, ERR_USAGE,
			    "--%s %s: a number from 1 to 99999 is needed, or unlimited", counts[i],
			    v);
		v = options_value(&c->options, stretches[i]);
		if (v && !retention_parse_stretch(v, &p->within[i]))
			return err_set(e, ERR_USAGE,
			    "--%s %s: a stretch of time is needed, such as 2h, 7d, 1y5m2w7d2h",
			    stretches[i], v);
	}
	tags = options_values(&c->options, "keep-tag", &n);
	for (size_t i = 0; i < n; i++)
		string_list_add(&p->tags, span_str(tags[i]));
	free(tags);
	return true;
}

static void show_json(struct pruning *p, const struct candidate *x, uint64_t frees)
{
	json_t *line = line_new("decision"), *reasons = json_array();

	line_text(line, "snapshot", x->name);
	line_name(line, "set", span_str(x->set));
	line_time(line, "start", time_seconds(x->start), time_fraction(x->start));
	line_flag(line, "keep", x->keep);
	for (size_t i = 0; i < x->reasons.n; i++) {
		struct buf text = BUF_EMPTY;

		text_name(&text, span_str(x->reasons.v[i]));
		json_array_append_new(reasons, json_stringn(buf_str(&text), text.n));
		buf_release(&text);
	}
	json_object_set_new(line, "reasons", reasons);
	if (!x->keep)
		line_count(line, "frees", frees);
	report_line(&p->c->report, line);
}

static void show_text(struct pruning *p, const struct candidate *x, uint64_t frees)
{
	struct buf when = BUF_EMPTY, set = BUF_EMPTY, why = BUF_EMPTY, size = BUF_EMPTY;

	if (!p->shown)
		report_text(&p->c->report, "%-36s  %-19s  %-6s %11s  %-12s  %s\n", "snapshot",
		    "begun", "", "frees alone", "set", "why");
	p->shown = true;
	text_local_time(&when, time_seconds(x->start));
	text_padded(&set, span_str(x->set), 12);
	for (size_t i = 0; i < x->reasons.n; i++) {
		buf_add_str(&why, i ? ", " : "");
		text_name(&why, span_str(x->reasons.v[i]));
	}
	if (!x->keep)
		text_size(&size, frees);
	report_text(&p->c->report, "%-36s  %-19s  %-6s %11s  %s  %s\n", x->name,
	    buf_str(&when), x->keep ? "keep" : "remove", buf_str(&size), buf_str(&set),
	    buf_str(&why));
	buf_release(&when);
	buf_release(&set);
	buf_release(&why);
	buf_release(&size);
}

static bool on_decision(
    void *arg, const struct candidate *x, uint64_t frees, struct err *e)
{
	struct pruning *p = arg;

	show_json(p, x, frees);
	show_text(p, x, frees);
	return report_holds(&p->c->report, e);
}

static void tell(struct cli *c, const struct prune_result *res, bool dry_run)
{
	json_t *line = line_new("summary");
	struct buf out = BUF_EMPTY;

	buf_add_str(&out, "keep ");
	text_count(&out, res->kept);
	buf_add_str(&out, ", remove ");
	text_count(&out, res->removed);
	if (res->removed) {
		buf_printf(&out, "; %s %s", res->removed == 1 ? "it frees" : "together they free",
		    res->uncertain ? "at most " : "");
		text_size(&out, res->frees);
	}
	if (dry_run)
		buf_add_str(&out, "\nnothing was changed");
	else if (res->removed)
		buf_printf(&out,
		    "\n%s space comes back with bale vacuum --run; until then undelete brings "
		    "%s back",
		    res->removed == 1 ? "its" : "their", res->removed == 1 ? "it" : "them");
	report_text(&c->report, "%s\n", buf_str(&out));
	buf_release(&out);
	line_count(line, "kept", res->kept);
	line_count(line, "removed", res->removed);
	line_count(line, "unreadable", res->unreadable);
	line_count(line, "frees_bytes", res->frees);
	line_flag(line, "uncertain", res->uncertain);
	line_flag(line, "dry_run", dry_run);
	cli_summary(c, line);
}

static bool run(struct cli *c, struct err *e)
{
	struct retention policy = {.count = {0}};
	struct pruning p = {c, false};
	struct prune_options o = {
	    .set = options_value(&c->options, "set"),
	    .policy = &policy,
	    .dry_run = options_has(&c->options, "dry-run"),
	    .cache_dir = c->cache_dir,
	    .stop = &signals_stop,
	    .decision = on_decision,
	    .arg = &p,
	};
	struct prune_result res = {0};
	bool ok;

	ok = read_policy(c, &policy, e) && retention_check(&policy, e) && cli_open(c, e) &&
	    (prune_run(c->repo, &o, &c->listener.monitor, &res, e) || cli_failed(c, e));
	listener_end(&c->listener);
	if (ok)
		tell(c, &res, o.dry_run);
	if (ok && res.unreadable)
		c->status = STATUS_DAMAGE;
	retention_release(&policy);
	return ok;
}

static const struct option_def options[] = {
    {0, "set", "NAME", "only snapshots of this set"},
    {0, "keep-last", "N", "keep the newest N"},
    {0, "keep-hourly", "N", "the newest of each of N hours that have one"},
    {0, "keep-daily", "N", "of each of so many days"},
    {0, "keep-weekly", "N", "of each of so many weeks"},
    {0, "keep-monthly", "N", "of each of so many months"},
    {0, "keep-yearly", "N", "of each of so many years"},
    {0, "keep-within", "TIME", "all within 1y5m2w7d2h before the newest"},
    {0, "keep-within-hourly", "TIME", "the newest of each hour in that time"},
    {0, "keep-within-daily", "TIME", "of each day in it"},
    {0, "keep-within-weekly", "TIME", "of each week in it"},
    {0, "keep-within-monthly", "TIME", "of each month in it"},
    {0, "keep-within-yearly", "TIME", "of each year in it"},
    {0, "keep-tag", "TAG[,TAG]", "all with these tags; may be repeated"},
    {'n', "dry-run", NULL, "only tell what would be removed"},
    {0},
};

const struct command cmd_prune = {
    .name = "prune",
    .synopsis = "",
    .help = "remove snapshots that no rule keeps",
    .options = options,
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .run = run,
};
