/*
 * The floor of a backup on this machine: what reading a tree, hashing and compressing
 * cost when nothing else is done. `floor TREE` is that of a first backup: each regular
 * file is opened, stated, read and hashed (keyed BLAKE2b-192), in path order into frames
 * of 1 MiB that are compressed and thrown away. `floor --stat TREE` is that of an
 * unchanged one: each directory is read and each name stated.
 *
 * Each thread goes through a subtree depth first, so that its frames hold neighbours; who
 * has nothing left takes the largest subtree that another has not begun. Prints one line
 * of JSON. Whatever cannot be read ends the program: a floor of half a tree is none.
 */
#include "codec/digest.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/sys.h"

#define FRAME (1u << 20)

/* A directory to visit, or visited with some below it still to visit: then fd is open. */
struct dir {
	struct dir *parent;
	unsigned refs; /* itself until visited, and children; under walk.mutex */
	int fd;
	char *name;
};

struct stack {
	struct dir **v;
	size_t bottom, top, cap;
};

struct walk {
	bool stat;
	int level;
	unsigned threads;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	unsigned busy;        /* threads at a directory; under mutex */
	struct stack *stacks; /* one a thread; under mutex */
};

struct name {
	char *text;
	bool dir;
};

struct worker {
	struct job job;
	struct walk *walk;
	unsigned number;
	uint64_t files, bytes, compressed;
	struct name *names;
	size_t n_names, names_cap;
	uint8_t *frame, *out;
	size_t frame_n;
	ZSTD_CCtx *z;
};

static void stack_push(struct stack *s, struct dir *d)
{
	s->v = mem_grow(s->v, &s->cap, s->top + 1, sizeof *s->v);
	s->v[s->top++] = d;
}

/* The next of one's own, or the first of another's; NULL when all is done. Waits. */
static struct dir *next_dir(struct walk *w, unsigned own)
{
	struct dir *d = NULL;

	pthread_mutex_lock(&w->mutex);
	for (;;) {
		struct stack *s = &w->stacks[own];

		if (s->top > s->bottom)
			d = s->v[--s->top];
		for (unsigned i = 0; !d && i < w->threads; i++) {
			s = &w->stacks[i];
			if (s->top > s->bottom)
				d = s->v[s->bottom++];
		}
		if (d || w->busy == 0)
			break;
		pthread_cond_wait(&w->more, &w->mutex);
	}
	if (d)
		w->busy++;
	else
		pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->mutex);
	return d;
}

/* Called with the mutex held. */
static void drop_dir(struct dir *d)
{
	while (d && --d->refs == 0) {
		struct dir *parent = d->parent;

		sys_close(d->fd);
		free(d->name);
		free(d);
		d = parent;
	}
}

/* Put the subdirectories on the stack, the first on top, and leave the directory. */
static void leave_dir(struct worker *k, struct dir *d)
{
	struct walk *w = k->walk;

	pthread_mutex_lock(&w->mutex);
	for (size_t i = k->n_names; i-- > 0;) {
		struct dir *child;

		if (!k->names[i].dir) {
			free(k->names[i].text);
			continue;
		}
		child = mem_zalloc(sizeof *child);
		child->parent = d;
		child->refs = 1;
		child->name = k->names[i].text;
		d->refs++;
		stack_push(&w->stacks[k->number], child);
	}
	drop_dir(d);
	w->busy--;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->mutex);
}

static void flush_frame(struct worker *k)
{
	size_t n;

	if (k->frame_n == 0)
		return;
	n = ZSTD_compress2(k->z, k->out, ZSTD_compressBound(FRAME), k->frame, k->frame_n);
	if (ZSTD_isError(n))
		errx(1, "zstd: %s", ZSTD_getErrorName(n));
	k->compressed += n;
	k->frame_n = 0;
}

