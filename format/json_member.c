/*
 * Members of JSON files, written and read.
 *
 * Writing goes straight to text, in the order of the calls: equal structures give equal
 * bytes. Reading is by jansson, and stops at the first failure as a cursor does
 * (wire.h), so that codecs read as a list of their members.
 */
#include "format/json_internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

void string_list_add(struct string_list *l, struct span s)
{
	char *copy = mem_alloc(s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof *l->v);
	l->v[l->n++] = copy;
}

bool string_list_has(const struct string_list *l, const char *s)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

void string_list_want(struct string_list *l, const char *s)
{
	if (!string_list_has(l, s))
		string_list_add(l, span_str(s));
}

void string_list_release(struct string_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct string_list){NULL, 0, 0};
}

static void begin_member(struct buf *b, const char *key)
{
	uint8_t last = b->n > 0 ? b->p[b->n - 1] : '{';

	if (last != '{' && last != '[')
		buf_add_byte(b, ',');
	if (key)
		buf_printf(b, "\"%s\":", key);
}

void json_add_u64(struct buf *b, const char *key, uint64_t v)
{
	assert(v <= NUMBER_MAX);
	begin_member(b, key);
	buf_printf(b, "%llu", (unsigned long long)v);
}

void json_add_bool(struct buf *b, const char *key, bool v)
{
	begin_member(b, key);
	buf_add_str(b, v ? "true" : "false");
}

void json_add_word(struct buf *b, const char *key, const char *word)
{
	begin_member(b, key);
	buf_printf(b, "\"%s\"", word);
}

void json_add_text(struct buf *b, const char *key, struct span bytes, size_t max)
{
	struct buf text = BUF_EMPTY;
	size_t i;

	assert(bytes.n <= max);
	text_encode(bytes, &text);
	begin_member(b, key);
	buf_add_byte(b, '"');
	for (i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_byte(b, '\\');
		buf_add_byte(b, text.p[i]);
	}
	buf_add_byte(b, '"');
	buf_release(&text);
}

void json_add_string(struct buf *b, const char *key, const char *s)
{
	json_add_text(b, key, s ? span_str(s) : SPAN_EMPTY, TEXT_MAX);
}

void json_add_time(struct buf *b, const char *key, int64_t ns)
{
	char text[TIME_TEXT_SIZE + 1];

	time_encode(ns, text);
	json_add_word(b, key, text);
}

void json_add_hex(struct buf *b, const char *key, const uint8_t *p, size_t n)
{
	char text[2 * 32 + 1];

	assert(2 * n < sizeof text);
	hex_encode(p, n, text);
	json_add_word(b, key, text);
}

void json_add_id(struct buf *b, const char *key, const struct id *id)
{
	json_add_hex(b, key, id->b, ID_SIZE);
}

void json_add_base64(struct buf *b, const char *key, struct span bytes)
{
	begin_member(b, key);
	buf_add_byte(b, '"');
	base64_encode(bytes, b);
	buf_add_byte(b, '"');
}

void json_add_list(
    struct buf *b, const char *key, const struct string_list *l, size_t max)
{
	size_t i;

	json_add_open(b, key, '[');
	for (i = 0; i < l->n; i++)
		json_add_text(b, NULL, span_str(l->v[i]), max);
	json_add_close(b, ']');
}

void json_add_open(struct buf *b, const char *key, char bracket)
{
	begin_member(b, key);
	buf_add_byte(b, (uint8_t)bracket);
}

void json_add_close(struct buf *b, char bracket)
{
	buf_add_byte(b, (uint8_t)bracket);
}

/*
 * Within jansson, too, running out of memory must end the program, not look like damage.
 */
static void set_allocator(void)
{
	json_set_alloc_funcs(mem_alloc, free);
}

