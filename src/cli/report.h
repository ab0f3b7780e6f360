/*
 * What the program says. Results go to standard output: text for people, or JSON Lines.
 * Problems and errors go to standard error, one line each, as JSON objects with --json.
 *
 * Names are escaped (text_name) on their way out, so a line is a line whatever they hold.
 * report_retry may be called by any thread; all else belongs to the main one.
 */
#ifndef BALE_CLI_REPORT_H
#define BALE_CLI_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/monitor.h"

struct report {
	bool json, quiet;
	bool drawn; /* a progress line stands on the terminal; under stderr's lock */
	int broken; /* errno of the first write to standard output that failed */
};

/* A JSON line to fill: {"type": TYPE}. */
json_t *line_new(const char *type);
/* Members. Names are escaped; times are ns since 1970. */
void line_text(json_t *line, const char *key, const char *text);
void line_name(json_t *line, const char *key, struct span name);
void line_count(json_t *line, const char *key, uint64_t n);
void line_flag(json_t *line, const char *key, bool flag);
void line_real(json_t *line, const char *key, double v);
void line_time(json_t *line, const char *key, int64_t seconds, uint32_t ns);

/* Print and free it where JSON is asked for, else only free it. */
void report_line(struct report *r, json_t *line);

/* Text for people: nothing with --json or --quiet. */
void report_text(struct report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Bytes as they are: help, or a file's content. */
void report_raw(struct report *r, struct span bytes);

/* Whether standard output could be written so far; ERR_IO. */
bool report_holds(const struct report *r, struct err *e);

/* Write out what is held back, and the same answer. */
bool report_flush(struct report *r, struct err *e);

void report_error(struct report *r, const struct err *e, int status);

void report_problem(
    struct report *r, enum problem what, struct span subject, const struct err *e);

/* The word that begins a problem's line. */
const char *problem_name(enum problem what);

/* An attempt at a storage operation failed and is made again. */
void report_retry(struct report *r, const char *folder, const char *name,
    const struct err *why, unsigned attempt);

/* Print and free a line on standard error, where JSON is asked for. */
void report_aside(struct report *r, json_t *line);

/* Replace the progress line on the terminal; NULL erases it. */
void report_progress(struct report *r, const char *line);

#endif
