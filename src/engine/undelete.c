/*
 * The order is the protocol's: a head first, so that any vacuum that comes later sees
 * this run and waits for it; then the look at what has been condemned; then every
 * reference is resolved, by id, to a bundle that is listed, not condemned and not
 * damaged; then the tail, which names the old hunks. Hints stay as they are: readers
 * resolve.
 *
 * The tail of the removed band is read before the head, as the head repeats what stands
 * there; nothing is relied on by that.
 */
#include "engine/undelete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "band/refs.h"
#include "base/mem.h"
#include "engine/band_run.h"
#include "engine/marks.h"
#include "engine/remove.h"
#include "index/index.h"

#define BUNDLES_OPEN 4
#define FRAMES_KEPT  2

struct undeletion {
	struct repo *repo;
	const struct undelete_options *o;
	struct undelete_result *out;
	struct cache *cache;
	struct cache_pack *pack;
	struct index *index;
	struct refs refs;
	struct band_run run;
	struct band old; /* its tail */
};

/* --- what it was */

static bool same_refs(const struct band *a, const struct band *b)
{
	if (a->list_level != b->list_level || a->n_refs != b->n_refs)
		return false;
	for (size_t i = 0; i < a->n_refs; i++)
		if (!id_equal(&a->refs[i].ref.id, &b->refs[i].ref.id))
			return false;
	return true;
}

/* It has the time of the old one in its name, so only few have to be read. */
static bool check_not_back(struct undeletion *u, const struct bands *bands, struct err *e)
{
	char name[BAND_MAX_LEN + 1] = "";

	for (size_t i = 0; !*name && i < bands->n; i++) {
		const struct band_info *x = &bands->v[i];
		struct err why = ERR_EMPTY;
		enum band_file kind;
		struct band b;

		if (!band_looks_complete(x) || memcmp(x->name.text, u->old.name.text, 14) != 0)
			continue;
		if (band_read(u->repo, x, &kind, &b, &why) && kind == BAND_TAIL &&
		    b.start == u->old.start && strcmp(b.set, u->old.set) == 0 &&
		    same_refs(&b, &u->old))
			memcpy(name, x->name.text, sizeof name);
		band_release(&b);
	}
	return !*name || err_set(e, ERR_EXISTS, "snapshot %s is back already, as %s",
	    u->old.name.text, name);
}

static bool read_old(
    struct undeletion *u, const char *name, struct monitor *m, struct err *e)
{
	struct bands bands = {0};
	struct marks *marks = NULL;
	struct band_info *info;
	enum band_file kind;
	bool ok = bands_list(u->repo, &bands, e) &&
	    removed_find(&bands, span_str(name), &info, e);

	if (ok && band_is_trace(info))
		ok = err_set(e, ERR_MISSING, "nothing is left of %s: a vacuum has taken it",
		    info->name.text);
	ok = ok && band_read(u->repo, info, &kind, &u->old, e);

	if (ok && (kind != BAND_TAIL || u->old.kind != BAND_BACKUP || info->fences.n > 0))
		ok = err_set(e, ERR_REFUSED, "%s was never a complete snapshot",
		    info->name.text);
	ok = ok && marks_load(u->repo, m, &marks, e) && check_not_back(u, &bands, e);
	if (ok)
		marks_apply(marks, &u->old);
	marks_free(marks);
	bands_release(&bands);
	return ok;
}

/* --- what it needs */

static void lose(struct undeletion *u, struct span path, uint64_t entries)
{
	u->out->lost += entries;
	if (u->out->paths.n < UNDELETE_PATHS)
		string_list_add(&u->out->paths, path);
}

/*
 * Whether a chunk is where it may be relied on. The index is asked first, as it knows by
 * id; a bundle that no delta tells of is asked itself.
 */
