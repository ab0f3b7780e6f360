/* Names, puts that are repeated, reads, JSON files and deltas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/digest.h"
#include "repo/repo.h"
#include "store/fault.h"
#include "tests/support/bytes.h"
#include "tests/support/repo_make.h"
#include "tests/support/steady.h"

#define SECOND INT64_C(1000000000)

static void names(void **state)
{
	char a[RANDOM_NAME_LEN + 1], b[RANDOM_NAME_LEN + 1], text[2 * ID_SIZE + 1],
	    folder[16];
	struct env *same[2] = {env_fixed_new(0, 0, 9), env_fixed_new(0, 0, 9)};
	struct id id, back;
	unsigned seen[32] = {0};

	(void)state;
	for (int i = 0; i < 200; i++) {
		name_random(env, a);
		assert_true(name_is_random(a));
		assert_true(name_valid(span_str(a)));
		for (const char *p = a; *p; p++)
			seen[*p <= '9' ? *p - '0' : *p - 'a' + 10]++;
	}
	for (int i = 0; i < 32; i++)
		assert_true(seen[i] > 50);
	assert_false(name_is_random("0123456789abcdefghijklmnow"));
	assert_false(name_is_random("0123456789abcdefghijklmno"));
	name_random(same[0], a);
	name_random(same[1], b);
	assert_string_equal(a, b);
	env_fixed_free(same[0]);
	env_fixed_free(same[1]);

	env->random(env, id.b, ID_SIZE);
	id.b[0] = 0xb7;
	name_of_id(&id, text);
	assert_true(id_of_name(text, &back));
	assert_true(id_equal(&id, &back));
	text[0] = 'B';
	assert_false(id_of_name(text, &back));
	assert_string_equal(folder_of(FILE_DATA, &id, folder), "data/b");
	assert_string_equal(folder_of(FILE_HUNKS, &id, folder), "hunks");
	assert_string_equal(folder_of(FILE_DELTA, &id, folder), "index");
}

static void name_plain(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	strcpy(name, arg);
	strcat(name, random);
}

static bool put_note(struct repo *r, const char *secret, char *name, struct err *e)
{
	struct json_body body = JSON_BODY_EMPTY;
	uint64_t size;
	bool ok;

	buf_add_str(&body.open, "\"open\":5");
	buf_add_str(&body.secret, secret);
	ok = repo_put_json(r, "marks", "note", name_plain, "m-", &body, name, &size, e);
	json_body_release(&body);
	return ok;
}

static bool get_note(
    struct repo *r, const char *name, const char *type, struct buf *secret, struct err *e)
{
	struct json_file jf;

	if (!repo_get_json(r, "marks", name, type, &jf, secret, e))
		return false;
	json_file_close(&jf);
	return true;
}

static void get_file(
    struct repo *r, const char *folder, const char *name, struct buf *out)
{
	struct err e = ERR_EMPTY;

	buf_clear(out);
	assert_true(store_get(r->store, folder, name, 0, SIZE_MAX, out, NULL, &e));
}

#define SECRET "{\"set\":\"xyzzy\"}"

static void json_files(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		struct buf secret = BUF_EMPTY, file = BUF_EMPTY;
		char name[NAME_MAX_LEN + 1];
		struct err e = ERR_EMPTY;

		assert_true(put_note(r, SECRET, name, &e));
		assert_true(get_note(r, name, "note", &secret, &e));
		assert_string_equal(buf_str(&secret), SECRET);
		get_file(r, "marks", name, &file);
		assert_int_equal(strstr(buf_str(&file), "xyzzy") == NULL, encrypted);
		assert_false(get_note(r, name, "mark", &secret, &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_false(get_note(r, "m-none", "note", &secret, &e));
		assert_int_equal(e.kind, ERR_MISSING);
		store_replace(r->store, "marks", "m-other", buf_span(&file));
		assert_false(get_note(r, "m-other", "note", &secret, &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_non_null(strstr(e.text, "another name"));

		assert_true(put_note(r, "", name, &e));
		assert_true(get_note(r, name, "note", &secret, &e));
		assert_int_equal(secret.n, 0);
		buf_release(&secret);
		buf_release(&file);
		repo_close(r);
	}
}

static void json_damage(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		struct buf secret = BUF_EMPTY, file = BUF_EMPTY;
		char name[NAME_MAX_LEN + 1];
		struct err e = ERR_EMPTY;

		assert_true(put_note(r, SECRET, name, &e));
		get_file(r, "marks", name, &file);
		for (size_t i = 0; i < 8 * file.n; i++) {
			file.p[i / 8] ^= (uint8_t)(1 << i % 8);
			store_replace(r->store, "marks", name, buf_span(&file));
			if (get_note(r, name, "note", &secret, &e))
				fail_msg("byte %zu, bit %zu goes unseen", i / 8, i % 8);
			if (e.kind != ERR_CORRUPT && e.kind != ERR_NEWER)
				fail_msg("byte %zu: %s", i / 8, e.text);
			file.p[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		for (size_t n = 1; n < file.n; n++) {
			store_replace(r->store, "marks", name, span_of(file.p, n));
			assert_false(get_note(r, name, "note", &secret, &e));
			assert_int_equal(e.kind, ERR_CORRUPT);
			assert_non_null(strstr(e.text, name));
		}
		buf_release(&secret);
		buf_release(&file);
		repo_close(r);
	}
}

/* A file of `id` with a right digest, made by somebody without the key. */
static void forge(struct repo *r, const uint8_t *id, enum json_secret mode,
    struct span secret, struct buf *file)
{
	struct span digested;
	struct id digest;

