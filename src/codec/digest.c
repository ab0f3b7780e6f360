/*
 * BLAKE2b through libb2. It is the same function as libsodium's generic hash; libb2 has
 * no initialisation, and its state may be copied.
 */
#include "codec/digest.h"

#include <assert.h>
#include <blake2.h>

_Static_assert(sizeof(blake2b_state) <= sizeof(((struct digest *)0)->state),
    "struct digest has room for libb2's state");

static blake2b_state *state_of(struct digest *d)
{
	return (blake2b_state *)(void *)d->state;
}

void digest_init(struct digest *d, size_t out_len, const uint8_t *key, size_t key_len)
{
	int rc;

	assert(out_len == 16 || out_len == 24 || out_len == 32);
	d->out_len = out_len;
	if (key_len > 0)
		rc = blake2b_init_key(state_of(d), out_len, key, key_len);
	else
		rc = blake2b_init(state_of(d), out_len);
	assert(rc == 0);
	(void)rc;
}

void digest_add(struct digest *d, struct span data)
{
	if (data.n > 0)
		blake2b_update(state_of(d), data.p, data.n);
}

void digest_end(struct digest *d, uint8_t *out)
{
	blake2b_final(state_of(d), out, d->out_len);
}

void digest_id(struct id *out, struct span key, struct span data)
{
	struct digest d;

	digest_init(&d, ID_SIZE, key.p, key.n);
	digest_add(&d, data);
	digest_end(&d, out->b);
}

void digest_name(struct id *out, const struct span *parts, size_t n)
{
	struct digest d;

	digest_init(&d, ID_SIZE, NULL, 0);
	for (size_t i = 0; i < n; i++)
		digest_add(&d, parts[i]);
	digest_end(&d, out->b);
}

void digest_short(uint8_t out[DIGEST_SHORT], struct span data)
{
	struct digest d;

	digest_init(&d, DIGEST_SHORT, NULL, 0);
	digest_add(&d, data);
	digest_end(&d, out);
}
