#!/bin/sh
# Usage, help, the manual page, and the first commands of the README.
. "$(dirname "$0")/lib.sh"

bale_is 2 "no command is a usage error"
says "usage: bale" "and shows the usage"
bale_is 2 "an unknown command" frobnicate
says "no command frobnicate" "is named"
bale_is 2 "an option before the command" -r x list
says "options follow the command" "is explained"
bale_is 2 "an unknown option" list -r x --frob
says "unknown option --frob" "is named"
bale_is 2 "a missing value" list --repo
bale_is 2 "a missing argument" cat -r x
bale_is 2 "an argument too many" list -r x y
says "too many: y" "is named"
says "usage: bale list \[OPTIONS\]" "with what there is"
bale_is 2 "a target without --to" restore -r x latest y
says "SNAP\[:PATH\] --to DIR" "shows how"
bale_is 2 "a shortened option that may be several" prune -r x --keep 3
says "keep may be --keep-last or 12 others" "tells so"
bale_is 2 "no repository named" list
says "BALE_REPO" "tells how to name one"
bale_is 2 "a number out of bounds" backup -r x -j 5000 /tmp
bale_is 2 "a level out of bounds" backup -r x --level 23 /tmp
bale_is 2 "a checkpoint that is neither size nor time" backup -r x --checkpoint 5q /tmp
bale_is 2 "a set with a tilde" backup -r x --set a~1 /tmp
bale_is 2 "a set called latest" backup -r x --set latest /tmp
bale_is 2 "restore without a target" restore -r x latest
bale_is 2 "two levels of validation" validate -r x --quick --full
bale_is 2 "key with an unknown verb" key -r x frob
says "add and list" "tells which there are"
bale_is 2 "key remove" key -r x remove y
says "key remove: only" "is none of them"
bale_is 2 "key list of one" key -r x list y
bale_is 2 "key list with what key add takes" key -r x list --new-key-file y
says "new-key-file is for key add" "tells so"
bale_is 2 "client with an unknown verb" client -r x frob
bale_is 2 "client list of one" client -r x list 0123456789abcdef
says "too many: 0123456789abcdef" "is named"
bale_is 2 "client retire of nobody" client -r x retire
says "client list" "tells where to look"

bale_is 2 "errors in JSON" list -r x --frob --json
is "$(jq -r '.type + " " + .kind + " " + (.status | tostring)' "$T/err")" "error usage 2" \
	"are one object"

bale_is 0 "help" help
ok "lists the commands" grep -q "backup" "$T/out"
bale_is 0 "--help" --help
bale_is 0 "version" version
ok "tells the format" grep -q "^bale [0-9.]*, format 1" "$T/out"
bale_is 0 "--version" --version
bale_is 0 "version in JSON" version --json
is "$(field .type)" summary "ends with a summary"
bale_is 2 "help for an unknown command" help frobnicate
bale_is 0 "all help" help --all
is "$(awk 'length > 80' "$T/out")" "" "fits a terminal"
for c in init backup list ls cat restore validate prune remove undelete tag pin unpin vacuum \
	client doctor key help version; do
	bale_is 0 "help $c" help $c
	mv "$T/out" "$T/help"
	bale_is 0 "$c --help" $c --help
	ok "is the same" cmp "$T/help" "$T/out"
done

"$BALE" help >/dev/full 2>"$T/err"
is $? 1 "standard output that cannot be written is a failure"
says "standard output" "that is named"

# The manual page tells of each option what the table says, and of no other.
"$BALE" help --all | awk '
	/^usage: bale / { where = $3; next }
	/^options:/ { section = where; next }
	/^[a-z ]*:$/ { section = "shared"; next }
	/^  / {
		sub(/^ */, "")
		split($0, w, /  +/)
		print section, w[1]
	}' | sort -u >"$T/table"
awk '
	/^\.Sh COMMANDS/ { commands = 1; next }
	/^\.Sh OPTIONS/ { commands = 0; shared = 1; next }
	/^\.Sh / { commands = 0; shared = 0 }
	commands && /^\.Ss / { where = $2 }
	shared { where = "shared" }
	(commands || shared) && /^\.It Fl / {
		line = $0
		sub(/^\.It /, "", line)
		gsub(/Fl /, "-", line)
		gsub(/ , /, ", ", line)
		gsub(/Ar /, "", line)
		print where, line
	}' "$TOP/docs/bale.1" | sort -u >"$T/manual"
ok "the manual page has the options of the table" diff "$T/table" "$T/manual"
ok "and they are not none" test "$(wc -l <"$T/table")" -gt 20
"$BALE" help --all | sed -n 's/^usage: bale \([a-z]*\).*/\1/p' >"$T/table"
awk '/^\.Sh COMMANDS/ { c = 1; next } /^\.Sh / { c = 0 } c && /^\.Ss / { print $2 }' \
	"$TOP/docs/bale.1" >"$T/manual"
ok "and the commands, in the same order" diff "$T/table" "$T/manual"

if command -v mandoc >/dev/null; then
	ok "mandoc finds nothing to say" \
		sh -c "! mandoc -Tlint -W warning '$TOP/docs/bale.1' | grep ."
else
	skip "no mandoc"
fi

# --- what the README shows first, with folders of our own
mkdir -p cloud home/ana/letters bin
ln -s "$BALE" bin/bale
make_tree home/ana/letters
sed '1,/^```/d; /^```/,$d; s/^\$ //' "$TOP/README.md" |
	sed "s|/mnt/cloud|$T/cloud|; s|/home/ana|$T/home/ana|; s|/tmp/letters|$T/letters|" >readme
is "$(wc -l <readme)" 6 "the README begins with six commands"
ok "which work" env PATH="$T/bin:$PATH" BALE_PASSPHRASE=x sh -ex readme
same_tree home/ana/letters letters "and bring back the letters"

# --- what looks like a folder and is none, or is one that cannot be meant
for address in sftp:user@host:/repo rclone:remote:repo host:repo; do
	bale_is 2 "init refuses $address" init -r "$address" --unencrypted
	says "looks like an address" "and tells why"
	bale_is 10 "where nothing is found" list -r "$address"
	says "mount the storage" "what to do is told"
done
is "$(ls -d ./*:* 2>/dev/null)" "" "nothing is made"
bale_is 0 "a folder's name may look so" init -r ./host:repo --unencrypted
export BALE_REPO="$T/repo"
"$BALE" init -q --unencrypted || exit 1
bale_is 2 "the repository" backup --set own repo
says "repo: is the repository" "is told"
bale_is 0 "what is in it" backup --set own repo/bands home --json
is "$(jq -r 'select(.kind == "note") | .path' "$T/err")" repo/bands "is left out, and told"
bale_is 2 "a target in the repository" restore latest --to repo/back
says "in the repository" "is told"
ok "and not made" test ! -e repo/back

finish