json_t *json_text_load(struct span text, struct fault *f)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	json_error_t error;
	json_t *root;
	size_t at;

	pthread_once(&once, set_allocator);
	if (text.n == 0) {
		fault_set(f, FAULT_CORRUPT, 0, "no JSON object where one must be");
		return NULL;
	}
	root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	if (root && json_is_object(root))
		return root;
	if (root) {
		fault_set(f, FAULT_CORRUPT, 0, "JSON: not an object");
		json_decref(root);
		return NULL;
	}
	at = (size_t)error.position;
	if (json_error_code(&error) == json_error_numeric_overflow)
		fault_set(f, FAULT_LIMIT, at, "JSON: a number too large");
	else if (json_error_code(&error) == json_error_duplicate_key)
		fault_set(f, FAULT_CORRUPT, at, "JSON: a member twice");
	else
		fault_set(f, FAULT_CORRUPT, at, "JSON: not well formed");
	return NULL;
}

void json_reader_init(struct json_reader *r, const struct json_file *jf, const char *type)
{
	*r = (struct json_reader){.object = jf->root};
	if (strcmp(jf->type, type) != 0)
		json_reader_fail(r, FAULT_FOREIGN, "type: of another kind");
}

json_t *json_reader_secret(struct json_reader *r, struct span secret)
{
	if (r->bad)
		return NULL;
	r->object = json_text_load(secret, &r->fault);
	r->bad = r->object == NULL;
	return r->object;
}

void json_reader_fail(struct json_reader *r, enum fault_kind kind, const char *what)
{
	if (r->bad)
		return;
	r->bad = true;
	fault_set(&r->fault, kind, 0, what);
}

bool json_reader_end(const struct json_reader *r, struct fault *f)
{
	return !r->bad || fault_set(f, r->fault.kind, r->fault.at, r->fault.what);
}

/* NULL, and the reader failed, where the member is missing or of another JSON type. */
static json_t *get(struct json_reader *r, const char *key, json_type type)
{
	json_t *v;

	if (r->bad)
		return NULL;
	v = json_object_get(r->object, key);
	if (v && json_typeof(v) == type)
		return v;
	json_reader_fail(r, FAULT_CORRUPT, key);
	return NULL;
}

static struct span span_of_string(const json_t *v)
{
	return v ? span_of(json_string_value(v), json_string_length(v)) : SPAN_EMPTY;
}

static struct span get_string(struct json_reader *r, const char *key)
{
	return span_of_string(get(r, key, JSON_STRING));
}

uint64_t json_get_u64(struct json_reader *r, const char *key, uint64_t min, uint64_t max)
{
	json_t *v = get(r, key, JSON_INTEGER);
	json_int_t n;

	if (!v)
		return 0;
	n = json_integer_value(v);
	if (n >= 0 && (uint64_t)n >= min && (uint64_t)n <= max)
		return (uint64_t)n;
	json_reader_fail(r, FAULT_LIMIT, key);
	return 0;
}

bool json_get_bool(struct json_reader *r, const char *key)
{
	json_t *v = r->bad ? NULL : json_object_get(r->object, key);

	if (!v || !json_is_boolean(v))
		json_reader_fail(r, FAULT_CORRUPT, key);
	return v && json_is_true(v);
}

bool json_has(const struct json_reader *r, const char *key)
{
	return !r->bad && json_object_get(r->object, key) != NULL;
}

int64_t json_get_time(struct json_reader *r, const char *key)
{
	struct span s = get_string(r, key);
	int64_t ns;

	if (!r->bad && time_decode(s, &ns))
		return ns;
	json_reader_fail(r, FAULT_CORRUPT, key);
	return 0;
}

void json_get_hex(struct json_reader *r, const char *key, uint8_t *out, size_t n)
{
	struct span s = get_string(r, key);

	memset(out, 0, n);
	if (!r->bad && !hex_decode(s, out, n))
		json_reader_fail(r, FAULT_CORRUPT, key);
}

void json_get_id(struct json_reader *r, const char *key, struct id *id)
{
	json_get_hex(r, key, id->b, ID_SIZE);
}

void json_get_base64(struct json_reader *r, const char *key, uint8_t *out, size_t n)
{
	struct span s = get_string(r, key);
	struct buf bytes = BUF_EMPTY;

	memset(out, 0, n);
	if (!r->bad && s.n == base64_size(n) && base64_decode(s, &bytes) && bytes.n == n)
		memcpy(out, bytes.p, n);
	else
		json_reader_fail(r, FAULT_CORRUPT, key);
	buf_release(&bytes);
}

