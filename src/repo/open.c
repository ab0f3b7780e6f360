/*
 * Making and opening. bale.json comes last and under a fixed name: whoever sees it sees a
 * repository that can be opened. It is the one thing that is never sealed and never
 * changes.
 */
#include "repo/repo_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/cut.h"
#include "codec/digest.h"
#include "repo/json_cache.h"

#define PATIENCE   (INT64_C(15) * 60 * 1000000000)
#define READ_LEVEL 3 /* of compressors that only expand: any would do */

static struct repo *repo_new(struct store *store, struct env *env)
{
	struct repo *r = mem_zalloc(sizeof *r);

	r->store = store;
	r->env = env;
	r->patience = PATIENCE;
	r->latency = INT64_MAX;
	r->compressors = compressor_cache_new(READ_LEVEL);
	return r;
}

void repo_close(struct repo *r)
{
	if (!r)
		return;
	json_cache_close(r);
	compressor_cache_free(r->compressors);
	keyring_free(r->keys);
	store_free(r->store);
	secret_wipe(r, sizeof *r);
	free(r);
}

void repo_options_init(struct repo_options *o)
{
	*o = (struct repo_options){
	    .encrypted = true, .kdf_ops = KDF_OPS, .kdf_mem = KDF_MEM, .label = ""};
	repository_defaults(&o->params);
}

/* Fails with ERR_EXISTS where a file lies in the folder. */
static bool want_empty(struct repo *r, const char *folder, struct err *e)
{
	struct store_listing l = {0};
	bool ok = repo_list(r, folder, &l, e);

	if (ok && store_listing_has(&l, HEAD_NAME))
		ok = err_set(
		    e, ERR_EXISTS, "%s is a repository already", r->store->describe);
	else if (ok && l.n > 0)
		ok = err_set(e, ERR_EXISTS,
		    "%s%s%s is not empty: it holds %zu file%s, %s first; a repository "
		    "wants a "
		    "folder of its own",
		    r->store->describe, *folder ? "/" : "", folder, l.n,
		    l.n == 1 ? "" : "s", l.names[0]);
	store_listing_release(&l);
	return ok;
}

static void choose_params(struct repo *r, const struct repo_options *o)
{
	struct span readme = repo_readme();
	struct env *env = r->env;

	r->params = o->params;
	env->random(env, r->params.id, REPO_ID_SIZE);
	env->random(env, r->key, KEY_SIZE);
	r->params.created = env->now(env);
	r->params.encrypted = o->encrypted;
	memset(r->params.key, 0, KEY_SIZE);
	if (!o->encrypted)
		memcpy(r->params.key, r->key, KEY_SIZE);
	r->params.readme_size = (uint32_t)readme.n;
	digest_name(&r->params.readme_digest, &readme, 1);
	r->keys = keyring_new(r->key, o->encrypted);
}

/* Fixed names can be tried once only. */
static bool put_fixed(
    struct repo *r, const char *name, struct span content, struct err *e)
{
	return store_put(r->store, "", name, &content, 1, e) ||
	       err_wrap(e, "the repository could not be made (empty the folder before "
			   "another try)");
}

static bool put_head(struct repo *r, struct err *e)
{
	struct json_body body = JSON_BODY_EMPTY;
	struct buf file = BUF_EMPTY;
	bool ok;

	repository_encode(&r->params, &body);
	json_compose(r, HEAD_TYPE, HEAD_NAME, &body, &file);
	ok = put_fixed(r, HEAD_NAME, buf_span(&file), e);
	json_body_release(&body);
	buf_release(&file);
	return ok;
}

bool repo_create(struct store *store, struct env *env, const struct repo_options *o,
    const struct secret *secret, struct repo **out, struct err *e)
{
	struct repo *r = repo_new(store, env);
	char name[NAME_MAX_LEN + 1];

	*out = NULL;
	r->on_retry = o->on_retry;
	r->retry_arg = o->retry_arg;
	r->stop = o->stop;
	if (!want_empty(r, "", e) || !want_empty(r, KEY_FOLDER, e) ||
	    !want_empty(r, "bands", e))
		goto fail;
	choose_params(r, o);
	if (!put_fixed(r, README_NAME, repo_readme(), e))
		goto fail;
	if (o->encrypted &&
	    !repo_key_add(r, secret, o->label, o->kdf_ops, o->kdf_mem, name, e))
		goto fail;
	if (!put_head(r, e))
		goto fail;
	*out = r;
	return true;
fail:
	repo_close(r);
	return false;
}

