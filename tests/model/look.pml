/*
 * Files, and what a look at the storage shows of them; shared by the timed models.
 *
 * The one assumption is DELTA: a file whose put returned at least DELTA ticks ago is seen by
 * every look. A younger file may be seen or not, at each look anew; so may a file that was
 * deleted less than DELTA ticks ago. A process may take any time between two steps, and stop
 * there for ever, which is a crash. Nobody reads anybody else's clock.
 *
 * A file is one byte: its state, counted on by tick().
 */
#ifndef DELTA
#define DELTA 2
#endif
#ifndef G
#define G (2 * DELTA)			/* the grace, on the clock of whoever waits */
#endif

#define ABSENT	0
#define NEW	1			/* NEW .. SETTLED - 1: put less than DELTA ago */
#define SETTLED	(DELTA + 1)		/* seen by all */
#define GHOST	(DELTA + 2)		/* GHOST .. : deleted less than DELTA ago */
#define LAST	(2 * DELTA + 1)		/* a ghost's last tick */

#define there(file)	((file) >= NEW && (file) <= SETTLED)

/* One look, in a listing or by reading: seen or not. */
inline look(file, seen)
{
	atomic {
		if
		:: file == SETTLED -> seen = true
		:: file == ABSENT -> seen = false
		:: else -> if :: seen = true :: seen = false fi
		fi
	}
}

inline put(file)
{
	if :: file == ABSENT -> file = NEW :: else fi
}

inline unlink(file)
{
	if :: there(file) -> file = GHOST :: else fi
}

inline tick(file)
{
	if
	:: file == ABSENT || file == SETTLED
	:: file == LAST -> file = ABSENT
	:: else -> file++
	fi
}

/* Whoever waits until a file is seen waits for this: a new file may be seen at once. */
#define seen_at_last(file)	((file) != ABSENT)

/* A place of which we must know that the model gets there: run with -DREACH=number. */
#ifdef REACH
#define reached(number)	assert(number != REACH)
#else
#define reached(number)	skip
#endif
