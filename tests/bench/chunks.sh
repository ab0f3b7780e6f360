#!/bin/sh
# What it costs vacuum to look at a repository of CHUNKS chunks, and at one of half as
# many: seconds, peak memory, and what each chunk more takes of it. Bundles of data are
# hollow there: no frame could be read from one.
#
#   tests/bench/chunks.sh [CHUNKS]
set -eu
chunks=${1:-20000000}
build=$(realpath "${BUILD:-build/plain}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_CACHE_DIR="$dir/cache" BALE_PASSPHRASE='correct horse'

echo '| chunks | snapshots | bundles | index and hunks, MiB | seconds | peak KiB | of it bits, KiB | gets | bytes read |'
echo '|---|---|---|---|---|---|---|---|---|'
look() { # CHUNKS
	rm -rf "$dir/repo" "$dir/cache"
	"$build/bench/chunks" "$dir/repo" "$1" >/dev/null
	/usr/bin/time -o "$dir/time" -f '%e %M' "$build/bale" vacuum -q --json -r "$dir/repo" |
		tail -n 1 >"$dir/summary"
	read -r seconds peak <"$dir/time"
	jq -r --arg s "$seconds" --argjson p "$peak" \
		--argjson b "$(ls "$dir/repo"/bands/*-tail-* | wc -l)" \
		--argjson m "$(du -sm "$dir/repo/index" "$dir/repo/hunks" | awk '{n += $1} END {print n}')" \
		'"| \(.chunks) | \($b) | \(.bundles) | \($m) | \($s) | \($p) | \(.chunks / 8192 | ceil) | \(.storage.get) | \(.storage.bytes_in) |"' \
		"$dir/summary"
	echo "$peak $(jq .chunks "$dir/summary")" >>"$dir/peaks"
}
look $((chunks / 2))
look "$chunks"
awk 'NR == 1 {p = $1; c = $2} NR == 2 {printf "%.2f bits of memory for each chunk more\n", ($1 - p) * 8192 / ($2 - c)}' "$dir/peaks"
