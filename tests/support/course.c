/* Clients at work on a simulated storage. */
#include "course.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "backup_do.h"
#include "bytes.h"
#include "check_snapshot.h"
#include "copy.h"
#include "engine/backup.h"
#include "engine/client.h"
#include "engine/clients.h"
#include "engine/remove.h"
#include "engine/undelete.h"
#include "engine/vacuum.h"
#include "engine/validate.h"
#include "repo_make.h"
#include "scratch.h"

#define SECONDS INT64_C(1700000000)

/* --- the ground: the same in every process, so that courses are reproduced */

static void same_times(struct stat *st)
{
	st->st_ctim = (struct timespec){SECONDS, 0};
	if (S_ISDIR(st->st_mode))
		st->st_mtim = st->st_ctim;
}

static void set_time(const char *path)
{
	struct timespec t[2] = {{SECONDS, 0}, {SECONDS, 0}};

	if (utimensat(AT_FDCWD, path, t, 0) != 0) {
		perror(path);
		exit(99);
	}
}

static void make_trees(const char *dir)
{
	/* Which files a version has; a digit is also a content. */
	static const char *const holds[COURSE_VERSIONS] = {"34", "45", "53", "6", "1", "012"};
	struct buf b = BUF_EMPTY;
	char name[64], path[4200], to[16];
	const char *f;
	unsigned i;

	for (i = 0; i < COURSE_VERSIONS; i++) {
		snprintf(name, sizeof name, "v%u", i);
		scratch_mkdir(dir, name);
		for (f = holds[i]; *f; f++) {
			buf_clear(&b);
			bytes_noise(&b, 300 + 40 * (unsigned)(*f - '0'), (unsigned)*f);
			snprintf(name, sizeof name, "v%u/f%c", i, *f);
			scratch_file(dir, name, b.p, b.n);
			set_time(scratch_path(dir, name));
		}
		snprintf(name, sizeof name, "v%u", i);
		set_time(scratch_path(dir, name));
	}
	for (i = 0; i < SIM_CLIENTS; i++) {
		snprintf(name, sizeof name, "c%u", i);
		scratch_mkdir(dir, name);
		snprintf(path, sizeof path, "%s/c%u/now", dir, i);
		snprintf(to, sizeof to, "../v0");
		if (symlink(to, path) != 0)
			exit(99);
	}
	buf_release(&b);
}

int ground_begin(void **state)
{
	static struct ground ground;
	struct ground *g = &ground;

	if (scratch_private()) {
		g->dir = mem_strdup("/mnt/bale-ground");
		mkdir(g->dir, 0755);
	} else {
		printf(
		    "# not root: the place of the trees, and so a course, differs from run to "
		    "run\n");
		g->dir = scratch_new();
	}
	sys_seen = same_times;
	/* Millions of short runs: memory stays with the process. */
	mallopt(M_MMAP_THRESHOLD, 1 << 26);
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	g->env = env_fixed_new(0, 0, 5);
	g->empty = store_mem_new(g->env);
	backup_init(g->empty, false, 3);
	make_trees(g->dir);
	g->now = (SECONDS + 3600) * INT64_C(1000000000);
	*state = g;
	return 0;
}

int ground_end(void **state)
{
	struct ground *g = *state;

	store_free(g->empty);
	env_fixed_free(g->env);
	scratch_free(g->dir);
	sys_seen = NULL;
	return 0;
}

/* --- a course */

static void cache_of(const struct course *c, int client, char out[4096])
{
	snprintf(out, 4096, "%s/cache-%d", c->ground->dir, client);
}

/* The first client has created the repository. */
static void found(struct course *c)
{
	char cache[4096];

	cache_of(c, 0, cache);
	client_state_found(ledger_repo(c->ledger), cache);
}

