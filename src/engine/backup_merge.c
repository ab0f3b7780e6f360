/*
 * The walk against the basis, both in apath order. What is unchanged keeps its content by
 * reference, provided that every bundle it rests on may be relied on; all else is read.
 * What cannot be read is carried forward from the basis, marked stale, and never
 * silently.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_run.h"

static void tell(
    struct run *r, enum problem what, struct span apath, const struct err *why)
{
	monitor_problem(r->m, what, apath, why);
}

/* --- copying from the basis */

struct copying {
	struct run *r;
	struct item *item;
	bool usable;
};

static bool check_extent(void *arg, const struct extent *x, struct err *e)
{
	struct copying *c = arg;

	return x->hole || !c->usable ||
	    inventory_usable(c->r->inventory, x->hint.bundle, &c->usable, e);
}

bool merge_usable(struct run *r, const struct entry *be, bool *usable, struct err *e)
{
	struct copying c = {r, NULL, true};
	struct err why = ERR_EMPTY;
	uint32_t i;

	*usable = true;
	if (be->content != CONTENT_EXTENTS && be->content != CONTENT_LIST)
		return true;
	for (i = 0; i < be->n_extents; i++)
		if (!check_extent(&c, &be->extents[i], e))
			return false;
	if (c.usable && be->content == CONTENT_LIST &&
	    !basis_extents(r->basis, check_extent, &c, &why)) {
		if (!err_is_damage(&why)) {
			*e = why;
			return false;
		}
		c.usable = false;
	}
	*usable = c.usable;
	return true;
}

/* --- unreadable parts of the source */

static void add_unreadable(struct run *r, struct span apath)
{
	uint8_t *copy = mem_alloc(apath.n);

	memcpy(copy, apath.p, apath.n);
	r->unreadable = mem_grow(
	    r->unreadable, &r->unreadable_cap, r->n_unreadable + 1, sizeof *r->unreadable);
	r->unreadable[r->n_unreadable++] = span_of(copy, apath.n);
}

void merge_note(void *arg, enum walk_note what, struct span apath, int sys)
{
	struct err why = ERR_EMPTY;
	struct run *r = arg;

	switch (what) {
	case WALK_MISSING:
		err_set(&why, ERR_MISSING,
		    "is not there; what an earlier snapshot holds of it is kept");
		tell(r, PROBLEM_UNREADABLE, apath, &why);
		r->told.unreadable++;
		add_unreadable(r, apath);
		break;
	case WALK_VANISHED:
		err_sys(&why, sys, "gone before it was read");
		tell(r, PROBLEM_VANISHED, apath, &why);
		r->told.vanished++;
		break;
	case WALK_SOCKET:
		err_set(&why, ERR_NONE, "is a socket, which cannot be stored");
		tell(r, PROBLEM_SKIPPED, apath, &why);
		break;
	default:
		/*
		 * An item tells of what is unreadable; own and cache folders are left out
		 * silently.
		 */
		break;
	}
}

/*
 * An entry that only the basis has: removed, unless it is below something unreadable.
 * What rests on lists that are lost is lost to this snapshot, and said to be.
 */
static bool basis_only(struct run *r, const struct entry *be, struct err *e)
{
	struct err why = ERR_EMPTY;
	struct item *it;
	size_t i;

	for (i = 0; i < r->n_unreadable; i++)
		if (apath_within(be->apath, r->unreadable[i]))
			break;
	if (i == r->n_unreadable) {
		r->told.removed += be->kind == ENTRY_FILE;
		return true;
	}
	if (!stale_copy(r, be, &it, &why)) {
		*e = why;
		return false;
	}
	if (it) {
		store_item(r, it);
		return true;
	}
	err_wrap(&why, "cannot be read, and what an earlier snapshot holds of it is damaged");
	tell(r, PROBLEM_UNREADABLE, be->apath, &why);
	r->told.unreadable++;
	return true;
}

/* Step the basis past everything before `apath`; *be is the entry at it, or NULL. */
static bool basis_upto(
    struct run *r, struct span apath, const struct entry **be, struct err *e)
{
	const struct entry *en;
	bool failed;
	int order;

	*be = NULL;
	if (!r->basis)
		return true;
	while ((en = basis_peek(r->basis, e, &failed))) {
		order = apath_compare(en->apath, apath);
		if (order > 0)
			return true;
		if (order == 0) {
			*be = en;
			return true;
		}
		if (!basis_only(r, en, e))
			return false;
		basis_step(r->basis);
	}
	return !failed;
}

bool merge_finish(struct run *r, struct err *e)
{
	const struct entry *en;
	bool failed = false;

	while (r->basis && (en = basis_peek(r->basis, e, &failed))) {
		if (!basis_only(r, en, e))
			return false;
		basis_step(r->basis);
	}
	return !failed;
}

/* --- one item of the walk */

static bool same(const struct run *r, const struct entry *be, const struct facts *f)
{
	if (be->stale || be->kind != f->kind || be->size != f->size ||
	    be->mtime_s != f->mtime_s || be->mtime_ns != f->mtime_ns)
		return false;
	if (be->ctime_s == 0 && be->ctime_ns == 0)
		return false; /* read too close to a change of it */
	if (f->kind == ENTRY_CHAR || f->kind == ENTRY_BLOCK)
		if (be->major != f->major || be->minor != f->minor)
			return false;
	return r->o->ignore_ctime ||
	    (be->ctime_s == f->ctime_s && be->ctime_ns == f->ctime_ns);
}

