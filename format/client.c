/*
 * Registrations for strict mode: vacuum waits for each client that stands here
 * (client.md).
 */
#include "format/client.h"

#include <stdlib.h>

#include "format/json_internal.h"

static const char *const states[] = {"active", "retired", NULL};

void client_release(struct client *c)
{
	free(c->host);
	memset(c, 0, sizeof *c);
}

void client_encode(const struct client *c, struct json_body *out)
{
	json_add_word(&out->open, "client", c->id);
	json_add_time(&out->open, "time", c->time);
	json_add_word(&out->open, "state", states[c->retired]);
	json_add_u64(&out->open, "counter", c->counter);
	json_add_open(&out->secret, NULL, '{');
	json_add_string(&out->secret, "host", c->host);
	json_add_close(&out->secret, '}');
}

bool client_decode(
    const struct json_file *jf, struct span secret, struct client *c, struct fault *f)
{
	struct json_reader in;
	json_t *object;

	memset(c, 0, sizeof *c);
	json_reader_init(&in, jf, "client");
	json_get_client(&in, "client", c->id);
	c->time = json_get_time(&in, "time");
	c->retired = json_get_word(&in, "state", states) == 1;
	c->counter = json_get_u64(&in, "counter", 0, BAND_COUNTER_MAX);
	object = json_reader_secret(&in, secret);
	c->host = json_get_text(&in, "host", TEXT_MAX, NULL);
	json_decref(object);
	return json_reader_end(&in, f);
}
