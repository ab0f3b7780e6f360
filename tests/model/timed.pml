/*
 * Deletion without locks, timed mode: backups, undeletes and prunes against vacuums.
 *
 * There is one chunk. Vacuum 0 condemns bundle X, which holds it. Where there is a vacuum 1,
 * bundle Z holds it too, and vacuum 1 condemns that. What a run relies on is one reference to
 * the chunk, through X or Z, or a copy of its own. The steps are named as in docs/protocol.md.
 *
 * The scenario:
 *   BACKUPS=n   runs 0 .. n-1 (at most 2)	VACUUMS=n   0, 1 or 2
 *   OLD         a complete band refers to the chunk from the start; else the chunk is dead
 *   PRUNE       that band is removed at some moment
 *   UNDELETE    the last run is an undelete: it has no source to read the chunk from
 *   OWNER       run 1 is the same client's next run: run 0 is dead by then, and is fenced
 *   RECALLS     ... unless the client's own notes say that run 0 ended well
 *   IMPATIENT   a vacuum may fence a run instead of waiting for it
 *   FINISHER    one more vacuum finishes what vacuum 0 began
 *   SWEEP       a tombstone is deleted a grace after its bundle
 *   LATER       backups look at the tombstones once more before the tail, and make own copies
 */
#include "look.pml"

#ifndef BACKUPS
#define BACKUPS 1
#endif
#ifndef VACUUMS
#define VACUUMS 1
#endif
#ifndef FENCE_G
#define FENCE_G G			/* how long a fence is watched before it is believed */
#endif

#define X	0
#define Z	1
#define OWN	2

typedef band {
	byte head, tail, fence;
	byte relies;			/* on X, Z or OWN; counts from the tail on */
	bool in_flight;			/* the tail's put has begun, and has not returned */
	bool dead;			/* its process is */
	bool success;			/* it was reported to the user */
};

byte bundle[2], tomb[2];		/* files; tomb[b] condemns bundle b */
byte rescue[3];				/* file: a whole copy of the chunk, by each vacuum */
byte waited[3];				/* ticks on each vacuum's own clock */
byte removed;				/* file: of the old band */
band bands[BACKUPS];
byte n_;				/* for the clock */

#define copied \
	(rescue[0] == SETTLED || rescue[1] == SETTLED || rescue[2] == SETTLED)
#define restorable \
	(bundle[X] == SETTLED || bundle[Z] == SETTLED || copied)
#define complete(r)	((there(bands[r].tail) && !there(bands[r].fence)) || bands[r].success)
#define safe(r)		(!complete(r) || bands[r].relies == OWN || restorable)

/* After each step that could break it: no complete band has lost its chunk. */
inline check()
{
	assert(safe(0));
	assert(safe(BACKUPS - 1));
#ifdef OLD
	assert(restorable || there(removed));
#endif
}

proctype clock()
{
	do
	:: d_step {
		n_ = 0;
		do
		:: n_ < BACKUPS ->
			tick(bands[n_].head); tick(bands[n_].tail); tick(bands[n_].fence);
			n_++
		:: else -> break
		od;
		n_ = 0;
		do
		:: n_ < 3 ->
			tick(rescue[n_]);
			if :: waited[n_] < G -> waited[n_]++ :: else fi;
			n_++
		:: else -> break
		od;
		tick(bundle[X]); tick(bundle[Z]);
		tick(tomb[X]); tick(tomb[Z]);
		tick(removed);
		n_ = 0
	}
	od
}

inline begin_wait() { waited[me] = 0 }
#define grace_over	(waited[me] == G)
#define fence_watched	(waited[me] >= FENCE_G)

/* --- a backup, or an undelete */

proctype backup(byte me; bool source)
{
	bool x, z, cond_x, cond_z, fenced;
	byte relies = OWN;
	{
#ifdef OWNER
		if :: me == 1 -> bands[0].dead = true :: else fi;
#endif
#ifndef M_NO_HEAD
		put(bands[me].head);					/* B1 */
#endif
#ifdef OWNER
		if							/* B2 */
		:: me == 1 ->
			look(bands[0].tail, fenced);
#ifdef RECALLS
			fenced = fenced || bands[0].success;
#endif
			if :: !fenced -> put(bands[0].fence) :: else fi;
			fenced = false
		:: else
		fi;
#endif
#ifdef M_BUNDLES_FIRST
		look(bundle[X], x); look(bundle[Z], z);
#endif
#ifdef M_UNDELETE_BLIND
		if :: source -> look(tomb[X], cond_x); look(tomb[Z], cond_z) :: else fi;
#elif !defined(M_BLIND)
		look(tomb[X], cond_x); look(tomb[Z], cond_z);		/* B3 */
#endif
#ifndef M_BUNDLES_FIRST
		look(bundle[X], x); look(bundle[Z], z);			/* B4 */
#endif
		if							/* B5 */
		:: x && !cond_x -> relies = X
		:: z && !cond_z -> relies = Z
		:: !(x && !cond_x) && !(z && !cond_z) ->
			if
			:: source -> skip			/* stored anew */
			:: !source && (x || z) ->		/* copied, if still there */
				look(bundle[X], x); look(bundle[Z], z);
				if :: x || z :: else -> goto end fi
			:: !source && !(x || z) -> goto end	/* refused */
			fi
		fi;
#ifdef LATER
		look(tomb[X], cond_x); look(tomb[Z], cond_z);		/* B6 */
		if
		:: relies == X && cond_x ->
			assert(there(bundle[X]) || there(bands[me].fence)); relies = OWN
		:: relies == Z && cond_z ->
			assert(there(bundle[Z]) || there(bands[me].fence)); relies = OWN
		:: else
		fi;
#endif
		x = false; z = false; cond_x = false; cond_z = false;
#ifdef OWNER
		atomic { bands[me].relies = relies; bands[me].in_flight = true };
#endif
		atomic {						/* B7 */
			bands[me].relies = relies;
			bands[me].in_flight = false;
			put(bands[me].tail);
			check()
		};
#ifndef M_NO_FENCE_LOOK
		look(bands[me].fence, fenced);				/* B8 */
#endif
		atomic {
			if
			:: !fenced -> bands[me].success = true; check()
			:: else -> reached(4)
			fi
		}
	} unless { bands[me].dead };
end:	skip
}

