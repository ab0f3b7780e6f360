/*
 * Key slots. Each stands for itself: adding or removing one touches no other file.
 */
#include "format/key.h"

#include <stdlib.h>

#include "format/json_internal.h"

#define OPS_MAX 64
#define MEM_MIN (8u << 10)
#define MEM_MAX (4ull << 30)

static const char *const kinds[] = {"passphrase", "key-file", NULL};

void key_slot_encode(const struct key_slot *k, struct json_body *out)
{
	struct buf *b = &out->open;

	json_add_word(b, "kind", kinds[k->kind]);
	json_add_time(b, "created", k->created);
	json_add_text(b, "label", span_str(k->label), sizeof k->label - 1);
	if (k->kind == KEY_PASSPHRASE) {
		json_add_u64(b, "ops", k->ops);
		json_add_u64(b, "mem", k->mem);
	}
	json_add_hex(b, "salt", k->salt, KDF_SALT_SIZE);
	json_add_base64(b, "wrapped", span_of(k->wrapped, KEY_WRAPPED_SIZE));
}

bool key_slot_decode(const struct json_file *jf, struct key_slot *k, struct fault *f)
{
	struct json_reader in;
	char *label;

	memset(k, 0, sizeof *k);
	json_reader_init(&in, jf, "key");
	k->kind = (enum key_kind)json_get_word(&in, "kind", kinds);
	k->created = json_get_time(&in, "created");
	label = json_get_text(&in, "label", sizeof k->label - 1, NULL);
	memcpy(k->label, label, strlen(label) + 1);
	free(label);
	if (k->kind == KEY_PASSPHRASE) {
		k->ops = json_get_u64(&in, "ops", 1, OPS_MAX);
		k->mem = json_get_u64(&in, "mem", MEM_MIN, MEM_MAX);
	}
	json_get_hex(&in, "salt", k->salt, KDF_SALT_SIZE);
	json_get_base64(&in, "wrapped", k->wrapped, KEY_WRAPPED_SIZE);
	return json_reader_end(&in, f);
}
