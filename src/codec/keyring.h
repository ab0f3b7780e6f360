/*
 * The repository key, what derives from it, and how it is wrapped (format/crypto.md).
 */
#ifndef BALE_CODEC_KEYRING_H
#define BALE_CODEC_KEYRING_H

#include "base/env.h"
#include "codec/seal.h"
#include "format/key.h"

enum purpose {
	PURPOSE_CONTENT_ID, /* ids of chunks of files */
	PURPOSE_INDEX_ID,   /* ids of hunks and lists */
	PURPOSE_GEAR,       /* the table of cut.h */
	PURPOSE_FRAMES,     /* seals frames */
	PURPOSE_TABLES,     /* seals directories of bundles, and deltas */
	PURPOSE_JSON,       /* seals the secret part of JSON files */
	PURPOSE_CACHE,      /* seals files of the local cache */
	PURPOSES
};

/* Not changed after it was made: shared by all threads. */
struct keyring;

/* encrypted false: all sealers are off; ids and the gear table are keyed all the same. */
struct keyring *keyring_new(const uint8_t key[KEY_SIZE], bool encrypted);
void keyring_free(struct keyring *k); /* wipes; NULL is harmless */

/* KEY_SIZE bytes, borrowed. */
struct span keyring_key(const struct keyring *k, enum purpose purpose);
const struct sealer *keyring_sealer(const struct keyring *k, enum purpose purpose);

/* What Argon2id costs by default. */
#define KDF_OPS 3
#define KDF_MEM (64u << 20)

/*
 * Wrap the repository key: slot->kind, ops and mem are given (ops and mem 0 for a key
 * file), salt and wrapped are filled. secret: the passphrase's bytes, or the KEY_SIZE
 * bytes of a key file. ERR_IO where there is no memory for Argon2id.
 */
bool key_wrap(struct key_slot *slot, const uint8_t repo[REPO_ID_SIZE], struct span secret,
    const uint8_t key[KEY_SIZE], struct env *env, struct err *e);

/* The reverse. ERR_AUTH: not this slot's secret, or a damaged slot: nobody can tell. */
bool key_unwrap(const struct key_slot *slot, const uint8_t repo[REPO_ID_SIZE],
    struct span secret, uint8_t key[KEY_SIZE], struct err *e);

/* A key file's text: one line, "bale-key-1 <64 hexadecimal digits>". */
void key_file_make(const uint8_t secret[KEY_SIZE], struct buf *out);
/* The line's end may be missing, or "\r\n". ERR_AUTH where it is not a key file. */
bool key_file_parse(struct span text, uint8_t secret[KEY_SIZE], struct err *e);

/* Overwrite a secret in a way that no compiler leaves out. */
void secret_wipe(void *p, size_t n);

#endif
