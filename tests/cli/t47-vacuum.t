#!/bin/sh
# Vacuum: what it tells, what its options do, what ends it and with which status; and deletion.
. "$(dirname "$0")/lib.sh"

export BALE_REPO="$T/repo"
"$BALE" init --unencrypted -q || exit 1

# generation N: of ten files of 200,000 bytes two are new, one of which the next replaces
mkdir src
generation() {
	head -c 200000 /dev/urandom >"src/f$1"
	head -c 200000 /dev/urandom >"src/f$(($1 + 1))"
	cp -a src "gen$1"
	"$BALE" backup -q --set home src || exit 1
}

for k in 0 1 2 3 4 5 6 7 8 9; do
	head -c 200000 /dev/urandom >src/f$k
done
sleep 3.1 # what was touched just now is read twice
for n in 1 2 3 4 5; do
	generation $n
done

name() {
	"$BALE" list --json | jq -r 'select(.type == "snapshot") | .snapshot' | sed -n "$1p"
}

# Every file with its size and digest: what must not change.
state() {
	find "$1" -type f -exec sha256sum {} + | sort
}

used() {
	find "${1:-repo}" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }'
}

# --- usage

bale_is 2 "a threshold that is none" vacuum --below half
bale_is 2 "beyond 100" vacuum --below 101
bale_is 2 "below 0" vacuum --below -1
bale_is 2 "a size that is none" vacuum --max-write lots
bale_is 2 "a time that is none" vacuum --max-time soon
bale_is 2 "a grace of an hour" vacuum --grace 1h
says "grace 1h: a day" "a day is the least"
bale_is 2 "an argument" vacuum home

# --- analysis

adds_up() {
	is "$(field '.live_bytes + .dead_bytes + .condemned_bytes + .unknown_bytes')" "$(used)" \
		"$1: live, dead, condemned and unknown are what is stored"
	is "$(field .total_bytes)" "$(used)" "$1: and so is the total"
}

state repo >before
bale_is 0 "with nothing dead" vacuum --json
adds_up "nothing dead"
is "$(field '[.dead_bytes, .condemned_bytes, .unknown_bytes, .freed_bytes] | tostring')" \
	"[0,0,0,0]" "nothing is dead, nor anything else"
bale_is 0 "in words" vacuum
ok "it is told once" grep -q "^ no bundle has anything dead" "$T/out"
ok "and not for each threshold" sh -c "! grep -q 'stays dead' '$T/out'"
gone=$(name 1)
"$BALE" remove -q "$gone" "$(name 2)" "$(name 3)" "$(name 4)"
junk=$(find repo/data -mindepth 1 -type d | head -n 1)/junk
echo "not ours" >"$junk"
state repo >before
bale_is 0 "after removals" vacuum --json
adds_up "after removals"
ok "more is dead than was freed for nobody" test "$(field .dead_bytes)" -gt 1000000
is "$(field .unknown_bytes)" 9 "a foreign file is unknown"
is "$(field '.thresholds | map(.below) | tostring')" "[0,30,50,70,90,100]" "six thresholds"
is "$(field '[.thresholds[0].write_bytes < 4096, .thresholds[5].left_dead_bytes] | tostring')" '[true,0]' \
	"the first writes next to nothing, the last leaves nothing"
is "$(field '.thresholds as $t | [range(1; 6) | $t[.].bundles >= $t[. - 1].bundles
	and $t[.].write_bytes >= $t[. - 1].write_bytes
	and $t[.].left_dead_bytes <= $t[. - 1].left_dead_bytes] | all')" true \
	"higher ones take more, write more, and leave less"
is "$(field '.storage.put + .storage.delete + .storage.mkdir')" 0 "nothing is written or deleted"
is "$(field '[.band, .tombstone] | tostring')" '["",""]' "no band, no tombstone"
chosen=$(field .below)
bale_is 0 "a threshold" vacuum --below 30 --json
is "$(field .below)" 30 "applies"
bale_is 0 "in words" vacuum
ok "names the totals" grep -q "^ together " "$T/out"
ok "marks the threshold that applies" grep -q "^ *\(dead ones\|$chosen %\) .* <$" "$T/out"
ok "and says that nothing was changed" grep -q "^nothing was changed$" "$T/out"
bale_is 0 "other options without --run" vacuum --sole-client --combine --max-write 1M \
	--max-time 1s --grace 48h
state repo >after
ok "nothing was changed" diff before after

# --- what ends it: on a copy, with nothing deleted and nothing written

