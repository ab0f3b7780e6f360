/*
 * A storage that several clients see differently, and the clients on it: each runs real
 * engines on its own stack, exactly one at a time, and hands over at storage operations.
 * Time is virtual. One seed, or one plan, gives one course of events.
 *
 * What a client has done itself it sees at once. What others have done it sees for
 * certain SIM_DELTA later; before that each look may show it or not: a new file, a new
 * file cut short, a file that is gone by now and can be listed, perhaps even read.
 *
 * With `blind` nothing is so certain (strict mode, docs/protocol.md, section 5): what
 * some clients put stays in their own cache for any time; and clients miss what others
 * did for any time, or see all as it once was. Only between clients that are not of that
 * kind, of which one does not know yet that there are such, SIM_DELTA holds.
 */
#ifndef BALE_TESTS_SIM_H
#define BALE_TESTS_SIM_H

#include "base/env.h"
#include "store/store.h"

#define SIM_CLIENTS 4
#define SIM_POINTS  2048 /* of a plan, remembered */
/* A day: patience is counted in days too. */
#define SIM_DELTA   (24ll * 3600 * 1000000000)

struct sim;

/* Chances are in a thousand, for each operation or hand-over. */
struct sim_chances {
	unsigned see;    /* that a young change is seen */
	bool apart;      /* of bundles the contrary of what is seen of other files */
	bool sticky;     /* what was seen once stays seen */
	unsigned torn;   /* that a young file which is seen is cut short */
	unsigned ghost;  /* that a file which is gone, and is listed, can be read */
	/* That an operation fails; a put then leaves nothing, a part or all. */
	unsigned error;
	unsigned lie;    /* that a put of a bundle of data leaves a part and succeeds */
	unsigned crash;  /* that the run dies there */
	unsigned stay;   /* that the client goes on, and no other */
	unsigned sleep;  /* that the client sleeps for long */
	int64_t pace;    /* the most time that passes with an operation, ns */
	unsigned caches; /* a bit a client: its mount is its own cache */
	unsigned settles; /* of these: it has a command that waits until all is sent */
	bool blind;      /* see above */
	unsigned late;   /* blind: that a client sees what another did only later, or never */
	unsigned never;  /* of what is late: that it never does */
	unsigned freeze; /* that a client sees all, or a folder, as it is now for some time */
	unsigned miss;   /* that one look misses a file, also an own one */
};

struct sim *sim_new(uint64_t seed, int64_t now, const struct sim_chances *chances);
void sim_free(struct sim *s);
void sim_weather(struct sim *s, const struct sim_chances *chances);

/* Files that were there long ago; and all files of another, with their ages. */
void sim_copy(struct sim *s, struct store *from);
void sim_clone(struct sim *s, const struct sim *from);

/* The storage as a client sees it; freed by whoever opens it. -1: as it is. */
struct store *sim_store(struct sim *s, int client);
struct env *sim_env(struct sim *s, int client);

/* When a file was put, by whom; when it is where others can see it. */
int64_t sim_born(struct sim *s, const char *folder, const char *name);
int sim_maker(struct sim *s, const char *folder, const char *name);
int64_t sim_arrives(struct sim *s, const char *folder, const char *name);

/* A client comes late: it may be shown what was long ago, and send nothing for long. */
void sim_arrive(struct sim *s, int client);

/* A client waits until its cache has sent all; this may fail. */
bool sim_settle(struct sim *s, int client, struct err *e);

/* Whatever this client has done has arrived, and all see it. */
void sim_tell_all(struct sim *s, int client);

uint64_t sim_draw(struct sim *s, uint64_t n);
int64_t sim_now(const struct sim *s);

/* --- the clients */

/* In a client's script: a new run of it begins, which may crash; whether one is dead. */
void sim_begin(struct sim *s, int client);
bool sim_dead(const struct sim *s, int client);

/* In a client's script: nothing happens for so long. Outside: so much time passes. */
void sim_pause(struct sim *s, int client, int64_t ns);

/* A client's run dies just before or after it puts a file with this in its name. */
void sim_doom(struct sim *s, int client, const char *name, bool after);

/* A client sleeps for so long just before it next puts a file with this in its name. */
void sim_nap(struct sim *s, int client, const char *name, int64_t ns);

/* Run the scripts of so many clients to their ends. */
typedef void sim_script(void *arg, int client);
void sim_run(struct sim *s, int clients, sim_script *script, void *arg);

/*
 * Hand-over by plan in place of chance: `first` begins, and goes on but for the given
 * hand-overs. One that sleeps is woken by them: the time passes. Where a client's script
 * ends, the next one that is awake, by number, goes on.
 *
 * Counted are the operations at which another client can make a difference, or notice
 * one: puts, removals, listings of folders that ever held anything, and looks into
 * bundles and deltas; all, with `every`. Time stands but for pauses.
 */
struct sim_switch {
	unsigned at; /* the operation before which it happens, counted from 0 */
	int to;
};

void sim_plan(
    struct sim *s, int first, const struct sim_switch *v, unsigned n, bool every);

/*
 * A state is a digest of all on which the rest of a planned course depends: what the
 * storage holds, what each client has been told so far, who sleeps, the time.
 */
struct sim_point {
	int who;        /* was about to do the operation */
	uint64_t state;
	struct {
		bool there;     /* the client had not ended */
		uint64_t state; /* in which it would go on from here */
	} to[SIM_CLIENTS];
};

/* The operations that were counted. */
unsigned sim_points(const struct sim *s);
const struct sim_point *sim_point(const struct sim *s, unsigned at);
uint64_t sim_state(const struct sim *s);

/*
 * `known` is asked at each operation counted after the last hand-over. Where it says yes,
 * all runs stop, and that operation and those to come are not counted.
 */
typedef bool sim_known(void *arg, const struct sim_point *p);
void sim_cut(struct sim *s, sim_known *known, void *arg);
bool sim_was_cut(const struct sim *s);

/* --- what happened */

struct sim_counts {
	uint64_t operations, errors, lies, crashes, sleeps, ghosts, late;
	uint64_t by[SIM_CLIENTS]; /* operations */
};

const struct sim_counts *sim_count(const struct sim *s);

/* Told of every file that has come, whole or not, and of every one that has gone. */
struct sim_watch {
	void (*put)(void *arg, int client, const char *folder, const char *name);
	void (*removed)(void *arg, int client, const char *folder, const char *name);
	void *arg;
};

void sim_watch(struct sim *s, const struct sim_watch *w);

/* Remove a folder of this machine with all that is in it: a cache. */
void sim_wipe(const char *path);

#endif
