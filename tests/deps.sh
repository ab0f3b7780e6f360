#!/bin/sh
# What bale is built from (deps.sh build), and what its tests run with (deps.sh check):
# installs the Debian packages that are missing when it may, else prints the one line that
# does.
set -eu

build='gcc make pkg-config libzstd-dev libb2-dev libjansson-dev libsodium-dev'
check="$build clang-14 libcmocka-dev libfuse3-dev fuse3 perl rsync attr acl libcap2-bin jq strace git
spin zstd coreutils util-linux mandoc rclone sshfs s3fs openssh-server openssh-client procps python3
davfs2 user-mode-linux"
# Where they would start servers with the machine, who wants NFS tested installs them.
[ -d /run/systemd/system ] || check="$check nfs-common nfs-kernel-server"

case ${1-} in
build) want=$build ;;
check) want=$check ;;
*) echo "usage: deps.sh build|check" >&2; exit 2 ;;
esac

command -v dpkg-query >/dev/null || {
	echo "deps.sh: not a Debian system; these packages or their like are needed:" $want >&2
	exit 0
}
missing=
for p in $want; do
	dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed ||
		missing="$missing $p"
done
[ -n "$missing" ] || exit 0

line="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null; then
	sudo='sudo -n'
else
	echo "bale needs packages that are not installed. Run: sudo $line" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo $line >/dev/null 2>&1 || { $sudo apt-get update -qq && $sudo $line; } >/dev/null ||
	{ echo "could not install:$missing" >&2; exit 1; }
