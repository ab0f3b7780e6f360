/*
 * The envelope that every JSON file on the storage wears (json.md):
 *
 *   {"bale":1,"type":T,"name":N,"repository":HEX,"length":L,
 *       <open members>,"sealed":"B64","digest":"HEX"}\n     (without the line break)
 *
 * or "private":{…} in place of "sealed" in an unencrypted repository, or neither. The
 * digest is BLAKE2b-192 of every byte before `,"digest"`; the associated data of the
 * sealed part is every byte before `,"sealed"`. Nothing here hashes or unseals. The only
 * users of jansson below the command line are the files of format/.
 */
#ifndef BALE_FORMAT_JSON_H
#define BALE_FORMAT_JSON_H

#include "format/wire.h"

#define JSON_TYPE_MAX 16
#define JSON_SEAL_EXTRA 40 /* bytes that sealing adds: nonce and tag */

enum json_secret { JSON_NONE, JSON_PRIVATE, JSON_SEALED };

/* What a codec makes of a structure: both are text. */
struct json_body {
	struct buf open;   /* members without braces: "a":1,"b":2 — may be empty */
	struct buf secret; /* one object with braces — empty where there is none */
};

#define JSON_BODY_EMPTY {BUF_EMPTY, BUF_EMPTY}
void json_body_release(struct json_body *b);

struct json_file {
	char type[JSON_TYPE_MAX + 1];
	char name[NAME_MAX_LEN + 1];
	uint8_t repo[REPO_ID_SIZE];
	enum json_secret mode;
	struct buf secret; /* PRIVATE: the object's text; SEALED: the sealed bytes */
	size_t aad;        /* so many bytes from the start are associated data */
	size_t digested;   /* the first so many are under the digest */
	size_t size;       /* of the whole file */
	struct id digest;
	struct json_t *root; /* the whole object, for the codecs of format/ */
};

/*
 * A file's "required": what a reader must know; an entry that it does not is
 * FAULT_NEWER.
 */
#define FEATURE_MAX 63

/* Byte strings without a NUL in them, NUL-ended. */
struct string_list {
	char **v;
	size_t n, cap;
};

void string_list_add(struct string_list *l, struct span s);
bool string_list_has(const struct string_list *l, const char *s);
void string_list_want(struct string_list *l, const char *s); /* adds what it has not */
void string_list_release(struct string_list *l);

/*
 * Encode, in three steps, into an empty `out`: json_file_begin leaves the associated
 * data in `out` (all of it); json_file_secret adds the secret (sealed bytes, or the
 * plain object; nothing for JSON_NONE) and leaves the digested bytes; json_file_end adds
 * the digest. secret_size is the length of what json_file_secret will be given. The
 * caller sees to it that the whole stays within JSON_MAX.
 */
void json_file_begin(struct buf *out, const char *type, const char *name,
    const uint8_t repo[REPO_ID_SIZE], struct span open, enum json_secret mode,
    size_t secret_size);
void json_file_secret(struct buf *out, enum json_secret mode, struct span secret);
void json_file_end(struct buf *out, const struct id *digest);

/*
 * Decode: FOREIGN where it is no JSON file of bale; NEWER; TRUNCATED where the stated
 * length is longer than the bytes; CORRUPT where digest or length do not stand where
 * they must. LIMIT where it is longer than JSON_MAX. On success the caller closes; after
 * a failure closing is harmless. Members that are not known are left alone.
 *
 * Left to the caller: that repository and name are the expected ones, that the mode is
 * the repository's own (a PRIVATE file in an encrypted repository is a forgery), the
 * digest.
 */
bool json_file_open(struct span bytes, struct json_file *jf, struct fault *f);
void json_file_close(struct json_file *jf);

#endif
