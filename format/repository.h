/*
 * bale.json: the repository head (repository.md). Never sealed; written once, at init.
 */
#ifndef BALE_FORMAT_REPOSITORY_H
#define BALE_FORMAT_REPOSITORY_H

#include "format/json.h"

#define CUT_TIERS 3
#define KEY_SIZE  32

/* How content is cut; lengths in bytes. A tier serves files up to its file_max. */
struct cut_params {
	uint32_t whole_max; /* a file up to this is one chunk */
	struct {
		uint64_t file_max; /* the last tier's is UINT64_MAX, "none" in the JSON */
		uint32_t min, average, max; /* average a power of two */
	} tier[CUT_TIERS];
};

struct repository {
	uint8_t id[REPO_ID_SIZE];
	int64_t created; /* ns since 1970 */
	bool encrypted;
	uint8_t key[KEY_SIZE]; /* an unencrypted repository's key, which is no secret */
	struct cut_params cut;
	uint32_t frame_plain;   /* a frame closes before it would pass this */
	uint32_t bundle_target; /* stored bytes at which a bundle closes */
	uint32_t readme_size;
	struct id readme_digest; /* BLAKE2b-192 of README.txt */
	char unknown_feature[FEATURE_MAX + 1]; /* set where decoding found one, else "" */
};

/* The defaults of this version, id and key zero. */
void repository_defaults(struct repository *r);

void repository_encode(const struct repository *r, struct json_body *out);
/* An unknown entry in "required" is FAULT_NEWER; its name is in r->unknown_feature. */
bool repository_decode(const struct json_file *jf, struct repository *r, struct fault *f);

#endif
