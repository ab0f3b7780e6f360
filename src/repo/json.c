/*
 * JSON files: sealing and digest around the envelope of format/json.h. The secret is
 * bound to all that stands before it, so to name, type, repository and the open members.
 */
#include "repo/repo_internal.h"

#include <assert.h>

#include "codec/digest.h"
#include "repo/json_cache.h"

/* What the envelope itself adds at most, names and digest included. */
#define ENVELOPE_MAX 1024u

struct json_put {
	struct repo *r;
	const char *folder, *type;
	repo_name_fn *make_name;
	const void *arg;
	const struct json_body *body;
	struct buf file;
	struct span part;
	char *name;
};

#define PACK_HEAD 5 /* method, length of the text */

/* What is sealed is compressed first: references are hexadecimal, and names repeat. */
static void pack(struct repo *r, struct span text, struct buf *out)
{
	struct compressor *c = compressor_take(r->compressors);

	buf_extend(out, PACK_HEAD);
	out->p[0] = (uint8_t)frame_compress(c, text, out);
	put_u32(out->p + 1, (uint32_t)text.n);
	compressor_give(r->compressors, c);
}

static bool unpack(struct repo *r, struct span packed, struct buf *text, struct err *e)
{
	struct compressor *c;
	bool ok;

	if (packed.n < PACK_HEAD || packed.p[0] > FRAME_ZSTD)
		return err_set(e, ERR_CORRUPT, "its secret part is not packed as it should be");
	c = compressor_take(r->compressors);
	ok = frame_expand(c, (enum frame_method)packed.p[0],
	    span_of(packed.p + PACK_HEAD, packed.n - PACK_HEAD), get_u32(packed.p + 1), text,
	    e);
	compressor_give(r->compressors, c);
	return ok;
}

static void add_sealed(struct repo *r, struct span secret, struct buf *file)
{
	struct buf sealed = BUF_EMPTY;
	uint8_t nonce[NONCE_SIZE];

	r->env->random(r->env, nonce, sizeof nonce);
	seal(keyring_sealer(r->keys, PURPOSE_JSON), nonce, buf_span(file), secret,
	    &sealed);
	json_file_secret(file, JSON_SEALED, buf_span(&sealed));
	buf_release(&sealed);
}

void json_compose(struct repo *r, const char *type, const char *name,
    const struct json_body *body, struct buf *out)
{
	struct span open = buf_span(&body->open), secret = buf_span(&body->secret),
		    digested;
	enum json_secret mode = r->params.encrypted ? JSON_SEALED : JSON_PRIVATE;
	struct buf packed = BUF_EMPTY;
	struct id digest;

	if (secret.n == 0)
		mode = JSON_NONE;
	if (mode == JSON_SEALED) {
		pack(r, secret, &packed);
		json_file_begin(
		    out, type, name, r->params.id, open, mode, packed.n + SEAL_EXTRA);
		add_sealed(r, buf_span(&packed), out);
		buf_release(&packed);
	} else {
		json_file_begin(out, type, name, r->params.id, open, mode, secret.n);
		json_file_secret(out, mode, secret);
	}
	digested = buf_span(out);
	digest_name(&digest, &digested, 1);
	json_file_end(out, &digest);
}

static bool compose_json(
    void *arg, unsigned attempt, struct repo_file *out, struct err *e)
{
	struct json_put *p = arg;
	char random[RANDOM_NAME_LEN + 1];

	(void)attempt;
	(void)e;
	name_random(p->r->env, random);
	p->make_name(p->arg, random, p->name);
	buf_clear(&p->file);
	json_compose(p->r, p->type, p->name, p->body, &p->file);
	p->part = buf_span(&p->file);
	strcpy(out->name, p->name);
	strcpy(out->folder, p->folder);
	out->parts = &p->part;
	out->n_parts = 1;
	return true;
}

bool repo_put_json(struct repo *r, const char *folder, const char *type,
    repo_name_fn *make_name, const void *arg, const struct json_body *body,
    char name[NAME_MAX_LEN + 1], uint64_t *size, struct err *e)
{
	struct json_put p = {
	    r, folder, type, make_name, arg, body, BUF_EMPTY, SPAN_EMPTY, name};
	size_t n = body->secret.n + SEAL_EXTRA;
	bool ok;

	assert(strlen(folder) < 16);
	if (body->secret.n > FRAME_PLAIN_MAX ||
	    ENVELOPE_MAX + body->open.n + (n + 2) / 3 * 4 > JSON_MAX)
		return err_set(e, ERR_REFUSED,
		    "a file of type %s would be longer than %u MiB, which nobody reads "
		    "back",
		    type, JSON_MAX >> 20);
	ok = repo_put(r, compose_json, &p, e);
	if (ok && size)
		*size = p.file.n;
	/* Without the read-back of such a mount nothing says that it has arrived. */
	if (ok && r->json_cache && r->store->mount == MOUNT_THROUGH)
		json_cache_put(r->json_cache, folder, name, buf_span(&p.file));
	buf_release(&p.file);
	return ok;
}

