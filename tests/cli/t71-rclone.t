#!/bin/sh
# The life of a repository on real rclone mounts of a webdav and an sftp server on loopback:
# without a cache (close is the acknowledgement) and with --vfs-cache-mode writes (it is not).
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/life.sh"

for tool in rclone fusermount3; do
	command -v $tool >/dev/null && [ -c /dev/fuse ] || {
		echo "SKIPPED: no $tool, or no /dev/fuse" >&2
		skip "no $tool, or no /dev/fuse"
		finish
		exit
	}
done

server=
mount=
cleanup() {
	fusermount3 -u "$T/mnt" 2>/dev/null || :
	[ -z "$mount" ] || wait "$mount" 2>/dev/null || :
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
}
wait_for() { # COMMAND...: for ten seconds
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.1
	done
}

export RCLONE_CONFIG="$T/rclone.conf" XDG_CACHE_HOME="$T/xdg"
: >"$RCLONE_CONFIG"
export BALE_PASSPHRASE='remote'
port=$((20000 + $$ % 20000))
mkdir back.fs mnt

run() { # KIND REMOTE MODE
	echo "# rclone serve $1, mounted with --vfs-cache-mode $3"
	rm -rf src before back back0 back1 cache
	make_tree src
	src=$T/src
	rclone mount "$2" mnt --vfs-cache-mode "$3" --vfs-write-back 1s --dir-cache-time 5s \
		>"$T/mount.log" 2>&1 &
	mount=$!
	ok "$1 $3: mounted" wait_for mountpoint -q mnt
	mkdir -p "mnt/$1-$3"
	bale_is 0 "doctor" doctor "mnt/$1-$3" --json
	[ "$3" = writes ] && class=write-back || class=through
	is "$(field .class)" $class "$1 $3: the class is $class"
	life "$T/mnt/$1-$3"
	bale_is 0 "a backup" backup src --set life --json
	[ "$3" = writes ] && confirmed=false || confirmed=true
	is "$(field .confirmed)" $confirmed "$1 $3: confirmed is $confirmed"
	# What a cache still holds is uploaded a second after it was closed.
	[ "$3" = writes ] && sleep 4
	fusermount3 -u mnt
	wait "$mount" 2>/dev/null
	mount=
	bale_is 14 "$1 $3: not mounted is no empty repository" list
	export BALE_REPO="$T/back.fs/$1-$3/repo"
	bale_is 0 "$1 $3: validate in the server's own folder" validate --full --no-cache
	bale_is 0 "$1 $3: restore from it" restore "latest:$src" --to back1 --no-cache
	same_tree src back1 "gives the tree"
}

rclone serve webdav back.fs --addr "127.0.0.1:$port" >"$T/server.log" 2>&1 &
server=$!
webdav=":webdav,url='http://127.0.0.1:$port':"
ok "webdav server" wait_for rclone lsd "$webdav"
run webdav "$webdav" off
run webdav "$webdav" writes
kill $server
wait $server 2>/dev/null

port=$((port + 1))
rclone serve sftp back.fs --addr "127.0.0.1:$port" --user u --pass p >"$T/server.log" 2>&1 &
server=$!
sftp=":sftp,host=127.0.0.1,port=$port,user=u,pass='$(rclone obscure p)':"
ok "sftp server" wait_for rclone lsd "$sftp"
run sftp "$sftp" off
finish
