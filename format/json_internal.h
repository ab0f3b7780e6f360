/*
 * How the codecs of format/ write and read the members of a JSON file. The forms of
 * values are those of json.md §2: text, time, hex, base64, numbers.
 */
#ifndef BALE_FORMAT_JSON_INTERNAL_H
#define BALE_FORMAT_JSON_INTERNAL_H

#include <jansson.h>

#include "format/band.h"

#define TIME_TEXT_SIZE 30 /* "2026-11-18T02:10:07.123456789Z" */
#define NUMBER_MAX     INT64_MAX

/* Byte strings as text. Decoding wants the canonical form; it appends to `out`. */
void text_encode(struct span bytes, struct buf *out);
bool text_decode(struct span text, struct buf *out);

void base64_encode(struct span bytes, struct buf *out);
bool base64_decode(struct span text, struct buf *out);
size_t base64_size(size_t n); /* characters that n bytes become */

void time_encode(int64_t ns, char out[TIME_TEXT_SIZE + 1]);
bool time_decode(struct span text, int64_t *ns);

/* In UTC. */
struct time_parts {
	int64_t year, month, day, hour, minute, second, rest;
};

void time_split(int64_t ns, struct time_parts *t);

/* Exactly n digits. */
void digits_encode(char *p, size_t n, uint64_t v);
bool digits_decode(const uint8_t *p, size_t n, uint64_t *v);

/* n characters [0-9a-v]: ids of clients, random parts of names. */
bool base32_valid(struct span s, size_t n);
bool feature_valid(struct span s);

/*
 * Writing. Each adds one member, with a comma before it unless it is the first of its
 * object. Values past their bound are our bug and asserted. Key NULL adds an item of an
 * array.
 */
void json_add_u64(struct buf *b, const char *key, uint64_t v);
void json_add_bool(struct buf *b, const char *key, bool v);
void json_add_word(struct buf *b, const char *key, const char *word); /* as it stands */
void json_add_text(struct buf *b, const char *key, struct span bytes, size_t max);
void json_add_string(struct buf *b, const char *key, const char *s); /* NULL is "" */
void json_add_time(struct buf *b, const char *key, int64_t ns);
void json_add_hex(struct buf *b, const char *key, const uint8_t *p, size_t n);
void json_add_id(struct buf *b, const char *key, const struct id *id);
void json_add_base64(struct buf *b, const char *key, struct span bytes);
void json_add_list(
    struct buf *b, const char *key, const struct string_list *l, size_t max);
void json_add_open(struct buf *b, const char *key, char bracket);
void json_add_close(struct buf *b, char bracket);

/*
 * Reading. The reader stands on one object; the first failure is kept, and after it every
 * get yields zero or "". The key must be static text: it names the member in the fault.
 */
struct json_reader {
	json_t *object;
	bool bad;
	struct fault fault;
};

/* Parse text that must be one object and nothing else. NULL and *f on failure. */
json_t *json_text_load(struct span text, struct fault *f);

/* FAULT_FOREIGN where the file is not of the type. */
void json_reader_init(
    struct json_reader *r, const struct json_file *jf, const char *type);

/*
 * Move the reader to the secret object. The caller drops what is returned (NULL, and the
 * reader failed, where the secret is no object) once it has read the last member.
 */
json_t *json_reader_secret(struct json_reader *r, struct span secret);

void json_reader_fail(struct json_reader *r, enum fault_kind kind, const char *what);
bool json_reader_end(const struct json_reader *r, struct fault *f);

uint64_t json_get_u64(struct json_reader *r, const char *key, uint64_t min, uint64_t max);
bool json_get_bool(struct json_reader *r, const char *key);
/* Whether a member that may be left out is there. */
bool json_has(const struct json_reader *r, const char *key);
int64_t json_get_time(struct json_reader *r, const char *key);
void json_get_hex(struct json_reader *r, const char *key, uint8_t *out, size_t n);
void json_get_id(struct json_reader *r, const char *key, struct id *id);
void json_get_base64(struct json_reader *r, const char *key, uint8_t *out, size_t n);

/*
 * The index of the word in `words`, which NULL ends; one that is not there is
 * FAULT_NEWER.
 */
int json_get_word(struct json_reader *r, const char *key, const char *const *words);

/* At most max bytes, NUL-ended, and freed by the caller; *len may be NULL. */
char *json_get_text(struct json_reader *r, const char *key, size_t max, size_t *len);

/* A client's id; "" once anything failed. */
void json_get_client(struct json_reader *r, const char *key, char out[CLIENT_SIZE + 1]);

/* A band's name. */
void json_get_band(struct json_reader *r, const char *key, struct band_name *n);

/* An array of texts, appended to *l. `valid` sees each one decoded; NULL accepts all. */
void json_get_list(struct json_reader *r, const char *key, size_t max,
    bool (*valid)(struct span s), struct string_list *l);

/*
 * Calls fn with the reader standing on each item of an array of objects, until one
 * fails.
 */
void json_get_each(struct json_reader *r, const char *key,
    void (*fn)(struct json_reader *r, void *arg), void *arg);

/*
 * Reads "required" into *l (may be NULL). A feature that this version lacks is
 * FAULT_NEWER and named in `unknown`, which is "" otherwise.
 */
void json_get_required(
    struct json_reader *r, struct string_list *l, char unknown[FEATURE_MAX + 1]);

#endif
