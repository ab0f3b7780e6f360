/*
 * Simulated faults. The inner store holds what the storage holds; beside it stands a
 * record for each name of which this client sees something else: not yet there (late),
 * still there (ghost), never readable (phantom), or too young to be listed reliably.
 *
 * One lock is held through each operation, so that a plan's nth operation is one
 * operation even where threads race.
 */
#include "store/fault.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum sight { SIGHT_FILE, SIGHT_GHOST, SIGHT_PHANTOM };

struct record {
	char *folder, *name;
	enum sight sight;
	uint64_t born;      /* the operation that made it so */
	uint64_t seen_from; /* SIGHT_FILE: hidden before */
	uint64_t size;
};

struct store_fault {
	struct store store;
	struct store *inner;
	struct fault_plan plan;
	pthread_mutex_t lock; /* guards what follows, and the order of operations */
	uint64_t clock;       /* operations so far, of any kind */
	uint64_t counted;     /* of the plan's kinds */
	uint64_t chance;      /* state of the generator */
	uint64_t used;        /* bytes, where plan.space bounds them */
	bool fired, crashed;
	struct record *records;
	size_t n, cap;
};

/* What is to become of an operation. */
enum fate { FATE_DO, FATE_FAIL, FATE_CHANCE, FATE_DIE };

/* Draws nothing for a chance of 0, so that a plan without it keeps its other draws. */
static bool draw(struct store_fault *f, unsigned per_mille)
{
	if (per_mille == 0 || splitmix(&f->chance) % 1000 >= per_mille)
		return false;
	f->fired = true;
	return true;
}

static unsigned error_chance(const struct fault_plan *p, enum fail_op op)
{
	switch (op) {
	case OP_PUT:
		return p->error_put;
	case OP_GET:
		return p->error_get;
	case OP_LIST:
		return p->error_list;
	case OP_STAT:
		return p->error_stat;
	default:
		return p->error_remove;
	}
}

static enum fate decide(struct store_fault *f, enum fail_op op)
{
	const struct fault_plan *p = &f->plan;
	bool now = false;

	f->clock++;
	if (f->crashed)
		return FATE_DIE;
	if (p->kinds == 0 || (p->kinds & op)) {
		now =
		    p->how == FAIL_FOREVER ? f->counted >= p->nth : f->counted == p->nth;
		f->counted++;
	}
	if (now && p->how != FAIL_NEVER) {
		f->fired = true;
		return p->how == FAIL_CRASH ? FATE_DIE : FATE_FAIL;
	}
	return draw(f, error_chance(p, op)) ? FATE_CHANCE : FATE_DO;
}

static struct store_fault *begin(struct store *s)
{
	struct store_fault *f = (struct store_fault *)s;

	pthread_mutex_lock(&f->lock);
	return f;
}

static bool end(struct store_fault *f, bool ok)
{
	if (f->inner)
		f->store.folders_made = f->inner->folders_made;
	pthread_mutex_unlock(&f->lock);
	return ok;
}

static const char *slash(const char *folder)
{
	return *folder ? "/" : "";
}

static bool fail(struct store_fault *f, enum fate fate, const char *doing,
    const char *folder, const char *name, struct err *e)
{
	if (fate == FATE_DIE) {
		f->crashed = true;
		return err_set(e, ERR_STOPPED, "%s %s%s%s: the client has died", doing,
		    folder, slash(folder), name);
	}
	return err_set(e, f->plan.err == ERR_NONE ? ERR_IO : f->plan.err,
	    "%s %s%s%s: simulated fault at operation %llu", doing, folder, slash(folder),
	    name, (unsigned long long)(f->clock - 1));
}

static bool lingers(const struct store_fault *f, const struct record *r)
{
	return f->plan.linger == 0 || f->clock - r->born <= f->plan.linger;
}

/* The last one fills the gap. */
static void drop(struct store_fault *f, struct record *r)
{
	free(r->folder);
	free(r->name);
	*r = f->records[--f->n];
}

/* What is known of the name; a ghost or phantom whose time is over is forgotten here. */
static struct record *find(struct store_fault *f, const char *folder, const char *name)
{
	for (size_t i = 0; i < f->n; i++) {
		struct record *r = &f->records[i];

		if (strcmp(r->name, name) != 0 || strcmp(r->folder, folder) != 0)
			continue;
		if (r->sight == SIGHT_FILE || lingers(f, r))
			return r;
		drop(f, r);
		return NULL;
	}
	return NULL;
}

static struct record *note(struct store_fault *f, const char *folder, const char *name,
    enum sight sight, uint64_t size)
{
	struct record *r = find(f, folder, name);

	if (!r) {
		f->records = mem_grow(f->records, &f->cap, f->n + 1, sizeof *f->records);
		r = &f->records[f->n++];
		r->folder = mem_strdup(folder);
		r->name = mem_strdup(name);
	}
	r->sight = sight;
	r->size = size;
	r->born = r->seen_from = f->clock;
	return r;
}

static bool hidden(const struct store_fault *f, const struct record *r)
{
	return r && r->sight == SIGHT_FILE && f->clock <= r->seen_from;
}

