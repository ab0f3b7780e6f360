#!/bin/sh
# Runs the models: run.sh [--long]. Each line of `cases` is one exhaustive search: what must come
# out (safe, fails, reached), the model, its switches, and what the case shows. `fails` is a mutant:
# a protocol that lacks something, of which the search must find the loss. `reached` is a place
# in the model of which the search must find that it is reached. The long set takes a quarter of
# an hour and up to 12 GB; JOBS searches run at once (2), each below MEMLIM megabytes.
set -eu
cd "$(dirname "$0")"

short_cases() {
	cat <<'END'
safe	timed	-DBACKUPS=1 -DVACUUMS=1	backup + vacuum, chunk dead at start
safe	timed	-DBACKUPS=1 -DVACUUMS=1 -DOLD	backup + vacuum, chunk live at start
safe	timed	-DBACKUPS=1 -DVACUUMS=1 -DLATER	backup + vacuum, tombstones looked at again (B6)
safe	timed	-DBACKUPS=1 -DVACUUMS=2	backup + 2 vacuums, dead
safe	timed	-DBACKUPS=1 -DVACUUMS=2 -DOLD	backup + 2 vacuums, live
safe	timed	-DBACKUPS=1 -DVACUUMS=2 -DOLD -DDELTA=1 -DG=1	backup + 2 vacuums, live, DELTA 1, least grace
safe	timed	-DBACKUPS=2 -DVACUUMS=1 -DG=3	2 backups + vacuum, dead, least grace
safe	timed	-DBACKUPS=2 -DVACUUMS=1 -DOLD	2 backups + vacuum, live
safe	timed	-DBACKUPS=1 -DVACUUMS=1 -DDELTA=3 -DG=5	backup + vacuum, DELTA 3, least grace
safe	timed	-DVACUUMS=2 -DOLD -DPRUNE	prune + backup + 2 vacuums
safe	timed	-DVACUUMS=1 -DOLD -DPRUNE -DFINISHER	prune + backup + vacuum + finisher
safe	timed	-DVACUUMS=1 -DOLD -DPRUNE -DUNDELETE	prune + undelete + vacuum
safe	timed	-DVACUUMS=2 -DOLD -DPRUNE -DUNDELETE	prune + undelete + 2 vacuums
safe	timed	-DVACUUMS=1 -DIMPATIENT	a vacuum fences a living run
safe	timed	-DVACUUMS=2 -DOLD -DIMPATIENT	2 vacuums fence a living run
safe	timed	-DBACKUPS=2 -DOWNER	a client fences its own dead run; a tail lands late
safe	timed	-DBACKUPS=2 -DOWNER -DRECALLS -DFENCE_G=0	own fence taken at its word, but the client recalls (B2)
safe	timed	-DVACUUMS=2 -DOLD -DSWEEP	tombstones are deleted after their bundles
safe	moves	-DDELTA=1 -DPRUNE	moves, and the band pruned, DELTA 1
safe	moves	-DDELTA=1 -DREADER	moves under a running restore, DELTA 1
safe	moves	-DDELTA=2	moves: backup + 2 vacuums in a row
safe	strict	-DRUNS=2	2 clients back up and vacuum, chunk dead
safe	strict	-DOLD -DDIES	2 clients, chunk live; runs die and are fenced
safe	strict	-DNEWCOMERS=1	a client comes late
safe	strict	-DNEWCOMERS=1 -DNEW_VACUUM	two come late, one of them vacuums
reached	timed	-DREACH=1	bundle deleted while a run is between head and tail
reached	timed	-DREACH=2	a vacuum saves a chunk before it deletes
reached	timed	-DREACH=4 -DIMPATIENT	a run finds a fence after its tail
reached	moves	-DDELTA=1 -DREACH=1	moved copy's bundle deleted between head and tail
reached	moves	-DDELTA=1 -DREACH=5	moved copy relied on, and its bundle deleted
reached	strict	-DREACH=2	a vacuum saves a chunk before it deletes
reached	strict	-DNEWCOMERS=1 -DREACH=6	a late client relies on what others wrote
fails	timed	-DM_NO_HEAD	no head before looking
fails	timed	-DM_BLIND	backup that looks at no tombstone
fails	timed	-DM_NO_WAIT	no wait for heads
fails	timed	-DM_NO_TAILS	tails not read
fails	timed	-DVACUUMS=2 -DM_NO_OTHERS	others' tombstones ignored
fails	timed	-DVACUUMS=2 -DOLD -DM_NO_VERIFY	saved chunk not read back
fails	timed	-DVACUUMS=2 -DOLD -DM_NO_SETTLE	bundle deleted before all see the saved chunk
fails	timed	-DFINISHER -DOLD -DPRUNE -DM_TAKE_BACK	tombstone taken back
fails	timed	-DG=2	G = 2 DELTA - 2
fails	timed	-DVACUUMS=2 -DOLD -DG=1	G < DELTA, with 2 vacuums
fails	timed	-DDELTA=3 -DG=4	G = 2 DELTA - 2, DELTA 3
fails	timed	-DIMPATIENT -DM_NO_FENCE_LOOK	no look for a fence after the tail
fails	timed	-DIMPATIENT -DFENCE_G=0	a fence taken at its word
fails	timed	-DIMPATIENT -DFENCE_G=2	a fence watched for 2 DELTA - 2 only
fails	timed	-DBACKUPS=2 -DOWNER -DFENCE_G=0	the owner's fence taken at its word
fails	timed	-DUNDELETE -DM_UNDELETE_BLIND	undelete that looks at no tombstone
fails	timed	-DSWEEP -DM_BUNDLES_FIRST	backup lists bundles before tombstones
fails	timed	-DVACUUMS=2 -DOLD -DSWEEP -DM_READ_FIRST	vacuum reads survivors before tombstones
fails	moves	-DM_HINTS	hints marked without resolving
fails	moves	-DM_NO_OTHERS	moves: others' tombstones ignored
fails	moves	-DM_NO_VERIFY	moved chunk not read back
fails	strict	-DM_NO_CARRY	`seen` not carried from band to band
fails	strict	-DM_NO_ACKS	tails that have not seen the tombstone suffice
fails	strict	-DM_GAPS	gaps in the chain of tails
fails	strict	-DNEWCOMERS=1 -DM_NEW_AT_ONCE	a late client relies at once
fails	strict	-DNEWCOMERS=1 -DM_NEW_SECOND_BAND	a late client relies in its second band
fails	strict	-DNEWCOMERS=1 -DM_NO_MERGE	leave without the giver's `seen`
fails	strict	-DNEWCOMERS=1 -DM_NO_ROLL	clients named in roll-calls not asked
fails	strict	-DNEWCOMERS=1 -DNEW_VACUUM -DM_VACUUM_AT_ONCE	a late client vacuums at once
fails	strict	-DNEWCOMERS=2 -DM_NAMES_EARLY	leave given by one that has none
END
}

