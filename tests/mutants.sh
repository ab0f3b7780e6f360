#!/bin/sh
# Build the engines with one fault of the protocol after the other (src/base/mutant.h), and
# demand that the tests of interleavings notice each: the search of schedules with 1 preemption,
# else the random courses within SEEDS (10000) seeds. MUTANTS=… chooses. ALL=1 asks both of each.
# Those of strict mode are in no schedule: a test of theirs must notice them.
set -u
cd "$(dirname "$0")/.."
n=0 missed=0 strict=
for name in $(sed -n 's/^\tMUTANT_\([A-Z_]*\).*/\1/p; s/.*strict mode.*/strict/p' \
	src/base/mutant.h); do
	[ $name != strict ] || { strict=1; continue; }
	n=$((n + 1))
	case " ${MUTANTS:-$n} " in *" $n "*) ;; *) continue ;; esac
	${MAKE:-make} -s MUTANT=$n mutant || exit 1
	m=${O:-build/plain}/mutant-$n seed=
	if [ -n "$strict" ]; then
		export BALE_STRICT=1
		schedule=$("$m/test_vacuum_strict" 2>/dev/null |
			sed -n 's/^.  FAILED  . \(test_.*\)/\1/p' | head -1)
	else
		schedule=$(BALE_TEST_STRIDE=1 "$m/test_schedules" 2>/dev/null |
			sed -n 's/^# LOSS //p' | head -1)
	fi
	[ -n "$schedule" ] && [ -z "${ALL:-}" ] ||
		seed=$(BALE_SEEDS=${SEEDS:-10000} "$m/test_interleave" 2>/dev/null |
			sed -n 's/^# LOSS //p' | head -1)
	echo "mutant $n $name: ${seed:-${ALL:+no seed}}${schedule:+ $schedule}"
	[ -n "$seed$schedule" ] || missed=1
done
[ $missed = 0 ] || echo "not every mutant was noticed"
exit $missed
