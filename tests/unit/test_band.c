/* The files of a band, and their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "../support/json_turn.h"
#include "../support/vector.h"
#include "base/mem.h"
#include "format/band.h"

#define CLIENT "0123456789abcduv"
#define RANDOM "abcdefghijklmnopqrstuv0123"
#define START  1794967807123456789 /* 2026-11-18T02:10:07.123456789Z */

static const uint8_t repo[REPO_ID_SIZE] = {9, 8, 7};

static void vectors(void **state)
{
	(void)state;
	assert_true(json_vectors_check("band", turn_band) > 0);
}

static void fill_head(struct band *b)
{
	band_name_make(&b->name, START, CLIENT, 7);
	b->kind = BAND_BACKUP;
	b->start = START;
	b->program = mem_strdup("bale 0.1.0");
	b->set = mem_strdup("caf\xe9 \"100%\"");
	b->host = mem_strdup("host");
	b->user = mem_strdup("ana");
	string_list_add(&b->paths, span_str("/home/ana"));
	string_list_add(&b->paths, span_str("/etc\n\xff"));
	string_list_add(&b->tags, span_str("weekly"));
}

static void add_ref(struct band *b, const char *first, uint8_t seed)
{
	struct band_ref r;

	memset(&r, 0, sizeof r);
	memset(r.ref.id.b, seed, ID_SIZE);
	memset(r.bundle.name.b, seed ^ 0xff, ID_SIZE);
	r.ref.length = 70000;
	r.ref.entries = 4096;
	r.ref.first = span_str(first);
	r.ref.hint.slot = 65535;
	r.bundle.size = BUNDLE_MAX;
	band_add_ref(b, &r);
}

static void fill_rest(struct band *b)
{
	uint64_t *total = (uint64_t *)&b->totals, i;
	struct band_bundle x = {{{1}}, false, 34000000};
	struct roll r = {CLIENT, 1, BAND_COUNTER_MAX};

	b->end = START + 1;
	b->settled = true;
	b->leave = true;
	b->prev = mem_strdup("20261117021007-" CLIENT "-6");
	string_list_add(&b->seen, span_str("tomb-1"));
	string_list_add(&b->seen, span_str("tomb-2"));
	band_add_roll(b, &r);
	memcpy(r.client, "vvvvvvvvvvvvvvvv", CLIENT_SIZE);
	r.from = r.to = 3;
	band_add_roll(b, &r);
	band_add_bundle(b, &x);
	x.hunks = true;
	x.size = 1;
	band_add_bundle(b, &x);
	string_list_add(&b->deltas, span_str("0011aabb"));
	for (i = 0; i < sizeof b->totals / sizeof *total; i++)
		total[i] = INT64_MAX - i;
	b->list_level = 0;
	add_ref(b, "/", 1);
	add_ref(b, "/b\xff", 2);
	add_ref(b, "/a/a", 3);
	b->last = mem_strdup("/a/z\xfe");
	b->last_len = 5;
}

static void same_list(const struct string_list *a, const struct string_list *b)
{
	size_t i;

	assert_int_equal(a->n, b->n);
	for (i = 0; i < a->n; i++)
		assert_string_equal(a->v[i], b->v[i]);
}

static void same_ref(const struct band_ref *a, const struct band_ref *b)
{
	assert_true(id_equal(&a->ref.id, &b->ref.id));
	assert_true(id_equal(&a->bundle.name, &b->bundle.name));
	assert_true(a->bundle.size == b->bundle.size);
	assert_int_equal(a->ref.length, b->ref.length);
	assert_true(a->ref.entries == b->ref.entries);
	assert_int_equal(a->ref.hint.slot, b->ref.hint.slot);
	assert_true(span_equal(a->ref.first, b->ref.first));
}

