/*
 * Head, part and tail of a band. Each has the same members up to where it stops, so that
 * one read of a tail tells all about a snapshot, and one routine reads all three.
 */
#include "format/band.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "format/entry.h"
#include "format/json_internal.h"

static const char *const types[] = {"head", "part", "tail"};
static const char *const kinds[] = {"backup", "vacuum", NULL};
static const char *const bundle_kinds[] = {"data", "hunks", NULL};

static const struct total {
	const char *key;
	size_t at;
} totals[] = {
    {"files", offsetof(struct band_totals, files)},
    {"dirs", offsetof(struct band_totals, dirs)},
    {"others", offsetof(struct band_totals, others)},
    {"bytes", offsetof(struct band_totals, bytes)},
    {"bytes_read", offsetof(struct band_totals, bytes_read)},
    {"bytes_new", offsetof(struct band_totals, bytes_new)},
    {"bytes_stored", offsetof(struct band_totals, bytes_stored)},
    {"files_new", offsetof(struct band_totals, files_new)},
    {"files_changed", offsetof(struct band_totals, files_changed)},
    {"files_removed", offsetof(struct band_totals, files_removed)},
    {"unreadable", offsetof(struct band_totals, unreadable)},
    {"changed_while_read", offsetof(struct band_totals, changed_while_read)},
    {"vanished", offsetof(struct band_totals, vanished)},
};

#define TOTALS (sizeof totals / sizeof *totals)

void band_init(struct band *b)
{
	memset(b, 0, sizeof *b);
}

void band_release(struct band *b)
{
	size_t i;

	for (i = 0; i < b->n_refs; i++)
		free((void *)b->refs[i].ref.first.p);
	free(b->refs);
	free(b->roll);
	free(b->bundles);
	free(b->program);
	free(b->set);
	free(b->host);
	free(b->user);
	free(b->prev);
	free(b->last);
	string_list_release(&b->required);
	string_list_release(&b->paths);
	string_list_release(&b->tags);
	string_list_release(&b->seen);
	string_list_release(&b->deltas);
	band_init(b);
}

void band_add_roll(struct band *b, const struct roll *r)
{
	b->roll = mem_grow(b->roll, &b->roll_cap, b->n_roll + 1, sizeof *b->roll);
	b->roll[b->n_roll++] = *r;
}

void band_add_bundle(struct band *b, const struct band_bundle *x)
{
	size_t need = b->n_bundles + 1;

	b->bundles = mem_grow(b->bundles, &b->bundles_cap, need, sizeof *b->bundles);
	b->bundles[b->n_bundles++] = *x;
}

/* A reference whose first apath is already the band's own. */
static void take_ref(struct band *b, const struct band_ref *r)
{
	b->refs = mem_grow(b->refs, &b->refs_cap, b->n_refs + 1, sizeof *b->refs);
	b->refs[b->n_refs++] = *r;
}

void band_add_ref(struct band *b, const struct band_ref *r)
{
	struct band_ref own = *r;
	uint8_t *first = mem_alloc(r->ref.first.n + 1);

	if (r->ref.first.n > 0)
		memcpy(first, r->ref.first.p, r->ref.first.n);
	own.ref.first = span_of(first, r->ref.first.n);
	take_ref(b, &own);
}

static void encode_head(const struct band *b, struct buf *o)
{
	json_add_list(o, "required", &b->required, FEATURE_MAX);
	json_add_word(o, "kind", kinds[b->kind]);
	json_add_time(o, "start", b->start);
	json_add_string(o, "program", b->program);
}

static void encode_written(const struct band *b, struct buf *o)
{
	size_t i;

	json_add_time(o, "end", b->end);
	json_add_bool(o, "settled", b->settled);
	if (b->leave)
		json_add_bool(o, "leave", true);
	json_add_string(o, "prev", b->prev);
	json_add_list(o, "seen", &b->seen, NAME_MAX_LEN);
	json_add_open(o, "roll", '[');
	for (i = 0; i < b->n_roll; i++) {
		json_add_open(o, NULL, '{');
		json_add_word(o, "client", b->roll[i].client);
		json_add_u64(o, "from", b->roll[i].from);
		json_add_u64(o, "to", b->roll[i].to);
		json_add_close(o, '}');
	}
	json_add_close(o, ']');
	json_add_list(o, "deltas", &b->deltas, NAME_MAX_LEN);
	json_add_open(o, "bundles", '[');
	for (i = 0; i < b->n_bundles; i++) {
		json_add_open(o, NULL, '{');
		json_add_word(o, "kind", bundle_kinds[b->bundles[i].hunks]);
		json_add_id(o, "name", &b->bundles[i].name);
		json_add_u64(o, "size", b->bundles[i].size);
		json_add_close(o, '}');
	}
	json_add_close(o, ']');
}

