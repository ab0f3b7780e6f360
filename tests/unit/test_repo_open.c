/* Making and opening repositories: what is refused, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/digest.h"
#include "repo/repo.h"
#include "store/fault.h"
#include "tests/support/repo_make.h"
#include "tests/support/steady.h"

struct given {
	struct secret secret;
	unsigned asked;
};

static bool give(void *arg, struct secret *out, struct err *e)
{
	struct given *g = arg;

	(void)e;
	g->asked++;
	*out = g->secret;
	return true;
}

/* Opens a copy of the store with a passphrase; NULL and *e on failure. */
static struct repo *open_with(struct store *s, const char *passphrase, struct err *e)
{
	struct given g = {{SECRET_PASSPHRASE, span_str(passphrase)}, 0};
	struct repo *r;

	err_clear(e);
	return repo_open(store_mem_clone(s), env, give, &g, &r, e) ? r : NULL;
}

static void refuses(struct store *s, enum err_kind kind, const char *words)
{
	struct err e = ERR_EMPTY;
	struct repo *r = open_with(s, TEST_PASSPHRASE, &e);

	assert_null(r);
	if (e.kind != kind || !strstr(e.text, words))
		fail_msg("kind %d, text: %s (wanted: %s)", e.kind, e.text, words);
}

static void get_head(struct store *s, struct buf *out)
{
	struct err e = ERR_EMPTY;

	buf_clear(out);
	assert_true(store_get(s, "", "bale.json", 0, SIZE_MAX, out, NULL, &e));
}

static void opens_what_it_made(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		struct given g = {{SECRET_PASSPHRASE, span_str(TEST_PASSPHRASE)}, 0};
		struct store *twin = store_mem_clone(r->store);
		struct buf readme = BUF_EMPTY;
		struct span text;
		struct err e = ERR_EMPTY;
		struct repo *again;
		struct id digest;

		assert_true(repo_open(twin, env, give, &g, &again, &e));
		assert_int_equal(g.asked, encrypted);
		assert_memory_equal(again->params.id, r->params.id, REPO_ID_SIZE);
		for (int p = 0; p < PURPOSES; p++)
			assert_true(span_equal(
			    keyring_key(r->keys, p), keyring_key(again->keys, p)));
		assert_int_equal(
		    keyring_sealer(again->keys, PURPOSE_JSON)->off, !encrypted);
		assert_true(
		    store_get(twin, "", "README.txt", 0, SIZE_MAX, &readme, NULL, &e));
		text = buf_span(&readme);
		digest_name(&digest, &text, 1);
		assert_true(id_equal(&digest, &again->params.readme_digest));
		assert_int_equal(readme.n, again->params.readme_size);
		buf_release(&readme);
		repo_close(again);
		repo_close(r);
	}
}

/* An encrypted repository's head must not tell the key. */
static void head_has_no_key(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	char hex[2 * KEY_SIZE + 1];
	struct buf head = BUF_EMPTY;

	(void)state;
	get_head(r->store, &head);
	hex_encode(r->key, KEY_SIZE, hex);
	assert_null(strstr(buf_str(&head), hex));
	assert_null(strstr(buf_str(&head), "\"key\""));
	buf_release(&head);
	repo_close(r);
}

static void wrong_secrets(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct given g = {{SECRET_NONE, SPAN_EMPTY}, 0};
	struct buf file = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct repo *again;

	(void)state;
	assert_null(open_with(r->store, "incorrect horse", &e));
	assert_int_equal(e.kind, ERR_AUTH);
	assert_non_null(strstr(e.text, "wrong passphrase: it opens none of 1 key "));

	key_file_make((const uint8_t *)"0123456789abcdef0123456789abcdef", &file);
	g.secret = (struct secret){SECRET_KEY_FILE, buf_span(&file)};
	assert_false(repo_open(store_mem_clone(r->store), env, give, &g, &again, &e));
	assert_int_equal(e.kind, ERR_AUTH);
	assert_non_null(
	    strstr(e.text, "no key of this repository opens with a key file"));
	assert_non_null(strstr(e.text, "1 more would open with a passphrase"));

	g.secret = (struct secret){SECRET_KEY_FILE, span_str("not a key")};
	assert_false(repo_open(store_mem_clone(r->store), env, give, &g, &again, &e));
	assert_int_equal(e.kind, ERR_AUTH);
	g.secret = (struct secret){SECRET_NONE, SPAN_EMPTY};
	assert_false(repo_open(store_mem_clone(r->store), env, give, &g, &again, &e));
	assert_int_equal(e.kind, ERR_AUTH);
	assert_null(again);
	buf_release(&file);
	repo_close(r);
}

