/*
 * One generation of a changing tree, the same for the same tree and seed: `churn TREE
 * SEED [PERCENT]` changes files that hold PERCENT (2) of its bytes, spread evenly, so
 * that no part of the tree stays young together: most are edited in their middle, some
 * written anew, some deleted, and as many come into being. Besides, ten files are
 * renamed, and a folder in every fifth generation. `churn --media TREE SEED MIB` adds
 * files that do not compress.
 *
 * Nothing is changed in place: hard links to a file keep what they had.
 */
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sys.h"
#include "tests/support/bytes.h"

#define EDIT    65536u /* the most bytes that an edit changes */
#define RENAMES 10

struct file {
	char *path;
	size_t size;
	bool dir, gone;
};

static struct file *files;
static size_t n_files, cap;
static uint64_t state;

static uint64_t draw(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type != FTW_F && (type != FTW_D || ftw->level < 2))
		return 0;
	files = mem_grow(files, &cap, n_files + 1, sizeof *files);
	files[n_files++] =
	    (struct file){mem_strdup(path), (size_t)st->st_size, type == FTW_D, false};
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static uint64_t look(const char *tree)
{
	uint64_t bytes = 0;
	size_t i;

	if (nftw(tree, visit, 64, FTW_PHYS) != 0)
		err(1, "%s", tree);
	if (n_files == 0)
		errx(1, "%s: empty", tree);
	qsort(files, n_files, sizeof *files, by_path);
	for (i = 0; i < n_files; i++)
		bytes += files[i].dir ? 0 : files[i].size;
	return bytes;
}

static void load(const struct file *f, struct buf *out)
{
	int fd = sys_openat(AT_FDCWD, f->path, O_RDONLY, 0);

	buf_clear(out);
	if (fd < 0 || sys_read(fd, buf_extend(out, f->size), f->size) != (ssize_t)f->size)
		err(1, "%s", f->path);
	sys_close(fd);
}

static void save(const char *path, const struct buf *b)
{
	char *new = mem_printf("%s.new", path);
	int fd = sys_openat(AT_FDCWD, new, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || !sys_write(fd, b->p, b->n) || sys_close(fd) != 0 ||
	    rename(new, path) != 0)
		err(1, "%s", path);
	free(new);
}

/* Bytes like those that stand there. */
static void add_like(struct buf *b, const struct buf *old, size_t n)
{
	if (memchr(old->p, 0, old->n < 4096 ? old->n : 4096))
		bytes_noise(b, n, draw(UINT32_MAX) + 1);
	else
		bytes_text(b, n, draw(UINT32_MAX) + 1);
}

/* How many bytes are new because of it. A small file is stored whole. */
static uint64_t edit(const struct file *f, bool anew)
{
	struct buf old = BUF_EMPTY, b = BUF_EMPTY;
	size_t n = anew ? f->size : f->size / 8 + 1, at;

	if (n > EDIT && !anew)
		n = EDIT;
	load(f, &old);
	at = anew ? 0 : draw(f->size - n + 1);
	buf_add(&b, old.p, at);
	add_like(&b, &old, n);
	buf_add(&b, old.p + at + n, old.n - at - n);
	save(f->path, &b);
	buf_release(&old);
	buf_release(&b);
	return f->size <= EDIT ? f->size : n;
}

static uint64_t create(const struct file *beside)
{
	struct buf old = BUF_EMPTY, b = BUF_EMPTY;
	char *path = mem_printf("%s-%05u", beside->path, (unsigned)draw(100000));

	load(beside, &old);
	add_like(&b, &old, old.n);
	if (access(path, F_OK) != 0)
		save(path, &b);
	free(path);
	buf_release(&old);
	buf_release(&b);
	return beside->size;
}

static struct file *any(bool dir)
{
	struct file *f;

	do
		f = &files[draw(n_files)];
	while (f->dir != dir || f->gone || (!dir && f->size == 0));
	return f;
}

static void rename_one(struct file *f)
{
	char *to = mem_printf("%s-%05u", f->path, (unsigned)draw(100000));

	if (access(to, F_OK) != 0 && rename(f->path, to) != 0)
		err(1, "%s", f->path);
	f->gone = true;
	free(to);
}

static uint64_t change(void)
{
	struct file *f = any(false);

	switch (draw(10)) {
	case 0:
		if (unlink(f->path) != 0)
			err(1, "%s", f->path);
		f->gone = true;
		return 0;
	case 1:
		return create(f);
	case 2:
	case 3:
		return edit(f, true);
	default:
		return edit(f, false);
	}
}

static void churn(const char *tree, uint64_t seed, unsigned percent)
{
	uint64_t bytes = look(tree) / 100 * percent, done = 0;
	unsigned i;

	while (done < bytes)
		done += change();
	for (i = 0; i < RENAMES; i++)
		rename_one(any(false));
	if (seed % 5 == 0) {
		struct file *d = any(true);

		rename_one(d);
	}
}

static void media(const char *tree, unsigned mib)
{
	struct buf b = BUF_EMPTY;
	char *path;

	for (unsigned i = 0; i < mib; i++) {
		buf_clear(&b);
		bytes_noise(&b, (1u << 19) + draw(1u << 20), draw(UINT32_MAX) + 1);
		path = mem_printf("%s/media%03u", tree, i);
		save(path, &b);
		free(path);
	}
	buf_release(&b);
}

int main(int argc, char **argv)
{
	bool more = argc == 5 && strcmp(argv[1], "--media") == 0;
	char **a = argv + more;

	if (!more && argc != 3 && argc != 4)
		errx(2, "usage: churn TREE SEED [PERCENT] | churn --media TREE SEED MIB");
	state = strtoull(a[2], NULL, 10) * 1000003 + 1;
	if (more)
		media(a[1], (unsigned)strtoul(a[3], NULL, 10));
	else
		churn(a[1], strtoull(a[2], NULL, 10),
		    argc == 4 ? (unsigned)strtoul(a[3], NULL, 10) : 2);
	for (size_t i = 0; i < n_files; i++)
		free(files[i].path);
	free(files);
	return 0;
}
