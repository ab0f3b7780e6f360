/*
 * Each small operation is made five times, one after the other, and ends at its first
 * failure: a storage that fails may take minutes to say so. What one probe needs of
 * another (a file to read) is what did come about, so that a failure is told where it is
 * and not once more everywhere after it.
 *
 * The content is random: compression on the way would make a slow line look fast.
 */
#include "engine/doctor.h"

#include <stdlib.h>

#include "base/mem.h"
#include "repo/repo.h"

#define FOLDER "doctor"
#define ROUNDS 5
#define LARGE ROUNDS /* the number of the large file */
#define SMALL 4096u
#define RANGE_AT 1000u
#define RANGE_N 2000u
#define REMOVALS 3 /* attempts at the end */

#define NS 1000000000ll

enum file_state {
	FILE_NONE,
	FILE_BEGUN, /* its put failed; it may be there */
	FILE_WRITTEN,
	FILE_REMOVED,
};

struct file {
	char name[RANDOM_NAME_LEN + 1];
	enum file_state state;
};

struct doctor {
	struct store *s;
	const struct doctor_options *o;
	struct doctor_result *out;
	struct file files[ROUNDS + 1];
	struct buf content; /* the large file's; small ones have its beginning */
};

typedef bool try_fn(struct doctor *d, struct file *f, struct err *e);

static int64_t ticks(struct doctor *d)
{
	return d->o->env->ticks(d->o->env);
}

static bool stopped(const struct doctor *d)
{
	return d->o->stop && *d->o->stop;
}

static struct span content_of(const struct doctor *d, const struct file *f)
{
	return span_of(d->content.p, f == &d->files[LARGE] ? DOCTOR_LARGE : SMALL);
}

static bool try_put(struct doctor *d, struct file *f, struct err *e)
{
	struct span content = content_of(d, f);

	f->state = FILE_BEGUN;
	if (!store_put(d->s, FOLDER, f->name, &content, 1, e))
		return false;
	f->state = FILE_WRITTEN;
	return true;
}

/* The same content, so that reading is not blamed where the second put got through. */
static bool try_exclusive(struct doctor *d, struct file *f, struct err *e)
{
	struct span content = content_of(d, f);

	if (store_put(d->s, FOLDER, f->name, &content, 1, e))
		return err_set(
		    e, ERR_IO, "a second file was created under the name of the first");
	return e->kind == ERR_EXISTS;
}

static bool compare(struct buf *got, struct span want, struct err *e)
{
	bool same = span_equal(buf_span(got), want);

	if (!same)
		err_set(e, ERR_CORRUPT,
		    "what was read is not what was written (%zu of %zu bytes)", got->n,
		    want.n);
	buf_release(got);
	return same;
}

static bool try_get(struct doctor *d, struct file *f, struct err *e)
{
	struct buf got = BUF_EMPTY;

	if (!store_get(d->s, FOLDER, f->name, 0, SIZE_MAX, &got, NULL, e)) {
		buf_release(&got);
		return false;
	}
	return compare(&got, content_of(d, f), e);
}

static bool try_range(struct doctor *d, struct file *f, struct err *e)
{
	struct buf got = BUF_EMPTY;

	if (!store_get(d->s, FOLDER, f->name, RANGE_AT, RANGE_N, &got, NULL, e)) {
		buf_release(&got);
		return false;
	}
	return compare(&got, span_of(d->content.p + RANGE_AT, RANGE_N), e);
}

static bool try_size(struct doctor *d, struct file *f, struct err *e)
{
	size_t want = content_of(d, f).n;
	uint64_t size = 0;

	if (!store_stat(d->s, FOLDER, f->name, &size, e))
		return false;
	return size == want ||
	       err_set(e, ERR_CORRUPT, "the size is told as %llu, and is %zu",
		   (unsigned long long)size, want);
}

static bool try_list(struct doctor *d, struct file *f, struct err *e)
{
	struct store_listing l = {NULL, 0, 0};
	bool ok = store_list(d->s, FOLDER, &l, e);

	(void)f;
	store_listing_release(&l);
	return ok;
}

