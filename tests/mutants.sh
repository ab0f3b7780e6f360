#!/bin/sh
# Build the engines with one fault of the protocol after the other (src/base/mutant.h),
# and demand that the tests of interleavings notice each: random courses within SEEDS
# (10000) seeds, or else the schedules with 0 or 1 preemptions. The table tells the first
# seed, and the first schedule, with how many. MUTANTS=… chooses. QUICK=1 tries schedules
# only where no seed has it. Faults of strict mode are in no schedule: a test of theirs
# must notice them, and courses are tried where none does, or with ALL=1.
set -u
cd "$(dirname "$0")/.."

losses() { # program: what it says was lost first
	"$1" 2>/dev/null | sed -n 's/^# LOSS //p' | head -1
}

seed() {
	BALE_SEEDS=${SEEDS:-10000} losses "$m/test_interleave" | sed 's/:.*//'
}

schedule() {
	for p in 0 1; do
		BALE_PREEMPTIONS=$p losses "$m/test_schedules" |
			sed "s/;.*/, with $p/" | grep . && return
	done
}

strict_test() {
	"$m/test_vacuum_strict" 2>/dev/null |
		sed -n 's/^.  FAILED  . \(test_.*\)/\1/p' | head -1
}

n=0 missed=0 strict=
for name in $(sed -n 's/^\tMUTANT_\([A-Z_]*\).*/\1/p; s/.*strict mode.*/strict/p' \
	src/base/mutant.h); do
	[ $name != strict ] || { strict=1; export BALE_STRICT=1; continue; }
	n=$((n + 1)) by= test=
	case " ${MUTANTS:-$n} " in *" $n "*) ;; *) continue ;; esac
	${MAKE:-make} -s MUTANT=$n mutant || exit 1
	m=${O:-build/plain}/mutant-$n
	[ -z "$strict" ] || test=$(strict_test)
	[ -n "$test" ] && [ -z "${ALL:-}" ] || by=$(seed)
	[ -n "$strict" ] || { [ -n "$by" ] && [ -n "${QUICK:-}" ]; } || test=$(schedule)
	printf '%2d %-14s%-12s%s\n' $n "$name" "${by:--}" "${test:--}"
	[ -n "$by$test" ] || missed=1
done
[ $missed = 0 ] || echo "not every mutant was noticed"
exit $missed
