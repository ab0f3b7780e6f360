/* bale help [COMMAND] */
#include "cli/cli.h"
#include "cli/help.h"

static bool run(struct cli *c, struct err *e)
{
	const char *name = c->options.n_args ? c->options.args[0] : NULL;
	const struct command *command;
	struct buf text = BUF_EMPTY;
	bool ok = true;

	if (options_has(&c->options, "all")) {
		for (size_t i = 0; commands[i]; i++) {
			if (i > 0)
				buf_add_byte(&text, '\n');
			help_command(&text, commands[i]);
		}
	} else if (!name) {
		help_overview(&text);
	} else {
		command = command_find(name);
		if (command)
			help_command(&text, command);
		else
			ok = err_set(e, ERR_USAGE, "there is no command %s; try: bale help", name);
	}
	report_raw(&c->report, buf_span(&text));
	buf_release(&text);
	return ok;
}

static const struct option_def options[] = {
    {0, "all", NULL, "explain every command"},
    {0},
};

const struct command cmd_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .help = "explain the commands",
    .options = options,
    .max_args = 1,
    .run = run,
};
