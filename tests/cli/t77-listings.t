#!/bin/sh
# Storage that does not show what is there, as dumbfs is told to: partial and stale
# listings, uploads late and in another order. Absence is never taken for evidence, and
# each command tells the truth of what it can see.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/dumb.sh"

make_source
export BALE_REPO="$mnt/repo"

# --- listings that do not show all: nothing that is needed is deleted
dumb mnt sshfs
bale_is 0 "init" init --unencrypted
for i in 1 2 3 4; do
	echo "$i" >>src/f1
	bale_is 0 "backup" backup src --set home
	sleep 1
done
bale_is 0 "list" list --json
set -- $(jq -r 'select(.type == "snapshot") | .snapshot' "$T/out")
second=$2 newest=$4
bale_is 0 "remove" remove "$1"
cp -a back.fs/repo whole
cp -a cache known
# hidden WHERE RULE VALIDATE VACUUM: with what statuses they end ("any": as it may)
hidden() {
	for grace in --run '--run --sole-client --no-cache'; do
		rm -rf back.fs/repo cache
		cp -a whole back.fs/repo
		cp -a known cache
		tell clear "on opendir $1 times=ever $2"
		"$BALE" vacuum $grace --below 100 --json >"$T/out" 2>"$T/err"
		status=$?
		[ "$4" = any ] || is $status "$4" "vacuum $grace, $2 in $1: its status"
		tell clear
		bale_is 0 "all is whole" validate --full --no-cache
		bale_is 0 "and listed" list --json --no-cache
		is "$(field .snapshots)" 3 "with each snapshot"
	done
	tell clear "on opendir $1 times=ever $2"
	[ "$3" = any ] || bale_is "$3" "validate tells of it" validate
	tell clear
}
hidden repo/bands hide=100 any any
hidden repo/bands 'hidden=*-tail-*' 0 any
hidden repo/bands "hidden=$second*" 4 1
hidden repo/bands "hidden=$newest*" any any
hidden repo/bands hide=40 any any
hidden repo/index hide=100 any any
hidden repo/hunks hide=100 4 1
hidden repo/data/? hide=100 4 any
gone mnt

# --- uploads that come late, and in another order than the closes
back_over() { # MOUNT DESCRIPTION: the newest snapshot, by a client that knows nothing
	(
		export BALE_REPO="$T/$1/repo"
		rm -rf back2
		"$BALE" restore "latest:$T/src" --to back2 --no-cache && diff -r src back2
	)
}
over() { # MOUNT STATUS DESCRIPTION ARGUMENTS...: by another client
	over=$1
	shift
	BALE_REPO=$T/$over/repo
	BALE_CACHE_DIR=$T/cache.$over
	bale_is "$@"
	BALE_REPO=$mnt/repo
	BALE_CACHE_DIR=$T/cache
}
rm -rf back.fs/repo cache
dumb mnt rclone 'uploads late=0.1'
dumb truth sshfs
bale_is 0 "init" init --unencrypted
wait_for sh -c "grep -qx 'pending 0' mnt/.dumbfs"
tell 'uploads hold order=reverse'
echo a >>src/f1
bale_is 0 "a backup of which nothing is uploaded yet" backup src --set home --json
is "$(field '[.complete, .confirmed] | tostring')" "[true,false]" "is complete, not confirmed"
bale_is 0 "here it can be listed" list --json
is "$(field .snapshots)" 1 "and is"
back_is "and restores here"
over truth 0 "elsewhere it is not seen" list --json
is "$(field .snapshots)" 0 "at all"
over truth 1 "nor restored" restore latest --to none
tell 'on upload repo/data/* times=ever EIO' 'uploads go'
wait_for sh -c "ls back.fs/repo/bands | grep -q -e -tail- && ls back.fs/repo/bands | grep -q -e -head-"
over truth 4 "with the tail, and without the data" validate
over truth 4 "a restore says so" restore latest --to part --json
ok "for each file" test "$(field .damaged)" -ge 6
over truth 0 "a backup of the same" backup src --set home --json
is "$(field .complete)" true "relies on nothing that is not there"
ok "and stores it" test "$(field .bytes_stored)" -gt 10000000
ok "so it restores already" back_over truth
tell clear 'uploads late=0.1'
ok "once all is uploaded" wait_for sh -c "grep -qx 'pending 0' mnt/.dumbfs"
over truth 0 "all is whole" validate --full
tell 'uploads order=shuffle late=0.3'
for i in 1 2 3; do
	echo "$i" >>src/f1
	bale_is 0 "a backup, uploaded in any order" backup src --set home
	over truth 0 "while others back up" backup src --set other
