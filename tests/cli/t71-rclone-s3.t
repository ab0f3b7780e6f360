#!/bin/sh
# rclone mounts of an S3 server, which has no folders and shows only whole objects.
. "$(dirname "$0")/rclone.sh"

need python3
serve_s3
ok "S3 server" wait_for rclone lsd "$remote"
for mode in writes full off; do
	rclone_life $mode "$T/served/bucket"
done

echo "# a storage that is full for a while tells so when a file is closed"
rclone_mount off
export BALE_REPO="$T/mnt/off/repo"
bale_is 0 "the mount is not what it was" list
echo more >src/more
touch served/.full
{
	sleep 2
	rm served/.full
} &
bale_is 0 "a backup outlasts it" backup src --set life --json
is "$(field '[.complete, .confirmed] | tostring')" "[true,true]" "is complete, and confirmed"
retried=$(jq -r 'select(.kind == "retry") | .path' err)
ok "what failed is told: $(head -c 200 err)" test "$retried"
is "$(echo "$retried" | sort | uniq -d)" "" "no name is used twice"
end_mount
export BALE_REPO="$T/served/bucket/off/repo"
bale_is 0 "at the server: validate --stored" validate --stored --cache-dir "$T/cache2"
bale_is 0 "restore" restore "latest:$src" --to back --cache-dir "$T/cache2"
same_files src back "gives the tree"
finish
