#!/bin/sh
# How many operations are under way at once: by the latency of the storage, which bale
# measures as it opens a repository, or as it is told. Counted are those that dumbfs saw begin
# while the first of them, which takes 0.3 s, had not ended.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/dumb.sh"

export BALE_REPO="$mnt/repo"

# at_once KIND PATTERN: at most, within 0.25 s, of those whose path is like it
at_once() {
	awk -v kind="$1" -v pattern="$2" '$2 == kind && $3 ~ pattern {
		at[++n] = $1
		while (at[n] - at[first + 1] > 0.25)
			first++
		if (n - first > most)
			most = n - first
	}
	END { print most + 0 }' trace
}
# far COMMANDS ARGUMENTS...: bale, over a mount that does this
far() {
	far=$1
	shift
	: >trace
	dumb mnt sshfs "$far" "trace=$T/trace"
	bale_is 0 "$far: $*" "$@"
	gone mnt
}

mkdir src
echo content >src/file
dumb mnt sshfs ''
"$BALE" init -q --unencrypted || exit 1
i=0
while [ $i -lt 34 ]; do
	"$BALE" backup -q src --no-cache || exit 1
	i=$((i + 1))
done
gone mnt

tails='bands/.*-tail-'
far 'latency open 300' list --no-cache
n=$(at_once open "$tails")
ok "so many tails are read at once ($n)" test "$n" -gt 8 -a "$n" -le 32
far 'latency open 300' list --no-cache --transfers 12
is "$(at_once open "$tails")" 12 "or as many as it is told"

# Bundles: one after the other where the storage is quick, several where it is not.
head -c 100000000 /dev/urandom >src/large
bundles='/repo/data/'
far 'latency flush 300' backup src --set quick --no-cache
is "$(at_once flush "$bundles")" 1 "a storage that answers at once gets one bundle after the other"
ok "of several" test "$(grep -c " flush .*$bundles" trace)" -ge 3
head -c 100000000 /dev/urandom >src/large
far 'latency flush 300;latency open 20' backup src --set slow
n=$(at_once flush "$bundles")
ok "one that is far away several at once ($n)" test "$n" -ge 2
head -c 70000000 /dev/urandom >src/large
far 'latency flush 300;latency open 20' backup src --set one --transfers 1
is "$(at_once flush "$bundles")" 1 "unless it is told otherwise"

far 'latency open 300' restore "latest:$T/src" --to back
n=$(at_once open "$bundles")
ok "a restore opens bundles ahead ($n)" test "$n" -ge 3
ok "and gives the tree" diff -r src back
finish