/* A tail whose process died while it was put may land at any time, or never. */
proctype mount()
{
	atomic { bands[0].dead && bands[0].in_flight ->
		bands[0].in_flight = false; put(bands[0].tail); check() }
}

proctype prune()
{
	put(removed)							/* R1 */
}

/* --- a vacuum, from its tombstone on. What moved the chunk before: moves.pml */

proctype vacuum(byte me; byte mine; byte other; bool writes)
{
	bool head, tail, live, condemned, survives;
	byte i;

	if								/* V3 */
	:: writes -> put(tomb[mine])
	:: else -> seen_at_last(tomb[mine])
	fi;
	begin_wait();							/* V4 */
	grace_over;

	do								/* V5, V6 */
	:: i < BACKUPS ->
		look(bands[i].head, head); look(bands[i].tail, tail);
#ifndef M_NO_WAIT
		if
		:: head && !tail ->
			if
			:: seen_at_last(bands[i].tail) -> tail = true
			:: seen_at_last(bands[i].fence) ->
				begin_wait(); fence_watched; look(bands[i].tail, tail)
#ifdef IMPATIENT
			:: bands[i].fence == ABSENT ->
				put(bands[i].fence);
				begin_wait(); fence_watched; look(bands[i].tail, tail)
#endif
			fi
		:: else
		fi;
#endif
#ifndef M_NO_TAILS
		if :: tail && bands[i].relies != OWN -> live = true :: else fi;
#endif
		head = false; tail = false;
		i++
	:: else -> i = 0; break
	od;
#ifdef OLD
	look(removed, tail);
	if :: !tail -> live = true :: else fi;
	tail = false;
#endif
#ifdef M_TAKE_BACK
	if :: live -> unlink(tomb[mine]); goto end :: else fi;
#endif
#ifdef M_READ_FIRST
	look(bundle[other], survives);
#endif
#ifndef M_NO_OTHERS
	look(tomb[other], condemned);					/* V7 */
#endif
	if								/* V8 */
	:: live ->
#ifdef M_READ_FIRST
		survives = survives && !condemned;
#else
		if :: !condemned -> look(bundle[other], survives) :: else fi;
#endif
		if
		:: survives
		:: else ->
			look(bundle[mine], tail);	/* to be read, and copied */
			if :: !tail -> goto end :: else fi;
			tail = false;
			reached(2);
			if
			:: put(rescue[me])
#ifdef M_NO_VERIFY
			:: skip			/* torn, and nobody looked */
#endif
			fi;
#ifdef M_NO_VERIFY
			if :: rescue[me] == SETTLED :: rescue[me] == ABSENT fi
#elif !defined(M_NO_SETTLE)
			rescue[me] == SETTLED
#endif
		fi
	:: else
	fi;
	live = false; condemned = false; survives = false;
	atomic {							/* V9 */
#if defined(REACH) && REACH == 1
		assert(!there(bands[0].head) || there(bands[0].tail) || there(bands[0].fence));
#endif
		unlink(bundle[mine]);
		check()
	};
#ifdef SWEEP
	begin_wait();							/* V10 */
	grace_over;
	unlink(tomb[mine])
#endif
end:	skip
}

init
{
	atomic {
		bundle[X] = SETTLED;
#if VACUUMS == 2
		bundle[Z] = SETTLED;
#endif
		waited[0] = G; waited[1] = G; waited[2] = G;
		run clock();
#if VACUUMS >= 1
		run vacuum(0, X, Z, true);
#endif
#if VACUUMS >= 2
		run vacuum(1, Z, X, true);
#endif
#ifdef FINISHER
		run vacuum(2, X, Z, false);
#endif
#ifdef PRUNE
		run prune();
#endif
#if BACKUPS == 2
		run backup(0, true);
#endif
#ifdef UNDELETE
		run backup(BACKUPS - 1, false);
#else
		run backup(BACKUPS - 1, true);
#endif
#ifdef OWNER
		run mount();
#endif
	}
}
