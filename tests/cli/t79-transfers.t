#!/bin/sh
# How many operations are under way at once: by the latency of the storage, which bale
# measures as it opens a repository, or as it is told. Counted are those that dumbfs saw begin
# while the first of them, which takes longer than what is counted, had not ended.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/dumb.sh"

export BALE_REPO="$mnt/repo"

# at_once KIND PATTERN [SECONDS]: at most, within 0.25 s, of those whose path is like it
at_once() {
	awk -v kind="$1" -v pattern="$2" -v within="${3:-0.25}" '$2 == kind && $3 ~ pattern {
		at[++n] = $1
		while (at[n] - at[first + 1] > within)
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
n=$(at_once open "$tails")
ok "or as many as it is told ($n)" test "$n" -gt 8 -a "$n" -le 12

# Bundles: one after the other where the storage is quick, several where it is not.
bundles='/repo/data/'
slow='on flush repo/data/* times=ever wait'
for try in 1 2 3; do # on a busy machine nothing answers at once
	head -c 100000000 /dev/urandom >src/large
	far "$slow=300" backup src --set quick
	n=$(at_once flush "$bundles")
	[ "$n" != 1 ] || break
done
is "$n" 1 "a storage that answers at once gets one bundle after the other"
ok "of several" test "$(grep -c " flush .*$bundles" trace)" -ge 3
head -c 100000000 /dev/urandom >src/large
far "$slow=1500;latency open 20" backup src --set slow
n=$(at_once flush "$bundles" 1.4)
ok "one that is far away several at once ($n)" test "$n" -ge 2
head -c 70000000 /dev/urandom >src/large
far "$slow=300;latency open 20" backup src --set one --transfers 1
is "$(at_once flush "$bundles")" 1 "unless it is told otherwise"

far 'latency open 300' restore "latest:$T/src" --to back
n=$(at_once open "$bundles")
ok "a restore opens bundles ahead ($n)" test "$n" -ge 2
ok "and gives the tree" diff -r src back
finish
