/* bale backup */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/settle.h"
#include "cli/signals.h"
#include "cli/sources.h"
#include "cli/status.h"
#include "cli/text.h"
#include "cli/version.h"
#include "cli/who.h"
#include "engine/backup.h"
#include "tree/filter.h"

#define LEVEL 3
#define LEVEL_LEAST (-7)
#define LEVEL_MOST 22
#define CHECKPOINT (UINT64_C(1) << 30)
#define CHECKPOINT_NS (INT64_C(300) * 1000000000)

/* What the options are made of, as long as they are in use. */
struct wish {
	struct backup_options o;
	struct who who;
	struct filter *filter;
	const char **tags, **sources;
};

/* A set is named in SET~N and SET@DATE, and before a colon. */
static bool check_set(const char *set, struct err *e)
{
	if (!*set || strlen(set) > 255 || strcmp(set, "latest") == 0)
		return err_set(e, ERR_USAGE,
		    "--set \"%s\": a set's name has 1 to 255 bytes and is not \"latest\"", set);
	for (const char *p = set; *p; p++)
		if ((unsigned char)*p < ' ' || strchr("/:~@\x7f", *p))
			return err_set(e, ERR_USAGE,
			    "--set \"%s\": a set's name has no / : ~ @ or control character", set);
	return true;
}

static bool check_tags(const struct backup_options *o, struct err *e)
{
	bool ok = true;

	for (size_t i = 0; ok && i < o->n_tags; i++)
		ok = tag_check(o->tags[i], e);
	return ok;
}

/* What is given replaces both defaults; 0 is neither. */
static bool read_checkpoint(struct cli *c, struct backup_options *o, struct err *e)
{
	const char **v;
	size_t n;
	bool ok = true;

	o->checkpoint = CHECKPOINT;
	o->checkpoint_ns = CHECKPOINT_NS;
	v = options_values(&c->options, "checkpoint", &n);
	o->spaced = n == 0;
	if (n > 0) {
		o->checkpoint = 0;
		o->checkpoint_ns = 0;
	}
	for (size_t i = 0; ok && i < n; i++)
		ok = text_parse_size(v[i], &o->checkpoint) ||
		    text_parse_duration(v[i], &o->checkpoint_ns) ||
		    err_set(e, ERR_USAGE,
		        "--checkpoint %s: want a size (100M, 1G) or a time (30s, 5m), "
		        "or 0 for none",
		        v[i]);
	free(v);
	return ok;
}

/* In the order given, as later patterns win. */
static bool read_filter(struct cli *c, struct wish *w, struct err *e)
{
	const struct options *o = &c->options;

	w->filter = filter_new();
	for (size_t i = 0; i < o->n_given; i++) {
		const struct option_given *g = &o->given[i];

		if ((strcmp(g->def->name, "exclude") == 0 &&
		        !filter_add(w->filter, g->value, e)) ||
		    (strcmp(g->def->name, "exclude-from") == 0 &&
		        !filter_add_file(w->filter, g->value, e)))
			return err_wrap(e, "--%s", g->def->name);
	}
	w->o.filter = w->filter;
	return true;
}

static void read_names(struct cli *c, struct wish *w)
{
	const char *set = options_value(&c->options, "set");

	who_init(&w->who);
	w->o.host = w->who.host.nodename;
	w->o.user = w->who.user;
	w->o.set = set ? set : w->o.host;
	w->o.program = "bale " BALE_VERSION;
}

static bool read_options(struct cli *c, struct wish *w, struct err *e)
{
	struct backup_options *o = &w->o;
	long level = LEVEL;

	backup_options_init(o);
	read_names(c, w);
	w->tags = options_values(&c->options, "tag", &o->n_tags);
	o->tags = w->tags;
	o->one_file_system = options_has(&c->options, "one-file-system");
	o->no_cachedir = options_has(&c->options, "no-cachedir");
	o->ignore_ctime = options_has(&c->options, "ignore-ctime");
	o->puts = (unsigned)c->transfers;
	o->cache_dir = c->cache_dir;
	o->repo_path = c->path;
	o->stop = &signals_stop;
	if (!options_number(&c->options, "level", LEVEL_LEAST, LEVEL_MOST, &level, e))
		return false;
	o->level = (int)level;
	if (!check_set(o->set, e) || !check_tags(o, e) || !cli_jobs(c, &o->threads, e) ||
	    !read_checkpoint(c, o, e) || !read_filter(c, w, e) ||
	    !sources_read(c, &w->sources, &o->n_paths, e))
		return false;
	o->paths = w->sources;
	return true;
}

static void release(struct wish *w)
{
	filter_free(w->filter);
	who_release(&w->who);
	free(w->tags);
	free(w->sources);
}

static void tell_json(
    struct cli *c, const struct wish *w, const struct backup_result *res)
{
	const struct band_totals *t = &res->totals;
	json_t *line = line_new("summary");

