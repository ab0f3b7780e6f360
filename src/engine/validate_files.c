/*
 * Small files: all but bundles and deltas. Each is got whole by the pool, so that a storage
 * with slow answers is asked many things at once, and judged on the main thread.
 *
 * A torn file, that is one which ends before the length it states, is what an attempt that
 * was cut off leaves behind. Whether it was such an attempt or a file that is needed is for
 * the callers to say.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "format/client.h"
#include "format/health.h"
#include "format/mark.h"
#include "format/tombstone.h"

#define JSON_END     62 /* the digest member and what stands around it (json.md §1) */
#define JSON_END_KEY 11 /* characters before its digits */

static void file_run(struct job *j)
{
	struct vfile *f = (struct vfile *)j;

	if (f->look)
		f->ok = repo_stat(f->repo, f->folder, f->name, &f->size, &f->why);
	else
		f->ok = repo_get(f->repo, f->folder, f->name, 0, JSON_MAX, &f->bytes, &f->size,
		    &f->why);
}

static void file_path(const struct vfile *f, char out[NAME_MAX_LEN + 20])
{
	snprintf(out, NAME_MAX_LEN + 20, "%s%s%s", f->folder, *f->folder ? "/" : "", f->name);
}

/* What is the same for all: counts, and a file that cannot be had. STEP_ITEM: go on. */
static enum step file_taken(struct valid *v, const struct vfile *f, struct err *e)
{
	char path[NAME_MAX_LEN + 20];

	if (valid_stopped(v, e))
		return STEP_FAILED;
	if (!f->ok && valid_fatal(&f->why)) {
		*e = f->why;
		return STEP_FAILED;
	}
	valid_checked(v, 1, f->bytes.n);
	file_path(f, path);
	if (!f->ok) {
		damage_add(v, path, valid_kind(&f->why, "unreadable"), f->why.text);
		return STEP_END;
	}
	if (f->look) {
		if (f->size == 0)
			damage_add(v, path, "size", "it is empty");
		return STEP_END;
	}
	return STEP_ITEM;
}

static bool file_take(
    struct valid *v, struct lane *lane, vfile_fn *fn, bool go_on, struct err *e)
{
	struct vfile *f = (struct vfile *)lane_take(lane);
	enum step st = go_on ? file_taken(v, f, e) : STEP_END;

	if (st == STEP_ITEM && !fn(v, f, e))
		st = STEP_FAILED;
	buf_release(&f->bytes);
	free(f);
	return st != STEP_FAILED;
}

bool valid_folder(
    struct valid *v, const char *folder, vlook_fn *look, vfile_fn *fn, struct err *e)
{
	struct lane *lane = lane_new(v->pool);
	struct store_listing l = {0};
	bool ok = repo_list(v->repo, folder, &l, e);

	for (size_t i = 0; ok && i < l.n; i++) {
		struct vfile *f = mem_zalloc(sizeof *f);
		enum vlook how;

		f->job.run = file_run;
		f->repo = v->repo;
		f->folder = folder;
		snprintf(f->name, sizeof f->name, "%s", l.names[i]);
		how = look(v, f);
		if (how == VLOOK_NOT) {
			free(f);
			continue;
		}
		f->look = how == VLOOK_SIZE;
		lane_put(lane, &f->job);
		if (lane_jobs(lane) > 2 * (size_t)pool_threads(v->pool))
			ok = file_take(v, lane, fn, true, e);
	}
	while (lane_jobs(lane) > 0)
		ok = file_take(v, lane, fn, ok, e) && ok;
	lane_free(lane);
	store_listing_release(&l);
	return ok;
}

/* --- JSON files */

/* Whether the last member is the digest of all before it: so also of a newer version. */
static bool json_is_whole(struct span s)
{
	struct id stated, digest;
	struct span before;

	if (s.n < JSON_END)
		return false;
	before = span_of(s.p, s.n - JSON_END);
	digest_name(&digest, &before, 1);
	return hex_decode(span_of(before.p + before.n + JSON_END_KEY, 2 * ID_SIZE),
	           stated.b, ID_SIZE) &&
	    id_equal(&stated, &digest);
}

bool valid_json(struct valid *v, const struct vfile *f, const char *type,
    struct json_file *jf, struct buf *secret, const char **what, bool *torn, struct err *e)
{
	struct span bytes = buf_span(&f->bytes);
	struct fault fault;

