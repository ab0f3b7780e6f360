/* The progress line. Its rate is that of the phase so far: steady rather than nervous. */
#include "cli/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/env.h"
#include "cli/signals.h"
#include "cli/text.h"

#define REDRAW_NS 100000000
#define RATE_AFTER 1.0 /* seconds before a rate means anything */

/* "1,203 of 4,100 files" */
static void add_part(struct buf *out, void (*number)(struct buf *, uint64_t),
    uint64_t have, uint64_t total, const char *unit)
{
	buf_add_str(out, "  ");
	number(out, have);
	if (total && have <= total) {
		buf_add_str(out, " of ");
		number(out, total);
	}
	buf_add_str(out, unit);
}

static const char *unit_of(const struct progress *p)
{
	bool one = p->files == 1 && p->files_total <= 1;

	if (p->parts)
		return one ? " part" : " parts";
	return one ? " file" : " files";
}

static void add_rest(struct buf *out, double done, double total, double seconds)
{
	double left = done > 0 && total > done ? (total - done) / done * seconds : 0;

	if (left < 1)
		return;
	buf_add_str(out, "  ~");
	if (left < 10)
		buf_printf(out, "%.0f s", left);
	else
		text_duration(out, left);
	buf_add_str(out, " left");
}

void progress_text(
    struct buf *out, const struct progress *p, double seconds, unsigned width)
{
	size_t start = out->n;

	buf_add_str(out, p->phase ? p->phase : "work");
	if (p->files || p->files_total)
		add_part(out, text_count, p->files, p->files_total, unit_of(p));
	if (p->bytes || p->bytes_total)
		add_part(out, text_size, p->bytes, p->bytes_total, "");
	if (p->bytes_stored)
		add_part(out, text_size, p->bytes_stored, 0, " stored");
	if (seconds >= RATE_AFTER && p->bytes) {
		add_part(out, text_size, (uint64_t)((double)p->bytes / seconds), 0, "/s");
		add_rest(out, (double)p->bytes, (double)p->bytes_total, seconds);
	} else if (seconds >= RATE_AFTER) {
		add_rest(out, (double)p->files, (double)p->files_total, seconds);
	}
	if (out->n - start > width)
		out->n = start + width;
}

static unsigned terminal_width(void)
{
	struct winsize w;

	/* One less: writing into the last column wraps on some terminals. */
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1u : 79;
}

static void raise_to(uint64_t *most, uint64_t n)
{
	if (n > *most)
		*most = n;
}

bool progress_take(struct progress *most, const struct progress *p)
{
	if (p->phase != most->phase) {
		*most = *p;
		return true;
	}
	raise_to(&most->files, p->files);
	raise_to(&most->bytes, p->bytes);
	raise_to(&most->bytes_stored, p->bytes_stored);
	most->files_total = p->files_total;
	most->bytes_total = p->bytes_total;
	return false;
}

static void tell_json(struct report *r, const struct progress *p, double seconds)
{
	json_t *line = line_new("progress");

	line_text(line, "phase", p->phase ? p->phase : "work");
	line_count(line, "files", p->files);
	line_count(line, "files_total", p->files_total);
	line_count(line, "bytes", p->bytes);
	line_count(line, "bytes_total", p->bytes_total);
	line_count(line, "bytes_stored", p->bytes_stored);
	line_real(line, "seconds", seconds);
	report_aside(r, line);
}

static void on_progress(struct monitor *m, const struct progress *p)
{
	struct listener *l = (struct listener *)m;
	struct env *env = env_real();
	struct buf text = BUF_EMPTY;
	int64_t now = env->ticks(env);
	double seconds;
	bool asked = signals_asked();

	if (progress_take(&l->most, p))
		l->phase_began = now;
	if (!asked &&
	    (!l->terminal || l->report->json || l->report->quiet ||
	        now - l->last < REDRAW_NS))
		return;
	seconds = (double)(now - l->phase_began) / 1e9;
	if (asked && l->report->json) {
		tell_json(l->report, &l->most, seconds);
	} else if (asked) {
		progress_text(&text, &l->most, seconds, 1000);
		report_progress(l->report, NULL);
		fprintf(stderr, "bale: %s\n", buf_str(&text));
	} else {
		progress_text(&text, &l->most, seconds, terminal_width());
		report_progress(l->report, buf_str(&text));
		l->last = now;
	}
	buf_release(&text);
}

static void on_problem(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	struct listener *l = (struct listener *)m;

	l->problems[what]++;
	report_problem(l->report, what, subject, e);
}

void listener_init(struct listener *l, struct report *r)
{
	*l = (struct listener){
	    .monitor = {on_problem, on_progress},
	    .report = r,
	    .terminal = isatty(STDERR_FILENO),
	};
}

void listener_end(struct listener *l)
{
	report_progress(l->report, NULL);
}
