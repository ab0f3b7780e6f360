#!/bin/sh
# What goes wrong, and the status that tells of it.
. "$(dirname "$0")/lib.sh"

mkdir src && seq 1 100000 >src/numbers && echo small >src/small
echo secret >pass && chmod 600 pass
"$BALE" init -q -r repo --passphrase-file pass || exit 1
"$BALE" init -q -r plain --unencrypted || exit 1

for c in "backup src" list "ls latest" "cat latest:/x" "restore latest --to to" validate \
	"key list"; do
	bale_is 10 "$c: no repository" $c -r nowhere
	BALE_PASSPHRASE=wrong "$BALE" $c -r repo >"$T/out" 2>"$T/err"
	is $? 12 "$c: wrong passphrase"
done

mkdir empty
bale_is 10 "an empty folder" list -r empty
mkdir other && touch other/file
bale_is 10 "a folder with something else" list -r other
says "file" "names it"
bale_is 10 "a file" list -r src/small
bale_is 10 "a path through a file" list -r src/small/repo

# The cache knows that there was a repository.
mv plain away
bale_is 14 "a repository that is gone" list -r plain
says "mounted" "may not be mounted"
mkdir plain
bale_is 14 "an empty mount point" list -r plain --json
is "$(jq -r .kind "$T/err")" unreachable "is unreachable"
bale_is 10 "unless no cache is asked" list -r plain --no-cache
rmdir plain && mv away plain
bale_is 0 "and there again" list -r plain
is "$(find plain -newer src/small -name '*-head-*' | wc -l)" 0 "nothing was written"

cp plain/bale.json head
sed 's/"bale":1/"bale":2/' head >plain/bale.json
bale_is 1 "a newer format" list -r plain --json
is "$(jq -r .kind "$T/err")" newer "is told by its kind"
head -c 100 head >plain/bale.json
bale_is 4 "a head cut short" list -r plain
echo '{"something": "else"}' >plain/bale.json
bale_is 10 "a head of something else" list -r plain
cp head plain/bale.json

bale_is 1 "a snapshot of an empty repository" ls latest -r plain
bale_is 0 "a list of it" list -r plain
ok "says so" grep -q "no snapshots" "$T/out"

# With its streams closed: nothing gets their numbers, and so what is said there.
if command -v strace >"$T/ok.log"; then
	"$BALE" init -q -r streams --unencrypted
	strace -f -qq -e trace=openat -o opened "$BALE" backup -r streams src <&- >&- 2>&-
	is $? 1 "standard output is closed"
	sed '1,/\/dev\/null/d' opened | grep -v /dev/null >files # what main opens
	ok "files are written" grep -q 'O_WRONLY.* = [0-9]*$' files
	is "$(grep -c ' = [0-2]$' files)" 0 "none under the number of a stream"
	bale_is 0 "the repository is valid" validate -r streams --stored
else
	skip "no strace"
fi

# SIGINT, and going on from there. Slow compression gives time for it.
seq 1 4000000 >src/long
"$BALE" backup -r plain src --level 19 -j 1 --checkpoint 1M --json >"$T/out" 2>"$T/err" &
pid=$!
until ls plain/bands/*-head-* >"$T/ok.log" 2>&1; do sleep 0.1; done
kill -USR1 $pid
n=0
until grep -q progress "$T/err" || [ $n -ge 100 ]; do
	n=$((n + 1))
	sleep 0.1
done
kill -INT $pid
wait $pid
is $? 130 "an interrupted backup"
is "$(jq -c 'select(.type == "progress") | [.phase, (del(.type, .phase) | map(type) | unique)]' \
	"$T/err" | sort -u)" '["backup",["number"]]' "tells how far it is where it is asked"
is "$(tail -n 1 "$T/err" | jq -r .kind)" interrupted "is told by its kind"
bale_is 0 "the interrupted one is listed" list -r plain --json
is "$(jq -r 'select(.type == "snapshot") | .complete' "$T/out")" false "as incomplete"
bale_is 0 "the next one" backup -r plain src --json
is "$(field .complete)" true "completes"
"$BALE" restore -r plain "latest:$T/src" --to back -q
ok "and restores" diff -r src back

if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=6m none small 2>/dev/null; then
	cleanup() { umount "$T/small" 2>/dev/null; }
	"$BALE" init -q -r small/repo --unencrypted
	head -c 12000000 /dev/urandom >src/random
	bale_is 13 "a full disk" backup -r small/repo src --json
	is "$(tail -n 1 "$T/err" | jq -r .kind)" no-space "is told by its kind"
	umount small
	bale_is 14 "and one that is not mounted" list -r small/repo
else
	skip "cannot mount"
fi

finish
