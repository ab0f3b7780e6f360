/* bale client list, bale client retire */
#include "cli/cli.h"
#include "cli/status.h"
#include "cli/text.h"
#include "engine/client_list.h"

static void add_when(
    json_t *line, const char *key, const struct listed_client *k, int64_t when)
{
	if (k->bands > 0)
		line_time(line, key, when, 0);
	else
		json_object_set_new(line, key, json_null());
}

static void show_json(struct cli *c, const struct listed_client *k)
{
	json_t *line = line_new("client");

	line_text(line, "client", k->id);
	line_name(line, "host", span_str(k->host));
	line_name(line, "user", span_str(k->user));
	add_when(line, "first", k, k->first);
	add_when(line, "last", k, k->last);
	line_count(line, "bands", k->bands);
	line_flag(line, "self", k->self);
	line_flag(line, "registered", k->registered);
	line_flag(line, "retired", k->retired);
	line_flag(line, "leave", k->leave);
	report_line(&c->report, line);
}

static void add_word(struct buf *out, const char *word)
{
	buf_printf(out, "%s%s", out->n ? ", " : "", word);
}

static void show_text(struct cli *c, const struct listed_client *k, size_t width)
{
	struct buf host = BUF_EMPTY, first = BUF_EMPTY, last = BUF_EMPTY, words = BUF_EMPTY;

	text_padded(&host, span_str(k->host), width);
	if (k->bands > 0) {
		text_local_time(&first, k->first);
		text_local_time(&last, k->last);
	}
	if (k->self)
		add_word(&words, "this one");
	if (k->retired)
		add_word(&words, "retired");
	if (k->registered)
		add_word(&words, k->leave ? "registered" : "registered, without leave yet");
	report_text(&c->report, "%s  %s  %-19s  %-19s %6llu  %s\n", k->id, buf_str(&host),
	    buf_str(&first), buf_str(&last), (unsigned long long)k->bands, buf_str(&words));
	buf_release(&host);
	buf_release(&first);
	buf_release(&last);
	buf_release(&words);
}

static void list(struct cli *c, const struct client_list *l)
{
	json_t *line = line_new("summary");
	size_t width = strlen("host");

	for (size_t i = 0; i < l->n; i++)
		if (text_width(span_str(l->v[i].host)) > width)
			width = text_width(span_str(l->v[i].host));
	if (l->n > 0)
		report_text(&c->report, "%-16s  %-*s  %-19s  %-19s %6s\n", "client", (int)width,
		    "host", "first run", "last run", "runs");
	else
		report_text(&c->report, "no clients\n");
	for (size_t i = 0; i < l->n; i++) {
		show_text(c, &l->v[i], width);
		show_json(c, &l->v[i]);
	}
	if (l->unreadable)
		c->status = STATUS_DAMAGE;
	line_count(line, "clients", l->n);
	line_count(line, "unreadable", l->unreadable);
	cli_summary(c, line);
}

static bool retire(struct cli *c, const struct client_list *l, struct err *e)
{
	const char *text = c->options.args[1];
	const struct listed_client *k;
	json_t *line;

	if (!client_list_find(l, text, &k, e) || !client_list_retire(c->repo, k, e))
		return false;
	report_text(&c->report, "client %s %s retired\n", k->id, k->retired ? "was" : "is");
	line = line_new("summary");
	line_text(line, "client", k->id);
	line_flag(line, "written", !k->retired);
	cli_summary(c, line);
	return true;
}

static bool run(struct cli *c, struct err *e)
{
	char **args = c->options.args;
	bool retires = strcmp(args[0], "retire") == 0;
	struct client_list l = {NULL, 0, 0, 0};
	bool ok;

	if (!retires && strcmp(args[0], "list") != 0)
		return err_set(
		    e, ERR_USAGE, "client %s: only list and retire are known", args[0]);
	if (retires && c->options.n_args == 1)
		return err_set(e, ERR_USAGE,
		    "client retire: which one? give its id, as bale client list shows it");
	if (!retires && c->options.n_args > 1)
		return err_set(e, ERR_USAGE, "client list: one argument too many: %s", args[1]);
	ok = cli_open(c, e) &&
	    client_list_read(c->repo, c->cache_dir, &c->listener.monitor, &l, e) &&
	    (!retires || retire(c, &l, e));
	if (ok && !retires)
		list(c, &l);
	client_list_release(&l);
	return ok;
}

const struct command cmd_client = {
    .name = "client",
    .synopsis = "list | retire CLIENT",
    .help = "list who uses the repository, or tell that one never will again",
    .needs = NEED_REPO | NEED_KEY | MAY_CACHE,
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
