#!/bin/sh
# --mount-class and --settle: what is claimed of a backup whose files may be uploaded
# later; with any command, and with the recipe of docs/mounts.md on an rclone mount.
. "$(dirname "$0")/lib.sh"

mkdir src repo
echo content >src/file
export BALE_PASSPHRASE=settle BALE_REPO="$T/repo"
bale_is 0 "init" init
confirmed() { tail -n 1 "$T/out" | grep -o '"confirmed": *[a-z]*' | grep -o '[a-z]*$'; }
complete() { tail -n 1 "$T/out" | grep -o '"complete": *[a-z]*' | grep -o '[a-z]*$'; }

bale_is 0 "a local folder" backup --json src
is "$(confirmed)" true "is confirmed"
bale_is 0 "said to be unknown" backup --json --mount-class=unknown src
is "$(confirmed)" false "is not"
bale_is 0 "said to be through" backup --json --mount-class=through src
is "$(confirmed)" true "is again"
bale_is 2 "no such class" backup --mount-class=thru src
bale_is 0 "doctor takes a class" doctor --mount-class=write-back
ok "and says whence" grep -q 'known by  --mount-class' "$T/out"

late="--mount-class=write-back"
bale_is 0 "settled" backup --json $late --settle 'echo "in $BALE_REPO"; pwd >>settled' src
is "$(confirmed)" true "is confirmed"
is "$(wc -l <settled)" 3 "by three runs of the command"
ok "that know the repository" grep -q "^in $T/repo$" "$T/err"

for command in "" " "; do
	bale_is 2 "a command that is empty" backup --json $late --settle "$command" src
	says "command is empty" "is none"
done
bale_is 2 "nor would a vacuum wait" vacuum --run --settle ""

echo changed >src/file
trap '' CHLD
bale_is 1 "nor is a failure lost where signals of children are ignored" \
	backup --json $late --settle false src
trap - CHLD
bale_is 1 "the head cannot be settled" backup --json $late --settle 'false' src
is "$(complete) $(confirmed)" "false false" "no snapshot"
bale_is 1 "the data cannot be" backup --json $late \
	--settle 'echo >>run; [ $(wc -l <run) != 2 ]' src
is "$(complete) $(confirmed)" "false false" "no snapshot"
rm run
bale_is 1 "the tail cannot be" backup --json $late \
	--settle 'echo >>run; [ $(wc -l <run) != 3 ]' src
is "$(complete) $(confirmed)" "true false" "a snapshot, not confirmed"
ok "the command is named" grep -q 'the command of --settle failed (exit status 1)' "$T/err"
bale_is 0 "undelete" remove latest
bale_is 1 "cannot be settled" undelete --settle 'exit 3' "$(tail -n 1 "$T/out" | grep -o '2[0-9]*-[0-9a-z]*-[0-9]*')"

"$BALE" backup --settle 'echo $$ >pid; sleep 60' src >"$T/out" 2>"$T/err" &
pid=$!
n=0
until [ -s pid ] || [ $n -ge 100 ]; do
	n=$((n + 1))
	sleep 0.1
done
kill "$pid"
wait "$pid"
is "$?" 130 "a signal ends it"
ok "and the command" sh -c "! kill -0 $(cat pid) 2>/dev/null"

# --- rclone
for tool in rclone fusermount3; do
	command -v $tool >/dev/null || missing=$tool
done
if [ -n "${missing:-}" ] || [ ! -c /dev/fuse ]; then
	echo "SKIPPED: rclone needs /dev/fuse, fusermount3 and rclone" >&2
	skip "no /dev/fuse, rclone or fusermount3"
	finish
	exit
fi
. "$TOP/tests/cli/mounts.sh"
export RCLONE_CONFIG="$T/rclone.conf" XDG_CACHE_HOME="$T/xdg"
: >"$RCLONE_CONFIG"
mkdir served mnt
serve_webdav
rclone_mount writes --vfs-write-back 3s
ok "an rclone mount that writes back" mountpoint -q mnt
export RCLONE_URL="http://$control"
sed -n '/^# rclone-settled/,/^```/p' "$TOP/docs/mounts.md" | sed '$d' >recipe
ok "the recipe is documented" grep -q uploadsQueued recipe
export BALE_REPO="$T/mnt/repo"
bale_is 0 "init" init
bale_is 0 "unsettled" backup --json src
is "$(confirmed)" false "is not confirmed"
bale_is 0 "settled by the recipe" backup --json --settle "sh $T/recipe" src
is "$(confirmed)" true "is confirmed"
tail=bands/$(tail -n 1 "$T/out" | grep -o '2[0-9]*-[0-9a-z]*-[0-9]*' | head -n 1)-tail-
ok "the server has the tail" sh -c "ls served/repo/$tail*"
ok "and the rest" env BALE_REPO="$T/served/repo" "$BALE" validate --stored
is "$(rclone rc vfs/stats | grep -c '"uploadsQueued": 0')" 1 "nothing waits"
RCLONE_URL=http://127.0.0.1:1 bale_is 1 "no remote control" backup --settle "sh $T/recipe" src
finish
