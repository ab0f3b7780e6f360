#!/bin/sh
# 60 generations of a changing tree (2 % of its bytes each, spread evenly), pruned to 10; then,
# each on a copy of that repository, a vacuum at every threshold and the same once more: what
# it predicted, what it did, whether every snapshot is still whole. Then beside restic and
# borg (where they are installed) on the same generations.
#
#   tests/bench/generations.sh TREE [GENERATIONS]
#
# TREE is copied; a quarter of its size is added in files that do not compress.
set -eu
tree=$(realpath "$1")
generations=${2:-60}
build=$(realpath "${BUILD:-build/plain}")
bale=$build/bale
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
keep=10
export BALE_KEY_FILE="$dir/key" BALE_REPO="$dir/bale/repo" BALE_CACHE_DIR="$dir/bale/cache"
export RESTIC_PASSWORD=bench RESTIC_REPOSITORY="$dir/restic/repo" RESTIC_CACHE_DIR="$dir/restic/cache"
export BORG_PASSPHRASE=bench BORG_REPO="$dir/borg/repo" BORG_BASE_DIR="$dir/borg/base"
export BORG_RELOCATED_REPO_ACCESS_IS_OK=yes
peers=
for p in restic borg; do command -v $p >/dev/null && peers="$peers $p"; done

fail() {
	echo "FAILED: $*" >&2
	exit 1
}
use() { # FOLDER: a copy of the repository that stands there, with its cache
	export BALE_REPO="$dir/$1/repo" BALE_CACHE_DIR="$dir/$1/cache"
	export RESTIC_REPOSITORY="$dir/$1/repo" RESTIC_CACHE_DIR="$dir/$1/cache"
	export BORG_REPO="$dir/$1/repo" BORG_BASE_DIR="$dir/$1/base"
}
copy() { # FROM TO
	rm -rf "${dir:?}/$2"
	cp -a "$dir/$1" "$dir/$2"
	use "$2"
}
bytes() { find "$1" -type f -printf '%s\n' | awk '{n += $1} END {print n + 0}'; }
bundles() { find "$BALE_REPO/data" "$BALE_REPO/hunks" -type f -printf '%f %s\n' | sort; }
mib() { awk -v n="$1" 'BEGIN {printf "%.2f", n / 1048576}'; }
# timed NAME COMMAND...: appends seconds to NAME, peak KiB to NAME.rss
timed() {
	name=$1
	shift
	/usr/bin/time -o "$dir/time" -f '%e %M' "$@" >"$dir/out" 2>"$dir/errors" || {
		cat "$dir/out" "$dir/errors" >&2
		fail "$*"
	}
	tail -n 1 "$dir/time" | while read -r s m; do
		echo "$s" >>"$dir/$name"
		echo "$m" >>"$dir/$name.rss"
	done
}
median() { sort -n "$1" 2>/dev/null | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]; else print "-"}'; }
sum() { awk '{n += $1} END {printf "%.1f", n}' "$1"; }
summary() { # COMMAND...: its last line of JSON
	"$bale" "$@" --json -q >"$dir/out" || fail "bale $*"
	tail -n 1 "$dir/out"
}
field() { jq -r "$2" <"$dir/$1"; }
whole() { # all snapshots are whole, and each restores to what was there
	"$bale" validate --full -q >"$dir/out" 2>&1 || { cat "$dir/out" >&2; fail "validate: $1"; }
	n=0
	while [ $n -lt $keep ]; do
		"$bale" restore "latest~$n:$dir/in/tree" --to "$dir/to" -q || fail "restore: $1"
		rsync -aHAX --checksum --dry-run --itemize-changes --delete \
			"$dir/gen/$((generations - n))/" "$dir/to/" >"$dir/differs"
		[ -s "$dir/differs" ] && { head "$dir/differs" >&2; fail "restore of generation $((generations - n)): $1"; }
		rm -rf "$dir/to"
		n=$((n + 1))
	done
}
# What restoring the last generation reads, beside what its chunks take when it stands alone (by
# their share of frames), and beside the frames that hold them.
restored() { # OF
	"$bale" restore "latest:$dir/in/tree" --to "$dir/to" -q --json | tail -n 1 >"$dir/restored"
	rm -rf "$dir/to"
	copy "$1" alone
	"$bale" prune -q --keep-last 1
	summary vacuum >"$dir/alone.json"
	use "$1"
	jq -n --slurpfile r "$dir/restored" --slurpfile a "$dir/alone.json" '{
		reads: $r[0].storage.bytes_in, gets: $r[0].storage.get, peak: $r[0].peak_rss,
		need: $a[0].live_bytes, frames: $a[0].live_frame_bytes}' >"$dir/reads"
	rm -rf "$dir/alone"
}