static void many_keys(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	const struct secret second = {SECRET_PASSPHRASE, span_str("second")};
	struct secret key_file = {SECRET_KEY_FILE, SPAN_EMPTY};
	struct given g = {key_file, 0};
	struct buf file = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	char name[NAME_MAX_LEN + 1];
	struct key_info *keys;
	struct repo *again;
	size_t n;

	(void)state;
	key_file_make((const uint8_t *)"0123456789abcdef0123456789abcdef", &file);
	g.secret.bytes = key_file.bytes = buf_span(&file);
	assert_true(repo_key_add(r, &second, "at work", 1, 8192, name, &e));
	assert_true(repo_key_add(r, &key_file, "cron", 1, 8192, name, &e));
	assert_true(repo_keys(r, &keys, &n, &e));
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		assert_int_equal(keys[i].slot.kind, KEY_FILE);
		assert_string_equal(keys[i].slot.label, "cron");
	}
	free(keys);
	repo_close(open_with(r->store, "second", &e));
	assert_int_equal(e.kind, ERR_NONE);
	repo_close(open_with(r->store, TEST_PASSPHRASE, &e));
	assert_int_equal(e.kind, ERR_NONE);
	assert_true(repo_open(store_mem_clone(r->store), env, give, &g, &again, &e));
	assert_memory_equal(again->key, r->key, KEY_SIZE);
	repo_close(again);
	assert_null(open_with(r->store, "third", &e));
	assert_non_null(strstr(e.text, "none of 2 keys"));
	buf_release(&file);
	repo_close(r);
}