static bool try_remove(struct doctor *d, struct file *f, struct err *e)
{
	if (!store_remove(d->s, FOLDER, f->name, e))
		return false;
	f->state = FILE_REMOVED;
	return true;
}

static void tell(struct doctor *d, enum doctor_op op)
{
	if (d->o->on_probe)
		d->o->on_probe(d->o->arg, op, &d->out->probes[op]);
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Try something with the first `n` files, or with those of them that are written. *first
 * is how long the first attempt took; may be NULL.
 */
static void measure(struct doctor *d, enum doctor_op op, try_fn *try, struct file *files,
    size_t n, bool need_written, int64_t *first)
{
	struct doctor_probe *p = &d->out->probes[op];
	int64_t times[ROUNDS + 1], began;
	size_t made = 0;
	bool ok = true;

	for (size_t i = 0; i < n && ok && !stopped(d); i++) {
		if (need_written && files[i].state != FILE_WRITTEN)
			continue;
		began = ticks(d);
		ok = try(d, &files[i], &p->why);
		times[made++] = ticks(d) - began;
	}
	if (first)
		*first = made ? times[0] : 0;
	p->tried = made > 0;
	p->ok = p->tried && ok;
	if (p->ok)
		err_clear(&p->why);
	qsort(times, made, sizeof *times, compare_times);
	if (made)
		p->seconds = (double)times[made / 2] / NS;
}

static size_t count_files(const struct doctor *d, enum file_state state)
{
	size_t n = 0;

	for (size_t i = 0; i <= LARGE; i++)
		n += d->files[i].state == state;
	return n;
}

enum sight { SIGHT_TRUE, SIGHT_NOT_YET, SIGHT_FAILED };

/* Whether a listing says what is: n of the files in this state. */
static enum sight look(struct doctor *d, enum file_state state, size_t n, struct err *e)
{
	struct store_listing l = {NULL, 0, 0};
	size_t shown = 0, ours = 0;

	if (!store_list(d->s, FOLDER, &l, e))
		return SIGHT_FAILED;
	for (size_t i = 0; i <= LARGE; i++) {
		bool has = store_listing_has(&l, d->files[i].name);

		ours += has;
		shown += has && d->files[i].state == state;
	}
	d->out->others = l.n - ours;
	store_listing_release(&l);
	return shown == n ? SIGHT_TRUE : SIGHT_NOT_YET;
}

/* Look again and again until a listing says what is. */
static void watch(struct doctor *d, enum doctor_op op, enum file_state state)
{
	struct doctor_probe *p = &d->out->probes[op];
	int64_t began = ticks(d), pause = NS / 50;
	enum sight sight = SIGHT_NOT_YET;
	size_t n = state == FILE_WRITTEN ? count_files(d, state) : 0;
	unsigned looks = 0;

	p->tried = true;
	while (!stopped(d)) {
		sight = look(d, state, n, &p->why);
		looks++;
		if (sight != SIGHT_NOT_YET || ticks(d) - began >= DOCTOR_WAIT * NS)
			break;
		d->o->env->sleep(d->o->env, pause);
		pause = pause < NS / 4 ? pause * 2 : pause;
	}
	p->ok = sight == SIGHT_TRUE;
	if (looks > 1 || !p->ok)
		p->seconds = (double)(ticks(d) - began) / NS;
	if (sight == SIGHT_NOT_YET && state == FILE_WRITTEN)
		err_set(&p->why, ERR_MISSING,
		    "a file that was written is not listed after %d s", DOCTOR_WAIT);
	else if (sight == SIGHT_NOT_YET)
		err_set(&p->why, ERR_EXISTS,
		    "a file that was removed is still listed after %d s", DOCTOR_WAIT);
}

/*
 * The folder comes about in the first put, if at all; what that took longer than the
 * others is its time. Where no put succeeds and no folder was made, which of both is
 * impossible is in the message.
 */
static void judge_folder(struct doctor *d, uint64_t made_before, int64_t first)
{
	struct doctor_probe *p = &d->out->probes[DOCTOR_FOLDER];
	const struct doctor_probe *put = &d->out->probes[DOCTOR_PUT];
	double more = (double)first / NS - put->seconds;

	p->tried = d->s->folders_made > made_before ||
		   (put->tried && !count_files(d, FILE_WRITTEN));
	p->ok = d->s->folders_made > made_before || count_files(d, FILE_WRITTEN) > 0;
	if (p->tried && p->ok && more > 0)
		p->seconds = more;
	if (p->tried && !p->ok)
		p->why = put->why;
}

static void probe_small(struct doctor *d)
{
	uint64_t made_before = d->s->folders_made;
	struct file *files = d->files;
	int64_t first;

	measure(d, DOCTOR_PUT, try_put, files, ROUNDS, false, &first);
	judge_folder(d, made_before, first);
	tell(d, DOCTOR_FOLDER);
	tell(d, DOCTOR_PUT);
	if (count_files(d, FILE_WRITTEN) > 0)
		watch(d, DOCTOR_SHOWN, FILE_WRITTEN);
	tell(d, DOCTOR_SHOWN);
	measure(d, DOCTOR_EXCLUSIVE, try_exclusive, files, ROUNDS, true, NULL);
	tell(d, DOCTOR_EXCLUSIVE);
	measure(d, DOCTOR_GET, try_get, files, ROUNDS, true, NULL);
	tell(d, DOCTOR_GET);
	measure(d, DOCTOR_RANGE, try_range, files, ROUNDS, true, NULL);
	tell(d, DOCTOR_RANGE);
	measure(d, DOCTOR_SIZE, try_size, files, ROUNDS, true, NULL);
	tell(d, DOCTOR_SIZE);
	measure(d, DOCTOR_LIST, try_list, files, ROUNDS, false, NULL);
	tell(d, DOCTOR_LIST);
}

static void probe_large(struct doctor *d)
{
	struct file *large = &d->files[LARGE];

	if (count_files(d, FILE_WRITTEN) > 0)
		measure(d, DOCTOR_PUT_LARGE, try_put, large, 1, false, NULL);
	tell(d, DOCTOR_PUT_LARGE);
	measure(d, DOCTOR_GET_LARGE, try_get, large, 1, true, NULL);
	tell(d, DOCTOR_GET_LARGE);
}

static void probe_removal(struct doctor *d)
{
	measure(d, DOCTOR_REMOVE, try_remove, d->files, ROUNDS + 1, true, NULL);
	tell(d, DOCTOR_REMOVE);
	if (count_files(d, FILE_REMOVED) > 0)
		watch(d, DOCTOR_GONE, FILE_REMOVED);
	tell(d, DOCTOR_GONE);
}

/* What a failed put may have left, and what a failed removal has. */
static unsigned clean_up(struct doctor *d)
{
	unsigned left = 0;
	struct err e;

	for (size_t i = 0; i <= LARGE; i++) {
		struct file *f = &d->files[i];
		bool there = f->state == FILE_BEGUN || f->state == FILE_WRITTEN;

		for (int n = 0; there && n < REMOVALS; n++) {
			if (n > 0)
				d->o->env->sleep(d->o->env, NS / 4);
			there = !store_remove(d->s, FOLDER, f->name, &e) &&
				e.kind != ERR_MISSING;
		}
		left += there;
	}
	return left;
}

bool doctor_run(struct store *s, const struct doctor_options *o,
    struct doctor_result *out, struct err *e)
{
	struct doctor d = {.s = s, .o = o, .out = out, .content = BUF_EMPTY};
	bool end;

	memset(out, 0, sizeof *out);
	o->env->random(o->env, buf_extend(&d.content, DOCTOR_LARGE), DOCTOR_LARGE);
	for (size_t i = 0; i <= LARGE; i++)
		name_random(o->env, d.files[i].name);
	out->has_space = store_space(s, &out->space);
	probe_small(&d);
	probe_large(&d);
	probe_removal(&d);
	end = !stopped(&d);
	out->litter = clean_up(&d);
	buf_release(&d.content);
	out->ok = out->litter == 0;
	for (size_t i = 0; i < DOCTOR_OPS; i++)
		out->ok = out->ok && out->probes[i].ok;
	return end || err_set(e, ERR_STOPPED, "interrupted");
}