void course_begin(struct course *c, struct ground *g, uint64_t seed,
    const struct sim_chances *chances, const struct course *from)
{
	char cache[4096], kept[4200];
	int i;

	*c = (struct course){.ground = g, .grace = 2 * SIM_DELTA};
	c->totals = mem_zalloc(sizeof *c->totals);
	c->sim = sim_new(seed, g->now, chances);
	if (from) {
		sim_clone(c->sim, from->sim);
		memcpy(c->snap, from->snap, sizeof c->snap);
		c->n_snaps = from->n_snaps;
	} else {
		sim_copy(c->sim, g->empty);
	}
	for (i = 0; i < SIM_CLIENTS; i++) {
		cache_of(c, i, cache);
		sim_wipe(cache);
		snprintf(kept, sizeof kept, "%s.kept", cache);
		if (from && access(kept, F_OK) == 0 && mkdir(cache, 0700) == 0)
			copy_plain(kept, cache);
	}
	c->ledger = ledger_new(c->sim);
	c->strict = chances->blind;
	c->settles = chances->settles;
	if (c->strict) {
		ledger_blind(c->ledger);
		found(c);
	}
	c->lies = chances->lie > 0;
	if (c->lies)
		ledger_lied_to(c->ledger);
	for (i = 0; i < (int)c->n_snaps; i++)
		if (c->snap[i].success)
			ledger_success(c->ledger, c->snap[i].band);
}

void course_keep(struct course *c)
{
	char cache[4096], kept[4200];
	int i;

	for (i = 0; i < SIM_CLIENTS; i++) {
		cache_of(c, i, cache);
		snprintf(kept, sizeof kept, "%s.kept", cache);
		sim_wipe(kept);
		rename(cache, kept);
	}
}

void course_end(struct course *c)
{
	const struct sim_counts *n = sim_count(c->sim);
	const struct ledger_counts *l = ledger_count(c->ledger);
	struct course_totals *t = c->totals;

	t->courses = 1;
	t->operations = n->operations;
	t->errors = n->errors;
	t->lies = n->lies;
	t->crashes = n->crashes;
	t->sleeps = n->sleeps;
	t->late = n->late;
	t->ghosts = n->ghosts;
	t->bundles_deleted = l->deleted;
	t->bundles_beside = l->beside;
	t->deleting = l->deleted > 0;
	t->beside = l->beside > 0;
	t->fences = l->fences;
	t->foreign_fences = l->foreign_fences;
	t->tails = l->tails;
	t->removed = l->removed;
	ledger_free(c->ledger);
	sim_free(c->sim);
}

/* --- runs */

struct settler {
	struct sim *sim;
	int client;
};

static bool settle(void *arg, struct err *e)
{
	const struct settler *s = arg;

	return sim_settle(s->sim, s->client, e);
}

static struct repo *open_as(struct course *c, int client)
{
	static struct settler settlers[SIM_CLIENTS];
	struct err e = ERR_EMPTY;
	struct repo *r;

	if (!repo_open(sim_store(c->sim, client), sim_env(c->sim, client), secret_right, NULL,
	        &r, &e))
		return NULL;
	if (client >= 0 && c->settles >> client & 1) {
		settlers[client] = (struct settler){c->sim, client};
		r->settle = settle;
		r->settle_arg = &settlers[client];
	}
	return r;
}

static const char *const runs[RUN_KINDS] = {
    "backup", "removal", "prune", "undelete", "vacuum"};

static void tell(struct course *c, int client, enum course_run kind, bool ok)
{
	struct tally *t = &c->totals->run[kind];

	ledger_show(c->ledger, client, ok ? "done:" : "failed:", runs[kind]);
	t->begun++;
	t->done += ok;
	t->died += sim_dead(c->sim, client);
}

static struct repo *begin(struct course *c, int client, enum course_run kind)
{
	ledger_show(c->ledger, client, "begins:", runs[kind]);
	return open_as(c, client);
}

static void note_snap(struct course *c, const char *band, unsigned version,
    const char *apath, bool success)
{
	struct course_snap *s;

	if (success)
		ledger_success(c->ledger, band);
	if (!band[0] || c->n_snaps == COURSE_SNAPS)
		return;
	s = &c->snap[c->n_snaps++];
	snprintf(s->band, sizeof s->band, "%s", band);
	snprintf(s->apath, sizeof s->apath, "%s", apath);
	s->version = version;
	s->success = success;
}

/* The client's own tree becomes another version. */
static void change_tree(const char *path, unsigned version)
{
	char next[300], to[16];

	snprintf(next, sizeof next, "%s.next", path);
	snprintf(to, sizeof to, "../v%u", version);
	if (symlink(to, next) != 0 || rename(next, path) != 0) {
		perror(next);
		exit(99);
	}
}

