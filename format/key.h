/*
 * keys/<name>: one passphrase's, or one key file's, wrapped copy of the repository key
 * (key.md).
 */
#ifndef BALE_FORMAT_KEY_H
#define BALE_FORMAT_KEY_H

#include "format/json.h"

#define KEY_WRAPPED_SIZE 72 /* nonce, 32 key bytes, tag */
#define KDF_SALT_SIZE    16

enum key_kind { KEY_PASSPHRASE, KEY_FILE };

struct key_slot {
	enum key_kind kind;
	int64_t created;
	char label[65];
	uint64_t ops, mem; /* Argon2id passes and bytes; 0 for a key file */
	uint8_t salt[KDF_SALT_SIZE];
	uint8_t wrapped[KEY_WRAPPED_SIZE];
};

/* Bounds: ops 1 to 64, mem 8 KiB to 4 GiB (FAULT_LIMIT beyond). */
void key_slot_encode(const struct key_slot *k, struct json_body *out);
bool key_slot_decode(const struct json_file *jf, struct key_slot *k, struct fault *f);

#endif
