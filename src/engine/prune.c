/*
 * Prune: read every snapshot's tail, judge, count what goes with those that are not kept,
 * tell, and only then remove.
 */
#include "engine/remove.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/band_run.h"
#include "engine/frees.h"
#include "engine/marks.h"

#define BUNDLES_OPEN 4
#define FRAMES_KEPT  2

/* A band that refers to chunks; a snapshot that is judged has a candidate. */
struct member {
	struct band_info *info;
	struct band band;
	struct candidate *candidate; /* NULL: not judged, so it stays */
	uint32_t number;             /* of a removed one, from 1 on; else 0 */
};

struct packs {
	struct cache_pack **v;
	size_t n, cap;
};

struct prune {
	struct repo *repo;
	const struct prune_options *o;
	struct monitor *m;
	struct prune_result *out;
	struct cache *cache;
	struct inventory *inventory;
	struct resolver *resolver;
	struct chunk_reader *chunks;
	struct band_run look;
	struct marks *marks;
	struct packs packs;
	struct member *members; /* ascending by start */
	size_t n_members, members_cap;
	struct candidate *candidates;
	size_t n_candidates;
	uint64_t *alone;
};

/* Only what is looked at later stays in memory. */
static void trim(struct band *b)
{
	free(b->bundles);
	free(b->roll);
	b->bundles = NULL;
	b->roll = NULL;
	b->n_bundles = b->bundles_cap = b->n_roll = b->roll_cap = 0;
	string_list_release(&b->seen);
	string_list_release(&b->deltas);
	string_list_release(&b->paths);
}

static bool judged(const struct prune *p, const struct member *x, enum band_file kind)
{
	return kind == BAND_TAIL && x->info->fences.n == 0 &&
	    (!p->o->set || strcmp(p->o->set, x->band.set) == 0);
}

/*
 * Unfinished backups and other sets count as what keeps chunks, as they do for a vacuum.
 */
static bool read_members(struct prune *p, struct err *e)
{
	bands_prefetch(p->repo, &p->look.bands, false);
	for (size_t i = 0; i < p->look.bands.n; i++) {
		struct member x = {.info = &p->look.bands.v[i]};
		struct err why = ERR_EMPTY;
		enum band_file kind;

		if (x.info->removed.n > 0 || band_is_trace(x.info))
			continue;
		if (!band_read(p->repo, x.info, &kind, &x.band, &why)) {
			band_release(&x.band);
			if (!err_is_unreadable(&why)) {
				*e = why;
				return false;
			}
			monitor_problem(p->m, PROBLEM_DAMAGED, span_str(x.info->name.text), &why);
			p->out->unreadable++;
			continue;
		}
		if (x.band.kind != BAND_BACKUP || kind == BAND_HEAD) {
			band_release(&x.band);
			continue;
		}
		trim(&x.band);
		marks_apply(p->marks, &x.band);
		p->n_candidates += judged(p, &x, kind);
		x.number = judged(p, &x, kind); /* until candidates are made */
		p->members = mem_grow(
		    p->members, &p->members_cap, p->n_members + 1, sizeof *p->members);
		p->members[p->n_members++] = x;
	}
	return true;
}

static bool judge(struct prune *p, struct err *e)
{
	struct candidate *c = mem_array(p->n_candidates + 1, sizeof *c);
	uint32_t removed = 0;

	p->candidates = c;
	for (size_t i = 0; i < p->n_members; i++) {
		struct member *x = &p->members[i];

		if (!x->number)
			continue;
		x->candidate = c++;
		*x->candidate = (struct candidate){.name = x->info->name.text,
		    .set = x->band.set, .start = x->band.start, .tags = &x->band.tags,
		    .pinned = marks_pinned(p->marks, &x->info->name)};
	}
	if (p->o->set && p->n_candidates == 0)
		return err_set(e, ERR_MISSING, "there is no snapshot of the set %s", p->o->set);
	if (!retention_apply(p->o->policy, p->repo->env->now(p->repo->env), p->candidates,
	        p->n_candidates, e))
		return false;
	for (size_t i = 0; i < p->n_members; i++) {
		struct member *x = &p->members[i];

		x->number = x->candidate && !x->candidate->keep ? ++removed : 0;
	}
	p->alone = mem_array(removed + 1, sizeof *p->alone);
	return true;
}

