#!/bin/sh
# rclone mounts of an S3 server, which has no folders and shows only whole objects.
. "$(dirname "$0")/rclone.sh"

need python3
serve_s3
ok "S3 server" wait_for rclone lsd "$remote"
for mode in off writes full; do
	rclone_life $mode "$T/served/bucket"
done
finish