static uint64_t total_of(const struct span *parts, size_t n_parts)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n_parts; i++)
		total += parts[i].n;
	return total;
}

/* The first n bytes, past store_put: a torn file may be empty, which a put is not. */
static bool land(struct store_fault *f, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, uint64_t n, struct err *e)
{
	struct buf some = BUF_EMPTY;
	struct span part;
	bool ok;

	for (size_t i = 0; i < n_parts; i++)
		buf_add(
		    &some, parts[i].p, parts[i].n < n - some.n ? parts[i].n : n - some.n);
	part = buf_span(&some);
	ok = f->inner->ops->put(f->inner, folder, name, &part, 1, e);
	buf_release(&some);
	return ok;
}

static void land_torn(struct store_fault *f, const char *folder, const char *name,
    const struct span *parts, size_t n_parts)
{
	uint64_t total = total_of(parts, n_parts);
	uint64_t n[] = {[LAND_EMPTY] = 0,
	    [LAND_ONE] = total < 1 ? total : 1,
	    [LAND_HALF] = total / 2,
	    [LAND_BUT_ONE] = total ? total - 1 : 0,
	    [LAND_WHOLE] = total};

	if (f->plan.land != LAND_NOTHING)
		land(f, folder, name, parts, n_parts, n[f->plan.land], NULL);
}

/* A put that nothing hindered; what others see of it may still be another matter. */
static bool put_through(struct store_fault *f, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct record *r = find(f, folder, name);
	uint64_t total = total_of(parts, n_parts);

	if (r && r->sight == SIGHT_PHANTOM)
		return err_set(e, ERR_EXISTS, "%s%s%s: the name is taken", folder,
		    slash(folder), name);
	if (f->plan.space && f->used + total > f->plan.space) {
		f->fired = true;
		return err_set(e, ERR_NOSPACE,
		    "put %s%s%s: the simulated storage is full", folder, slash(folder),
		    name);
	}
	if (draw(f, f->plan.lost))
		return true;
	if (!store_put(f->inner, folder, name, parts, n_parts, e))
		return false;
	f->used += total;
	if (!r && !f->plan.late && !f->plan.missing)
		return true;
	r = note(f, folder, name, SIGHT_FILE, total);
	if (draw(f, f->plan.late))
		r->seen_from = f->clock + f->plan.late_for;
	return true;
}

static bool fault_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct store_fault *f = begin(s);
	bool dead = f->crashed;
	enum fate fate = decide(f, OP_PUT);

	if (fate == FATE_DO)
		return end(f, put_through(f, folder, name, parts, n_parts, e));
	if (fate != FATE_CHANCE && !dead)
		land_torn(f, folder, name, parts, n_parts);
	if (fate == FATE_CHANCE && draw(f, f->plan.phantom))
		note(f, folder, name, SIGHT_PHANTOM, total_of(parts, n_parts));
	return end(f, fail(f, fate, "put", folder, name, e));
}

/* Whether the client finds the name; sets *phantom if it is one. */
static bool visible(struct store_fault *f, const char *folder, const char *name,
    const struct record **phantom, struct err *e)
{
	const struct record *r = find(f, folder, name);

	*phantom = r && r->sight == SIGHT_PHANTOM ? r : NULL;
	if (!hidden(f, r))
		return true;
	return err_set(
	    e, ERR_MISSING, "%s%s%s: no such file", folder, slash(folder), name);
}

static bool fault_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct store_fault *f = begin(s);
	enum fate fate = decide(f, OP_GET);
	const struct record *phantom;

	if (fate != FATE_DO)
		return end(f, fail(f, fate, "get", folder, name, e));
	if (!visible(f, folder, name, &phantom, e))
		return end(f, false);
	if (phantom)
		return end(f, err_set(e, ERR_IO, "get %s%s%s: a phantom", folder,
				  slash(folder), name));
	return end(f, f->inner->ops->get(f->inner, folder, name, at, n, out, size, e));
}

static bool fault_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	struct store_fault *f = begin(s);
	enum fate fate = decide(f, OP_STAT);
	const struct record *phantom;

	if (fate != FATE_DO)
		return end(f, fail(f, fate, "stat", folder, name, e));
	if (!visible(f, folder, name, &phantom, e))
		return end(f, false);
	if (phantom) {
		*size = phantom->size;
		return end(f, true);
	}
	return end(f, store_stat(f->inner, folder, name, size, e));
}

static bool left_out(struct store_fault *f, const char *folder, const char *name)
{
	const struct record *r = find(f, folder, name);

	if (!r || r->sight != SIGHT_FILE)
		return false;
	return hidden(f, r) ||
	       (f->clock - r->born <= f->plan.young_for && draw(f, f->plan.missing));
}

