/*
 * All subkeys are derived at the start: there are few, and whoever holds the ring holds
 * the key. The ring is locked in memory where the system lets us, and wiped when freed.
 */
#include "codec/keyring.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"

struct keyring {
	uint8_t key[PURPOSES][KEY_SIZE];
	struct sealer sealer[PURPOSES];
};

static const char *const purpose_names[PURPOSES] = {
	[PURPOSE_CONTENT_ID] = "bale content-id 1",
	[PURPOSE_INDEX_ID] = "bale index-id 1",
	[PURPOSE_GEAR] = "bale gear 1",
	[PURPOSE_FRAMES] = "bale frames 1",
	[PURPOSE_TABLES] = "bale tables 1",
	[PURPOSE_JSON] = "bale json 1",
	[PURPOSE_CACHE] = "bale cache 1",
};

/* BLAKE2b-256 keyed with `key` of text and data. */
static void derive(uint8_t out[KEY_SIZE], const uint8_t key[KEY_SIZE], const char *text,
    struct span data)
{
	struct digest d;

	digest_init(&d, KEY_SIZE, key, KEY_SIZE);
	digest_add(&d, span_str(text));
	digest_add(&d, data);
	digest_end(&d, out);
	secret_wipe(&d, sizeof d);
}

struct keyring *keyring_new(const uint8_t key[KEY_SIZE], bool encrypted)
{
	struct keyring *k = mem_alloc(sizeof *k);

	(void)sodium_mlock(k, sizeof *k); /* a low RLIMIT_MEMLOCK is no reason to fail */
	for (size_t i = 0; i < PURPOSES; i++) {
		derive(k->key[i], key, purpose_names[i], SPAN_EMPTY);
		sealer_init(&k->sealer[i], k->key[i], !encrypted);
	}
	return k;
}

void keyring_free(struct keyring *k)
{
	if (!k)
		return;
	(void)sodium_munlock(k, sizeof *k); /* zeroes first, locked or not */
	secret_wipe(k, sizeof *k);
	free(k);
}

struct span keyring_key(const struct keyring *k, enum purpose purpose)
{
	return span_of(k->key[purpose], KEY_SIZE);
}

const struct sealer *keyring_sealer(const struct keyring *k, enum purpose purpose)
{
	return &k->sealer[purpose];
}

void secret_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

/*
 * The key that wraps: Argon2id of a passphrase. A key file's 256 random bits need no
 * stretching; they are mixed with the salt.
 */
static bool wrapping_key(uint8_t out[KEY_SIZE], const struct key_slot *slot,
    struct span secret, struct err *e)
{
	if (slot->kind == KEY_FILE) {
		if (secret.n != KEY_SIZE)
			return err_set(e, ERR_AUTH, "a key file holds %d bytes, not %zu",
			    KEY_SIZE, secret.n);
		derive(out, secret.p, "bale key-file 1",
		    span_of(slot->salt, KDF_SALT_SIZE));
		return true;
	}
	if (sodium_init() < 0)
		return err_set(e, ERR_IO, "libsodium does not start");
	if (crypto_pwhash(out, KEY_SIZE, secret.n ? (const char *)secret.p : "", secret.n,
		slot->salt,
		slot->ops, slot->mem, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_set(e, ERR_IO, "not enough memory to derive a key (%llu MiB)",
		    (unsigned long long)slot->mem >> 20);
	return true;
}

/* What the wrapping binds: crypto.md §3. */
static void slot_aad(
    const struct key_slot *slot, const uint8_t repo[REPO_ID_SIZE], struct buf *out)
{
	buf_add_str(out, "bale slot 1");
	buf_add(out, repo, REPO_ID_SIZE);
	buf_add_byte(out, slot->kind == KEY_FILE ? 1 : 0);
	buf_add_u64(out, slot->ops);
	buf_add_u64(out, slot->mem);
	buf_add(out, slot->salt, KDF_SALT_SIZE);
}

bool key_wrap(struct key_slot *slot, const uint8_t repo[REPO_ID_SIZE], struct span secret,
    const uint8_t key[KEY_SIZE], struct env *env, struct err *e)
{
	uint8_t kek[KEY_SIZE], nonce[NONCE_SIZE];
	struct buf aad = BUF_EMPTY, out = BUF_EMPTY;
	struct sealer s;
	bool ok = false;

	env->random(env, slot->salt, KDF_SALT_SIZE);
	env->random(env, nonce, NONCE_SIZE);
	if (!wrapping_key(kek, slot, secret, e))
		goto out;
	slot_aad(slot, repo, &aad);
	sealer_init(&s, kek, false);
	seal(&s, nonce, buf_span(&aad), span_of(key, KEY_SIZE), &out);
	sealer_release(&s);
	memcpy(slot->wrapped, out.p, KEY_WRAPPED_SIZE);
	ok = true;
out:
	secret_wipe(kek, sizeof kek);
	buf_release(&aad);
	buf_release(&out);
	return ok;
}

bool key_unwrap(const struct key_slot *slot, const uint8_t repo[REPO_ID_SIZE],
    struct span secret, uint8_t key[KEY_SIZE], struct err *e)
{
	uint8_t kek[KEY_SIZE];
	struct buf aad = BUF_EMPTY, out = BUF_EMPTY;
	struct sealer s;
	bool ok = false;

	if (!wrapping_key(kek, slot, secret, e))
		goto out;
	slot_aad(slot, repo, &aad);
	sealer_init(&s, kek, false);
	ok = unseal(&s, buf_span(&aad), span_of(slot->wrapped, KEY_WRAPPED_SIZE), &out,
	    NULL);
	sealer_release(&s);
	if (!ok) {
		err_set(e, ERR_AUTH, slot->kind == KEY_FILE ? "not the right key file"
							    : "wrong passphrase");
		goto out;
	}
	memcpy(key, out.p, KEY_SIZE);
	secret_wipe(out.p, out.n);
out:
	secret_wipe(kek, sizeof kek);
	buf_release(&aad);
	buf_release(&out);
	return ok;
}

#define KEY_FILE_WORD "bale-key-1 "

void key_file_make(const uint8_t secret[KEY_SIZE], struct buf *out)
{
	char hex[2 * KEY_SIZE + 1];

	hex_encode(secret, KEY_SIZE, hex);
	buf_add_str(out, KEY_FILE_WORD);
	buf_add_str(out, hex);
	buf_add_byte(out, '\n');
	secret_wipe(hex, sizeof hex);
}

bool key_file_parse(struct span text, uint8_t secret[KEY_SIZE], struct err *e)
{
	const size_t word = sizeof KEY_FILE_WORD - 1;

	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	if (text.n != word + 2 * KEY_SIZE || memcmp(text.p, KEY_FILE_WORD, word) != 0 ||
	    !hex_decode(span_of(text.p + word, 2 * KEY_SIZE), secret, KEY_SIZE))
		return err_set(e, ERR_AUTH, "not a key file of bale");
	return true;
}