long_cases() {
	cat <<'END'
safe	timed	-DBACKUPS=2 -DVACUUMS=2	2 backups + 2 vacuums, DELTA 2, dead
safe	timed	-DBACKUPS=2 -DVACUUMS=2 -DOLD	2 backups + 2 vacuums, DELTA 2, live
safe	timed	-DBACKUPS=2 -DVACUUMS=2 -DOLD -DPRUNE -DUNDELETE -DDELTA=1	prune + undelete + backup + 2 vacuums
safe	timed	-DVACUUMS=2 -DSWEEP -DFINISHER	2 vacuums + finisher, tombstones deleted
safe	strict	-DNEWCOMERS=2	two come late, one gives the other leave
safe	strict	-DRUNS=3 -DDIES	2 clients, 3 runs each
safe	moves	-DBACKUPS=2	moves: 2 backups + 2 vacuums, DELTA 2
END
}

# One case: search it in a folder of its own, print its line, fail where it came out otherwise.
one() {
	want=$1 model=$2 flags=$3 text=$4
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	start=$(date +%s.%N)
	here=$PWD
	cd "$dir"
	opt=-O1
	[ "$want" = safe ] || opt=-O0
	# shellcheck disable=SC2086
	spin -a $flags "$here/$model.pml" >spin.out 2>&1 &&
		gcc $opt ${LONG:+-O2 -DCOLLAPSE} -w -DSAFETY -DMEMLIM="${MEMLIM:-3000}" -o pan pan.c ||
		{ cat spin.out; return 1; }
	./pan -E -m100000 >out 2>&1 || :
	states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' out)
	if grep -q 'assertion violated' out; then
		got=fails
		[ "$want" = reached ] && got=reached
		grep -q 'invalid array index' out && got=broken
	elif grep -q 'errors: 0' out && ! grep -qE 'not completed|too small' out; then
		got=safe
	else
		got=incomplete
	fi
	seconds=$(echo "$(date +%s.%N) $start" | awk '{printf "%.1f", $1 - $2}')
	case $got in
	fails) said="fails as it must" ;;
	*) said=$got ;;
	esac
	[ "$got" = "$want" ] || said="NOT OK: $got, must be: $want"
	printf '%-17s %9.0f states %5s s  %-7s%s\n' "$said" "$states" "$seconds" "$model" "$text"
	[ "$got" = "$want" ]
}

case ${1-} in
--case) shift; one "$@"; exit ;;
--long) list=long_cases; LONG=1 MEMLIM=${MEMLIM:-12000}; export LONG MEMLIM ;;
'') list=short_cases ;;
*) echo "usage: run.sh [--long]" >&2; exit 2 ;;
esac

if ! command -v spin >/dev/null; then
	echo "models: spin is not installed (apt-get install spin)" >&2
	exit 1
fi
$list | tr '\t\n' '\0\0' | xargs -0 -n 4 -P "${JOBS:-2}" ./run.sh --case ||
	{ echo "models: not as they must be"; exit 1; }
echo "models: $($list | wc -l) searches, all as they must be"
