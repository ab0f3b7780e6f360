#!/bin/sh
# Backing up, and what list and ls tell of it.
. "$(dirname "$0")/lib.sh"

# A file that changed within two seconds of being read, by whole ones, is read again
# later.
make_tree src
sleep 3.1
src=$T/src
export BALE_REPO="$T/repo"
"$BALE" init --unencrypted -q || exit 1

bale_is 0 "a first backup" backup src --set home --tag one --tag two --json
is "$(field .type)" summary "ends with a summary"
is "$(field '[.set, .complete, .files_unreadable, .files_changed_while_read, .files_vanished] | tostring')" \
	'["home",true,0,0,0]' "that tells how it went"
is "$(field .files)" "$(count src -type f)" "and counts the files"
is "$(field .files_new)" "$(field .files)" "all new"
is "$(field .bytes_stored)" "$(field .storage.bytes_out)" "all that was put is told as stored"
is "$(field .bytes_stored)" "$(find repo -type f ! -name bale.json ! -name README.txt \
	-printf '%s\n' | awk '{ n += $1 } END { print n }')" "and is on the storage"
ok "a peak of memory is told" test "$(field .peak_rss)" -gt 1000000
snap=$(field .snapshot)

bale_is 0 "an unchanged one" backup src --set home --json
is "$(field '[.files_new, .files_changed, .files_removed, .bytes_read, .bytes_new] | tostring')" \
	"[0,0,0,0,0]" "reads and stores nothing"
ok "costs at most six files" test "$(field .storage.put)" -le 6
ok "and 64 KiB" test "$(field .storage.bytes_out)" -le 65536

echo more >>src/small && rm src/sub-x/f7 && echo new >src/new
bale_is 0 "a changed one" backup src --set home --json
is "$(field '[.files_new, .files_changed, .files_removed] | tostring')" "[1,2,1]" \
	"counts what is new, changed (with both its names) and removed"
ok "and reads no more" test "$(field .bytes_read)" -lt 100

bale_is 0 "in words" backup src --set home
ok "with the snapshot's name" grep -q "^snapshot [0-9]\{14\}-.*complete" "$T/out"
bale_is 0 "quietly" backup src --set home -q
ok "nothing is said" test ! -s "$T/out" -a ! -s "$T/err"
sleep 1 # names of one second are in order for one client only
bale_is 0 "another set, without a cache" backup src/sub --set other --no-cache

bale_is 0 "list" list --json
is "$(field .snapshots)" 6 "knows all snapshots"
is "$(jq -r 'select(.type == "snapshot") | .snapshot' "$T/out" | head -n 1)" "$snap" \
	"oldest first"
is "$(head -n 1 "$T/out" | jq -c '[.set, .complete, .tags]')" \
	'["home",true,["one","two"]]' "with set and tags"
ok "and times of RFC 3339" sh -c "head -n 1 '$T/out' | jq -r .start,.end |
	grep -c '^[0-9]\{4\}-[01][0-9]-[0-3][0-9]T[0-9:]\{8\}Z$' | grep -q 2"
bale_is 0 "list of a set" list --set other --json
is "$(field .snapshots)" 1 "knows one"
bale_is 0 "list of a set that is not there" list --set another
is "$(cat "$T/out")" "no snapshots of the set another" "names it"
bale_is 0 "list in words" list
ok "has a line for each, and a heading" test "$(wc -l <"$T/out")" -eq 7
is "$(awk '{ print match($0, "  (set|home|other)") }' "$T/out" | sort -u | wc -l)" 1 \
	"in columns"

bale_is 0 "ls" ls "$snap:$src"
is "$(wc -l <"$T/out")" "$(count src -mindepth 1 -maxdepth 1 ! -name new)" "shows what is in a folder"
ok "escapes what cannot be shown" grep -q 'odd%0Aname%25%FF$' "$T/out"
bale_is 0 "ls -R --json" ls -R --json "latest~5:$src"
is "$(field .entries)" "$(($(count src ! -name new) + 1))" "shows all that is below"
jq -c 'select(.path == "'"$src"'/sub/large") | [.kind, .size, .mode, .mtime]' "$T/out" >entry
is "$(cat entry)" '["file",1288895,"4755","2001-02-03T04:05:06.789012345Z"]' \
	"with kind, size, mode and time"
is "$(jq -r 'select(.path == "'"$src"'/link") | .target' "$T/out")" small "a link's target"
is "$(jq -r 'select(.path == "'"$src"'/sub/hard") | .hardlink' "$T/out")" "$src/small" \
	"and a hard link's first name"