	*torn = false;
	*what = "digest";
	if (f->size > JSON_MAX)
		return err_set(e, ERR_CORRUPT, "longer than any JSON file of bale");
	if (repo_check_json(v->repo, f->name, type, bytes, jf, secret, e))
		return true;
	if (e->kind == ERR_NEWER && json_is_whole(bytes)) {
		*what = NULL;
		return false;
	}
	if (json_is_whole(bytes))
		*what = "foreign";
	if (json_file_open(bytes, jf, &fault))
		json_file_close(jf);
	else
		*torn = bytes.n == 0 || fault.kind == FAULT_TRUNCATED;
	return false;
}

typedef bool decode_fn(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f);

static void json_file_judge(
    struct valid *v, const struct vfile *f, const char *type, decode_fn *decode)
{
	char path[NAME_MAX_LEN + 20];
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct json_file jf;
	const char *what;
	struct fault fault;
	bool torn;

	file_path(f, path);
	if (!valid_json(v, f, type, &jf, &secret, &what, &torn, &why)) {
		if (what)
			damage_add(v, path, what, why.text);
		else
			valid_note(v, path, "%s", why.text);
	} else {
		if (!decode(v, &jf, buf_span(&secret), &fault)) {
			err_fault(&why, &fault);
			if (fault.kind == FAULT_NEWER)
				valid_note(v, path, "%s", why.text);
			else
				damage_add(v, path, "content", why.text);
		}
		json_file_close(&jf);
	}
	buf_release(&secret);
}

/* --- folders of random names */

static enum vlook unknown(struct valid *v, const struct vfile *f)
{
	char path[NAME_MAX_LEN + 20];

	file_path(f, path);
	valid_note(v, path, "not a name of bale's: left alone");
	return VLOOK_NOT;
}

static enum vlook look_random(struct valid *v, struct vfile *f)
{
	if (!name_is_random(f->name))
		return unknown(v, f);
	return v->o->level == VALIDATE_QUICK ? VLOOK_SIZE : VLOOK_READ;
}

static enum vlook look_random_always(struct valid *v, struct vfile *f)
{
	return name_is_random(f->name) ? VLOOK_READ : unknown(v, f);
}

static bool decode_key(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f)
{
	struct key_slot slot;

	(void)v;
	(void)secret;
	return key_slot_decode(jf, &slot, f);
}

static bool judge_key(struct valid *v, struct vfile *f, struct err *e)
{
	(void)e;
	json_file_judge(v, f, "key", decode_key);
	return true;
}

static bool decode_mark(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f)
{
	struct mark m = {.tag = NULL};
	bool ok = mark_decode(jf, secret, &m, f);

	(void)v;
	mark_release(&m);
	return ok;
}

static bool judge_mark(struct valid *v, struct vfile *f, struct err *e)
{
	(void)e;
	json_file_judge(v, f, "mark", decode_mark);
	return true;
}

static bool decode_client(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f)
{
	struct client c = {.host = NULL};
	bool ok = client_decode(jf, secret, &c, f);

	(void)v;
	client_release(&c);
	return ok;
}

static bool judge_client(struct valid *v, struct vfile *f, struct err *e)
{
	(void)e;
	json_file_judge(v, f, "client", decode_client);
	return true;
}

/* Its bundles are data or hunks: whichever of that name there are. */
static struct vbundle *known_bundle(struct valid *v, const struct id *name, size_t nth)
{
	static const uint8_t types[] = {FILE_DATA, FILE_HUNKS};
	uint8_t key[1 + ID_SIZE];
	uint64_t *at;

	key[0] = types[nth];
	memcpy(key + 1, name->b, ID_SIZE);
	at = map_get(&v->bundle_at, key);
	return at ? &v->bundles[*at] : NULL;
}

static bool decode_health(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f)
{
	struct vbundle *b;
	struct health h;
	bool ok;

	(void)secret;
	health_init(&h);
	ok = health_decode(jf, &h, f);
	for (size_t i = 0; ok && i < h.n_damage; i++)
		for (size_t k = 0; k < 2; k++)
			if ((b = known_bundle(v, &h.damage[i].bundle, k)) && b->bad_at < h.time)
				b->bad_at = h.time;
	for (size_t i = 0; ok && i < h.n_checked; i++)
		for (size_t k = 0; k < 2; k++)
			if (h.checked[i].level == HEALTH_FULL &&
			    (b = known_bundle(v, &h.checked[i].bundle, k)) && b->good_at < h.time)
				b->good_at = h.time;
	health_release(&h);
	return ok;
}

