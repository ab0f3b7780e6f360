/*
 * Files onto the storage and back. A put that failed is repeated under a new name, never
 * under the old one: a phantom of it may stand there, listed at full size, for half an
 * hour. So whoever puts brings a function that composes the file anew, and the name with
 * it.
 *
 * Nothing is random in the pauses but the name of the file that failed, which is: uploads
 * that failed together do not come back together, and a test with a fixed env runs the
 * same way twice.
 */
#include "repo/repo.h"

#include <inttypes.h>

#include "repo/json_cache.h"

#define SECOND INT64_C(1000000000)
#define SLICE (SECOND / 5) /* how long a signal may go unnoticed */
#define PAUSE_MAX 60
#define GET_TRIES 3

bool err_fault(struct err *e, const struct fault *f)
{
	if (f->kind == FAULT_NEWER)
		return err_set(e, ERR_NEWER,
		    "written by a newer bale: this one reads version %d of the format "
		    "(%s)",
		    FORMAT_VERSION, f->what);
	return err_set(
	    e, ERR_CORRUPT, "%s at byte %zu: %s", fault_word(f->kind), f->at, f->what);
}

/* 1, 2, 4 … 60 s, and up to a quarter more. */
static int64_t pause_after(unsigned attempt, const char *name)
{
	int64_t s = attempt < 6 ? INT64_C(1) << attempt : PAUSE_MAX;
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return s * SECOND + s * SECOND / 4 * (h >> 16) / 65536;
}

static bool stopped(const struct repo *r, struct err *e)
{
	if (!r->stop || !*r->stop)
		return false;
	err_set(e, ERR_STOPPED, "stopped");
	return true;
}

static bool pause_for(struct repo *r, int64_t ns, struct err *e)
{
	for (; ns > 0; ns -= SLICE) {
		if (stopped(r, e))
			return false;
		r->env->sleep(r->env, ns < SLICE ? ns : SLICE);
	}
	return !stopped(r, e);
}

static void tell(struct repo *r, const char *folder, const char *name,
    const struct err *why, unsigned attempt)
{
	if (r->on_retry)
		r->on_retry(r->retry_arg, folder, name, why, attempt);
}

static bool give_up(struct err *e, const char *doing, const char *folder,
    const char *name, unsigned attempts, int64_t ns)
{
	if (!*folder && !*name)
		name = "the top folder";
	return err_wrap(e, "%s%s%s: %s (%u attempt%s in %" PRId64 " s)", folder,
	    *folder ? "/" : "", name, doing, attempts, attempts == 1 ? "" : "s",
	    (ns + SECOND / 2) / SECOND);
}

static bool put_once(struct repo *r, const struct repo_file *f, struct err *e)
{
	return f->parts ? store_put(r->store, f->folder, f->name, f->parts, f->n_parts, e)
	                : store_put_from(r->store, f->folder, f->name, &f->source, e);
}

bool repo_put(struct repo *r, repo_compose_fn *compose, void *arg, struct err *e)
{
	int64_t start = r->env->ticks(r->env), pause, spent;
	struct err why = ERR_EMPTY;

	for (unsigned n = 0;; n++) {
		struct repo_file f = {.parts = NULL};

		if (!compose(arg, n, &f, e))
			return false;
		if (put_once(r, &f, &why))
			return true;
		pause = pause_after(n, f.name);
		spent = r->env->ticks(r->env) - start;
		if ((why.kind != ERR_IO && why.kind != ERR_EXISTS) ||
		    spent + pause > r->patience) {
			if (e)
				*e = why;
			return give_up(e, "not stored", f.folder, f.name, n + 1, spent);
		}
		tell(r, f.folder, f.name, &why, n);
		if (!pause_for(r, pause, e))
			return false;
	}
}

bool repo_settle(struct repo *r, bool *settled, struct err *e)
{
	*settled = r->settle ? r->settle(r->settle_arg, e)
			     : r->store->mount == MOUNT_THROUGH;
	return *settled || !r->settle;
}

/* What operations that may be done twice have in common. */
struct read {
	const char *folder, *name;
	const char *undone; /* what is said where it is given up; NULL: "not read" */
	uint64_t at; /* STORE_TAIL: the end */
	size_t n;
	struct buf *out;
	struct store_listing *listing;
	uint64_t *size;
};

typedef bool read_fn(struct store *s, const struct read *op, struct err *e);

static void note_latency(struct repo *r, int64_t ns)
{
	int64_t least = r->latency;

	while (ns < least && !atomic_compare_exchange_weak(&r->latency, &least, ns))
		;
}

static bool read_again(struct repo *r, read_fn *fn, const struct read *op, struct err *e)
{
	int64_t start = r->env->ticks(r->env);
	size_t before = op->out ? op->out->n : 0;
	struct err why = ERR_EMPTY;

	for (unsigned attempt = 0;; attempt++) {
		if (fn(r->store, op, &why)) {
			if (op->out && attempt == 0)
				note_latency(r, r->env->ticks(r->env) - start);
			return true;
		}
		if (op->out)
			op->out->n = before;
		if (why.kind != ERR_IO || attempt + 1 == GET_TRIES) {
			if (e)
				*e = why;
			if (why.kind == ERR_IO)
				give_up(e, op->undone ? op->undone : "not read", op->folder,
				    op->name, attempt + 1, r->env->ticks(r->env) - start);
			return false;
		}
		tell(r, op->folder, op->name, &why, attempt);
		if (!pause_for(r, pause_after(attempt, op->name), e))
			return false;
	}
}

static bool get_once(struct store *s, const struct read *op, struct err *e)
{
	return store_get(s, op->folder, op->name, op->at, op->n, op->out, op->size, e);
}

static bool tail_once(struct store *s, const struct read *op, struct err *e)
{
	return store_get_tail(s, op->folder, op->name, op->n, op->out, op->size, e);
}

static bool list_once(struct store *s, const struct read *op, struct err *e)
{
	return store_list(s, op->folder, op->listing, e);
}

static bool stat_once(struct store *s, const struct read *op, struct err *e)
{
	return store_stat(s, op->folder, op->name, op->size, e);
}

bool repo_get(struct repo *r, const char *folder, const char *name, uint64_t at, size_t n,
    struct buf *out, uint64_t *size, struct err *e)
{
	struct read op = {
	    .folder = folder, .name = name, .at = at, .n = n, .out = out, .size = size};

	return read_again(r, get_once, &op, e);
}

bool repo_get_tail(struct repo *r, const char *folder, const char *name, size_t n,
    struct buf *out, uint64_t *size, struct err *e)
{
	struct read op = {.folder = folder, .name = name, .n = n, .out = out, .size = size};

	return read_again(r, tail_once, &op, e);
}

bool repo_list(
    struct repo *r, const char *folder, struct store_listing *out, struct err *e)
{
	struct read op = {.folder = folder, .name = "", .listing = out};
	bool ok = read_again(r, list_once, &op, e);

	if (ok && r->json_cache)
		json_cache_listed(r->json_cache, folder, out);
	return ok;
}

bool repo_stat(
    struct repo *r, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	struct read op = {.folder = folder, .name = name, .size = size};

	return read_again(r, stat_once, &op, e);
}

static bool remove_once(struct store *s, const struct read *op, struct err *e)
{
	return store_remove(s, op->folder, op->name, e);
}

bool repo_remove(struct repo *r, const char *folder, const char *name, struct err *e)
{
	struct read op = {.folder = folder, .name = name, .undone = "not deleted"};

	return read_again(r, remove_once, &op, e);
}
