/*
 * clients/<name>: a client registers for strict mode, or is retired (client.md). Open:
 * id, time, state. Secret: host.
 */
#ifndef BALE_FORMAT_CLIENT_H
#define BALE_FORMAT_CLIENT_H

#include "format/band.h"

struct client {
	char id[CLIENT_SIZE + 1];
	int64_t time;
	bool retired;
	uint64_t counter; /* of its last band when this was written; 0: none */
	char *host;
};

void client_release(struct client *c);
void client_encode(const struct client *c, struct json_body *out);
/* *c is released by the caller, also after a failure. */
bool client_decode(
    const struct json_file *jf, struct span secret, struct client *c, struct fault *f);

#endif
