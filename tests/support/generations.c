/* Backups of a tree that changes. */
#include "generations.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "band/bands.h"
#include "base/mem.h"
#include "base/sys.h"
#include "bundle/read.h"
#include "bytes.h"
#include "engine/backup.h"
#include "engine/restore.h"
#include "format/delta.h"
#include "format/tombstone.h"
#include "repo_make.h"
#include "scratch.h"

#define HOUR INT64_C(3600000000000)

static void die(const char *doing, const char *why)
{
	fprintf(stderr, "%s: %s\n", doing, why);
	exit(99);
}

/* Files of a generation, one after the other. */
struct file {
	char name[32];
	size_t n;
	uint64_t seed;
};

static bool nth_file(unsigned k, unsigned i, struct file *out)
{
	if (i < 3) {
		snprintf(out->name, sizeof out->name, "f%u", k + i);
		out->n = FILE_BYTES;
		out->seed = 100 + k + i;
	} else if (i == 3) {
		snprintf(out->name, sizeof out->name, "big%u", k / 2);
		out->n = BIG_BYTES;
		out->seed = 200 + k / 2;
	} else if (i < 10) {
		snprintf(out->name, sizeof out->name, "d/same%u", i);
		out->n = 10 + (i - 4) * 700; /* the first stands in its entry */
		out->seed = i;
	} else {
		return false;
	}
	return true;
}

static bool has_file(unsigned k, const char *name)
{
	struct file f;

	for (unsigned i = 0; nth_file(k, i, &f); i++)
		if (strcmp(f.name, name) == 0)
			return true;
	return false;
}

/* What it has in common with the one before stays as it is. */
static void make_tree(struct generations *g, unsigned k)
{
	struct file f;

	scratch_mkdir(g->src, "d");
	for (unsigned other = 0; other < GENERATIONS; other++)
		for (unsigned i = 0; nth_file(other, i, &f); i++)
			if (!has_file(k, f.name))
				unlink(scratch_path(g->src, f.name));
	for (unsigned i = 0; nth_file(k, i, &f); i++) {
		struct buf b = BUF_EMPTY;

		if (access(scratch_path(g->src, f.name), F_OK) == 0)
			continue;
		bytes_noise(&b, f.n, f.seed);
		scratch_file(g->src, f.name, b.p, b.n);
		buf_release(&b);
	}
}

static struct repo *make_repo(struct generations *g, bool encrypted)
{
	struct secret secret;
	struct repo_options o;
	struct err e = ERR_EMPTY;
	struct repo *r;

	secret_right(NULL, &secret, &e);
	repo_options_init(&o);
	o.encrypted = encrypted;
	o.kdf_ops = 1;
	o.kdf_mem = 8192;
	o.params.cut.whole_max = 2048;
	o.params.cut.tier[0].min = 512;
	o.params.cut.tier[0].average = 1024;
	o.params.cut.tier[0].max = 4096;
	o.params.frame_plain = 1u << 16;
	o.params.bundle_target = 150000;
	if (!repo_create(g->mem, g->env, &o, &secret, &r, &e))
		die("repo_create", e.text);
	return r;
}

void generations_make(struct generations *g, unsigned n, bool encrypted)
{
	memset(g, 0, sizeof *g);
	umask(022);
	g->env = env_fixed_new(INT64_C(1800000000000000000), 1000, 7);
	g->home = scratch_new();
	scratch_mkdir(g->home, "src");
	g->src = mem_strdup(scratch_path(g->home, "src"));
	g->mem = store_mem_new(g->env);
	g->repo = make_repo(g, encrypted);
	for (unsigned k = 0; k < n; k++)
		generation_backup(g, g->repo, k, "home");
}

void generations_free(struct generations *g)
{
	repo_close(g->repo);
	scratch_free(g->home);
	free(g->src);
	env_fixed_free(g->env);
}

void generation_backup(struct generations *g, struct repo *r, unsigned k, const char *set)
{
	const char *paths[] = {g->src}, *tags[] = {"first"};
	struct backup_options o;
	struct backup_result res;
	struct err e = ERR_EMPTY;

	make_tree(g, k);
	backup_options_init(&o);
	o.set = set;
	o.host = o.user = "ana";
	o.program = "test";
	o.paths = paths;
	o.n_paths = 1;
	o.tags = tags;
	o.n_tags = 1;
	o.threads = o.transfers = 0;
	o.level = 1;
	if (!backup_run(r, &o, NULL, &res, &e) || res.totals.unreadable)
		die("backup_run", e.text);
	memcpy(g->names[k], res.snapshot, sizeof g->names[k]);
	g->env->sleep(g->env, HOUR);
}