# --- the generations

mkdir -p "$dir/in" "$dir/gen" "$dir/bale" "$dir/restic" "$dir/borg" "$dir/fresh"
cp -a "$tree" "$dir/in/tree"
mkdir "$dir/in/tree/media"
"$build/bench/churn" --media "$dir/in/tree/media" 1 $(($(bytes "$tree") / 4194304 + 1))
"$bale" init --key-file "$dir/key" >/dev/null
case $peers in *restic*) restic init >/dev/null ;; esac
case $peers in *borg*) borg init -e repokey-blake2 >/dev/null 2>&1 ;; esac
g=1
while [ $g -le "$generations" ]; do
	[ $g = 1 ] || "$build/bench/churn" "$dir/in/tree" $g 2
	timed bale-backups "$bale" backup -q --set bench "$dir/in/tree"
	case $peers in *restic*) timed restic-backups restic backup -q "$dir/in/tree" ;; esac
	case $peers in *borg*) timed borg-backups borg create ::$g "$dir/in/tree" ;; esac
	[ $g -le $((generations - keep)) ] || cp -a "$dir/in/tree" "$dir/gen/$g"
	g=$((g + 1))
done
echo "$generations generations of $(mib "$(bytes "$dir/in/tree")") MiB in $(find "$dir/in/tree" -type f | wc -l) files; repository $(mib "$(bytes "$dir/bale/repo")") MiB"
timed bale-prune "$bale" prune -q --keep-last $keep
case $peers in *restic*) timed restic-forget restic forget -q --keep-last $keep ;; esac
case $peers in *borg*) timed borg-prune borg prune --keep-last $keep ;; esac

use fresh
"$bale" init --key-file "$dir/key-fresh" >/dev/null
g=$((generations - keep + 1))
while [ $g -le "$generations" ]; do
	mv "$dir/in/tree" "$dir/in/aside"
	mv "$dir/gen/$g" "$dir/in/tree"
	BALE_KEY_FILE="$dir/key-fresh" "$bale" backup -q --set bench "$dir/in/tree"
	mv "$dir/in/tree" "$dir/gen/$g"
	mv "$dir/in/aside" "$dir/in/tree"
	g=$((g + 1))
done
fresh=$(bytes "$dir/fresh/repo")

# --- thresholds

