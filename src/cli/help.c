/* Help texts. */
#include "cli/help.h"

#include <stdio.h>

#include "cli/options.h"

void help_overview(struct buf *out)
{
	buf_add_str(out, "usage: bale COMMAND [OPTIONS] [ARGUMENTS]\n\n");
	for (size_t i = 0; commands[i]; i++)
		buf_printf(out, "  %-9s %s\n", commands[i]->name, commands[i]->help);
	buf_add_str(out,
	    "\nThe repository is named by -r FOLDER or BALE_REPO. SNAP is "
	    "latest, latest~2, SET,\n"
	    "SET@DATE, or the beginning of a snapshot's name.\n"
	    "More: bale help COMMAND; man bale\n");
}

static void add_option(struct buf *out, const struct option_def *d)
{
	char left[64], letter[] = {'-', d->letter, ',', ' ', '\0'};

	snprintf(left, sizeof left, "%s--%s%s%s", d->letter ? letter : "    ", d->name,
	    d->value ? " " : "", d->value ? d->value : "");
	buf_printf(out, "  %-30s  %s\n", left, d->help);
}

void help_command(struct buf *out, const struct command *c)
{
	const struct option_def *d;
	const char *title;

	buf_printf(out, "usage: bale %s [OPTIONS]%s%s\n\n%s\n", c->name,
	    *c->synopsis ? " " : "", c->synopsis, c->help);
	for (unsigned i = 0; (d = options_table(c, i, &title)); i++) {
		if (d->name)
			buf_printf(out, "\n%s:\n", title);
		for (; d->name; d++)
			add_option(out, d);
	}
}