bool tail_read(struct repo *r, const char *band, struct band *out)
{
	struct err e = ERR_EMPTY;
	struct band_info *info;
	enum band_file kind;
	struct bands bands;
	bool ok;

	band_init(out);
	if (!bands_list(r, &bands, &e))
		die("bands_list", e.text);
	info = bands_find(&bands, band);
	ok = info && band_read(r, info, &kind, out, &e) && kind == BAND_TAIL;
	bands_release(&bands);
	return ok;
}

/* All chunks of a bundle in another one, which a delta tells of. */
static void move_chunks(struct repo *r, enum file_type type, const struct id *from)
{
	struct delta_writer w = DELTA_WRITER_EMPTY;
	struct chunk_reader *cr = chunk_reader_new(r, 1, 1);
	struct buf *plain, dir = BUF_EMPTY, delta = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	struct span *chunks, s;
	struct bundle *b, *copy;
	uint32_t n;
	uint64_t size;
	struct id to, name;

	if (!chunk_reader_bundle(cr, type, from, &b, &e))
		die("move", e.text);
	n = b->dir.n_chunks;
	plain = mem_array(n, sizeof *plain);
	chunks = mem_array(n, sizeof *chunks);
	for (uint32_t i = 0; i < n; i++) {
		if (!chunk_read(cr, type, from, i, &b->dir.ids[i], &s, &e))
			die("move", e.text);
		buf_add_span(&plain[i], s);
		chunks[i] = buf_span(&plain[i]);
	}
	bundle_store(r, type, chunks, n, 4, &to);
	if (!bundle_open(r, type, &to, &copy, &e))
		die("move", e.text);
	directory_encode(&copy->dir, &dir);
	delta_add_bundle(&w,
	    &(struct delta_bundle){to, type, copy->size, span_str(b->run), buf_span(&dir)});
	delta_add_move(&w, &(struct delta_move){.from = *from, .to = to, .count = n});
	delta_encode(&w, span_str(b->run), &delta);
	if (!repo_put_delta(r, buf_span(&delta), &name, &size, &e))
		die("move", e.text);
	for (uint32_t i = 0; i < n; i++)
		buf_release(&plain[i]);
	free(plain);
	free(chunks);
	bundle_free(copy);
	buf_release(&dir);
	buf_release(&delta);
	delta_writer_release(&w);
	chunk_reader_free(cr);
}

static void name_random_file(
    const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	(void)arg;
	strcpy(name, random);
}

void bundle_condemn(struct repo *r, const struct band_bundle *b, bool move)
{
	struct json_body body = JSON_BODY_EMPTY;
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;
	struct tombstone t;
	uint64_t size;

	if (move)
		move_chunks(r, b->hunks ? FILE_HUNKS : FILE_DATA, &b->name);
	tombstone_init(&t);
	band_name_make(&t.run, 1, "0123456789abcdef", 1);
	tombstone_add_bundle(&t, &b->name, b->hunks);
	tombstone_encode(&t, &body);
	if (!repo_put_json(
	        r, "tombstones", "tombstone", name_random_file, NULL, &body, name, &size, &e))
		die("tombstone", e.text);
	json_body_release(&body);
	tombstone_release(&t);
}

static const char *complain(const char *what, const char *of)
{
	static char text[1200];

	snprintf(text, sizeof text, "%s: %s", of, what);
	return text;
}

static const char *compare(const char *dir, unsigned k)
{
	struct buf want = BUF_EMPTY, got = BUF_EMPTY;
	const char *wrong = NULL;
	struct file f;

	for (unsigned i = 0; !wrong && nth_file(k, i, &f); i++) {
		int fd = open(scratch_path(dir, f.name), O_RDONLY | O_CLOEXEC);
		ssize_t n = 0;

		if (fd < 0)
			return complain("is not there", f.name);
		buf_clear(&want);
		buf_clear(&got);
		bytes_noise(&want, f.n, f.seed);
		n = sys_read(fd, buf_extend(&got, f.n + 1), f.n + 1);
		close(fd);
		if (n != (ssize_t)f.n || memcmp(got.p, want.p, f.n) != 0)
			wrong = complain("differs", f.name);
	}
	buf_release(&want);
	buf_release(&got);
	return wrong;
}

const char *generation_differs(
    struct generations *g, struct repo *r, const char *band, unsigned k)
{
	char *to = mem_strdup(scratch_path(g->home, "restored"));
	struct restore_options o = {
	    .target = to, .path = span_str(g->src), .numeric = true};
	struct restore_result res;
	const char *wrong = NULL;
	struct err e = ERR_EMPTY;
	struct band b;

	if (!tail_read(r, band, &b))
		wrong = complain("has no tail", band);
	else if (!restore_run(r, &b, &o, NULL, &res, &e))
		wrong = complain(e.text, band);
	else if (res.damaged || res.refused)
		wrong = complain("is not restored whole", band);
	else if (res.files != 10)
		wrong = complain("has other files", band);
	else
		wrong = compare(to, k);
	band_release(&b);
	scratch_free(to);
	return wrong;
}