	buf_clear(file);
	json_file_begin(
	    file, "note", "m-forged", id, span_str("\"open\":5"), mode, secret.n);
	json_file_secret(file, mode, secret);
	digested = buf_span(file);
	digest_name(&digest, &digested, 1);
	json_file_end(file, &digest);
	store_replace(r->store, "marks", "m-forged", buf_span(file));
}

static void json_forgery(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct repo *open = repo_make(store_mem_new(env), env, false);
	struct buf secret = BUF_EMPTY, file = BUF_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	forge(r, r->params.id, JSON_PRIVATE, span_str(SECRET), &file);
	assert_false(get_note(r, "m-forged", "note", &secret, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.text, "not sealed"));
	forge(r, r->params.id, JSON_SEALED, repo_readme(), &file);
	assert_false(get_note(r, "m-forged", "note", &secret, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.text, "authenticate"));
	forge(r, open->params.id, JSON_NONE, SPAN_EMPTY, &file);
	assert_false(get_note(r, "m-forged", "note", &secret, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.text, "another repository"));
	forge(open, open->params.id, JSON_SEALED, repo_readme(), &file);
	assert_false(get_note(open, "m-forged", "note", &secret, &e));
	assert_int_equal(e.kind, ERR_CORRUPT);
	buf_release(&secret);
	buf_release(&file);
	repo_close(open);
	repo_close(r);
}

/*
 * Open members cannot be changed under a sealed part, though their digest be made anew.
 */
static void json_open_is_bound(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct buf secret = BUF_EMPTY, file = BUF_EMPTY;
	struct json_file jf;
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;
	struct span digested;
	struct fault f;
	struct id digest;

	(void)state;
	assert_true(put_note(r, SECRET, name, &e));
	get_file(r, "marks", name, &file);
	*(strstr((char *)file.p, "\"open\":5") + 7) = '6';
	assert_true(json_file_open(buf_span(&file), &jf, &f));
	digested = span_of(file.p, jf.digested);
	digest_name(&digest, &digested, 1);
	file.n = jf.digested;
	json_file_end(&file, &digest);
	json_file_close(&jf);
	store_replace(r->store, "marks", name, buf_span(&file));
	assert_false(get_note(r, name, "note", &secret, &e));
	assert_non_null(strstr(e.text, "authenticate"));
	buf_release(&secret);
	buf_release(&file);
	repo_close(r);
}

