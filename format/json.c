/*
 * The envelope of JSON files.
 *
 * What stands before the open members has one form, byte for byte, and is read without a
 * parser: that tells a short file from a damaged one, and a newer version whatever else
 * it has changed. The rest is parsed as JSON; the two last members are then found by
 * their commas, so that what is digested and what is authenticated are runs of bytes,
 * not values.
 */
#include "format/json.h"

#include <assert.h>
#include <stdio.h>

#include "format/json_internal.h"

#define OPENING "{\"bale\":"
#define SEALED  ",\"sealed\":\""
#define PRIVATE ",\"private\":"
#define DIGEST  ",\"digest\":\""
#define CLOSING "\"}\n"

#define DIGEST_SIZE (sizeof DIGEST - 1 + 2 * ID_SIZE + sizeof CLOSING - 1)

void json_body_release(struct json_body *b)
{
	buf_release(&b->open);
	buf_release(&b->secret);
}

static size_t decimal_size(size_t n)
{
	size_t digits = 1;

	for (; n >= 10; n /= 10)
		digits++;
	return digits;
}

static size_t secret_text_size(enum json_secret mode, size_t n)
{
	if (mode == JSON_SEALED)
		return sizeof SEALED - 1 + base64_size(n) + 1;
	return mode == JSON_PRIVATE ? sizeof PRIVATE - 1 + n : 0;
}

void json_file_begin(struct buf *out, const char *type, const char *name,
    const uint8_t repo[REPO_ID_SIZE], struct span open, enum json_secret mode,
    size_t secret_size)
{
	char hex[2 * REPO_ID_SIZE + 1];
	size_t others, digits = 1;

	assert(out->n == 0);
	assert(strlen(type) <= JSON_TYPE_MAX && name_valid(span_str(name)));
	hex_encode(repo, REPO_ID_SIZE, hex);
	buf_printf(out,
	    OPENING "%d,\"type\":\"%s\",\"name\":\"%s\",\"repository\":\"%s\","
	            "\"length\":",
	    FORMAT_VERSION, type, name, hex);
	others = out->n + (open.n > 0 ? 1 + open.n : 0) +
	         secret_text_size(mode, secret_size) + DIGEST_SIZE;
	while (decimal_size(others + digits) != digits) /* the number counts itself */
		digits++;
	buf_printf(out, "%zu", others + digits);
	if (open.n > 0) {
		buf_add_byte(out, ',');
		buf_add_span(out, open);
	}
}

void json_file_secret(struct buf *out, enum json_secret mode, struct span secret)
{
	if (mode == JSON_SEALED) {
		json_add_base64(out, "sealed", secret);
	} else if (mode == JSON_PRIVATE) {
		buf_add_str(out, PRIVATE);
		buf_add_span(out, secret);
	}
}

void json_file_end(struct buf *out, const struct id *digest)
{
	json_add_id(out, "digest", digest);
	buf_add_str(out, "}\n");
}

/* Takes the literal; at the end of the bytes the file is cut off, else it is damaged. */
static void expect(struct cursor *c, const char *text, const char *what)
{
	size_t n = strlen(text), have = cursor_left(c) < n ? cursor_left(c) : n;

	if (c->bad)
		return;
	if (have > 0 && memcmp(c->s.p + c->at, text, have) != 0)
		cursor_fail(c, c->at == 0 ? FAULT_FOREIGN : FAULT_CORRUPT, what);
	else
		cursor_bytes(c, n, what);
}

/* The bytes up to one that stops, at most max. */
static struct span until(struct cursor *c, char stop, size_t max, const char *what)
{
	size_t n = 0;

	while (n < cursor_left(c) && n <= max && c->s.p[c->at + n] != (uint8_t)stop)
		n++;
	if (n == cursor_left(c))
		cursor_fail(c, FAULT_TRUNCATED, what);
	else if (n > max || n == 0)
		cursor_fail(c, FAULT_CORRUPT, what);
	return cursor_bytes(c, n, what);
}

static uint64_t number(struct cursor *c, const char *what)
{
	struct span s = until(c, ',', 18, what);
	uint64_t v = 0;

	if (!c->bad && (s.p[0] == '0' || !digits_decode(s.p, s.n, &v)))
		cursor_fail(c, FAULT_CORRUPT, what);
	return v;
}

static bool type_valid(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < 'a' || s.p[i] > 'z')
			return false;
	return true;
}