done
ok "once all is uploaded" wait_for sh -c "grep -qx 'pending 0' mnt/.dumbfs"
over truth 0 "all is whole" validate --full
ok "and restores" back_over truth
tell 'uploads hold'
echo lost >>src/f1
bale_is 0 "a backup that is acknowledged, and lost" backup src --set home
tell 'uploads drop go late=0.1'
sleep 1 # the newest of all sets is asked for below
bale_is 0 "the next one" backup src --set home --json
is "$(field .complete)" true "completes"
ok "once all is uploaded" wait_for sh -c "grep -qx 'pending 0' mnt/.dumbfs"
ok "it restores elsewhere" back_over truth
over truth 4 "what was lost is told" validate --full --json
is "$(field .damaged_paths)" 0 "and has cost no file"
gone mnt
gone truth

# --- listings that show what was
rm -rf back.fs/repo cache cache.truth
dumb truth sshfs
dumb mnt nfs 'stale list=1000 look=1000'
bale_is 0 "init" init --unencrypted
bale_is 0 "a backup" backup src --set home
tell 'stale forget'
bale_is 0 "list" list
over truth 0 "a backup elsewhere" backup src --set other
over truth 0 "and another" backup src --set other
bale_is 0 "not yet seen here" list --json
is "$(field .snapshots)" 1 "is not told of"
bale_is 0 "validate here finds nothing amiss" validate --full
bale_is 1 "the analysis does" vacuum
says "does not show everything" "and says so"
bale_is 0 "a backup here" backup src --set home --json
is "$(field .complete)" true "completes"
back_is "and restores"
first=$("$BALE" list --json | jq -r .snapshot | head -n 1)
over truth 0 "a removal elsewhere" remove "$first"
bale_is 0 "restore of what is removed" restore "$first" --to old
tell 'stale forget'
bale_is 0 "what is removed there" list --json
is "$(field .snapshots)" 3 "is not listed when that is seen"
bale_is 0 "and all is whole" validate --full
over truth 0 "there too" validate --full
gone mnt
gone truth

# --- a life on each kind of mount
sed -n 's/^\t{"\([a-z0-9-]*\)", .*/\1/p' "$TOP/tests/dumbfs/presets.c" >presets
ok "there are presets" test "$(wc -l <presets)" -ge 8
while read -r preset; do
	rm -rf back.fs/repo cache
	dumb mnt "${preset%%-*}" "preset $preset"
	bale_is 0 "$preset: init" init --unencrypted
	again=0
	for i in 1 2; do
		echo "$preset $i" >>src/f1
		bale_is 0 "backup" backup src --set home --json
		is "$(field .complete)" true "is complete"
		again=$((again + $(retries '^data/')))
	done
	bale_is 0 "list" list --json
	is "$(field .snapshots)" 2 "knows both"
	bale_is 0 "validate" validate --full
	back_is "restore"
	wait_for sh -c "grep -qx 'pending 0' mnt/.dumbfs"
	# What the kind of mount does wrong has happened.
	case $preset in
	rclone-off | sshfs | nfs | s3fs) is $again 1 "what failed was repeated" ;;
	smb) is $again 0 "EINTR needs no telling" ;;
	*) ok "it is uploaded later" sh -c "grep -q '^count upload [1-9]' mnt/.dumbfs" ;;
	esac
	gone mnt
	export BALE_REPO="$T/back.fs/repo"
	bale_is 0 "validate in the folder behind" validate --full --no-cache
	back_is "and restore" --no-cache
	export BALE_REPO="$mnt/repo"
done <presets
finish
