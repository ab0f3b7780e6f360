/* Backups as processes of their own. */
#include "backup_do.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "repo_make.h"
#include "stores.h"

#define MINUTE INT64_C(60000000000)

static void die(const char *doing, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", doing, e->text);
	exit(99);
}

int64_t backup_clock(void)
{
	static int64_t now;

	if (now == 0)
		now = (int64_t)time(NULL) * 1000000000 + 60 * MINUTE;
	now += MINUTE;
	return now;
}

void backup_init(struct store *store, bool encrypted, uint64_t seed)
{
	backup_init_cut(store, encrypted, seed, 4096);
}

void backup_init_cut(struct store *store, bool encrypted, uint64_t seed, uint32_t average)
{
	struct env *env = env_fixed_new(INT64_C(1700000000000000000), 0, seed);
	struct repo_options o;
	struct err e = ERR_EMPTY;
	struct secret secret = {SECRET_NONE, {NULL, 0}};
	struct repo *r;
	int i;

	repo_options_init(&o);
	o.encrypted = encrypted;
	o.kdf_ops = 1;
	o.kdf_mem = 8192;
	o.params.frame_plain = 65536;
	o.params.bundle_target = 65536;
	o.params.cut.whole_max = 2 * average;
	for (i = 0; i < CUT_TIERS; i++) {
		o.params.cut.tier[i].min = average / 2;
		o.params.cut.tier[i].average = average;
		o.params.cut.tier[i].max = 4 * average;
	}
	secret_right(NULL, &secret, &e);
	if (!repo_create(store_lend(store), env, &o, &secret, &r, &e))
		die("repo_create", &e);
	repo_close(r);
	env_fixed_free(env);
}

struct repo *backup_open(struct store *store)
{
	static struct env *env;

	if (!env)
		env = env_fixed_new(backup_clock(), 0, 999983);
	return repo_reopen(store_lend(store), env);
}

bool backup_do(const struct backup_do *d, struct backup_result *out, struct err *e)
{
	static uint64_t seeds = 1000;
	struct env *env = env_fixed_new(
	    d->now ? d->now : backup_clock(), d->step, d->seed ? d->seed : ++seeds);
	const char *const one[] = {d->source, NULL};
	struct backup_options o;
	struct repo *r;
	bool ok;

	*out = (struct backup_result){.complete = false};
	backup_options_init(&o);
	o.set = d->set ? d->set : "home";
	o.host = "host";
	o.user = "user";
	o.paths = d->sources ? d->sources : one;
	while (o.paths[o.n_paths])
		o.n_paths++;
	o.threads = d->threads;
	o.transfers = d->transfers;
	o.puts = d->puts;
	o.level = 1;
	o.checkpoint = d->checkpoint;
	o.spaced = d->spaced;
	o.ignore_ctime = d->ignore_ctime;
	o.cache_dir = d->cache;
	o.stop = d->stop;
	ok = repo_open(store_lend(d->store), env, secret_right, NULL, &r, e);
	if (ok) {
		if (d->patience)
			r->patience = d->patience;
		r->settle = d->settle;
		r->settle_arg = d->settle_arg;
		ok = backup_run(r, &o, d->monitor, out, e);
		repo_close(r);
	}
	env_fixed_free(env);
	return ok;
}

void backup_must(const struct backup_do *d, struct backup_result *out)
{
	struct err e = ERR_EMPTY;

	if (!backup_do(d, out, &e))
		die("backup", &e);
}