/* The group of what has several links; the first one met names it. */
static void link_item(struct run *r, struct item *it)
{
	uint64_t key[2] = {it->facts.dev, it->facts.ino}, *at;
	struct link_group *g;

	if (it->facts.kind == ENTRY_DIR || it->facts.nlink < 2)
		return;
	at = map_get(&r->links, key);
	if (!at) {
		r->groups = mem_grow(
		    r->groups, &r->groups_cap, r->n_groups + 1, sizeof *r->groups);
		g = &r->groups[r->n_groups++];
		*g = (struct link_group){.apath = BUF_EMPTY, .left = it->facts.nlink};
		buf_add_span(&g->apath, it->entry.apath);
		map_put(&r->links, key, r->n_groups);
		it->link_first = true;
		it->link = (uint32_t)r->n_groups;
	} else {
		it->link = (uint32_t)*at;
	}
	g = &r->groups[it->link - 1];
	g->waiting++;
	if (--g->left == 0)
		map_remove(&r->links, key);
	if (it->link_first)
		it->entry.hardlink = it->entry.apath;
}

static void count_change(struct item *it, const struct entry *be)
{
	it->is_new = !be && it->entry.kind == ENTRY_FILE;
	it->is_changed = be && it->entry.kind == ENTRY_FILE;
}

/* What stands in for the item should it turn out unreadable. */
static bool add_fallback(
    struct run *r, struct item *it, const struct entry *be, struct err *e)
{
	return !be || stale_copy(r, be, &it->fallback, e);
}

/* An owner whose name cannot be found out now is kept by number. Told once a run. */
static void name_owner(struct run *r, struct item *it)
{
	int user = owners_user(r->owners, it->facts.uid, &it->entry.user);
	int group = owners_group(r->owners, it->facts.gid, &it->entry.group);
	struct err why = ERR_EMPTY;

	if (r->nameless || (!user && !group))
		return;
	r->nameless = true;
	err_sys(&why, user ? user : group,
	    "its owner's name cannot be looked up; such owners are kept by number only");
	tell(r, PROBLEM_NOTE, it->entry.apath, &why);
}

static bool merge_item(struct run *r, const struct walk_item *wi, struct err *e)
{
	const struct entry *be;
	struct item *it;
	bool usable = false;
	uint32_t i;

	if (!basis_upto(r, wi->apath, &be, e))
		return false;
	it = item_new(wi);
	name_owner(r, it);
	it->seen = r->repo->env->now(r->repo->env);
	link_item(r, it);
	if (it->link && !it->link_first) {
		/* The first of the group gives the content; nothing to read. */
		it->state = ITEM_READY;
		dir_unref(it->dir);
		it->dir = NULL;
		count_change(it, be);
		if (be && same(r, be, &wi->facts))
			it->is_changed = false;
		if (!add_fallback(r, it, be, e)) {
			item_free(it);
			return false;
		}
		store_item(r, it);
		goto out;
	}
	if (be && same(r, be, &wi->facts) && !merge_usable(r, be, &usable, e)) {
		item_free(it);
		return false;
	}
	if (usable) {
		it->entry.xattrs = span_of(NULL, 0);
		if (be->xattrs.n) {
			buf_add_span(&it->xattrs, be->xattrs);
			it->entry.xattrs = buf_span(&it->xattrs);
		}
		if (be->target.n) {
			buf_add_span(&it->target, be->target);
			it->entry.target = buf_span(&it->target);
		}
		buf_add_span(&it->inline_data, be->inline_data);
		it->entry.inline_data = buf_span(&it->inline_data);
		it->entry.content = be->content;
		it->entry.list_level = be->list_level;
		it->list = be->content == CONTENT_LIST;
		for (i = 0; i < be->n_extents; i++) {
			item_add_piece(it, &be->extents[i], NO_TICKET, 0);
			if (it->list && r->new_pack)
				cache_pack_keep(r->new_pack, &be->extents[i].id);
		}
		if (r->o->ignore_ctime) {
			it->entry.ctime_s = wi->facts.ctime_s;
			it->entry.ctime_ns = wi->facts.ctime_ns;
		}
		dir_unref(it->dir);
		it->dir = NULL;
		store_item(r, it);
	} else {
		count_change(it, be);
		it->state = it->entry.kind == ENTRY_FILE && it->entry.size > READ_WHOLE
		                ? ITEM_LARGE
		                : ITEM_READING;
		if (!add_fallback(r, it, be, e)) {
			item_free(it);
			return false;
		}
		store_item(r, it);
	}
out:
	if (be)
		basis_step(r->basis);
	return true;
}

/*
 * Nothing is known of it but that it is there: its basis stands in, all below included.
 */
static bool merge_unreadable(struct run *r, const struct walk_item *wi, struct err *e)
{
	struct err why = ERR_EMPTY;

	/* What could not be looked at may come twice: as an entry, and as a directory. */
	if (r->n_unreadable && span_equal(r->unreadable[r->n_unreadable - 1], wi->apath))
		return true;
	err_sys(&why, wi->unreadable,
	    wi->below ? "cannot be read as a directory" : "cannot be read");
	tell(r, PROBLEM_UNREADABLE, wi->apath, &why);
	r->told.unreadable++;
	add_unreadable(r, wi->apath);
	(void)e;
	return true;
}

enum step merge_next(struct run *r, struct err *e)
{
	const struct walk_item *wi;

	if (walk_next(r->walk, &wi) != STEP_ITEM)
		return STEP_END;
	if (wi->unreadable ? !merge_unreadable(r, wi, e) : !merge_item(r, wi, e))
		return STEP_FAILED;
	return STEP_ITEM;
}
