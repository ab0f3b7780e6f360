/*
 * Lines. The progress line is erased before anything else is written, whichever of the
 * two streams it goes to, as both may be the same terminal; stderr's own lock keeps the
 * erasing and the writing together where threads report retries.
 */
#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/status.h"
#include "cli/text.h"

static void erase(struct report *r)
{
	if (r->drawn)
		fputs("\r\033[K", stderr);
	r->drawn = false;
}

static void say(struct report *r, const struct buf *line)
{
	flockfile(stderr);
	erase(r);
	fwrite(line->p, 1, line->n, stderr);
	fflush(stderr);
	funlockfile(stderr);
}

void report_progress(struct report *r, const char *line)
{
	flockfile(stderr);
	erase(r);
	if (line) {
		fputs(line, stderr);
		r->drawn = true;
	}
	fflush(stderr);
	funlockfile(stderr);
}

json_t *line_new(const char *type)
{
	json_t *line = json_object();

	line_text(line, "type", type);
	return line;
}

void line_name(json_t *line, const char *key, struct span name)
{
	struct buf text = BUF_EMPTY;

	text_name(&text, name);
	json_object_set_new(line, key, json_stringn(buf_str(&text), text.n));
	buf_release(&text);
}

/* A message or a word of ours: `%` says itself. */
void line_text(json_t *line, const char *key, const char *text)
{
	struct buf clean = BUF_EMPTY;

	text_message(&clean, span_str(text));
	json_object_set_new(line, key, json_stringn(buf_str(&clean), clean.n));
	buf_release(&clean);
}

void line_count(json_t *line, const char *key, uint64_t n)
{
	json_object_set_new(line, key, json_integer((json_int_t)n));
}

void line_flag(json_t *line, const char *key, bool flag)
{
	json_object_set_new(line, key, json_boolean(flag));
}

void line_real(json_t *line, const char *key, double v)
{
	json_object_set_new(line, key, json_real(v));
}

void line_time(json_t *line, const char *key, int64_t seconds, uint32_t ns)
{
	struct buf text = BUF_EMPTY;

	if (text_time(&text, seconds, ns))
		line_text(line, key, buf_str(&text));
	else
		json_object_set_new(line, key, json_null());
	buf_release(&text);
}

static void add_json(struct buf *out, json_t *line)
{
	/* Six digits are enough for seconds and keep 0.1 from becoming
	 * 0.10000000000000001. */
	char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));

	buf_add_str(out, text);
	buf_add_byte(out, '\n');
	free(text);
	json_decref(line);
}

static void put(struct report *r, struct span bytes)
{
	if (r->drawn)
		report_progress(r, NULL);
	if (bytes.n > 0 && fwrite(bytes.p, 1, bytes.n, stdout) < bytes.n && !r->broken)
		r->broken = errno;
}

void report_line(struct report *r, json_t *line)
{
	struct buf text = BUF_EMPTY;

	if (!r->json) {
		json_decref(line);
		return;
	}
	add_json(&text, line);
	put(r, buf_span(&text));
	buf_release(&text);
}

void report_text(struct report *r, const char *fmt, ...)
{
	struct buf text = BUF_EMPTY;
	va_list ap;

	if (r->json || r->quiet)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	put(r, buf_span(&text));
	buf_release(&text);
}

void report_raw(struct report *r, struct span bytes)
{
	put(r, bytes);
}

bool report_holds(const struct report *r, struct err *e)
{
	if (!r->broken)
		return true;
	err_sys(e, r->broken, "write to standard output");
	e->kind = ERR_IO; /* whatever is full, it is not the storage */
	return false;
}

bool report_flush(struct report *r, struct err *e)
{
	if (fflush(stdout) != 0 && !r->broken)
		r->broken = errno;
	return report_holds(r, e);
}

void report_error(struct report *r, const struct err *e, int status)
{
	struct buf text = BUF_EMPTY;
	json_t *line;

	if (r->json) {
		line = line_new("error");
		line_text(line, "kind", status_kind_name(e->kind));
		line_text(line, "message", e->text);
		line_count(line, "status", (uint64_t)status);
		report_aside(r, line);
		return;
	}
	buf_add_str(&text, "bale: ");
	text_message(&text, span_str(e->text));
	buf_add_byte(&text, '\n');
	say(r, &text);
	buf_release(&text);
}

void report_aside(struct report *r, json_t *line)
{
	struct buf text = BUF_EMPTY;

	add_json(&text, line);
	say(r, &text);
	buf_release(&text);
}

const char *problem_name(enum problem what)
{
	static const char *const names[] = {
	    [PROBLEM_UNREADABLE] = "unreadable",
	    [PROBLEM_CHANGED] = "changed while read",
	    [PROBLEM_VANISHED] = "vanished",
	    [PROBLEM_SKIPPED] = "skipped",
	    [PROBLEM_ATTRIBUTE] = "attribute not restored",
	    [PROBLEM_DAMAGED] = "damaged",
	    [PROBLEM_REFUSED] = "not restored",
	    [PROBLEM_RETRY] = "trying again",
	    [PROBLEM_NOTE] = "note",
	};

	return names[what];
}

/* The same for scripts. */
static const char *problem_kind(enum problem what)
{
	switch (what) {
	case PROBLEM_CHANGED:
		return "changed";
	case PROBLEM_ATTRIBUTE:
		return "attribute";
	case PROBLEM_REFUSED:
		return "refused";
	case PROBLEM_RETRY:
		return "retry";
	default:
		return problem_name(what);
	}
}

void report_problem(
    struct report *r, enum problem what, struct span subject, const struct err *e)
{
	struct buf text = BUF_EMPTY;
	json_t *line;

	if (r->quiet && !r->json && what == PROBLEM_SKIPPED)
		return; /* by design, and the same every night */
	if (r->json) {
		line = line_new("problem");
		line_text(line, "kind", problem_kind(what));
		line_name(line, "path", subject);
		if (e)
			line_text(line, "message", e->text);
		report_aside(r, line);
		return;
	}
	buf_printf(&text, "bale: %s: ", problem_name(what));
	text_name(&text, subject);
	if (e && e->text[0]) {
		buf_add_str(&text, ": ");
		text_message(&text, span_str(e->text));
	}
	buf_add_byte(&text, '\n');
	say(r, &text);
	buf_release(&text);
}

void report_retry(struct report *r, const char *folder, const char *name,
    const struct err *why, unsigned attempt)
{
	struct buf file = BUF_EMPTY;
	struct err e = *why;

	if (!*folder && !*name)
		name = "the top folder";
	buf_printf(&file, "%s%s%s", folder, *folder ? "/" : "", name);
	err_wrap(&e, "attempt %u", attempt + 1);
	report_problem(r, PROBLEM_RETRY, buf_span(&file), &e);
	buf_release(&file);
}