void course_backup(struct course *c, int client, unsigned version, bool shared)
{
	struct repo *r = begin(c, client, RUN_BACKUP);
	struct backup_options o;
	struct backup_result res = {.complete = false};
	struct err e = ERR_EMPTY;
	char cache[4096], apath[256], path[260], set[16];
	const char *paths[] = {path};
	bool ok;

	if (!r) {
		tell(c, client, RUN_BACKUP, false);
		return;
	}
	cache_of(c, client, cache);
	if (shared) {
		snprintf(apath, sizeof apath, "%s/v%u", c->ground->dir, version);
		snprintf(set, sizeof set, "all-%u", version);
	} else {
		snprintf(apath, sizeof apath, "%s/c%d/now", c->ground->dir, client);
		snprintf(set, sizeof set, "own-%d", client);
		change_tree(apath, version);
	}
	snprintf(path, sizeof path, "%s/", apath);
	backup_options_init(&o);
	o.set = set;
	o.host = o.user = "x";
	o.paths = paths;
	o.n_paths = 1;
	o.threads = o.transfers = 0;
	o.level = 1;
	o.checkpoint = 0;
	o.checkpoint_ns = 0;
	o.cache_dir = cache;
	ledger_relies(c->ledger, client, true);
	ok = backup_run(r, &o, NULL, &res, &e) && res.complete;
	ledger_relies(c->ledger, client, false);
	note_snap(c, res.snapshot, version, apath, ok);
	tell(c, client, RUN_BACKUP, ok);
	repo_close(r);
}

/* What a vacuum refused for, without names and numbers. */
static void note_reason(struct course *c, const struct err *e)
{
	struct reason *r = c->totals->reasons;
	char text[sizeof r->text];
	const char *p;
	size_t n = 0;
	int i;

	for (p = e->text; *p && n < sizeof text - 1; p++) {
		const char *end = p;

		while (
		    (*end >= '0' && *end <= '9') || (*end >= 'a' && *end <= 'v') || *end == '-')
			end++;
		if (end - p >= 12)
			p = end;
		if (!*p)
			break;
		if (*p < '0' || *p > '9')
			text[n++] = *p;
	}
	text[n] = '\0';
	for (i = 0; i < COURSE_REASONS - 1 && r[i].n && strcmp(r[i].text, text) != 0; i++)
		;
	snprintf(r[i].text, sizeof r[i].text, "%s", i < COURSE_REASONS - 1 ? text : "others");
	r[i].n++;
}

void course_vacuum(struct course *c, int client, int below)
{
	struct repo *r = begin(c, client, RUN_VACUUM);
	struct vacuum_options o;
	struct vacuum_result res = {.total_bytes = 0};
	struct err e = ERR_EMPTY;
	char cache[4096];
	bool ok;

	if (!r) {
		tell(c, client, RUN_VACUUM, false);
		return;
	}
	cache_of(c, client, cache);
	vacuum_options_init(&o);
	o.host = o.user = "x";
	o.run = true;
	o.below = below;
	o.combine = below == 100;
	o.grace = c->grace;
	o.sole_client = c->sole;
	o.threads = o.transfers = 0;
	o.level = 1;
	o.cache_dir = cache;
	ok = vacuum_run(r, &o, NULL, &res, &e);
	c->totals->vacuums_deleting += res.deleted_files > 0;
	c->totals->vacuums_condemning += res.tombstone[0] != '\0';
	c->totals->vacuums_waiting += res.waiting > 0;
	c->totals->vacuums_copying += res.copied_bytes > 0;
	if (!ok && !sim_dead(c->sim, client))
		note_reason(c, &e);
	if (!ok)
		ledger_show(c->ledger, client, "refused:", e.text);
	tell(c, client, RUN_VACUUM, ok);
	repo_close(r);
}

void course_leave(struct course *c, int client)
{
	c->left |= 1u << client;
	sim_tell_all(c->sim, client);
}

