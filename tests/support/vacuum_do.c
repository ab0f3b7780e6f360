/* Vacuums for tests. */
#include "vacuum_do.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "check_snapshot.h"
#include "engine/remove.h"
#include "repo_make.h"
#include "scratch.h"
#include "stores.h"

static void die(const char *doing, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", doing, e->text);
	abort();
}

static uint64_t draw(struct ages *w, uint64_t n)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (w->random >> 33) % n;
}

static void init_repo(struct store *store)
{
	struct env *env = env_fixed_new(INT64_C(1700000000000000000), 0, 77);
	struct secret secret = {SECRET_NONE, {NULL, 0}};
	struct err e = ERR_EMPTY;
	struct repo_options o;
	struct repo *r;
	int i;

	repo_options_init(&o);
	o.encrypted = true;
	o.kdf_ops = 1;
	o.kdf_mem = 8192;
	o.params.frame_plain = 65536;
	o.params.bundle_target = 262144;
	o.params.cut.whole_max = 8192;
	for (i = 0; i < CUT_TIERS; i++) {
		o.params.cut.tier[i].min = 2048;
		o.params.cut.tier[i].average = 4096;
		o.params.cut.tier[i].max = 16384;
	}
	secret_right(NULL, &secret, &e);
	if (!repo_create(store_lend(store), env, &o, &secret, &r, &e))
		die("repo_create", &e);
	repo_close(r);
	env_fixed_free(env);
}

/* Content that does not compress, so that lengths can be predicted. */
static void put_file(struct ages *w, unsigned number)
{
	char name[64];
	struct buf b = BUF_EMPTY;

	snprintf(name, sizeof name, "src/d%u/f%u", number % 7, number);
	unlink(scratch_path(w->dir, name));
	bytes_noise(&b, 100 + draw(w, 7000), draw(w, UINT32_MAX));
	scratch_file(w->dir, name, b.p, b.n);
	buf_release(&b);
}

static void put_large(struct ages *w)
{
	size_t n = w->large;
	struct buf b = BUF_EMPTY;

	bytes_noise(&b, n, 4711);
	unlink(scratch_path(w->dir, "src/large"));
	memcpy(b.p + draw(w, n - 8), "changed", 7);
	scratch_file(w->dir, "src/large", b.p, b.n);
	buf_release(&b);
}

void ages_init(struct ages *w, unsigned files, size_t large)
{
	unsigned i;
	char name[32];

	*w = (struct ages){.random = 99, .files = files, .large = large};
	w->env = env_fixed_new(0, 0, 1);
	w->store = store_mem_new(w->env);
	w->dir = scratch_new();
	scratch_mkdir(w->dir, "src");
	for (i = 0; i < 7; i++) {
		snprintf(name, sizeof name, "src/d%u", i);
		scratch_mkdir(w->dir, name);
	}
	for (i = 0; i < files; i++)
		put_file(w, i);
	put_large(w);
	init_repo(w->store);
}

void ages_release(struct ages *w)
{
	store_free(w->store);
	env_fixed_free(w->env);
	scratch_free(w->dir);
}

void ages_change(struct ages *w, unsigned percent)
{
	unsigned i, files = w->files + w->files / 3;
	char from[64], to[64];

	for (i = 0; i < files; i++) {
		if (draw(w, 100) >= percent)
			continue;
		snprintf(from, sizeof from, "src/d%u/f%u", i % 7, i);
		snprintf(to, sizeof to, "src/d%u/g%u", i % 5, i);
		switch (draw(w, 4)) {
		case 0:
			unlink(scratch_path(w->dir, from));
			break;
		case 1:
			rename(scratch_path(w->dir, from), scratch_path(w->dir, to));
			break;
		default:
			put_file(w, i);
		}
	}
	put_large(w);
}