	line_text(line, "snapshot", res->snapshot);
	line_name(line, "set", span_str(w->o.set));
	line_flag(line, "complete", res->complete);
	line_flag(line, "confirmed", res->confirmed);
	line_count(line, "files", t->files);
	line_count(line, "dirs", t->dirs);
	line_count(line, "others", t->others);
	line_count(line, "bytes", t->bytes);
	line_count(line, "files_new", t->files_new);
	line_count(line, "files_changed", t->files_changed);
	line_count(line, "files_removed", t->files_removed);
	line_count(line, "files_unreadable", t->unreadable);
	line_count(line, "files_changed_while_read", t->changed_while_read);
	line_count(line, "files_vanished", t->vanished);
	line_count(line, "bytes_read", t->bytes_read);
	line_count(line, "bytes_new", t->bytes_new);
	line_count(line, "bytes_stored", t->bytes_stored);
	line_count(line, "parts", res->parts);
	line_text(line, "basis", res->basis);
	cli_summary(c, line);
}

static void add_counted(struct buf *out, uint64_t n, const char *what)
{
	buf_add_str(out, ", ");
	text_count(out, n);
	buf_printf(out, " %s", what);
}

static void tell_text(
    struct cli *c, const struct wish *w, const struct backup_result *res)
{
	const struct band_totals *t = &res->totals;
	struct buf out = BUF_EMPTY;

	buf_printf(&out, "snapshot %s  set ", res->snapshot);
	text_name(&out, span_str(w->o.set));
	buf_printf(&out, "  %s\n files    ", res->complete ? "complete" : "incomplete");
	text_count(&out, t->files);
	buf_add_str(&out, ": ");
	text_count(&out, t->files_new);
	buf_add_str(&out, " new");
	add_counted(&out, t->files_changed, "changed");
	add_counted(&out, t->files_removed, "removed");
	add_counted(&out, t->unreadable, "unreadable");
	if (t->changed_while_read)
		add_counted(&out, t->changed_while_read, "changed while read");
	if (t->vanished)
		add_counted(&out, t->vanished, "vanished");
	buf_add_str(&out, "\n data     ");
	text_size(&out, t->bytes);
	buf_add_str(&out, "; ");
	text_size(&out, t->bytes_read);
	buf_add_str(&out, " read, ");
	text_size(&out, t->bytes_new);
	buf_add_str(&out, " new, ");
	text_size(&out, t->bytes_stored);
	buf_add_str(&out, " stored\n storage  ");
	cli_storage_text(c, &out);
	if (res->complete)
		buf_add_str(&out,
		    res->confirmed ? "; confirmed"
		                   : "; not confirmed: the mount may still be uploading");
	buf_add_str(&out, "\n took     ");
	text_duration(&out, cli_seconds(c));
	buf_add_str(&out, ", peak ");
	text_size(&out, cli_peak());
	report_text(&c->report, "%s\n", buf_str(&out));
	buf_release(&out);
}

static bool run(struct cli *c, struct err *e)
{
	struct wish w = {0};
	struct backup_result res = {0};
	bool ok = false;

	if (!read_options(c, &w, e) || !cli_open_to_write(c, e) || !settle_use(c, e))
		goto out;
	w.o.transfers = c->repo->transfers;
	ok = backup_run(c->repo, &w.o, &c->listener.monitor, &res, e) || cli_failed(c, e);
	listener_end(&c->listener);
	if (ok && (res.totals.unreadable || c->listener.problems[PROBLEM_UNREADABLE]))
		c->status = STATUS_PARTIAL;
	if (res.snapshot[0]) {
		tell_text(c, &w, &res);
		tell_json(c, &w, &res);
	}
out:
	release(&w);
	return ok;
}

static const struct option_def options[] = {
    {0, "set", "NAME", "set of the snapshot (the host's name)"},
    {0, "tag", "TEXT", "tag of the snapshot; may be repeated"},
    {0, "exclude", "PATTERN", "leave out what matches; may be repeated"},
    {0, "exclude-from", "FILE", "leave out what matches a line of FILE"},
    {'x', "one-file-system", NULL, "enter no mount point"},
    {0, "no-cachedir", NULL, "do not honour CACHEDIR.TAG"},
    {'j', "jobs", "N", "processors to use (all)"},
    {0, "level", "N", "compression, -7 to 22 (3)"},
    {0, "checkpoint", "SIZE|TIME",
        "how often to make it restorable (1G and 5m)"},
    {0, "ignore-ctime", NULL, "do not take a new ctime for a change"},
    {0, "settle", "CMD", "what waits for all uploads, or fails"},
    {0},
};

const struct command cmd_backup = {
    .name = "backup",
    .synopsis = "PATH...",
    .help = "save files and folders as a new snapshot",
    .options = options,
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
