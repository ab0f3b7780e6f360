/*
 * The language of the control file: one command a line, written to MOUNT/.dumbfs by any
 * program (`echo COMMAND >MOUNT/.dumbfs`); a write fails with EINVAL at the first line
 * that makes no sense. Read, the file tells counts, as "name value" lines: violations,
 * trips, up, down (bytes), pending (files not yet uploaded), "count KIND n" for each kind
 * of operation, "violation KIND n" for each that occurred, then the first of these with
 * their paths.
 *
 *	reset                        all counts to 0
 *	latency KINDS MS             how long these operations take, each
 *	bandwidth up|down MBYTES     a second, shared by all files; 0: without a limit
 *	contract on|off              off: rename, chmod and so on are done, not refused
 *	uploads WORD...              files are uploaded some time after their close:
 *	    late=SECONDS             so late; 0: within the close, as at first
 *	    order=close|reverse|shuffle
 *	    placeholder              the storage has an empty file from the create on, or not
 *	    no-placeholder           (as at first)
 *	    hold, go                 none from now on; those that wait, and then as they come
 *	    drop                     what waits is lost, although it was acknowledged
 *	    unmount=drop|wait        what becomes of them at the end
 *	remember SECONDS             a look at what was looked at, listed or made here since
 *	                             is no trip, as with clients that keep attributes; 0:
 *	                             each is
 *	stale WORD...                changes made elsewhere are seen late:
 *	    list=SECONDS             in listings
 *	    look=SECONDS             of a file that is looked up by its name
 *	    forget                   believe nothing of what was seen
 *	on KINDS PATTERN [nth=N] [every=N] [times=N|ever] ACTION...
 *	                             what goes wrong: from the Nth that matches on (1), every
 *	                             Nth of them, so often (once, with every= for ever)
 *	    EIO, ENOSPC, ESTALE, ... it fails so (a flush: the close does, and no other call)
 *	    torn=BYTES               flush, upload: only so much is kept
 *	    lose                     flush, upload: nothing is kept, whatever was said
 *	    phantom                  flush: nothing is kept, but the file is listed at its
 *	                             size, cannot be opened, and its name is taken
 *	    hide=PERCENT             opendir: so many of the names are not listed
 *	    hidden=PATTERN           opendir: names like this are not listed
 *	    wait=MS                  it takes so much longer
 *	    die                      the file system ends: ENOTCONN from now on
 *	clear                        no rules, no latency, no limits; closed is uploaded
 *	preset NAME                  what presets.c holds for a kind of mount
 *
 * KINDS are names of count.c with "," between, "any", or "trips": look, opendir, page
 * (each further 1000 names), open, create, seek (a read that neither begins a file nor
 * goes on), flush, unlink. PATTERN is a shell's, of the path without its first "/"; a "*"
 * is also any number of folders.
 */
#include "dumbfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool control_kinds(char *words, unsigned *out)
{
	char *save = NULL;

	*out = 0;
	for (char *w = strtok_r(words, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		int i = 0;

		while (i < OP_KINDS && strcmp(w, kind_names[i]) != 0)
			i++;
		if (strcmp(w, "any") == 0)
			*out |= OP_ALL;
		else if (strcmp(w, "trips") == 0)
			*out |= OP_TRIPS;
		else if (i < OP_KINDS)
			*out |= OP_BIT(i);
		else
			return false;
	}
	return *out != 0;
}

static bool set_latency(char *words)
{
	char kinds[256];
	unsigned bits;
	double ms;

	if (sscanf(words, "%255s %lf", kinds, &ms) != 2 || !control_kinds(kinds, &bits))
		return false;
	link_latency(bits, ms);
	return true;
}

static bool set_bandwidth(char *words)
{
	double mbytes;
	char way[5];

	if (sscanf(words, "%4s %lf", way, &mbytes) != 2 ||
	    (strcmp(way, "up") != 0 && strcmp(way, "down") != 0))
		return false;
	link_bandwidth(strcmp(way, "up") == 0, mbytes * 1e6);
	return true;
}

static bool set_contract(char *words)
{
	fs.contract = strcmp(words, "on") == 0;
	return fs.contract || strcmp(words, "off") == 0;
}

static bool do_reset(char *words)
{
	count_reset();
	return !*words;
}

static bool do_clear(char *words)
{
	char closed[] = "late=0 order=close no-placeholder unmount=drop go";
	char fresh[] = "list=0 look=0 forget";
	char nothing[] = "0";

	rules_clear();
	link_latency(OP_ALL, 0);
	link_bandwidth(true, 0);
	link_bandwidth(false, 0);
	return !*words && uploads_set(closed) && stale_set(fresh) && known_set(nothing);
}

static bool do_preset(char *words)
{
	const char *text = preset_text(words);

	return text && control_run(text, strlen(text));
}

static bool run_line(char *line)
{
	static const struct {
		const char *word;
		bool (*run)(char *words);
	} commands[] = {{"reset", do_reset}, {"latency", set_latency},
	    {"bandwidth", set_bandwidth}, {"contract", set_contract},
	    {"uploads", uploads_set}, {"stale", stale_set}, {"remember", known_set},
	    {"on", rule_add}, {"clear", do_clear}, {"preset", do_preset}};
	char *words = line + strcspn(line, " ");

	if (*words)
		*words++ = '\0';
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(line, commands[i].word) == 0)
			return commands[i].run(words);
	return false;
}

bool control_run(const char *text, size_t n)
{
	char *copy = strndup(text, n), *save = NULL;
	bool ok = copy != NULL;

	for (char *l = strtok_r(copy, "\n", &save); l && ok;
	     l = strtok_r(NULL, "\n", &save)) {
		l += strspn(l, " \t");
		ok = !*l || *l == '#' || run_line(l);
	}
	free(copy);
	return ok;
}
