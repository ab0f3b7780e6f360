/*
 * Runs. A look-up interpolates once (ids are uniform) and then searches by halves within
 * the page or two where the guess lands.
 */
#include "index/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "format/delta.h"

static const uint8_t magic[8] = {'b', 'a', 'l', 'e', '-', 'r', 'u', 'n'};

void run_builder_release(struct run_builder *b)
{
	buf_release(&b->deltas);
	buf_release(&b->bundles);
	buf_release(&b->entries);
}

static bool add_bundle(
    struct run_builder *b, const struct delta_bundle *db, struct fault *f)
{
	struct directory dir = DIRECTORY_EMPTY;
	uint32_t number = (uint32_t)(b->bundles.n / RUN_BUNDLE), i;
	uint8_t *p;

	if (!directory_decode(db->directory, &dir, f))
		return false;
	p = buf_extend(&b->bundles, RUN_BUNDLE);
	memset(p, 0, RUN_BUNDLE);
	memcpy(p, db->name.b, ID_SIZE);
	put_u64(p + 24, db->size);
	p[32] = (uint8_t)db->type;
	p = buf_extend(&b->entries, (size_t)dir.n_chunks * RUN_ENTRY);
	for (i = 0; i < dir.n_chunks; i++, p += RUN_ENTRY) {
		memcpy(p, dir.ids[i].b, ID_SIZE);
		put_u32(p + 24, number);
		put_u32(p + 28, i);
	}
	directory_release(&dir);
	return true;
}

bool run_builder_add(
    struct run_builder *b, const struct id *delta, struct span plain, struct fault *f)
{
	size_t bundles = b->bundles.n, entries = b->entries.n;
	struct delta_bundle db;
	struct delta_iter it;
	enum step step;

	if (!delta_open(&it, plain, f))
		return false;
	while ((step = delta_next_bundle(&it, &db, f)) == STEP_ITEM)
		if (!add_bundle(b, &db, f)) {
			step = STEP_FAILED;
			break;
		}
	if (step == STEP_FAILED) {
		b->bundles.n = bundles;
		b->entries.n = entries;
		return false;
	}
	buf_add(&b->deltas, delta->b, ID_SIZE);
	return true;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, ID_SIZE);
}

/*
 * Places of the same id in order of bundle and slot, so that a run is a function of its
 * deltas.
 */
static int compare_entries(const void *a, const void *b)
{
	const uint8_t *x = a, *y = b;
	int d = memcmp(x, y, ID_SIZE);
	uint64_t p, q;

	if (d)
		return d;
	p = (uint64_t)get_u32(x + 24) << 32 | get_u32(x + 28);
	q = (uint64_t)get_u32(y + 24) << 32 | get_u32(y + 28);
	return (p > q) - (p < q);
}

static void head(uint8_t out[RUN_HEAD], const uint8_t *repo, size_t deltas,
    size_t bundles, uint64_t entries)
{
	memset(out, 0, RUN_HEAD);
	memcpy(out, magic, sizeof magic);
	memcpy(out + 8, repo, REPO_ID_SIZE);
	put_u32(out + 24, (uint32_t)deltas);
	put_u32(out + 28, (uint32_t)bundles);
	put_u64(out + 32, entries);
}

void run_builder_finish(
    struct run_builder *b, const uint8_t repo[REPO_ID_SIZE], struct buf *out)
{
	uint8_t h[RUN_HEAD];
	struct span all;
	struct id digest;

	if (b->deltas.n)
		qsort(b->deltas.p, b->deltas.n / ID_SIZE, ID_SIZE, compare_ids);
	if (b->entries.n)
		qsort(b->entries.p, b->entries.n / RUN_ENTRY, RUN_ENTRY, compare_entries);
	head(h, repo, b->deltas.n / ID_SIZE, b->bundles.n / RUN_BUNDLE,
	    b->entries.n / RUN_ENTRY);
	buf_clear(out);
	buf_reserve(out, RUN_HEAD + b->deltas.n + b->bundles.n + b->entries.n + ID_SIZE);
	buf_add(out, h, sizeof h);
	buf_add_span(out, buf_span(&b->deltas));
	buf_add_span(out, buf_span(&b->bundles));
	buf_add_span(out, buf_span(&b->entries));
	all = buf_span(out);
	digest_name(&digest, &all, 1);
	buf_add(out, digest.b, ID_SIZE);
	run_builder_release(b);
}

