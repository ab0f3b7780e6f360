/* Snapshots of a repository, entries of a snapshot. */
#include "engine/list.h"

#include "base/mem.h"
#include "engine/marks.h"
#include "engine/reading.h"

#define FRAMES_KEPT 2

bool list_run(struct repo *r, bool removed, list_snapshot_fn *fn, void *arg,
    struct monitor *m, struct list_result *out, struct err *e)
{
	struct marks *marks = NULL;
	struct bands bands = {0};
	bool ok = bands_list(r, &bands, e) && marks_load(r, m, &marks, e);

	*out = (struct list_result){0};
	if (ok)
		bands_prefetch(r, &bands, removed);
	for (size_t i = 0; ok && i < bands.n; i++) {
		const struct band_info *info = &bands.v[i];
		struct err why = ERR_EMPTY;
		enum band_file state;
		struct band b;

		if ((info->removed.n > 0) != removed || band_is_trace(info))
			continue;
		if (!band_read(r, info, &state, &b, &why)) {
			ok = err_is_unreadable(&why);
			if (ok)
				monitor_problem(
				    m, PROBLEM_DAMAGED, span_str(info->name.text), &why);
			else if (e)
				*e = why;
			out->unreadable += ok;
		} else if (b.kind == BAND_BACKUP) {
			out->snapshots++;
			marks_apply(marks, &b);
			ok =
			    fn(arg, info, state, &b, marks_pinned(marks, &info->name), e);
		}
		band_release(&b);
	}
	marks_free(marks);
	bands_release(&bands);
	return ok;
}

struct listing {
	struct monitor *m;
	struct span path;
	uint64_t *damaged;
};

static void ls_damaged(void *arg, uint64_t lost, const struct err *e)
{
	struct listing *l = arg;

	(void)lost;
	(*l->damaged)++;
	monitor_problem(l->m, PROBLEM_DAMAGED, l->path, e);
}

/* Whether the entry stands in the directory itself. */
static bool is_child(struct span apath, struct span dir)
{
	size_t start = dir.n == 1 ? 1 : dir.n + 1;

	return apath.n > start && !memchr(apath.p + start, '/', apath.n - start);
}

/* What stands below the directory that the stream was sent to. */
static bool ls_below(struct reading *rd, struct listing *l, bool recursive,
    ls_entry_fn *fn, void *arg, struct err *e)
{
	for (;;) {
		struct entry en;

		switch (stream_next(rd->stream, &en, e)) {
		case STREAM_FAILED:
			return false;
		case STREAM_END:
			return true;
		case STREAM_DAMAGED:
			ls_damaged(l, 0, e);
			continue;
		case STREAM_ENTRY:
			break;
		}
		if (!apath_within(en.apath, l->path) ||
		    (!recursive && !is_child(en.apath, l->path)))
			return true;
		if (!fn(arg, &en, e))
			return false;
	}
}

bool ls_run(struct repo *r, const struct band *band, struct span path, bool recursive,
    const char *cache_dir, ls_entry_fn *fn, void *arg, struct monitor *m,
    uint64_t *damaged, struct err *e)
{
	struct listing l = {m, path, damaged};
	struct reading rd;
	struct err why = ERR_EMPTY;
	struct entry en;
	bool lost, ok = false;

	*damaged = 0;
	reading_open(&rd, r, band, cache_dir, FRAMES_KEPT);
	if (reading_find(&rd, path, &en, &lost, ls_damaged, &l, &why) == STREAM_ENTRY) {
		bool dir = lost || en.kind == ENTRY_DIR;

		ok = lost && !recursive && !is_child(en.apath, path);
		if (!ok)
			ok = fn(arg, &en, &why);
		if (ok && dir) {
			if (!lost)
				reading_enter(&rd, path);
			ok = ls_below(&rd, &l, recursive, fn, arg, &why);
		}
	}
	reading_close(&rd);
	if (!ok && e)
		*e = why;
	return ok;
}
