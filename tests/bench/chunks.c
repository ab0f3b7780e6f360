/*
 * A repository of many chunks, without their data: `chunks DIR COUNT` makes in DIR, a
 * folder that is not there, what COUNT chunks of 8 KiB would leave behind: whole hunks,
 * lists and deltas, ten snapshots, each of its own chunks; and bundles that have their
 * size and nothing in them. Every tenth chunk belongs to no snapshot. Its passphrase is
 * that of the tests.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "band/write.h"
#include "base/mem.h"
#include "base/sys.h"
#include "format/delta.h"
#include "tests/support/band_make.h"
#include "tests/support/repo_make.h"

#define SNAPSHOTS  10
#define PER_FRAME  128
#define PER_BUNDLE 4096
#define PER_FILE   8
#define PLAIN      8192
#define STORED     (PER_FRAME * 4096) /* of a frame */
#define DELTA      (4u << 20)

struct making {
	const char *dir;
	struct repo *r;
	struct env *env;
	struct band band;
	struct pool *pool;
	struct compressor_cache *compressors;
	struct inventory *inventory;
	struct packer *hunks, *lists;
	struct band_writer *writer;
	struct delta_writer delta;
	struct directory bundle;     /* being filled */
	struct extent pending[PER_BUNDLE]; /* of it, without their place */
	uint64_t chunks, files;
};

static void check(bool ok, const struct err *e)
{
	if (!ok)
		errx(1, "%s", e->text);
}

static void put_delta(struct making *m)
{
	char name[2 * ID_SIZE + 1];
	struct buf plain = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct id id;

	delta_encode(&m->delta, span_str(m->band.name.text), &plain);
	check(repo_put_delta(m->r, buf_span(&plain), &id, NULL, &e), &e);
	name_of_id(&id, name);
	string_list_add(&m->band.deltas, span_str(name));
	delta_writer_release(&m->delta);
	m->delta = (struct delta_writer)DELTA_WRITER_EMPTY;
	buf_release(&plain);
}

static void tell_bundle(struct making *m, const struct id *name, enum file_type type,
    uint64_t size, const struct directory *d)
{
	struct buf encoded = BUF_EMPTY;

	directory_encode(d, &encoded);
	delta_add_bundle(&m->delta,
	    &(struct delta_bundle){
	        *name, type, size, span_str(m->band.name.text), buf_span(&encoded)});
	band_add_bundle(&m->band, &(struct band_bundle){*name, type == FILE_HUNKS, size});
	buf_release(&encoded);
	if (m->delta.bundles.n >= DELTA)
		put_delta(m);
}

static void acknowledged(void *arg, uint32_t number, const struct directory *d)
{
	struct making *m = arg;
	const struct stocked *s = inventory_get(m->inventory, number);

	tell_bundle(m, &s->name, FILE_HUNKS, s->size, d);
}

static bool unknown(
    void *arg, const struct id *id, struct hint *out, bool *found, struct err *e)
{
	(void)arg;
	(void)id;
	(void)out;
	(void)e;
	*found = false;
	return true;
}

static struct packer *make_packer(struct making *m, const uint8_t seed[32])
{
	struct packer_options o = {.type = FILE_HUNKS, .run = m->band.name.text, .seed = seed,
	    .frame_plain = 1, .bundle_target = 4u << 20, .cpu = m->pool, .transfer = m->pool,
	    .compressors = m->compressors, .acknowledged = acknowledged, .arg = m};

	return packer_new(m->r, m->inventory, &o);
}

/* A file of the right size; nobody reads it. */
static void make_hollow(const char *dir, const struct id *id, uint64_t size)
{
	char hex[2 * ID_SIZE + 1], folder[16], *path;
	int fd;

	name_of_id(id, hex);
	path = mem_printf("%s/%s", dir, folder_of(FILE_DATA, id, folder));
	*strrchr(path, '/') = '\0';
	mkdir(path, 0777);
	path[strlen(path)] = '/';
	mkdir(path, 0777);
	free(path);
	path = mem_printf("%s/%s/%s", dir, folder, hex);
	fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || sys_close(fd) != 0)
		err(1, "%s", path);
	free(path);
}

