/*
 * The order of the walk, and how far the pool reads ahead.
 *
 * What comes next is a list of spots: directories handed to the pool ("self"), and for
 * each directory read but not followed up, the rest of its subdirectories ("rest"). In
 * apath order all that is below a directory's first child comes before its second child,
 * so the subdirectories of a directory go in right behind it, before the spots that were
 * there. Reading ahead turns rests into directories near the front of the list, AHEAD of
 * them at most, so that the list stays as long as the path is deep, and not as the tree
 * is wide.
 *
 * Descriptors: one for each directory in the list, at most READ_MAX; and one for each
 * rest, of which those needed last are closed beyond HELD_MAX, and opened again by their
 * path.
 */
#include "tree/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "tree/scan.h"

#define AHEAD     16u
#define READ_MAX  128u
#define HELD_MAX  64u
#define REFILL    64u /* items of one directory between two looks at the pool */

struct sub {
	const struct goal *goal;
	size_t name; /* in sub_names */
	uint64_t dev;
	int sys;
	bool follow, full;
};

struct walk {
	struct pool *pool;
	struct lane *lane;
	struct walk_options opt;
	struct goal *goals;
	struct spot list; /* its next is what comes first */
	size_t read; /* directories in the list: with the pool, or not given out yet */
	size_t held; /* rests with an open directory, given out themselves */
	size_t at;   /* next item of the front directory's first block */
	bool started;
	struct dir *root;
	struct buf path; /* of the item given out last */
	struct walk_item item;
	uint64_t counts[WALK_NOTES];
};

static void spot_insert_before(struct spot *s, struct spot *before)
{
	s->prev = before->prev;
	s->next = before;
	s->prev->next = s;
	before->prev = s;
}

static void spot_remove(struct spot *s)
{
	s->prev->next = s->next;
	s->next->prev = s->prev;
	s->prev = s->next = NULL;
}

static void block_free(struct scan_block *b)
{
	free(b->items);
	free(b);
}

static void drop_names(struct node *d)
{
	buf_release(&d->names);
	free(d->index);
	d->index = NULL;
}

static void node_free(struct node *d)
{
	struct scan_block *b;

	while ((b = d->head)) {
		d->head = b->next;
		block_free(b);
	}
	drop_names(d);
	buf_release(&d->subs);
	buf_release(&d->sub_names);
	dir_unref(d->dir);
	dir_unref(d->parent);
	free(d->path);
	free(d);
}

static void put_block(struct walk *w, struct node *d)
{
	struct scan_block *b = mem_zalloc(sizeof *b);

	b->node = d;
	b->job.run = scan_run;
	if (d->head) {
		b->first = d->scanned;
		b->count = d->n_names - d->scanned;
		if (b->count > SCAN_BLOCK)
			b->count = SCAN_BLOCK;
		d->scanned += b->count;
		d->tail->next = b;
	} else {
		d->head = b;
	}
	d->tail = b;
	lane_put(w->lane, &b->job);
}

/* Hand a directory to the pool; its place is before the spot `before`. */
static void node_start(struct walk *w, struct node *d, struct spot *before)
{
	d->opt = &w->opt;
	d->self = (struct spot){.node = d};
	d->rest = (struct spot){.node = d, .more = true};
	spot_insert_before(&d->self, before);
	w->read++;
	put_block(w, d);
}

static void node_start_root(struct walk *w, const struct facts *f)
{
	struct node *d = mem_zalloc(sizeof *d);

	d->goal = w->goals;
	d->parent = dir_ref(w->root);
	d->path = mem_strdup("");
	d->name = ".";
	d->full = w->goals->source;
	d->dev = f->dev;
	node_start(w, d, &w->list);
}

/*
 * Open a directory again by its path, one component at a time, as links may not be
 * followed.
 */
