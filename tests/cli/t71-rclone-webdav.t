#!/bin/sh
# rclone mounts of a webdav server: without a cache, where the close is the
# acknowledgement, and with --vfs-cache-mode writes and full, where it is not.
. "$(dirname "$0")/rclone.sh"

serve_webdav
ok "webdav server" wait_for rclone lsd "$remote"
for mode in off writes full; do
	rclone_life $mode "$T/served"
done

echo "# unmounted before all is uploaded"
rclone_mount writes --vfs-write-back 1h
export BALE_REPO="$T/mnt/full/repo"
bale_is 0 "list" list --json
had=$(grep -c '"type":"snapshot"' out)
echo more >src/more
bale_is 0 "a backup" backup src --set life --json
is "$(field '[.complete, .confirmed] | tostring')" "[true,false]" "is complete, and not confirmed"
bale_is 0 "and whole, to who asks the mount" validate --stored
end_mount
at_the_server() { # COUNT
	bale_is 0 "at the server: list" list -r "$T/served/full/repo" --json --no-cache
	is "$(grep -c '"type":"snapshot"' out)" "$1" "shows $1"
	bale_is 0 "validate --stored" validate -r "$T/served/full/repo" --stored --no-cache
}
at_the_server "$had"
rclone_mount writes --vfs-write-back 1s # what is pending lies in its cache folder
ok "mounted again, it is uploaded" wait_for rclone_settled
end_mount
at_the_server $((had + 1))
finish