int json_get_word(struct json_reader *r, const char *key, const char *const *words)
{
	struct span s = get_string(r, key);
	int i;

	for (i = 0; !r->bad && words[i]; i++)
		if (span_equal(s, span_str(words[i])))
			return i;
	json_reader_fail(r, FAULT_NEWER, key);
	return 0;
}

/* Appends the bytes and a NUL, which out->n does not count. */
static void decode_text(
    struct json_reader *r, struct span text, const char *key, size_t max, struct buf *out)
{
	if (text.n > 3 * max)
		json_reader_fail(r, FAULT_LIMIT, key);
	else if (!text_decode(text, out) || memchr(buf_str(out), '\0', out->n))
		json_reader_fail(r, FAULT_CORRUPT, key);
	else if (out->n > max)
		json_reader_fail(r, FAULT_LIMIT, key);
}

char *json_get_text(struct json_reader *r, const char *key, size_t max, size_t *len)
{
	struct span s = get_string(r, key);
	struct buf out = BUF_EMPTY;

	if (!r->bad)
		decode_text(r, s, key, max, &out);
	if (r->bad)
		buf_clear(&out);
	if (len)
		*len = out.n;
	buf_str(&out);
	return (char *)out.p;
}

void json_get_client(struct json_reader *r, const char *key, char out[CLIENT_SIZE + 1])
{
	struct span s = get_string(r, key);

	memset(out, 0, CLIENT_SIZE + 1);
	if (!r->bad && client_valid(s))
		memcpy(out, s.p, CLIENT_SIZE);
	else
		json_reader_fail(r, FAULT_CORRUPT, key);
}

void json_get_band(struct json_reader *r, const char *key, struct band_name *n)
{
	struct span s = get_string(r, key);

	if (!band_name_parse(s, n))
		json_reader_fail(r, FAULT_CORRUPT, key);
}

static json_t *get_array(struct json_reader *r, const char *key)
{
	json_t *a = get(r, key, JSON_ARRAY);

	if (json_array_size(a) > JSON_LIST)
		json_reader_fail(r, FAULT_LIMIT, key);
	return r->bad ? NULL : a;
}

void json_get_list(struct json_reader *r, const char *key, size_t max,
    bool (*valid)(struct span s), struct string_list *l)
{
	json_t *a = get_array(r, key);
	struct buf text = BUF_EMPTY;
	json_t *v;
	size_t i;

	for (i = 0; i < json_array_size(a) && !r->bad; i++) {
		v = json_array_get(a, i);
		buf_clear(&text);
		if (!json_is_string(v))
			json_reader_fail(r, FAULT_CORRUPT, key);
		else
			decode_text(r, span_of_string(v), key, max, &text);
		if (!r->bad && valid && !valid(buf_span(&text)))
			json_reader_fail(r, FAULT_CORRUPT, key);
		if (!r->bad)
			string_list_add(l, buf_span(&text));
	}
	buf_release(&text);
}

void json_get_each(struct json_reader *r, const char *key,
    void (*fn)(struct json_reader *r, void *arg), void *arg)
{
	json_t *a = get_array(r, key), *outer = r->object;
	size_t i;

	for (i = 0; i < json_array_size(a) && !r->bad; i++) {
		r->object = json_array_get(a, i);
		if (json_is_object(r->object))
			fn(r, arg);
		else
			json_reader_fail(r, FAULT_CORRUPT, key);
	}
	r->object = outer;
}

/*
 * No version so far knows a feature: an entry of any name is one that this reader lacks.
 */
void json_get_required(
    struct json_reader *r, struct string_list *l, char unknown[FEATURE_MAX + 1])
{
	struct string_list all = {NULL, 0, 0};
	size_t i;

	unknown[0] = '\0';
	json_get_list(r, "required", FEATURE_MAX, feature_valid, &all);
	if (!r->bad && all.n > 0) {
		memcpy(unknown, all.v[0], strlen(all.v[0]) + 1);
		json_reader_fail(r, FAULT_NEWER, "required");
	}
	for (i = 0; l && i < all.n; i++)
		string_list_add(l, span_str(all.v[i]));
	string_list_release(&all);
}
