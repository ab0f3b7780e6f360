# Mounts of dumbfs, for tests of what goes wrong: sourced after lib.sh. All of them show
# back.fs.

dumbfs=${DUMBFS:-$(dirname "$BALE")/dumbfs}
if [ ! -c /dev/fuse ] || [ ! -x "$dumbfs" ]; then
	echo "SKIPPED: dumbfs needs /dev/fuse and to be built (make dumbfs)" >&2
	skip "no /dev/fuse, or dumbfs is not built"
	finish
	exit
fi

mkdir -p back.fs
mnt=$T/mnt # that tell and told speak of
mounted=
cleanup() {
	for m in $mounted; do
		fusermount3 -uz "$m" 2>/dev/null
	done
}
# dumb NAME TYPE COMMANDS [OPTION]: a mount of back.fs. Without kernel caches: dumbfs has its own.
dumb() {
	mkdir -p "$T/$1"
	"$dumbfs" -o "subtype=$2,entry_timeout=0,attr_timeout=0${4:+,$4}" -o control="$3" \
		back.fs "$T/$1" || exit 1
	mounted="$mounted $T/$1"
}
gone() { # NAME
	is "$(sed -n '/^!/p; 1p' "$T/$1/.dumbfs")" "violations 0" "$1: the contract was kept"
	fusermount3 -u "$T/$1" || exit 1
}
tell() { # COMMAND...: one a line
	printf '%s\n' "$@" >"$mnt/.dumbfs" || exit 1
}
told() { # NAME
	sed -n "s/^$1 //p" "$mnt/.dumbfs"
}
wait_for() { # COMMAND...: for twenty seconds
	n=0
	until "$@" >"$T/ok.log" 2>&1; do
		n=$((n + 1))
		[ $n -lt 400 ] || return 1
		sleep 0.05
	done
}
# make_source: src, some large files and some small ones
make_source() {
	mkdir -p src/sub
	for i in 1 2 3 4 5 6; do head -c 2000000 /dev/urandom >"src/f$i"; done
	for i in 1 2 3 4 5 6 7 8 9; do echo "small $i" >"src/sub/s$i"; done
}
# retries PATTERN: how often the last bale_is has repeated files like it
retries() {
	jq -r 'select(.kind == "retry") | .path' "$T/err" | grep -c "$1"
}
back_is() { # DESCRIPTION [OPTIONS]: the newest snapshot restores to what src is
	is_what=$1
	shift
	rm -rf back
	bale_is 0 "restore" restore "latest:$T/src" --to back "$@"
	ok "$is_what" diff -r src back
}
