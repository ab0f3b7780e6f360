/*
 * Hard links. A link waits: until the first entry of its group is done it has nothing to
 * link to. If that one failed, or was not asked for, the next of the group is restored
 * with its own content, and the others are linked to that.
 */
#include "engine/restore_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"

static void link_key(struct span first, struct id *key)
{
	digest_name(key, &first, 1);
}

static char *text_of(struct span s)
{
	char *t = mem_zalloc(s.n + 1);

	memcpy(t, s.p, s.n);
	return t;
}

static void link_wait(struct restore *r, const struct entry *en)
{
	r->links = mem_grow(r->links, &r->links_cap, r->n_links + 1, sizeof *r->links);
	r->links[r->n_links++] = (struct link){
	    text_of(en->apath), text_of(en->hardlink), en->kind == ENTRY_FILE};
}

bool link_waits(struct restore *r, const struct entry *en)
{
	struct id key;

	if (en->hardlink.n == 0 || span_equal(en->hardlink, en->apath))
		return false;
	link_key(en->hardlink, &key);
	if (!apath_within(en->hardlink, r->root) && !map_get(&r->stand_ins, key.b)) {
		map_put(&r->stand_ins, key.b, r->paths.n);
		string_list_add(&r->paths, en->apath);
		return false;
	}
	link_wait(r, en);
	return true;
}

/* STEP_END: the file that it should be linked to is not there. */
static enum step link_make(struct restore *r, const struct link *l, struct err *e)
{
	struct span first = span_str(l->first), apath = span_str(l->apath);
	struct id key;
	uint64_t *at;

	link_key(first, &key);
	at = map_get(&r->stand_ins, key.b);
	if (at)
		first = span_str(r->paths.v[*at]);
	else if (!apath_within(first, r->root))
		return STEP_END;
	if (target_link(r->target, restore_below(r, apath), restore_below(r, first), e)) {
		r->out->files += l->file;
		r->out->others += !l->file;
		return STEP_ITEM;
	}
	/* Too many links for this file system: a copy is better than nothing. */
	return e->kind == ERR_MISSING || target_refusal(e) ? STEP_END : STEP_FAILED;
}

/* Restore a link's own content, by going to its entry a second time. */
static bool link_content(struct restore *r, struct reading *again, const struct link *l,
    struct gather *g, struct err *e)
{
	struct span apath = span_str(l->apath);
	enum stream_step st;
	struct entry en;
	struct id key;

	stream_seek(again->stream, apath);
	st = stream_next(again->stream, &en, e);
	if (st == STREAM_FAILED)
		return false;
	if (st == STREAM_DAMAGED) {
		restore_damage(r, apath, e);
		return true;
	}
	if (st == STREAM_END || !span_equal(en.apath, apath)) {
		err_set(e, ERR_CORRUPT, "its entry is not found again");
		restore_damage(r, apath, e);
		return true;
	}
	link_key(span_str(l->first), &key);
	map_put(&r->stand_ins, key.b, r->paths.n);
	string_list_add(&r->paths, apath);
	if (!l->file)
		return restore_special(r, &en, e);
	return gather_file(g, &en, en.apath.n - restore_below(r, en.apath).n, e) &&
	       gather_settle(g, e);
}

/* A gather of its own, as its extents are of another stream. */
static bool links_second(struct restore *r, const struct link *v, size_t n, struct err *e)
{
	struct reading again;
	struct gather_options o = {.target = r->target,
	    .cpu = r->cpu,
	    .transfer = r->transfer,
	    .stop = r->o->stop,
	    .done = restore_file_done,
	    .arg = r};
	struct gather *g;
	bool ok = true;

	reading_open(&again, r->repo, r->band, r->o->cache_dir, FRAMES_KEPT);
	o.reading = &again;
	g = gather_new(&o);
	for (size_t i = 0; ok && i < n; i++) {
		struct err why = ERR_EMPTY;
		enum step st = link_make(r, &v[i], &why);

		if (st == STEP_FAILED && e)
			*e = why;
		ok = st != STEP_FAILED && !restore_stopped(r, e);
		if (ok && st == STEP_END && why.kind != ERR_MISSING && target_refusal(&why))
			restore_attribute(r, restore_below(r, span_str(v[i].apath)),
			    "no hard link, but a copy", why.sys);
		if (ok && st == STEP_END)
			ok = link_content(r, &again, &v[i], g, e);
	}
	gather_free(g);
	reading_close(&again);
	return ok;
}

bool links_make(struct restore *r, struct err *e)
{
	size_t left = 0;
	bool ok = r->n_links == 0 || gather_settle(r->gather, e);

	for (size_t i = 0; i < r->n_links; i++) {
		struct link l = r->links[i];
		enum step st = ok ? link_make(r, &l, e) : STEP_FAILED;

		if (st == STEP_END) {
			r->links[left++] = l;
			continue;
		}
		ok = st == STEP_ITEM;
		free(l.apath);
		free(l.first);
	}
	ok = ok && (left == 0 || links_second(r, r->links, left, e));
	for (size_t i = 0; i < left; i++) {
		free(r->links[i].apath);
		free(r->links[i].first);
	}
	r->n_links = 0;
	return ok;
}

void links_release(struct restore *r)
{
	for (size_t i = 0; i < r->n_links; i++) {
		free(r->links[i].apath);
		free(r->links[i].first);
	}
	free(r->links);
	string_list_release(&r->paths);
	map_release(&r->stand_ins);
}
