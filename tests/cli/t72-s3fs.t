#!/bin/sh
# The life of a repository on an s3fs mount of an S3 server: an object is whole when the
# close returns.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/mounts.sh"
. "$TOP/tests/cli/life.sh"

need s3fs python3 fusermount3 rsync jq
mkdir mnt
echo k:s >password
chmod 600 password
serve_s3
at=$(served_at server.log)

# In the foreground, so that its process is ours.
s3_mount() {
	s3fs bucket:/ "$T/mnt" ${*:-$options} -f -o "passwd_file=$T/password" \
		-o "url=http://$at,use_path_request_style" >mount.log 2>&1 &
	mount=$!
	wait_for mountpoint -q mnt
}
leave() { end_mount; }
trouble() { disappear s3_mount; }

options=$(documented 's3fs bucket:/bale /mnt/s3 \(.*\)')
ok "the options are documented" test "$options"
s3_mount || skip_all "s3fs did not mount: $(tail -n 1 mount.log)"
doctor_says through safe fuse.s3fs
end_mount
s3_mount -o "use_cache=$T/copies"
doctor_says through safe fuse.s3fs use_cache stat_cache_expire
end_mount
s3_mount
life "$T/mnt" "$T/served/bucket"
finish
