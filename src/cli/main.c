/* bale: finds the command, runs it, and turns how it went into an exit status. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/signals.h"
#include "cli/status.h"

static int usage(void)
{
	struct buf text = BUF_EMPTY;

	help_overview(&text);
	fwrite(text.p, 1, text.n, stderr);
	buf_release(&text);
	return STATUS_USAGE;
}

/* Whether --json stands on a command line that could not be parsed. */
static bool wants_json(char **argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (strcmp(*argv, "--json") == 0)
			return true;
	return false;
}

static bool explain(struct cli *c)
{
	struct buf text = BUF_EMPTY;

	help_command(&text, c->command);
	report_raw(&c->report, buf_span(&text));
	buf_release(&text);
	return true;
}

/*
 * The storage went away in the middle. What was said where it was not there to begin with
 * is all that there is to say.
 */
static void explain_loss(const struct cli *c, struct err *e)
{
	if (e->kind == ERR_UNREACHABLE && e->sys != 0 && c->repo)
		err_wrap(e,
		    "the storage cannot be reached any more: is it still mounted? Mount it and "
		    "try again; what was stored counts");
}

static int run(const struct command *command, int argc, char **argv)
{
	struct cli c = {.command = command, .report.json = wants_json(argv)};
	struct err e = ERR_EMPTY;
	int status;
	bool ok;

	listener_init(&c.listener, &c.report);
	if (!options_parse(&c.options, command, argc, argv, &e)) {
		err_wrap(&e, "%s", command->name);
		ok = false;
	} else if (options_has(&c.options, "help")) {
		ok = explain(&c);
	} else {
		ok = cli_begin(&c, &e) && command->run(&c, &e);
	}
	if (ok)
		ok = report_flush(&c.report, &e);
	else
		fflush(stdout);
	listener_end(&c.listener);
	status = ok ? c.status : status_of(e.kind);
	if (!ok)
		explain_loss(&c, &e);
	/* A reader that has had enough, like head, is told by the status alone. */
	if (!ok && c.report.broken != EPIPE)
		report_error(&c.report, &e, status);
	cli_end(&c);
	return status;
}

/*
 * A file of the storage must not get the number of a stream that is closed: what is said
 * there would stand in the file. As before, writing to the stream fails.
 */
static bool keep_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return false;
	return true;
}

/* What is allowed anyway: folders read ahead each hold a descriptor. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *name = argc > 1 ? argv[1] : NULL;
	struct report report = {.json = name && wants_json(argv)};
	struct err e;

	if (!keep_streams())
		return STATUS_FAILED;
	/* Large buffers go back to the system when they are freed (docs/decisions.md). */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	/* Else what cannot be had is left out of a line. */
	json_set_alloc_funcs(mem_alloc, free);
	allow_descriptors();
	signals_install();
	if (!name)
		return usage();
	if (strcmp(name, "--version") == 0)
		name = "version";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	command = command_find(name);
	if (command)
		return run(command, argc - 1, argv + 1);
	if (*name == '-')
		err_set(&e, ERR_USAGE,
		    "options follow the command: bale list -r FOLDER; try: bale help");
	else
		err_set(&e, ERR_USAGE, "there is no command %s; try: bale help", name);
	report_error(&report, &e, STATUS_USAGE);
	return STATUS_USAGE;
}