/* Everything before the comma behind the length. */
static bool read_front(struct span bytes, struct json_file *jf, struct fault *f)
{
	struct cursor c;
	struct span s;
	uint64_t length;

	cursor_init(&c, bytes);
	expect(&c, OPENING, "does not begin as a JSON file of bale");
	if (number(&c, "bale: no version") > FORMAT_VERSION)
		cursor_fail(&c, FAULT_NEWER, "bale: a newer version of the format");
	expect(&c, ",\"type\":\"", "type: not where it must be");
	s = until(&c, '"', JSON_TYPE_MAX, "type");
	if (!type_valid(s))
		cursor_fail(&c, FAULT_CORRUPT, "type");
	memcpy(jf->type, s.p ? (const void *)s.p : "", s.n);
	expect(&c, "\",\"name\":\"", "name: not where it must be");
	s = until(&c, '"', NAME_MAX_LEN, "name");
	if (!c.bad && !name_valid(s))
		cursor_fail(&c, FAULT_CORRUPT, "name");
	memcpy(jf->name, s.p ? (const void *)s.p : "", s.n);
	expect(&c, "\",\"repository\":\"", "repository: not where it must be");
	s = until(&c, '"', 2 * REPO_ID_SIZE, "repository");
	if (!c.bad && !hex_decode(s, jf->repo, REPO_ID_SIZE))
		cursor_fail(&c, FAULT_CORRUPT, "repository");
	expect(&c, "\",\"length\":", "length: not where it must be");
	length = number(&c, "length");
	if (c.bad)
		return fault_set(f, c.fault.kind, c.fault.at, c.fault.what);
	if (length > bytes.n)
		return fault_set(f, FAULT_TRUNCATED, bytes.n, "shorter than its length");
	if (length < bytes.n)
		return fault_set(f, FAULT_CORRUPT, length, "longer than its length");
	return true;
}

/* Checks the last DIGEST_SIZE bytes; what stands before them is under the digest. */
static bool read_end(struct span bytes, struct json_file *jf, struct fault *f)
{
	size_t skip = sizeof DIGEST - 1;
	const uint8_t *end = NULL;

	if (bytes.n >= DIGEST_SIZE)
		end = bytes.p + bytes.n - DIGEST_SIZE;
	if (!end || memcmp(end, DIGEST, skip) != 0 ||
	    memcmp(end + skip + 2 * ID_SIZE, CLOSING, sizeof CLOSING - 1) != 0 ||
	    !hex_decode(span_of(end + skip, 2 * ID_SIZE), jf->digest.b, ID_SIZE))
		return fault_set(f, FAULT_CORRUPT, 0, "digest: not the last member");
	jf->digested = bytes.n - DIGEST_SIZE;
	jf->size = bytes.n;
	return true;
}

/*
 * The offsets of the last two commas between members of the outer object; 0 where there
 * are fewer. The text is known to be JSON.
 */
static void find_commas(struct span s, size_t *last, size_t *before)
{
	bool quoted = false;
	size_t i, depth = 0;

	*last = *before = 0;
	for (i = 0; i < s.n; i++) {
		if (quoted) {
			if (s.p[i] == '\\')
				i++;
			else if (s.p[i] == '"')
				quoted = false;
		} else if (s.p[i] == '"') {
			quoted = true;
		} else if (s.p[i] == '{' || s.p[i] == '[') {
			depth++;
		} else if (s.p[i] == '}' || s.p[i] == ']') {
			depth--;
		} else if (s.p[i] == ',' && depth == 1) {
			*before = *last;
			*last = i;
		}
	}
}

static bool begins(struct span s, const char *text)
{
	return s.n >= strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

/* sealed and private: right before the digest, and nowhere else. */
static bool read_secret(struct span bytes, struct json_file *jf, struct fault *f)
{
	bool sealed = json_object_get(jf->root, "sealed") != NULL;
	bool private = json_object_get(jf->root, "private") != NULL;
	size_t last, before, skip;
	struct span s;

	find_commas(bytes, &last, &before);
	if (last != jf->digested)
		return fault_set(f, FAULT_CORRUPT, last, "digest: not the last member");
	if (!sealed && !private) {
		jf->aad = jf->digested;
		return true;
	}
	jf->aad = before;
	s = span_of(bytes.p + before, last - before);
	if (sealed && !private && begins(s, SEALED)) {
		skip = sizeof SEALED - 1;
		jf->mode = JSON_SEALED;
		if (!base64_decode(span_of(s.p + skip, s.n - skip - 1), &jf->secret) ||
		    jf->secret.n <= JSON_SEAL_EXTRA)
			return fault_set(f, FAULT_CORRUPT, before + skip, "sealed");
		return true;
	}
	if (private && !sealed && begins(s, PRIVATE "{") && s.p[s.n - 1] == '}') {
		skip = sizeof PRIVATE - 1;
		jf->mode = JSON_PRIVATE;
		buf_add(&jf->secret, s.p + skip, s.n - skip);
		return true;
	}
	return fault_set(
	    f, FAULT_CORRUPT, before, "sealed, private: not right before the digest");
}

bool json_file_open(struct span bytes, struct json_file *jf, struct fault *f)
{
	memset(jf, 0, sizeof *jf);
	if (bytes.n > JSON_MAX)
		return fault_set(f, FAULT_LIMIT, JSON_MAX, "longer than any JSON file");
	if (!read_front(bytes, jf, f) || !read_end(bytes, jf, f))
		return false;
	jf->root = json_text_load(bytes, f);
	if (jf->root && read_secret(bytes, jf, f))
		return true;
	json_file_close(jf);
	return false;
}

void json_file_close(struct json_file *jf)
{
	json_decref(jf->root);
	jf->root = NULL;
	buf_release(&jf->secret);
}
