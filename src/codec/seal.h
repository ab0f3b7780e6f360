/*
 * Sealing: XChaCha20-Poly1305 (format/crypto.md). Sealed bytes are nonce, ciphertext,
 * tag. In an unencrypted repository a sealer is off, and sealing copies.
 */
#ifndef BALE_CODEC_SEAL_H
#define BALE_CODEC_SEAL_H

#include "base/err.h"
#include "format/repository.h"

#define NONCE_SIZE 24
#define SEAL_EXTRA 40 /* what sealing adds: nonce and tag */

/* Written once, then shared by all threads. */
struct sealer {
	bool off;
	uint8_t key[KEY_SIZE];
};

/* key may be NULL where off. Release wipes the key. */
void sealer_init(struct sealer *s, const uint8_t key[KEY_SIZE], bool off);
void sealer_release(struct sealer *s);

/* The length of n bytes once sealed. */
size_t seal_size(const struct sealer *s, size_t n);

/* Append the sealed bytes to *out. A nonce is used once, ever, under one key. */
void seal(const struct sealer *s, const uint8_t nonce[NONCE_SIZE], struct span aad,
    struct span plain, struct buf *out);

/*
 * Append the plain bytes to *out; neither aad nor sealed may lie in it. ERR_CORRUPT where
 * key, associated data or any byte differ from those of the sealing; *out then keeps its
 * content. With a sealer that is off nothing can be detected.
 */
bool unseal(const struct sealer *s, struct span aad, struct span sealed, struct buf *out,
    struct err *e);

/*
 * The nonce of one sealing in a run (crypto.md §4). The seed is 32 fresh random bytes for
 * each run; within it no pair of lane and ticket is used twice, also not for another try
 * at the same thing.
 */
void nonce_derive(uint8_t out[NONCE_SIZE], const uint8_t seed[32], uint64_t lane,
    uint64_t ticket);

#endif
