/*
 * A store that fails as storage does, for tests: one planned event (the nth operation
 * fails, or the client dies there), and misfortune by chance from a seed. The same plan
 * and the same operations give the same outcomes. All zero is a plan in which nothing
 * happens.
 *
 * Late, missing, ghost and phantom files are those that went through this store. Clients
 * that share one see the same weather; each with its own over one inner store sees the
 * others' files at once.
 */
#ifndef BALE_STORE_FAULT_H
#define BALE_STORE_FAULT_H

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

enum fail_op { OP_PUT = 1, OP_GET = 2, OP_LIST = 4, OP_STAT = 8, OP_REMOVE = 16 };

enum fail_how {
	FAIL_NEVER,
	FAIL_ONCE,
	FAIL_FOREVER, /* that one and all that follow */
	FAIL_CRASH,   /* from then on nothing reaches the inner store: ERR_STOPPED */
};

/* How much of the failing operation still happens; short of LAND_WHOLE for puts only. */
enum fail_land {
	LAND_NOTHING, /* it fails, or the client dies, before */
	LAND_EMPTY,
	LAND_ONE,     /* the first byte */
	LAND_HALF,
	LAND_BUT_ONE, /* all but the last byte */
	LAND_WHOLE,   /* after */
};

/*
 * Chances are in a thousand, drawn for each operation. Times are counted in operations.
 */
struct fault_plan {
	enum fail_how how;
	uint64_t nth;   /* the first is 0 */
	unsigned kinds; /* which operations count and fail: a set of OP_; 0: all */
	enum fail_land land;
	enum err_kind err; /* of planned and chance errors; ERR_NONE: ERR_IO */

	uint64_t seed;
	unsigned error_put, error_get, error_list, error_stat, error_remove;
	unsigned lost;     /* a put says yes, and nothing lands */
	unsigned late;     /* a file is seen by list, get, stat only … */
	uint64_t late_for; /* … after so many more */
	unsigned missing;  /* each young name, in each listing: left out */
	uint64_t young_for;
	unsigned ghost;   /* a removed file: still listed */
	unsigned phantom; /* a failed put by chance error: listed at full size, unreadable */
	uint64_t linger;  /* so long ghosts and phantoms stay; 0: for ever */
	uint64_t space;   /* bytes until the storage is full; 0: no end */
};

/* Owns inner. Thread-safe, though the outcome then depends on who comes first. */
struct store *store_fault_new(struct store *inner, const struct fault_plan *plan);

/* Give inner back, for a look at what a dead client left. Only store_free comes after. */
struct store *store_fault_release_inner(struct store *fault);

/* Whether anything at all has gone wrong, by plan or by chance. */
bool store_fault_fired(struct store *fault);
bool store_fault_crashed(struct store *fault);

/* Operations of the plan's kinds seen so far: a loop over nth ends here. */
uint64_t store_fault_ops(struct store *fault);

/* The plan in one line, for a test that failed: what is set, by the fields' names. */
void store_fault_describe(const struct fault_plan *plan, struct buf *out);

#endif
