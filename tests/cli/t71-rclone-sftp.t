#!/bin/sh
# rclone mounts of an sftp server: without a cache, where the close is the
# acknowledgement, and with --vfs-cache-mode writes and full, where it is not.
. "$(dirname "$0")/rclone.sh"

serve_sftp
ok "sftp server" wait_for rclone lsd "$remote"
for mode in off writes full; do
	rclone_life $mode "$T/served"
done
finish