static int open_path(const struct walk *w, const struct node *d)
{
	const struct goal *g = w->goals;
	char *path = mem_strdup(d->path), *rest = path, *part;
	int fd = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0), up, flags, sys;

	while (fd >= 0 && (part = strsep(&rest, "/"))) {
		if (!*part)
			continue;
		g = goal_find(g, part);
		flags = O_PATH | O_DIRECTORY | (g && g->follow ? 0 : O_NOFOLLOW);
		up = fd;
		fd = sys_openat(up, part, flags, 0);
		sys = errno;
		sys_close(up);
		errno = sys;
	}
	free(path);
	return fd;
}

/* Get back the directory of a rest that was closed. False with errno. */
static bool reopen(struct walk *w, struct node *d)
{
	int fd = open_path(w, d);
	struct stat st;

	if (fd < 0)
		return false;
	if (sys_fstat(fd, &st) != 0 || st.st_dev != d->held_dev ||
	    st.st_ino != d->held_ino) {
		sys_close(fd);
		errno = ENOENT;
		return false;
	}
	d->dir = dir_new(fd);
	w->held++;
	return true;
}

/* Close the directory of the rest that is needed last. */
static void close_farthest(struct walk *w, const struct node *but)
{
	struct spot *s;
	struct stat st;
	struct node *d;

	for (s = w->list.prev; s != &w->list; s = s->prev) {
		d = s->node;
		if (!s->more || !d->emitted || !d->dir || d == but)
			continue;
		if (sys_fstat(dir_fd(d->dir), &st) != 0)
			continue;
		d->held_dev = st.st_dev;
		d->held_ino = st.st_ino;
		dir_unref(d->dir);
		d->dir = NULL;
		w->held--;
		return;
	}
}

static bool has_sub(const struct node *d)
{
	return d->next_sub < d->subs.n / sizeof(struct sub);
}

/*
 * Hand the next subdirectory of d to the pool; returns its spot. The last one ends the
 * rest.
 */
static struct spot *start_sub(struct walk *w, struct node *d)
{
	struct sub *s = (struct sub *)d->subs.p + d->next_sub++;
	const char *name = (const char *)d->sub_names.p + s->name;
	struct node *n = mem_zalloc(sizeof *n);
	size_t name_n = strlen(name);

	n->path_n = d->path_n + 1 + name_n;
	n->path = mem_alloc(n->path_n + 1);
	memcpy(n->path, d->path, d->path_n);
	n->path[d->path_n] = '/';
	memcpy(n->path + d->path_n + 1, name, name_n + 1);
	n->name = n->path + d->path_n + 1;
	n->goal = s->goal;
	n->follow = s->follow;
	n->full = s->full;
	n->dev = s->dev;
	n->source = n->goal && n->goal->source ? n->path_n : d->source;
	n->sys = s->sys;
	n->told = s->sys != 0;
	if (!d->dir && !n->sys && !reopen(w, d))
		n->sys = errno;
	n->parent = d->dir ? dir_ref(d->dir) : NULL;
	node_start(w, n, &d->rest);
	if (!has_sub(d) && d->emitted) {
		w->held -= d->dir != NULL;
		spot_remove(&d->rest);
		node_free(d);
	} else if (w->held > HELD_MAX) {
		close_farthest(w, d);
	}
	return &n->self;
}

/* Turn rests near the front into directories being read. */
static void fill(struct walk *w)
{
	size_t ahead = pool_threads(w->pool) ? AHEAD : 1, seen = 0;
	struct spot *s = w->list.next;

	while (s != &w->list && seen < ahead) {
		if (s->more && has_sub(s->node)) {
			if (seen > 0 && w->read >= READ_MAX)
				return;
			s = start_sub(w, s->node)->next;
			seen++;
		} else {
			seen += !s->more;
			s = s->next;
		}
	}
}