/* --- what goes with them */

static bool from_packs(void *arg, const struct id *id, struct buf *plain)
{
	const struct packs *p = arg;

	for (size_t i = 0; i < p->n; i++)
		if (cache_pack_get(p->v[i], id, plain))
			return true;
	return false;
}

/* The hunks of each set's newest band may be at hand. */
static void open_packs(struct prune *p)
{
	for (size_t i = p->n_members; i-- > 0;) {
		const char *set = p->members[i].band.set;
		char name[NAME_MAX_LEN + 1];
		struct cache_pack *pack;
		size_t k = i + 1;

		while (k < p->n_members && strcmp(p->members[k].band.set, set) != 0)
			k++;
		if (k < p->n_members)
			continue;
		cache_pack_name(p->repo, set, name);
		pack = cache_pack_open(p->cache, name);
		if (!pack)
			continue;
		p->packs.v = mem_grow(
		    p->packs.v, &p->packs.cap, p->packs.n + 1, sizeof *p->packs.v);
		p->packs.v[p->packs.n++] = pack;
	}
}

static bool count(struct prune *p, struct err *e)
{
	struct refs refs = {
	    p->repo, p->chunks, p->inventory, p->resolver, from_packs, &p->packs};
	struct frees_result r = {.alone = p->alone};
	struct frees *f = frees_new(&refs, p->m, p->o->stop);
	bool ok = true;

	open_packs(p);
	for (int removed = 0; removed <= 1; removed++)
		for (size_t i = 0; ok && i < p->n_members; i++)
			if ((p->members[i].number > 0) == removed)
				ok = frees_add(f, &p->members[i].band, p->members[i].number, e);
	ok = ok && frees_count(f, &r, e);
	frees_free(f);
	p->out->frees = r.together;
	p->out->uncertain = r.uncertain || p->out->unreadable > 0;
	return ok;
}

static bool tell(struct prune *p, struct err *e)
{
	for (size_t i = 0; p->o->decision && i < p->n_members; i++) {
		const struct member *x = &p->members[i];

		if (x->candidate &&
		    !p->o->decision(
		        p->o->arg, x->candidate, x->number ? p->alone[x->number - 1] : 0, e))
			return false;
	}
	return true;
}

static bool act(struct prune *p, struct err *e)
{
	uint64_t size;

	for (size_t i = 0; i < p->n_members; i++) {
		const struct member *x = &p->members[i];

		if (x->candidate && x->candidate->keep)
			p->out->kept++;
		if (!x->number)
			continue;
		if (!p->o->dry_run &&
		    !band_note_put(
		        p->repo, &x->info->name, BAND_REMOVED, p->look.client.id, &size, e))
			return remove_stuck(p->out->removed, e);
		p->out->removed++;
	}
	return true;
}

bool prune_run(struct repo *r, const struct prune_options *o, struct monitor *m,
    struct prune_result *out, struct err *e)
{
	struct prune p = {.repo = r, .o = o, .m = m, .out = out};
	bool ok;

	*out = (struct prune_result){0};
	p.cache = cache_open(r, o->cache_dir);
	p.inventory = inventory_new(r);
	p.resolver = resolver_new(r);
	p.chunks = chunk_reader_new(r, BUNDLES_OPEN, FRAMES_KEPT);
	band_run_init(&p.look, r, p.cache, p.inventory, m);
	client_state_load(p.cache, r->env, &p.look.client);
	ok = band_run_look(&p.look, e) && marks_load(r, m, &p.marks, e) &&
	    marks_whole(p.marks, "removed", e) && read_members(&p, e) && judge(&p, e) &&
	    count(&p, e) &&
	    tell(&p, e) && act(&p, e);
	for (size_t i = 0; i < p.n_candidates && p.candidates; i++)
		string_list_release(&p.candidates[i].reasons);
	for (size_t i = 0; i < p.n_members; i++)
		band_release(&p.members[i].band);
	for (size_t i = 0; i < p.packs.n; i++)
		cache_pack_close(p.packs.v[i]);
	free(p.packs.v);
	free(p.alone);
	free(p.candidates);
	free(p.members);
	marks_free(p.marks);
	band_run_release(&p.look);
	chunk_reader_free(p.chunks);
	resolver_free(p.resolver);
	inventory_free(p.inventory);
	cache_close(p.cache);
	return ok;
}
