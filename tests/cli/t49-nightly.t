#!/bin/sh
# docs/examples/bale-nightly, night after night, under clocks that are ahead.
. "$(dirname "$0")/lib.sh"

if ! ${CC:-cc} -shared -fPIC -o clock.so "$TOP/tests/cli/clock.c" 2>"$T/ok.log"; then
	skip "no compiler"
	finish
	exit
fi
mkdir bin
ln -s "$BALE" bin/bale
PATH="$T/bin:$PATH"
export BALE_REPO="$T/repo" BALE_KEY_FILE="$T/key" BALE_SET=home
"$BALE" init -q --key-file key || exit 1

mkdir src
i=0
while [ $i -lt 20 ]; do
	head -c 100000 /dev/urandom >src/f$i
	i=$((i + 1))
done
sleep 3.1

# night N: the source changes, and cron runs
night() {
	head -c 100000 /dev/urandom >src/f$(($1 % 20))
	BALE_TEST_AHEAD=$(($1 * 86400)) LD_PRELOAD="$T/clock.so" \
		"$TOP/docs/examples/bale-nightly" "$T/src" >"$T/out" 2>"$T/err"
}

wrong=0
n=1
while [ $n -le 70 ]; do
	night $n || wrong=$((wrong + 1))
	[ -s "$T/out" ] || [ -s "$T/err" ] && {
		wrong=$((wrong + 1))
		sed 's/^/# /' "$T/out" "$T/err"
	}
	n=$((n + 1))
done
is $wrong 0 "seventy nights, and nothing to tell of"
bale_is 0 "list" list --json
kept=$(grep -c '"type":"snapshot"' "$T/out")
ok "7 days, 4 to 5 weeks, 2 to 3 months and the oldest are kept ($kept)" \
	test "$kept" -ge 12 -a "$kept" -le 16
is "$(jq -r 'select(.type == "snapshot") | .start' "$T/out" | cut -c 1-19 | tail -n 7 |
	jq -Rs '[split("\n")[] | select(length > 0) + "Z" | fromdate]
		| (.[6] - .[0] + 43200) / 86400 | floor')" 6 "of the last 7 days each"
bale_is 0 "restore" restore "latest:$T/src" --to back
ok "the last night's" diff -r src back
bale_is 0 "whole" validate --full
used=$(du -sk repo | cut -f 1)
bale_is 0 "vacuum" vacuum --json
live=$(field .live_bytes)
ok "what is stored is little more than what is alive ($used KiB, $live)" \
	test "$used" -lt $((live / 1024 * 13 / 10))
is "$(find repo/tombstones -size +8k | wc -l)" 0 "tombstones stay small"
ok "tombstones do not gather" test "$(ls repo/tombstones | wc -l)" -le 5
ok "nor deltas" test "$(ls repo/index | wc -l)" -le 30
ok "nor files of bands ($(ls repo/bands | wc -l))" test "$(ls repo/bands | wc -l)" -le 150

# What the last night has pruned can be brought back until the next one.
bale_is 0 "removed ones" list --removed --json
gone=$(jq -r 'select(.type == "snapshot") | .snapshot' "$T/out" | sort | tail -n 1)
BALE_TEST_AHEAD=$((70 * 86400 + 36000)) LD_PRELOAD="$T/clock.so" \
	"$BALE" undelete -q "$gone" 2>"$T/err"
is $? 0 "undelete: $(cat "$T/err")"
bale_is 0 "its list" list --json
is "$(grep -c '"type":"snapshot"' "$T/out")" $((kept + 1)) "has one more"
night 71
is $? 0 "the next night"

# The recipes of the page are understood.
grep -o '`--keep[^`]*`' "$TOP/docs/vacuum.md" | tr -d '\140' >recipes
ok "there are recipes" test "$(wc -l <recipes)" -ge 5
while read -r rules; do
	# shellcheck disable=SC2086
	"$BALE" prune -n -q $rules >"$T/ok.log" 2>&1
	echo $?
done <recipes | sort -u >statuses
is "$(cat statuses)" 0 "and each is understood"

# What it says of trouble.
mkdir gone && rmdir gone
BALE_REPO="$T/nowhere" night 71
is $? 10 "no repository"
mv repo away
night 71
is $? 14 "not mounted"
ok "says so" grep -q mounted "$T/err"
mv away repo
"$TOP/docs/examples/bale-nightly" >"$T/out" 2>&1
is $? 2 "without a path"
BALE_TEST_AHEAD=$((72 * 86400)) LD_PRELOAD="$T/clock.so" \
	"$TOP/docs/examples/bale-nightly" "$T/src" "$T/missing" >"$T/out" 2>"$T/err"
is $? 3 "a source that is not there"
is "$("$BALE" list --json | jq -r 'select(.type == "snapshot") | .snapshot' | wc -l)" "$kept" \
	"but the rest is done"

# Where something tells when all is uploaded, backup and vacuum wait for it.
BALE_SETTLE='echo "$BALE_REPO" >>"$HOME/settled"' night 73
is $? 0 "a night that settles"
is "$(sort -u settled)" "$T/repo" "by the command, in words of its own"
BALE_SETTLE='echo >>"$HOME/runs"' BALE_VACUUM_HOURS=0 night 74
is "$(wc -l <runs)" 3 "three times for the backup"
ok "and for the vacuum too" test "$(wc -l <settled)" -gt 3
BALE_SETTLE=false night 75
is $? 1 "a command that fails"
ok "is named" grep -q 'the command of --settle failed' "$T/err"

finish