static void json_too_long(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, false);
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;

	(void)state;
	buf_add_str(&body.open, "\"open\":\"");
	memset(buf_extend(&body.open, JSON_MAX), 'x', JSON_MAX);
	buf_add_str(&body.open, "\"");
	assert_false(
	    repo_put_json(r, "marks", "note", name_plain, "m-", &body, name, NULL, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	json_body_release(&body);
	repo_close(r);
}

static void deltas(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		struct repo *other = repo_make(store_mem_new(env), env, encrypted);
		struct buf plain = BUF_EMPTY, got = BUF_EMPTY, file = BUF_EMPTY;
		char name[2 * ID_SIZE + 1];
		struct err e = ERR_EMPTY;
		struct id id, second;
		uint64_t size;

		bytes_text(&plain, 500, 3);
		assert_true(repo_put_delta(r, buf_span(&plain), &id, &size, &e));
		assert_true(repo_put_delta(r, buf_span(&plain), &second, &size, &e));
		assert_false(id_equal(&id, &second));
		assert_true(repo_get_delta(r, &id, &got, &e));
		assert_true(span_equal(buf_span(&got), buf_span(&plain)));
		name_of_id(&id, name);
		get_file(r, "index", name, &file);
		assert_int_equal(file.n, size);
		for (size_t i = 0; i < file.n; i++) {
			file.p[i] ^= 0x10;
			store_replace(r->store, "index", name, buf_span(&file));
			assert_false(repo_get_delta(r, &id, &got, &e));
			assert_int_equal(e.kind, ERR_CORRUPT);
			assert_non_null(strstr(e.text, name));
			file.p[i] ^= 0x10;
		}
		store_replace(r->store, "index", name, span_of(file.p, file.n - 1));
		assert_false(repo_get_delta(r, &id, &got, &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		store_remove(r->store, "index", name, NULL);
		assert_false(repo_get_delta(r, &id, &got, &e));
		assert_int_equal(e.kind, ERR_MISSING);
		store_replace(other->store, "index", name, buf_span(&file));
		assert_false(repo_get_delta(other, &id, &got, &e));
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_non_null(strstr(e.text, "another repository"));
		buf_release(&plain);
		buf_release(&got);
		buf_release(&file);
		repo_close(other);
		repo_close(r);
	}
}

/* A delta whose header says version 2, under the name that goes with its bytes. */
static void newer_delta(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, false);
	struct buf file = BUF_EMPTY, got = BUF_EMPTY;
	char name[2 * ID_SIZE + 1];
	struct err e = ERR_EMPTY;
	struct span part;
	struct id id;

	(void)state;
	assert_true(repo_put_delta(r, span_str("x"), &id, NULL, &e));
	name_of_id(&id, name);
	get_file(r, "index", name, &file);
	file.p[9] = 2;
	part = buf_span(&file);
	digest_name(&id, &part, 1);
	name_of_id(&id, name);
	store_replace(r->store, "index", name, part);
	assert_false(repo_get_delta(r, &id, &got, &e));
	assert_int_equal(e.kind, ERR_NEWER);
	buf_release(&file);
	buf_release(&got);
	repo_close(r);
}

/* --- puts and gets that fail */

struct told {
	unsigned n;
	char names[64][NAME_MAX_LEN + 1];
	struct repo *stop_at_first;
	bool stop;
};

static void hear(void *arg, const char *folder, const char *name, const struct err *why,
    unsigned attempt)
{
	struct told *t = arg;

	assert_int_equal(attempt, t->n);
	assert_int_equal(why->kind == ERR_IO || why->kind == ERR_EXISTS, true);
	assert_string_equal(folder, "marks");
	strcpy(t->names[t->n++], name);
	if (t->stop_at_first)
		t->stop = true;
}

/* A repository on a storage where this is going to happen. */
static struct repo *make_faulty(const struct fault_plan *plan, struct told *told)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);

	r->store = store_fault_new(r->store, plan);
	r->on_retry = hear;
	r->retry_arg = told;
	return r;
}

static void put_again(void **state)
{
	const struct fault_plan plan = {
	    .how = FAIL_ONCE, .land = LAND_WHOLE, .kinds = OP_PUT};
	struct told told = {0};
	struct repo *r = make_faulty(&plan, &told);
	struct store_listing l = {0};
	struct buf secret = BUF_EMPTY;
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;
	int64_t start = env->ticks(env);

	(void)state;
	assert_true(put_note(r, SECRET, name, &e));
	assert_int_equal(told.n, 1);
	assert_string_not_equal(told.names[0], name);
	assert_true(get_note(r, name, "note", &secret, &e));
	assert_true(env->ticks(env) - start >= SECOND);
	assert_true(env->ticks(env) - start < 2 * SECOND);
	/* What landed under the old name is its own file, and whole. */
	assert_true(store_list(r->store, "marks", &l, &e));
	for (size_t i = 0; i < l.n; i++)
		assert_true(get_note(r, l.names[i], "note", &secret, &e));
	store_listing_release(&l);
	buf_release(&secret);
	repo_close(r);
}

