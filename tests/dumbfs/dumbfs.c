/*
 * A file system for tests that allows no more than the contract with the storage: create
 * with O_EXCL, write from start to end, sync, close once, read, list, delete a file, make
 * a folder. Everything else is refused with EPERM and counted. What may be done lands in
 * a backing folder.
 *
 *	dumbfs [-o control=COMMANDS] [-o report=FILE] [-o trace=FILE] [fuse options]
 *	       BACKING MOUNTPOINT
 *
 * It can be as slow, as wrong and as late as real mounts are: control.c tells how. The
 * file .dumbfs at the top of the mount (it is not listed) takes commands and tells
 * counts; the option takes them beforehand, with ";" between them ("," would end it). The
 * report gets what the file would tell when the file system ends, the trace a line for
 * each operation.
 *
 * Reads go past the page cache, so that what is counted is what the program asked for.
 * How long the kernel may keep names and attributes is as fuse's options say
 * (entry_timeout, attr_timeout).
 */
#include "dumbfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct fs fs = {.root = -1, .contract = true};

struct options {
	char *backing, *control, *report, *trace;
};

const char *backing_path(const char *path)
{
	return path[1] ? path + 1 : ".";
}

int result(int r)
{
	return r < 0 ? -errno : 0;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *dumb_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
	(void)conn;
	config->hard_remove = 1; /* or libfuse would rename what is unlinked while open */
	fs.config = config;
	uploads_start();
	return NULL;
}

static void dumb_destroy(void *data)
{
	(void)data;
	uploads_stop();
	count_close();
}

/* The first argument that is no option is the backing folder. */
static int take_argument(void *data, const char *arg, int key, struct fuse_args *args)
{
	struct options *options = data;

	(void)args;
	if (key != FUSE_OPT_KEY_NONOPT || options->backing)
		return 1;
	options->backing = strdup(arg);
	return 0;
}

static bool prepare(const struct options *options)
{
	struct rlimit files;

	fs.root = open(options->backing, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs.root < 0) {
		perror(options->backing);
		return false;
	}
	if (!count_open(options->trace, options->report))
		return false;
	for (char *c = options->control; c && *c; c++)
		if (*c == ';')
			*c = '\n';
	if (options->control && !control_run(options->control, strlen(options->control))) {
		fprintf(stderr, "dumbfs: no sense in %s\n", options->control);
		return false;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(0); /* the kernel has applied the caller's */
	return true;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct options options = {0};
	const struct fuse_opt known[] = {{"control=%s", offsetof(struct options, control), 0},
		{"report=%s", offsetof(struct options, report), 0},
		{"trace=%s", offsetof(struct options, trace), 0}, FUSE_OPT_END};
	struct fuse_operations ops = {.init = dumb_init, .destroy = dumb_destroy};
	int r;

	if (fuse_opt_parse(&args, &options, known, take_argument) != 0)
		return 2;
	if (!options.backing) {
		fprintf(stderr, "usage: dumbfs [-o control=COMMANDS] [-o report=FILE] "
				"[-o trace=FILE] BACKING DIR\n");
		return 2;
	}
	if (!prepare(&options))
		return 1;
	/* Each waits out its latency in a thread of its own. */
	if (fuse_opt_add_arg(&args, "-omax_threads=100") != 0)
		return 1;
	files_ops(&ops);
	folders_ops(&ops);
	outside_ops(&ops);
	r = fuse_main(args.argc, args.argv, &ops, NULL);
	fuse_opt_free_args(&args);
	return r;
}
