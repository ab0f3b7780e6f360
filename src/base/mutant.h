/*
 * Faults that can be built into the engines on purpose, one a build (-DBALE_MUTANT=n):
 * the tests of the protocol are worth something only if they notice each of them.
 */
#ifndef BALE_BASE_MUTANT_H
#define BALE_BASE_MUTANT_H

#ifndef BALE_MUTANT
#define BALE_MUTANT 0
#endif

enum {
	MUTANT_NO_HEAD = 1,   /* a backup looks before its head is written */
	MUTANT_NO_WAIT,       /* a vacuum deletes while heads have neither tail nor fence */
	MUTANT_NO_GRACE,      /* a vacuum deletes at once */
	MUTANT_NO_TAILS,      /* a vacuum does not look at what tails rely on by now */
	MUTANT_NO_OTHERS,     /* a vacuum ignores what other vacuums have condemned */
	MUTANT_BLIND_BACKUP,  /* a backup ignores what is condemned */
	MUTANT_BLIND_HINTS,   /* a vacuum believes hints, whatever stands there */
	MUTANT_FENCE_AT_ONCE, /* a vacuum does not watch fences for a tail that comes late */
	MUTANT_FENCE_UNSEEN,  /* a backup does not look for a fence at its end */
	MUTANT_NO_SETTLING,   /* copies that not everybody sees yet count as survivors (V8) */
	MUTANT_NO_READING,    /* survivors are not read (V8) */
	MUTANT_STONES_EARLY,  /* tombstones go as soon as nothing that they name is listed */
	/* strict mode */
	MUTANT_SEEN_LOST,     /* what a client saw condemned is lost with the run */
	MUTANT_ANY_TAIL,      /* tails that have not seen the tombstone are evidence (S2) */
	MUTANT_GAPS,          /* chains of tails are not followed back (S2) */
	MUTANT_NAMED_UNASKED, /* whom only roll-calls name is not asked (S1) */
	MUTANT_NO_LEAVE,      /* a client that comes late relies on all at once (S3) */
	MUTANT_LEAVE_BLIND,   /* leave is taken without what its giver has seen (S3) */
	MUTANT_LEAVE_BY_ANY,  /* leave is taken from who has none (S3) */
};

#define MUTANT(name) (BALE_MUTANT == MUTANT_##name)

#endif