void course_retire(struct course *c, int client, int gone)
{
	const struct string_list *names = ledger_names(c->ledger, gone);
	struct repo *r = open_as(c, client);
	struct err e = ERR_EMPTY;
	bool ok = r;
	size_t i;

	for (i = 0; ok && i < names->n; i++)
		ok = clients_retire(r, names->v[i], &e);
	if (ok)
		c->retired |= 1u << gone;
	c->totals->retirements += ok;
	ledger_show(c->ledger, client, ok ? "done:" : "failed:", "retirement");
	repo_close(r);
}

void course_remove(struct course *c, int client, unsigned snap)
{
	struct repo *r = snap < c->n_snaps ? begin(c, client, RUN_REMOVE) : NULL;
	struct bands bands = {0};
	struct err e = ERR_EMPTY;
	struct band_info *info;
	uint64_t n = 0;
	bool ok;

	if (!r)
		return;
	ok = bands_list(r, &bands, &e) && (info = bands_find(&bands, c->snap[snap].band)) &&
	    remove_run(r, NULL, &info, 1, NULL, &n, &e);
	tell(c, client, RUN_REMOVE, ok && n > 0);
	bands_release(&bands);
	repo_close(r);
}

void course_prune(struct course *c, int client, unsigned keep)
{
	struct repo *r = begin(c, client, RUN_PRUNE);
	struct retention policy = {.count = {[KEEP_LAST] = keep}};
	struct prune_options o = {.policy = &policy};
	struct prune_result res = {0};
	struct err e = ERR_EMPTY;
	bool ok = r && prune_run(r, &o, NULL, &res, &e);

	tell(c, client, RUN_PRUNE, ok && res.removed > 0);
	repo_close(r);
}

void course_undelete(struct course *c, int client, unsigned snap)
{
	struct repo *r = snap < c->n_snaps ? begin(c, client, RUN_UNDELETE) : NULL;
	struct undelete_options o = {.program = "test"};
	struct undelete_result res = {.complete = false};
	const struct course_snap s = c->snap[snap < c->n_snaps ? snap : 0];
	struct err e = ERR_EMPTY;
	char cache[4096];
	bool ok;

	if (!r)
		return;
	cache_of(c, client, cache);
	o.cache_dir = cache;
	ledger_relies(c->ledger, client, true);
	ok = undelete_run(r, s.band, &o, NULL, &res, &e) && res.complete;
	ledger_relies(c->ledger, client, false);
	note_snap(c, res.snapshot, s.version, s.apath, ok);
	tell(c, client, RUN_UNDELETE, ok);
	string_list_release(&res.paths);
	repo_close(r);
}

/* --- what must hold */

bool course_check(struct course *c)
{
	const char *loss = ledger_loss(c->ledger);
	struct err e = ERR_EMPTY;
	char source[4200];
	unsigned i;

	if (loss) {
		snprintf(c->why, sizeof c->why, "%s", loss);
		return false;
	}
	for (i = 0; i < c->n_snaps; i++) {
		const struct course_snap *s = &c->snap[i];

		snprintf(source, sizeof source, "%s/v%u", c->ground->dir, s->version);
		if (!ledger_counts(c->ledger, s->band) ||
		    !ledger_looks_complete(c->ledger, s->band))
			continue;
		if (!check_snapshot(
		        ledger_repo(c->ledger), s->band, s->apath, source, NULL, &e)) {
			snprintf(c->why, sizeof c->why, "restoring %s: %s", s->band, e.text);
			return false;
		}
	}
	return true;
}

static void on_damage(void *arg, const struct damage_report *d)
{
	struct course *c = arg;

	if (d->n_snapshots > 0)
		snprintf(c->why, sizeof c->why, "validate: %s %s: %s", d->file, d->kind, d->text);
}

bool course_validate(struct course *c)
{
	struct repo *r = open_as(c, -1);
	struct validate_options o = {.level = VALIDATE_FULL, .damage = on_damage, .arg = c};
	struct validate_result res = {0};
	struct err e = ERR_EMPTY;
	bool ok = r && validate_run(r, &o, NULL, &res, &e);

	if (!ok)
		snprintf(c->why, sizeof c->why, "validate: %s", e.text);
	repo_close(r);
	return ok && res.damaged_paths == 0;
}
