#!/bin/sh
# Snapshots go and come back: prune, remove, undelete, tags and pins.
. "$(dirname "$0")/lib.sh"

export BALE_REPO="$T/repo"
"$BALE" init --unencrypted -q || exit 1

# generation N [OPTIONS]: files N and N + 1 of 300,000 bytes
generation() {
	n=$1
	shift
	rm -rf src
	mkdir src
	for k in "$n" $((n + 1)); do
		[ -e "keep$k" ] || head -c 300000 /dev/urandom >"keep$k"
		cp -p "keep$k" src/
	done
	"$BALE" backup -q "$@" src || exit 1
	sleep 1
}

# name N: of the Nth snapshot listed
name() {
	"$BALE" list --json | jq -r 'select(.type == "snapshot") | .snapshot' | sed -n "$1p"
}

names() {
	"$BALE" list --json "$@" | jq -r 'select(.type == "snapshot") | .snapshot'
}

generation 1 --set home --tag weekly
generation 2 --set home
generation 3 --set home
generation 4 --set home
a=$(name 1)
b=$(name 2)
c=$(name 3)
d=$(name 4)
all=$(names)

# Usage.
bale_is 2 "prune without a rule" prune
says "at least one --keep" "says what is missing"
bale_is 2 "a count of none" prune --keep-daily 0
bale_is 2 "a count that is no number" prune --keep-last many
says "unlimited" "tells what is"
bale_is 2 "a stretch that is none" prune --keep-within 3x
says "1y5m2w7d2h" "shows one"
bale_is 2 "undelete without a name" undelete
bale_is 2 "tag without a tag" tag latest
bale_is 1 "a set without snapshots" prune --set nowhere --keep-last 1
bale_is 1 "a policy that keeps none" prune --keep-tag none
says "every snapshot of the set home" "names the set"
is "$(names)" "$all" "nothing is removed"

# Only told.
bale_is 0 "prune -n" prune --keep-last 2 -n
ok "tells what is kept and why" grep -q "$d .* keep .* last 1" "$T/out"
ok "and what is not" grep -q "$a .* remove .* beyond last 2" "$T/out"
ok "and that nothing was changed" grep -q "nothing was changed" "$T/out"
is "$(names)" "$all" "and so it is"
bale_is 0 "prune -n --json" prune --keep-last 2 -n --json
is "$(field '[.kept, .removed, .dry_run] | tostring')" "[2,2,true]" "counts"
is "$(jq -r 'select(.type == "decision") | [.snapshot, .keep] | tostring' "$T/out")" \
	"[\"$a\",false]