bool json_check_digest(struct span bytes, const struct json_file *jf, struct err *e)
{
	struct span digested = span_of(bytes.p, jf->digested);
	struct id digest;

	digest_name(&digest, &digested, 1);
	return id_equal(&digest, &jf->digest) ||
	       err_set(e, ERR_CORRUPT, "damaged: its digest is wrong");
}

static bool check_envelope(struct repo *r, const char *name, const char *type,
    struct span bytes, const struct json_file *jf, struct err *e)
{
	if (!json_check_digest(bytes, jf, e))
		return false;
	if (memcmp(jf->repo, r->params.id, REPO_ID_SIZE) != 0)
		return err_set(e, ERR_CORRUPT, "belongs to another repository");
	if (strcmp(jf->name, name) != 0)
		return err_set(
		    e, ERR_CORRUPT, "was written under another name: %s", jf->name);
	if (strcmp(jf->type, type) != 0)
		return err_set(e, ERR_CORRUPT, "is of type %s, not %s", jf->type, type);
	/* Else whoever can write to the storage could speak without the key. */
	if (jf->mode == (r->params.encrypted ? JSON_PRIVATE : JSON_SEALED))
		return err_set(e, ERR_CORRUPT,
		    "its secret part is %ssealed, unlike the repository",
		    r->params.encrypted ? "not " : "");
	return true;
}

static bool unseal_secret(struct repo *r, struct span aad, const struct json_file *jf,
    struct buf *secret, struct err *e)
{
	const struct sealer *sealer = keyring_sealer(r->keys, PURPOSE_JSON);
	struct buf packed = BUF_EMPTY;
	bool ok = unseal(sealer, aad, buf_span(&jf->secret), &packed, e) &&
	    unpack(r, buf_span(&packed), secret, e);

	buf_release(&packed);
	return ok;
}

bool repo_check_json(struct repo *r, const char *name, const char *type,
    struct span bytes, struct json_file *jf, struct buf *secret, struct err *e)
{
	struct fault f;

	buf_clear(secret);
	if (!json_file_open(bytes, jf, &f))
		return err_fault(e, &f);
	if (!check_envelope(r, name, type, bytes, jf, e))
		goto fail;
	if (jf->mode == JSON_PRIVATE) {
		buf_add_span(secret, buf_span(&jf->secret));
	} else if (jf->mode == JSON_SEALED) {
		if (!r->keys) {
			err_set(e, ERR_CORRUPT,
			    "is sealed, and what opens the seal may not be");
			goto fail;
		}
		if (!unseal_secret(r, span_of(bytes.p, jf->aad), jf, secret, e))
			goto fail;
	}
	return true;
fail:
	json_file_close(jf);
	return false;
}

/*
 * No more trusted than what comes from the storage, which is asked where it is not right.
 */
static bool get_cached(struct repo *r, const char *folder, const char *name,
    const char *type, struct json_file *jf, struct buf *secret)
{
	struct buf file = BUF_EMPTY;
	bool ok = r->json_cache && json_cache_get(r->json_cache, folder, name, &file) &&
	    repo_check_json(r, name, type, buf_span(&file), jf, secret, NULL);

	buf_release(&file);
	return ok;
}

bool repo_get_json(struct repo *r, const char *folder, const char *name, const char *type,
    struct json_file *jf, struct buf *secret, struct err *e)
{
	struct buf file = BUF_EMPTY;
	uint64_t size;
	bool ok;

	if (get_cached(r, folder, name, type, jf, secret))
		return true;
	if (!repo_get(r, folder, name, 0, JSON_MAX, &file, &size, e))
		return false;
	if (size > JSON_MAX)
		ok = err_set(e, ERR_CORRUPT, "longer than any JSON file of bale");
	else
		ok = repo_check_json(r, name, type, buf_span(&file), jf, secret, e);
	if (ok && r->json_cache)
		json_cache_add(r->json_cache, folder, name, buf_span(&file));
	buf_release(&file);
	return ok || err_wrap(e, "%s%s%s", folder, *folder ? "/" : "", name);
}
