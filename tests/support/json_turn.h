/*
 * A JSON file of the format turned once around: opened, decoded, encoded again, with the
 * digest it came with. The structures' unit tests and fuzz targets share this.
 */
#ifndef BALE_TESTS_JSON_TURN_H
#define BALE_TESTS_JSON_TURN_H

#include "format/json.h"

/* Decode (the secret is jf->secret) and encode into an empty body. */
typedef bool json_turn_fn(
    const struct json_file *jf, struct json_body *out, struct fault *f);

/* The whole file in one step; for the tests, whose digests nobody checks. */
void json_make(struct buf *out, const char *type, const char *name,
    const uint8_t repo[REPO_ID_SIZE], const struct json_body *body, enum json_secret mode,
    const struct id *digest);

/* Replaces what `out` holds. */
bool json_turn(struct span bytes, json_turn_fn *turn, struct buf *out, struct fault *f);

/* What each fuzz target asks: what is accepted encodes to what encodes to itself. */
void json_turn_fuzz(struct span bytes, json_turn_fn *turn);

/*
 * The vectors of a structure: good ones turn to themselves, and neither begin nor end
 * short; a bad-KIND-… is refused as KIND, an unsupported- one as newer. Prints what does
 * not hold; returns how many files were looked at, 0 where anything failed.
 */
size_t json_vectors_check(const char *structure, json_turn_fn *turn);

/* The envelope alone: the open members as they stand. */
json_turn_fn turn_envelope;
json_turn_fn turn_repository;
json_turn_fn turn_key;
json_turn_fn turn_band; /* head, part, tail, removed, fence */
json_turn_fn turn_tombstone;
json_turn_fn turn_mark;
json_turn_fn turn_client;
json_turn_fn turn_health;

#endif