use bale
whole 'before any vacuum'
summary vacuum >"$dir/before"
jq -r '"before: \(.total_bytes) bytes, \(.live_bytes) live, \(.dead_bytes) dead, \(.unknown_bytes) unknown, \(.bundles) bundles; the rule chooses below \(.below) %"' "$dir/before"
restored bale
echo "a fresh repository of the same $keep snapshots: $fresh bytes"
jq -r --arg g "$generations" '"restoring generation \($g): reads \(.reads) bytes in \(.gets) reads, peak \(.peak) bytes; it needs \(.need) by their share of frames: \(.reads / .need * 1000 | round / 1000) times; the frames take \(.frames): \(.reads / .frames * 1000 | round / 1000) times"' "$dir/reads"
echo
echo '| below | bundles below | gone | touched above | bytes read | written | peak | moved / live of victims | freed | predicted | apart | left dead | predicted | again: gone | again: freed | store / fresh | restore reads / shares | / frames |'
echo '|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|'
i=0
for below in 0 30 50 70 90 100; do
	copy bale one
	bundles >"$dir/bundles"
	size=$(bytes "$BALE_REPO")
	summary vacuum --run --sole-client --below $below >"$dir/run"
	after=$(bytes "$BALE_REPO")
	bundles >"$dir/bundles-after"
	comm -23 "$dir/bundles" "$dir/bundles-after" >"$dir/gone"
	whole "below $below"
	summary vacuum >"$dir/look"
	restored one
	summary vacuum --run --sole-client --below $below >"$dir/again"
	bundles >"$dir/bundles-again"
	whole "below $below, again"
	jq -nr --slurpfile b "$dir/before" --slurpfile r "$dir/run" --slurpfile l "$dir/look" \
		--argjson i $i --argjson gone "$(wc -l <"$dir/gone")" \
		--argjson size "$size" --argjson after "$after" --argjson last "$(bytes "$BALE_REPO")" \
		--argjson new "$(comm -13 "$dir/bundles" "$dir/bundles-after" | awk '{n += $2} END {print n + 0}')" \
		--argjson again "$(comm -23 "$dir/bundles-after" "$dir/bundles-again" | wc -l)" \
		--argjson fresh "$fresh" --slurpfile f "$dir/reads" '
		def r: . * 1000 | round / 1000;
		$b[0].thresholds[$i] as $t | $b[0].thresholds[0] as $z |
		(($t.free_bytes + $t.write_bytes - $z.free_bytes - $z.write_bytes)
			- ($z.left_dead_bytes - $t.left_dead_bytes)) as $live |
		($size - $after) as $freed |
		"| \($t.below) % | \($t.bundles) | \($gone) | \($gone - $t.bundles) | \($r[0].storage.bytes_in) | \($r[0].storage.bytes_out) | \($r[0].peak_rss) | \(if $live > 0 then ($new / $live | r) else "-" end) | \($freed) | \($t.free_bytes) | \(if $t.free_bytes > 0 then (($freed - $t.free_bytes) * 100 / $t.free_bytes | r) else "-" end) % | \($l[0].dead_bytes) | \($t.left_dead_bytes) | \($again) | \($after - $last) | \($after / $fresh | r) | \($f[0].reads / $f[0].need | r) | \($f[0].reads / $f[0].frames | r) |"'
	i=$((i + 1))
done

# --- peers

echo
use bale
for n in 1 2 3; do timed bale-analysis "$bale" vacuum -q; done
use restic
for n in 1 2 3; do case $peers in *restic*) timed restic-analysis restic prune --dry-run -q ;; esac; done
written() { find "$1" -type f -newer "$dir/mark" -printf '%s\n' | awk '{n += $1} END {print n + 0}'; }
for n in 1 2 3; do
	for p in bale all $peers; do
		if [ $p = all ]; then copy bale one; else copy $p one; fi
		size=$(bytes "$dir/one/repo")
		touch "$dir/mark"
		sleep 0.02
		case $p in
		bale) timed bale-reclaim "$bale" vacuum -q --run --sole-client ;;
		all) timed all-reclaim "$bale" vacuum -q --run --sole-client --below 100 ;;
		restic) timed restic-reclaim restic prune -q ;;
		borg) timed borg-reclaim borg compact ;;
		esac
		written "$dir/one/repo" >>"$dir/$p-written"
		echo $((size - $(bytes "$dir/one/repo"))) >>"$dir/$p-freed"
		bytes "$dir/one/repo" >>"$dir/$p-left"
	done
done
echo "| medians of 3 | bale | bale, all that is dead |$(for p in $peers; do printf ' %s |' $p; done)"
echo "|---|---|---|$(for p in $peers; do printf '%s' '---|'; done)"
row() { # TITLE NAME
	printf '| %s |' "$1"
	for p in bale all $peers; do printf ' %s |' "$(median "$dir/$p-$2")"; done
	echo
}
printf '| %s generations backed up, s |' "$generations"
for p in bale all $peers; do [ $p = all ] && printf ' |' || printf ' %s |' "$(sum "$dir/$p-backups")"; done
echo
row 'analysis (vacuum; prune --dry-run), s' analysis
row 'analysis, peak KiB' analysis.rss
row 'space given back (vacuum --run; prune; compact), s' reclaim
row 'peak KiB' reclaim.rss
row 'bytes written' written
row 'bytes freed' freed
row 'bytes left' left
