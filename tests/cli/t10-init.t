#!/bin/sh
# Making repositories, and their secrets.
. "$(dirname "$0")/lib.sh"

bale_is 0 "an unencrypted repository" init -r plain --unencrypted --json
is "$(field .encrypted)" false "says so"
is "$(field .storage.put)" 2 "costs two files"
ok "has a head" test -s plain/bale.json
ok "explains itself" test -s plain/README.txt
bale_is 1 "init refuses a repository" init -r plain --unencrypted
says "already" "and says why"
mkdir full && touch full/file
bale_is 1 "init refuses a folder with files" init -r full --unencrypted
says "file" "and names one"
bale_is 2 "init refuses a secret for an unencrypted one" init -r x --unencrypted --key-file k
ok "and leaves nothing" test ! -e x -a ! -e k
bale_is 0 "an unencrypted one has no keys" key list -r plain
export BALE_PASSPHRASE=secret
bale_is 12 "a secret given for an unencrypted one stops a backup" backup -r plain "$TOP/tests/cli"
says "not encrypted" "with the reason"
unset BALE_PASSPHRASE
bale_is 2 "and gets none" key add -r plain --new-key-file k

echo secret >pass && chmod 600 pass
bale_is 0 "a passphrase from a file" init -r crypt --passphrase-file pass --label first
for how in "BALE_PASSPHRASE=secret" "BALE_PASSPHRASE_FILE=pass" \
	"BALE_PASSPHRASE_COMMAND=echo secret"; do
	env "$how" "$BALE" key list -r crypt >"$T/out" 2>"$T/err"
	is $? 0 "opens with $how"
done
ok "keys are listed below a heading" sh -c "head -n 1 '$T/out' | grep -q '^key  *kind  *made  *label$'"
ok "the key has its label" grep -q "passphrase.*first" "$T/out"
BALE_PASSPHRASE=wrong "$BALE" key list -r crypt --json >"$T/out" 2>"$T/err"
is $? 12 "a wrong passphrase"
is "$(jq -r .kind "$T/err")" wrong-passphrase "is told by its kind"
BALE_PASSPHRASE='' "$BALE" key list -r crypt >"$T/out" 2>"$T/err"
is $? 2 "an empty passphrase"
for name in BALE_KEY_FILE BALE_PASSPHRASE_FILE BALE_PASSPHRASE_COMMAND; do
	env "$name=" "$BALE" key list -r crypt >"$T/out" 2>"$T/err"
	is $? 2 "an empty $name"
	says "$name is empty" "is named"
done
bale_is 2 "an empty --key-file" key list -r crypt --key-file ''
BALE_PASSPHRASE_COMMAND='exit 7' "$BALE" key list -r crypt >"$T/out" 2>"$T/err"
is $? 12 "a command that fails"
says "exit status 7" "with its status"
printf 'two\nlines\n' >two && chmod 600 two
bale_is 2 "a passphrase of two lines" key list -r crypt --passphrase-file two
chmod 640 pass
bale_is 1 "a secret that others can read is refused" key list -r crypt --passphrase-file pass
says "0640.*chmod 600 pass$" "with its mode, and what to do"
bale_is 1 "a device is no better" key list -r crypt --passphrase-file /dev/null
ok "but is left as it is" sh -c "! grep chmod '$T/err'"
chmod 600 pass

bale_is 0 "a key file is added and made" key add -r crypt --passphrase-file pass \
	--new-key-file key --label second --json
is "$(stat -c %a key)" 600 "for its owner only"
bale_is 0 "it opens" key list -r crypt --key-file key --json
is "$(jq -r 'select(.type == "key") | .kind' "$T/out" | sort | tr '\n' ' ')" \
	"key-file passphrase " "there are two keys"
is "$(field .keys)" 2 "and counted"
chmod 644 key
bale_is 1 "a key file that others can read is refused" key list -r crypt --key-file key
chmod 600 key
bale_is 2 "two secrets are one too many" key list -r crypt --key-file key --passphrase-file pass
bale_is 12 "a file that is no key file" key list -r crypt --key-file pass
echo another >pass2 && chmod 600 pass2
bale_is 0 "a second passphrase" key add -r crypt --key-file key --new-passphrase-file pass2
bale_is 0 "opens" key list -r crypt --passphrase-file pass2
bale_is 0 "and the first still does" key list -r crypt --passphrase-file pass

bale_is 0 "init makes a key file" init -r bykey --key-file newkey
is "$(stat -c %a newkey)" 600 "for its owner only"
bale_is 0 "that opens" key list -r bykey --key-file newkey
bale_is 12 "and another does not" key list -r bykey --key-file key
cp newkey before
bale_is 0 "init takes a key file that is there" init -r bykey2 --key-file newkey
ok "as it is" cmp newkey before

if command -v python3 >/dev/null; then
	tty="python3 $TOP/tests/cli/terminal.py"
	$tty "pw one,pw one" "$BALE" init -r asked >"$T/out" 2>&1
	is $? 0 "the terminal is asked twice"
	ok "and shows no passphrase" sh -c "! grep -q 'pw one' '$T/out'"
	$tty "" "$BALE" init -r asked >"$T/out" 2>&1
	is $? 1 "not again, where one is already"
	ok "nor is anything asked" sh -c "! grep -q passphrase: '$T/out'"
	$tty "pw one" "$BALE" key list -r asked >"$T/out" 2>&1
	is $? 0 "and once to open"
	$tty "pw two" "$BALE" key list -r asked >"$T/out" 2>&1
	is $? 12 "a wrong answer"
	$tty "a,b" "$BALE" init -r differ >"$T/out" 2>&1
	is $? 2 "two that differ"
	ok "make nothing" test ! -e differ
	$tty "^C" "$BALE" key list -r asked >"$T/out" 2>&1
	is $? 130 "control-C at the prompt"
else
	skip "no python3 for a terminal"
fi
setsid -w "$BALE" key list -r crypt >"$T/out" 2>"$T/err" </dev/null
is $? 12 "no secret and no terminal"
says "BALE_PASSPHRASE_FILE" "tells what to do"
setsid -w "$BALE" key add -r crypt --passphrase-file pass >"$T/out" 2>"$T/err" </dev/null
is $? 12 "no new secret and no terminal"
says "with --new-passphrase-file or --new-key-file$" "tells what to do"

finish
