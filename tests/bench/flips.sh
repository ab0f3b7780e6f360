#!/bin/sh
# One bit flipped in a file of every kind, FLIPS times each at random places: does
# validate --stored, and --full, find it and name the file; and does a restore ever write
# wrong bytes?
#
#   tests/bench/flips.sh TREE [FLIPS]
set -eu
tree=$(realpath "$1")
flips=${2:-20}
bale=${BUILD:-build/plain}/bale
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_REPO="$dir/repo" BALE_CACHE_DIR="$dir/cache" BALE_KEY_FILE="$dir/key"

# A repository that has every kind of file: parts, a removed snapshot, a fence, marks, a
# tombstone, a report of health.
"$bale" init --key-file "$dir/key" >/dev/null
cp -a "$tree" "$dir/tree"
"$bale" backup -q --set flips --checkpoint 1M "$dir/tree"
first=$("$bale" list --json | jq -r 'select(.type == "snapshot").snapshot')
echo more >"$dir/tree/more"
head -c 8M /dev/urandom >"$dir/tree/large"
"$bale" backup -q --set flips "$dir/tree"
"$bale" remove "$first" >/dev/null
"$bale" tag latest good >/dev/null
rm "$dir/tree/large"
"$bale" backup -q --set flips --checkpoint 1M "$dir/tree"
"$bale" prune -q --keep-last 1
"$bale" vacuum --run >/dev/null
head -c 200M /dev/urandom >"$dir/tree/large"
"$bale" backup -q --set flips --checkpoint 1M "$dir/tree" &
until ls "$dir"/repo/bands | grep -q -e '-5-part-0002'; do
	kill -0 $! || { echo "the backup that is to be killed ended by itself" >&2; exit 1; }
	sleep 0.01
done
kill -9 $!
wait $! 2>/dev/null || true
rm "$dir/tree/large"
"$bale" backup -q --set flips "$dir/tree"
damaged=$(ls "$dir"/repo/data/*/* | head -n 1)
cp "$damaged" "$dir/whole"
truncate -s -1 "$damaged"
"$bale" validate --stored >/dev/null 2>&1 || true
cp "$dir/whole" "$damaged"

flip() { # FILE OFFSET
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\$(printf %03o $((byte ^ (1 << ($2 % 8)))))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
found() { # LEVEL FILE
	if "$bale" validate "$1" >"$dir/out" 2>&1; then
		echo "MISSED by $1: $2" >&2
		return 1
	fi
	grep -qF "$2" "$dir/out" || {
		echo "found by $1 but not named: $2: $(tail -n 2 "$dir/out")" >&2
		return 1
	}
}
# What was restored must be right, each file of it; what is lacking must have been told
# of.
restored() {
	status=0
	"$bale" restore latest:"$dir/tree" --to "$dir/to" --no-cache >"$dir/out" 2>&1 || status=$?
	differs=$(diff -rq --no-dereference "$dir/tree" "$dir/to" 2>/dev/null || true)
	rm -rf "$dir/to"
	if [ $status -eq 0 ]; then
		[ -z "$differs" ]
	else
		! echo "$differs" | grep -v '^Only in' | grep -q .
	fi
}

hurt=0
printf '| kind of file | files | flips | found and named by --stored | by --full | restores with wrong bytes |\n|---|---|---|---|---|---|\n'
for kind in bale.json README.txt 'keys/*' 'bands/*-head-*' 'bands/*-part-*' 'bands/*-tail-*' \
	'bands/*-removed-*' 'bands/*-fence-*' 'data/*/*' 'hunks/*' 'index/*' 'tombstones/*' \
	'marks/*' 'health/*'; do
	stored=0 full=0 wrong=0 n=0
	files=$(cd "$dir/repo" && ls -d $kind)
	count=$(echo "$files" | wc -l)
	while [ $n -lt "$flips" ]; do
		file=$(echo "$files" | shuf -n 1)
		at=$(shuf -i 0-$(($(stat -c %s "$dir/repo/$file") - 1)) -n 1)
		cp -a "$dir/repo/health" "$dir/health"
		flip "$dir/repo/$file" "$at"
		found --stored "$file" && stored=$((stored + 1))
		found --full "$file" && full=$((full + 1))
		cp "$dir/out" "$dir/full"
		restored || wrong=$((wrong + 1))
		case $status:$kind in 4:data* | 4:hunks*) # what suffers is told of, too
			hurt=$((hurt + 1))
			grep -q 'in snapshot' "$dir/full" && grep -qF "  $dir/tree" "$dir/full" ||
				{ echo "no snapshot or path named for $file" >&2; wrong=$((wrong + 1)); } ;;
		esac
		flip "$dir/repo/$file" "$at"
		rm -rf "$dir/repo/health"
		mv "$dir/health" "$dir/repo/health"
		n=$((n + 1))
	done
	echo "| \`$kind\` | $count | $n | $stored | $full | $wrong |"
done
echo
echo "$hurt flips hurt the latest snapshot; --full named it and a path each time but where told above"
"$bale" validate --full >/dev/null && echo 'all flips undone: validate --full finds nothing'
