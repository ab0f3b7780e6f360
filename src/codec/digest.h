/*
 * BLAKE2b, the one hash of bale (RFC 7693, sequential mode). The only user of libb2 is
 * digest.c.
 */
#ifndef BALE_CODEC_DIGEST_H
#define BALE_CODEC_DIGEST_H

#include "format/wire.h"

/* A digest under way. In place, copied freely, nothing to release. */
struct digest {
	uint64_t state[46]; /* the library's, which no header of ours need see */
	size_t out_len;
};

/*
 * out_len: 16, 24 or 32 bytes, a parameter of the hash: a shorter digest is not the
 * beginning of a longer one. key_len: 0 (unkeyed) to 64.
 */
void digest_init(struct digest *d, size_t out_len, const uint8_t *key, size_t key_len);
void digest_add(struct digest *d, struct span data);
/* Writes out_len bytes. The digest must be begun anew after it. */
void digest_end(struct digest *d, uint8_t *out);

/* Keyed BLAKE2b-192: the id of a chunk. */
void digest_id(struct id *out, struct span key, struct span data);

/* BLAKE2b-192 of the parts end to end, as `b2sum -l 192` prints it: names of files. */
void digest_name(struct id *out, const struct span *parts, size_t n);

/* BLAKE2b-128: of frames and directories as they are stored. */
void digest_short(uint8_t out[DIGEST_SHORT], struct span data);

#endif
