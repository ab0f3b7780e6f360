/* Turning JSON files around: see json_turn.h. */
#include "json_turn.h"

#include <stdio.h>
#include <stdlib.h>

#include "vector.h"

void json_make(struct buf *out, const char *type, const char *name,
    const uint8_t repo[REPO_ID_SIZE], const struct json_body *body, enum json_secret mode,
    const struct id *digest)
{
	buf_clear(out);
	json_file_begin(
	    out, type, name, repo, buf_span(&body->open), mode, body->secret.n);
	json_file_secret(out, mode, buf_span(&body->secret));
	json_file_end(out, digest);
}

/* The only turn that needs the bytes, and so is not made from the json_file alone. */
static void envelope_body(
    struct span bytes, const struct json_file *jf, struct json_body *body)
{
	static const char mark[] = "\"length\":";
	const uint8_t *p = memmem(bytes.p, bytes.n, mark, sizeof mark - 1);

	p = memchr(p, ',', bytes.n - (size_t)(p - bytes.p));
	if (p < bytes.p + jf->aad)
		buf_add(&body->open, p + 1, jf->aad - (size_t)(p + 1 - bytes.p));
	buf_add_span(&body->secret, buf_span(&jf->secret));
}

bool turn_envelope(const struct json_file *jf, struct json_body *out, struct fault *f)
{
	(void)jf;
	(void)out;
	(void)f;
	return true;
}

bool json_turn(struct span bytes, json_turn_fn *turn, struct buf *out, struct fault *f)
{
	struct json_body body = JSON_BODY_EMPTY;
	struct json_file jf;
	enum json_secret mode;
	bool ok = false;

	if (!json_file_open(bytes, &jf, f))
		return false;
	mode = jf.mode;
	if (!turn(&jf, &body, f))
		goto out;
	if (turn == turn_envelope)
		envelope_body(bytes, &jf, &body);
	else
		mode = body.secret.n > 0 ? JSON_PRIVATE : JSON_NONE;
	json_make(out, jf.type, jf.name, jf.repo, &body, mode, &jf.digest);
	ok = true;
out:
	json_body_release(&body);
	json_file_close(&jf);
	return ok;
}

static void fuzz(struct span bytes, json_turn_fn *turn)
{
	struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
	struct fault f;

	if (json_turn(bytes, turn, &once, &f)) {
		if (!json_turn(buf_span(&once), turn, &twice, &f))
			abort();
		if (!span_equal(buf_span(&once), buf_span(&twice)))
			abort();
	}
	buf_release(&once);
	buf_release(&twice);
}

/*
 * The same with a length that is right: a fuzzer that inserts a byte would seldom find
 * it.
 */
static bool repair_length(struct span bytes, struct buf *out)
{
	static const char mark[] = "\"length\":";
	size_t before, after, rest, length = 0, last;
	const uint8_t *p = NULL;

	if (bytes.n > 0)
		p = memmem(bytes.p, bytes.n, mark, sizeof mark - 1);
	if (!p)
		return false;
	before = (size_t)(p - bytes.p) + sizeof mark - 1;
	after = before;
	while (after < bytes.n && bytes.p[after] >= '0' && bytes.p[after] <= '9')
		after++;
	rest = bytes.n - (after - before);
	do {
		last = length;
		length = rest + (size_t)snprintf(NULL, 0, "%zu", last);
	} while (length != last);
	buf_add(out, bytes.p, before);
	buf_printf(out, "%zu", length);
	buf_add(out, bytes.p + after, bytes.n - after);
	return true;
}

void json_turn_fuzz(struct span bytes, json_turn_fn *turn)
{
	struct buf repaired = BUF_EMPTY;

	fuzz(bytes, turn);
	if (repair_length(bytes, &repaired))
		fuzz(buf_span(&repaired), turn);
	buf_release(&repaired);
}

struct check {
	json_turn_fn *turn;
	bool failed;
};

static void complain(struct check *c, const char *name, const char *what)
{
	fprintf(stderr, "%s: %s\n", name, what);
	c->failed = true;
}

static void check_good(const char *name, struct span bytes, void *arg)
{
	struct buf out = BUF_EMPTY;
	struct check *c = arg;
	struct fault f;
	size_t n;
	uint8_t *copy;

	if (!json_turn(bytes, c->turn, &out, &f))
		complain(c, name, f.what);
	else if (!span_equal(bytes, buf_span(&out)))
		complain(c, name, "encodes to other bytes");
	for (n = 0; n < bytes.n; n++) {
		copy = malloc(n ? n : 1); /* so that a sanitizer sees its end */
		memcpy(copy, bytes.p, n);
		if (json_turn(span_of(copy, n), c->turn, &out, &f) ||
		    f.kind != FAULT_TRUNCATED) {
			complain(c, name, "cut off, and not refused as truncated");
			n = bytes.n;
		}
		free(copy);
	}
	buf_clear(&out);
	buf_add_span(&out, bytes);
	buf_add_byte(&out, '\n');
	if (json_turn(buf_span(&out), turn_envelope, &out, &f) || f.kind != FAULT_CORRUPT)
		complain(c, name, "lengthened, and not refused as corrupt");
	buf_release(&out);
}

static void check_bad(const char *name, struct span bytes, void *arg)
{
	const char *kind = strchr(name, '-') + 1;
	struct buf out = BUF_EMPTY;
	struct check *c = arg;
	struct fault f;
	size_t n;

	if (strncmp(name, "unsupported-", 12) == 0)
		kind = "newer-";
	n = strcspn(kind, "-");
	if (json_turn(bytes, c->turn, &out, &f)) {
		complain(c, name, "accepted");
	} else if (n != strlen(fault_word(f.kind)) ||
	           strncmp(kind, fault_word(f.kind), n) != 0) {
		complain(c, name, fault_word(f.kind));
		complain(c, name, f.what);
	}
	buf_release(&out);
}

size_t json_vectors_check(const char *structure, json_turn_fn *turn)
{
	struct check c = {turn, false};
	size_t good = vector_each(structure, "good-", check_good, &c);
	size_t bad = vector_each(structure, "bad-", check_bad, &c);
	size_t newer = vector_each(structure, "unsupported-", check_bad, &c);

	return c.failed || good == 0 || bad == 0 || newer == 0 ? 0 : good + bad + newer;
}
