/* bale doctor */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "cli/advice.h"
#include "cli/cli.h"
#include "cli/signals.h"
#include "cli/status.h"
#include "cli/text.h"

static const struct {
	const char *word, *text;
} operations[DOCTOR_OPS] = {
    [DOCTOR_FOLDER] = {"make-folder", "make a folder"},
    [DOCTOR_PUT] = {"write", "write and close 4 KiB"},
    [DOCTOR_SHOWN] = {"shown", "then it is listed"},
    [DOCTOR_EXCLUSIVE] = {"exclusive", "refuse a taken name"},
    [DOCTOR_GET] = {"read", "read it back"},
    [DOCTOR_RANGE] = {"read-range", "read a part of it"},
    [DOCTOR_SIZE] = {"size", "ask for its size"},
    [DOCTOR_LIST] = {"list", "list the folder"},
    [DOCTOR_PUT_LARGE] = {"write-large", "write and close 8 MiB"},
    [DOCTOR_GET_LARGE] = {"read-large", "read 8 MiB"},
    [DOCTOR_REMOVE] = {"delete", "delete a file"},
    [DOCTOR_GONE] = {"gone", "then it is not listed"},
};

/* What to change. */
struct advices {
	const char *texts[ADVICE_MAX];
	size_t n;
};

static void add_time(struct buf *out, double seconds)
{
	if (seconds < 0.00005)
		buf_add_str(out, "< 0.1 ms");
	else if (seconds < 0.9995)
		buf_printf(out, "%.1f ms", seconds * 1000);
	else
		text_duration(out, seconds);
}

static double per_second(const struct doctor_probe *p)
{
	return p->ok && p->seconds > 0 ? (double)DOCTOR_LARGE / p->seconds : 0;
}

static void show_probe(struct report *r, enum doctor_op op, const struct doctor_probe *p)
{
	struct buf text = BUF_EMPTY;

	if (!p->ok) {
		buf_add_str(&text, p->tried ? "FAILED: " : "not tried");
		if (p->tried)
			text_message(&text, span_str(p->why.text));
	} else if (!p->tried) {
		buf_add_str(&text, "is there already");
	} else if ((op == DOCTOR_SHOWN || op == DOCTOR_GONE) && p->seconds <= 0) {
		buf_add_str(&text, "at once");
	} else {
		add_time(&text, p->seconds);
	}
	if ((op == DOCTOR_PUT_LARGE || op == DOCTOR_GET_LARGE) && per_second(p) > 0) {
		buf_add_str(&text, ", ");
		text_size(&text, (uint64_t)per_second(p));
		buf_add_str(&text, "/s");
	}
	report_text(r, "  %-23s %s\n", operations[op].text, buf_str(&text));
	buf_release(&text);
}

static void on_probe(void *arg, enum doctor_op op, const struct doctor_probe *p)
{
	struct cli *c = arg;
	json_t *line = line_new("probe");

	line_text(line, "operation", operations[op].word);
	line_flag(line, "ok", p->ok);
	if (p->tried)
		line_real(line, "seconds", p->seconds);
	else
		json_object_set_new(line, "seconds", json_null());
	if (p->tried && !p->ok)
		line_text(line, "message", p->why.text);
	report_line(&c->report, line);
	show_probe(&c->report, op, p);
}

static const char *recognised(
    const struct cli *c, const struct mount_line *mount, enum mount_class class)
{
	return options_has(&c->options, "mount-class") ? "option"
	                                               : advice_recognised(mount, class);
}

static void show_mount(
    struct cli *c, const struct mount_line *mount, enum mount_class class)
{
	const char *by = recognised(c, mount, class);
	struct buf source = BUF_EMPTY, point = BUF_EMPTY, path = BUF_EMPTY,
	           options = BUF_EMPTY;

	text_name(&path, span_str(c->path));
	text_name(&source, span_str(mount->source));
	text_name(&point, span_str(mount->point));
	text_name(&options, span_str(mount->options));
	report_text(&c->report, "folder    %s\n", buf_str(&path));
	if (*mount->type)
		report_text(&c->report, "mount     %s, %s on %s\n", mount->type, buf_str(&source),
		    buf_str(&point));
	if (*mount->type)
		report_text(&c->report, "options   %s\n", buf_str(&options));
	else
		report_text(&c->report, "mount     not in the mount table\n");
	report_text(&c->report, "class     %s: %s\n", mount_class_word(class),
	    advice_class_text(class));
	report_text(&c->report, "known by  %s\n",
	    !by ? "nothing; neither the mount table nor a mount program tells"
	        : strcmp(by, "option") == 0      ? "--mount-class"
	        : strcmp(by, "mount-table") == 0 ? "the mount table"
	                                         : "the arguments of rclone");
	buf_release(&path);
	buf_release(&source);
	buf_release(&point);
	buf_release(&options);
}

