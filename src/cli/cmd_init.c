/* bale init */
#include "cli/cli.h"
#include "engine/client.h"

static bool make(struct cli *c, struct err *e)
{
	const char *label = options_value(&c->options, "label");
	struct held_secret held = HELD_SECRET_EMPTY;
	struct repo_options o;
	struct secret_where where = {
	    .key_file = options_value(&c->options, "key-file"),
	    .passphrase_file = options_value(&c->options, "passphrase-file"),
	    .environment = true,
	    .fresh = true,
	};
	bool ok = false;

	repo_options_init(&o);
	o.encrypted = !options_has(&c->options, "unencrypted");
	if (label)
		o.label = label;
	if (!o.encrypted && (where.key_file || where.passphrase_file))
		return err_set(e, ERR_USAGE, "--unencrypted, and a secret: only one makes sense");
	if (!cli_may_create(c, e))
		return false;
	if (o.encrypted && !secret_get(&where, "new passphrase", &held, e))
		goto out;
	if (held.made)
		report_text(&c->report, "key file made; keep a copy of it elsewhere\n");
	ok = cli_create(c, &o, &held.secret, e);
out:
	secret_release(&held);
	return ok;
}

static bool run(struct cli *c, struct err *e)
{
	json_t *line;
	char id[2 * REPO_ID_SIZE + 1];

	if (!make(c, e))
		return false;
	client_state_found(c->repo, c->cache_dir);
	cli_repo_id(c, id);
	report_text(&c->report, "repository %s made in %s\n", id, c->path);
	if (c->repo->params.encrypted)
		report_text(&c->report,
		    "It is encrypted: who loses the passphrase or "
		    "key file loses the data.\n");
	else
		report_text(&c->report,
		    "It is not encrypted: who can read the storage can read the data.\n");
	line = line_new("summary");
	line_text(line, "repository", id);
	line_name(line, "path", span_str(c->path));
	line_flag(line, "encrypted", c->repo->params.encrypted);
	cli_summary(c, line);
	return true;
}

static const struct option_def options[] = {
    {0, "unencrypted", NULL, "do not encrypt"},
    {0, "key-file", "FILE", "protect it by this key file, made if absent"},
    {0, "passphrase-file", "FILE", "protect it by the passphrase in FILE"},
    {0, "label", "TEXT", "a name for the key, shown by key list"},
    {0},
};

const struct command cmd_init = {
    .name = "init",
    .synopsis = "",
    .help = "make a new repository in an empty or absent folder",
    .options = options,
    .needs = NEED_REPO,
    .run = run,
};