static bool fault_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	struct store_fault *f = begin(s);
	struct store_listing full = {NULL, 0, 0};
	enum fate fate = decide(f, OP_LIST);

	if (fate != FATE_DO)
		return end(f, fail(f, fate, "list", folder, "", e));
	if (!store_list(f->inner, folder, &full, e))
		return end(f, false);
	for (size_t i = 0; i < full.n; i++)
		if (!left_out(f, folder, full.names[i]))
			store_listing_add(out, full.names[i]);
	for (size_t i = 0; i < f->n; i++) {
		const struct record *r = &f->records[i];

		if (r->sight != SIGHT_FILE && strcmp(r->folder, folder) == 0 &&
		    lingers(f, r))
			store_listing_add(out, r->name);
	}
	store_listing_sort(out);
	store_listing_release(&full);
	return end(f, true);
}

static bool remove_through(
    struct store_fault *f, const char *folder, const char *name, struct err *e)
{
	struct record *r = find(f, folder, name);
	uint64_t size = 0;

	if (r && r->sight == SIGHT_PHANTOM)
		return err_set(
		    e, ERR_IO, "remove %s%s%s: a phantom", folder, slash(folder), name);
	if (f->plan.space)
		store_stat(f->inner, folder, name, &size, NULL);
	if (!store_remove(f->inner, folder, name, e))
		return false;
	f->used -= size < f->used ? size : f->used;
	if (draw(f, f->plan.ghost))
		note(f, folder, name, SIGHT_GHOST, 0);
	else if (r)
		drop(f, r);
	return true;
}

static bool fault_remove(
    struct store *s, const char *folder, const char *name, struct err *e)
{
	struct store_fault *f = begin(s);
	bool dead = f->crashed;
	enum fate fate = decide(f, OP_REMOVE);

	if (fate == FATE_DO)
		return end(f, remove_through(f, folder, name, e));
	if (fate != FATE_CHANCE && !dead && f->plan.land == LAND_WHOLE)
		store_remove(f->inner, folder, name, NULL);
	return end(f, fail(f, fate, "remove", folder, name, e));
}

static bool fault_space(struct store *s, uint64_t *free_bytes)
{
	struct store_fault *f = begin(s);

	if (f->crashed)
		return end(f, false);
	if (!f->plan.space)
		return end(f, store_space(f->inner, free_bytes));
	*free_bytes = f->plan.space - f->used;
	return end(f, true);
}

static void fault_free(struct store *s)
{
	struct store_fault *f = (struct store_fault *)s;

	while (f->n > 0)
		drop(f, &f->records[f->n - 1]);
	free(f->records);
	store_free(f->inner);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct store_ops fault_ops = {
    .put = fault_put,
    .get = fault_get,
    .list = fault_list,
    .stat = fault_stat,
    .remove = fault_remove,
    .space = fault_space,
    .free = fault_free,
};

struct store *store_fault_new(struct store *inner, const struct fault_plan *plan)
{
	struct store_fault *f = mem_zalloc(sizeof *f);

	f->store.ops = &fault_ops;
	f->store.mount = inner->mount;
	f->store.describe = inner->describe;
	f->inner = inner;
	f->plan = *plan;
	f->chance = plan->seed;
	pthread_mutex_init(&f->lock, NULL);
	return &f->store;
}

struct store *store_fault_release_inner(struct store *fault)
{
	struct store_fault *f = (struct store_fault *)fault;
	struct store *inner = f->inner;

	f->inner = NULL;
	return inner;
}

bool store_fault_fired(struct store *fault)
{
	struct store_fault *f = begin(fault);

	return end(f, f->fired);
}

bool store_fault_crashed(struct store *fault)
{
	struct store_fault *f = begin(fault);

	return end(f, f->crashed);
}

uint64_t store_fault_ops(struct store *fault)
{
	struct store_fault *f = begin(fault);
	uint64_t n = f->counted;

	end(f, true);
	return n;
}

static void describe_number(struct buf *out, const char *name, uint64_t n)
{
	if (n)
		buf_printf(out, " %s=%llu", name, (unsigned long long)n);
}

void store_fault_describe(const struct fault_plan *p, struct buf *out)
{
	static const char *const how[] = {"never", "once", "forever", "crash"};
	static const char *const lands[] = {
	    "nothing", "empty", "one", "half", "but-one", "whole"};

	buf_printf(out, "how=%s nth=%llu land=%s", how[p->how],
	    (unsigned long long)p->nth, lands[p->land]);
	describe_number(out, "kinds", p->kinds);
	describe_number(out, "err", p->err);
	describe_number(out, "seed", p->seed);
	describe_number(out, "error_put", p->error_put);
	describe_number(out, "error_get", p->error_get);
	describe_number(out, "error_list", p->error_list);
	describe_number(out, "error_stat", p->error_stat);
	describe_number(out, "error_remove", p->error_remove);
	describe_number(out, "lost", p->lost);
	describe_number(out, "late", p->late);
	describe_number(out, "late_for", p->late_for);
	describe_number(out, "missing", p->missing);
	describe_number(out, "young_for", p->young_for);
	describe_number(out, "ghost", p->ghost);
	describe_number(out, "phantom", p->phantom);
	describe_number(out, "linger", p->linger);
	describe_number(out, "space", p->space);
}