# A copy is for clients of its own: they remember what they have written.
BALE_CACHE_DIR="$T/cache.spoilt"

spoilt() {
	rm -rf spoilt
	cp -a repo spoilt
	bad=$(eval "ls spoilt/$1" | tail -n 1)
}

# refuses STATUS KIND TEXT WHAT
refuses() {
	state spoilt >before
	bale_is "$1" "$4" vacuum -r spoilt --no-cache --json
	is "$(tail -n 1 "$T/err" | jq -r .kind)" "$2" "$4: the kind is told"
	says "$3" "$4: and what is wrong"
	state spoilt >after
	ok "$4: nothing was changed" diff before after
	bale_is "$1" "$4, with --run" vacuum -r spoilt --no-cache --run --sole-client --below 100 --json
	state spoilt >after
	is "$(diff before after | grep -c '^<')" 0 "$4, with --run: nothing was deleted"
	is "$(diff before after | grep '^>' | grep -vc spoilt/bands/)" 0 \
		"$4, with --run: nothing was written but bands"
}

last=$(name 1)
spoilt "hunks/*"
for x in spoilt/hunks/*; do
	flip "$x" 200
done
refuses 4 corrupt "hunks/[0-9a-f]*: " "an unreadable hunk"
bale_is 4 "validate finds it" validate -r spoilt --full
bale_is 4 "the vacuum still refuses" vacuum -r spoilt --no-cache
spoilt "bands/$last-tail-*"
flip "$bad" 300
refuses 4 corrupt "$last" "an unreadable tail"
spoilt "index/*"
for x in spoilt/index/*; do
	flip "$x" 100
done
refuses 4 corrupt "index/[0-9a-f]* is damaged" "unreadable deltas"
spoilt "index/*"
for x in spoilt/index/*; do
	grep -q "$(basename "$x")" "spoilt/bands/$last"-tail-* || flip "$x" 100
done
refuses 4 corrupt "no file of index/ that can be read" "unreadable deltas of removed snapshots"
bale_is 0 "restore does without them" restore -r spoilt "latest:$T/src" --to without
ok "the same" diff -r gen5 without
spoilt "index/*"
bale_is 0 "condemn" vacuum -r spoilt --run --below 70
bad=$(ls spoilt/tombstones/*)
flip "$bad" 200
refuses 4 corrupt "tombstones/" "an unreadable tombstone"
bale_is 4 "a backup relies on nothing then" backup -r spoilt --no-cache --set home src
rm "$bad"
bale_is 0 "without it" vacuum -r spoilt --no-cache
spoilt "data/*/*"
rm "$(find spoilt/data -type f -size +100k | tail -n 1)"
refuses 1 missing "data/[0-9a-f/]*.*is not listed" "a bundle that is not listed"
bale_is 4 "validate puts it on record" validate -r spoilt
"$BALE" vacuum -r spoilt --json >"$T/out" 2>"$T/err"
lost=$?
ok "then it is lost, or nobody needs it" test $lost -eq 4 -o $lost -eq 0
spoilt "data/*/*"
find spoilt/data -type f -size +100k -delete
"$BALE" validate -q -r spoilt >"$T/out" 2>&1
refuses 4 corrupt "nowhere to be found" "references that resolve nowhere"
bale_is 0 "remove what is lost" remove -r spoilt latest
bale_is 0 "a backup, for it is still at its source" backup -q -r spoilt --set home src
bale_is 0 "and the vacuum goes on" vacuum -r spoilt --json
spoilt "bands/*"
rm spoilt/bands/"$("$BALE" list --removed --json | jq -r 'select(.type == "snapshot") | .snapshot' |
	head -n 1)"-*