static bool resolves(struct undeletion *u, enum file_type type, const struct id *id,
    const struct hint *hint, bool *found, struct err *e)
{
	struct err why = ERR_EMPTY;
	struct bundle *b;
	struct hint at;

	if (!index_find(u->index, id, &at, found, e))
		return false;
	if (!*found) {
		struct id name = inventory_get(u->refs.inventory, hint->bundle)->name;

		if (!inventory_usable(u->refs.inventory, hint->bundle, found, e))
			return false;
		if (*found && !chunk_reader_bundle(u->refs.chunks, type, &name, &b, &why)) {
			*found = false;
			if (!err_is_damage(&why)) {
				*e = why;
				return false;
			}
		}
		*found = *found && hint->slot < b->dir.n_chunks &&
		    id_equal(&b->dir.ids[hint->slot], id);
	}
	return true;
}

struct descent {
	struct undeletion *u;
	uint32_t level; /* of the items: 0: hunks, or the file's extents */
	struct span path; /* of the file */
	bool whole;     /* all of the file is there so far */
};

/* What cannot be read is lost, whatever resolves. */
static bool is_damage(struct err *e)
{
	if (!err_is_damage(e))
		return false;
	err_clear(e);
	return true;
}

static bool take_extent(void *arg, const struct extent *x, struct err *e)
{
	struct descent *d = arg;
	struct descent below = *d;
	enum file_type type = d->level ? FILE_HUNKS : FILE_DATA;

	if (x->hole || !d->whole)
		return true;
	if (!resolves(d->u, type, &x->id, &x->hint, &d->whole, e))
		return false;
	if (!d->whole || d->level == 0)
		return true;
	below.level--;
	if (!refs_extents(&d->u->refs, x, below.level, take_extent, &below, e)) {
		if (!is_damage(e))
			return false;
		below.whole = false;
	}
	d->whole = below.whole;
	return true;
}

static bool take_entry(void *arg, const struct entry *en, struct err *e)
{
	struct descent d = *(const struct descent *)arg;

	if (en->content != CONTENT_EXTENTS && en->content != CONTENT_LIST)
		return true;
	d.level = en->content == CONTENT_LIST ? en->list_level + 1 : 0;
	d.path = en->apath;
	d.whole = true;
	for (uint32_t i = 0; i < en->n_extents; i++)
		if (!take_extent(&d, &en->extents[i], e))
			return false;
	if (!d.whole)
		lose(d.u, en->apath, 1);
	return true;
}

static bool take_hunk(void *arg, const struct hunk_ref *r, struct err *e)
{
	const struct descent *d = arg;
	struct descent below = {.u = d->u, .level = d->level - 1};
	uint64_t before = d->u->out->lost;
	bool found;

	if (d->u->o->stop && *d->u->o->stop)
		return err_set(e, ERR_STOPPED, "stopped; the snapshot stays removed");
	if (!resolves(d->u, FILE_HUNKS, &r->id, &r->hint, &found, e))
		return false;
	if (found && (d->level > 0
	            ? refs_list(&d->u->refs, r, d->level - 1, take_hunk, &below, e)
	            : refs_hunk(&d->u->refs, r, take_entry, &below, e)))
		return true;
	if (found && !is_damage(e))
		return false;
	if (d->u->out->lost == before)
		lose(d->u, r->first, r->entries);
	return true;
}

/* In strict mode it may all be there, and this run not be allowed to rely on it. */
static bool refuse(struct undeletion *u, struct err *e)
{
	unsigned long long lost = u->out->lost;
	const char *name = u->old.name.text;

	if (!u->run.strict || u->run.leave)
		return err_set(e, ERR_REFUSED,
		    "%llu of the files and folders of snapshot %s need what is gone or about to "
		    "go; it stays removed", lost, name);
	string_list_release(&u->out->paths);
	if (u->run.client.leave)
		return err_set(e, ERR_REFUSED,
		    "a tombstone that was there is not shown now, so this client cannot tell "
		    "whether %llu of the files and folders of snapshot %s are about to go; it "
		    "stays removed: try again when the storage shows everything", lost, name);
	return err_set(e, ERR_REFUSED,
	    "not every client of this repository acknowledges what it writes, so one that is "
	    "not known to the others yet relies only on what it wrote itself, and %llu of "
	    "the files and folders of snapshot %s are by others; it stays removed: let "
	    "another client undelete it, or make a backup here, then one on another client, "
	    "and try again", lost, name);
}

