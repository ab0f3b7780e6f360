/*
 * The kinds of small files, but for those of bands: the top, keys, marks, registrations,
 * health, tombstones. A torn one is litter, as it is for all who read them (torn.h); but
 * where it is the last key, as nothing opens without one, and at the top, where a torn
 * file means that init did not end.
 */
#include "engine/validate_internal.h"

#include <stdio.h>

#include "codec/digest.h"
#include "format/client.h"
#include "format/health.h"
#include "format/mark.h"
#include "format/tombstone.h"

typedef bool decode_fn(
    struct valid *v, const struct json_file *jf, struct span secret, struct fault *f);

static void litter(struct valid *v, const char *path)
{
	v->result->litter++;
	valid_note(v, path, "left by an attempt that was cut off");
}

static void json_file_judge(struct valid *v, const struct vfile *f, const char *type,
    decode_fn *decode, struct store_listing *torn_ones)
{
	char path[VPATH_SIZE];
	struct buf secret = BUF_EMPTY;
	struct err why = ERR_EMPTY;
	struct json_file jf;
	const char *what;
	struct fault fault;
	bool torn;

	vfile_path(f, path);
	if (!valid_json(v, f, type, &jf, &secret, &what, &torn, &why)) {
		if (torn && torn_ones)
			store_listing_add(torn_ones, path);
		else if (torn && *f->folder)
			litter(v, path);
		else if (what)
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
	char path[VPATH_SIZE];

	vfile_path(f, path);
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
	json_file_judge(v, f, "key", decode_key, &v->torn_keys);
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
	json_file_judge(v, f, "mark", decode_mark, NULL);
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
	json_file_judge(v, f, "client", decode_client, NULL);
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
			if ((b = known_bundle(v, &h.damage[i].bundle, k)) &&
			    b->bad_at < h.time)
				b->bad_at = h.time;
	for (size_t i = 0; ok && i < h.n_checked; i++)
		for (size_t k = 0; k < 2; k++)
			if (h.checked[i].level == HEALTH_FULL &&
			    (b = known_bundle(v, &h.checked[i].bundle, k)) &&
			    b->good_at < h.time)
				b->good_at = h.time;
	health_release(&h);
	return ok;
}

static bool judge_health(struct valid *v, struct vfile *f, struct err *e)
{
	(void)e;
	json_file_judge(v, f, "health", decode_health, NULL);
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
	snprintf(
	    text, sizeof text, "%s-%llu", name.client, (unsigned long long)name.counter);
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
		valid_bundle_named(v, t.hunks[i] ? FILE_HUNKS : FILE_DATA, &t.bundles[i])
		    ->gone = true;
	for (size_t i = 0; ok && i < t.files.n; i++)
		condemn_file(v, t.files.v[i]);
	tombstone_release(&t);
	return ok;
}

static bool judge_tombstone(struct valid *v, struct vfile *f, struct err *e)
{
	(void)e;
	json_file_judge(v, f, "tombstone", decode_tombstone, NULL);
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
		json_file_judge(v, f, "repository", decode_head, NULL);
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
		damage_add(
		    v, "bale.json", "missing", "it was there when the check began");
	store_listing_release(&l);
	return ok && valid_folder(v, "", look_top, judge_top, e);
}

static bool check_keys(struct valid *v, struct err *e)
{
	struct store_listing l = {0}, *torn = &v->torn_keys;
	size_t keys = 0;
	bool ok = repo_list(v->repo, "keys", &l, e);

	for (size_t i = 0; ok && i < l.n; i++)
		keys += name_is_random(l.names[i]);
	store_listing_release(&l);
	if (ok && keys == 0 && v->repo->params.encrypted)
		damage_add(
		    v, "keys/*", "missing", "no key is left that opens the repository");
	ok = ok && valid_folder(v, "keys", look_random, judge_key, e);
	for (size_t i = 0; ok && i < torn->n; i++) {
		if (torn->n < keys)
			litter(v, torn->names[i]);
		else
			damage_add(v, torn->names[i], "digest", "ends early, and is the last key");
	}
	store_listing_release(torn);
	return ok;
}

bool valid_small_files(struct valid *v, struct err *e)
{
	return check_top(v, e) && check_keys(v, e) &&
	       valid_folder(v, "marks", look_random, judge_mark, e) &&
	       valid_folder(v, "clients", look_random, judge_client, e) &&
	       valid_folder(v, "health", look_random_always, judge_health, e);
}
