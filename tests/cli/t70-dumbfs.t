#!/bin/sh
# The whole life of a repository on a file system that allows no more than the contract,
# and counts every breach of it; and its control file.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/dumb.sh"
. "$TOP/tests/cli/life.sh"

class=unknown # as of any FUSE file system that bale has not heard of
waits=true    # it is through all the same
leave() {
	gone mnt
}
dumb mnt dumbfs ''
life "$mnt" "$T/back.fs"

dumb mnt dumbfs ''
rm -rf mnt/repo 2>/dev/null
ok "a breach would be counted" test "$(told violations)" -gt 0
tell reset
is "$(sed -n 's/^violations //p; s/^trips //p; s/^count create //p' mnt/.dumbfs | tr '\n' ' ')" \
	"0 0 0 " "counts begin anew"
set -C
umask 077
echo one >mnt/new
set +C
umask 022
is "$(sed -n 's/^up //p; s/^count create //p' mnt/.dumbfs | tr '\n' ' ')" "4 1 " "and go on"
for line in frob 'latency frob 1' 'latency trips' 'on look' 'on look * frob' 'preset frob' \
	'uploads frob' 'stale frob' 'bandwidth frob 1' 'contract frob'; do
	ok "refused: $line" sh -c "! echo '$line' 2>/dev/null >mnt/.dumbfs"
done
ok "it is not listed" sh -c "! ls -A mnt | grep -q dumbfs"

finish
