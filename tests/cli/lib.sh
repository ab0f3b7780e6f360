# What the tests of the command line share: a scratch folder, TAP, sources to back up.
# Run from the top of the tree by prove; BALE is the program. With BALE_TEST_ON=dumbfs the
# repositories are on dumbfs, which has to have counted no breach of the contract at the
# end.

BALE=${BALE:-$PWD/build/plain/bale}
TOP=$PWD
T=$(mktemp -d "${TMPDIR:-/tmp}/bale-cli.XXXXXX") || exit 1
cleanup() { :; }
dumbfs_end() { :; }
trap 'cleanup; dumbfs_end; rm -rf "$T"' EXIT

unset BALE_REPO BALE_PASSPHRASE BALE_PASSPHRASE_FILE BALE_PASSPHRASE_COMMAND BALE_KEY_FILE
export BALE_CACHE_DIR="$T/cache" HOME="$T" TZ=UTC LC_ALL=C
umask 022
cd "$T" || exit 1
[ "${BALE_TEST_ON:-}" != dumbfs ] || . "$TOP/tests/cli/on-dumbfs.sh"

tests=0
failed=0

# ok DESCRIPTION COMMAND...: the command succeeds
ok() {
	what=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$T/ok.log" 2>&1; then
		echo "ok $tests - $what"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $what"
		echo "# failed: $*"
		sed 's/^/# /' "$T/ok.log"
	fi
}

# is GOT WANT DESCRIPTION
is() {
	tests=$((tests + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $tests - $3"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $3"
		printf 'got:  %s\nwant: %s\n' "$1" "$2" | sed 's/^/# /'
	fi
}

# bale_is STATUS DESCRIPTION ARGUMENTS...: what it says is left in $T/out and $T/err
bale_is() {
	want=$1
	what=$2
	shift 2
	"$BALE" "$@" >"$T/out" 2>"$T/err"
	got=$?
	tests=$((tests + 1))
	if [ $got -eq "$want" ]; then
		echo "ok $tests - $what"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $what"
		echo "# status $got instead of $want: bale $*"
		tail -n 5 "$T/out" "$T/err" | sed 's/^/# /'
	fi
}

# says TEXT DESCRIPTION: the last bale_is said so on standard error
says() {
	ok "$2" grep -q -e "$1" "$T/err"
}

# field FILTER: of the summary of the last bale_is with --json
field() {
	tail -n 1 "$T/out" | jq -r "$1"
}

skip() {
	tests=$((tests + 1))
	echo "ok $tests # skip $1"
}

finish() {
	[ "${BALE_TEST_ON:-}" != dumbfs ] ||
		is "$(sed -n '/^!/p; 1p' "$D/mnt/.dumbfs")" "violations 0" "the contract was kept"
	echo "1..$tests"
	[ $failed -eq 0 ]
}

# make_tree FOLDER: something of everything
make_tree() {
	mkdir -p "$1/sub/deep" "$1/empty" "$1/sub-x"
	echo hello >"$1/small"
	: >"$1/nothing"
	seq 1 200000 >"$1/sub/large"
	head -c 3000000 /dev/urandom >"$1/sub/deep/random"
	i=0
	while [ $i -lt 300 ]; do
		echo "file number $i" >"$1/sub-x/f$i"
		i=$((i + 1))
	done
	ln -s small "$1/link"
	ln -s nowhere "$1/dangling"
	ln "$1/small" "$1/sub/hard"
	mkfifo "$1/fifo"
	ln "$1/fifo" "$1/sub/fifo"
	ln "$1/link" "$1/sub-x/link"
	printf 'odd' >"$1/odd
name%$(printf '\377')"
	truncate -s 1M "$1/sparse"
	echo end >>"$1/sparse"
	chmod 640 "$1/small"
	chmod 4755 "$1/sub/large"
	chmod 500 "$1/empty"
	touch -d '2001-02-03 04:05:06.789012345' "$1/sub/large" "$1/sub"
	touch -h -d '2002-02-03 04:05:06.5' "$1/link"
}

# count FIND-ARGUMENTS: how many there are, whatever their names
count() {
	find "$@" -printf x | wc -c
}

# What a tree is, but for its root's own facts and the sizes of folders.
tree_facts() {
	(cd "$1" && find . -mindepth 1 \( -type d -printf '%P %y %m %U %G %T@\n' -o \
		-printf '%P %y %m %U %G %T@ %s %n %l\n' \) | sort)
	(cd "$1" && find . -type f -exec sha256sum {} + | sort)
}

# same_tree A B DESCRIPTION
same_tree() {
	tree_facts "$1" >"$T/facts.a"
	tree_facts "$2" >"$T/facts.b"
	ok "$3" diff "$T/facts.a" "$T/facts.b"
}

# flip FILE OFFSET: change one byte
flip() {
	b=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf "$(printf '\\%03o' $((b ^ 255)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