static void encode_what(const struct band *b, struct buf *s)
{
	json_add_string(s, "set", b->set);
	json_add_string(s, "host", b->host);
	json_add_string(s, "user", b->user);
	json_add_list(s, "paths", &b->paths, APATH_MAX);
	json_add_list(s, "tags", &b->tags, TEXT_MAX);
}

static void encode_ref(const struct band_ref *r, struct buf *s)
{
	json_add_open(s, NULL, '{');
	json_add_id(s, "id", &r->ref.id);
	json_add_u64(s, "length", r->ref.length);
	json_add_u64(s, "entries", r->ref.entries);
	json_add_text(s, "first", r->ref.first, APATH_MAX);
	json_add_id(s, "bundle", &r->bundle.name);
	json_add_u64(s, "size", r->bundle.size);
	json_add_u64(s, "slot", r->ref.hint.slot);
	json_add_close(s, '}');
}

static void encode_index(const struct band *b, struct buf *s)
{
	const char *t = (const char *)&b->totals;
	uint64_t v;
	size_t i;

	json_add_open(s, "totals", '{');
	for (i = 0; i < TOTALS; i++) {
		memcpy(&v, t + totals[i].at, sizeof v);
		json_add_u64(s, totals[i].key, v);
	}
	json_add_close(s, '}');
	json_add_u64(s, "level", b->list_level);
	json_add_open(s, "refs", '[');
	for (i = 0; i < b->n_refs; i++)
		encode_ref(&b->refs[i], s);
	json_add_close(s, ']');
}

void band_encode(const struct band *b, enum band_file kind, struct json_body *out)
{
	struct buf *s = &out->secret;

	assert(kind <= BAND_TAIL);
	encode_head(b, &out->open);
	if (kind != BAND_HEAD)
		encode_written(b, &out->open);
	json_add_open(s, NULL, '{');
	encode_what(b, s);
	if (kind != BAND_HEAD)
		encode_index(b, s);
	if (kind == BAND_PART)
		json_add_text(s, "last", span_of(b->last, b->last_len), APATH_MAX);
	json_add_close(s, '}');
}

static void read_name(
    struct json_reader *r, const char *name, enum band_file kind, struct band *b)
{
	enum band_file found;

	if (!band_file_parse(span_str(name), &b->name, &found, &b->part) || found != kind)
		json_reader_fail(r, FAULT_CORRUPT, "name: not of such a file");
}

static void read_head(struct json_reader *r, struct band *b)
{
	json_get_required(r, &b->required, b->unknown_feature);
	b->kind = (enum band_kind)json_get_word(r, "kind", kinds);
	b->start = json_get_time(r, "start");
	b->program = json_get_text(r, "program", TEXT_MAX, NULL);
}

static void read_roll(struct json_reader *r, void *arg)
{
	struct roll x;

	json_get_client(r, "client", x.client);
	x.from = json_get_u64(r, "from", 1, BAND_COUNTER_MAX);
	x.to = json_get_u64(r, "to", x.from, BAND_COUNTER_MAX);
	if (!r->bad)
		band_add_roll(arg, &x);
}

static void read_bundle(struct json_reader *r, void *arg)
{
	struct band_bundle x;

	x.hunks = json_get_word(r, "kind", bundle_kinds) == 1;
	json_get_id(r, "name", &x.name);
	x.size = json_get_u64(r, "size", 1, BUNDLE_MAX);
	if (!r->bad)
		band_add_bundle(arg, &x);
}

static void read_prev(struct json_reader *r, struct band *b)
{
	struct band_name name;

	b->prev = json_get_text(r, "prev", BAND_MAX_LEN, NULL);
	if (b->prev[0] != '\0' && !band_name_parse(span_str(b->prev), &name))
		json_reader_fail(r, FAULT_CORRUPT, "prev");
}

