/*
 * Options over getopt_long, whose tables are built from ours on each call: so there is
 * one table only, and help cannot tell of an option that is not there.
 */
#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/text.h"

#define LONG_BASE 256 /* getopt's value of the nth option; letters are below */

static const struct option_def no_options[] = {{0}};

static const struct option_def repo_options[] = {
    {'r', "repo", "REPO", "folder of the repository (or BALE_REPO)"},
    {0, "cache-dir", "DIR", "folder of the local cache (or BALE_CACHE_DIR)"},
    {0, "no-cache", NULL, "keep and use no local cache"},
    {0, "transfers", "N", "storage operations at once (by its latency)"},
    {0, "mount-class", "CLASS", "through, write-back or unknown (see man bale)"},
    {0},
};

static const struct option_def key_options[] = {
    {0, "key-file", "FILE", "open with this key file (or BALE_KEY_FILE)"},
    {0, "passphrase-file", "FILE", "open with its line (or BALE_PASSPHRASE_FILE)"},
    {0},
};

static const struct option_def common_options[] = {
    {0, "json", NULL, "report in JSON Lines"},
    {'q', "quiet", NULL, "report nothing but problems"},
    {'h', "help", NULL, "explain the command"},
    {0},
};

const struct option_def *options_table(
    const struct command *command, unsigned i, const char **title)
{
	static const char *const titles[] = {
	    "options", "repository", "secret", "common options"};

	*title = i < 4 ? titles[i] : NULL;
	switch (i) {
	case 0:
		return command->options ? command->options : no_options;
	case 1:
		return command->needs & NEED_REPO ? repo_options : no_options;
	case 2:
		return command->needs & NEED_KEY ? key_options : no_options;
	case 3:
		return common_options;
	default:
		return NULL;
	}
}

/* The nth option of all tables, or NULL. */
static const struct option_def *option_at(const struct command *command, size_t n)
{
	const struct option_def *d;
	const char *title;

	for (unsigned i = 0; (d = options_table(command, i, &title)); i++)
		for (; d->name; d++)
			if (n-- == 0)
				return d;
	return NULL;
}

static const struct option_def *option_by_letter(
    const struct command *command, int letter)
{
	const struct option_def *d;

	for (size_t n = 0; (d = option_at(command, n)); n++)
		if (d->letter == letter)
			return d;
	return NULL;
}

static void build(const struct command *command, struct buf *letters, struct buf *longs)
{
	const struct option_def *d;
	struct option o;

	buf_add_byte(letters, ':'); /* a missing value is told as ':' */
	for (size_t n = 0; (d = option_at(command, n)); n++) {
		o = (struct option){d->name, d->value ? required_argument : no_argument, NULL,
		    LONG_BASE + (int)n};
		buf_add(longs, &o, sizeof o);
		if (d->letter)
			buf_printf(letters, "%c%s", d->letter, d->value ? ":" : "");
	}
	o = (struct option){0};
	buf_add(longs, &o, sizeof o);
}

/* How many options a shortened name may stand for; *first is one of them. */
static size_t begun_by(
    const struct command *command, const char *text, const char **first)
{
	size_t len = strcspn(text, "="), count = 0;
	const struct option_def *d;

	if (len <= 2 || strncmp(text, "--", 2) != 0)
		return 0;
	for (size_t n = 0; (d = option_at(command, n)); n++)
		if (strncmp(d->name, text + 2, len - 2) == 0 && count++ == 0)
			*first = d->name;
	return count;
}

static bool bad_option(const struct command *command, struct err *e, int c, char **argv)
{
	const char *text = argv[optind - 1], *first;
	char letter[] = {'-', (char)optopt, '\0'};
	size_t count;

	/* getopt tells a letter, or of a long option nothing. */
	if (optopt > 0 && optopt < LONG_BASE)
		text = letter;
	if (c == ':')
		return err_set(e, ERR_USAGE, "option %s needs a value", text);
	if (optopt >= LONG_BASE)
		return err_set(e, ERR_USAGE, "option %s takes no value", text);
	count = text == letter ? 0 : begun_by(command, text, &first);
	if (count > 1)
		return err_set(e, ERR_USAGE, "%s may be --%s or %zu other%s: write more of it",
		    text, first, count - 1, count > 2 ? "s" : "");
	return err_set(e, ERR_USAGE, "unknown option %s", text);
}

static bool check_args(const struct options *o, struct err *e)
{
	const struct command *c = o->command;

	if (options_has(o, "help"))
		return true;
	if (o->n_args < c->min_args)
		return err_set(e, ERR_USAGE, "something is missing; usage: bale %s [OPTIONS] %s",
		    c->name, c->synopsis);
	if (c->max_args >= 0 && o->n_args > c->max_args)
		return err_set(e, ERR_USAGE,
		    "one argument too many: %s; usage: bale %s [OPTIONS]%s%s",
		    o->args[c->max_args], c->name, *c->synopsis ? " " : "", c->synopsis);
	return true;
}

bool options_parse(struct options *o, const struct command *command, int argc,
    char **argv, struct err *e)
{
	struct buf letters = BUF_EMPTY, longs = BUF_EMPTY;
	bool ok = false;
	int c;

	*o = (struct options){.command = command};
	build(command, &letters, &longs);
	opterr = 0;
	optind = 0; /* begin anew, also for a second command line in one process */
	while ((c = getopt_long(argc, argv, buf_str(&letters),
	            (const struct option *)(const void *)longs.p, NULL)) != -1) {
		const struct option_def *d;

		if (c == '?' || c == ':') {
			bad_option(command, e, c, argv);
			goto out;
		}
		d = c >= LONG_BASE ? option_at(command, (size_t)(c - LONG_BASE))
		                   : option_by_letter(command, c);
		o->given = mem_grow(o->given, &o->cap, o->n_given + 1, sizeof *o->given);
		o->given[o->n_given++] = (struct option_given){d, d->value ? optarg : NULL};
	}
	o->args = argv + optind;
	o->n_args = argc - optind;
	ok = check_args(o, e);
out:
	buf_release(&letters);
	buf_release(&longs);
	return ok;
}

void options_release(struct options *o)
{
	free(o->given);
	*o = (struct options){0};
}

static const struct option_given *find_last(const struct options *o, const char *name)
{
	const struct option_def *d;
	bool known = false;

	for (size_t n = 0; !known && (d = option_at(o->command, n)); n++)
		known = strcmp(d->name, name) == 0;
	assert(known);
	for (size_t i = o->n_given; i-- > 0;)
		if (strcmp(o->given[i].def->name, name) == 0)
			return &o->given[i];
	return NULL;
}

bool options_has(const struct options *o, const char *name)
{
	return find_last(o, name) != NULL;
}

const char *options_value(const struct options *o, const char *name)
{
	const struct option_given *g = find_last(o, name);

	return g ? g->value : NULL;
}

const char **options_values(const struct options *o, const char *name, size_t *n)
{
	const char **v = mem_array(o->n_given + 1, sizeof *v);

	*n = 0;
	if (find_last(o, name))
		for (size_t i = 0; i < o->n_given; i++)
			if (strcmp(o->given[i].def->name, name) == 0)
				v[(*n)++] = o->given[i].value;
	return v;
}

bool options_number(const struct options *o, const char *name, long min, long max,
    long *out, struct err *e)
{
	const char *s = options_value(o, name);

	if (!s || text_parse_number(s, min, max, out))
		return true;
	return err_set(
	    e, ERR_USAGE, "--%s %s: a number from %ld to %ld is needed", name, s, min, max);
}
