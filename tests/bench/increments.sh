#!/bin/sh
# What small changes cost: files and bytes written by a backup after each, on a copy of
# TREE.
#
#   tests/bench/increments.sh TREE
set -eu
tree=$(realpath "$1")
bale=${BUILD:-build/plain}/bale
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_REPO="$dir/repo" BALE_CACHE_DIR="$dir/cache" BALE_KEY_FILE="$dir/key"

mkdir "$dir/in"
cp -a "$tree" "$dir/in/tree"

echo '| change | files written | bytes written | new data, plain | read | put | get | list | delete |'
echo '|---|---|---|---|---|---|---|---|---|'
row() { # NAME [SET [PATH]]
	before=$(find "$dir/repo" -type f | wc -l)
	sleep 3 # a time that lies close to the reading is not trusted by the next backup
	"$bale" backup -q --json --set "${2:-tree}" "${3:-$dir/in/tree}" | tail -n 1 >"$dir/summary"
	after=$(find "$dir/repo" -type f | wc -l)
	jq -r --arg n "$1" --argjson f $((after - before)) \
		'"| \($n) | \($f) | \(.storage.bytes_out) | \(.bytes_new) | \(.bytes_read) | \(.storage.put) | \(.storage.get) | \(.storage.list) | \(.storage.delete) |"' \
		"$dir/summary"

}
"$bale" init --key-file "$dir/key" >/dev/null
row 'first backup'
row 'nothing'
f=$(find "$dir/in/tree" -type f -size -9 -size +7 | sort | sed -n 10p)
dd if=/dev/urandom of="$f" bs=4096 count=1 conv=notrunc status=none
row "a file of 4 KiB"
f=$(find "$dir/in/tree" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
printf 'X' | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") / 2)) conv=notrunc status=none
row "one byte of the largest file ($(stat -c %s "$f") bytes)"
echo new >"$dir/in/tree/a new file"
row 'a new file'
d=$(du -d 1 "$dir/in/tree" | sort -n | tail -n 2 | head -n 1 | cut -f2-)
bytes=$(du -sb "$d" | cut -f1)
mv "$d" "$d-renamed"
row "the largest folder renamed ($bytes bytes)"
cp -a "$dir/in/tree" "$dir/copy"

row 'the tree copied to another path, another set' copy "$dir/copy"