/* Note the directories among a block's items, to be read after this one. */
static void add_subs(struct node *d, const struct scan_block *b)
{
	const struct scan_item *it;
	const char *name;
	struct sub s;
	size_t i;

	for (i = 0; i < b->n; i++) {
		it = &b->items[i];
		if (!it->enter)
			continue;
		name = (const char *)d->names.p + it->name;
		s = (struct sub){
		    .goal = it->goal,
		    .name = d->sub_names.n,
		    .dev = it->goal && it->goal->source ? it->facts.dev : d->dev,
		    .sys = it->sys,
		    .follow = it->follow,
		    .full = it->full,
		};
		buf_add(&d->subs, &s, sizeof s);
		buf_add(&d->sub_names, name, strlen(name) + 1);
	}
}

/* A block is back from the pool; blocks of one node come in their order. */
static void block_ready(struct scan_block *b)
{
	struct node *d = b->node;

	b->ready = true;
	if (b->first == 0) {
		d->scanned = b->count;
		dir_unref(d->parent);
		d->parent = NULL;
	}
	add_subs(d, b);
	if (b == d->tail && d->scanned == d->n_names)
		spot_insert_before(&d->rest, d->self.next);
}

static void harvest(struct walk *w)
{
	struct job *j;

	while ((j = lane_poll(w->lane)))
		block_ready((struct scan_block *)j);
}

static void await(struct walk *w, struct scan_block *b)
{
	harvest(w);
	fill(w);
	while (!b->ready) {
		block_ready((struct scan_block *)lane_take(w->lane));
		harvest(w);
		fill(w);
	}
}

static void set_path(struct walk *w, const struct node *d, const char *name)
{
	buf_clear(&w->path);
	buf_add(&w->path, d->path, d->path_n);
	if (name || d->path_n == 0)
		buf_add_byte(&w->path, '/');
	if (name)
		buf_add_str(&w->path, name);
	buf_str(&w->path);
}

static void note(struct walk *w, enum walk_note what, int sys)
{
	w->counts[what]++;
	if (w->opt.note)
		w->opt.note(w->opt.arg, what, buf_span(&w->path), sys);
}

/* Tell of every source below g, whose path stands in w->path. */
static void note_missing(struct walk *w, const struct goal *g, int sys)
{
	size_t n = w->path.n, i;

	for (i = 0; i < g->n; i++) {
		w->path.n = n;
		buf_add_byte(&w->path, '/');
		buf_add_str(&w->path, g->children[i]->name);
		buf_str(&w->path);
		if (g->children[i]->source)
			note(w, WALK_MISSING, sys);
		note_missing(w, g->children[i], sys);
	}
	w->path.n = n;
	buf_str(&w->path);
}

static enum step give(struct walk *w, const struct walk_item **item)
{
	w->item.apath = buf_span(&w->path);
	*item = &w->item;
	return STEP_ITEM;
}

/* The front directory's turn has come. True: an item is to be given out. */
static bool begin(struct walk *w, struct node *d)
{
	set_path(w, d, NULL);
	if (d->cache)
		note(w, WALK_CACHE, 0);
	if (!d->sys)
		return false;
	if (!d->dir && (d->sys == ENOENT || d->sys == ENOTDIR || d->sys == ELOOP)) {
		note(w, WALK_VANISHED, d->sys);
		return false;
	}
	if (!d->told)
		note(w, WALK_UNREADABLE, d->sys);
	w->item = (struct walk_item){.unreadable = d->sys, .below = true};
	return true;
}

/* One item of the front directory. True: it is to be given out. */
static bool emit(struct walk *w, const struct node *d, const struct scan_item *it)
{
	const char *name = (const char *)d->names.p + it->name;

	set_path(w, d, name);
	if (it->note == WALK_MISSING) {
		if (it->goal->source)
			note(w, WALK_MISSING, it->sys);
		note_missing(w, it->goal, it->sys);
		return false;
	}
	if (it->note != WALK_NOTES) {
		note(w, it->note, it->sys);
		return false;
	}
	if (it->sys)
		note(w, WALK_UNREADABLE, it->sys);
	else if (it->goal && it->facts.kind != ENTRY_DIR)
		note_missing(w, it->goal, ENOTDIR);
	w->item = (struct walk_item){
	    .unreadable = it->sys,
	    .follow = it->follow,
	    .facts = it->facts,
	    .dir = d->dir,
	    .name = name,
	};
	return true;
}

