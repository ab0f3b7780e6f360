#!/bin/sh
# Storage that fails, as dumbfs is told to: bale repeats what failed under a new name and
# says so, and a mount that goes away ends a backup cleanly, to be gone on from.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/dumb.sh"

make_source
export BALE_REPO="$mnt/repo"

# --- closes that fail: repeated under a new name, and reported
dumb mnt sshfs
bale_is 0 "init" init --unencrypted
tell 'on flush data/* EIO' 'on flush repo/data/* EIO' 'on flush repo/bands/*-head-* EIO'
bale_is 0 "a backup whose first closes fail" backup src --set home --json
is "$(field .complete)" true "is complete"
is "$(retries '^data/')" 1 "the bundle is reported as repeated"
is "$(retries '^bands/')" 1 "and the head"
is "$(find back.fs/repo/bands -name '*-head-*' | wc -l)" 1 "what failed is removed"
bale_is 0 "validate" validate --full
back_is "and it restores"
for what in torn=1000 lose phantom; do
	echo "$what" >>src/f1
	tell clear "on flush repo/data/* $what EIO"
	bale_is 0 "a close that fails, $what" backup src --set home --json
	is "$(field .complete)$(retries '^data/')" true1 "is repeated"
	back_is "and it restores"
done
tell clear 'on flush repo/hunks/* torn=100'
echo more >>src/f1
bale_is 0 "a close that says yes to a file cut short" backup src --set home --json
is "$(retries '^hunks/')" 1 "is found out by reading back"
tell 'on flush repo/data/* times=2 lose'
echo more >>src/f1
bale_is 0 "or to a file that is gone" backup src --set home --json
is "$(retries '^data/')" 2 "too, each time"
tell clear 'on write repo/data/* EIO' 'on fsync repo/index/* EIO' \
	'on read,seek,open,opendir * every=5 EINTR' 'on open,read repo/bands/* nth=2 ESTALE'
echo more >>src/f1
bale_is 0 "errors here and there" backup src --set home --json
is "$(field .complete)" true "do no harm"
tell clear 'on flush repo/data/* nth=2 ENOSPC times=ever'
for i in 1 2 3 4 5 6; do head -c 9000000 /dev/urandom >"src/g$i"; done
bale_is 13 "no space at a close" backup src --set home --json
is "$(tail -n 1 "$T/err" | jq -r .kind)" no-space "is told by its kind"
tell clear
bale_is 0 "with space again" backup src --set home --json
back_is "it restores"
bale_is 0 "all is whole" validate --full
is "$(told violations)" 0 "the contract was kept"

# --- a mount that goes away under a backup: by the death of its program at an upload; by an
# --- abort of its connection, as umount -f does; lazily, which leaves it to who is using it
hows='die lazy'
[ "$(id -u)" != 0 ] || hows='die abort lazy'
for how in $hows; do
	for i in 1 2 3 4 5 6 7; do head -c 9000000 /dev/urandom >"src/g$i"; done
	sleep 3.1 # what was touched just now is read twice
	parts=$(find back.fs/repo/bands -name '*-part-*' | wc -l)
	# The third part waits, or ends it all.
	case $how in
	die) tell clear 'on create repo/bands/*-part-* nth=3 die' ;;
	*) tell clear 'on create repo/bands/*-part-* nth=3 wait=2000' ;;
	esac
	"$BALE" backup src --set home --checkpoint 16M --json >"$T/out" 2>"$T/err" &
	pid=$!
	ok "$how: two parts are stored" wait_for sh -c \
		"[ \$(find back.fs/repo/bands -name '*-part-*' | wc -l) -ge $((parts + 2)) ]"
	[ $how = die ] || sleep 0.7 # the third waits now
	case $how in
	abort) umount -f mnt 2>/dev/null ;; # busy, yet all that is under way fails
	lazy) fusermount3 -uz mnt ;;
	esac
	wait $pid
	status=$?
	if [ $how = lazy ]; then
		is $status 0 "lazily: the backup ends well on what it holds open"
		is "$(field .complete)" true "and is complete"
	else
		is $status 14 "$how: exit status 14"
		is "$(tail -n 1 "$T/err" | jq -r .kind)" unreachable "told by its kind"
		says "bands/\|folder itself is gone" "with what could not be done"
		says "still mounted" "what may be the matter is told"
		bale_is 14 "nothing can be listed now" list
		fusermount3 -uz mnt
	fi
	bale_is 14 "an unmounted mount point is no empty repository" list
	bale_is 14 "not for a backup either" backup src --set home
	says "mounted" "what may be the matter is told"
	bale_is 14 "nor for init" init --unencrypted
	is "$(count mnt -mindepth 1)" 0 "nothing is made at its place"
	dumb mnt sshfs
	if [ $how != lazy ]; then
		bale_is 0 "mounted again" list --json
		is "$(tail -n 2 "$T/out" | head -n 1 | jq .complete)" false \
			"shows an unfinished snapshot"
		bale_is 0 "the next backup" backup src --set home --json
		is "$(field .complete)" true "completes"
		read=$(field .bytes_read)
		ok "and reads only the rest ($read)" test "$read" -lt 50000000
	fi
	bale_is 0 "validate" validate --full
	back_is "it restores"
done
fusermount3 -u mnt

finish
