/*
 * Names on the storage. Random ones are base32 in the digits of RFC 4648's "extended
 * hex", in lower case: they keep the rules for names and survive storage that folds case.
 */
#include "repo/repo.h"

#include <assert.h>

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

void name_random(struct env *env, char out[RANDOM_NAME_LEN + 1])
{
	uint8_t bytes[16];
	unsigned acc = 0, bits = 0;
	size_t n = 0;

	env->random(env, bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		acc = (acc << 8 | bytes[i]) & 0xfff;
		for (bits += 8; bits >= 5; bits -= 5)
			out[n++] = digits[acc >> (bits - 5) & 31];
	}
	out[n++] = digits[acc << (5 - bits) & 31];
	out[n] = '\0';
	assert(n == RANDOM_NAME_LEN);
}

bool name_is_random(const char *name)
{
	return strlen(name) == RANDOM_NAME_LEN && strspn(name, digits) == RANDOM_NAME_LEN;
}

const char *folder_of(enum file_type type, const struct id *name, char out[16])
{
	static const char hex[] = "0123456789abcdef";

	if (type == FILE_DATA) {
		memcpy(out, "data/", 5);
		out[5] = hex[name->b[0] >> 4];
		out[6] = '\0';
	} else {
		strcpy(out, type == FILE_HUNKS ? "hunks" : "index");
	}
	return out;
}

#define FOLDER_FILLED 1000 /* what most storage lists in one answer */

unsigned folders_for(uint64_t bundles)
{
	unsigned n = 1;

	while (n < DATA_FOLDERS && bundles >= n * (uint64_t)FOLDER_FILLED)
		n *= 2;
	return n;
}

void name_of_id(const struct id *id, char out[2 * ID_SIZE + 1])
{
	hex_encode(id->b, ID_SIZE, out);
}

bool id_of_name(const char *name, struct id *id)
{
	return hex_decode(span_str(name), id->b, ID_SIZE);
}
