/* Shared by gather.c (files and windows) and gather_work.c (jobs and their results). */
#ifndef BALE_ENGINE_GATHER_INTERNAL_H
#define BALE_ENGINE_GATHER_INTERNAL_H

#include "engine/gather.h"
#include "engine/kept.h"
#include "engine/shelf.h"

#define GATHER_CPU_JOBS 64 /* in the lane, where no bytes bound them */
#define RUN_COST        (16u << 10) /* in flight, what the smallest run counts */

struct want {
	struct outfile *file;
	uint64_t at;
	struct id id;
	uint32_t length, bundle, slot, frame;
	bool moved, bad;
};

/* Wants being worked on; freed with the last run. */
struct window {
	struct want *v;
	size_t n;
	unsigned refs;
};

/* One read: some neighbouring frames of a bundle. */
struct run {
	struct job job;
	struct repo *repo;
	struct window *window;
	struct bundle *bundle; /* held */
	uint32_t number;
	struct want *wants;
	size_t n_wants;
	uint64_t at;
	size_t n;
	/* Unless it lies in the bundle's tail; if it was kept, from the start. */
	struct buf stored;
	bool ok;
	struct err why;
	unsigned refs; /* frames not done */
};

/* Work for a worker: a frame, or a batch of files without extents. */
struct task {
	struct job job;
	struct gather *g;
	struct run *run;
	struct want *wants;
	size_t n_wants;
	struct outfile *files, *finished;
	struct err *bad;   /* why some wants are bad */
	struct err *fatal; /* the target fails altogether */
};

struct gather {
	struct gather_options o;
	struct shelf *shelf;
	struct kept *kept;
	struct lane *fetch, *cpu;
	struct want *wants;
	size_t n_wants, wants_cap;
	unsigned wide;
	struct outfile *small;
	unsigned n_small;
	size_t in_flight;
	struct err failed;
	pthread_mutex_t lock; /* guards plain */
	struct buf plain[GATHER_CPU_JOBS];
	unsigned n_plain;
};

/* Nothing more can be done. The first reason counts; always false. */
bool gather_give_up(struct gather *g, const struct err *why);

struct want *want_add(struct gather *g);

/* Whether the directory says that the want's chunk is where it says. */
bool want_agrees(const struct want *w, const struct bundle *b);

/* It cannot be had: so its file cannot. */
void want_fail(struct gather *g, struct want *w, const struct err *why);

/* Its place is not one: give it another for the next window, or give it up. */
void want_move(struct gather *g, const struct want *old, const struct err *why);

/*
 * In a worker, or on the main thread: *finished is led by the file if this was its end.
 */
void piece_done(struct gather *g, struct outfile *f, struct outfile **finished);

/* Tell of finished files, and free them. */
void gather_tell(struct gather *g, struct outfile *finished);

/* Start the reading of a run, or, where its bytes are at hand, what comes after. */
void run_launch(struct gather *g, struct run *r);

/* Give a batch of files without extents to a worker. */
void small_launch(struct gather *g, struct outfile *files);

/* Take in what is done. */
void gather_poll(struct gather *g);

/* Wait until something is done; false where nothing is under way. */
bool gather_wait(struct gather *g);

#endif