static bool resolve_all(struct undeletion *u, struct err *e)
{
	struct descent d = {.u = u, .level = u->old.list_level};

	return refs_band(&u->refs, &u->old, take_hunk, &d, e) &&
	    (u->out->lost == 0 || refuse(u, e));
}

/* --- what it becomes */

static void copy_strings(struct string_list *to, const struct string_list *from)
{
	for (size_t i = 0; i < from->n; i++)
		string_list_add(to, span_str(from->v[i]));
}

static void fill_head(const struct undeletion *u, struct band *b)
{
	band_init(b);
	b->name = u->run.name;
	b->kind = BAND_BACKUP;
	b->start = u->old.start;
	b->program = mem_strdup(u->o->program);
	b->set = mem_strdup(u->old.set);
	b->host = mem_strdup(u->old.host);
	b->user = mem_strdup(u->old.user);
	copy_strings(&b->required, &u->old.required);
	copy_strings(&b->paths, &u->old.paths);
	copy_strings(&b->tags, &u->old.tags);
}

static void fill_tail(const struct undeletion *u, struct band *b)
{
	fill_head(u, b);
	b->end = u->old.end;
	band_run_fill(&u->run, b);
	b->totals = u->old.totals;
	b->list_level = u->old.list_level;
	for (size_t i = 0; i < u->old.n_refs; i++)
		band_add_ref(b, &u->old.refs[i]);
}

static bool begin(struct undeletion *u, struct err *e)
{
	struct band head;
	bool ok, settled;

	band_run_name(&u->run, u->old.start);
	fill_head(u, &head);
	ok = band_run_put(&u->run, BAND_HEAD, &head, e);
	band_release(&head);
	if (!ok)
		return false;
	memcpy(u->out->snapshot, u->run.name.text, sizeof u->out->snapshot);
	return repo_settle(u->repo, &settled, e) && band_run_look(&u->run, e) &&
	    band_run_fence_own(&u->run, e);
}

static bool finish(struct undeletion *u, struct err *e)
{
	struct band tail;

	bool ok;

	fill_tail(u, &tail);
	ok = repo_settle(u->repo, &tail.settled, e) && band_run_finish(&u->run, &tail, e);
	u->out->complete = u->run.complete;
	band_release(&tail);
	return ok;
}

static bool from_pack(void *arg, const struct id *id, struct buf *plain)
{
	const struct undeletion *u = arg;

	return u->pack && cache_pack_get(u->pack, id, plain);
}

static void open_pack(struct undeletion *u)
{
	char name[NAME_MAX_LEN + 1];

	cache_pack_name(u->repo, u->old.set, name);
	u->pack = cache_pack_open(u->cache, name);
}

bool undelete_run(struct repo *r, const char *name, const struct undelete_options *o,
    struct monitor *m, struct undelete_result *out, struct err *e)
{
	struct undeletion u = {.repo = r, .o = o, .out = out};
	struct err ignored = ERR_EMPTY;
	bool ok;

	*out = (struct undelete_result){.lost = 0};
	band_init(&u.old);
	u.cache = cache_open(r, o->cache_dir);
	u.refs = (struct refs){r, chunk_reader_new(r, BUNDLES_OPEN, FRAMES_KEPT),
	    inventory_new(r), resolver_new(r), from_pack, &u};
	u.index = index_new(r, u.cache, u.refs.inventory);
	band_run_init(&u.run, r, u.cache, u.refs.inventory, m);
	ok = read_old(&u, name, m, e);
	if (ok) {
		open_pack(&u);
		ok = begin(&u, e) && resolve_all(&u, e) && finish(&u, e);
	}
	if (out->lost > 0 ||
	    (!ok && !out->complete && e->kind == ERR_STOPPED && out->snapshot[0]))
		band_run_give_up(&u.run, &ignored);
	cache_pack_close(u.pack);
	band_run_release(&u.run);
	index_free(u.index);
	resolver_free(u.refs.resolver);
	inventory_free(u.refs.inventory);
	chunk_reader_free(u.refs.chunks);
	cache_close(u.cache);
	band_release(&u.old);
	return ok;
}
