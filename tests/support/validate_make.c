/* Repositories to be validated. */
#include "validate_make.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "repo_make.h"
#include "scratch.h"

#define FILES 420

static void die(const char *fmt, const char *what, const char *why)
{
	fprintf(stderr, fmt, what, why);
	fputc('\n', stderr);
	abort();
}

static void must(bool ok, const char *what, const struct err *e)
{
	if (!ok)
		die("%s: %s", what, e ? e->text : "");
}

void noise(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(seed >> 56);
	}
}

void fixture_tree(const char *dir, const char *below, unsigned files, uint64_t seed)
{
	uint8_t bytes[40000];
	char name[80];

	scratch_mkdir(dir, below);
	for (unsigned i = 0; i < files; i++) {
		snprintf(name, sizeof name, "%s/%c%u", below, 'a' + (int)(i % 7), i);
		noise(bytes, 400, seed + i);
		scratch_file(dir, name, bytes, 90 + i % 200);
	}
	noise(bytes, sizeof bytes, seed + 77777);
	snprintf(name, sizeof name, "%s/large", below);
	scratch_file(dir, name, bytes, sizeof bytes);
}

void fixture_forget_client(struct fixture *f)
{
	char *command = mem_printf("rm -rf '%s'/*", scratch_path(f->dir, "cache"));

	must(system(command) == 0, "no cache", NULL);
	free(command);
}

bool fixture_backup(struct fixture *f, const char *below, const char *set,
    const volatile bool *stop, struct monitor *m, struct backup_result *res,
    struct err *e)
{
	char *path = mem_strdup(scratch_path(f->dir, below));
	char *cache = mem_strdup(scratch_path(f->dir, "cache"));
	const char *paths[] = {path};
	struct backup_options o;
	bool ok;

	backup_options_init(&o);
	o.set = set;
	o.host = "here";
	o.user = "me";
	o.paths = paths;
	o.n_paths = 1;
	o.threads = 0;
	o.transfers = 0;
	o.checkpoint = 30000;
	o.cache_dir = cache;
	o.stop = stop;
	ok = backup_run(f->repo, &o, m, res, e);
	free(path);
	free(cache);
	return ok;
}

void fixture_backup_well(struct fixture *f, const char *below, const char *set,
    char snapshot[BAND_MAX_LEN + 1])
{
	struct backup_result res;
	struct err e = ERR_EMPTY;

	must(fixture_backup(f, below, set, NULL, NULL, &res, &e), "backup", &e);
	strcpy(snapshot, res.snapshot);
}

static struct repo *make_repo(struct store *s, struct env *env, bool encrypted)
{
	struct repo_options o;
	struct err e = ERR_EMPTY;
	struct secret secret;
	struct repo *r;

	repo_options_init(&o);
	o.encrypted = encrypted;
	o.kdf_ops = 1;
	o.kdf_mem = 8192;
	o.params.bundle_target = o.params.frame_plain = 65536;
	o.params.cut.whole_max = 4096;
	for (int i = 0; i < CUT_TIERS; i++) {
		o.params.cut.tier[i].min = 64;
		o.params.cut.tier[i].average = 128;
		o.params.cut.tier[i].max = 256;
	}
	secret_right(NULL, &secret, &e);
	must(repo_create(s, env, &o, &secret, &r, &e), "repo_create", &e);
	return r;
}

void fixture_setup(struct fixture *f, bool encrypted)
{
	uint8_t bytes[3000];

	*f = (struct fixture){.dir = scratch_new()};
	f->env = env_fixed_new(INT64_C(1790000000) * 1000000000, 1000000, 1);
	f->clean = store_mem_new(f->env);
	f->repo = make_repo(f->clean, f->env, encrypted);
	scratch_mkdir(f->dir, "cache");
	fixture_tree(f->dir, "one", FILES, 1);
	fixture_tree(f->dir, "two", 20, 99000);
	fixture_backup_well(f, "one", "one", f->snapshot[0]);
	noise(bytes, sizeof bytes, 5);
	scratch_file(f->dir, "one/a0", bytes, 2000);
	scratch_file(f->dir, "one/new", bytes + 1, 2500);
	fixture_backup_well(f, "one", "one", f->snapshot[1]);
	fixture_backup_well(f, "one", "one", f->snapshot[2]);
	fixture_backup_well(f, "two", "two", f->snapshot[3]);
}

void fixture_teardown(struct fixture *f)
{
	f->repo->store = NULL;
	repo_close(f->repo);
	store_free(f->clean);
	env_fixed_free(f->env);
	scratch_free(f->dir);
}

struct files files_of(struct store *s)
{
	static const char *const others[] = {"", "keys", "bands", "hunks", "index",
	    "tombstones", "marks", "clients", "health"};
	struct files out = {0};
	char folder[16];