static void read_written(struct json_reader *r, struct band *b)
{
	b->end = json_get_time(r, "end");
	b->settled = json_get_bool(r, "settled");
	read_prev(r, b);
	b->leave = json_has(r, "leave") && json_get_bool(r, "leave");
	json_get_list(r, "seen", NAME_MAX_LEN, name_valid, &b->seen);
	json_get_each(r, "roll", read_roll, b);
	json_get_list(r, "deltas", NAME_MAX_LEN, name_valid, &b->deltas);
	json_get_each(r, "bundles", read_bundle, b);
}

static void read_what(struct json_reader *r, struct band *b)
{
	b->set = json_get_text(r, "set", TEXT_MAX, NULL);
	b->host = json_get_text(r, "host", TEXT_MAX, NULL);
	b->user = json_get_text(r, "user", TEXT_MAX, NULL);
	json_get_list(r, "paths", APATH_MAX, apath_valid, &b->paths);
	json_get_list(r, "tags", TEXT_MAX, NULL, &b->tags);
}

static void read_ref(struct json_reader *r, void *arg)
{
	struct band *b = arg;
	struct band_ref x;
	char *first;
	size_t n;

	memset(&x, 0, sizeof x);
	json_get_id(r, "id", &x.ref.id);
	x.ref.length = (uint32_t)json_get_u64(r, "length", 1, HUNK_PLAIN_MAX);
	x.ref.entries = json_get_u64(
	    r, "entries", 1, b->list_level == 0 ? HUNK_ENTRIES_MAX : NUMBER_MAX);
	first = json_get_text(r, "first", APATH_MAX, &n);
	x.ref.first = span_of(first, n);
	if (!r->bad && !apath_valid(x.ref.first))
		json_reader_fail(r, FAULT_CORRUPT, "first");
	if (!r->bad && b->n_refs > 0 &&
	    apath_compare(b->refs[b->n_refs - 1].ref.first, x.ref.first) >= 0)
		json_reader_fail(r, FAULT_CORRUPT, "first: not ascending");
	json_get_id(r, "bundle", &x.bundle.name);
	x.bundle.size = json_get_u64(r, "size", 1, BUNDLE_MAX);
	x.ref.hint.slot = (uint32_t)json_get_u64(r, "slot", 0, BUNDLE_CHUNKS_MAX - 1);
	take_ref(b, &x);
}

static void read_totals(struct json_reader *r, struct band *b)
{
	json_t *outer = r->object;
	uint64_t v;
	size_t i;

	r->object = json_object_get(outer, "totals");
	for (i = 0; i < TOTALS; i++) {
		v = json_get_u64(r, totals[i].key, 0, NUMBER_MAX);
		memcpy((char *)&b->totals + totals[i].at, &v, sizeof v);
	}
	r->object = outer;
}

static void read_last(struct json_reader *r, struct band *b)
{
	b->last = json_get_text(r, "last", APATH_MAX, &b->last_len);
	if (!r->bad && b->last_len > 0 && !apath_valid(span_of(b->last, b->last_len)))
		json_reader_fail(r, FAULT_CORRUPT, "last");
}

static void read_secret(struct json_reader *r, enum band_file kind, struct band *b)
{
	read_what(r, b);
	if (kind == BAND_HEAD)
		return;
	read_totals(r, b);
	b->list_level = (uint32_t)json_get_u64(r, "level", 0, LIST_LEVEL_MAX);
	json_get_each(r, "refs", read_ref, b);
	if (kind == BAND_PART)
		read_last(r, b);
}

/* Strings that a file of this kind does not hold are "" all the same. */
static void fill_strings(struct band *b)
{
	char **strings[] = {&b->program, &b->set, &b->host, &b->user, &b->prev, &b->last};
	size_t i;

	for (i = 0; i < sizeof strings / sizeof *strings; i++)
		if (!*strings[i])
			*strings[i] = mem_strdup("");
}

bool band_decode(const struct json_file *jf, struct span secret, enum band_file kind,
    struct band *b, struct fault *f)
{
	json_t *object;
	struct json_reader in;

	assert(kind <= BAND_TAIL);
	band_init(b);
	b->file_size = jf->size;
	json_reader_init(&in, jf, types[kind]);
	read_head(&in, b);
	read_name(&in, jf->name, kind, b);
	if (kind != BAND_HEAD)
		read_written(&in, b);
	object = json_reader_secret(&in, secret);
	read_secret(&in, kind, b);
	json_decref(object);
	fill_strings(b);
	return json_reader_end(&in, f);
}
