#!/bin/sh
# Restoring: trees, paths, single files, and what damage leaves.
. "$(dirname "$0")/lib.sh"

make_tree src
src=$T/src
export BALE_REPO="$T/repo"
echo secret >pass && chmod 600 pass
export BALE_PASSPHRASE_FILE="$T/pass"
"$BALE" init -q && "$BALE" backup src --set home -q || exit 1
cp -a src before
echo changed >src/small && rm -r src/sub-x
"$BALE" backup src --set home -q || exit 1

bale_is 0 "a folder is restored" restore "latest:$src" --to back --json
same_tree src back "as it is"
is "$(field .files)" "$(count src -type f)" "its files are counted"
is "$(field '[.damaged, .attributes] | tostring')" "[0,0]" "and nothing is lacking"
bale_is 0 "as it was" restore "home~1:$src" --to back1
same_tree before back1 "with all that was there"
bale_is 0 "the whole snapshot" restore latest --to all
same_tree src "all$src" "has it at its path"
ok "and the times of the folder" test "all$src" -ot "$BALE" -o ! "all$src" -nt "$src"
bale_is 0 "one file" restore "latest:$src/sub/large" --to one
ok "what was done is told" \
	grep -q '^ done     1 file with 1\.2 MiB, 0 folders$' "$T/out"
ok "keeps its name" cmp one/large src/sub/large
bale_is 0 "a link" restore "latest:$src/link" --to onelink
is "$(readlink onelink/link)" small "too"
bale_is 0 "without threads and cache" restore "latest:$src" --to serial -j 0 --no-cache
same_tree src serial "is the same"

bale_is 1 "a target that is not empty" restore latest --to back
says "back is not empty; nothing was restored" "is named"
bale_is 1 "a target that is a file" restore latest --to pass
says "pass is no folder" "is named"
bale_is 1 "a target in a folder that is not there" restore latest --to not/there
says "make the folder not/there" "is named"
bale_is 2 "an empty target" restore latest --to ''
bale_is 1 "a path that is not there" restore latest:/no/such --to no
ok "leaves no target behind" test ! -e no/such
bale_is 1 "a snapshot that is not there" restore home~7 --to no2

bale_is 1 "a name as it was shown" cat "latest:$src/odd%0Aname%25%FF"
says "taken as they are" "is told from the name itself"
bale_is 2 "cat of a snapshot" cat latest
says "SNAP:PATH" "shows how"
bale_is 0 "cat" cat "latest:$src/sub/deep/random"
ok "writes the content" cmp "$T/out" src/sub/deep/random
bale_is 0 "cat of an earlier one" cat "home~1:$src/small"
is "$(cat "$T/out")" hello "writes what it was"
bale_is 1 "cat of a file that is not there" cat "latest:$src/none"
ok "cat of a folder fails" sh -c "! '$BALE' cat 'latest:$src'"
"$BALE" cat "latest:$src/sub/large" 2>"$T/err" | head -n 1 >/dev/null
ok "a reader that goes away is no story" test ! -s "$T/err"

# Damage in the largest bundle of data.
bundle=$(find repo/data -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
cp "$bundle" whole
flip "$bundle" 100000
bale_is 4 "with damage" restore "home~1:$src" --to hurt --no-cache --json
ok "something is damaged" test "$(field .damaged)" -gt 0
ok "and named" sh -c "jq -r .path '$T/err' | grep -q '^$src/'"
ok "the rest is restored" test "$(count hurt -type f)" -gt 300
cp whole "$bundle"
bale_is 0 "and all of it where the damage is gone" restore "home~1:$src" --to healed
same_tree before healed "once more"

if [ "$(id -u)" = 0 ]; then
	mkdir open && chmod 777 open && chmod 755 "$T" && chmod -R a+rX repo
	cp pass open/pass && chown 65534 open/pass
	cp "$BALE" open/bale # where it was built may be closed to others
	setpriv --reuid 65534 --regid 65534 --clear-groups env BALE_CACHE_DIR="$T/open/cache" \
		BALE_PASSPHRASE_FILE="$T/open/pass" "$T/open/bale" restore "latest:$src" \
		--to open/back --json >"$T/out" 2>"$T/err"
	is $? 3 "attributes that cannot be restored"
	ok "are counted" test "$(field .attributes)" -gt 0
	ok "and named" grep -q '"kind":"attribute"' "$T/err"
	ok "the content is there" cmp open/back/sub/large src/sub/large
else
	skip "not root"
fi

finish
