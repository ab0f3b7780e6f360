#!/bin/sh
# One bit flipped in a file of every kind, FLIPS times each at random places: does validate
# --stored, and --full, find it and name the file; and does a restore ever write wrong bytes?
#
#   tests/bench/flips.sh TREE [FLIPS]
set -eu
tree=$(realpath "$1")
flips=${2:-20}
bale=${BUILD:-build/plain}/bale
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_REPO="$dir/repo" BALE_CACHE_DIR="$dir/cache" BALE_KEY_FILE="$dir/key"

"$bale" init --key-file "$dir/key" >/dev/null
cp -a "$tree" "$dir/tree"
"$bale" backup -q --set flips --checkpoint 1M "$dir/tree"
echo more >"$dir/tree/more"
"$bale" backup -q --set flips "$dir/tree"

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

printf '| kind of file | files | flips | found and named by --stored | by --full | restores with wrong bytes |\n|---|---|---|---|---|---|\n'
for kind in bale.json README.txt 'keys/*' 'bands/*-head-*' 'bands/*-part-*' 'bands/*-tail-*' 'data/*/*' 'hunks/*' 'index/*'; do
	stored=0 full=0 wrong=0 n=0
	files=$(cd "$dir/repo" && ls -d $kind)
	count=$(echo "$files" | wc -l)
	while [ $n -lt "$flips" ]; do
		file=$(echo "$files" | shuf -n 1)
		at=$(shuf -i 0-$(($(stat -c %s "$dir/repo/$file") - 1)) -n 1)
		flip "$dir/repo/$file" "$at"
		found --stored "$file" && stored=$((stored + 1))
		found --full "$file" && full=$((full + 1))
		case $kind in data* | hunks* | *-tail-*)
			if "$bale" restore latest:"$dir/tree" --to "$dir/to" --no-cache >/dev/null 2>&1; then :; fi
			# Whatever was written must be right; what is lacking must be lacking.
			if [ -d "$dir/to" ] && diff -r --no-dereference "$dir/tree" "$dir/to" | grep -v '^Only in' | grep -q .; then
				wrong=$((wrong + 1))
			fi
			rm -rf "$dir/to"
			;;
		esac
		flip "$dir/repo/$file" "$at"
		rm -rf "$dir/repo/health"
		n=$((n + 1))
	done
	echo "| \`$kind\` | $count | $n | $stored | $full | $wrong |"
done
"$bale" validate --full >/dev/null && echo && echo 'all flips undone: validate --full finds nothing'
