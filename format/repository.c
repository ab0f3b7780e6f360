/*
 * The repository head. What is required is looked at before anything else: a feature may
 * change what the other members mean.
 */
#include "format/repository.h"

#include "format/json_internal.h"

#define MIB (1u << 20)

#define FRAME_PLAIN_MIN   (64u << 10)
#define BUNDLE_TARGET_MIN (64u << 10)
#define BUNDLE_TARGET_MAX (256u << 20)
#define README_MAX        (1u << 20)
#define TIER_MIN          64 /* what the cutting hash looks back on */

static void default_tier(struct cut_params *c, int i, uint64_t file_max, uint32_t average)
{
	c->tier[i].file_max = file_max;
	c->tier[i].min = average / 2;
	c->tier[i].average = average;
	c->tier[i].max = average * 4;
}

void repository_defaults(struct repository *r)
{
	memset(r, 0, sizeof *r);
	r->cut.whole_max = 131072;
	default_tier(&r->cut, 0, 16 * MIB, MIB / 16);
	default_tier(&r->cut, 1, 1024 * (uint64_t)MIB, MIB / 4);
	default_tier(&r->cut, 2, UINT64_MAX, MIB);
	r->frame_plain = MIB;
	r->bundle_target = 32 * MIB;
}

void repository_encode(const struct repository *r, struct json_body *out)
{
	struct buf *b = &out->open;
	int i;

	json_add_open(b, "required", '[');
	json_add_close(b, ']');
	json_add_time(b, "created", r->created);
	json_add_bool(b, "encrypted", r->encrypted);
	if (!r->encrypted)
		json_add_hex(b, "key", r->key, KEY_SIZE);
	json_add_u64(b, "whole_max", r->cut.whole_max);
	json_add_open(b, "tiers", '[');
	for (i = 0; i < CUT_TIERS; i++) {
		json_add_open(b, NULL, '{');
		if (i < CUT_TIERS - 1)
			json_add_u64(b, "file_max", r->cut.tier[i].file_max);
		else
			json_add_word(b, "file_max", "none");
		json_add_u64(b, "min", r->cut.tier[i].min);
		json_add_u64(b, "average", r->cut.tier[i].average);
		json_add_u64(b, "max", r->cut.tier[i].max);
		json_add_close(b, '}');
	}
	json_add_close(b, ']');
	json_add_u64(b, "frame_plain", r->frame_plain);
	json_add_u64(b, "bundle_target", r->bundle_target);
	json_add_u64(b, "readme_size", r->readme_size);
	json_add_id(b, "readme_digest", &r->readme_digest);
}

struct tier_reader {
	struct cut_params *cut;
	int n;
};

static void read_tier(struct json_reader *r, void *arg)
{
	static const char *const none[] = {"none", NULL};
	struct tier_reader *t = arg;
	uint64_t file_max = UINT64_MAX;
	uint32_t min, average, max;

	if (t->n == CUT_TIERS) {
		json_reader_fail(r, FAULT_CORRUPT, "tiers");
		return;
	}
	if (t->n < CUT_TIERS - 1)
		file_max = json_get_u64(r, "file_max", 1, NUMBER_MAX);
	else
		json_get_word(r, "file_max", none);
	min = (uint32_t)json_get_u64(r, "min", TIER_MIN, CHUNK_MAX);
	average = (uint32_t)json_get_u64(r, "average", 1, CHUNK_MAX);
	max = (uint32_t)json_get_u64(r, "max", 1, CHUNK_MAX);
	if (min >= average || average > max)
		json_reader_fail(r, FAULT_CORRUPT, "average: not between min and max");
	if (average & (average - 1))
		json_reader_fail(r, FAULT_CORRUPT, "average: not a power of two");
	if (t->n > 0 && file_max <= t->cut->tier[t->n - 1].file_max)
		json_reader_fail(r, FAULT_CORRUPT, "file_max: not ascending");
	t->cut->tier[t->n].file_max = file_max;
	t->cut->tier[t->n].min = min;
	t->cut->tier[t->n].average = average;
	t->cut->tier[t->n].max = max;
	t->n++;
}

bool repository_decode(const struct json_file *jf, struct repository *r, struct fault *f)
{
	struct tier_reader tiers = {&r->cut, 0};
	struct json_reader in;

	memset(r, 0, sizeof *r);
	json_reader_init(&in, jf, "repository");
	json_get_required(&in, NULL, r->unknown_feature);
	if (strcmp(jf->name, "bale.json") != 0)
		json_reader_fail(&in, FAULT_CORRUPT, "name");
	memcpy(r->id, jf->repo, REPO_ID_SIZE);
	r->created = json_get_time(&in, "created");
	r->encrypted = json_get_bool(&in, "encrypted");
	if (!r->encrypted)
		json_get_hex(&in, "key", r->key, KEY_SIZE);
	r->cut.whole_max = (uint32_t)json_get_u64(&in, "whole_max", 0, CHUNK_MAX);
	json_get_each(&in, "tiers", read_tier, &tiers);
	if (tiers.n != CUT_TIERS)
		json_reader_fail(&in, FAULT_CORRUPT, "tiers");
	r->frame_plain =
	    (uint32_t)json_get_u64(&in, "frame_plain", FRAME_PLAIN_MIN, FRAME_PLAIN_MAX);
	r->bundle_target = (uint32_t)json_get_u64(
	    &in, "bundle_target", BUNDLE_TARGET_MIN, BUNDLE_TARGET_MAX);
	r->readme_size = (uint32_t)json_get_u64(&in, "readme_size", 0, README_MAX);
	json_get_id(&in, "readme_digest", &r->readme_digest);
	return json_reader_end(&in, f);
}
