/* Removed files, and the finding of what was removed. */
#include "engine/remove.h"

#include <string.h>

#include "base/mem.h"
#include "engine/band_run.h"
#include "engine/marks.h"

#define PREFIX_MIN 4

static bool check(const struct marks *marks, const struct band_info *i, struct err *e)
{
	if (i->removed.n > 0)
		return true;
	if (i->tails.n == 0 && i->fences.n == 0)
		return err_set(e, ERR_REFUSED,
		    "snapshot %s is not finished and may be under way; its client declares it "
		    "dead at its next backup; nothing was removed", i->name.text);
	if (marks_pinned(marks, &i->name))
		return err_set(e, ERR_REFUSED,
		    "snapshot %s is pinned: unpin it first; nothing was removed", i->name.text);
	return true;
}

/* All that is to be known of the client is its id. */
static void client_id(struct repo *r, const char *cache_dir, char id[CLIENT_SIZE + 1])
{
	struct cache *cache = cache_open(r, cache_dir);
	struct client_state s;

	client_state_load(cache, r->env, &s);
	memcpy(id, s.id, CLIENT_SIZE + 1);
	client_state_release(&s);
	cache_close(cache);
}

bool remove_stuck(uint64_t removed, struct err *e)
{
	if (e->kind != ERR_NOSPACE)
		return false;
	return err_wrap(e,
	    "the storage is full, %llu snapshots were removed; bale vacuum --run "
	    "--sole-client gives back what they held, and some KiB of room are enough to go "
	    "on",
	    (unsigned long long)removed);
}

bool remove_run(struct repo *r, const char *cache_dir, struct band_info *const *v,
    size_t n, struct monitor *m, uint64_t *removed, struct err *e)
{
	struct marks *marks = NULL;
	char id[CLIENT_SIZE + 1];
	bool ok = marks_load(r, m, &marks, e);
	uint64_t size;

	*removed = 0;
	for (size_t i = 0; ok && i < n; i++)
		ok = check(marks, v[i], e);
	marks_free(marks);
	client_id(r, cache_dir, id);
	for (size_t i = 0; ok && i < n; i++) {
		if (v[i]->removed.n > 0)
			continue;
		ok = band_note_put(r, &v[i]->name, BAND_REMOVED, id, &size, e);
		*removed += ok;
	}
	return ok || remove_stuck(*removed, e);
}

bool removed_find(
    const struct bands *bands, struct span text, struct band_info **out, struct err *e)
{
	int shown = (int)(text.n < 200 ? text.n : 200);
	const struct band_info *other = NULL;

	*out = NULL;
	for (size_t i = 0; text.n >= PREFIX_MIN && i < bands->n; i++) {
		struct band_info *x = &bands->v[i];
		struct span name = span_str(x->name.text);

		if (x->removed.n == 0 || name.n < text.n || memcmp(name.p, text.p, text.n) != 0)
			continue;
		other = *out;
		*out = x;
		if (name.n == text.n)
			return true;
		if (other)
			return err_set(e, ERR_USAGE,
			    "\"%.*s\" may be any of several removed snapshots: %s, %s", shown,
			    text.p, other->name.text, x->name.text);
	}
	return *out || err_set(e, ERR_MISSING,
	    "no removed snapshot's name begins with \"%.*s\"; list --removed shows them",
	    shown,
	    text.p);
}
