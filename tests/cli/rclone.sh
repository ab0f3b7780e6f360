# The life of a repository on rclone mounts, sourced by a test for each kind of server.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/mounts.sh"
. "$TOP/tests/cli/life.sh"

need rclone fusermount3 rsync jq
export RCLONE_CONFIG="$T/rclone.conf" XDG_CACHE_HOME="$T/xdg"
: >"$RCLONE_CONFIG"
mkdir served mnt

# rclone_life MODE FOLDER-OF-THE-SERVER
rclone_life() {
	mode=$1
	echo "# --vfs-cache-mode $1"
	rclone_mount "$1" --vfs-write-back 1s
	ok "mounted" mountpoint -q mnt
	case $1 in
	off | minimal)
		class=through
		waits=
		;;
	*)
		class=write-back
		waits="RCLONE_URL=http://$control sh $T/recipe"
		sed -n '/^# rclone-settled/,/^```/p' "$TOP/docs/mounts.md" | sed '$d' >recipe
		;;
	esac
	settle() { ok "all is uploaded" wait_for rclone_settled; }
	leave() { settle && end_mount; }
	trouble() { [ $class != through ] || disappear rclone_mount "$mode"; }
	if [ $class = through ]; then
		doctor_says through safe fuse.rclone
	else
		doctor_says write-back unproven fuse.rclone "off or minimal" "wait until all"
	fi
	mkdir "mnt/$1"
	life "$T/mnt/$1" "$2/$1"
}
