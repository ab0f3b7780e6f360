/* bale vacuum */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/settle.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "cli/version.h"
#include "cli/who.h"
#include "engine/vacuum.h"

#define COLUMN 10

static void show_below(struct buf *out, const struct vacuum_threshold *t)
{
	if (t->below == 0)
		buf_add_str(out, "dead ones");
	else
		buf_printf(out, "%7d %%", t->below);
}

static void show_size(struct buf *out, uint64_t bytes)
{
	struct buf text = BUF_EMPTY;

	text_size(&text, bytes);
	buf_printf(out, "  %*s", COLUMN, buf_str(&text));
	buf_release(&text);
}

static void show_bins(struct cli *c, const struct vacuum_result *res)
{
	struct buf out = BUF_EMPTY;

	if (res->bundles == 0)
		return;
	report_text(&c->report, "\n live share     bundles      holding\n");
	for (int i = 0; i < VACUUM_BINS; i++) {
		if (res->bins[i].bundles == 0)
			continue;
		buf_clear(&out);
		if (i == 0)
			buf_add_str(&out, "    nothing");
		else if (i == VACUUM_BINS - 1)
			buf_add_str(&out, "        all");
		else
			buf_printf(&out, " %3d - %3d %%", (i - 1) * 10, i * 10);
		buf_printf(&out, "  %10" PRIu64 " ", res->bins[i].bundles);
		show_size(&out, res->bins[i].bytes);
		report_text(&c->report, "%s\n", buf_str(&out));
	}
	buf_release(&out);
}

static void show_thresholds(struct cli *c, const struct vacuum_result *res)
{
	struct buf out = BUF_EMPTY;

	if (res->thresholds[VACUUM_THRESHOLDS - 1].bundles == 0) {
		report_text(&c->report, "\n no bundle has anything dead in it\n");
		return;
	}
	report_text(
	    &c->report, "\n below      bundles       write        free  stays dead\n");
	for (int i = 0; i < VACUUM_THRESHOLDS; i++) {
		const struct vacuum_threshold *t = &res->thresholds[i];

		buf_clear(&out);
		show_below(&out, t);
		buf_printf(&out, "  %8" PRIu64, t->bundles);
		show_size(&out, t->write_bytes);
		show_size(&out, t->free_bytes);
		show_size(&out, t->dead_bytes);
		report_text(
		    &c->report, "%s%s\n", buf_str(&out), t->below == res->below ? "  <" : "");
	}
	buf_release(&out);
	if (res->below_chosen)
		report_text(&c->report,
		    " <: up to where at most a twentieth stays dead, by no step that writes more "
		    "than it frees\n");
}

static void show_total(struct cli *c, const char *what, uint64_t bytes)
{
	struct buf out = BUF_EMPTY;

	show_size(&out, bytes);
	report_text(&c->report, " %-10s%s\n", what, buf_str(&out));
	buf_release(&out);
}

/*
 * ns until deletion goes on; 0: nothing is left for it, or what it waits for is not time.
 */
static int64_t wait_of(const struct vacuum_options *o, const struct vacuum_result *res)
{
	if (res->wait == 0 && *res->tombstone && !o->sole_client)
		return o->grace;
	return res->wait;
}

/* What is condemned goes in a later run; when, and what it may have to wait for. */
static void show_waiting(
    struct cli *c, const struct vacuum_options *o, const struct vacuum_result *res)
{
	int64_t wait = wait_of(o, res);
	struct buf time = BUF_EMPTY, kept = BUF_EMPTY;

	text_duration(&time, (double)wait / 1e9);
	text_counted(&kept, res->kept_bundles, "condemned bundle", "condemned bundles");
	if (wait > 0)
		report_text(&c->report,
		    " waiting    what is condemned is deleted by a vacuum --run in %s or later\n",
		    buf_str(&time));
	if (res->kept_bundles > 0)
		report_text(&c->report,
		    " waiting    %s: what is alive there has no other copy yet that may be "
		    "relied on\n",
		    buf_str(&kept));
	if (res->disturbed)
		report_text(&c->report,
		    " waiting    others condemn at the same time: deletion is left to a later "
		    "run\n");
	if (*res->lacking)
		report_text(&c->report,
		    " waiting    for the next backup of client %s: nothing shows yet that it "
		    "knows what is condemned\n",
		    res->lacking);
	if (*res->awaited && res->awaited_dead)
		report_text(&c->report,
		    " waiting    for %s, which came to nothing: until that has been known here "
		    "for a day, or what --grace says\n",
		    res->awaited);
	else if (*res->awaited)
		report_text(&c->report,
		    " waiting    for %s, which is unfinished: until its client backs up again "
		    "and a day more, or after a week without a sign of life\n",
		    res->awaited);
	buf_release(&time);
	buf_release(&kept);
}

