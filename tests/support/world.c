/* A source, a storage, a client. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "band/bands.h"
#include "base/mem.h"
#include "bytes.h"
#include "copy.h"
#include "scratch.h"
#include "stores.h"

static void die(const char *doing, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", doing, e->text);
	exit(99);
}

static void on_problem(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	struct world *w = (struct world *)((char *)m - offsetof(struct world, monitor));

	(void)subject;
	(void)e;
	w->problems[what]++;
}

static char *sub(const char *top, const char *name)
{
	scratch_mkdir(top, name);
	return mem_printf("%s/%s", top, name);
}

void world_begin(struct world *w)
{
	*w = (struct world){.top = scratch_new()};
	w->source = sub(w->top, "source");
	w->cache = sub(w->top, "cache");
	w->store = store_mem_new(env_real());
	backup_init(w->store, false, 3);
	w->monitor.problem = on_problem;
	w->d = (struct backup_do){.cache = w->cache, .source = w->source};
}

void world_end(struct world *w)
{
	while (w->n_then > 0)
		free(w->then[--w->n_then]);
	store_free(w->store);
	free(w->source);
	free(w->cache);
	scratch_free(w->top);
}

static bool run(struct world *w)
{
	struct store *lent = store_lend(w->d.store ? w->d.store : w->store), *trace;
	struct backup_do d = w->d;
	bool ok;

	trace = store_trace_new(lent);
	d.store = trace;
	if (!d.monitor)
		d.monitor = &w->monitor;
	memset(w->problems, 0, sizeof w->problems);
	err_clear(&w->err);
	ok = backup_do(&d, &w->result, &w->err);
	store_trace_counts(trace, &w->counts);
	store_free(trace);
	return ok;
}

void world_run(struct world *w)
{
	if (!run(w))
		die("backup", &w->err);
}

void world_fail(struct world *w, enum err_kind kind)
{
	if (run(w) || w->err.kind != kind)
		die("the backup should have failed", &w->err);
}

unsigned world_keep(struct world *w)
{
	char name[16];

	snprintf(name, sizeof name, "then-%u", w->n_then);
	w->then[w->n_then] = sub(w->top, name);
	copy_tree(w->source, w->then[w->n_then]);
	return w->n_then++;
}

static struct check_result check(struct world *w, const char *band, const char *folder)
{
	struct repo *r = backup_open(w->store);
	struct check_result got;
	struct err e = ERR_EMPTY;

	if (!check_snapshot(r, band, w->source, folder, &got, &e))
		die("check", &e);
	repo_close(r);
	return got;
}

struct check_result world_check(struct world *w, const char *band)
{
	return check(w, band, w->source);
}

void world_check_then(struct world *w, const char *band, unsigned then)
{
	check(w, band, w->then[then]);
}

bool world_entry(struct world *w, const char *band, const char *name, unsigned then)
{
	struct repo *r = backup_open(w->store);
	struct err e = ERR_EMPTY;
	bool stale;

	if (!check_entry(r, band, scratch_path(w->source, name),
	        scratch_path(w->then[then], name), &stale, &e))
		die("check", &e);
	repo_close(r);
	return stale;
}

bool world_has(struct world *w, const char *band, const char *name)
{
	struct repo *r = backup_open(w->store);
	const char *path = scratch_path(w->source, name);
	struct err e = ERR_EMPTY;
	bool has = check_entry(r, band, path, path, NULL, &e) || e.kind != ERR_MISSING;

	repo_close(r);
	return has;
}

const char *world_path(struct world *w, const char *name)
{
	return scratch_path(w->source, name);
}

void world_noise(struct world *w, const char *name, size_t n, uint64_t seed)
{
	struct buf b = BUF_EMPTY;

	bytes_noise(&b, n, seed);
	scratch_file(w->source, name, b.p, b.n);
	buf_release(&b);
}

void world_text(struct world *w, const char *name, const char *text)
{
	scratch_file(w->source, name, text, strlen(text));
}

void world_band(struct world *w, const char *band, enum band_file *kind, struct band *b)
{
	struct repo *r = backup_open(w->store);
	struct err e = ERR_EMPTY;
	struct band_info *info;
	struct bands bands;

	if (!bands_list(r, &bands, &e) || !(info = bands_find(&bands, band)) ||
	    !band_read(r, info, kind, b, &e))
		die("band", &e);
	bands_release(&bands);
	repo_close(r);
}
