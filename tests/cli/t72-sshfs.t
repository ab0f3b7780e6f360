#!/bin/sh
# The life of a repository on a real sshfs mount, of an sshd of our own on loopback.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/life.sh"

sshd=$(command -v sshd || echo /usr/sbin/sshd)
if ! command -v sshfs >/dev/null || [ ! -x "$sshd" ] || [ ! -c /dev/fuse ]; then
	echo "SKIPPED: no sshfs, sshd or /dev/fuse" >&2
	skip "no sshfs, sshd or /dev/fuse"
	finish
	exit
fi

server=
cleanup() {
	fusermount3 -u "$T/mnt" 2>/dev/null || :
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
}
port=$((40000 + $$ % 20000))
mkdir -p back.fs mnt ssh
chmod 700 ssh "$T"
ssh-keygen -q -t ed25519 -N '' -f ssh/host
ssh-keygen -q -t ed25519 -N '' -f ssh/user
cp ssh/user.pub ssh/authorized
cat >ssh/config <<EOF
Port $port
ListenAddress 127.0.0.1
HostKey $T/ssh/host
AuthorizedKeysFile $T/ssh/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
EOF
[ "$(id -u)" = 0 ] && mkdir -p /run/sshd
"$sshd" -D -e -f "$T/ssh/config" 2>ssh/log &
server=$!
n=0
until sshfs -p $port -o "IdentityFile=$T/ssh/user,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null" \
	"$(id -un)@127.0.0.1:$T/back.fs" mnt 2>ssh/mountlog; do
	n=$((n + 1))
	[ $n -lt 30 ] || {
		echo "SKIPPED: no sshfs mount came about: $(tail -n 1 ssh/mountlog)" >&2
		skip "sshfs did not mount"
		finish
		exit
	}
	sleep 0.2
done

export BALE_PASSPHRASE='remote'
make_tree src
src=$T/src
bale_is 0 "doctor" doctor mnt --json
is "$(field '.class + " " + .deletion')" "through safe" "finds nothing wrong"
life "$T/mnt"
bale_is 0 "a backup" backup src --set life --json
is "$(field .confirmed)" true "is confirmed"
kill $server
pkill -P $server 2>/dev/null
server=
fusermount3 -u mnt
bale_is 14 "not mounted is no empty repository" list
export BALE_REPO="$T/back.fs/repo"
bale_is 0 "validate in the server's own folder" validate --full --no-cache
bale_is 0 "restore from it" restore "latest:$src" --to back1 --no-cache
same_tree src back1 "gives the tree"
finish
