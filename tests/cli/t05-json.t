#!/bin/sh
# Every command with --json: lines, the summary, and the members that the manual page tells.
. "$(dirname "$0")/lib.sh"

# "COMMAND TYPE MEMBER" of what the page tells; of tag, pin and unpin three times.
sed -n '/^\.Sh JSON/,/^\.Sh SIGNALS/p' "$TOP/docs/bale.1" | awk '
	/^\.It / {
		sub(/^\.It /, "")
		type = $NF
		sub(/: Qq .*/, "")
		n = split(/^every command/ ? "every" : $0, commands, ", ")
	}
	/^\.Va / {
		sub(/^\.Va /, "")
		m = split($0, words, " ")
		for (i = 1; i <= m; i++)
			for (j = 1; words[i] ~ /^[a-z_]+$/ && j <= n; j++) {
				c = commands[j]
				gsub(" ", "-", c)
				print c, type, words[i]
			}
	}' | sort -u >manual
ok "the manual page tells of members" test "$(wc -l <manual)" -gt 100

# said STATUS COMMAND ARGUMENTS...: checks its lines, and notes their members
said() {
	status=$1
	shift
	bale_is "$status" "$*" "$@" --json
	case $1 in
	client | key) command=$1-$2 ;;
	*) command=$1 ;;
	esac
	cat "$T/out" "$T/err" | jq -r --arg command "$command" '
		.type as $type | (., .storage?, .thresholds[0]?) | objects | keys[]
		| select(. != "type") | "\($command) \($type) \(.)"' >>said ||
		ok "$* writes JSON" false
	is "$(cat "$T/out" "$T/err" | jq -r '.type | type' | sort -u)" string "in lines with a type"
	is "$(cat "$T/out" "$T/err" | wc -l)" "$(cat "$T/out" "$T/err" | jq -s length)" \
		"an object a line"
	[ ! -s "$T/out" ] || is "$(jq -r .type "$T/out" | grep -n summary)" \
		"$(wc -l <"$T/out"):summary" "the last one is the summary, and no other"
}

export BALE_REPO="$T/repo" BALE_KEY_FILE="$T/key"
mkdir src gone
head -c 300000 /dev/urandom >src/random
echo small >src/small
ln src/small src/hard
ln -s small src/link
mkfifo src/fifo
[ "$(id -u)" != 0 ] || mknod src/null c 1 3
echo x >gone/file

said 0 init --key-file key
said 0 backup src gone --tag one
rm -r gone
said 3 backup src gone
said 0 list
said 0 ls -R latest
said 0 restore "latest:$T/src" --to back
is "$(field '[.files, .dirs, .others] | tostring')" \
	"[$(count src -type f),1,$(count src ! -type f ! -type d)]" "counts what it has restored"
said 1 ls nosuch
said 0 validate
said 0 prune --keep-last 1 -n
said 0 tag latest two
said 0 pin latest
said 0 unpin latest
name=$("$BALE" list --json | jq -r 'select(.type == "snapshot") | .snapshot' | head -n 1)
said 0 remove "$name"
said 0 list --removed
said 0 undelete "$name"
said 0 prune --keep-last 1
is "$(jq -s '[.[] | select(.keep) ] | length' "$T/out")" "$(field .kept)" "it counts what is kept"
said 0 vacuum
is "$(field '.live_bytes + .dead_bytes + .condemned_bytes + .unknown_bytes - .total_bytes')" 0 \
	"the four are the total"
said 0 vacuum --run
BALE_CACHE_DIR="$T/other" "$BALE" backup -q --set other src
said 0 client list
is "$(field .clients)" 2 "there are two clients"
said 0 client retire "$(jq -r 'select(.self == false) | .client' "$T/out")"
said 0 doctor
said 0 key add --new-key-file key2 --label second
echo damaged >"repo/keys/$(field .key)"
said 0 key list
said 0 version
flip "$(find repo/data -type f -size +100k)" 100000
said 4 validate --full
said 4 restore "latest:$T/src" --to hurt --no-cache
is "$(jq -s 'map(select(.kind == "damaged")) | length' "$T/err")" "$(field .damaged)" \
	"and what is damaged is named"

# What stands in every line of a type is told once.
grep '^every' manual | sed 's/^every //' | sort >every
awk 'NR == FNR { every[$0]; next } !($2 " " $3 in every)' every said | sort -u >special
grep -v '^every' manual >told
ok "what is said is told" sh -c "comm -23 special told | sed 's/^/not told: /' | tee untold
	! test -s untold"
# A probe's message is that of a failure; only root makes devices.
comm -13 special told | grep -v -e '^doctor probe message$' -e '^ls entry m[ai][jn]or$' >unsaid
is "$(cat unsaid)" "" "and what is told is said"
grep -v '^progress ' every >every.now # t50-errors.t asks for it
is "$(awk '{ print $2, $3 }' said | sort -u | comm -13 - every.now)" "" "also of every command"

finish
