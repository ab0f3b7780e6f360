/* bale key add, bale key list */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/text.h"

static const char *kind_name(enum key_kind kind)
{
	return kind == KEY_PASSPHRASE ? "passphrase" : "key-file";
}

static void show_unusable(struct cli *c, const struct key_info *k)
{
	json_t *line = line_new("key");

	report_text(&c->report, "%-26s  not usable: %s\n", k->name, k->why.text);
	line_text(line, "key", k->name);
	line_text(line, "kind", "unusable");
	line_text(line, "error", k->why.text);
	report_line(&c->report, line);
}

static void show(struct cli *c, const struct key_info *k)
{
	struct buf when = BUF_EMPTY, label = BUF_EMPTY;
	int64_t s = time_seconds(k->slot.created);
	json_t *line = line_new("key");

	text_local_time(&when, s);
	text_name(&label, span_str(k->slot.label));
	report_text(&c->report, "%s  %-10s  %s  %s\n", k->name, kind_name(k->slot.kind),
	    buf_str(&when), buf_str(&label));
	line_text(line, "key", k->name);
	line_text(line, "kind", kind_name(k->slot.kind));
	line_name(line, "label", span_str(k->slot.label));
	line_time(line, "created", s, time_fraction(k->slot.created));
	report_line(&c->report, line);
	buf_release(&when);
	buf_release(&label);
}

static bool list(struct cli *c, struct err *e)
{
	struct key_info *keys;
	json_t *line;
	size_t n;

	if (!repo_keys(c->repo, &keys, &n, e))
		return false;
	if (n > 0)
		report_text(
		    &c->report, "%-26s  %-10s  %-19s  %s\n", "key", "kind", "made", "label");
	for (size_t i = 0; i < n; i++) {
		if (keys[i].why.kind == ERR_NONE)
			show(c, &keys[i]);
		else
			show_unusable(c, &keys[i]);
	}
	if (n == 0)
		report_text(&c->report, "no keys: the repository is not encrypted\n");
	free(keys);
	line = line_new("summary");
	line_count(line, "keys", n);
	cli_summary(c, line);
	return true;
}

static bool add(struct cli *c, struct err *e)
{
	const char *label = options_value(&c->options, "label");
	struct held_secret held = HELD_SECRET_EMPTY;
	struct secret_where where = {
	    .key_file = options_value(&c->options, "new-key-file"),
	    .passphrase_file = options_value(&c->options, "new-passphrase-file"),
	    .fresh = true,
	};
	char name[NAME_MAX_LEN + 1];
	json_t *line;
	bool ok;

	if (!c->repo->params.encrypted)
		return err_set(e, ERR_USAGE, "the repository is not encrypted: it has no keys");
	ok = secret_get(&where, "new passphrase", &held, e) &&
	    repo_key_add(
	        c->repo, &held.secret, label ? label : "", KDF_OPS, KDF_MEM, name, e);
	secret_release(&held);
	if (!ok)
		return false;
	report_text(&c->report, "key %s added\n", name);
	line = line_new("summary");
	line_text(line, "key", name);
	cli_summary(c, line);
	return true;
}

static bool run(struct cli *c, struct err *e)
{
	static const char *const to_add[] = {"new-key-file", "new-passphrase-file", "label"};
	const char *what = c->options.args[0];
	bool adds = strcmp(what, "add") == 0;

	if (!adds && strcmp(what, "list") != 0)
		return err_set(e, ERR_USAGE, "key %s: only add and list are known", what);
	if (c->options.n_args > 1)
		return err_set(
		    e, ERR_USAGE, "key %s: one argument too many: %s", what, c->options.args[1]);
	for (size_t i = 0; !adds && i < sizeof to_add / sizeof *to_add; i++)
		if (options_has(&c->options, to_add[i]))
			return err_set(e, ERR_USAGE, "key list: --%s is for key add", to_add[i]);
	return cli_open(c, e) && (adds ? add(c, e) : list(c, e));
}

static const struct option_def options[] = {
    {0, "new-key-file", "FILE", "add: the new key file, made if absent"},
    {0, "new-passphrase-file", "FILE", "add: the new passphrase is in FILE"},
    {0, "label", "TEXT", "add: a name for the key"},
    {0},
};

const struct command cmd_key = {
    .name = "key",
    .synopsis = "add | list",
    .help = "add a passphrase or key file, or list them",
    .options = options,
    .needs = NEED_REPO | NEED_KEY,
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
