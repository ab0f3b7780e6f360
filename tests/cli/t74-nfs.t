#!/bin/sh
# The life of a repository on NFS: client and server of a Linux kernel that runs as a
# program (user-mode-linux), so that nothing of this machine is mounted, exported or
# started. This file is run once more in there.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/mounts.sh"
. "$TOP/tests/cli/life.sh"

if [ -z "$BALE_TEST_INSIDE" ]; then
	PATH=$PATH:/usr/sbin:/sbin
	for tool in linux.uml mount.nfs4 rpc.mountd rpc.nfsd exportfs rsync jq; do
		command -v $tool >/dev/null || skip_all "NFS is tested with user-mode-linux, \
nfs-common and nfs-kernel-server; of these $tool is not installed"
	done
	[ "$(id -u)" = 0 ] || skip_all "NFS is tested by root alone"
	cat >inside.sh <<-EOF
		#!/bin/sh
		export PATH=$PATH BALE=$BALE BALE_TEST_INSIDE=1 BALE_TORTURE=$BALE_TORTURE
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t tmpfs run /run
		mkdir /run/tmp
		cd $TOP && TMPDIR=/run/tmp sh tests/cli/t74-nfs.t >$T/tap 2>&1
		poweroff -f
	EOF
	chmod +x inside.sh
	timeout ${BALE_TORTURE:+2}280 linux.uml mem=768M rootfstype=hostfs rw init="$T/inside.sh" con=null \
		con0=null,fd:1 quiet </dev/null >console 2>&1
	[ -s tap ] || skip_all "user-mode-linux does not run here: $(tail -n 1 console)"
	cat tap
	grep -q '^1\.\.' tap && ! grep -q '^not ok' tap
	exit
fi

modules=/usr/lib/uml/modules/$(uname -r)
mkdir -p lib served mnt
ln -s "${modules%/*}" lib/modules
for module in nfsd nfsv4; do
	modprobe -d "$T" $module || skip_all "no module $module"
done
ip link set lo up
mount -t tmpfs -o size=200M served served
mount -t tmpfs state /var/lib/nfs
mount -t nfsd nfsd /proc/fs/nfsd
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
exportfs -i -o rw,sync,no_root_squash,no_subtree_check,fsid=0,insecure "127.0.0.1:$T/served"
rpc.mountd -N 2 -N 3
rpc.nfsd -N 3 2
options=$(documented 'mount \(.*\) server:/export/bale /mnt/nfs')
ok "mounted" mount ${options:?} 127.0.0.1:/ mnt
leave() { umount mnt; }
cleanup() {
	rpc.nfsd 0
	exportfs -ua
	umount -l "$T/mnt" "$T/served"
} 2>/dev/null

# The server is full: what has been done counts, and with room again it goes on.
trouble() {
	grow
	mount -o remount,size=$(($(du -sk served | cut -f1) + 2000))k served
	bale_is 13 "a full server" backup src --set life
	mount -o remount,size=200M served
}

doctor_says through safe nfs4 "export with sync"
umount mnt
mount -t nfs4 -o soft 127.0.0.1:/ mnt
doctor_says through safe nfs4 "hard and not soft" "export with sync"
umount mnt
mount $options 127.0.0.1:/ mnt
life "$T/mnt" "$T/served"
finish
