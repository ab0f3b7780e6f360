/*
 * What is damaged and who suffers, gathered while the check goes on and told at its end;
 * and the record of it in health/, which is what makes the next backup store anew what
 * can no longer be had.
 */
#include "engine/validate_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "engine/client.h"
#include "format/health.h"

#define EVERYWHERE                                                                       \
	UINT32_MAX /* in place of a damage's number: a path counts once in all */

/* --- sets */

void vset_add(struct vset *s, uint32_t x)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->v[mid] < x)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < s->n && s->v[low] == x)
		return;
	s->v = mem_grow(s->v, &s->cap, s->n + 1, sizeof *s->v);
	memmove(s->v + low + 1, s->v + low, (s->n - low) * sizeof *s->v);
	s->v[low] = x;
	s->n++;
}

/* --- gathering */

uint32_t damage_add(struct valid *v, const char *file, const char *kind, const char *text)
{
	struct vdamage *d;

	for (size_t i = 0; i < v->n_damage; i++)
		if (strcmp(v->damage[i].file, file) == 0)
			return (uint32_t)i;
	v->damage =
	    mem_grow(v->damage, &v->damage_cap, v->n_damage + 1, sizeof *v->damage);
	d = &v->damage[v->n_damage++];
	*d = (struct vdamage){
	    .file = mem_strdup(file), .kind = kind, .text = mem_strdup(text)};
	return (uint32_t)(v->n_damage - 1);
}

uint32_t damage_of_bundle(struct valid *v, uint32_t number)
{
	struct vbundle *b = &v->bundles[number];
	char name[2 * ID_SIZE + 1], folder[16], path[2 * ID_SIZE + 20];
	const char *kind = b->kind ? b->kind : "unresolved";
	const char *text =
	    b->text ? b->text : "a chunk that should be there is in no bundle";

	if (b->damage)
		return b->damage - 1;
	if (!b->listed) {
		kind = "missing";
		text = "others tell of it";
	}
	name_of_id(&b->name, name);
	snprintf(path, sizeof path, "%s/%s", folder_of(b->type, &b->name, folder), name);
	b->damage = damage_add(v, path, kind, text) + 1;
	return b->damage - 1;
}

void damage_band(struct valid *v, uint32_t damage, size_t band)
{
	struct vdamage *d = &v->damage[damage];

	if (!d->bands)
		d->bands = mem_array(v->n_bands / 8 + 1, 1);
	d->bands[band / 8] |= (uint8_t)(1u << band % 8);
}

/* Whether it is the first time that this damage is said to cost this path. */
static bool is_new(struct valid *v, uint32_t damage, struct span apath)
{
	uint8_t key[DIGEST_SHORT], number[4];
	struct digest d;

	put_u32(number, damage);
	digest_init(&d, DIGEST_SHORT, NULL, 0);
	digest_add(&d, span_of(number, sizeof number));
	digest_add(&d, apath);
	digest_end(&d, key);
	return map_put(&v->suffering, key, 0);
}

void damage_path(struct valid *v, uint32_t damage, struct span apath, uint64_t entries)
{
	struct vdamage *d = &v->damage[damage];

	if (is_new(v, EVERYWHERE, apath))
		v->result->damaged_paths += entries;
	if (!is_new(v, damage, apath))
		return;
	d->all_paths += entries;
	if (d->n_paths == VALIDATE_PATHS)
		return;
	d->n_paths++;
	buf_add_span(&d->paths, apath);
	buf_add_byte(&d->paths, 0);
}

/* --- telling */

static void report_one(struct valid *v, const struct vdamage *d)
{
	const char **snapshots = mem_array(v->n_bands + 1, sizeof *snapshots);
	struct span *paths = mem_array(d->n_paths + 1, sizeof *paths);
	struct damage_report r = {.file = d->file,
	    .kind = d->kind,
	    .text = d->text,
	    .snapshots = snapshots,
	    .paths = paths,
	    .n_paths = d->n_paths,
	    .all_paths = d->all_paths};
	const char *p = (const char *)d->paths.p;

	for (size_t i = 0; d->bands && i < v->n_bands; i++)
		if (d->bands[i / 8] >> i % 8 & 1)
			snapshots[r.n_snapshots++] = v->bands[i].name.text;
	for (size_t i = 0; i < d->n_paths; i++) {
		paths[i] = span_str(p);
		p += paths[i].n + 1;
	}
	v->o->damage(v->o->arg, &r);
	free(snapshots);
	free(paths);
}

