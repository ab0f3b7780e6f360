/*
 * Counts of operations and bytes, and of what the contract does not allow. Counted is
 * what was asked, whether or not it succeeded.
 */
#include "dumbfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_SIZE 8192

const char *const kind_names[OP_KINDS] = {"known", "look", "opendir", "page", "open",
    "create", "read", "seek", "write", "fsync", "flush", "unlink", "mkdir", "statfs",
    "rename", "setattr", "other", "upload"};

static const char *const violation_names[V_KINDS] = {"rename", "link", "symlink", "mknod",
	"rmdir", "truncate", "chmod", "chown", "utime", "lock", "xattr", "fallocate",
	"copy-range", "open-for-write", "not-exclusive", "read-write", "append",
	"seeking-write", "open-while-written", "unlink-while-written", "second-flush",
	"write-after-flush", "empty-file", "name", "name-reused", "mode"};

static struct {
	pthread_mutex_t lock; /* guards what follows */
	uint64_t ops[OP_KINDS], up, down;
	uint64_t violations[V_KINDS];
	char log[LOG_SIZE]; /* the first violations, with their paths */
	size_t log_n;
	double start;
	FILE *trace, *report;
} counts = {.lock = PTHREAD_MUTEX_INITIALIZER};

void count_op(enum kind kind, const char *path, size_t bytes)
{
	pthread_mutex_lock(&counts.lock);
	counts.ops[kind]++;
	if (kind == OP_WRITE)
		counts.up += bytes;
	if (kind == OP_READ || kind == OP_SEEK)
		counts.down += bytes;
	if (counts.trace)
		fprintf(counts.trace, "%9.3f %-8s %s %zu\n", now() - counts.start,
		    kind_names[kind], path, bytes);
	pthread_mutex_unlock(&counts.lock);
}

int refuse(enum violation what, const char *path)
{
	size_t room;
	int n;

	pthread_mutex_lock(&counts.lock);
	room = LOG_SIZE - counts.log_n;
	n = snprintf(
	    counts.log + counts.log_n, room, "! %s %s\n", violation_names[what], path);
	counts.violations[what]++;
	if (n > 0 && (size_t)n < room)
		counts.log_n += (size_t)n;
	else
		counts.log[counts.log_n] = '\0'; /* no room: counted only */
	pthread_mutex_unlock(&counts.lock);
	return -EPERM;
}

void count_reset(void)
{
	pthread_mutex_lock(&counts.lock);
	memset(counts.ops, 0, sizeof counts.ops);
	memset(counts.violations, 0, sizeof counts.violations);
	counts.up = counts.down = counts.log_n = 0;
	counts.log[0] = '\0';
	counts.start = now();
	pthread_mutex_unlock(&counts.lock);
}

static void tell_locked(FILE *out)
{
	uint64_t violations = 0, trips = 0;

	for (int i = 0; i < V_KINDS; i++)
		violations += counts.violations[i];
	for (int i = 0; i < OP_KINDS; i++)
		trips += OP_TRIPS & OP_BIT(i) ? counts.ops[i] : 0;
	fprintf(out, "violations %llu\ntrips %llu\nup %llu\ndown %llu\npending %zu\n",
	    (unsigned long long)violations, (unsigned long long)trips,
	    (unsigned long long)counts.up, (unsigned long long)counts.down, own_pending());
	for (int i = 0; i < OP_KINDS; i++)
		fprintf(out, "count %s %llu\n", kind_names[i],
		    (unsigned long long)counts.ops[i]);
	for (int i = 0; i < V_KINDS; i++)
		if (counts.violations[i])
			fprintf(out, "violation %s %llu\n", violation_names[i],
			    (unsigned long long)counts.violations[i]);
	fputs(counts.log, out);
}

char *count_text(void)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		abort();
	pthread_mutex_lock(&counts.lock);
	tell_locked(out);
	pthread_mutex_unlock(&counts.lock);
	fclose(out);
	return text;
}

/* Opened before the daemon moves to "/". */
static bool open_for(const char *path, FILE **out)
{
	if (!path)
		return true;
	*out = fopen(path, "we");
	if (!*out)
		perror(path);
	return *out != NULL;
}

bool count_open(const char *trace, const char *report)
{
	counts.start = now();
	if (!open_for(trace, &counts.trace) || !open_for(report, &counts.report))
		return false;
	if (counts.trace)
		setvbuf(counts.trace, NULL, _IOLBF, 0);
	return true;
}

void count_close(void)
{
	if (counts.report) {
		tell_locked(counts.report);
		fclose(counts.report);
	}
	if (counts.trace)
		fclose(counts.trace);
}
