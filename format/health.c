/*
 * Health: what one validation found. Each is a file of its own, since nothing is
 * rewritten; what counts of them is told in health.md.
 */
#include "format/health.h"

#include <stdlib.h>

#include "base/mem.h"
#include "format/json_internal.h"

static const char *const levels[] = {"stored", "full", NULL};

void health_init(struct health *h)
{
	memset(h, 0, sizeof *h);
}

void health_release(struct health *h)
{
	free(h->damage);
	free(h->checked);
	health_init(h);
}

void health_add_damage(struct health *h, const struct damage *d)
{
	size_t need = h->n_damage + 1;

	h->damage = mem_grow(h->damage, &h->damage_cap, need, sizeof *h->damage);
	h->damage[h->n_damage++] = *d;
}

void health_add_checked(struct health *h, const struct checked *c)
{
	size_t need = h->n_checked + 1;

	h->checked = mem_grow(h->checked, &h->checked_cap, need, sizeof *h->checked);
	h->checked[h->n_checked++] = *c;
}

void health_encode(const struct health *h, struct json_body *out)
{
	struct buf *b = &out->open;
	size_t i;

	json_add_word(b, "client", h->client);
	json_add_time(b, "time", h->time);
	json_add_open(b, "damage", '[');
	for (i = 0; i < h->n_damage; i++) {
		json_add_open(b, NULL, '{');
		json_add_id(b, "bundle", &h->damage[i].bundle);
		json_add_u64(b, "slot", h->damage[i].slot);
		json_add_u64(b, "count", h->damage[i].count);
		json_add_close(b, '}');
	}
	json_add_close(b, ']');
	json_add_open(b, "checked", '[');
	for (i = 0; i < h->n_checked; i++) {
		json_add_open(b, NULL, '{');
		json_add_id(b, "bundle", &h->checked[i].bundle);
		json_add_word(b, "level", levels[h->checked[i].level]);
		json_add_close(b, '}');
	}
	json_add_close(b, ']');
}

static void read_damage(struct json_reader *r, void *arg)
{
	struct damage d;

	json_get_id(r, "bundle", &d.bundle);
	d.slot = (uint32_t)json_get_u64(r, "slot", 0, BUNDLE_CHUNKS_MAX - 1);
	d.count = (uint32_t)json_get_u64(r, "count", 0, BUNDLE_CHUNKS_MAX - d.slot);
	if (!r->bad && d.count == 0 && d.slot != 0)
		json_reader_fail(r, FAULT_CORRUPT, "count: none, but a slot");
	if (!r->bad)
		health_add_damage(arg, &d);
}

static void read_checked(struct json_reader *r, void *arg)
{
	struct checked c;

	json_get_id(r, "bundle", &c.bundle);
	c.level = (enum health_level)json_get_word(r, "level", levels);
	if (!r->bad)
		health_add_checked(arg, &c);
}

bool health_decode(const struct json_file *jf, struct health *h, struct fault *f)
{
	struct json_reader in;

	health_init(h);
	json_reader_init(&in, jf, "health");
	json_get_client(&in, "client", h->client);
	h->time = json_get_time(&in, "time");
	json_get_each(&in, "damage", read_damage, h);
	json_get_each(&in, "checked", read_checked, h);
	return json_reader_end(&in, f);
}
