/* bale list */
#include "cli/cli.h"
#include "cli/status.h"
#include "cli/text.h"
#include "engine/list.h"

struct listing {
	struct cli *c;
	const char *set; /* NULL: all */
	bool removed;
	uint64_t shown;
};

static void add_strings(json_t *line, const char *key, const struct string_list *l)
{
	json_t *array = json_array();
	struct buf text = BUF_EMPTY;

	for (size_t i = 0; i < l->n; i++) {
		buf_clear(&text);
		text_name(&text, span_str(l->v[i]));
		json_array_append_new(array, json_stringn(buf_str(&text), text.n));
	}
	json_object_set_new(line, key, array);
	buf_release(&text);
}

static void show_json(struct listing *l, const struct band_info *info,
    enum band_file state, const struct band *b, bool pinned)
{
	json_t *line = line_new("snapshot");
	bool has_end = state != BAND_HEAD;

	line_text(line, "snapshot", info->name.text);
	line_name(line, "set", span_str(b->set ? b->set : ""));
	line_name(line, "host", span_str(b->host ? b->host : ""));
	line_time(line, "start", time_seconds(b->start), 0);
	if (has_end)
		line_time(line, "end", time_seconds(b->end), 0);
	else
		json_object_set_new(line, "end", json_null());
	line_flag(line, "complete", state == BAND_TAIL);
	line_count(line, "files", b->totals.files);
	line_count(line, "bytes", b->totals.bytes);
	line_count(line, "bytes_read", b->totals.bytes_read);
	line_count(line, "bytes_stored", b->totals.bytes_stored + b->file_size);
	add_strings(line, "tags", &b->tags);
	line_flag(line, "pinned", pinned);
	if (l->removed)
		line_flag(line, "removed", true);
	add_strings(line, "paths", &b->paths);
	report_line(&l->c->report, line);
}

static void show_text(struct listing *l, const struct band_info *info,
    enum band_file state, const struct band *b, bool pinned)
{
	struct buf when = BUF_EMPTY, set = BUF_EMPTY, files = BUF_EMPTY, bytes = BUF_EMPTY,
	           stored = BUF_EMPTY, tags = BUF_EMPTY;

	if (l->shown == 0)
		report_text(&l->c->report, "%-36s  %-19s  %10s %11s %11s  %s\n", "snapshot",
		    "begun", "files", "size", "stored", "set");
	text_local_time(&when, time_seconds(b->start));
	text_name(&set, span_str(b->set ? b->set : ""));
	text_count(&files, b->totals.files);
	text_size(&bytes, b->totals.bytes);
	text_size(&stored, b->totals.bytes_stored + b->file_size);
	if (pinned)
		buf_add_str(&tags, "  pinned");
	for (size_t i = 0; i < b->tags.n; i++) {
		buf_add_str(&tags, "  #");
		text_name(&tags, span_str(b->tags.v[i]));
	}
	report_text(&l->c->report, "%-36s  %-19s  %10s %11s %11s  %s%s%s\n", info->name.text,
	    buf_str(&when), buf_str(&files), buf_str(&bytes), buf_str(&stored), buf_str(&set),
	    state == BAND_TAIL ? "" : "  incomplete", buf_str(&tags));
	buf_release(&when);
	buf_release(&set);
	buf_release(&files);
	buf_release(&bytes);
	buf_release(&stored);
	buf_release(&tags);
}

static bool on_snapshot(void *arg, const struct band_info *info, enum band_file state,
    const struct band *b, bool pinned, struct err *e)
{
	struct listing *l = arg;

	/* It came to nothing, and nothing can be had from it. */
	if (state == BAND_HEAD && info->fences.n > 0)
		return true;
	if (l->set && strcmp(b->set ? b->set : "", l->set) != 0)
		return true;
	show_json(l, info, state, b, pinned);
	show_text(l, info, state, b, pinned);
	l->shown++;
	return report_holds(&l->c->report, e);
}

static void tell_none(const struct listing *l)
{
	struct buf text = BUF_EMPTY;

	buf_printf(&text, "no %ssnapshots", l->removed ? "removed " : "");
	if (l->set) {
		buf_add_str(&text, " of the set ");
		text_name(&text, span_str(l->set));
	}
	report_text(&l->c->report, "%s\n", buf_str(&text));
	buf_release(&text);
}

static bool run(struct cli *c, struct err *e)
{
	struct listing l = {
	    c, options_value(&c->options, "set"), options_has(&c->options, "removed"), 0};
	struct list_result result = {0};
	json_t *line;

	if (!cli_open(c, e) ||
	    !list_run(c->repo, l.removed, on_snapshot, &l, &c->listener.monitor, &result, e))
		return false;
	if (l.shown == 0)
		tell_none(&l);
	if (result.unreadable)
		c->status = STATUS_DAMAGE;
	line = line_new("summary");
	line_count(line, "snapshots", l.shown);
	line_count(line, "unreadable", result.unreadable);
	cli_summary(c, line);
	return true;
}

static const struct option_def options[] = {
    {0, "set", "NAME", "only snapshots of this set"},
    {0, "removed", NULL, "those removed that may still be brought back"},
    {0},
};

const struct command cmd_list = {
    .name = "list",
    .synopsis = "",
    .help = "list the snapshots of a repository",
    .options = options,
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .run = run,
};
