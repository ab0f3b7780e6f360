#!/bin/sh
# bale beside restic (where it is installed) and the floor, on one tree, in alternating
# rounds of one run: medians of wall time, peak memory and repository size, as a table.
#
#   tests/bench/peers.sh TREE [ROUNDS]
set -eu
tree=$(realpath "$1")
rounds=${2:-3}
build=${BUILD:-build/plain}
bale=$build/bale
floor=$build/bench/floor
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_REPO="$dir/bale" BALE_CACHE_DIR="$dir/bale-cache" BALE_KEY_FILE="$dir/key"
export RESTIC_REPOSITORY="$dir/restic" RESTIC_PASSWORD=bench RESTIC_CACHE_DIR="$dir/restic-cache"

# timed NAME COMMAND...: appends seconds to NAME, peak KiB to NAME.rss
timed() {
	name=$1
	shift
	/usr/bin/time -o "$dir/time" -f '%e %M' "$@" >"$dir/out" 2>&1 || {
		cat "$dir/out" >&2
		exit 1
	}
	tail -n 1 "$dir/time" | while read -r s m; do
		echo "$s" >>"$dir/$name"
		echo "$m" >>"$dir/$name.rss"
	done
}
median() {
	sort -n "$1" 2>/dev/null | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]; else print "-"}'
}
floor_seconds() {
	"$floor" "$@" "$tree" | sed 's/.*"seconds":\([0-9.]*\).*/\1/'
}

peers=bale
command -v restic >/dev/null && peers="$peers restic"
cat "$tree"/* >/dev/null 2>&1 || true
floor_seconds >/dev/null # warm the page cache

i=0
while [ $i -lt "$rounds" ]; do
	rm -rf "$dir/bale" "$dir/bale-cache" "$dir/key" "$dir/restic" "$dir/restic-cache"
	floor_seconds >>"$dir/floor-first"
	"$bale" init --key-file "$dir/key" >/dev/null
	timed bale-first "$bale" backup --set bench -j2 "$tree"
	du -sb "$dir/bale" | cut -f1 >>"$dir/bale-size"
	case $peers in *restic*)
		restic init >/dev/null
		timed restic-first restic backup "$tree"
		du -sb "$dir/restic" | cut -f1 >>"$dir/restic-size"
		;;
	esac
	floor_seconds --stat >>"$dir/floor-unchanged"
	timed bale-unchanged "$bale" backup --set bench -j2 "$tree"
	case $peers in *restic*) timed restic-unchanged restic backup "$tree" ;; esac
	timed bale-stored "$bale" validate --stored
	timed bale-check "$bale" validate --full
	case $peers in *restic*) timed restic-check restic check --read-data ;; esac
	timed bale-restore "$bale" restore "latest:$tree" --to "$dir/to"
	rm -rf "$dir/to"
	case $peers in *restic*)
		timed restic-restore restic restore latest --target "$dir/to"
		rm -rf "$dir/to"
		;;
	esac
	i=$((i + 1))
done

printf '| medians of %s rounds | floor | %s |\n|---|---|' "$rounds" "$(echo "$peers" | sed 's/ / | /g')"
for p in $peers; do printf '%s' '---|'; done
echo
row() {
	printf '| %s | %s |' "$1" "$(median "$dir/floor-$2")"
	for p in $peers; do printf ' %s |' "$(median "$dir/$p-$2")"; done
	echo
}
row 'first backup, s' first
row 'first backup, peak KiB' first.rss
row 'unchanged, s' unchanged
row 'unchanged, peak KiB' unchanged.rss
row 'read and check everything, s' check
row 'restore, s' restore
row 'restore, peak KiB' restore.rss
row 'repository, bytes' size