[\"$b\",false]
[\"$c\",true]
[\"$d\",true]" "one line a snapshot"
is "$(jq -r 'select(.snapshot == "'"$c"'") | .reasons[0]' "$T/out")" "last 2" "with reasons"
# File 1 is only in the first; file 2 in the first two; file 3 is kept.
frees_of() {
	jq -r 'select(.snapshot == "'"$1"'") | .frees' "$T/out"
}
alone=$(frees_of "$a")
ok "the first frees one file alone" test "$alone" -gt 300000 -a "$alone" -lt 310000
ok "the second next to nothing" test "$(frees_of "$b")" -lt 10000
frees=$(field .frees_bytes)
ok "together they free two" test "$frees" -gt 600000 -a "$frees" -lt 620000

# What a vacuum finds dead is what prune said.
before=$("$BALE" vacuum --json | tail -n 1 | jq .dead_bytes)
bale_is 0 "prune" prune --keep-last 2
ok "tells of undelete" grep -q "^their space.*undelete brings them back" "$T/out"
is "$(awk '/^20/ { print index($0, " home "); next } /^snapshot/ { print index($0, " set ") }' \
	"$T/out" | sort -u | wc -l)" 1 "in columns"
after=$("$BALE" vacuum --json | tail -n 1 | jq .dead_bytes)
dead=$((after - before))
ok "the analysis of vacuum agrees ($dead, $frees)" \
	test "$dead" -ge $((frees - frees / 50)) -a "$dead" -le $((frees + frees / 50))
is "$(names)" "$c
$d" "what is kept is listed"
is "$(names --removed)" "$a
$b" "and elsewhere what is not"
is "$("$BALE" list --removed --json | jq -r 'select(.type == "snapshot") | .removed' | head -n 1)" \
	true "marked so"
bale_is 0 "again" prune --keep-last 2 --json
is "$(field '[.kept, .removed, .frees_bytes] | tostring')" "[2,0,0]" "nothing is left to do"
bale_is 0 "what is left is whole" validate --full

# And back.
bale_is 2 "the beginning of several names" undelete "$(echo "$a" | cut -c 1-4)"
bale_is 1 "a name that is no removed one's" undelete "$d"
bale_is 0 "undelete" undelete "$a" --json
back=$(field .snapshot)
is "$(name 1)" "$back" "it stands where it stood"
is "$("$BALE" list --json | jq -r 'select(.snapshot == "'"$back"'") | .tags[0]')" weekly \
	"with its tags"
bale_is 0 "restore it" restore "$back:$T/src" --to restored
ok "it is what it was" cmp restored/keep1 keep1
ok "all of it" cmp restored/keep2 keep2
bale_is 1 "a second time" undelete "$a"
says "back already, as $back" "there is no need"
bale_is 0 "whole" validate --full
bale_is 0 "it counts again" prune --keep-tag weekly --keep-last 1 --json -n
is "$(jq -r 'select(.keep == true) | .snapshot' "$T/out")" "$back
$d" "as a snapshot of its age"

# By name.
bale_is 0 "remove" remove "$c" "$back"
is "$(names)" "$d" "two at once"
bale_is 0 "undelete one" undelete "$c"
generation 5 --set other
bale_is 0 "remove by set" remove other
is "$(names | wc -l)" 2 "only that"
ok "its space, not theirs" grep -q "^its space" "$T/out"
bale_is 1 "remove what is not there" remove other

# Tags and pins.
bale_is 2 "a tag with a comma" tag latest one,two
says "comma" "is told"
bale_is 0 "none is taken away" tag latest --remove one,two
bale_is 0 "tag" tag latest one two
bale_is 0 "take one away" tag latest --remove one
bale_is 0 "what is so already" tag latest two --json
is "$(field .written)" 0 "is not written"
is "$("$BALE" list --json | jq -r 'select(.snapshot == "'"$d"'") | .tags | join(",")')" two \
	"the list tells"
bale_is 0 "pin" pin "$d"
bale_is 1 "a pinned one is not removed" remove "$d"
says "unpin" "what to do is told"
bale_is 0 "nor pruned" prune --keep-tag none --json -n
is "$(jq -r 'select(.keep == true) | .reasons[0]' "$T/out")" pinned "why is told"
is "$("$BALE" list --json | jq -r 'select(.pinned) | .snapshot')" "$d" "the list tells of pins"
ok "to people too" sh -c "'$BALE' list | grep '$d' | grep -q 'pinned  #two'"
bale_is 0 "unpin" unpin "$d"
bale_is 0 "then it goes" remove "$d"

# One that cannot be read is left alone, and told.
generation 6 --set other
generation 7 --set other
tail=$(ls repo/bands/*-tail-* | tail -n 2 | head -n 1)
cp "$tail" whole
head -c 100 whole >"$tail"
bale_is 4 "prune beside damage" prune --set other --keep-last 1 --json --no-cache
is "$(field .unreadable)" 1 "counts it"
says "$(basename "$tail" | sed 's/-tail-.*//')" "names it"
is "$(field '[.kept, .removed] | tostring')" "[1,0]" "and leaves it alone"
cat whole >"$tail"
bale_is 0 "and without" prune --set other --keep-last 1 -n

# What it needs is gone.
x=$(names --removed | tail -n 1)
find repo/data -type f -delete
bale_is 1 "undelete without the data" undelete "$x"
says "keep" "names the paths"
is "$(names)" "$("$BALE" list --json | jq -r 'select(.type == "snapshot") | .snapshot')" "no more"
is "$(find repo/bands -name '*-fence-*' | wc -l)" 1 "what came to nothing is declared dead"
dead=$(basename repo/bands/*-fence-* | sed 's/-fence-.*//')
bale_is 0 "list" list
ok "does not show it" sh -c "! grep -q '$dead' '$T/out'"

finish
