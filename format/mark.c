/*
 * Marks. A snapshot's own tail is never rewritten: what is said of it later is a file
 * more.
 */
#include "format/mark.h"

#include <stdlib.h>

#include "format/json_internal.h"

static const char *const kinds[] = {"tag", "untag", "pin", "unpin", NULL};

void mark_release(struct mark *m)
{
	free(m->tag);
	memset(m, 0, sizeof *m);
}

void mark_encode(const struct mark *m, struct json_body *out)
{
	json_add_word(&out->open, "band", m->band.text);
	json_add_word(&out->open, "kind", kinds[m->kind]);
	json_add_time(&out->open, "time", m->time);
	json_add_open(&out->secret, NULL, '{');
	json_add_string(&out->secret, "tag", m->tag);
	json_add_close(&out->secret, '}');
}

bool mark_decode(
    const struct json_file *jf, struct span secret, struct mark *m, struct fault *f)
{
	struct json_reader in;
	json_t *object;

	memset(m, 0, sizeof *m);
	json_reader_init(&in, jf, "mark");
	json_get_band(&in, "band", &m->band);
	m->kind = (enum mark_kind)json_get_word(&in, "kind", kinds);
	m->time = json_get_time(&in, "time");
	object = json_reader_secret(&in, secret);
	m->tag = json_get_text(&in, "tag", TEXT_MAX, NULL);
	if (!in.bad && (m->kind <= MARK_UNTAG) != (m->tag[0] != '\0'))
		json_reader_fail(&in, FAULT_CORRUPT, "tag: with a pin, or none");
	json_decref(object);
	return json_reader_end(&in, f);
}
