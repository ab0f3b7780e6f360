/*
 * Deletion without locks, strict mode: no assumption about time at all.
 *
 * A look may miss any file that is there, for ever, and may show any bundle that is gone. What
 * a client knows for certain is what it has once seen and noted, and what it reads in a tail.
 *
 * There is one chunk, in bundles X and Z. Client 0 condemns X, client 1 condemns Z. Both back
 * up as well. Each deletes its bundle only on evidence: of every other client it knows it has
 * seen an unbroken chain of bands, from the first to one whose tail has `seen` the tombstone.
 *
 *   RUNS=n	each client's bands
 *   OLD	a complete band refers to the chunk from the start; else it is dead
 *   DIES	a run may die before its tail; the client's next run fences it
 *   NEWCOMERS=n	clients 2 .. come late, back up, and nobody knows of them at first. There is
 *		no Z then, and client 0 only vacuums. Of two, 3 alone relies on X
 *   NEW_VACUUM	client 0 comes late as well, and knows nobody at first
 */
#ifndef RUNS
#define RUNS 2
#endif
#ifndef NEWCOMERS
#define NEWCOMERS 0
#define VACUUMS 2
#else
#define VACUUMS 1
#endif
#define CLIENTS (2 + NEWCOMERS)
#define BANDS	(CLIENTS * RUNS)

#define X	0
#define Z	1
#define OWN	2

typedef band {
	bool tail, fence;
	byte relies;
	bool seen_x, seen_z;	/* the tail's `seen` */
	byte names;		/* the tail's roll-call: clients, one bit each */
};
typedef client {
	bool knows_x, knows_z;	/* tombstones, noted for good */
	byte knows;		/* clients, noted for good: one bit each */
	bool leave;		/* to rely on what others wrote, and to vacuum */
	byte next;		/* the counter of its next band */
};

band bands[BANDS];
client clients[CLIENTS];
bool tomb[2], gone[2], rescue[2];
byte began;			/* clients of which there is a file: one bit each */
byte n_;

#define bit(c)		(1 << (c))
#define my_band		(me * RUNS + clients[me].next)
#define theirs		bands[other * RUNS + j]
#define restorable	(!gone[X] || !gone[Z] || rescue[0] || rescue[1])

inline check()
{
	d_step {
		n_ = 0;
		do
		:: n_ < BANDS ->
			assert(!bands[n_].tail || bands[n_].fence ||
			    bands[n_].relies == OWN || restorable);
			n_++
		:: else -> break
		od;
		n_ = 0
#ifdef OLD
		;
		assert(restorable)
#endif
	}
}

/*
 * Whoever nobody knows has leave once it has seen a tail whose roll-call names it, of a client
 * that had leave; and takes over what that tail has seen and whom it names.
 */
inline ask_leave()
{
	if
	:: other = 0 :: other = 1
#if NEWCOMERS >= 1
	:: other = 2
#endif
#if NEWCOMERS >= 2
	:: other = 3
#endif
	fi;
	do
	:: j < RUNS && other != me && theirs.tail && (theirs.names & bit(me)) ->
		clients[me].leave = true;
		clients[me].knows = clients[me].knows | theirs.names | bit(other);
#ifndef M_NO_MERGE
		cond_x = cond_x || theirs.seen_x;
		cond_z = cond_z || theirs.seen_z;
#endif
		break
	:: j < RUNS -> j++
	:: break							/* not seen */
	od;
	j = 0; other = 0
}

/* Clients of which a listing shows a file, this time. Two newcomers are met in a line only. */
inline meet()
{
#ifdef NEW_VACUUM
	if :: clients[me].knows = clients[me].knows | (began & bit(0)) :: skip fi;
	if :: clients[me].knows = clients[me].knows | (began & bit(1)) :: skip fi;
#endif
#if NEWCOMERS == 1
	if :: clients[me].knows = clients[me].knows | (began & bit(2)) :: skip fi;
#elif NEWCOMERS == 2
	if
	:: me == 1 || me == 2 -> clients[me].knows = clients[me].knows | (began & bit(me + 1))
	:: me == 3 -> clients[me].knows = clients[me].knows | (began & bit(2))
	:: skip
	fi;
#endif
	skip
}

