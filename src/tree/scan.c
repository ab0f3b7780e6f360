/*
 * Reading directories ahead of the walk. Nothing here waits or shares: a job writes its
 * node (first block) or its block (later ones) only. getdents64 rather than readdir, as
 * the descriptor stays open after the names are read, and needs no DIR beside it.
 */
#include "tree/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"

static uint64_t first_bytes(const char *name)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++) {
		v = v << 8 | (uint8_t)*name;
		if (*name)
			name++;
	}
	return v;
}

static void add_name(struct node *d, const char *name, uint8_t type)
{
	struct scan_name *n;

	d->index = mem_grow(d->index, &d->cap_names, d->n_names + 1, sizeof *d->index);
	n = &d->index[d->n_names++];
	n->first = first_bytes(name);
	n->at = (uint32_t)d->names.n;
	n->type = type;
	buf_add(&d->names, name, strlen(name) + 1);
}

static const char *name_at(const struct node *d, uint32_t at)
{
	return (const char *)d->names.p + at;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct scan_name *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return strcmp(name_at(arg, x->at), name_at(arg, y->at));
}

/* True at the end of the directory; false with errno. What was read before counts. */
static bool read_names(struct node *d, int fd)
{
	union {
		struct dirent64 align;
		char bytes[32768];
	} buf;
	const struct dirent64 *de;
	ssize_t got, at;
	int fault;

	for (;;) {
		fault = sys_fault ? sys_fault(SYS_READDIR, d->name) : 0;
		if (fault) {
			errno = fault;
			return false;
		}
		got = getdents64(fd, buf.bytes, sizeof buf);
		if (got <= 0)
			return got == 0;
		for (at = 0; at < got; at += de->d_reclen) {
			de = (const void *)(buf.bytes + at);
			if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
				add_name(d, de->d_name, de->d_type);
		}
	}
}

static bool has_name(const struct node *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->n_names; i++)
		if (strcmp(name_at(d, d->index[i].at), name) == 0)
			return true;
	return false;
}