/* Everything that goes into the file goes through here, and so under its digest. */
struct sink {
	int fd;
	struct digest digest;
	struct buf buf;
	bool ok;
};

static void sink_flush(struct sink *s)
{
	digest_add(&s->digest, buf_span(&s->buf));
	s->ok = s->ok && sys_write(s->fd, s->buf.p, s->buf.n);
	buf_clear(&s->buf);
}

static void sink_add(struct sink *s, const void *p, size_t n)
{
	if (s->buf.n + n > 65536)
		sink_flush(s);
	if (n > 65536) {
		digest_add(&s->digest, span_of(p, n));
		s->ok = s->ok && sys_write(s->fd, p, n);
	} else {
		buf_add(&s->buf, p, n);
	}
}

static void merge_deltas(struct run *const *runs, size_t n, struct sink *s)
{
	struct buf all = BUF_EMPTY;
	size_t i;

	for (i = 0; i < n; i++)
		buf_add(&all, runs[i]->deltas, (size_t)runs[i]->n_deltas * ID_SIZE);
	if (all.n)
		qsort(all.p, all.n / ID_SIZE, ID_SIZE, compare_ids);
	sink_add(s, all.p, all.n);
	buf_release(&all);
}

static void merge_entries(struct run *const *runs, size_t n, struct sink *s)
{
	uint64_t *at = mem_array(n, sizeof *at);
	uint32_t *base = mem_array(n + 1, sizeof *base);
	uint8_t cell[RUN_ENTRY];
	const uint8_t *p, *best;
	size_t i, from = 0;

	for (i = 0; i < n; i++)
		base[i + 1] = base[i] + runs[i]->n_bundles;
	for (;;) {
		best = NULL;
		for (i = 0; i < n; i++) {
			if (at[i] == runs[i]->n_entries)
				continue;
			p = runs[i]->entries + at[i] * RUN_ENTRY;
			if (!best || memcmp(p, best, ID_SIZE) < 0) {
				best = p;
				from = i;
			}
		}
		if (!best)
			break;
		memcpy(cell, best, RUN_ENTRY);
		put_u32(cell + 24, get_u32(cell + 24) + base[from]);
		sink_add(s, cell, sizeof cell);
		at[from]++;
	}
	free(at);
	free(base);
}

bool run_merge(
    struct run *const *runs, size_t n, const uint8_t repo[REPO_ID_SIZE], int fd)
{
	struct sink s = {.fd = fd, .ok = true};
	size_t deltas = 0, bundles = 0, i;
	uint64_t entries = 0;
	uint8_t h[RUN_HEAD];
	struct id digest;

	for (i = 0; i < n; i++) {
		deltas += runs[i]->n_deltas;
		bundles += runs[i]->n_bundles;
		entries += runs[i]->n_entries;
	}
	digest_init(&s.digest, ID_SIZE, NULL, 0);
	head(h, repo, deltas, bundles, entries);
	sink_add(&s, h, sizeof h);
	merge_deltas(runs, n, &s);
	for (i = 0; i < n; i++)
		sink_add(&s, runs[i]->bundles, (size_t)runs[i]->n_bundles * RUN_BUNDLE);
	merge_entries(runs, n, &s);
	sink_flush(&s);
	digest_end(&s.digest, digest.b);
	s.ok = s.ok && sys_write(fd, digest.b, ID_SIZE);
	buf_release(&s.buf);
	return s.ok;
}

/* Check the shape of the bytes; their digest has been checked. */
static struct run *parse(
    const uint8_t *p, size_t n, bool mapped, const uint8_t repo[REPO_ID_SIZE])
{
	struct run *r = mem_zalloc(sizeof *r);
	uint64_t left;

	r->base = p;
	r->size = n;
	r->mapped = mapped;
	if (n < RUN_HEAD + ID_SIZE || memcmp(p, magic, sizeof magic) != 0 ||
	    memcmp(p + 8, repo, REPO_ID_SIZE) != 0)
		goto bad;
	r->n_deltas = get_u32(p + 24);
	r->n_bundles = get_u32(p + 28);
	r->n_entries = get_u64(p + 32);
	left = n - RUN_HEAD - ID_SIZE;
	if (r->n_entries > left / RUN_ENTRY ||
	    (uint64_t)r->n_deltas * ID_SIZE + (uint64_t)r->n_bundles * RUN_BUNDLE +
	            r->n_entries * RUN_ENTRY != left)
		goto bad;
	r->deltas = p + RUN_HEAD;
	r->bundles = r->deltas + (size_t)r->n_deltas * ID_SIZE;
	r->entries = r->bundles + (size_t)r->n_bundles * RUN_BUNDLE;
	r->numbers = mem_array(r->n_bundles, sizeof *r->numbers);
	return r;
bad:
	run_free(r);
	return NULL;
}

