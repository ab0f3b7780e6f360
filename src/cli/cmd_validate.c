/* bale validate */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/signals.h"
#include "cli/status.h"
#include "cli/text.h"
#include "engine/validate.h"

#define SHOWN_PATHS 10 /* to people; scripts get all that were gathered */

static void show_json(struct cli *c, const struct damage_report *d)
{
	json_t *line = line_new("damage"), *list = json_array();

	line_name(line, "file", span_str(d->file));
	line_text(line, "kind", d->kind);
	line_text(line, "message", d->text ? d->text : "");
	for (size_t i = 0; i < d->n_snapshots; i++)
		json_array_append_new(list, json_string(d->snapshots[i]));
	json_object_set_new(line, "snapshots", list);
	list = json_array();
	for (size_t i = 0; i < d->n_paths; i++) {
		struct buf text = BUF_EMPTY;

		text_name(&text, d->paths[i]);
		json_array_append_new(list, json_stringn(buf_str(&text), text.n));
		buf_release(&text);
	}
	json_object_set_new(line, "paths", list);
	line_count(line, "all_paths", d->all_paths);
	report_line(&c->report, line);
}

static void show_text(struct cli *c, const struct damage_report *d)
{
	size_t n = d->n_paths < SHOWN_PATHS ? d->n_paths : SHOWN_PATHS;
	struct buf text = BUF_EMPTY;

	text_name(&text, span_str(d->file));
	buf_printf(&text, ": %s", d->kind);
	if (d->text && *d->text) {
		buf_add_str(&text, ": ");
		text_message(&text, span_str(d->text));
	}
	buf_add_byte(&text, '\n');
	for (size_t i = 0; i < d->n_snapshots; i++)
		buf_printf(&text, "  in snapshot %s\n", d->snapshots[i]);
	for (size_t i = 0; i < n; i++) {
		buf_add_str(&text, "  ");
		text_name(&text, d->paths[i]);
		buf_add_byte(&text, '\n');
	}
	if (d->all_paths > n) {
		buf_add_str(&text, "  and ");
		text_counted(&text, d->all_paths - n, "other path", "other paths");
		buf_add_byte(&text, '\n');
	}
	report_text(&c->report, "%s", buf_str(&text));
	buf_release(&text);
}

static void on_damage(void *arg, const struct damage_report *d)
{
	struct cli *c = arg;

	show_json(c, d);
	show_text(c, d);
}

static bool read_level(struct cli *c, enum validate_level *out, struct err *e)
{
	static const char *const names[] = {"quick", "stored", "full"};
	unsigned given = 0;

	*out = VALIDATE_QUICK;
	for (unsigned i = 0; i < 3; i++)
		if (options_has(&c->options, names[i])) {
			*out = (enum validate_level)i;
			given++;
		}
	return given <= 1 ||
	    err_set(e, ERR_USAGE, "give one of --quick, --stored and --full");
}

static void add_damage(struct buf *out, const struct validate_result *res)
{
	if (!res->damaged_files && !res->damaged_paths) {
		buf_add_str(out, "none");
		return;
	}
	text_counted(
	    out, res->damaged_files, "file of the repository", "files of the repository");
	buf_add_str(out, ", ");
	text_counted(out, res->damaged_paths, "path", "paths");
}

static void tell(
    struct cli *c, enum validate_level level, const struct validate_result *res)
{
	static const char *const did[] = {
	    "lists and sizes compared, references resolved",
	    "every byte stored was read and compared with its digest",
	    "every byte stored was read, unsealed, expanded and compared with its id",
	};
	struct buf bytes = BUF_EMPTY, time = BUF_EMPTY, peak = BUF_EMPTY, files = BUF_EMPTY,
	           storage = BUF_EMPTY, litter = BUF_EMPTY, damage = BUF_EMPTY;
	json_t *line = line_new("summary");

	text_size(&bytes, res->checked_bytes);
	text_counted(&files, res->checked_files, "file", "files");
	text_duration(&time, cli_seconds(c));
	text_size(&peak, cli_peak());
	cli_storage_text(c, &storage);
	report_text(&c->report, "%s\n", did[level]);
	report_text(&c->report,
	    " checked  %s, %s; snapshots: %" PRIu64 " complete, %" PRIu64 " interrupted\n",
	    buf_str(&files), buf_str(&bytes), res->snapshots, res->incomplete);
	if (res->litter) {
		text_counted(&litter, res->litter, "file", "files");
		report_text(&c->report, " litter   %s that nobody needs\n", buf_str(&litter));
	}
	add_damage(&damage, res);
	report_text(&c->report, " damage   %s\n", buf_str(&damage));
	report_text(&c->report, " storage  %s\n took     %s, peak %s\n", buf_str(&storage),
	    buf_str(&time), buf_str(&peak));
	line_count(line, "damaged_files", res->damaged_files);
	line_count(line, "damaged_paths", res->damaged_paths);
	line_count(line, "checked_files", res->checked_files);
	line_count(line, "checked_bytes", res->checked_bytes);
	line_count(line, "snapshots", res->snapshots);
	line_count(line, "incomplete", res->incomplete);
	line_count(line, "litter", res->litter);
	cli_summary(c, line);
	buf_release(&bytes);
	buf_release(&files);
	buf_release(&litter);
	buf_release(&damage);
	buf_release(&time);
	buf_release(&peak);
	buf_release(&storage);
}

static bool run(struct cli *c, struct err *e)
{
	struct validate_options o = {
	    .stop = &signals_stop,
	    .damage = on_damage,
	    .arg = c,
	};
	struct validate_result res = {0};

	if (!read_level(c, &o.level, e) || !cli_jobs(c, &o.threads, e) || !cli_open(c, e))
		return false;
	o.transfers = c->repo->transfers;
	o.cache_dir = c->cache_dir;
	if (!validate_run(c->repo, &o, &c->listener.monitor, &res, e))
		return false;
	if (res.damaged_files || res.damaged_paths)
		c->status = STATUS_DAMAGE;
	listener_end(&c->listener);
	tell(c, o.level, &res);
	return true;
}

static const struct option_def options[] = {
    {0, "quick", NULL, "lists, sizes and references (the default)"},
    {0, "stored", NULL, "read every byte and compare it with its digest"},
    {0, "full", NULL, "also unseal, expand, and check chunks' ids"},
    {'j', "jobs", "N", "processors to use (all)"},
    {0},
};

const struct command cmd_validate = {
    .name = "validate",
    .synopsis = "",
    .help = "prove that what is stored is what was written",
    .options = options,
    .needs = NEED_REPO | NEED_KEY,
    .run = run,
};
