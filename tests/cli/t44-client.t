#!/bin/sh
# Clients: who there are, whom deletion waits for in strict mode, and retiring one.
. "$(dirname "$0")/lib.sh"

export BALE_REPO="$T/repo"
"$BALE" init --unencrypted -q || exit 1
mkdir src
head -c 300000 /dev/urandom >src/file

# as CLIENT ARGUMENTS...: it is a cache folder
as() {
	who=$1
	shift
	BALE_CACHE_DIR="$T/cache.$who" "$BALE" "$@"
}

# of CLIENT FILTER: what the list tells of it
of() {
	jq -r "select(.type == \"client\" and .client == \"$1\") | $2" "$T/out"
}

bale_is 0 "of a new repository" client list --json
is "$(field .clients)" 1 "there is who has made it"
me=$(jq -r 'select(.type == "client") | .client' "$T/out")
is "$(of "$me" '[.self, .bands, .first, .registered] | tostring')" "[true,0,null,false]" \
	"with nothing done yet"
"$BALE" backup -q --set home src
as laptop backup -q --set laptop src
bale_is 0 "after two backups" client list --json
is "$(field .clients)" 2 "there are two"
is "$(of "$me" '[.self, .bands, .host] | tostring')" "[true,1,\"$(uname -n)\"]" "this one"
laptop=$(jq -r 'select(.self == false) | .client' "$T/out")
is "$(of "$laptop" '[.bands, .registered, .retired, .first == .last] | tostring')" \
	"[1,false,false,true]" "and another"
ok "which began when its snapshot did" test "$(of "$laptop" .first)" = \
	"$("$BALE" list --json | jq -r 'select(.set == "laptop") | .start')"
bale_is 0 "in words" client list
ok "names both" test "$(grep -c -e "$me" -e "$laptop" "$T/out")" -eq 2
is "$(grep -bo 'first run' "$T/out" | cut -d : -f 1)" \
	"$(sed -n 2p "$T/out" | grep -bo '20[0-9][0-9]-' | head -n 1 | cut -d : -f 1)" "in columns"
ok "marks this one" grep -q "^$me .* this one$" "$T/out"
bale_is 0 "without a cache" client list --no-cache --json
is "$(jq -r 'select(.self) | .client' "$T/out")" "" "none of them is this one"

# A third comes over a mount that uploads later: from here on it is strict.
bale_is 0 "vacuum before that" vacuum --json
is "$(field .strict)" false "is not strict"
bale_is 0 "unless it is told to be" vacuum --strict --json
is "$(field .strict)" true "so it is"
as late backup -q --set late --mount-class write-back src
bale_is 0 "vacuum after it" vacuum --json
is "$(field .strict)" true "is strict"
bale_is 0 "the list" client list --json
is "$(jq -r 'select(.registered) | .leave' "$T/out")" false "has one that is registered, without leave"
late=$(jq -r 'select(.registered) | .client' "$T/out")
"$BALE" backup -q --set home src
as late backup -q --set late --mount-class write-back src
bale_is 0 "when the first has seen it" client list --json
is "$(of "$late" '[.leave, .bands] | tostring')" "[true,2]" "it has leave"

# Retiring.
bale_is 1 "retire nobody that is known" client retire 0123456789abcdef
bale_is 1 "or by too little" client retire "$(echo "$late" | cut -c 1-3)"
bale_is 1 "or oneself" client retire "$me"
says "this client" "why is told"
ls repo/clients >before
"$BALE" client retire "$me" 2>"$T/err"
is "$(ls repo/clients)" "$(cat before)" "nothing is written"
bale_is 0 "another one" client retire "$(echo "$late" | cut -c 1-8)" --json
is "$(field '[.client, .written] | tostring')" "[\"$late\",true]" "by the beginning of its id"
bale_is 0 "again" client retire "$late" --json
is "$(field .written)" false "is not written"
bale_is 0 "the list" client list
ok "tells so" grep -q "^$late .* retired$" "$T/out"
BALE_CACHE_DIR="$T/cache.late" bale_is 1 "when it comes back" \
	backup --set late --mount-class write-back src
says "$late, was retired" "it is told"
BALE_CACHE_DIR="$T/cache.late" bale_is 0 "and is another one" \
	backup --set late --mount-class write-back src --json
ok "which its snapshot tells" test "$(field .snapshot | cut -d - -f 2)" != "$late"
bale_is 0 "the list" client list --json
is "$(field .clients)" 4 "has one more"
is "$(of "$late" '[.registered, .retired] | tostring')" "[false,true]" "beside the retired one"
is "$(find repo/bands -name "*-$late-*-fence-*" | wc -l)" 1 "whose last run nobody need wait for"
bale_is 0 "whole" validate --full

# Strict because somebody wants it so.
export BALE_REPO="$T/repo2"
"$BALE" init --unencrypted -q || exit 1
"$BALE" backup -q --set home src
as laptop backup -q --set laptop src
bale_is 0 "vacuum --strict" vacuum --strict --run --json
is "$(field .strict)" true "is"
bale_is 0 "the next one" vacuum --json
is "$(field .strict)" true "is too"
bale_is 0 "the list" client list --json
is "$(jq -r 'select(.self) | .registered' "$T/out")" true "this one is registered"
BALE_CACHE_DIR="$T/cache.laptop" bale_is 0 "another one has leave: that vacuum has seen it" \
	vacuum --run
as stranger backup -q --set stranger src
BALE_CACHE_DIR="$T/cache.stranger" bale_is 1 "a new one has none" vacuum --run
says "not known to the others" "which is told"
bale_is 0 "whole" validate --full

# Of a client whose newest run is damaged.
"$BALE" backup -q --set home src
newest=$(find repo2/bands -name '*-tail-*' | sort | tail -n 1)
chmod u+w "$newest"
echo x >"$newest"
bale_is 4 "a list where one run cannot be read" client list --no-cache --json
is "$(field .unreadable)" 1 "says so"
says "$(basename "$newest" | cut -d - -f 1)" "and which"

finish
