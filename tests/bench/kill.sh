#!/bin/bash
# kill.sh TREE [ROUNDS]: kill -9 at random moments of a first backup of TREE, most of them
# after a part; then a new backup. Every complete snapshot must restore to TREE, and
# nothing that a part covers may be read again (but for 64 MiB). CHECKPOINT: 100M. BUILD:
# build/plain.
set -u
tree=$(realpath "${1:?a tree}")
rounds=${2:-20}
bale=$(realpath "${BUILD:-build/plain}/bale")
checkpoint=${CHECKPOINT:-100M}
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-kill.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_REPO="$dir/repo" BALE_CACHE_DIR="$dir/cache" BALE_PASSPHRASE='for the test only'
slack=$((64 << 20))
bad=0

fresh() {
	rm -rf "$dir/repo" "$dir/cache"
	"$bale" init -q || exit 1
}

# exec: in the background it must be bale itself that is killed
backup() {
	exec "$bale" backup "$tree" --set kill --checkpoint "$checkpoint" --json
}

parts() {
	ls "$dir/repo/bands" 2>/dev/null | grep -c -e '-part-'
}

complain() {
	echo "NOT OK: $*"
	bad=$((bad + 1))
}

# Restore the snapshot and compare.
check() {
	local out="$dir/restored" differs
	rm -rf "$out"
	"$bale" restore "$1:$tree" --to "$out" -q || complain "restore of $1: status $?"
	differs=$(rsync -aHAX --checksum --dry-run --itemize-changes --delete "$tree/" "$out/")
	[ -z "$differs" ] || complain "$1 differs: $(head -n 3 <<<"$differs")"
	rm -rf "$out"
}

fresh
begin=$(date +%s%N)
total=$(backup | tail -n 1 | jq .bytes_read)
time_ms=$((($(date +%s%N) - begin) / 1000000))
all=$(parts)
echo "undisturbed: $total bytes read, $all parts, $time_ms ms"
[ "$all" -ge 2 ] || { echo "TREE is too small for two parts"; exit 1; }

after=0
for round in $(seq "$rounds"); do
	fresh
	backup >/dev/null 2>"$dir/log" &
	pid=$!
	want=0
	if [ $((round % 6)) -ne 0 ]; then # five of six after a part
		want=$((RANDOM % (all - 1) + 1))
		while kill -0 $pid 2>/dev/null && [ "$(parts)" -lt $want ]; do sleep 0.01; done
	fi
	ms=$((RANDOM * time_ms / 32768 / (want ? all : 1)))
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	status=$?
	kept=$("$bale" list --json |
		jq -s 'map(select(.type == "snapshot" and .complete == false) | .bytes_read) | add // 0')
	had=$(parts)
	[ "$had" -gt 0 ] && [ $status -eq 137 ] && after=$((after + 1))
	read=$(backup | tail -n 1 | jq .bytes_read)
	[ "${read:-null}" != null ] || { complain "round $round: no new backup"; continue; }
	[ "$read" -le $((total - kept + slack)) ] || complain "round $round: $read bytes read again"
	snapshots=$("$bale" list --json | jq -r 'select(.type == "snapshot" and .complete) | .snapshot')
	for s in $snapshots; do
		check "$s"
	done
	echo "round $round: killed with $had parts (status $status), $kept bytes kept, then" \
		"$read read; $(wc -w <<<"$snapshots") complete"
done
echo "$rounds kills, $after of them after a part, $bad failures"
[ $bad -eq 0 ]