static void refused_keys(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct repo *open = repo_make(store_mem_new(env), env, false);
	const struct secret empty = {SECRET_PASSPHRASE, SPAN_EMPTY};
	const struct secret good = {SECRET_PASSPHRASE, span_str("x")};
	char name[NAME_MAX_LEN + 1], label[66];
	struct err e = ERR_EMPTY;

	(void)state;
	memset(label, 'l', 65);
	label[65] = '\0';
	assert_false(repo_key_add(r, &empty, "", 1, 8192, name, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_false(repo_key_add(r, &good, label, 1, 8192, name, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_false(repo_key_add(open, &good, "", 1, 8192, name, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	repo_close(open);
	repo_close(r);
}

/* A damaged slot is in nobody's way, and is told of where it may be the one that was
 * meant. */
static void damaged_key(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	const struct secret second = {SECRET_PASSPHRASE, span_str("second")};
	struct store_listing before = {0};
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;
	struct key_info *keys;
	size_t n;

	(void)state;
	assert_true(store_list(r->store, "keys", &before, &e));
	store_replace(r->store, "keys", before.names[0], span_str("{}"));
	refuses(r->store, ERR_CORRUPT, before.names[0]);
	assert_true(repo_key_add(r, &second, "", 1, 8192, name, &e));
	repo_close(open_with(r->store, "second", &e));
	assert_int_equal(e.kind, ERR_NONE);
	refuses(r->store, ERR_AUTH, before.names[0]);
	assert_true(repo_keys(r, &keys, &n, &e));
	assert_int_equal(n, 2);
	assert_int_equal(
	    (keys[0].why.kind == ERR_CORRUPT) + (keys[1].why.kind == ERR_CORRUPT), 1);
	free(keys);
	/* What nobody of us wrote is no slot. */
	store_remove(r->store, "keys", before.names[0], NULL);
	store_replace(r->store, "keys", "desktop.ini", span_str("x"));
	assert_true(repo_keys(r, &keys, &n, &e));
	assert_int_equal(n, 1);
	free(keys);
	store_remove(r->store, "keys", name, NULL);
	refuses(r->store, ERR_CORRUPT, "holds no key");
	store_listing_release(&before);
	repo_close(r);
}

static void no_repository(void **state)
{
	struct store *s = store_mem_new(env);

	(void)state;
	refuses(s, ERR_NOREPO, "nor any other file");
	store_replace(s, "", "thesis.pdf", span_str("x"));
	refuses(s, ERR_NOREPO, "1 other file, thesis.pdf first");
	store_replace(s, "bands", "a", span_str("x"));
	refuses(s, ERR_NOREPO, "lost its bale.json");
	store_replace(s, "", "bale.json", span_str("<html>"));
	refuses(s, ERR_NOREPO, "bale.json: not a repository's head");
	store_free(s);
}

static void refuses_to_make(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, false);
	struct store *other = store_mem_new(env);
	struct err e = ERR_EMPTY;
	struct repo_options o;
	const struct secret none = {SECRET_NONE, SPAN_EMPTY};
	struct repo *again;

	(void)state;
	repo_options_init(&o);
	o.encrypted = false;
	assert_false(repo_create(store_mem_clone(r->store), env, &o, &none, &again, &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_non_null(strstr(e.text, "is a repository already"));
	store_replace(other, "", "thesis.pdf", span_str("x"));
	assert_false(repo_create(other, env, &o, &none, &again, &e));
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_non_null(strstr(e.text, "it holds 1 file, thesis.pdf first"));
	o.encrypted = true;
	assert_false(repo_create(store_mem_new(env), env, &o, &none, &again, &e));
	assert_int_equal(e.kind, ERR_USAGE);
	assert_null(again);
	repo_close(r);
}

static void damaged_head(void **state)
{
	(void)state;
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		struct repo *r = repo_make(store_mem_new(env), env, encrypted);
		struct buf head = BUF_EMPTY;
		struct err e;

		get_head(r->store, &head);
		for (size_t i = 0; i < 3 * head.n; i++) {
			uint8_t bit = (uint8_t)(i % 3 == 0   ? 1
						: i % 3 == 1 ? 0x20
							     : 0x80);

			head.p[i / 3] ^= bit;
			store_replace(r->store, "", "bale.json", buf_span(&head));
			if (open_with(r->store, TEST_PASSPHRASE, &e))
				fail_msg("byte %zu, bit %x goes unseen", i / 3, bit);
			if (e.kind != ERR_CORRUPT && e.kind != ERR_NEWER &&
			    e.kind != ERR_NOREPO)
				fail_msg("byte %zu: %s", i / 3, e.text);
			head.p[i / 3] ^= bit;
		}
		for (size_t n = 1; n < head.n; n++) {
			store_replace(r->store, "", "bale.json", span_of(head.p, n));
			assert_null(open_with(r->store, TEST_PASSPHRASE, &e));
		}
		store_replace(r->store, "", "bale.json", buf_span(&head));
		repo_close(open_with(r->store, TEST_PASSPHRASE, &e));
		assert_int_equal(e.kind, ERR_NONE);
		buf_release(&head);
		repo_close(r);
	}
}

/* A head of these open members, whole and with a right digest. */
static void put_head(struct repo *r, struct span open)
{
	struct buf file = BUF_EMPTY;
	struct span digested;
	struct id digest;

	json_file_begin(
	    &file, "repository", "bale.json", r->params.id, open, JSON_NONE, 0);
	digested = buf_span(&file);
	digest_name(&digest, &digested, 1);
	json_file_end(&file, &digest);
	store_replace(r->store, "", "bale.json", buf_span(&file));
	buf_release(&file);
}

static void newer_head(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, false);
	struct json_body body = JSON_BODY_EMPTY;
	struct buf open = BUF_EMPTY;
	const char *rest;

	(void)state;
	repository_encode(&r->params, &body);
	rest = strchr(buf_str(&body.open), ']');
	buf_add_str(&open, "\"required\":[\"parity\"");
	buf_add_str(&open, rest);
	put_head(r, buf_span(&open));
	refuses(r->store, ERR_NEWER, "needs the feature parity");

	buf_clear(&open);
	get_head(r->store, &open);
	open.p[strlen("{\"bale\":")] = '2';
	store_replace(r->store, "", "bale.json", buf_span(&open));
	refuses(r->store, ERR_NEWER, "written by a newer bale");
	buf_release(&open);
	json_body_release(&body);
	repo_close(r);
}

static void absurd_cutting(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, false);
	struct json_body body = JSON_BODY_EMPTY;
	struct repository p = r->params;

	(void)state;
	p.cut.tier[0].max = p.cut.tier[0].average;
	repository_encode(&p, &body);
	put_head(r, buf_span(&body.open));
	refuses(r->store, ERR_CORRUPT, "out of bounds");
	json_body_release(&body);
	repo_close(r);
}

/* --- a storage that fails for a while, or for ever */

struct heard {
	unsigned retries;
	bool stop, stops; /* at the first retry */
};

static void hear(void *arg, const char *folder, const char *name, const struct err *why,
    unsigned attempt)
{
	struct heard *h = arg;

	(void)folder;
	(void)name;
	(void)attempt;
	assert_int_equal(why->kind, ERR_IO);
	h->retries++;
	h->stop = h->stops;
}

static bool open_failing(
    struct store *s, const struct fault_plan *plan, struct heard *h, struct err *e)
{
	struct given g = {{SECRET_PASSPHRASE, span_str(TEST_PASSPHRASE)}, 0};
	struct repo_opening o = {.get_secret = give, .arg = &g, .transfers = 3,
	    .on_retry = hear, .retry_arg = h, .stop = &h->stop};
	struct repo *r;

	err_clear(e);
	if (!repo_open_with(store_fault_new(store_mem_clone(s), plan), env, &o, &r, e))
		return false;
	assert_int_equal(r->transfers, 3);
	assert_true(r->stop == &h->stop && r->on_retry == hear && r->retry_arg == h);
	repo_close(r);
	return true;
}

static void tells_of_retries(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct fault_plan plan = {.how = FAIL_ONCE};
	struct err e;

	(void)state;
	for (plan.nth = 0; plan.nth < 3; plan.nth++) {
		struct heard h = {0, false, false};

		assert_true(open_failing(r->store, &plan, &h, &e));
		assert_int_equal(h.retries, 1);
	}
	repo_close(r);
}

/* Be it at the head, at the listing of the keys, or at a key: no word of a passphrase. */
static void can_be_stopped(void **state)
{
	struct repo *r = repo_make(store_mem_new(env), env, true);
	struct fault_plan plan = {.how = FAIL_FOREVER};
	struct err e;

	(void)state;
	for (plan.nth = 0; plan.nth < 3; plan.nth++) {
		struct heard h = {0, false, true};

		assert_false(open_failing(r->store, &plan, &h, &e));
		assert_int_equal(e.kind, ERR_STOPPED);
		assert_int_equal(h.retries, 1);
	}
	plan.err = ERR_UNREACHABLE;
	for (plan.nth = 0; plan.nth < 3; plan.nth++) {
		struct heard h = {0, false, true};

		assert_false(open_failing(r->store, &plan, &h, &e));
		assert_int_equal(e.kind, ERR_UNREACHABLE);
		assert_int_equal(h.retries, 0);
	}
	repo_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opens_what_it_made),
	    cmocka_unit_test(head_has_no_key),
	    cmocka_unit_test(wrong_secrets),
	    cmocka_unit_test(many_keys),
	    cmocka_unit_test(refused_keys),
	    cmocka_unit_test(damaged_key),
	    cmocka_unit_test(no_repository),
	    cmocka_unit_test(refuses_to_make),
	    cmocka_unit_test(damaged_head),
	    cmocka_unit_test(newer_head),
	    cmocka_unit_test(absurd_cutting),
	    cmocka_unit_test(tells_of_retries),
	    cmocka_unit_test(can_be_stopped),
	};

	return cmocka_run_group_tests_name("repo_open", tests, steady_begin, steady_end);
}
