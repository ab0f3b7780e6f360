/*
 * health/<name>: damage found, and what was validated when (health.md). All open.
 */
#ifndef BALE_FORMAT_HEALTH_H
#define BALE_FORMAT_HEALTH_H

#include "format/band.h"

enum health_level { HEALTH_STORED, HEALTH_FULL };

/* Slots of a bundle that cannot be read as written. */
struct damage {
	struct id bundle;
	uint32_t slot, count; /* count 0: the whole bundle */
};

struct checked {
	struct id bundle;
	enum health_level level;
};

struct health {
	int64_t time;
	char client[CLIENT_SIZE + 1];
	struct damage *damage;
	size_t n_damage, damage_cap;
	struct checked *checked; /* found whole at `time` */
	size_t n_checked, checked_cap;
};

void health_init(struct health *h);
void health_release(struct health *h);
void health_add_damage(struct health *h, const struct damage *d);
void health_add_checked(struct health *h, const struct checked *c);
void health_encode(const struct health *h, struct json_body *out);
/* *h is released by the caller, also after a failure. */
bool health_decode(const struct json_file *jf, struct health *h, struct fault *f);

#endif
