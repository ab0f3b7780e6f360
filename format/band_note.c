/*
 * The two notes about a band that is not one's own to rewrite: removed, and fence.
 */
#include "format/band.h"

#include "format/json_internal.h"

void band_note_encode(const struct band_note *n, struct json_body *out)
{
	json_add_word(&out->open, "client", n->client);
	json_add_time(&out->open, "time", n->time);
}

bool band_note_decode(const struct json_file *jf, struct band_note *n, struct fault *f)
{
	bool fence = strcmp(jf->type, "fence") == 0;
	struct json_reader in;
	enum band_file kind;
	unsigned part;

	memset(n, 0, sizeof *n);
	json_reader_init(&in, jf, fence ? "fence" : "removed");
	if (!band_file_parse(span_str(jf->name), &n->band, &kind, &part) ||
	    kind != (fence ? BAND_FENCE : BAND_REMOVED))
		json_reader_fail(&in, FAULT_CORRUPT, "name: not of such a file");
	json_get_client(&in, "client", n->client);
	n->time = json_get_time(&in, "time");
	return json_reader_end(&in, f);
}
