/* bale tag, bale pin, bale unpin: what is said of snapshots later. */
#include "cli/snapshots.h"
#include "cli/sources.h"
#include "cli/text.h"
#include "engine/marks.h"

static void tell(struct cli *c, uint64_t written, const char *what)
{
	json_t *line = line_new("summary");

	if (written == 0)
		report_text(&c->report, "nothing to do: it is so already\n");
	else
		report_text(&c->report, "%s\n", what);
	line_count(line, "written", written);
	cli_summary(c, line);
}

static bool tag_all(struct cli *c, struct marks *marks, struct band *b, bool remove,
    uint64_t *written, struct err *e)
{
	marks_apply(marks, b);
	for (int i = 1; i < c->options.n_args; i++) {
		const char *tag = c->options.args[i];

		if (string_list_has(&b->tags, tag) != remove)
			continue;
		if (!marks_put(marks, c->repo, &b->name, remove ? MARK_UNTAG : MARK_TAG, tag, e))
			return false;
		marks_apply(marks, b);
		(*written)++;
	}
	return true;
}

/* What is taken away may be what an older version took. */
static bool check_tags(struct cli *c, bool remove, struct err *e)
{
	bool ok = true;

	for (int i = 1; ok && !remove && i < c->options.n_args; i++)
		ok = tag_check(c->options.args[i], e);
	return ok;
}

static bool run_tag(struct cli *c, struct err *e)
{
	bool remove = options_has(&c->options, "remove"), ok = false;
	struct snapshots s = {0};
	struct marks *marks = NULL;
	struct band b;
	uint64_t written = 0;

	if (!check_tags(c, remove, e) || !snapshots_open(c, 1, &s, e) ||
	    !band_read(c->repo, s.v[0], &(enum band_file){0}, &b, e))
		goto out;
	ok = marks_load(c->repo, &c->listener.monitor, &marks, e) &&
	    tag_all(c, marks, &b, remove, &written, e);
	band_release(&b);
	if (ok)
		tell(c, written, remove ? "tags removed" : "tagged");
out:
	marks_free(marks);
	snapshots_release(&s);
	return ok;
}

static bool mark_pins(struct cli *c, enum mark_kind kind, struct err *e)
{
	struct snapshots s = {0};
	struct marks *marks = NULL;
	uint64_t written = 0;
	int n = c->options.n_args;
	bool ok = (kind == MARK_PIN ? snapshots_open(c, n, &s, e)
				    : snapshots_open_any(c, n, &s, e)) &&
	    marks_load(c->repo, &c->listener.monitor, &marks, e);

	for (size_t i = 0; ok && i < s.n; i++) {
		if (marks_pinned(marks, &s.v[i]->name) == (kind == MARK_PIN))
			continue;
		ok = marks_put(marks, c->repo, &s.v[i]->name, kind, "", e);
		written += ok;
	}
	if (ok)
		tell(c, written, kind == MARK_PIN ? "pinned" : "unpinned");
	marks_free(marks);
	snapshots_release(&s);
	return ok;
}

static bool run_pin(struct cli *c, struct err *e)
{
	return mark_pins(c, MARK_PIN, e);
}

static bool run_unpin(struct cli *c, struct err *e)
{
	return mark_pins(c, MARK_UNPIN, e);
}

static const struct option_def tag_options[] = {
    {0, "remove", NULL, "take the tags away"},
    {0},
};

const struct command cmd_tag = {
    .name = "tag",
    .synopsis = "SNAP TAG...",
    .help = "give a snapshot tags, or take them away",
    .options = tag_options,
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 2,
    .max_args = -1,
    .run = run_tag,
};

const struct command cmd_pin = {
    .name = "pin",
    .synopsis = "SNAP...",
    .help = "keep snapshots whatever prune is told",
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = -1,
    .run = run_pin,
};

const struct command cmd_unpin = {
    .name = "unpin",
    .synopsis = "SNAP...",
    .help = "undo pin",
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = -1,
    .run = run_unpin,
};
