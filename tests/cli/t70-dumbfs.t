#!/bin/sh
# The whole life of a repository on a file system that allows no more than the contract, and
# counts every breach of it.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/life.sh"

dumbfs=${DUMBFS:-$(dirname "$BALE")/dumbfs}
if [ ! -c /dev/fuse ] || [ ! -x "$dumbfs" ]; then
	echo "SKIPPED: dumbfs needs /dev/fuse and to be built (make dumbfs)" >&2
	skip "no /dev/fuse, or dumbfs is not built"
	finish
	exit
fi

cleanup() { fusermount3 -u "$T/mnt" 2>/dev/null || umount "$T/mnt" 2>/dev/null || :; }

make_tree src
src=$T/src
export BALE_PASSPHRASE='dumb' 
mkdir back.fs mnt
"$dumbfs" -o report="$T/report" back.fs mnt || exit 1

life "$T/mnt"
is "$(grep '^violations' mnt/.dumbfs)" "violations 0" "the contract was kept"
rm -rf mnt/repo 2>/dev/null
ok "and a breach would be counted" test "$(grep '^violations' mnt/.dumbfs)" != "violations 0"

finish
