/* XChaCha20-Poly1305 of libsodium; its nonces are long enough to be drawn at random. */
#include "codec/seal.h"

#include <assert.h>
#include <sodium.h>

#include "codec/digest.h"

_Static_assert(NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(
    SEAL_EXTRA - NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");

void sealer_init(struct sealer *s, const uint8_t key[KEY_SIZE], bool off)
{
	int rc = sodium_init(); /* picks the code for this processor, once */

	assert(rc >= 0);
	(void)rc;
	s->off = off;
	if (off)
		memset(s->key, 0, KEY_SIZE);
	else
		memcpy(s->key, key, KEY_SIZE);
}

void sealer_release(struct sealer *s)
{
	sodium_memzero(s->key, KEY_SIZE);
}

size_t seal_size(const struct sealer *s, size_t n)
{
	return s->off ? n : n + SEAL_EXTRA;
}

void seal(const struct sealer *s, const uint8_t nonce[NONCE_SIZE], struct span aad,
    struct span plain, struct buf *out)
{
	uint8_t *to;

	if (s->off) {
		buf_add_span(out, plain);
		return;
	}
	to = buf_extend(out, plain.n + SEAL_EXTRA);
	memcpy(to, nonce, NONCE_SIZE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(to + NONCE_SIZE, NULL, plain.p,
	    plain.n, aad.p, aad.n, NULL, nonce, s->key);
}

bool unseal(const struct sealer *s, struct span aad, struct span sealed, struct buf *out,
    struct err *e)
{
	size_t before = out->n;
	uint8_t *to;

	if (s->off) {
		buf_add_span(out, sealed);
		return true;
	}
	if (sealed.n < SEAL_EXTRA)
		return err_set(e, ERR_CORRUPT, "too short to be sealed data");
	to = buf_extend(out, sealed.n - SEAL_EXTRA);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL,
		sealed.p + NONCE_SIZE, sealed.n - NONCE_SIZE, aad.p, aad.n, sealed.p,
		s->key) != 0) {
		out->n = before;
		return err_set(e, ERR_CORRUPT, "sealed data does not authenticate");
	}
	return true;
}

void nonce_derive(uint8_t out[NONCE_SIZE], const uint8_t seed[32], uint64_t lane,
    uint64_t ticket)
{
	uint8_t pair[16];
	struct digest d;

	put_u64(pair, lane);
	put_u64(pair + 8, ticket);
	digest_init(&d, NONCE_SIZE, seed, 32);
	digest_add(&d, span_of(pair, sizeof pair));
	digest_end(&d, out);
}