static void read_file(struct worker *k, int dir, const char *name)
{
	static const uint8_t key[32] = {1, 2, 3};
	struct digest d;
	struct stat st;
	struct id id;
	uint64_t left;
	int fd = sys_openat(dir, name, O_RDONLY | O_NOFOLLOW, 0);

	if (fd < 0 || sys_fstat(fd, &st) < 0)
		err(1, "%s", name);
	left = (uint64_t)st.st_size;
	if (k->frame_n + left > FRAME)
		flush_frame(k);
	digest_init(&d, ID_SIZE, key, sizeof key);
	while (left > 0) {
		size_t want = left < FRAME ? (size_t)left : FRAME;
		ssize_t n = sys_read(fd, k->frame + k->frame_n, want);

		if (n <= 0)
			err(1, "%s: shorter than it was", name);
		digest_add(&d, span_of(k->frame + k->frame_n, (size_t)n));
		k->frame_n += (size_t)n;
		k->bytes += (uint64_t)n;
		left -= (uint64_t)n;
		if (left > 0)
			flush_frame(k);
	}
	digest_end(&d, id.b);
	sys_close(fd);
	k->files++;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void keep_name(struct worker *k, const char *text, bool dir)
{
	k->names = mem_grow(k->names, &k->names_cap, k->n_names + 1, sizeof *k->names);
	k->names[k->n_names++] = (struct name){mem_strdup(text), dir};
}

static void look_at(struct worker *k, int fd, const struct dirent *x)
{
	unsigned char type = x->d_type;
	struct stat st;

	if (k->walk->stat || type == DT_UNKNOWN) {
		if (sys_fstatat(fd, x->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			err(1, "%s", x->d_name);
		type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_LNK;
	}
	if (type == DT_DIR || (type == DT_REG && !k->walk->stat))
		keep_name(k, x->d_name, type == DT_DIR);
	if (type == DT_REG && k->walk->stat) {
		k->files++;
		k->bytes += (uint64_t)st.st_size;
	}
}

static void visit(struct worker *k, struct dir *d)
{
	int at = d->parent ? d->parent->fd : AT_FDCWD, fd;
	const struct dirent *x;
	DIR *list;

	d->fd = sys_openat(at, d->name, O_RDONLY | O_DIRECTORY, 0);
	fd = d->fd < 0 ? -1 : fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
	list = fd < 0 ? NULL : fdopendir(fd);
	if (!list)
		err(1, "%s", d->name);
	k->n_names = 0;
	while ((x = readdir(list)))
		if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
			look_at(k, d->fd, x);
	closedir(list);
	if (k->walk->stat)
		return;
	if (k->n_names > 1)
		qsort(k->names, k->n_names, sizeof *k->names, by_text);
	for (size_t i = 0; i < k->n_names; i++)
		if (!k->names[i].dir)
			read_file(k, d->fd, k->names[i].text);
}

static void work(struct job *job)
{
	struct worker *k = (struct worker *)job;
	struct dir *d;

	k->frame = mem_alloc(FRAME);
	k->out = mem_alloc(ZSTD_compressBound(FRAME));
	k->z = ZSTD_createCCtx();
	ZSTD_CCtx_setParameter(k->z, ZSTD_c_compressionLevel, k->walk->level);
	while ((d = next_dir(k->walk, k->number))) {
		visit(k, d);
		leave_dir(k, d);
	}
	flush_frame(k);
	ZSTD_freeCCtx(k->z);
	free(k->frame);
	free(k->out);
	free(k->names);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct walk *w, const char *tree)
{
	struct worker *k = mem_array(w->threads, sizeof *k);
	struct dir *root = mem_zalloc(sizeof *root);
	double start = now();
	struct pool *pool = pool_new(w->threads);
	struct lane *lane = lane_new(pool);
	uint64_t files = 0, bytes = 0, compressed = 0;

	root->refs = 1;
	root->name = mem_strdup(tree);
	w->stacks = mem_array(w->threads, sizeof *w->stacks);
	stack_push(&w->stacks[0], root);
	for (unsigned i = 0; i < w->threads; i++) {
		k[i].job.run = work;
		k[i].walk = w;
		k[i].number = i;
		lane_put(lane, &k[i].job);
	}
	for (unsigned i = 0; i < w->threads; i++) {
		lane_take(lane);
		files += k[i].files;
		bytes += k[i].bytes;
		compressed += k[i].compressed;
		free(w->stacks[i].v);
	}
	lane_free(lane);
	pool_free(pool);
	printf("{\"floor\":\"%s\",\"threads\":%u,\"level\":%d,\"seconds\":%.3f,"
	       "\"files\":%llu,\"bytes\":%llu,\"compressed\":%llu}\n",
	    w->stat ? "stat" : "first", w->threads, w->level, now() - start,
	    (unsigned long long)files, (unsigned long long)bytes,
	    (unsigned long long)compressed);
	free(w->stacks);
	free(k);
}

static int usage(void)
{
	fputs("usage: floor [--threads N] [--level L] [--stat] TREE\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"threads", required_argument, NULL, 't'},
		{"level", required_argument, NULL, 'l'},
		{"stat", no_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	struct walk w = {.level = 3, .threads = 2};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			w.threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			w.level = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			w.stat = true;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc - 1 || w.threads == 0)
		return usage();
	pthread_mutex_init(&w.mutex, NULL);
	pthread_cond_init(&w.more, NULL);
	run(&w, argv[optind]);
	return 0;
}
