/*
 * Tombstones. What one names is deleted some day: so a name that is not exactly one of
 * the known kinds is refused, and with it the whole tombstone.
 */
#include "format/tombstone.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/json_internal.h"

#define FILE_TEXT_MAX (16 + 1 + NAME_MAX_LEN)

static const char *const bundle_kinds[] = {"data", "hunks", NULL};

/* Keys are no vacuum's business, and bundles are named as such. */
static const char *const folders[] = {
    "bands/", "index/", "tombstones/", "marks/", "clients/", "health/"};

void tombstone_init(struct tombstone *t)
{
	memset(t, 0, sizeof *t);
}

void tombstone_release(struct tombstone *t)
{
	free(t->bundles);
	free(t->hunks);
	string_list_release(&t->files);
	tombstone_init(t);
}

void tombstone_add_bundle(struct tombstone *t, const struct id *name, bool hunks)
{
	size_t need = t->n_bundles + 1;

	t->bundles = mem_grow(t->bundles, &t->bundles_cap, need, sizeof *t->bundles);
	t->hunks = mem_grow(t->hunks, &t->hunks_cap, need, sizeof *t->hunks);
	t->bundles[t->n_bundles] = *name;
	t->hunks[t->n_bundles++] = hunks;
}

void tombstone_encode(const struct tombstone *t, struct json_body *out)
{
	struct buf *b = &out->open;
	size_t i;

	json_add_word(b, "run", t->run.text);
	json_add_time(b, "time", t->time);
	json_add_open(b, "bundles", '[');
	for (i = 0; i < t->n_bundles; i++) {
		json_add_open(b, NULL, '{');
		json_add_word(b, "kind", bundle_kinds[t->hunks[i]]);
		json_add_id(b, "name", &t->bundles[i]);
		json_add_close(b, '}');
	}
	json_add_close(b, ']');
	json_add_list(b, "files", &t->files, FILE_TEXT_MAX);
}

static bool file_valid(struct span s)
{
	size_t i, n;

	for (i = 0; i < sizeof folders / sizeof *folders; i++) {
		n = strlen(folders[i]);
		if (s.n > n && memcmp(s.p, folders[i], n) == 0)
			return name_valid(span_of(s.p + n, s.n - n));
	}
	return false;
}

static void read_bundle(struct json_reader *r, void *arg)
{
	bool hunks = json_get_word(r, "kind", bundle_kinds) == 1;
	struct id name;

	json_get_id(r, "name", &name);
	if (!r->bad)
		tombstone_add_bundle(arg, &name, hunks);
}

bool tombstone_decode(const struct json_file *jf, struct tombstone *t, struct fault *f)
{
	struct json_reader in;

	tombstone_init(t);
	json_reader_init(&in, jf, "tombstone");
	json_get_band(&in, "run", &t->run);
	t->time = json_get_time(&in, "time");
	json_get_each(&in, "bundles", read_bundle, t);
	json_get_list(&in, "files", FILE_TEXT_MAX, file_valid, &t->files);
	return json_reader_end(&in, f);
}
