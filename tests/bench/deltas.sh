#!/bin/sh
# RUNS backups of one change each: how many deltas there are, and what a cold start costs
# (a backup that finds no cache), without any vacuum and with one every 50 runs.
#
#   tests/bench/deltas.sh [RUNS]
set -eu
runs=${1:-2000}
bale=${BUILD:-build/plain}/bale
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_KEY_FILE="$dir/key"

mkdir "$dir/in"
i=0
while [ $i -lt 50 ]; do
	head -c 20000 /dev/urandom >"$dir/in/file$i"
	i=$((i + 1))
done
bytes() { find "$1" -type f -printf '%s\n' | awk '{n += $1} END {print n + 0}'; }
count() { find "$1" -type f | wc -l; }
cold() { # KIND NUMBER
	BALE_CACHE_DIR="$dir/cold" /usr/bin/time -o "$dir/time" -f %e \
		"$bale" backup -q --json --set cold "$dir/in" | tail -n 1 >"$dir/summary"
	rm -rf "$dir/cold"
	jq -r --arg k "$1" --arg n "$2" --arg f "$(count "$dir/$1/index")" --arg b "$(bytes "$dir/$1/index")" \
		--arg bands "$(count "$dir/$1/bands")" --arg most "$most" --arg moved "$moved" --arg s "$(cat "$dir/time")" \
		'"| \($k) | \($n) | \($f) | \($most) | \($b) | \($moved) | \($bands) | \($s) | \(.storage.get) | \(.storage.bytes_in) |"' "$dir/summary"
}

echo '| | runs | deltas | at most, after a vacuum | bytes of them | most that a vacuum wrote | files in bands/ | cold backup, s | gets | bytes read |'
echo '|---|---|---|---|---|---|---|---|---|---|'
for kind in alone vacuumed; do
	export BALE_REPO="$dir/$kind" BALE_CACHE_DIR="$dir/cache-$kind"
	rm -f "$dir/key"
	"$bale" init --key-file "$dir/key" >/dev/null
	i=0 most=0 moved=0
	while [ $i -lt "$runs" ]; do
		i=$((i + 1))
		head -c 3000 /dev/urandom >"$dir/in/file$((i % 50))"
		"$bale" backup -q --set bench "$dir/in"
		if [ $kind = vacuumed ] && [ $((i % 50)) = 0 ]; then
			"$bale" vacuum -q --json --run --sole-client --below 0 | tail -n 1 >"$dir/summary"
			n=$(count "$BALE_REPO/index")
			[ "$n" -le "$most" ] || most=$n
			n=$(jq .storage.bytes_out "$dir/summary")
			[ "$n" -le "$moved" ] || moved=$n
		fi
		case $i in 500 | 1000 | "$runs") cold $kind $i ;; esac
	done
done