static void same_rest(const struct band *a, const struct band *b)
{
	size_t i;

	assert_true(a->end == b->end && a->settled == b->settled && a->leave == b->leave);
	assert_string_equal(a->prev ? a->prev : "", b->prev);
	same_list(&a->seen, &b->seen);
	same_list(&a->deltas, &b->deltas);
	assert_int_equal(a->n_roll, b->n_roll);
	for (i = 0; i < a->n_roll; i++)
		assert_true(strcmp(a->roll[i].client, b->roll[i].client) == 0 &&
		            a->roll[i].from == b->roll[i].from &&
		            a->roll[i].to == b->roll[i].to);
	assert_int_equal(a->n_bundles, b->n_bundles);
	for (i = 0; i < a->n_bundles; i++)
		assert_true(id_equal(&a->bundles[i].name, &b->bundles[i].name) &&
		            a->bundles[i].hunks == b->bundles[i].hunks &&
		            a->bundles[i].size == b->bundles[i].size);
	assert_memory_equal(&a->totals, &b->totals, sizeof a->totals);
	assert_int_equal(a->list_level, b->list_level);
	assert_int_equal(a->n_refs, b->n_refs);
	for (i = 0; i < a->n_refs; i++)
		same_ref(&a->refs[i], &b->refs[i]);
}

static void same_head(const struct band *a, const struct band *b)
{
	assert_string_equal(a->name.text, b->name.text);
	assert_string_equal(a->name.client, b->name.client);
	assert_true(a->name.counter == b->name.counter);
	assert_int_equal(a->kind, b->kind);
	assert_true(a->start == b->start);
	assert_string_equal(a->program ? a->program : "", b->program);
	assert_string_equal(a->set ? a->set : "", b->set);
	assert_string_equal(a->host ? a->host : "", b->host);
	assert_string_equal(a->user ? a->user : "", b->user);
	same_list(&a->paths, &b->paths);
	same_list(&a->tags, &b->tags);
}

static void make_file(const struct band *b, enum band_file kind, struct buf *file)
{
	static const char *const types[] = {"head", "part", "tail"};
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	struct id digest = {{0}};

	band_file_name(name, b->name.text, kind, b->part, RANDOM);
	band_encode(b, kind, &body);
	json_make(file, types[kind], name, repo, &body, JSON_PRIVATE, &digest);
	json_body_release(&body);
}

static void round_trip(const struct band *b, enum band_file kind)
{
	struct buf file = BUF_EMPTY;
	struct json_file jf;
	struct band back;
	struct fault f;

	make_file(b, kind, &file);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	if (!band_decode(&jf, buf_span(&jf.secret), kind, &back, &f))
		fail_msg("%s", f.what);
	same_head(b, &back);
	if (kind != BAND_HEAD) {
		same_rest(b, &back);
	} else {
		assert_int_equal(back.n_refs + back.n_bundles + back.n_roll, 0);
		assert_string_equal(back.prev, "");
	}
	assert_int_equal(back.part, b->part);
	if (kind == BAND_PART)
		assert_true(span_equal(span_of(b->last, b->last_len),
		    span_of(back.last, back.last_len)));
	else
		assert_string_equal(back.last, "");
	band_release(&back);
	json_file_close(&jf);
	buf_release(&file);
}

static void full(void **state)
{
	struct band b;

	(void)state;
	band_init(&b);
	fill_head(&b);
	round_trip(&b, BAND_HEAD);
	fill_rest(&b);
	round_trip(&b, BAND_TAIL);
	b.part = BAND_PART_MAX;
	round_trip(&b, BAND_PART);
	band_release(&b);
	band_release(&b);
}

static void minimal(void **state)
{
	struct band b;

	(void)state;
	band_init(&b);
	band_name_make(&b.name, 0, "0000000000000000", 1);
	b.kind = BAND_VACUUM;
	round_trip(&b, BAND_HEAD);
	round_trip(&b, BAND_TAIL);
	b.part = 1;
	round_trip(&b, BAND_PART);
	band_release(&b);
}

/* Lists of level n: far more entries below one than a hunk holds. */
static void levels(void **state)
{
	struct band b;

	(void)state;
	band_init(&b);
	fill_head(&b);
	fill_rest(&b);
	b.list_level = LIST_LEVEL_MAX;
	b.refs[1].ref.entries = INT64_MAX;
	round_trip(&b, BAND_TAIL);
	band_release(&b);
}

