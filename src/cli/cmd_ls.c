/* bale ls */
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/snapshot.h"
#include "cli/status.h"
#include "cli/text.h"
#include "engine/list.h"

struct lister {
	struct cli *c;
	struct span root;
	bool is_long;
	uint64_t entries;
};

static const struct {
	const char *name;
	char letter;
} kinds[] = {
    [ENTRY_FILE] = {"file", '-'},
    [ENTRY_DIR] = {"dir", 'd'},
    [ENTRY_SYMLINK] = {"symlink", 'l'},
    [ENTRY_FIFO] = {"fifo", 'p'},
    [ENTRY_CHAR] = {"char", 'c'},
    [ENTRY_BLOCK] = {"block", 'b'},
};

static void show_json(struct lister *l, const struct entry *en)
{
	json_t *line = line_new("entry");
	char mode[8];

	snprintf(mode, sizeof mode, "%04o", en->mode & 07777);
	line_name(line, "path", en->apath);
	line_text(line, "kind", kinds[en->kind].name);
	line_count(line, "size", en->size);
	line_text(line, "mode", mode);
	line_count(line, "uid", en->uid);
	line_count(line, "gid", en->gid);
	line_name(line, "user", en->user);
	line_name(line, "group", en->group);
	line_time(line, "mtime", en->mtime_s, en->mtime_ns);
	if (en->kind == ENTRY_SYMLINK)
		line_name(line, "target", en->target);
	if (en->hardlink.n)
		line_name(line, "hardlink", en->hardlink);
	if (en->kind == ENTRY_CHAR || en->kind == ENTRY_BLOCK) {
		line_count(line, "major", en->major);
		line_count(line, "minor", en->minor);
	}
	if (en->stale)
		line_flag(line, "stale", true);
	report_line(&l->c->report, line);
}

/* As ls prints it: "rwsr-xr-t". */
static void mode_text(uint32_t mode, char out[10])
{
	static const char letters[] = "rwxrwxrwx";

	for (int i = 0; i < 9; i++)
		out[i] = mode & (0400u >> i) ? letters[i] : '-';
	if (mode & 04000)
		out[2] = out[2] == 'x' ? 's' : 'S';
	if (mode & 02000)
		out[5] = out[5] == 'x' ? 's' : 'S';
	if (mode & 01000)
		out[8] = out[8] == 'x' ? 't' : 'T';
	out[9] = '\0';
}

static void add_owner(struct buf *out, struct span name, uint32_t number)
{
	if (name.n)
		text_padded(out, name, 8);
	else
		buf_printf(out, "%-8" PRIu32, number);
	buf_add_byte(out, ' ');
}

static void add_long(struct buf *out, const struct entry *en)
{
	char mode[10];

	mode_text(en->mode, mode);
	buf_printf(out, "%c%s ", kinds[en->kind].letter, mode);
	add_owner(out, en->user, en->uid);
	add_owner(out, en->group, en->gid);
	if (en->kind == ENTRY_CHAR || en->kind == ENTRY_BLOCK)
		buf_printf(out, "%6" PRIu32 ",%6" PRIu32 " ", en->major, en->minor);
	else
		buf_printf(out, "%13" PRIu64 " ", en->size);
	text_local_time(out, en->mtime_s);
	buf_add_byte(out, ' ');
}

static void show_text(struct lister *l, const struct entry *en)
{
	struct buf line = BUF_EMPTY;

	/* A directory that was asked for shows what is in it, not itself. */
	if (en->kind == ENTRY_DIR && span_equal(en->apath, l->root))
		return;
	if (l->is_long)
		add_long(&line, en);
	text_name(&line, en->apath);
	if (l->is_long && en->kind == ENTRY_SYMLINK) {
		buf_add_str(&line, " -> ");
		text_name(&line, en->target);
	}
	report_text(&l->c->report, "%s\n", buf_str(&line));
	buf_release(&line);
}

static bool on_entry(void *arg, const struct entry *en, struct err *e)
{
	struct lister *l = arg;

	l->entries++;
	if (l->c->report.json)
		show_json(l, en);
	else
		show_text(l, en);
	return report_holds(&l->c->report, e);
}

static bool run(struct cli *c, struct err *e)
{
	struct lister l = {.c = c, .is_long = options_has(&c->options, "long")};
	struct snapshot s;
	uint64_t damaged = 0;
	json_t *line;
	bool ok = false;

	if (!snapshot_open(c, c->options.args[0], &s, e))
		goto out;
	l.root = buf_span(&s.path);
	if (!ls_run(c->repo, &s.band, l.root, options_has(&c->options, "recursive"),
	        c->cache_dir, on_entry, &l, &c->listener.monitor, &damaged, e)) {
		snapshot_failed(&s, e);
		goto out;
	}
	if (damaged)
		c->status = STATUS_DAMAGE;
	line = line_new("summary");
	line_text(line, "snapshot", s.info->name.text);
	line_count(line, "entries", l.entries);
	line_count(line, "damaged", damaged);
	cli_summary(c, line);
	ok = true;
out:
	snapshot_release(&s);
	return ok;
}

static const struct option_def options[] = {
    {'l', "long", NULL, "mode, owner, size and time too"},
    {'R', "recursive", NULL, "all that is below, not only the folder itself"},
    {0},
};

const struct command cmd_ls = {
    .name = "ls",
    .synopsis = "SNAP[:PATH]",
    .help = "list what is in a snapshot",
    .options = options,
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