void damage_report_all(struct valid *v)
{
	v->result->damaged_files = v->n_damage;
	for (size_t i = 0; v->o->damage && i < v->n_damage; i++)
		report_one(v, &v->damage[i]);
}

void damage_release(struct valid *v)
{
	for (size_t i = 0; i < v->n_damage; i++) {
		free(v->damage[i].file);
		free(v->damage[i].text);
		free(v->damage[i].bands);
		buf_release(&v->damage[i].paths);
	}
	free(v->damage);
	map_release(&v->suffering);
}

/* --- recording */

/* Runs of slots; the whole bundle where nothing in it can be relied on. */
static void record_bundle(
    const struct valid *v, const struct vbundle *b, struct health *h)
{
	struct damage d = {.bundle = b->name};
	bool any = false;

	for (uint32_t i = 0; !b->all_bad && b->has_dir && i <= b->n_chunks; i++) {
		uint32_t at = b->base + i;

		if (i < b->n_chunks && (v->bad[at / 8] >> at % 8 & 1)) {
			if (d.count++ == 0)
				d.slot = i;
		} else if (d.count > 0) {
			health_add_damage(h, &d);
			d.count = 0;
			any = true;
		}
	}
	if (!any)
		health_add_damage(h, &(struct damage){.bundle = b->name});
}

/* What a listing does not show may only be out of sight: it is asked for by its name. */
static bool is_gone(const struct valid *v, const struct vbundle *b)
{
	char name[2 * ID_SIZE + 1], folder[16];
	struct err why = ERR_EMPTY;
	uint64_t size;

	name_of_id(&b->name, name);
	return !repo_stat(v->repo, folder_of(b->type, &b->name, folder), name, &size, &why) &&
	    why.kind == ERR_MISSING;
}

/*
 * That a bundle is missing is recorded too: else a vacuum would take its absence for an
 * incomplete listing for ever. A bundle that is whole again takes back what was recorded.
 */
static void gather_record(const struct valid *v, struct health *h)
{
	for (size_t i = 0; i < v->n_bundles; i++) {
		const struct vbundle *b = &v->bundles[i];
		bool recorded = b->bad_at > b->good_at;

		if (!b->listed && (b->damage || b->required || b->has_dir) && !b->gone &&
		    !recorded && is_gone(v, b))
			health_add_damage(h, &(struct damage){.bundle = b->name});
		if (!b->listed)
			continue;
		if (b->kind && b->damage && !recorded)
			record_bundle(v, b, h);
		else if (!b->kind && recorded && v->o->level == VALIDATE_FULL)
			health_add_checked(h, &(struct checked){b->name, HEALTH_FULL});
	}
}

static void name_record(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	(void)arg;
	strcpy(name, random);
}

void damage_record(struct valid *v)
{
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1] = "";
	struct client_state client;
	struct err why = ERR_EMPTY;
	struct cache *cache;
	struct health h;

	health_init(&h);
	gather_record(v, &h);
	if (h.n_damage > 0 || h.n_checked > 0) {
		cache = cache_open(v->repo, v->o->cache_dir);
		client_state_load(cache, v->repo->env, &client);
		memcpy(h.client, client.id, sizeof h.client);
		h.time = v->repo->env->now(v->repo->env);
		health_encode(&h, &body);
		if (!repo_put_json(v->repo, "health", "health", name_record, NULL, &body,
			name, NULL, &why))
			valid_note(v, "health", "the damage could not be recorded: %s",
			    why.text);
		json_body_release(&body);
		client_state_release(&client);
		cache_close(cache);
	}
	health_release(&h);
}
