#!/bin/sh
# The life of a repository on a davfs2 mount of a webdav server: at the close the server
# has an empty file, and only umount waits for the uploads.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/mounts.sh"
. "$TOP/tests/cli/life.sh"

need mount.davfs rclone rsync jq
[ "$(id -u)" = 0 ] || skip_all "only root can mount davfs2"
export RCLONE_CONFIG="$T/rclone.conf"
: >"$RCLONE_CONFIG"
chmod 755 "$T"
mkdir served mnt uploads
chown root:davfs2 uploads
chmod 775 uploads

# Seconds are shorter here than their defaults (10 and 60), so that the test is.
cat >davfs2.conf <<EOF
ask_auth 0
use_locks 0
cache_dir $T/uploads
cache_size 50
delay_upload 1
dir_refresh 5
EOF

dav_mount() {
	mount ${options:?} -o "conf=$T/davfs2.conf" "$url" mnt 2>mount.log
	mount=$(pgrep -f "^/sbin/mount.davfs .*$T/davfs2.conf")
}
# umount ends when all is uploaded and the mount program has ended.
dav_umount() {
	umount mnt >umount.log 2>&1
	mount=
}

options=$(documented 'mount \(.*\) https://server/dav/bale /mnt/dav')
serve_webdav
url=${remote#*\'}
url=${url%\'*}
dav_mount
ok "mounted" mountpoint -q mnt

# davfs2 before 1.7.2 lists nothing under Linux 6.16 and newer, unless its buffer is
# larger.
if ! ls mnt >/dev/null 2>&1; then
	bale_is 1 "a mount that cannot list" doctor mnt --json
	is "$(field '[.class, .deletion] | join(" ")')" "write-back unsafe" "is found unsafe"
	ok "and what to change is told" sh -c "tail -n 1 out | jq -e '.advice[0] | test(\"buf_size\")'"
	bale_is 1 "no repository is made on it" init -r mnt/repo --unencrypted
	dav_umount
	echo "buf_size 64" >>davfs2.conf
	dav_mount
	ok "mounted with a larger buffer" mountpoint -q mnt
fi

class=write-back
settle() {
	dav_umount
	dav_mount
	ok "unmounted and mounted again" mountpoint -q mnt
}
leave() { dav_umount; }
# Killed, it leaves a note that keeps it from mounting again, and in its cache what it had
# not uploaded.
dav_mount_again() {
	ok "its note is in the way" sh -c "! mount -t davfs -o conf=$T/davfs2.conf $url mnt"
	rm "/run/mount.davfs/$(echo "$T/mnt" | tr / - | cut -c 2-).pid"
	dav_mount
}
trouble() {
	settle # or bale.json is lost
	disappear dav_mount_again
}
doctor_says write-back unproven fuse "umount after each backup"
life "$T/mnt" "$T/served"
finish