	for (unsigned i = 0; i < 16 + sizeof others / sizeof *others; i++) {
		struct store_listing l = {0};
		struct err e = ERR_EMPTY;

		if (i < 16)
			snprintf(folder, sizeof folder, "data/%x", i);
		else
			strcpy(folder, others[i - 16]);
		must(store_list(s, folder, &l, &e), "list", &e);
		for (size_t k = 0; k < l.n; k++) {
			struct file *f;

			out.v = mem_grow(out.v, &out.cap, out.n + 1, sizeof *out.v);
			f = &out.v[out.n++];
			memset(f, 0, sizeof *f);
			strcpy(f->folder, folder);
			strcpy(f->name, l.names[k]);
			must(store_get(
				 s, folder, f->name, 0, SIZE_MAX, &f->bytes, NULL, &e),
			    "get", &e);
		}
		store_listing_release(&l);
	}
	return out;
}

void files_release(struct files *l)
{
	for (size_t i = 0; i < l->n; i++)
		buf_release(&l->v[i].bytes);
	free(l->v);
}

const char *path_of(const struct file *f)
{
	static char path[2][NAME_MAX_LEN + 20];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof path[turn], "%s%s%s", f->folder,
	    *f->folder ? "/" : "", f->name);
	return path[turn];
}

static void on_damage(void *arg, const struct damage_report *d)
{
	struct hearing *h = arg;
	struct heard *x;

	h->v = mem_grow(h->v, &h->cap, h->n + 1, sizeof *h->v);
	x = &h->v[h->n++];
	*x = (struct heard){.file = mem_strdup(d->file), .kind = mem_strdup(d->kind)};
	must(d->text && *d->text, "damage without a text", NULL);
	for (size_t i = 0; i < d->n_snapshots; i++)
		buf_printf(&x->snapshots, "%s\n", d->snapshots[i]);
	for (size_t i = 0; i < d->n_paths; i++)
		buf_printf(&x->paths, "%.*s\n", (int)d->paths[i].n, d->paths[i].p);
	x->all_paths = d->all_paths;
}

static void on_problem(
    struct monitor *m, enum problem what, struct span subject, const struct err *e)
{
	struct hearing *h = (struct hearing *)m;

	(void)subject;
	must(what == PROBLEM_NOTE, "another problem than a note", e);
	h->notes++;
}

bool validate(struct fixture *f, struct store *s, enum validate_level level,
    unsigned threads, struct hearing *h, struct err *e)
{
	char *cache = mem_strdup(scratch_path(f->dir, "cache"));
	struct validate_options o = {.level = level,
	    .threads = threads,
	    .transfers = threads,
	    .cache_dir = cache,
	    .damage = on_damage,
	    .arg = h};
	bool ok;

	*h = (struct hearing){.monitor = {.problem = on_problem}};
	f->repo->store = s;
	ok = validate_run(f->repo, &o, &h->monitor, &h->res, e);
	f->repo->store = f->clean;
	free(cache);
	return ok;
}

void hear(
    struct fixture *f, struct store *s, enum validate_level level, struct hearing *h)
{
	struct err e = ERR_EMPTY;

	must(validate(f, s, level, 0, h, &e), "validate", &e);
	must(h->res.damaged_files == h->n, "damaged_files", NULL);
}

void forget(struct hearing *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->v[i].file);
		free(h->v[i].kind);
		buf_release(&h->v[i].snapshots);
		buf_release(&h->v[i].paths);
	}
	free(h->v);
}

const struct heard *heard_of(const struct hearing *h, const char *file)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->v[i].file, file) == 0)
			return &h->v[i];
	return NULL;
}

void expect_clean(struct fixture *f, struct store *s, unsigned snapshots,
    unsigned incomplete, unsigned litter)
{
	struct hearing h;

	for (enum validate_level l = VALIDATE_QUICK; l <= VALIDATE_FULL; l++) {
		hear(f, s, l, &h);
		if (h.n > 0)
			die("damaged: %s: %s", h.v[0].file, h.v[0].kind);
		must(h.res.damaged_paths == 0, "damaged_paths", NULL);
		must(h.res.snapshots == snapshots, "snapshots", NULL);
		must(h.res.incomplete == incomplete, "incomplete", NULL);
		must(h.res.litter == litter && h.notes == litter, "litter", NULL);
		forget(&h);
	}
}

void expect_named(const struct hearing *h, const struct file *file, size_t at)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->v[i].file, path_of(file)) != 0)
			die("%s: also %s", path_of(file), h->v[i].file);
	if (h->n != 1) {
		fprintf(stderr, "byte %zu of ", at);
		die("%s: %s", path_of(file), "not found");
	}
}