refuses 1 missing "not listed" "a band of a roll-call that is missing"
for folder in bands index hunks; do
	spoilt "$folder"
	rm spoilt/$folder/*
	refuses 1 missing "not listed" "an empty listing of $folder"
done
spoilt data
find spoilt/data -type f -size +100k -printf '%h\n' | sort -u | head -n 1 | while read -r x; do
	rm "$x"/*
done
refuses 1 missing "not listed" "an empty listing of a folder of data"

mv repo away
bale_is 14 "a repository that is gone" vacuum
mkdir repo
bale_is 14 "an empty mount point" vacuum --run --sole-client
is "$(find repo | wc -l)" 1 "nothing was written to it"
rmdir repo && mv away repo
if [ "$(id -u)" = 0 ] && mkdir mnt && mount -t tmpfs none mnt 2>/dev/null; then
	cleanup() { umount "$T/mnt" 2>/dev/null; }
	cp -a repo mnt/
	bale_is 0 "on a mount" vacuum -r mnt/repo
	mount -o remount,ro mnt
	bale_is 0 "to be read only" vacuum -r mnt/repo
	bale_is 1 "where nothing can be done" vacuum -r mnt/repo --run
	says "[Rr]ead-only" "and that is told"
	umount mnt
	cleanup() { :; }
	bale_is 14 "that is not mounted any more" vacuum -r mnt/repo --run --json
	is "$(tail -n 1 "$T/err" | jq -r .kind)" unreachable "is told by its kind"
	is "$(find mnt | wc -l)" 1 "nothing was written below it"
else
	skip "cannot mount"
fi

# --- runs: copied, condemned, and kept until later

export BALE_CACHE_DIR="$T/cache"
cp -a repo whole
cp -a cache cache.whole
again() {
	rm -rf repo cache
	cp -a whole repo
	cp -a cache.whole cache
}

bale_is 0 "predict" vacuum --json
free=$(field '.thresholds[] | select(.below == 70) | .free_bytes')
write=$(field '.thresholds[] | select(.below == 70) | .write_bytes')
bale_is 0 "--run" vacuum --run --below 70 --json
ok "condemns" test "$(field .condemned_bundles)" -gt 0
ok "names its tombstone" test -e "repo/tombstones/$(field .tombstone)"
ok "and its band" test "$(find repo/bands -name "$(field .band)-tail-*" | wc -l)" -eq 1
is "$(field .deleted_files)" 0 "deletes nothing yet"
bale_is 0 "what is left is whole" validate --full
bale_is 0 "and restores" restore "latest:$T/src" --to back
ok "the same" diff -r gen5 back
bale_is 0 "analysed again" vacuum --json
adds_up "condemned"
ok "what was to go is condemned" test "$(field .condemned_bytes)" -ge "$free"

again
bale_is 0 "--below 0" vacuum --run --below 0 --json
ok "copies nothing" test "$(field .written_bytes)" -lt 10000
again
bale_is 0 "--max-write" vacuum --run --below 100 --max-write 300K --json
ok "keeps to it" test "$(field .written_bytes)" -lt 330000
ok "but does something" test "$(field .written_bytes)" -gt 150000
again
bale_is 0 "--max-time" vacuum --run --below 100 --max-time 0s --json
ok "0 is no bound" test "$(field .written_bytes)" -gt 300000
again
before=$(find repo/data -type f -size +100k | wc -l)
bale_is 0 "--combine" vacuum --run --below 0 --combine --json
ok "takes all small bundles" test "$(field .condemned_bundles)" -ge "$before"
bale_is 0 "which are one then" vacuum --json
is "$(field '.thresholds[5].bundles')" 0 "with nothing dead in it"
bale_is 0 "whole" validate --full
again

# --- deletion

bale_is 0 "a sole client" vacuum --run --sole-client --below 70 --json
ok "deletes at once" test "$(field .deleted_bytes)" -gt "$free"
freed=$(($(used whole) - $(used)))
ok "as much as was predicted ($freed, $free)" \
	test "$freed" -ge $((free - free / 100 - 16384)) -a \
	"$freed" -le $((free + free / 100 + 16384))
ok "but nothing of others" test -e "$junk"
bale_is 0 "what is left is whole" validate --full
rm -rf back
bale_is 0 "and restores" restore "latest:$T/src" --to back
ok "the same" diff -r gen5 back
bale_is 0 "at 100 %" vacuum --run --sole-client --below 100 --json
bale_is 0 "then" vacuum --json
is "$(field '[.dead_bytes, .condemned_bytes] | tostring')" "[0,0]" "nothing is dead any more"
adds_up "vacuumed"
bale_is 0 "nothing can be brought back" list --removed --json
is "$(grep -c '"type":"snapshot"' "$T/out")" 0 "and nothing is listed as if it could"
bale_is 1 "undelete" undelete "$gone"
says "a vacuum has taken it" "tells why"
bale_is 0 "a backup goes on" backup --set home src --json
is "$(field .files_new)" 0 "and finds nothing new"
bale_is 0 "whole" validate --full

# An undelete that came to nothing.
again
bale_is 0 "what was removed" vacuum --run --below 100
bale_is 1 "cannot be brought back" undelete "$gone"
bale_is 0 "vacuum" vacuum --run
ok "waits for what came of that" grep -q "^ waiting    for .*, which came to nothing" "$T/out"
ok "and calls it nothing else" sh -c "! grep -q unfinished '$T/out'"

# Another client's unfinished backup.
again
head -c 60000000 /dev/urandom >long
ls repo/bands | grep -e -head- >heads
BALE_CACHE_DIR="$T/other" "$BALE" backup -q --set other --level 19 long 2>"$T/ok.log" &
pid=$!
while kill -0 $pid 2>/dev/null && [ -z "$(ls repo/bands | grep -e -head- | comm -13 heads -)" ]; do
	sleep 0.01
done
kill -9 $pid
wait $pid 2>/dev/null
dead=$(ls repo/bands | grep -e -head- | comm -13 heads - | sed 's/-head-.*//')
state repo >before
bale_is 1 "a sole client that is not" vacuum --run --sole-client
says "unfinished" "is told why"
state repo >after
is "$(diff before after | grep '^>' | grep -vc repo/bands/)" 0 "before anything is copied"
bale_is 0 "without that" vacuum --run --below 70 --json
is "$(field .deleted_files)" 0 "nothing is deleted"