static void add_file(struct making *m, struct extent *x, uint32_t n)
{
	struct entry en = {.kind = ENTRY_FILE, .content = CONTENT_EXTENTS, .extents = x,
	    .n_extents = n, .mode = 0644, .size = n * (uint64_t)PLAIN};
	char apath[64];
	struct err e = ERR_EMPTY;

	snprintf(apath, sizeof apath, "/home/ana/f%012llu", (unsigned long long)m->files++);
	en.apath = span_str(apath);
	en.mtime_s = en.ctime_s = 1700000000 + (int64_t)m->files;
	check(band_writer_add(m->writer, &en, &e) && band_writer_poll(m->writer, &e), &e);
}

/* The bundle that was filled, and files of all its chunks but every tenth. */
static void end_bundle(struct making *m)
{
	struct directory *d = &m->bundle;
	uint64_t size = BUNDLE_MIN + d->n_frames * (uint64_t)STORED + d->n_chunks * 27u;
	uint32_t number, i, n = 0;
	struct id name;

	if (d->n_chunks == 0)
		return;
	m->env->random(m->env, name.b, ID_SIZE);
	make_hollow(m->dir, &name, size);
	tell_bundle(m, &name, FILE_DATA, size, d);
	number = inventory_number(m->inventory, FILE_DATA, &name, size);
	for (i = 0; i < d->n_chunks; i++) {
		if (i % 10 == 9)
			continue;
		m->pending[n++] = (struct extent){
		    .length = PLAIN, .id = d->ids[i], .hint = {number, i}};
		if (n == PER_FILE) {
			add_file(m, m->pending, n);
			n = 0;
		}
	}
	if (n > 0)
		add_file(m, m->pending, n);
	directory_clear(d);
}

static void add_chunk(struct making *m)
{
	static const uint8_t digest[DIGEST_SHORT];
	struct id id;

	m->env->random(m->env, id.b, ID_SIZE);
	directory_add_chunk(&m->bundle, &id, PLAIN);
	m->chunks++;
	if (m->bundle.n_chunks % PER_FRAME == 0)
		directory_add_frame(&m->bundle, STORED, FRAME_ZSTD, digest);
	if (m->bundle.n_chunks == PER_BUNDLE)
		end_bundle(m);
}

static void snapshot(struct making *m, unsigned k, uint64_t chunks)
{
	struct band_totals totals = {.files = 0};
	struct band_writer_options o = {.repo = m->r, .inventory = m->inventory,
	    .known = unknown, .totals = &totals};
	uint8_t seeds[2][32];
	struct err e = ERR_EMPTY;
	uint64_t i;

	m->env->random(m->env, seeds, sizeof seeds);
	band_start(&m->band, 1700000000 + 86400 * (int64_t)k, k + 1, "home");
	band_store(m->r, &m->band, BAND_HEAD, NULL);
	m->hunks = o.hunks = make_packer(m, seeds[0]);
	m->lists = o.lists = make_packer(m, seeds[1]);
	m->writer = band_writer_new(&o);
	for (i = 0; i < chunks; i++)
		add_chunk(m);
	band_writer_end(m->writer);
	check(band_writer_refs(m->writer, &m->band, &e) && packer_flush(m->hunks, &e) &&
	        packer_flush(m->lists, &e),
	    &e);
	put_delta(m);
	band_store(m->r, &m->band, BAND_TAIL, NULL);
	band_writer_free(m->writer);
	packer_free(m->hunks);
	packer_free(m->lists);
	band_release(&m->band);
}

int main(int argc, char **argv)
{
	struct making *m = mem_zalloc(sizeof *m);
	struct err e = ERR_EMPTY;
	struct store *s;
	uint64_t chunks;
	unsigned k;

	if (argc != 3)
		errx(2, "usage: chunks DIR COUNT");
	chunks = strtoull(argv[2], NULL, 10) / SNAPSHOTS / PER_BUNDLE * PER_BUNDLE;
	m->dir = argv[1];
	m->env = env_fixed_new(INT64_C(1700000000000000000), 1000, 1);
	s = store_dir_open(argv[1], true, env_real(), &e);
	check(s != NULL, &e);
	m->r = repo_make(s, m->env, true);
	m->pool = pool_new(2);
	m->compressors = compressor_cache_new(1);
	m->inventory = inventory_new(m->r);
	for (k = 0; k < SNAPSHOTS; k++)
		snapshot(m, k, chunks);
	printf("%llu chunks, %llu files\n", (unsigned long long)m->chunks,
	    (unsigned long long)m->files);
	inventory_free(m->inventory);
	compressor_cache_free(m->compressors);
	pool_free(m->pool);
	directory_release(&m->bundle);
	repo_close(m->r);
	env_fixed_free(m->env);
	free(m);
	return 0;
}
