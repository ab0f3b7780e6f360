/* Key slots: each a file of its own, so that adding one changes nothing that is there. */
#include "repo/repo_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static bool read_slot(
    struct repo *r, const char *name, struct key_slot *slot, struct err *e)
{
	struct buf secret = BUF_EMPTY;
	struct json_file jf;
	struct fault f;
	bool ok;

	if (!repo_get_json(r, KEY_FOLDER, name, KEY_TYPE, &jf, &secret, e))
		return false;
	ok = key_slot_decode(&jf, slot, &f);
	if (!ok) {
		err_fault(e, &f);
		err_wrap(e, KEY_FOLDER "/%s", name);
	}
	json_file_close(&jf);
	buf_release(&secret);
	return ok;
}

bool repo_keys(struct repo *r, struct key_info **out, size_t *n, struct err *e)
{
	struct store_listing names = {0};
	struct key_info *keys;
	bool ok = false;

	*out = NULL;
	*n = 0;
	if (!repo_list(r, KEY_FOLDER, &names, e))
		return false;
	keys = mem_array(names.n + 1, sizeof *keys);
	for (size_t i = 0; i < names.n; i++) {
		struct key_info *k = &keys[*n];

		if (!name_is_random(names.names[i]))
			continue;
		strcpy(k->name, names.names[i]);
		if (!read_slot(r, k->name, &k->slot, &k->why) && !err_is_unreadable(&k->why)) {
			if (e)
				*e = k->why;
			goto out;
		}
		++*n;
	}
	*out = keys;
	keys = NULL;
	ok = true;
out:
	free(keys);
	store_listing_release(&names);
	return ok;
}

/* The bytes that key_wrap and key_unwrap want of a secret. */
static bool secret_bytes(const struct secret *secret, uint8_t room[KEY_SIZE],
    struct span *bytes, struct err *e)
{
	*bytes = secret->bytes;
	if (secret->kind == SECRET_NONE)
		return err_set(
		    e, ERR_AUTH, "the repository is encrypted and no secret was given");
	if (secret->kind == SECRET_PASSPHRASE)
		return true;
	*bytes = span_of(room, KEY_SIZE);
	return key_file_parse(secret->bytes, room, e);
}

static void name_slot(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	(void)arg;
	strcpy(name, random);
}

bool repo_key_add(struct repo *r, const struct secret *secret, const char *label,
    uint64_t kdf_ops, uint64_t kdf_mem, char name[NAME_MAX_LEN + 1], struct err *e)
{
	struct key_slot slot = {.kind = KEY_FILE, .created = r->env->now(r->env)};
	struct json_body body = JSON_BODY_EMPTY;
	uint8_t room[KEY_SIZE];
	struct span bytes;
	bool ok = false;

	if (!r->params.encrypted)
		return err_set(
		    e, ERR_USAGE, "the repository is not encrypted: it has no keys");
	if (strlen(label) >= sizeof slot.label)
		return err_set(e, ERR_USAGE, "a key's label has at most %zu bytes",
		    sizeof slot.label - 1);
	if (secret->kind == SECRET_NONE ||
	    (secret->kind == SECRET_PASSPHRASE && secret->bytes.n == 0))
		return err_set(
		    e, ERR_USAGE, "no passphrase, or an empty one, protects nothing");
	strcpy(slot.label, label);
	if (secret->kind == SECRET_PASSPHRASE) {
		slot.kind = KEY_PASSPHRASE;
		slot.ops = kdf_ops;
		slot.mem = kdf_mem;
	}
	if (!secret_bytes(secret, room, &bytes, e) ||
	    !key_wrap(&slot, r->params.id, bytes, r->key, r->env, e))
		goto out;
	key_slot_encode(&slot, &body);
	ok =
	    repo_put_json(r, KEY_FOLDER, KEY_TYPE, name_slot, NULL, &body, name, NULL, e);
out:
	secret_wipe(room, sizeof room);
	json_body_release(&body);
	return ok;
}

/* How the search for a slot went. */
struct search {
	unsigned tried, other; /* slots of the secret's kind, and of the other kind */
	struct err broken;     /* of the first slot that could not be used at all */
	bool over;             /* no other would help: `broken` says why */
};

static bool open_failed(const struct search *s, enum secret_kind kind, struct err *e)
{
	const char *what = kind == SECRET_KEY_FILE ? "key file" : "passphrase";
	const char *other = kind == SECRET_KEY_FILE ? "passphrase" : "key file";
	bool broken = s->broken.kind != ERR_NONE;
	char more[160] = "";

	if (s->other > 0)
		snprintf(
		    more, sizeof more, "; %u more would open with a %s", s->other, other);
	if (s->tried == 0 && broken && e) {
		*e = s->broken;
		return err_wrap(e, "no usable key");
	}
	if (s->tried == 0 && s->other == 0)
		return err_set(e, ERR_CORRUPT,
		    "the repository is encrypted, but its folder " KEY_FOLDER
		    " holds no key");
	if (s->tried == 0)
		return err_set(e, ERR_AUTH, "no key of this repository opens with a %s%s",
		    what, more);
	return err_set(e, ERR_AUTH,
	    "wrong %s: it opens none of %u key%s (check spelling, keyboard layout, and "
	    "that this "
	    "is the right repository%s)%s%.300s",
	    what, s->tried, s->tried == 1 ? "" : "s", more,
	    broken ? "; not usable: " : "", broken ? s->broken.text : "");
}

/* Whether the slot opened; what stood in the way is noted otherwise. */
static bool try_slot(struct repo *r, const char *name, enum secret_kind kind,
    struct span bytes, struct search *s)
{
	struct err why = ERR_EMPTY;
	struct key_slot slot;

	if (!read_slot(r, name, &slot, &why)) {
		s->over = why.kind == ERR_STOPPED || why.kind == ERR_UNREACHABLE;
		if (s->over || s->broken.kind == ERR_NONE)
			s->broken = why;
		return false;
	}
	if ((slot.kind == KEY_FILE) != (kind == SECRET_KEY_FILE)) {
		s->other++;
		return false;
	}
	if (key_unwrap(&slot, r->params.id, bytes, r->key, &why))
		return true;
	if (why.kind == ERR_AUTH) {
		s->tried++;
	} else if (s->broken.kind == ERR_NONE) {
		err_wrap(&why, KEY_FOLDER "/%s", name);
		s->broken = why;
	}
	return false;
}

bool repo_unlock(struct repo *r, const struct secret *secret, struct err *e)
{
	struct search search = {.broken = ERR_EMPTY};
	struct store_listing names = {0};
	uint8_t room[KEY_SIZE];
	struct span bytes;
	bool ok = false;

	if (!secret_bytes(secret, room, &bytes, e) ||
	    !repo_list(r, KEY_FOLDER, &names, e))
		goto out;
	for (size_t i = 0; i < names.n && !ok && !search.over; i++)
		if (name_is_random(names.names[i]))
			ok = try_slot(r, names.names[i], secret->kind, bytes, &search);
	if (!ok && search.over)
		*e = search.broken;
	else if (!ok)
		open_failed(&search, secret->kind, e);
out:
	secret_wipe(room, sizeof room);
	store_listing_release(&names);
	return ok;
}