/* Files only ever come here, so it is the worst case to look at all of them at the last. */
inline backup()
{
	atomic {							/* B1, B2 */
		clients[me].next < RUNS ->
		began = began | bit(me);
		if
		:: clients[me].next > 0 && !bands[my_band - 1].tail ->
			bands[my_band - 1].fence = true
		:: else
		fi
	};
	atomic {
		if :: tomb[X] -> cond_x = true :: skip fi;		/* B3 */
		if :: tomb[Z] -> cond_z = true :: skip fi;
#ifndef M_NO_CARRY
		cond_x = cond_x || clients[me].knows_x;
		cond_z = cond_z || clients[me].knows_z;
#endif
		meet();
		if :: !clients[me].leave -> ask_leave() :: else fi;	/* S3 */
#if defined(M_NEW_AT_ONCE)
		may_rely = true;
#elif defined(M_NEW_SECOND_BAND)
		may_rely = clients[me].next > 0;
#else
		may_rely = clients[me].leave;
#endif
		if							/* B4, B5 */
		:: may_rely && !cond_x && (NEWCOMERS < 2 || me == 3) -> relies = X
		:: may_rely && !cond_z && VACUUMS == 2 -> relies = Z
		:: relies = OWN
		fi;
		may_rely = false
	};
	atomic {
		if
		:: bands[my_band].relies = relies;			/* B7 */
			bands[my_band].seen_x = cond_x;
			bands[my_band].seen_z = cond_z;
			if
#ifndef M_NAMES_EARLY
			:: !clients[me].leave -> skip
#endif
			:: else -> bands[my_band].names = clients[me].knows
			fi;
			bands[my_band].tail = true;
#if defined(REACH) && REACH == 6
			assert(me < 2 || relies != X);
#endif
			clients[me].knows_x = cond_x;
			clients[me].knows_z = cond_z;
			check()
#ifdef DIES
		:: skip
#endif
		fi;
		clients[me].next++;
		relies = OWN; cond_x = false; cond_z = false
	}
}

/*
 * Of another client: its bands in order, up to a tail that has seen the tombstone of `me`.
 * Where a look misses one there is no evidence, and nothing happens.
 */
inline chain(c)
{
	other = c;
	if
	:: acked && (clients[me].knows & bit(other)) ->
		acked = false;
		do
		:: j < RUNS && theirs.tail && !theirs.fence ->
			live = live || theirs.relies != OWN;
#ifndef M_NO_ROLL
			clients[me].knows = clients[me].knows | theirs.names;
#endif
			acked = (me == 0 && theirs.seen_x) || (me == 1 && theirs.seen_z);
#ifdef M_NO_ACKS
			acked = true;
#endif
			j++;
			if :: acked -> break :: else fi
		:: j < RUNS && theirs.fence -> j++
#ifdef M_GAPS
		:: j < RUNS -> j++
#endif
		:: break						/* not seen */
		od;
		j = 0
	:: else
	fi;
	other = 0
}

inline delete()
{
	atomic {
		tomb[me] && !gone[me] ->
		meet();
		acked = true;						/* S1, S2 */
#if NEWCOMERS == 0
		chain(1 - me);
#else
		chain(1);
		chain(2);
#if NEWCOMERS >= 2
		chain(3);
		if :: acked -> chain(2) :: else fi;	/* whom 3's chain named */
#endif
		if :: acked -> chain(1) :: else fi;
#endif
		do							/* V6 */
		:: j < clients[me].next ->
			live = live || (bands[me * RUNS + j].tail &&
			    bands[me * RUNS + j].relies != OWN);
			j++
		:: else -> break
		od;
		j = 0;
#ifdef OLD
		live = true;
#endif
		if							/* V7, V8 */
		:: me == 0 && !clients[me].knows_z && VACUUMS == 2 -> live = false
		:: me == 1 && !clients[me].knows_x -> live = false
		:: else
		fi
	};
	atomic {
		if
		:: acked ->
#if defined(REACH) && REACH == 2
			assert(!live);
#endif
			if :: live -> rescue[me] = true :: else fi;
			gone[me] = true;				/* V9 */
			check()
		:: else
		fi;
		acked = false; live = false
	}
}

proctype member(byte me)
{
	bool cond_x, cond_z, may_rely, acked, live;
	byte relies = OWN, other, j;

	do
	:: NEWCOMERS == 0 || me > 0 -> backup()
#ifdef NEW_VACUUM
	:: atomic { me == 0 && !clients[0].leave ->			/* its bands rely on nothing */
		began = began | bit(0);
		ask_leave();
		clients[0].knows_x = cond_x;
		cond_x = false; cond_z = false
	}
#endif
	:: atomic { me < VACUUMS && !tomb[me] ->			/* V3 */
#if defined(NEW_VACUUM) && !defined(M_VACUUM_AT_ONCE)
		clients[me].leave ->
#endif
		tomb[me] = true;
		if
		:: me == 0 -> clients[me].knows_x = true
		:: else -> clients[me].knows_z = true
		fi
	}
	:: me < VACUUMS -> delete()
	od
}

init
{
	atomic {
		clients[1].leave = true;
#ifdef NEW_VACUUM
		began = bit(1);
#else
		clients[0].leave = true;
		clients[0].knows = bit(1);
		clients[1].knows = bit(0);
		began = bit(0) | bit(1);
#endif
#if NEWCOMERS >= 1
		gone[Z] = true;
#endif
		run member(0);
		run member(1);
#if NEWCOMERS >= 1
		run member(2);
#endif
#if NEWCOMERS >= 2
		run member(3)
#endif
	}
}
