/*
 * What stands in for what cannot be read: the basis' entry, marked stale. Here a backup
 * cannot heal a chunk from the source, so one that rests on a condemned or damaged bundle
 * is read from it while that can still be done, and stored anew.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/digest.h"
#include "engine/backup_run.h"

static bool add_extent(void *arg, const struct extent *x, struct err *e)
{
	(void)e;
	item_add_piece(arg, x, NO_TICKET, 0);
	return true;
}

bool stale_copy(struct run *r, const struct entry *be, struct item **out, struct err *e)
{
	struct item *it = item_copy(be);
	struct err why = ERR_EMPTY;
	bool usable;
	uint32_t i;

	*out = NULL;
	it->entry.stale = true;
	if (!merge_usable(r, be, &usable, e))
		goto fail;
	it->rescue = !usable;
	if (!usable && be->content == CONTENT_LIST) {
		/* Its lists are written anew, and name what is copied. */
		it->list = false;
		it->entry.content = CONTENT_EXTENTS;
		if (!basis_extents(r->basis, add_extent, it, &why)) {
			*e = why;
			item_free(it);
			return err_is_damage(&why);
		}
	} else {
		for (i = 0; i < be->n_extents; i++) {
			item_add_piece(it, &be->extents[i], NO_TICKET, 0);
			if (it->list && r->new_pack)
				cache_pack_keep(r->new_pack, &be->extents[i].id);
		}
	}
	*out = it;
	return true;
fail:
	item_free(it);
	return false;
}

/* STEP_END: the chunk is lost. */
static enum step rescue_piece(
    struct run *r, struct item *it, struct piece *p, struct err *e)
{
	struct found place = {.slot = p->x.hint.slot};
	struct err why = ERR_EMPTY;
	struct span plain;
	bool known;

	if (!inventory_usable(r->inventory, p->x.hint.bundle, &known, e))
		return STEP_FAILED;
	if (known)
		return STEP_ITEM;
	place.bundle = inventory_get(r->inventory, p->x.hint.bundle)->name;
	if (!pass_known(r, p, &known, e))
		return STEP_FAILED;
	if (known)
		return STEP_ITEM;
	if (!resolver_read(
	        r->resolver, r->chunks, FILE_DATA, &place, &p->x.id, &plain, &why)) {
		*e = why;
		return err_is_damage(&why) ? STEP_END : STEP_FAILED;
	}
	return pass_new(r, it, p, plain, e) ? STEP_ITEM : STEP_FAILED;
}

static enum step rescue(struct run *r, struct item *it, struct err *e)
{
	enum step step = STEP_ITEM;
	size_t i;

	for (i = 0; step == STEP_ITEM && i < it->n_pieces; i++)
		if (!it->pieces[i].x.hole)
			step = rescue_piece(r, it, &it->pieces[i], e);
	it->rescue = false;
	return step;
}

bool stale_pass(struct run *r, struct item *it, struct err *e)
{
	struct item *used = item_used(it);
	enum step step;

	if (!used || !used->rescue)
		return true;
	step = rescue(r, used, e);
	if (step != STEP_END)
		return step == STEP_ITEM;
	if (!it->why)
		it->why = mem_zalloc(sizeof *it->why);
	err_set(it->why, ERR_CORRUPT,
	    "cannot be read, and what an earlier snapshot holds of it is damaged: %s",
	    e->text);
	it->outcome = ITEM_UNREADABLE;
	item_free(it->fallback);
	it->fallback = NULL;
	return true;
}

/*
 * The first name may have been removed since, or be a fresh file; a stale entry links
 * only to another stale one.
 */
void stale_link(struct run *r, struct item *it)
{
	struct span first = it->entry.hardlink;
	uint64_t *at;
	struct id key;

	if (!it->entry.stale || first.n == 0)
		return;
	digest_name(&key, &first, 1);
	at = map_get(&r->stale_links, &key);
	if (at) {
		it->entry.hardlink = span_str(r->stale_firsts.v[*at]);
		return;
	}
	map_put(&r->stale_links, &key, r->stale_firsts.n);
	string_list_add(&r->stale_firsts, it->entry.apath);
	it->entry.hardlink = it->entry.apath;
}

void stale_release(struct run *r)
{
	map_release(&r->stale_links);
	string_list_release(&r->stale_firsts);
}