/* "3 bundles with 1.2 MiB" */
static void add_held(
    struct buf *out, uint64_t n, const char *one, const char *several, uint64_t bytes)
{
	text_counted(out, n, one, several);
	buf_add_str(out, " with ");
	text_size(out, bytes);
}

static void show_run(
    struct cli *c, const struct vacuum_options *o, const struct vacuum_result *res)
{
	struct buf text = BUF_EMPTY;

	if (res->deleted_files > 0) {
		add_held(&text, res->deleted_files, "file", "files", res->deleted_bytes);
		report_text(&c->report, " deleted    %s\n", buf_str(&text));
		buf_clear(&text);
	}
	add_held(&text, res->condemned_bundles, "bundle", "bundles", res->freed_bytes);
	buf_add_str(&text, ", for which ");
	text_size(&text, res->written_bytes);
	report_text(&c->report, " condemned  %s were written\n", buf_str(&text));
	if (res->unmoved > 0) {
		buf_clear(&text);
		text_counted(&text, res->unmoved, "bundle", "bundles");
		report_text(&c->report,
		    " left       %s: there is no room for what is alive there; run it again "
		    "once there is more\n",
		    buf_str(&text));
	}
	show_waiting(c, o, res);
	buf_release(&text);
}

static void tell_text(
    struct cli *c, const struct vacuum_options *o, const struct vacuum_result *res)
{
	struct buf storage = BUF_EMPTY, time = BUF_EMPTY, peak = BUF_EMPTY;

	show_total(c, "live", res->live_bytes);
	show_total(c, "dead", res->dead_bytes);
	show_total(c, "condemned", res->condemned_bytes);
	show_total(c, "unknown", res->unknown_bytes);
	show_total(c, "together", res->total_bytes);
	show_bins(c, res);
	show_thresholds(c, res);
	cli_storage_text(c, &storage);
	text_duration(&time, cli_seconds(c));
	text_size(&peak, cli_peak());
	report_text(&c->report, "\n storage  %s\n took     %s, peak %s\n", buf_str(&storage),
	    buf_str(&time), buf_str(&peak));
	if (res->strict && !o->sole_client)
		report_text(&c->report,
		    " strict   what is condemned is deleted by whoever condemned it, and only "
		    "when backups of every client show that it is known to them (bale client "
		    "list)\n");
	if (o->run)
		show_run(c, o, res);
	else
		report_text(&c->report, "nothing was changed\n");
	buf_release(&storage);
	buf_release(&time);
	buf_release(&peak);
}

static void tell_json(
    struct cli *c, const struct vacuum_options *o, const struct vacuum_result *res)
{
	json_t *line = line_new("summary"), *list = json_array();

	line_count(line, "total_bytes", res->total_bytes);
	line_count(line, "live_bytes", res->live_bytes);
	line_count(line, "condemned_bytes", res->condemned_bytes);
	line_count(line, "dead_bytes", res->dead_bytes);
	line_count(line, "unknown_bytes", res->unknown_bytes);
	line_count(line, "freed_bytes", res->freed_bytes);
	line_count(line, "written_bytes", res->written_bytes);
	for (int i = 0; i < VACUUM_THRESHOLDS; i++) {
		const struct vacuum_threshold *t = &res->thresholds[i];
		json_t *one = json_object();

		line_count(one, "below", (uint64_t)t->below);
		line_count(one, "bundles", t->bundles);
		line_count(one, "write_bytes", t->write_bytes);
		line_count(one, "free_bytes", t->free_bytes);
		line_count(one, "left_dead_bytes", t->dead_bytes);
		json_array_append_new(list, one);
	}
	json_object_set_new(line, "thresholds", list);
	line_count(line, "below", (uint64_t)res->below);
	line_flag(line, "strict", res->strict);
	line_count(line, "bundles", res->bundles);
	line_count(line, "chunks", res->chunks);
	line_count(line, "live_chunks", res->live_chunks);
	line_count(line, "live_frame_bytes", res->live_frames);
	line_count(line, "hunks", res->hunks);
	line_count(line, "condemned_bundles", res->condemned_bundles);
	line_count(line, "deleted_files", res->deleted_files);
	line_count(line, "deleted_bytes", res->deleted_bytes);
	line_count(line, "unmoved", res->unmoved);
	line_count(line, "waiting", res->waiting);
	line_real(line, "wait_seconds", (double)wait_of(o, res) / 1e9);
	line_text(line, "awaited", res->awaited);
	line_text(line, "lacking", res->lacking);
	line_count(line, "kept_bundles", res->kept_bundles);
	line_flag(line, "disturbed", res->disturbed);
	line_text(line, "band", res->band);
	line_text(line, "tombstone", res->tombstone);
	cli_summary(c, line);
}

