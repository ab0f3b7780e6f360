#!/bin/sh
# Tails and marks are read from the storage once, and cached; never relied on where it
# matters.
. "$(dirname "$0")/lib.sh"

export BALE_REPO="$T/repo"
"$BALE" init --unencrypted -q || exit 1
mkdir src
for i in 1 2 3 4; do
	echo "$i" >"src/f$i"
	"$BALE" backup -q --set "set$((i % 2))" src || exit 1
	[ $i -ne 2 ] || "$BALE" pin -q latest || exit 1
	sleep 1
done

shown() {
	jq -r 'select(.type == "snapshot") | "\(.snapshot) \(.complete) \(.pinned)"' "$T/out"
}

rm -rf cache
bale_is 0 "list, nothing cached" list --json
all=$(shown)
is "$(field .storage.get)" 6 "reads the head, four tails and a mark"
bale_is 0 "list again" list --json
is "$(shown)" "$all" "tells the same"
is "$(field .storage.get)" 1 "reads the head of the repository alone"
is "$(field .storage.list)" 2 "lists bands and marks"
bale_is 0 "prune" prune --keep-last 1 -n --json
cold=$(field .storage.get)
bale_is 0 "without a cache" prune --keep-last 1 -n --json --no-cache
ok "it reads more" test "$(field .storage.get)" -gt "$cold"
bale_is 0 "a backup, and then list" backup -q src
bale_is 0 "list of five" list --json
is "$(field .storage.get)" 1 "the backup has kept its tail"
all=$(shown)

# The storage is damaged: who looks for damage looks there.
for first in repo/bands/*-tail-*; do break; done
cp "$first" whole
flip "$first" 200
bale_is 4 "validate does not ask the cache" validate --quick
bale_is 4 "nor does list without one" list --no-cache
bale_is 0 "what was read whole is known still" list --json
is "$(shown)" "$all" "all of it"
cp whole "$first"

# The cache is damaged, or gone.
for f in cache/*/json-bands; do
	flip "$f" 100
	flip "$f" 1500
done
bale_is 0 "a damaged cache" list --json
is "$(shown)" "$all" "tells nothing wrong"
bale_is 0 "and again" list --json
is "$(field .storage.get)" 1 "is made good"
: >"$(echo cache/*/json-bands)"
bale_is 0 "an emptied one" list --json
is "$(shown)" "$all" "costs reads only"

# What is gone from the storage is gone.
gone=$(echo "$all" | head -n 1 | cut -d' ' -f1)
rm repo/bands/"$gone"-*
bale_is 0 "a snapshot's files are deleted" list --json
is "$(shown)" "$(echo "$all" | tail -n +2)" "it is not listed"

finish
