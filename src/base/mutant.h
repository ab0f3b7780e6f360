/*
 * Faults that can be built into the engines on purpose, one a build (-DBALE_MUTANT=n): the
 * tests of the protocol are worth something only if they notice each of them.
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
};

#define MUTANT(name) (BALE_MUTANT == MUTANT_##name)

#endif