static bool read_bounds(struct cli *c, struct vacuum_options *o, struct err *e)
{
	const char *size = options_value(&c->options, "max-write");
	const char *time = options_value(&c->options, "max-time");
	const char *grace = options_value(&c->options, "grace");
	int64_t ns;

	if (size && !text_parse_size(size, &o->max_write))
		return err_set(
		    e, ERR_USAGE, "--max-write %s: a size is needed, such as 100M or 1G", size);
	if (time && !text_parse_duration(time, &o->max_time))
		return err_set(
		    e, ERR_USAGE, "--max-time %s: a time is needed, such as 30s, 5m or 2h", time);
	if (!grace)
		return true;
	if (!text_parse_duration(grace, &ns))
		return err_set(
		    e, ERR_USAGE, "--grace %s: a time is needed, such as 24h or 72h", grace);
	if (ns < o->grace)
		return err_set(e, ERR_USAGE, "--grace %s: a day is the least", grace);
	o->grace = ns;
	return true;
}

static bool read_options(
    struct cli *c, const struct who *who, struct vacuum_options *o, struct err *e)
{
	long below = -1;

	vacuum_options_init(o);
	o->host = who->host.nodename;
	o->user = who->user;
	if (!options_number(&c->options, "below", 0, 100, &below, e))
		return false;
	o->below = (int)below;
	o->run = options_has(&c->options, "run");
	o->combine = options_has(&c->options, "combine");
	o->sole_client = options_has(&c->options, "sole-client");
	o->strict = options_has(&c->options, "strict");
	o->program = "bale " BALE_VERSION;
	o->stop = &signals_stop;
	o->cache_dir = c->cache_dir;
	return cli_jobs(c, &o->threads, e) && read_bounds(c, o, e);
}

/* Deletion too begins with writing, if only a few KiB. */
static bool no_room(const struct vacuum_options *o, struct err *e)
{
	return err_wrap(e,
	    o->sole_client
	        ? "the storage is full; before anything can be deleted, some KiB must be "
	          "written: make 1 MiB of room by moving away what is not in the "
	          "repository, and run it again"
	        : "the storage is full; if nobody else uses the repository now, --run "
	          "--sole-client frees at once what no snapshot needs");
}

static bool run(struct cli *c, struct err *e)
{
	struct vacuum_options o;
	struct vacuum_result res = {0};
	struct who who;
	bool ok;

	who_init(&who);
	ok = read_options(c, &who, &o, e) && cli_open(c, e) && settle_use(c, e);
	if (ok) {
		o.transfers = c->repo->transfers;
		ok = vacuum_run(c->repo, &o, &c->listener.monitor, &res, e) ||
		    (e->kind == ERR_NOSPACE ? no_room(&o, e) : cli_failed(c, e));
	}
	listener_end(&c->listener);
	if (ok) {
		tell_text(c, &o, &res);
		tell_json(c, &o, &res);
	}
	who_release(&who);
	return ok;
}

static const struct option_def options[] = {
    {0, "below", "PCT", "bundles with less alive than this (by a rule)"},
    {0, "run", NULL, "act: copy, condemn, and delete what may go"},
    {0, "combine", NULL, "also put small bundles together"},
    {0, "max-write", "SIZE", "copy no more than that"},
    {0, "max-time", "TIME", "copy for no longer than that"},
    {0, "sole-client", NULL, "nobody else uses it now: wait for nobody"},
    {0, "grace", "TIME", "wait longer than a day before deleting"},
    {0, "strict", NULL, "wait until all clients know what is condemned"},
    {0, "settle", "CMD", "what waits for all uploads, or fails"},
    {'j', "jobs", "N", "processors to use (all)"},
    {0},
};

const struct command cmd_vacuum = {
    .name = "vacuum",
    .synopsis = "",
    .help = "tell what no snapshot needs, and give its space back",
    .options = options,
    .needs = NEED_REPO | NEED_KEY,
    .run = run,
};
