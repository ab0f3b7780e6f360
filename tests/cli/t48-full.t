#!/bin/sh
# A full file system: snapshots are removed, a vacuum makes room, and backups go on.
. "$(dirname "$0")/lib.sh"

mkdir src mnt
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=120m none mnt 2>/dev/null; then
	skip "cannot mount"
	finish
	exit
fi
cleanup() { umount "$T/mnt" 2>/dev/null; }
export BALE_REPO="$T/mnt/repo"
"$BALE" init --unencrypted -q || exit 1

# Backups until there is no room for more.
n=0
while rm -f src/* && head -c 16000000 /dev/urandom >src/f$n &&
	"$BALE" backup -q --set home src 2>"$T/err"; do
	n=$((n + 1))
done
bale_is 13 "a backup on a full file system" backup --set home src
says "64 MiB are kept" "leaves room for what makes room"
ok "there were several ($n)" test $n -ge 3

# Somebody else takes that room too, but for so many KiB.
fill() {
	avail=$(df -k --output=avail mnt | tail -n 1)
	dd if=/dev/zero of=mnt/ballast bs=1024 count=$((avail - $1)) 2>"$T/ok.log"
}

fill 0
is "$(df -k --output=avail mnt | tr -dc 0-9)" 0 "the file system is full to the last byte"
bale_is 0 "list" list
bale_is 13 "prune" prune --keep-last 1
says "some KiB of room are enough" "tells what to do"
bale_is 13 "remove" remove latest
bale_is 13 "vacuum --run" vacuum --run
says "sole-client" "tells what to do"
bale_is 13 "as a sole client" vacuum --run --sole-client
says "moving away" "tells what to do"
bale_is 0 "nothing is harmed" validate --full
is "$("$BALE" list --json | grep -c '"type":"snapshot"')" "$n" "no snapshot is gone"

rm mnt/ballast
fill 64
bale_is 0 "prune with 64 KiB left" prune --keep-last 1
bale_is 0 "vacuum" vacuum --run --sole-client
ok "there is room" test "$(df -k --output=avail mnt | tail -n 1)" -gt 30000
rm mnt/ballast
bale_is 0 "a backup" backup --set home src
bale_is 0 "restore" restore "latest:$T/src" --to back
ok "the same" diff -r src back
bale_is 0 "whole" validate --full

finish
