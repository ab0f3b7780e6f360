/* bale version */
#include "cli/cli.h"
#include "cli/version.h"

static bool run(struct cli *c, struct err *e)
{
	json_t *line = line_new("summary");

	(void)e;
	report_text(&c->report, "bale %s, format %d\n", BALE_VERSION, FORMAT_VERSION);
	line_text(line, "version", BALE_VERSION);
	line_count(line, "format", FORMAT_VERSION);
	cli_summary(c, line);
	return true;
}

const struct command cmd_version = {
    .name = "version",
    .synopsis = "",
    .help = "tell the versions of program and format",
    .run = run,
};