/* Says what is there where bale.json is not; always false. */
static bool no_head(struct repo *r, struct err *e)
{
	struct store_listing top = {0}, bands = {0};
	const char *where = r->store->describe;

	if (!repo_list(r, "", &top, e) || !repo_list(r, "bands", &bands, e))
		goto out;
	if (bands.n > 0)
		err_set(e, ERR_NOREPO,
		    "%s has lost its " HEAD_NAME
		    ": the folder bands is there, with %zu file%s",
		    where, bands.n, bands.n == 1 ? "" : "s");
	else if (top.n > 0)
		err_set(e, ERR_NOREPO,
		    "%s is no repository: no " HEAD_NAME
		    ", but %zu other file%s, %s first",
		    where, top.n, top.n == 1 ? "" : "s", top.names[0]);
	else
		err_set(e, ERR_NOREPO,
		    "%s is no repository: neither " HEAD_NAME
		    " nor any other file of bale is "
		    "there (is the storage mounted?)",
		    where);
out:
	store_listing_release(&top);
	store_listing_release(&bands);
	return false;
}

/* The bounds that cut_init asserts. */
static bool check_cut(const struct cut_params *c, struct err *e)
{
	for (int i = 0; i < CUT_TIERS; i++)
		if (c->tier[i].min < CUT_WINDOW || c->tier[i].min >= c->tier[i].average ||
		    c->tier[i].average >= c->tier[i].max)
			return err_set(
			    e, ERR_CORRUPT, "parameters of cutting out of bounds");
	return true;
}

static bool decode_head(struct repo *r, struct span bytes, struct err *e)
{
	struct json_file jf;
	struct fault f;
	bool ok = false;

	if (!json_file_open(bytes, &jf, &f)) {
		err_fault(e, &f);
		if (f.kind == FAULT_FOREIGN)
			err_set(e, ERR_NOREPO, "not a repository's head: %s", f.what);
		return false;
	}
	if (!json_check_digest(bytes, &jf, e))
		goto out;
	if (strcmp(jf.type, HEAD_TYPE) != 0 || strcmp(jf.name, HEAD_NAME) != 0) {
		err_set(e, ERR_CORRUPT, "is a file of type %s that was written as %s",
		    jf.type, jf.name);
		goto out;
	}
	if (!repository_decode(&jf, &r->params, &f)) {
		err_fault(e, &f);
		if (*r->params.unknown_feature)
			err_wrap(e, "needs the feature %s", r->params.unknown_feature);
		goto out;
	}
	ok = check_cut(&r->params.cut, e);
out:
	json_file_close(&jf);
	return ok;
}

static bool read_head(struct repo *r, struct err *e)
{
	struct buf file = BUF_EMPTY;
	uint64_t size;
	struct err why = ERR_EMPTY;
	bool ok;

	if (!repo_get(r, "", HEAD_NAME, 0, JSON_MAX, &file, &size, &why)) {
		if (why.kind == ERR_MISSING)
			return no_head(r, e);
		if (e)
			*e = why;
		return false;
	}
	if (size > JSON_MAX)
		ok = err_set(e, ERR_NOREPO, "far too long for a repository's head");
	else
		ok = decode_head(r, buf_span(&file), e);
	buf_release(&file);
	return ok || err_wrap(e, HEAD_NAME);
}

bool repo_open_with(struct store *store, struct env *env, const struct repo_opening *o,
    struct repo **out, struct err *e)
{
	struct repo *r = repo_new(store, env);
	struct secret secret = {SECRET_NONE, SPAN_EMPTY};

	*out = NULL;
	r->transfers = o->transfers;
	r->on_retry = o->on_retry;
	r->retry_arg = o->retry_arg;
	r->stop = o->stop;
	if (!read_head(r, e))
		goto fail;
	if (!r->params.encrypted)
		memcpy(r->key, r->params.key, KEY_SIZE);
	else if (!o->get_secret(o->arg, &secret, e) || !repo_unlock(r, &secret, e))
		goto fail;
	r->keys = keyring_new(r->key, r->params.encrypted);
	*out = r;
	return true;
fail:
	repo_close(r);
	return false;
}

bool repo_open(struct store *store, struct env *env, repo_secret_fn *get_secret,
    void *arg, struct repo **out, struct err *e)
{
	struct repo_opening o = {.get_secret = get_secret, .arg = arg};

	return repo_open_with(store, env, &o, out, e);
}