/* Linear, not quadratic: 20,000 bundles and as many bands seen by their tombstones. */
static void large(void **state)
{
	struct band_bundle x = {{{0}}, false, 33554432};
	struct timespec from, to;
	char name[64];
	struct band b;
	unsigned i;

	(void)state;
	band_init(&b);
	fill_head(&b);
	for (i = 0; i < 20000; i++) {
		memcpy(x.name.b, &i, sizeof i);
		band_add_bundle(&b, &x);
		snprintf(name, sizeof name, "%048u", i);
		string_list_add(&b.seen, span_str(name));
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	round_trip(&b, BAND_TAIL);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec < 5);
	band_release(&b);
}

static void names_unknown_feature(void **state)
{
	struct buf bytes = BUF_EMPTY;
	struct json_file jf;
	struct band b;
	struct fault f;

	(void)state;
	vector_read("testdata/vectors/band/unsupported-tail-feature.json", &bytes);
	assert_true(json_file_open(buf_span(&bytes), &jf, &f));
	assert_false(band_decode(&jf, buf_span(&jf.secret), BAND_TAIL, &b, &f));
	assert_int_equal(f.kind, FAULT_NEWER);
	assert_string_equal(b.unknown_feature, "sparse-hunks");
	band_release(&b);
	assert_false(band_decode(&jf, buf_span(&jf.secret), BAND_HEAD, &b, &f));
	assert_int_equal(f.kind, FAULT_FOREIGN);
	band_release(&b);
	json_file_close(&jf);
	buf_release(&bytes);
}

/* The secret is not looked for in the file where it is sealed: it comes unsealed. */
static void secret_refused(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "{}", "{} {}",
	    "{\"set\":\"\",\"set\":\"\"}", "null"};
	struct buf file = BUF_EMPTY;
	struct json_file jf;
	struct band b, out;
	struct fault f;
	size_t i;

	(void)state;
	band_init(&b);
	fill_head(&b);
	make_file(&b, BAND_HEAD, &file);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(band_decode(&jf, span_str(bad[i]), BAND_HEAD, &out, &f));
		assert_int_equal(f.kind, FAULT_CORRUPT);
		band_release(&out);
	}
	json_file_close(&jf);
	band_release(&b);
	buf_release(&file);
}

static void notes(void **state)
{
	struct json_body body = JSON_BODY_EMPTY;
	struct band_note n = {.time = START, .client = CLIENT}, back;
	char name[NAME_MAX_LEN + 1];
	struct buf file = BUF_EMPTY;
	struct id digest = {{0}};
	struct json_file jf;
	struct fault f;

	(void)state;
	band_name_make(&n.band, START, "vvvvvvvvvvvvvvvv", 12);
	band_file_name(name, n.band.text, BAND_REMOVED, 0, RANDOM);
	band_note_encode(&n, &body);
	json_make(&file, "removed", name, repo, &body, JSON_NONE, &digest);
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	assert_true(band_note_decode(&jf, &back, &f));
	assert_string_equal(back.band.text, n.band.text);
	assert_string_equal(back.client, CLIENT);
	assert_true(back.time == START);
	json_file_close(&jf);
	json_body_release(&body);
	buf_release(&file);
}

static void names(void **state)
{
	struct band_name n, back;

	(void)state;
	band_name_make(&n, START, CLIENT, 1);
	assert_string_equal(n.text, "20261118021007-" CLIENT "-1");
	assert_true(band_name_parse(span_str(n.text), &back));
	assert_memory_equal(&n, &back, sizeof n);
	band_name_make(&n, INT64_MIN, CLIENT, BAND_COUNTER_MAX);
	assert_string_equal(n.text, "16770921001243-" CLIENT "-9999999999");
	assert_true(band_name_parse(span_str(n.text), &back));
	assert_memory_equal(&n, &back, sizeof n);
}