/* All of the front directory was given out; its subdirectories come next. */
static void end(struct walk *w, struct node *d)
{
	spot_remove(&d->self);
	w->read--;
	d->emitted = true;
	drop_names(d);
	if (!has_sub(d)) {
		spot_remove(&d->rest);
		node_free(d);
	} else if (d->dir && ++w->held > HELD_MAX) {
		close_farthest(w, d);
	}
}

/* Keep the pool ahead in a directory of many blocks. */
static void put_blocks(struct walk *w, struct node *d)
{
	size_t ahead = pool_threads(w->pool) + 1, n = 0;
	struct scan_block *b;

	for (b = d->head; b; b = b->next)
		n++;
	for (; n <= ahead && d->scanned < d->n_names; n++)
		put_block(w, d);
}

/* The next item of the front directory, or false at its end. */
static bool step(struct walk *w, struct node *d)
{
	struct scan_block *b;

	while ((b = d->head)) {
		if (!b->ready || !d->started)
			await(w, b);
		if (!d->started) {
			d->started = true;
			w->at = 0;
			if (begin(w, d))
				return true;
		}
		if (w->at == 0)
			put_blocks(w, d);
		while (w->at < b->n) {
			if (w->at % REFILL == REFILL - 1) {
				harvest(w);
				fill(w);
			}
			if (emit(w, d, &b->items[w->at++]))
				return true;
		}
		d->head = b->next;
		block_free(b);
		w->at = 0;
	}
	return false;
}

static void start(struct walk *w)
{
	struct stat st;
	int fd = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);

	w->started = true;
	buf_add_byte(&w->path, '/');
	buf_str(&w->path);
	w->item = (struct walk_item){.name = "."};
	if (fd < 0 || sys_fstatat(fd, ".", &st, 0) != 0) {
		w->item.unreadable = errno;
		note(w, WALK_UNREADABLE, errno);
		if (fd >= 0)
			sys_close(fd);
		return;
	}
	w->root = w->item.dir = dir_new(fd);
	facts_of(&st, &w->item.facts);
	node_start_root(w, &w->item.facts);
}

enum step walk_next(struct walk *w, const struct walk_item **item)
{
	struct node *d;

	if (!w->started) {
		start(w);
		return give(w, item);
	}
	while (w->list.next != &w->list) {
		d = w->list.next->node;
		if (!w->list.next->more) {
			if (step(w, d))
				return give(w, item);
			end(w, d);
		} else {
			start_sub(w, d);
		}
	}
	return STEP_END;
}

bool walk_open(struct pool *pool, const char *const *sources, size_t n,
    const struct walk_options *opt, struct walk **out, struct err *e)
{
	struct walk *w;
	struct goal *goals;

	*out = NULL;
	if (!goals_new(sources, n, &goals, e))
		return false;
	w = mem_zalloc(sizeof *w);
	w->pool = pool;
	w->lane = lane_new(pool);
	w->opt = *opt;
	w->goals = goals;
	w->list.prev = w->list.next = &w->list;
	*out = w;
	return true;
}

uint64_t walk_count(const struct walk *w, enum walk_note what)
{
	return w->counts[what];
}

void walk_close(struct walk *w)
{
	struct spot *s;
	struct node *d;
	bool last;

	if (!w)
		return;
	while (lane_take(w->lane))
		;
	while ((s = w->list.next) != &w->list) {
		d = s->node;
		last = s->more || !d->rest.next;
		spot_remove(s);
		if (last)
			node_free(d);
	}
	lane_free(w->lane);
	goals_free(w->goals);
	dir_unref(w->root);
	buf_release(&w->path);
	free(w);
}