bale_is 0 "ls -l" ls -l "$snap:$src/small"
ok "shows what ls would" grep -q "^-rw-r----- .* 6 .* $src/small$" "$T/out"
bale_is 1 "ls of a path that is not there" ls "latest:/no/such"
bale_is 1 "ls of a snapshot that is not there" ls "nosuchset"
bale_is 2 "ls of a relative path" ls "latest:/a/../b"
bale_is 2 "ls of a path that is not absolute" ls "latest:a/b"
says "try latest:/a/b" "shows how"
bale_is 2 "ls of a path without a snapshot" ls "$src"
says "try latest:$src" "shows how"
bale_is 2 "tags of a path" tag "latest:$src" new
says "without a path" "tells so"

# Sources that are not what they seem.
ln -s src link
bale_is 0 "a link to a folder" backup --set link link --json
is "$(field '[.files, .others] | tostring')" "[0,1]" "is a link"
is "$(jq -r 'select(.kind == "note") | .path' "$T/err")" link "which is told"
bale_is 0 "with a slash" backup --set link link/ --json
is "$(field .files)" "$(count src -type f)" "it is followed"
ok "and nothing is told" sh -c "! grep -q note '$T/err'"
bale_is 2 "an empty path" backup --set own src ''
bale_is 2 "a tag with a comma" backup --set own --tag a,b src
bale_is 2 "or none" backup --set own --tag '' src
bale_is 0 "nor were there snapshots of them" list --set own --json
is "$(field .snapshots)" 0 "not one"
bale_is 0 "both are removed again" remove link link~1
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("src/socket")' 2>"$T/ok.log" &&
	bale_is 0 "a socket" backup --set own src && says "skipped: $src/socket" "is told" &&
	bale_is 0 "quietly" backup --set own src -q && ok "is not" test ! -s "$T/err"
rm -f src/socket

mkdir -p cached keep && echo x >cached/x && echo x >keep/y.o && echo x >keep/y.c
printf 'Signature: 8a477f597d28d172789f06886806bc55\n' >cached/CACHEDIR.TAG
echo '*.o' >patterns
bale_is 0 "exclusion" backup --set ex cached keep --exclude-from patterns --json
is "$(field .files)" 2 "leaves out patterns and caches"
bale_is 0 "or not caches" backup --set ex cached keep --exclude '*' --exclude '!*.c' \
	--no-cachedir --json
bale_is 2 "a pattern that makes no sense" backup keep --exclude ''
bale_is 2 "a pattern that can match nothing" backup keep --exclude ./y.o
says "is /NAME" "tells what may be meant"
bale_is 1 "a file of patterns that is not there" backup keep --exclude-from nothere
says "exclude-from: nothere" "is named"

bale_is 3 "a missing source" backup --set miss keep nothere --json
is "$(field .complete)" true "does not keep the rest from being saved"
is "$(jq -r 'select(.type == "problem") | .path' "$T/err")" "$T/nothere" "and is named"

# The same bytes are read and stored whatever the number of threads.
for j in 0 1 8; do
	"$BALE" init --unencrypted -q -r "repo$j"
	"$BALE" backup src -r "repo$j" -j $j --no-cache --json |
		jq -c '[.files, .bytes_read, .bytes_new]' >threads.$j
done
ok "one thread does as none" cmp threads.0 threads.1
ok "eight do as none" cmp threads.0 threads.8

if [ "$(id -u)" = 0 ]; then
	as="setpriv --reuid 65534 --regid 65534 --clear-groups"
	mkdir open && chmod 777 open && chmod 755 "$T"
	mkdir locked && echo secret >locked/file && echo fine >locked/other
	chmod 755 locked && chmod 644 locked/other && chmod 600 locked/file
	export BALE_CACHE_DIR="$T/open/cache"
	$as "$BALE" init --unencrypted -q -r open/repo
	$as "$BALE" backup -r open/repo locked --json >"$T/out" 2>"$T/err"
	is $? 3 "an unreadable file"
	is "$(field .files_unreadable)" 1 "is counted"
	is "$(jq -r 'select(.kind == "unreadable") | .path' "$T/err")" "$T/locked/file" \
		"and named"
	$as "$BALE" restore -r open/repo latest:"$T/locked" --to open/back -q
	ok "the rest is saved" cmp open/back/other locked/other
	[ "${BALE_TEST_ON:-}" = dumbfs ] || { # which writes as root
		chown -R 0:0 open/repo && chmod -R a+rX,go-w open/repo
		for c in "backup locked" "remove latest" "vacuum --run"; do
			$as "$BALE" $c -r open/repo >"$T/out" 2>"$T/err"
			is $? 1 "$c: a repository that may only be read"
			says "^bale: $T/open/repo refuses it.*bale doctor.*Permission denied" "is named"
		done
	}
else
	skip "not root"
fi

finish