static bool judge_health(struct valid *v, struct vfile *f, struct err *e)
{
	(void)e;
	json_file_judge(v, f, "health", decode_health);
	return true;
}

/* --- tombstones */

static void condemn(struct valid *v, const char *text)
{
	uint8_t key[DIGEST_SHORT];

	digest_short(key, span_str(text));
	map_put(&v->condemned, key, 0);
}

bool valid_condemned(const struct valid *v, const char *path)
{
	uint8_t key[DIGEST_SHORT];

	digest_short(key, span_str(path));
	return map_get(&v->condemned, key) != NULL;
}

static void condemn_file(struct valid *v, const char *path)
{
	struct band_name name;
	enum band_file kind;
	char text[64];
	unsigned part;

	condemn(v, path);
	if (strncmp(path, "bands/", 6) != 0 ||
	    !band_file_parse(span_str(path + 6), &name, &kind, &part))
		return;
	snprintf(text, sizeof text, "%s-%llu", name.client, (unsigned long long)name.counter);
	condemn(v, text);
}

static bool decode_tombstone(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f)
{
	struct tombstone t;
	bool ok;

	(void)secret;
	tombstone_init(&t);
	ok = tombstone_decode(jf, &t, f);
	for (size_t i = 0; ok && i < t.n_bundles; i++)
		valid_bundle_named(v, t.hunks[i] ? FILE_HUNKS : FILE_DATA, &t.bundles[i])->gone =
		    true;
	for (size_t i = 0; ok && i < t.files.n; i++)
		condemn_file(v, t.files.v[i]);
	tombstone_release(&t);
	return ok;
}

static bool judge_tombstone(struct valid *v, struct vfile *f, struct err *e)
{
	(void)e;
	json_file_judge(v, f, "tombstone", decode_tombstone);
	return true;
}

bool valid_tombstones(struct valid *v, struct err *e)
{
	return valid_folder(v, "tombstones", look_random_always, judge_tombstone, e);
}

/* --- the top */

static enum vlook look_top(struct valid *v, struct vfile *f)
{
	if (strcmp(f->name, "README.txt") != 0 && strcmp(f->name, "bale.json") != 0)
		return unknown(v, f);
	return VLOOK_READ; /* small, and only one of each */
}

static bool decode_head(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f)
{
	struct repository head;

	(void)v;
	(void)secret;
	return repository_decode(jf, &head, f);
}

static bool judge_top(struct valid *v, struct vfile *f, struct err *e)
{
	struct span bytes = buf_span(&f->bytes);
	struct id digest;

	(void)e;
	if (strcmp(f->name, "bale.json") == 0) {
		json_file_judge(v, f, "repository", decode_head);
		return true;
	}
	digest_name(&digest, &bytes, 1);
	if (f->size != v->repo->params.readme_size)
		damage_add(v, f->name, "size", "not as long as bale.json says");
	else if (!id_equal(&digest, &v->repo->params.readme_digest))
		damage_add(v, f->name, "digest", "not the text that bale.json tells of");
	return true;
}

static bool check_top(struct valid *v, struct err *e)
{
	struct store_listing l = {0};
	bool ok = repo_list(v->repo, "", &l, e);

	if (ok && !store_listing_has(&l, "README.txt"))
		damage_add(v, "README.txt", "missing", "bale.json tells of it");
	if (ok && !store_listing_has(&l, "bale.json"))
		damage_add(v, "bale.json", "missing", "it was there when the check began");
	store_listing_release(&l);
	return ok && valid_folder(v, "", look_top, judge_top, e);
}

static bool check_keys(struct valid *v, struct err *e)
{
	struct store_listing l = {0};
	bool any = false, ok = repo_list(v->repo, "keys", &l, e);

	for (size_t i = 0; ok && i < l.n; i++)
		any = any || name_is_random(l.names[i]);
	store_listing_release(&l);
	if (ok && !any && v->repo->params.encrypted)
		damage_add(v, "keys/*", "missing", "no key is left that opens the repository");
	return ok && valid_folder(v, "keys", look_random, judge_key, e);
}

bool valid_small_files(struct valid *v, struct err *e)
{
	return check_top(v, e) && check_keys(v, e) &&
	    valid_folder(v, "marks", look_random, judge_mark, e) &&
	    valid_folder(v, "clients", look_random, judge_client, e) &&
	    valid_folder(v, "health", look_random_always, judge_health, e);
}
