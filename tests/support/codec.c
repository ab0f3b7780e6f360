/* The trials that all codecs share. */
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>

#include "vector.h"

struct trial {
	const struct codec *codec;
	const char *prefix;
	bool ok;
};

static void good(const char *name, struct span bytes, void *arg)
{
	struct trial *t = arg;
	struct buf again = BUF_EMPTY;
	struct fault f;

	if (!t->codec->decodes(bytes, &f)) {
		fprintf(stderr, "%s: %s at %zu: %s\n", name, fault_word(f.kind), f.at,
		    f.what);
		t->ok = false;
		return;
	}
	t->codec->recode(bytes, &again);
	if (!span_equal(bytes, buf_span(&again))) {
		fprintf(stderr, "%s: encodes to other bytes\n", name);
		t->ok = false;
	}
	buf_release(&again);
}

static void bad(const char *name, struct span bytes, void *arg)
{
	struct trial *t = arg;
	const char *want = name + strlen(t->prefix), *word;
	struct fault f;

	if (strcmp(t->prefix, "unsupported-") == 0)
		want = "newer";
	if (t->codec->decodes(bytes, &f)) {
		fprintf(stderr, "%s: accepted\n", name);
		t->ok = false;
		return;
	}
	word = fault_word(f.kind);
	if (strncmp(want, word, strlen(word)) != 0) {
		fprintf(stderr, "%s: gives %s at %zu: %s\n", name, word, f.at, f.what);
		t->ok = false;
	}
}

static void run(struct trial *t, const char *prefix,
    void (*fn)(const char *, struct span, void *), size_t least)
{
	size_t n;

	t->prefix = prefix;
	n = vector_each(t->codec->structure, prefix, fn, t);
	if (n < least) {
		fprintf(stderr, "%s: %zu vectors %s*\n", t->codec->structure, n, prefix);
		t->ok = false;
	}
}

bool codec_vectors(
    const struct codec *c, size_t n_good, size_t n_bad, size_t n_unsupported)
{
	struct trial t = {.codec = c, .ok = true};

	run(&t, "good-", good, n_good);
	run(&t, "bad-", bad, n_bad);
	run(&t, "unsupported-", bad, n_unsupported);
	return t.ok;
}

/* A copy of exactly n bytes, so that a sanitizer sees each byte read beyond. */
static bool refused(
    const struct codec *c, const uint8_t *p, size_t n, enum fault_kind kind)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct fault f = {FAULT_FOREIGN, 0, "accepted"};
	bool ok;

	if (!copy)
		abort();
	memcpy(copy, p, n);
	ok = !c->decodes(span_of(copy, n), &f) && f.kind == kind;
	if (!ok)
		fprintf(stderr, "%s: %zu bytes: %s\n", c->structure, n, f.what);
	free(copy);
	return ok;
}

bool codec_truncations(const struct codec *c, struct span bytes)
{
	struct buf more = BUF_EMPTY;
	bool ok = true;
	size_t i;

	for (i = 0; i < bytes.n && ok; i++)
		ok = refused(c, bytes.p, i, FAULT_TRUNCATED);
	buf_add_span(&more, bytes);
	buf_add_byte(&more, 0);
	ok = ok && refused(c, more.p, more.n, FAULT_CORRUPT);
	buf_release(&more);
	return ok;
}
