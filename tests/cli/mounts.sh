# Servers on loopback and mounts of them, for the tests of mounts: sourced after lib.sh.
# Every server and mount ends with the test.

# Where an environment names authorities of its own, rclone 1.60 refuses to serve S3.
unset AWS_CA_BUNDLE http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

# skip_all REASON: all of this test, and loudly
skip_all() {
	echo "SKIPPED: $1" >&2
	skip "$1"
	finish
	exit
}

# need TOOL...: and /dev/fuse
need() {
	PATH=$PATH:/usr/sbin:/sbin
	[ -c /dev/fuse ] || skip_all "no /dev/fuse"
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip_all "$tool is not installed"
	done
}

# wait_for COMMAND...: for twenty seconds; patience tells how many tenths of one
patience=200
wait_for() {
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt $patience ] || return 1
		sleep 0.1
	done
}

# documented PATTERN: what stands in its \(…\), of a command in docs/mounts.md, so that
# what is shown there is what is tested
documented() {
	sed -n "s|^[\$#] $1\$|\1|p" "$TOP/docs/mounts.md" | head -n 1
}

# doctor_says CLASS DELETION TYPE [WORD]...: of mnt, with just as many advices as there
# are words, each of which stands in its own
doctor_says() {
	bale_is 0 "doctor" doctor mnt --json
	is "$(field '[.class, .deletion, .mount_type] | join(" ")')" "$1 $2 $3" "finds $1, $2"
	shift 3
	is "$(field '.advice | length')" $# "advises $#"
	for word in "$@"; do
		field '.advice[]' >"$T/advice"
		ok "of $word" grep -q -e "$word" "$T/advice"
	done
}

server=
mount=
end_server() {
	[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
	server=
}
# A mount program ends with its mount, unless somebody has copied the mount into a
# namespace of his own: then it is made to. Its folder tells it from another process under
# its number.
mount_ended() { [ "$(readlink "/proc/$mount/cwd")" != "$T" ]; }
end_mount() {
	grep -q " $T/mnt " /proc/mounts && { fusermount3 -u "$T/mnt" || umount -l "$T/mnt"; }
	[ -z "$mount" ] || {
		patience=20 wait_for mount_ended || kill -9 "$mount"
		wait "$mount"
	}
	mount=
} 2>/dev/null
cleanup() {
	end_mount
	end_server
}

# served_at LOG: the address that a server on a port of its own choice has told
served_at() {
	wait_for grep -q '127\.0\.0\.1:[0-9]' "$1"
	sed -n 's/.*\(127\.0\.0\.1:[0-9]*\).*/\1/p' "$1" | head -n 1
}

# --- rclone: serve_* sets `remote`, which is $T/served

serve_webdav() {
	rclone serve webdav served --addr 127.0.0.1:0 >server.log 2>&1 &
	server=$!
	remote=":webdav,url='http://$(served_at server.log)':"
}

serve_sftp() {
	rclone serve sftp served --addr 127.0.0.1:0 --user u --pass p >server.log 2>&1 &
	server=$!
	at=$(served_at server.log)
	remote=":sftp,host=127.0.0.1,port=${at#*:},user=u,pass='$(rclone obscure p)':"
}

serve_s3() {
	mkdir -p served/bucket
	python3 "$TOP/tests/s3/server.py" served >server.log 2>&1 &
	server=$!
	remote=":s3,provider=Other,endpoint='http://$(served_at server.log)',access_key_id=k"
	remote="$remote,secret_access_key=s,force_path_style=true,no_check_bucket=true:bucket"
}

# rclone_mount MODE [OPTIONS]: the remote at mnt; `control` is the mount's remote control
rclone_mount() {
	options=$(documented 'rclone mount remote:bale /mnt/cloud --vfs-cache-mode off \(.*\) --daemon')
	rclone mount "$remote" mnt --vfs-cache-mode "$@" ${options:?} \
		--rc --rc-no-auth --rc-addr 127.0.0.1:0 >mount.log 2>&1 &
	mount=$!
	wait_for mountpoint -q mnt
	control=$(served_at mount.log)
}

# Nothing is under way, waiting, or given up. Without a cache it does not tell of these.
rclone_settled() {
	rclone rc --url "http://$control" vfs/stats | jq -e '.diskCache // {} |
		[.uploadsInProgress, .uploadsQueued, .erroredFiles] | add | . == null or . == 0'
}
