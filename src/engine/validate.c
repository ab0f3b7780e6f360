/*
 * A validation from beginning to end. Bands are read before bundles are listed, the
 * reverse of the order in which a backup writes: so what a running backup adds meanwhile
 * is never taken for missing.
 */
#include "engine/validate_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define PIECES 8 /* of several MiB, at once: more would only take memory */

bool valid_stopped(const struct valid *v, struct err *e)
{
	if (!v->o->stop || !*v->o->stop)
		return false;
	err_set(e, ERR_STOPPED, "stopped");
	return true;
}

bool valid_fatal(const struct err *e)
{
	return e->kind == ERR_UNREACHABLE || e->kind == ERR_STOPPED;
}

const char *valid_kind(const struct err *e, const char *corrupt)
{
	switch (e->kind) {
	case ERR_MISSING:
		return "missing";
	case ERR_CORRUPT:
		return corrupt;
	case ERR_NEWER:
		return "newer";
	default:
		return "unreadable";
	}
}

void valid_note(struct valid *v, const char *file, const char *fmt, ...)
{
	struct err e = {.kind = ERR_NONE};
	va_list args;

	va_start(args, fmt);
	vsnprintf(e.text, sizeof e.text, fmt, args);
	va_end(args);
	monitor_problem(v->m, PROBLEM_NOTE, span_str(file), &e);
}

void valid_checked(struct valid *v, uint64_t files, uint64_t bytes)
{
	v->result->checked_files += files;
	v->result->checked_bytes += bytes;
	v->progress.files = v->result->checked_files;
	v->progress.bytes = v->result->checked_bytes;
	monitor_progress(v->m, &v->progress);
}

static void begin(struct valid *v, struct repo *r, const struct validate_options *o,
    struct monitor *m, struct validate_result *out)
{
	bool small = o->level == VALIDATE_QUICK || o->transfers < PIECES;
	unsigned n = small ? o->transfers : PIECES;

	n = o->threads > n ? o->threads : n;
	*v = (struct valid){.repo = r, .o = o, .m = m, .result = out};
	*out = (struct validate_result){0};
	v->pool = pool_new(o->threads ? n : 0);
	v->progress.phase = "check";
	map_init(&v->condemned, DIGEST_SHORT);
	map_init(&v->told, ID_SIZE);
	map_init(&v->bundle_at, 1 + ID_SIZE);
	map_init(&v->seen, ID_SIZE);
	map_init(&v->suffering, DIGEST_SHORT);
}

static void end(struct valid *v)
{
	valid_bands_release(v);
	lost_release(v);
	damage_release(v);
	for (size_t i = 0; i < v->n_bundles; i++)
		free(v->bundles[i].text);
	free(v->bundles);
	free(v->by_base);
	free(v->ids);
	free(v->bad);
	free(v->sorted);
	free(v->chains);
	map_release(&v->condemned);
	map_release(&v->told);
	map_release(&v->bundle_at);
	map_release(&v->seen);
	pool_free(v->pool);
}

bool validate_run(struct repo *r, const struct validate_options *o, struct monitor *m,
    struct validate_result *out, struct err *e)
{
	struct err why = ERR_EMPTY;
	struct valid v;
	bool ok;

	begin(&v, r, o, m, out);
	ok = valid_tombstones(&v, &why) && valid_bands(&v, &why);
	if (ok) {
		valid_bands_judge(&v);
		ok = valid_deltas(&v, &why) && valid_bundles(&v, &why) &&
		     valid_small_files(&v, &why) && valid_refs(&v, &why);
	}
	if (ok) {
		valid_bundles_judge(&v);
		lost_paths(&v);
		damage_report_all(&v);
		damage_record(&v);
	}
	end(&v);
	if (!ok && e)
		*e = why;
	return ok;
}
