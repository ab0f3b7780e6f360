#!/bin/sh
# The main job on a real tree: init, two backups with changes between, list, validate,
# restore, and a comparison that is not bale's own.
set -eu
bale=${BALE:-build/plain/bale}
tree=${1:-/usr/include}
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-demo.XXXXXX")
trap 'rm -rf "$dir"' EXIT

run() {
	printf '\n$ bale'
	printf ' %s' "$@"
	printf '\n'
	"$bale" "$@"
}

export BALE_REPO="$dir/repository" BALE_CACHE_DIR="$dir/cache" BALE_PASSPHRASE='for the demo only'
echo "a copy of $tree to work on: $dir/tree"
cp -a "$tree" "$dir/tree"

run init
run backup --set demo "$dir/tree"

echo
echo "now some changes: one file more, one changed, one folder renamed"
echo "a new file" >"$dir/tree/new file"
f=$(find "$dir/tree" -type f -size +4k | sort | head -n 1)
echo "/* changed */" >>"$f"
d=$(find "$dir/tree" -mindepth 1 -maxdepth 1 -type d | sort | tail -n 1)
[ -z "$d" ] || mv "$d" "$d-renamed"

run backup --set demo "$dir/tree"
run list
run validate --full
run restore "latest:$dir/tree" --to "$dir/restored"

echo
if diff -r --no-dereference "$dir/tree" "$dir/restored"; then
	echo "diff -r: the restored tree is identical"
else
	echo "diff -r: NOT identical" >&2
	exit 1
fi