/* By reading, not through the mapping, which would make all of it resident. */
static bool file_whole(int fd, size_t size)
{
	uint8_t *piece = mem_alloc(1 << 18);
	struct digest d;
	struct id want, got;
	size_t at = 0, end = size - ID_SIZE, n;
	bool ok = sys_pread(fd, want.b, ID_SIZE, end) == ID_SIZE;

	digest_init(&d, ID_SIZE, NULL, 0);
	while (ok && at < end) {
		n = end - at < (1 << 18) ? end - at : 1 << 18;
		ok = sys_pread(fd, piece, n, at) == (ssize_t)n;
		if (ok)
			digest_add(&d, span_of(piece, n));
		at += n;
	}
	digest_end(&d, got.b);
	free(piece);
	return ok && id_equal(&want, &got);
}

struct run *run_map(
    const char *folder, const char *name, const uint8_t repo[REPO_ID_SIZE])
{
	char *path = mem_printf("%s/%s", folder, name);
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
	struct run *r = NULL;
	struct stat st;
	void *p;

	if (fd >= 0 && sys_fstat(fd, &st) == 0 && st.st_size >= RUN_HEAD + ID_SIZE &&
	    file_whole(fd, (size_t)st.st_size)) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED) {
			madvise(p, (size_t)st.st_size, MADV_RANDOM);
			r = parse(p, (size_t)st.st_size, true, repo);
		}
	}
	if (fd >= 0)
		sys_close(fd);
	if (r)
		snprintf(r->name, sizeof r->name, "%s", name);
	free(path);
	return r;
}

struct run *run_take(struct buf *bytes, const uint8_t repo[REPO_ID_SIZE])
{
	struct run *r = parse(bytes->p, bytes->n, false, repo);

	*bytes = (struct buf)BUF_EMPTY;
	return r;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	if (r->mapped)
		munmap((void *)(uintptr_t)r->base, r->size);
	else
		free((void *)(uintptr_t)r->base);
	free(r->numbers);
	free(r);
}

static const uint8_t *entry_at(const struct run *r, uint64_t i)
{
	return r->entries + i * RUN_ENTRY;
}

/*
 * Ids are uniform, so the first eight bytes tell within about sqrt(n) where one stands.
 */
static uint64_t guess(const struct run *r, const struct id *id)
{
	uint64_t high = 0;
	int i;

	for (i = 0; i < 8; i++)
		high = high << 8 | id->b[i];
	return (uint64_t)((unsigned __int128)high * r->n_entries >> 64);
}

uint64_t run_search(const struct run *r, const struct id *id)
{
	uint64_t low = 0, high = r->n_entries, mid, step = 64;

	if (high == 0)
		return 0;
	mid = guess(r, id);
	if (memcmp(entry_at(r, mid), id->b, ID_SIZE) < 0) {
		low = mid + 1;
		while (low + step < high &&
		    memcmp(entry_at(r, low + step), id->b, ID_SIZE) < 0) {
			low += step + 1;
			step *= 2;
		}
		if (low + step < high)
			high = low + step;
	} else {
		high = mid;
		while (high > step && memcmp(entry_at(r, high - step), id->b, ID_SIZE) >= 0) {
			high -= step;
			step *= 2;
		}
		if (high > step)
			low = high - step;
	}
	while (low < high) {
		mid = low + (high - low) / 2;
		if (memcmp(entry_at(r, mid), id->b, ID_SIZE) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool run_covers(const struct run *r, const struct id *delta)
{
	return r->n_deltas &&
	    bsearch(delta->b, r->deltas, r->n_deltas, ID_SIZE, compare_ids) != NULL;
}