/* The standard's signature, at the start of a regular file of that name. */
static bool is_cache(const struct node *d)
{
	static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55";
	char got[sizeof tag - 1];
	struct stat st;
	bool yes;
	int fd;

	if (!has_name(d, "CACHEDIR.TAG"))
		return false;
	fd = dir_open(d->dir, "CACHEDIR.TAG", O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	yes = sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	      sys_pread(fd, got, sizeof got, 0) == (ssize_t)sizeof got &&
	      memcmp(got, tag, sizeof got) == 0;
	sys_close(fd);
	return yes;
}

static void keep_tag(struct node *d)
{
	size_t i, kept = 0;
	const char *name;

	for (i = 0; i < d->n_names; i++) {
		name = name_at(d, d->index[i].at);
		if (strcmp(name, "CACHEDIR.TAG") == 0 || goal_find(d->goal, name))
			d->index[kept++] = d->index[i];
	}
	d->n_names = kept;
}

/* Goals that the directory did not name: they will be looked at and found missing. */
static void add_goals(struct node *d)
{
	size_t i;

	for (i = 0; d->goal && i < d->goal->n; i++)
		if (!d->full || !has_name(d, d->goal->children[i]->name))
			add_name(d, d->goal->children[i]->name, DT_UNKNOWN);
}

static void list(struct node *d)
{
	int flags = O_DIRECTORY | (d->follow ? 0 : O_NOFOLLOW);
	int fd;

	if (d->sys)
		return;
	/* Passing through a directory needs no permission to read it. */
	fd = d->full ? dir_open(d->parent, d->name, flags)
	             : sys_openat(dir_fd(d->parent), d->name, flags | O_PATH, 0);
	if (fd < 0) {
		d->sys = errno;
		return;
	}
	d->dir = dir_new(fd);
	if (d->full && !read_names(d, fd))
		d->sys = errno;
	add_goals(d);
	if (d->full && d->opt->cachedir && is_cache(d)) {
		d->cache = true;
		keep_tag(d);
	}
	if (d->n_names > 0)
		qsort_r(d->index, d->n_names, sizeof *d->index, compare, d);
}

static bool is_own(const struct walk_options *opt, const struct facts *f)
{
	size_t i;

	for (i = 0; i < opt->n_own; i++)
		if (opt->own[i].dev == f->dev && opt->own[i].ino == f->ino)
			return true;
	return false;
}

static bool is_excluded(
    const struct node *d, struct buf *path, const char *name, bool is_dir)
{
	if (!d->full || !d->opt->filter)
		return false;
	path->n = d->path_n + 1;
	buf_add_str(path, name);
	return filter_match(d->opt->filter, buf_span(path), d->source, is_dir);
}

/* stat failed: decide what the item says. False: nothing. */
static bool failed(const struct node *d, struct scan_item *it, uint8_t type, int sys)
{
	it->sys = sys;
	if (sys == ENOENT || sys == ENOTDIR) {
		it->note = it->goal ? WALK_MISSING : WALK_VANISHED;
		return true;
	}
	/* It may be a directory: an earlier snapshot's entries in it must not be lost. */
	it->enter = type == DT_DIR || type == DT_UNKNOWN;
	it->full = d->full;
	return true;
}

/* What stands there; through a link only to a directory. */
static int look_at(const struct node *d, const char *name, bool *follow, struct stat *st)
{
	int dir = dir_fd(d->dir), flags = AT_NO_AUTOMOUNT;

	if (*follow && sys_fstatat(dir, name, st, flags) == 0 && S_ISDIR(st->st_mode))
		return 0;
	*follow = false;
	return sys_fstatat(dir, name, st, flags | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

/* Look at one name. False: it is left out without a word. */
static bool look(const struct node *d, const struct scan_name *n, struct buf *path,
    struct scan_item *it)
{
	const char *name = name_at(d, n->at);
	bool excluded = false, inside;
	struct stat st;
	int sys;

	*it = (struct scan_item){.name = n->at, .note = WALK_NOTES};
	it->goal = goal_find(d->goal, name);
	it->follow = it->goal && it->goal->follow;
	if (d->path_n + 1 + strlen(name) > APATH_MAX) {
		it->note = WALK_UNREADABLE;
		it->sys = ENAMETOOLONG;
		return true;
	}
	/* Before stat where possible: what is excluded may be impossible to look at. */
	if (n->type != DT_UNKNOWN)
		excluded = is_excluded(d, path, name, n->type == DT_DIR);
	if (excluded && !it->goal)
		return false;
	sys = look_at(d, name, &it->follow, &st);
	if (sys) {
		if (n->type == DT_UNKNOWN && !it->goal &&
		    is_excluded(d, path, name, true))
			return false;
		return failed(d, it, n->type, sys);
	}
	if (n->type == DT_UNKNOWN)
		excluded = is_excluded(d, path, name, S_ISDIR(st.st_mode));
	if (excluded && !it->goal)
		return false;
	if (!facts_of(&st, &it->facts)) {
		it->note = WALK_SOCKET;
		return true;
	}
	if (it->facts.kind != ENTRY_DIR)
		return true;
	if (is_own(d->opt, &it->facts)) {
		it->note = WALK_OWN;
		return true;
	}
	inside = !d->opt->one_file_system || it->facts.dev == d->dev;
	it->full = (it->goal && it->goal->source) || (d->full && !excluded && inside);
	it->enter = it->full || (it->goal && it->goal->n > 0);
	return true;
}

void scan_run(struct job *job)
{
	struct scan_block *b = (struct scan_block *)job;
	struct node *d = b->node;
	struct buf path = BUF_EMPTY;
	size_t i;

	if (b->count == 0) {
		list(d);
		b->count = d->n_names < SCAN_BLOCK ? d->n_names : SCAN_BLOCK;
	}
	if (d->opt->filter) {
		buf_add(&path, d->path, d->path_n);
		buf_add_byte(&path, '/');
	}
	b->items = mem_array(b->count, sizeof *b->items);
	for (i = 0; i < b->count; i++)
		if (look(d, &d->index[b->first + i], &path, &b->items[b->n]))
			b->n++;
	buf_release(&path);
}
