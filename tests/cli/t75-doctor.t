#!/bin/sh
# What doctor tells of a local folder, of dumbfs, of rclone mounts, and of what is not
# there.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/mounts.sh"

dumbfs=${DUMBFS:-$(dirname "$BALE")/dumbfs}

# probes FILTER: the operations of the last bale_is for which it holds, in order
probes() {
	jq -r "select(.type == \"probe\" and ($1)) | .operation" "$T/out" | tr '\n' ' '
}
all='make-folder write shown exclusive read read-range size list write-large read-large delete gone '

# --- a local folder
mkdir plain
bale_is 0 "a folder without a repository" doctor plain --json
is "$(probes .ok)" "$all" "all operations work"
is "$(probes '.seconds < 0 or .seconds > 60')" "" "in a time"
is "$(field '.ok, .deletion, .left, .found' | tr '\n' ' ')" "true safe 0 0 " "the verdict"
is "$(field .class)" through "the class"
is "$(field .recognised_by)" mount-table "and by what it was recognised"
is "$(field .mount_type)" "$(findmnt -n -o FSTYPE -T plain)" "the type"
is "$(field .mount_point)" "$(findmnt -n -o TARGET -T plain)" "the mount point"
ok "the speed" test "$(field .write_bytes_per_second)" -gt 1000
is "$(count plain -type f)" 0 "no file is left"
bale_is 0 "as text" doctor plain
ok "the class is named" grep -q '^class *through' "$T/out"
ok "deletion is judged" grep -q '^deletion  safe' "$T/out"
bale_is 0 "quiet" doctor plain -q
is "$(wc -c <"$T/out")" 0 "is quiet"
echo x >plain/doctor/left
bale_is 0 "a file of an earlier run" doctor plain --json
is "$(field .found)" 1 "is counted"
is "$(cat plain/doctor/left)" x "and stays"
rm plain/doctor/left

# --- a repository, without its passphrase
bale_is 0 "a repository where doctor was before" init -r plain --unencrypted
export BALE_REPO="$T/plain"
bale_is 0 "doctor on a repository named by the environment" doctor --json
unset BALE_REPO
bale_is 0 "by -r" doctor -r plain --json
bale_is 0 "the repository is as it was" validate -r plain --full
bale_is 2 "two names" doctor -r plain plain
bale_is 2 "no name" doctor

# --- what is not there
bale_is 10 "an absent folder" doctor absent
says "does not exist" "is told"
ok "and not made" test ! -e absent
echo x >file
bale_is 10 "a file" doctor file
says "no folder" "is told"
mv plain moved
mkdir plain
bale_is 14 "an empty folder where a repository was" doctor plain
says "not mounted" "is told"
is "$(count plain -mindepth 1)" 0 "and left alone"
mkdir plain/other
bale_is 14 "or one with something else in it" doctor plain
bale_is 0 "--no-cache knows of no repository" doctor plain --no-cache

# --- a folder that refuses
if [ "$(id -u)" != 0 ]; then
	mkdir -m 500 locked
	bale_is 1 "a folder that cannot be written" doctor locked --json
	is "$(probes '.message')" "make-folder write " "the failures are told"
	is "$(field '.ok, .deletion' | tr '\n' ' ')" "false unsafe " "the verdict"
fi

if [ ! -c /dev/fuse ]; then
	echo "SKIPPED: no /dev/fuse" >&2
	skip "no /dev/fuse"
	finish
	exit
fi
mkdir mnt back.fs

# --- dumbfs: no more than the contract
if [ -x "$dumbfs" ]; then
	"$dumbfs" -o control="latency any 20" back.fs mnt || exit 1
	bale_is 0 "dumbfs" doctor mnt --json
	is "$(probes .ok)" "$all" "all operations work"
	is "$(field .class)" unknown "its class is not known"
	is "$(field .recognised_by)" null "by nothing"
	is "$(field .deletion)" unproven "so deletion is unproven"
	ok "which is explained" test "$(field '.advice | length')" = 1
	is "$(probes '.operation == "write" and .seconds > 0.04')" "write " "the latency is seen"
	is "$(grep '^violations' mnt/.dumbfs)" "violations 0" "the contract was kept"
	is "$(count back.fs -type f)" 0 "no file is left"
	fusermount3 -u mnt
	mount -t tmpfs -o ro none mnt 2>/dev/null && {
		bale_is 1 "a read-only mount" doctor mnt --json
		is "$(probes '.message')" "make-folder write " "the failures are told"
		is "$(field '.ok, .deletion' | tr '\n' ' ')" "false unsafe " "the verdict"
		ok "and the advice" sh -c "tail -n 1 out | jq -e '.advice[0] | test(\"read-only\")'"
		umount mnt
	}
else
	skip "dumbfs is not built"
fi

# --- rclone, of a folder
if command -v rclone >/dev/null; then
	export RCLONE_CONFIG="$T/rclone.conf" XDG_CACHE_HOME="$T/xdg"
	: >"$RCLONE_CONFIG"
	for mode in off writes; do
		rclone mount "$T/back.fs" mnt --vfs-cache-mode $mode --vfs-write-back 1s \
			>"$T/mount.log" 2>&1 &
		mount=$!
		wait_for mountpoint -q mnt
		bale_is 0 "rclone $mode" doctor mnt --json
		is "$(probes .ok)" "$all" "all operations work"
		[ $mode = off ] && want="through safe 1" || want="write-back unproven 3"
		is "$(field '[.class, .deletion, (.advice | length | tostring)] | join(" ")')" \
			"$want" "class, verdict and advice"
		is "$(field .recognised_by)" program-arguments "recognised by the arguments"
		is "$(field .mount_type)" fuse.rclone "the type"
		[ $mode = off ] || sleep 3
		end_mount
		is "$(count back.fs -type f)" 0 "no file is left"
	done
else
	echo "SKIPPED: no rclone" >&2
	skip "no rclone"
fi
finish