static void put_gives_up(void **state)
{
	const struct fault_plan plan = {.how = FAIL_FOREVER, .kinds = OP_PUT};
	struct told told = {0};
	struct repo *r = make_faulty(&plan, &told);
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;
	int64_t start = env->ticks(env);

	(void)state;
	assert_false(put_note(r, SECRET, name, &e));
	assert_int_equal(e.kind, ERR_IO);
	assert_non_null(strstr(e.text, "marks/m-"));
	assert_non_null(strstr(e.text, "not stored ("));
	assert_non_null(strstr(e.text, " attempts in 8"));
	assert_true(env->ticks(env) - start <= r->patience);
	assert_true(env->ticks(env) - start > r->patience - 80 * SECOND);
	assert_true(told.n >= 14 && told.n <= 20);
	for (unsigned i = 1; i < told.n; i++)
		assert_string_not_equal(told.names[i], told.names[i - 1]);
	repo_close(r);
}

static void put_fails_at_once(void **state)
{
	static const enum err_kind kinds[] = {
	    ERR_NOSPACE, ERR_REFUSED, ERR_UNREACHABLE, ERR_MISSING, ERR_STOPPED};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct fault_plan plan = {
		    .how = FAIL_FOREVER, .kinds = OP_PUT, .err = kinds[i]};
		struct told told = {0};
		struct repo *r = make_faulty(&plan, &told);
		char name[NAME_MAX_LEN + 1];
		struct err e = ERR_EMPTY;

		assert_false(put_note(r, SECRET, name, &e));
		assert_int_equal(e.kind, kinds[i]);
		assert_int_equal(told.n, 0);
		repo_close(r);
	}
}

static void stops(void **state)
{
	const struct fault_plan plan = {.how = FAIL_FOREVER};
	struct told told = {0};
	struct repo *r = make_faulty(&plan, &told);
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;
	struct buf out = BUF_EMPTY;

	(void)state;
	told.stop_at_first = r;
	r->stop = &told.stop;
	assert_false(put_note(r, SECRET, name, &e));
	assert_int_equal(e.kind, ERR_STOPPED);
	assert_int_equal(told.n, 1);
	told = (struct told){.stop_at_first = r};
	assert_false(repo_get(r, "marks", "x", 0, 1, &out, NULL, &e));
	assert_int_equal(e.kind, ERR_STOPPED);
	assert_int_equal(told.n, 1);
	buf_release(&out);
	repo_close(r);
}

static void read_again(void **state)
{
	struct fault_plan plan = {.how = FAIL_ONCE, .kinds = OP_GET | OP_LIST | OP_STAT};
	struct told told = {0};
	struct repo *r = make_faulty(&plan, &told);
	struct buf out = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	int64_t start;
	uint64_t size;

	(void)state;
	store_replace(r->store, "marks", "x", span_str("content"));
	buf_add_str(&out, "before ");
	assert_true(repo_get(r, "marks", "x", 0, SIZE_MAX, &out, &size, &e));
	assert_string_equal(buf_str(&out), "before content");
	assert_int_equal(size, 7);
	assert_int_equal(told.n, 1);
	buf_clear(&out);
	assert_true(repo_get_tail(r, "marks", "x", 4, &out, &size, &e));
	assert_string_equal(buf_str(&out), "tent");
	assert_true(repo_stat(r, "marks", "x", &size, &e));
	assert_int_equal(size, 7);
	repo_close(r);

	plan.how = FAIL_FOREVER;
	told = (struct told){0};
	r = make_faulty(&plan, &told);
	start = env->ticks(env);
	assert_false(repo_get(r, "marks", "x", 0, SIZE_MAX, &out, &size, &e));
	assert_int_equal(e.kind, ERR_IO);
	assert_non_null(strstr(e.text, "marks/x: not read (3 attempts in "));
	assert_int_equal(told.n, 2);
	assert_true(env->ticks(env) - start < 5 * SECOND);
	assert_string_equal(buf_str(&out), "tent");
	buf_release(&out);
	repo_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(json_files),
	    cmocka_unit_test(json_damage),
	    cmocka_unit_test(json_forgery),
	    cmocka_unit_test(json_open_is_bound),
	    cmocka_unit_test(json_too_long),
	    cmocka_unit_test(deltas),
	    cmocka_unit_test(newer_delta),
	    cmocka_unit_test(put_again),
	    cmocka_unit_test(put_gives_up),
	    cmocka_unit_test(put_fails_at_once),
	    cmocka_unit_test(stops),
	    cmocka_unit_test(read_again),
	};

	return cmocka_run_group_tests_name("repo", tests, steady_begin, steady_end);
}
