#!/bin/sh
# The life of a repository on an sshfs mount, of an sshd of our own on loopback; and what
# a cut connection does.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/mounts.sh"
. "$TOP/tests/cli/life.sh"

need sshfs sshd fusermount3 rsync jq
mkdir served mnt ssh
chmod 700 ssh "$T"
ssh-keygen -q -t ed25519 -N '' -f ssh/host
ssh-keygen -q -t ed25519 -N '' -f ssh/user
cp ssh/user.pub ssh/authorized
[ "$(id -u)" = 0 ] && mkdir -p /run/sshd

serve_ssh() {
	for n in 1 2 3 4 5; do # a port may be taken
		port=$(shuf -i 20000-32000 -n 1)
		cat >ssh/config <<-END
			Port $port
			ListenAddress 127.0.0.1
			HostKey $T/ssh/host
			AuthorizedKeysFile $T/ssh/authorized
			PidFile none
			StrictModes no
			UsePAM no
			PasswordAuthentication no
			Subsystem sftp internal-sftp
		END
		"$(command -v sshd)" -D -e -f "$T/ssh/config" 2>ssh/log &
		server=$!
		wait_for grep -q -e listening -e 'Cannot bind' ssh/log
		grep -q 'Cannot bind' ssh/log || return 0
		wait "$server"
	done
}
# In the foreground, so that its process is ours; and by the whole path, as sshfs goes to
# "/": of several whose "mnt" may be meant, doctor asks none.
ssh_mount() {
	sshfs -f -p "$port" ${*:-$options} -o "IdentityFile=$T/ssh/user" \
		-o StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null \
		"$(id -un)@127.0.0.1:$T/served" "$T/mnt" 2>mount.log &
	mount=$!
	wait_for mountpoint -q mnt
}
leave() { end_mount; }

# Its connection cut, sshfs makes another; what was under way has failed and is made
# again.
cut() {
	grow
	begin
	kill -9 "$(pgrep -f "^ssh .*$T/ssh/user")"
	ends 0 "a cut connection"
}
trouble() {
	cut
	disappear ssh_mount
}

options=$(documented 'sshfs \(.*\) user@host:bale /mnt/ssh')
ok "the options are documented" test "$options"
serve_ssh
ssh_mount || skip_all "sshfs did not mount: $(tail -n 1 mount.log)"
doctor_says through safe fuse.sshfs
end_mount
ssh_mount -o idmap=none
doctor_says through safe fuse.sshfs reconnect
end_mount
ssh_mount
life "$T/mnt" "$T/served"
finish