static void names_refused(void **state)
{
	static const char *const bad[] = {"", "20261118021007-" CLIENT "-",
	    "20261118021007-" CLIENT, "20261118021007-" CLIENT "-0",
	    "20261118021007-" CLIENT "-01", "20261118021007-" CLIENT "-10000000000",
	    "20261118021007-" CLIENT "-99999999999999999999999999",
	    "20261118021007-" CLIENT "-1x",
	    "20261118021007-" CLIENT "--1", "20261118021007-0123456789abcduw-1",
	    "20261118021007-0123456789abcduV-1", "20261118021007-0123456789abcdu-11",
	    "20261318021007-" CLIENT "-1", "20260018021007-" CLIENT "-1",
	    "20261132021007-" CLIENT "-1", "20261118241007-" CLIENT "-1",
	    "20261118026007-" CLIENT "-1", "20261118021060-" CLIENT "-1",
	    "2026111802100x-" CLIENT "-1", "20261118021007_" CLIENT "-1",
	    "20261118021007-" CLIENT "_1", " 20261118021007-" CLIENT "-1"};
	struct band_name n;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (band_name_parse(span_str(bad[i]), &n))
			fail_msg("%s", bad[i]);
}

static void check_file(
    enum band_file kind, unsigned part, uint64_t counter, const char *end)
{
	char name[NAME_MAX_LEN + 1];
	struct band_name n, back;
	enum band_file found;
	unsigned p;

	band_name_make(&n, START, CLIENT, counter);
	band_file_name(name, n.text, kind, part, RANDOM);
	assert_memory_equal(name, n.text, strlen(n.text));
	assert_string_equal(name + strlen(n.text), end);
	assert_true(name_valid(span_str(name)));
	assert_true(band_file_parse(span_str(name), &back, &found, &p));
	assert_memory_equal(&n, &back, sizeof n);
	assert_int_equal(found, kind);
	assert_int_equal(p, part);
}

static void file_names(void **state)
{
	(void)state;
	check_file(BAND_HEAD, 0, 1, "-head-" RANDOM);
	check_file(BAND_PART, 1, 10, "-part-0001-" RANDOM);
	check_file(BAND_PART, 10000, 10, "-part-10000-" RANDOM);
	check_file(BAND_PART, BAND_PART_MAX, BAND_COUNTER_MAX, "-part-99999-" RANDOM);
	check_file(BAND_TAIL, 0, 1, "-tail-" RANDOM);
	check_file(BAND_REMOVED, 0, BAND_COUNTER_MAX, "-removed-" RANDOM);
	check_file(BAND_FENCE, 0, 1, "-fence-" RANDOM);
}

static void file_names_refused(void **state)
{
	static const char *const bad[] = {"", "-", "-head", "-head-", "-head" RANDOM,
	    "-head-" RANDOM "0", "-head-abcdefghijklmnopqrstuv012", "-Head-" RANDOM,
	    "-head-abcdefghijklmnopqrstuv012w", "-head-0001-" RANDOM, "-body-" RANDOM,
	    "-part-" RANDOM, "-part-001-" RANDOM, "-part-0000-" RANDOM,
	    "-part-01000-" RANDOM,
	    "-part-00000-" RANDOM, "-part-100000-" RANDOM, "-part-000x-" RANDOM,
	    "-part-0001" RANDOM, "-part0001-" RANDOM, "-tails-" RANDOM,
	    "-tail-" RANDOM ".tmp",
	    "-tail", "-"};
	char name[128];
	struct band_name n;
	enum band_file kind;
	unsigned part;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(name, sizeof name, "20261118021007-" CLIENT "-1%s", bad[i]);
		if (band_file_parse(span_str(name), &n, &kind, &part))
			fail_msg("%s", name);
	}
	assert_false(band_file_parse(SPAN_EMPTY, &n, &kind, &part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors),
	    cmocka_unit_test(full),
	    cmocka_unit_test(minimal),
	    cmocka_unit_test(levels),
	    cmocka_unit_test(large),
	    cmocka_unit_test(names_unknown_feature),
	    cmocka_unit_test(secret_refused),
	    cmocka_unit_test(notes),
	    cmocka_unit_test(names),
	    cmocka_unit_test(names_refused),
	    cmocka_unit_test(file_names),
	    cmocka_unit_test(file_names_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