static void show_space(struct report *r, const struct doctor_result *result)
{
	struct buf text = BUF_EMPTY;

	if (result->has_space)
		text_size(&text, result->space);
	else
		buf_add_str(&text, "not told");
	report_text(r, "free      %s\n", buf_str(&text));
	buf_release(&text);
}

static void show_files(struct report *r, const char *how, uint64_t n, const char *what)
{
	struct buf text = BUF_EMPTY;

	text_counted(&text, n, "file", "files");
	if (n > 0)
		report_text(r, "%-8s  %s in the folder doctor, %s\n", how, buf_str(&text), what);
	buf_release(&text);
}

static void show_end(struct cli *c, enum mount_class class, const struct doctor_result *r,
    const struct advices *advice)
{
	enum deletion deletion = advice_deletion(class, r);

	show_space(&c->report, r);
	report_text(&c->report, "deletion  %s\n", advice_deletion_text(deletion));
	for (size_t i = 0; i < advice->n; i++)
		report_text(&c->report, "advice    %s\n", advice->texts[i]);
	show_files(&c->report, "left", r->litter, "to be deleted by hand");
	show_files(&c->report, "found", r->others,
	    "of another run, or left from one that was killed and to be deleted by hand");
	report_text(&c->report,
	    r->ok ? "Everything that bale asks of a storage works here.\n"
	          : "Not everything that bale asks of a storage works here.\n");
}

static void count_or_null(json_t *line, const char *key, bool known, uint64_t n)
{
	if (known)
		line_count(line, key, n);
	else
		json_object_set_new(line, key, json_null());
}

static void text_or_null(json_t *line, const char *key, const char *text)
{
	if (text && *text)
		line_name(line, key, span_str(text));
	else
		json_object_set_new(line, key, json_null());
}

static void summary(struct cli *c, const struct mount_line *mount, enum mount_class class,
    const struct doctor_result *r, const struct advices *advice)
{
	json_t *line = line_new("summary"), *texts = json_array();
	const struct doctor_probe *p = r->probes;

	for (size_t i = 0; i < advice->n; i++)
		json_array_append_new(texts, json_string(advice->texts[i]));
	line_flag(line, "ok", r->ok);
	line_name(line, "path", span_str(c->path));
	text_or_null(line, "mount_type", mount->type);
	text_or_null(line, "mount_source", mount->source);
	text_or_null(line, "mount_point", mount->point);
	text_or_null(line, "mount_options", mount->options);
	line_text(line, "class", mount_class_word(class));
	text_or_null(line, "recognised_by", recognised(c, mount, class));
	count_or_null(line, "write_bytes_per_second", per_second(&p[DOCTOR_PUT_LARGE]) > 0,
	    (uint64_t)per_second(&p[DOCTOR_PUT_LARGE]));
	count_or_null(line, "read_bytes_per_second", per_second(&p[DOCTOR_GET_LARGE]) > 0,
	    (uint64_t)per_second(&p[DOCTOR_GET_LARGE]));
	count_or_null(line, "bytes_free", r->has_space, r->space);
	line_text(line, "deletion", advice_deletion_word(advice_deletion(class, r)));
	line_count(line, "left", r->litter);
	line_count(line, "found", r->others);
	json_object_set_new(line, "advice", texts);
	cli_summary(c, line);
}

static void find_mount(const struct cli *c, struct mount_line *out)
{
	int fd = sys_openat(AT_FDCWD, c->path, O_PATH | O_DIRECTORY, 0);

	if (fd < 0 || !mount_line_of(fd, out))
		*out = (struct mount_line){.type = ""};
	if (fd >= 0)
		sys_close(fd);
}

static bool run(struct cli *c, struct err *e)
{
	struct doctor_options o = {
	    .env = env_real(), .stop = &signals_stop, .on_probe = on_probe, .arg = c};
	struct mount_line *mount = mem_zalloc(sizeof *mount);
	struct doctor_result *result = mem_zalloc(sizeof *result);
	struct store *s = cli_open_folder(c, e);
	struct buf args = BUF_EMPTY;
	struct advices advice;
	bool ok = false;

	if (!s)
		goto out;
	find_mount(c, mount);
	mount_program(mount, &args);
	show_mount(c, mount, s->mount);
	ok = doctor_run(s, &o, result, e);
	if (ok) {
		advice.n = advice_list(mount, buf_span(&args), s->mount, result, advice.texts);
		show_end(c, s->mount, result, &advice);
		c->status = result->ok ? STATUS_DONE : STATUS_FAILED;
		summary(c, mount, s->mount, result, &advice);
	}
	store_free(s);
	c->trace = NULL;
out:
	buf_release(&args);
	free(result);
	free(mount);
	return ok;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .synopsis = "[FOLDER]",
    .help = "tell what a mounted storage does, and what to change",
    .needs = NEED_REPO | NEED_FOLDER,
    .max_args = 1,
    .run = run,
};
