/*
 * Deletion without locks, timed mode: moves.
 *
 * A complete band has one chunk, with the hint "in X". Vacuum 0 copies it from X to Y, writes
 * the delta with the move, and condemns X. Vacuum 1 condemns Y as soon as it sees it: it may
 * take the chunk there for live, and first move it on to W, or for dead. Backups take the
 * reference over from the basis and resolve it: hint, move, index. A reader does so too.
 *
 *   BACKUPS=n	runs (at most 2)
 *   PRUNE	the band is removed at some moment
 *   READER	a restore of the band goes once through hint, move, index and directories
 */
#include "look.pml"

#ifndef BACKUPS
#define BACKUPS 1
#endif

#define X	0
#define Y	1
#define W	2
#define OWN	3

typedef band { byte head, tail, relies };

byte bundle[3], tomb[2];		/* files */
byte delta[2];				/* file: tells of the move to Y, to W */
byte rescue[2];				/* file: a whole copy of the chunk, by each vacuum */
byte waited[2];				/* ticks on each vacuum's own clock */
byte removed;				/* file: of the band */
bool torn[2];				/* Y, W: not what was to be written */
band bands[BACKUPS];
byte n_;

#define holds(b)	(bundle[b] == SETTLED && !(b != X && torn[b - 1]))
#define restorable \
	(holds(X) || holds(Y) || holds(W) || rescue[0] == SETTLED || rescue[1] == SETTLED)
#define safe(r)		(!there(bands[r].tail) || bands[r].relies == OWN || restorable)

inline check()
{
	assert(safe(0));
	assert(safe(BACKUPS - 1));
	assert(restorable || there(removed))
}

proctype clock()
{
	do
	:: d_step {
		n_ = 0;
		do
		:: n_ < BACKUPS -> tick(bands[n_].head); tick(bands[n_].tail); n_++
		:: else -> break
		od;
		n_ = 0;
		do
		:: n_ < 2 ->
			tick(tomb[n_]); tick(delta[n_]); tick(rescue[n_]);
			if :: waited[n_] < G -> waited[n_]++ :: else fi;
			n_++
		:: else -> break
		od;
		tick(bundle[X]); tick(bundle[Y]); tick(bundle[W]);
		tick(removed);
		n_ = 0
	}
	od
}

proctype backup(byte me)
{
	bool x, y, w, cond_x, cond_y;
	byte relies = OWN;

	put(bands[me].head);						/* B1 */
	look(tomb[X], cond_x); look(tomb[Y], cond_y);			/* B3 */
	look(bundle[X], x);						/* B4 */
	look(delta[0], y);
	if :: y -> look(bundle[Y], y) :: else fi;
	look(delta[1], w);
	if :: w -> look(bundle[W], w) :: else fi;
	if								/* B5 */
	:: x && !cond_x -> relies = X
	:: else ->
		if
		:: y && !cond_y -> relies = Y
		:: else -> if :: w -> relies = W :: else fi
		fi
	fi;
	x = false; y = false; w = false; cond_x = false; cond_y = false;
	atomic {							/* B7 */
		bands[me].relies = relies;
		put(bands[me].tail);
		check()
	}
}

proctype prune()
{
	put(removed)							/* R1 */
}

proctype reader()
{
	bool found;

	look(bundle[X], found);
	if :: !found && !torn[0] -> look(bundle[Y], found) :: else fi;
	if :: !found && !torn[1] -> look(bundle[W], found) :: else fi;
	if :: !found -> look(rescue[0], found) :: else fi;
	if :: !found -> look(rescue[1], found) :: else fi;
	assert(found || there(removed))
}

/* Copy the chunk to a new bundle and read it back; then the delta with the move. */
inline move(to)
{
	atomic {							/* V1 */
		put(bundle[to]);
#ifdef M_NO_VERIFY
		if :: torn[to - 1] = true :: skip fi
#endif
	};
	put(delta[to - 1])						/* V2 */
}

proctype vacuum(byte me; byte mine)
{
	bool head, tail, live, condemned, survives;
	byte i;

	if
	:: me == 0 -> move(Y)
	:: else ->
		seen_at_last(bundle[Y]);
		if :: move(W) :: reached(3) fi
	fi;
	put(tomb[mine]);						/* V3 */
	waited[me] = 0;							/* V4 */
	waited[me] == G;

	do								/* V5, V6 */
	:: i < BACKUPS ->
		look(bands[i].head, head); look(bands[i].tail, tail);
		if
		:: head && !tail -> seen_at_last(bands[i].tail); tail = true
		:: else
		fi;
#ifdef M_HINTS
		if :: tail && bands[i].relies == mine -> live = true :: else fi;
#else
		if :: tail && bands[i].relies != OWN -> live = true :: else fi;
#endif
		head = false; tail = false;
		i++
	:: else -> i = 0; break
	od;
#ifdef M_HINTS
	if :: mine == X -> look(removed, tail) :: else -> tail = true fi;
#else
	look(removed, tail);
#endif
	if :: !tail -> live = true :: else fi;
	tail = false;
#ifndef M_NO_OTHERS
	look(tomb[1 - mine], condemned);				/* V7 */
#endif
	if								/* V8 */
	:: live ->
		if
		:: !condemned -> look(bundle[1 - mine], survives)
		:: else
		fi;
		if
		:: !survives -> look(bundle[W], survives)
		:: else
		fi;
		if
		:: !survives ->
			look(bundle[mine], tail);
			if :: !tail -> goto end :: else fi;
			tail = false;
			reached(2);
			put(rescue[me]);
			rescue[me] == SETTLED
		:: else
		fi
	:: else
	fi;
	live = false; condemned = false; survives = false;
	atomic {							/* V9 */
#if defined(REACH) && REACH == 1
		assert(mine == X || !there(bands[0].head) || there(bands[0].tail));
#endif
#if defined(REACH) && REACH == 5
		assert(mine == X || there(bundle[X]) || bands[0].relies != Y);
#endif
		unlink(bundle[mine]);
		check()
	};
end:	skip
}

init
{
	atomic {
		bundle[X] = SETTLED;
		waited[0] = G; waited[1] = G;
		run clock();
		run vacuum(0, X);
		run vacuum(1, Y);
#ifdef PRUNE
		run prune();
#endif
#ifdef READER
		run reader();
#endif
#if BACKUPS == 2
		run backup(1);
#endif
		run backup(0)
	}
}