# later SECONDS ARGUMENTS...: by a clock that is ahead
later() {
	ahead=$1
	shift
	unshare -f -T --boottime "$ahead" "$BALE" "$@" >"$T/out" 2>"$T/err"
}

if unshare -f -T --boottime 100000 true 2>/dev/null; then
	ok "a day later" later 90000 vacuum --run --json
	is "$(field '[.deleted_files, (.awaited | length > 20)] | tostring')" "[0,true]" \
		"the unfinished one is waited for"
	ok "in words" later 90000 vacuum --run
	ok "which one is told" grep -q "waiting .* unfinished" "$T/out"
	ok "8 days later" later 700000 vacuum --run --json
	is "$(find repo/bands -name "$dead-fence-*" | wc -l)" 1 "it is declared dead"
	ok "a day after that" later 790000 vacuum --run --json
	ok "deletion goes on" test "$(field .deleted_bytes)" -gt "$free"

	again
	bale_is 0 "nobody at work" vacuum --run --below 70
	ok "how long to wait is told" grep -q "waiting .* 24 h" "$T/out"
	bale_is 0 "at once again" vacuum --run --below 70 --json
	is "$(field '[.deleted_files, .waiting] | tostring')" "[0,1]" "is too early"
	ok "and says for how long" test "$(field '.wait_seconds | floor')" -gt 86000
	ok "23 hours later" later 82800 vacuum --run --below 70 --json
	is "$(field .deleted_files)" 0 "too"
	ok "a longer grace" later 90000 vacuum --run --below 70 --grace 48h --json
	is "$(field .deleted_files)" 0 "is kept to"
	ok "25 hours later" later 90000 vacuum --run --below 70 --json
	ok "is not" test "$(field .deleted_bytes)" -gt "$free"
	bale_is 0 "whole" validate --full
	BALE_CACHE_DIR="$T/third" bale_is 0 "for another client too" vacuum --json
	adds_up "in the end"
else
	skip "no time namespace"
fi

# A pin that the storage did not show to whoever removed the snapshot.
export BALE_REPO="$T/pins"
"$BALE" init -q --unencrypted || exit 1
mkdir pinned
head -c 2000000 /dev/urandom >pinned/file
"$BALE" backup -q --set pinned pinned
rm pinned/file
echo other >pinned/other
"$BALE" backup -q --set pinned pinned
old=$("$BALE" list --json | jq -r 'select(.type == "snapshot") | .snapshot' | head -n 1)
"$BALE" pin "$old" >"$T/ok.log"
mv pins/marks hidden
bale_is 0 "remove a pinned one while no pin is listed" remove "$old"
mv hidden pins/marks
bale_is 0 "vacuum" vacuum --json
is "$(field .dead_bytes)" 0 "keeps what it holds"
says "removed, and pinned" "and tells"
"$BALE" vacuum --run --sole-client -q 2>"$T/ok.log"
"$BALE" vacuum --run --sole-client -q 2>"$T/ok.log"
pin=$(find pins/marks -type f)
cp "$pin" pin.kept
flip "$pin" 100
bale_is 4 "a pin that cannot be read" vacuum --run --sole-client
says "may be pins; nothing was called dead" "may be one"
cp pin.kept "$pin"
bale_is 0 "so it can come back" undelete "$old"
bale_is 0 "whole" validate --full
bale_is 0 "unpin of one that was removed" unpin "$old"
bale_is 0 "vacuum" vacuum --json
ok "does not keep it any more" test "$(field .dead_bytes)" -gt 0
bale_is 1 "pin of one that was removed" pin "$old"

finish
