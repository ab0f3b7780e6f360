#!/bin/sh
# kill -9 in the middle of a backup, and a new one after it.
. "$(dirname "$0")/lib.sh"

mkdir -p src/a src/b src/c
for d in a b c; do
	for i in 1 2 3 4 5 6; do
		head -c 4000000 /dev/urandom >src/$d/large$i
	done
	for i in $(seq 400); do
		echo "file $d $i" >src/$d/small$i
	done
	ln src/$d/large1 src/$d/link
	ln -s large1 src/$d/symlink
done
sleep 3.1 # what was touched just now is read twice
src=$T/src
total=$((18 * 4000000))
export BALE_REPO="$T/repo"
"$BALE" init --unencrypted -q || exit 1

# killed_at PATTERN N: a backup is killed once N files of bands/ or data/ match
killed_at() {
	"$BALE" backup "$src" --set home --checkpoint 8M -q >"$T/killed.log" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		[ "$(ls repo/bands repo/data/* 2>/dev/null | grep -c -e "$1")" -ge "$2" ] && break
		sleep 0.005
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
}

# what the parts of unfinished snapshots have read
parts_read() {
	"$BALE" list --json | jq -s 'map(select(.type == "snapshot" and .complete == false)
		| .bytes_read) | add // 0'
}

killed_at '^[0-9a-f]\{48\}$' 1
bale_is 0 "list after the first kill" list --json
killed_at '-part-' 1
killed_at '-part-' 3
done=$(parts_read)
ok "parts are kept" test "$done" -ge 8000000

bale_is 0 "a new backup" backup "$src" --set home --json
is "$(field .complete)" true "is complete"
ok "and reads only the rest" test "$(field .bytes_read)" -le $((total - done + 67108864))
ok "indeed" test "$(field .bytes_read)" -lt $((total - done + 8000000))
is "$(ls repo/bands | sed -n 's/-head-.*//p' | while read -r band; do
	ls repo/bands | grep -q -e "^$band-tail-" -e "^$band-fence-" || echo "$band"
done)" "" "the dead ones are declared dead"
ok "with a fence" sh -c "ls repo/bands | grep -q -e -fence-"
bale_is 0 "restore" restore "latest:$src" --to "$T/out.d"
is "$(rsync -aHAX --checksum --dry-run --itemize-changes --delete "$src/" "$T/out.d/")" "" \
	"gives the same tree"
bale_is 0 "an unchanged backup" backup "$src" --set home --json
is "$(field .bytes_read)" 0 "reads nothing"
bale_is 0 "validate" validate --full
finish
