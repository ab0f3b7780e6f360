/*
 * Deltas as files: a header in the open, which is also the associated data, and one seal.
 */
#include "repo/repo.h"

#include <assert.h>

#include "codec/digest.h"
#include "format/delta.h"

struct delta_put {
	struct repo *r;
	struct span plain;
	uint8_t head[FILE_HEAD_SIZE];
	struct buf sealed;
	struct span parts[2];
	struct id *name;
	bool moves;
};

bool delta_name_moves(const struct id *name)
{
	return name->b[0] >> 4 == 0;
}

static void seal_anew(struct delta_put *p)
{
	struct env *env = p->r->env;
	const struct sealer *s = keyring_sealer(p->r->keys, PURPOSE_TABLES);
	struct file_head h = {.type = FILE_DELTA};
	uint8_t nonce[NONCE_SIZE];

	h.total = FILE_HEAD_SIZE + seal_size(s, p->plain.n);
	memcpy(h.repo, p->r->params.id, REPO_ID_SIZE);
	env->random(env, h.salt, SALT_SIZE);
	env->random(env, nonce, sizeof nonce);
	file_head_encode(&h, p->head);
	buf_clear(&p->sealed);
	seal(s, nonce, span_of(p->head, FILE_HEAD_SIZE), p->plain, &p->sealed);
	p->parts[0] = span_of(p->head, FILE_HEAD_SIZE);
	p->parts[1] = buf_span(&p->sealed);
	digest_name(p->name, p->parts, 2);
}

/* Each attempt has its own salt, and so its own nonce and name. */
static bool compose_delta(
    void *arg, unsigned attempt, struct repo_file *out, struct err *e)
{
	struct delta_put *p = arg;

	(void)attempt;
	(void)e;
	do
		seal_anew(p);
	while (delta_name_moves(p->name) != p->moves);
	name_of_id(p->name, out->name);
	folder_of(FILE_DELTA, p->name, out->folder);
	out->parts = p->parts;
	out->n_parts = 2;
	return true;
}

bool repo_put_delta(
    struct repo *r, struct span plain, struct id *name, uint64_t *size, struct err *e)
{
	struct delta_put p = {.r = r, .plain = plain, .sealed = BUF_EMPTY, .name = name};
	struct delta_iter it;
	bool ok;

	assert(plain.n <= DELTA_PLAIN_MAX);
	p.moves = delta_open(&it, plain, NULL) && it.moves > 0;
	ok = repo_put(r, compose_delta, &p, e);
	if (ok && size)
		*size = FILE_HEAD_SIZE + p.sealed.n;
	buf_release(&p.sealed);
	return ok;
}

/* The digest first: a flipped bit must not pass for a newer version. */
static bool check_delta(struct repo *r, const struct id *name, struct span file,
    uint64_t size, struct buf *plain, struct err *e)
{
	struct file_head h;
	struct fault f;
	struct id digest;

	digest_name(&digest, &file, 1);
	if (file.n != size || !id_equal(&digest, name))
		return err_set(e, ERR_CORRUPT, "the content is not what the name tells");
	if (!file_head_decode(file, &h, &f))
		return err_fault(e, &f);
	if (h.type != FILE_DELTA || h.total != size)
		return err_set(
		    e, ERR_CORRUPT, "not the header of a delta of %zu bytes", file.n);
	if (memcmp(h.repo, r->params.id, REPO_ID_SIZE) != 0)
		return err_set(e, ERR_CORRUPT, "belongs to another repository");
	return unseal(keyring_sealer(r->keys, PURPOSE_TABLES),
	    span_of(file.p, FILE_HEAD_SIZE),
	    span_of(file.p + FILE_HEAD_SIZE, file.n - FILE_HEAD_SIZE), plain, e);
}

bool repo_get_delta(
    struct repo *r, const struct id *name, struct buf *plain, struct err *e)
{
	char text[2 * ID_SIZE + 1], folder[16];
	struct buf file = BUF_EMPTY;
	uint64_t size;
	bool ok;

	name_of_id(name, text);
	folder_of(FILE_DELTA, name, folder);
	buf_clear(plain);
	if (!repo_get(r, folder, text, 0, DELTA_MAX, &file, &size, e))
		return false;
	ok = check_delta(r, name, buf_span(&file), size, plain, e);
	buf_release(&file);
	return ok || err_wrap(e, "%s/%s", folder, text);
}
