#!/bin/sh
# Validation finds what is wrong, and nothing else.
. "$(dirname "$0")/lib.sh"

make_tree src
export BALE_REPO="$T/repo"
"$BALE" init --unencrypted -q && "$BALE" backup src -q || exit 1
for level in quick stored full; do
	bale_is 0 "--$level finds nothing" validate --$level --json
	is "$(field '[.damaged_files, .damaged_paths] | tostring')" "[0,0]" "and counts it"
done
bale_is 0 "in words" validate
ok "nothing too" grep -q "damage   none" "$T/out"

bundle=$(find repo/data -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
cp "$bundle" whole
flip "$bundle" 100000
bale_is 4 "--stored finds a flipped bit" validate --stored --json
is "$(jq -r 'select(.type == "damage") | .file' "$T/out")" "${bundle#repo/}" "and names the file"
bale_is 4 "--full finds it" validate --full --json
ok "and counts the paths" test "$(field .damaged_paths)" -gt 0
ok "and names them" sh -c \
	"jq -r 'select(.type == \"damage\") | .paths[]' '$T/out' | grep -q '^$T/src/'"
is "$(jq -r 'select(.type == "damage") | .snapshots | length' "$T/out")" 1 "and the snapshot"

truncate -s 100000 "$bundle"
bale_is 4 "--quick finds a file cut short" validate --json
rm "$bundle"
bale_is 4 "and a missing one" validate --json
is "$(field .damaged_files)" 1 "once"
cp whole "$bundle"
bale_is 0 "what is healed is whole" validate --full

hunks=$(find repo/hunks -type f | head -n 1)
cp "$hunks" whole
rm "$hunks"
bale_is 4 "a missing bundle of hunks" validate
cp whole "$hunks"
tail=$(find repo/bands -name '*-tail-*')
cp "$tail" whole
flip "$tail" 200
bale_is 4 "a damaged tail" validate
cp whole "$tail"
bale_is 0 "and whole again" validate --stored

finish