static void copy_source(struct ages *w)
{
	char name[32];
	int status;
	pid_t pid;

	snprintf(name, sizeof name, "gen-%u", w->generations);
	pid = fork();
	if (pid == 0) {
		execlp("cp", "cp", "-a", scratch_path(w->dir, "src"), scratch_path(w->dir, name),
		    (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		abort();
}

void ages_backup(struct ages *w, const char *cache)
{
	struct backup_do d = {
	    .store = w->store, .cache = cache, .source = scratch_path(w->dir, "src")};
	struct backup_result res;

	copy_source(w);
	backup_must(&d, &res);
	memcpy(w->band[w->generations++], res.snapshot, sizeof res.snapshot);
}

static void swap(struct ages *w, const char *generation)
{
	if (renameat2(AT_FDCWD, scratch_path(w->dir, "src"), AT_FDCWD,
	        scratch_path(w->dir, generation), RENAME_EXCHANGE) != 0)
		abort();
}

struct store *ages_fresh(struct ages *w)
{
	struct store *fresh = store_mem_new(w->env);
	struct backup_do d = {.store = fresh, .source = scratch_path(w->dir, "src")};
	struct backup_result res;
	char name[32];

	init_repo(fresh);
	for (unsigned i = 0; i < w->generations; i++) {
		if (w->removed[i])
			continue;
		snprintf(name, sizeof name, "gen-%u", i);
		swap(w, name);
		backup_must(&d, &res);
		swap(w, name);
	}
	return fresh;
}

void ages_remove(struct ages *w, unsigned generation)
{
	struct repo *r = backup_open(w->store);
	struct err e = ERR_EMPTY;
	struct band_info *info;
	struct bands bands;
	uint64_t n;

	if (!bands_list(r, &bands, &e))
		die("bands_list", &e);
	info = bands_find(&bands, w->band[generation]);
	if (!remove_run(r, NULL, &info, 1, NULL, &n, &e))
		die("remove", &e);
	bands_release(&bands);
	repo_close(r);
	w->removed[generation] = true;
}

bool ages_whole(struct ages *w, struct store *store, unsigned generation, struct err *e)
{
	struct repo *r = backup_open(store);
	char source[4096], name[32];
	bool ok;

	snprintf(source, sizeof source, "%s/src", w->dir);
	snprintf(name, sizeof name, "gen-%u", generation);
	ok = check_snapshot(
	    r, w->band[generation], source, scratch_path(w->dir, name), NULL, e);
	repo_close(r);
	return ok;
}

void ages_check(struct ages *w, struct store *store)
{
	struct err e = ERR_EMPTY;
	unsigned i;

	for (i = 0; i < w->generations; i++)
		if (!w->removed[i] && !ages_whole(w, store, i, &e))
			die(w->band[i], &e);
}

/* --- sizes */

struct adding {
	const char *folder;
	uint64_t bytes;
};

static void add_size(void *arg, const char *folder, const char *name, struct span content)
{
	struct adding *a = arg;

	(void)name;
	if (!a->folder || strcmp(a->folder, folder) == 0)
		a->bytes += content.n;
}

uint64_t store_bytes(struct store *s)
{
	struct adding a = {NULL, 0};

	stores_each(s, add_size, &a);
	return a.bytes;
}

uint64_t folder_bytes(struct store *s, const char *folder)
{
	struct adding a = {folder, 0};

	stores_each(s, add_size, &a);
	return a.bytes;
}

/* --- vacuums */

void vacuum_do_init(struct vacuum_options *o)
{
	vacuum_options_init(o);
	o->threads = o->transfers = 0;
	o->level = 1;
	o->program = "bale test";
}

bool vacuum_do(struct store *store, const struct vacuum_options *o,
    struct vacuum_result *out, struct err *e)
{
	return vacuum_do_settled(store, o, NULL, NULL, out, e);
}

bool vacuum_do_settled(struct store *store, const struct vacuum_options *o,
    repo_settle_fn *settle, void *settle_arg, struct vacuum_result *out, struct err *e)
{
	static uint64_t seeds = 500000;
	struct env *env = env_fixed_new(backup_clock(), 0, ++seeds);
	struct repo *r;
	bool ok;

	*out = (struct vacuum_result){.total_bytes = 0};
	ok = repo_open(store_lend(store), env, secret_right, NULL, &r, e);
	if (ok) {
		r->patience = 0;
		r->settle = settle;
		r->settle_arg = settle_arg;
		ok = vacuum_run(r, o, NULL, out, e);
		repo_close(r);
	}
	env_fixed_free(env);
	return ok;
}

void vacuum_must(
    struct store *store, const struct vacuum_options *o, struct vacuum_result *out)
{
	struct err e = ERR_EMPTY;

	if (!vacuum_do(store, o, out, &e))
		die("vacuum", &e);
}
