#!/bin/sh
# System calls and allocations that fail, in every command (tests/inject/inject.c): the nth of
# its kind, once or from then on, by each error that is plausible; and short reads and writes.
# Whatever happens: no signal, no hang, an error that is told, a repository that is valid, a
# source that is untouched, and no success that is none.
#
# Of each command and call one point; with BALE_SEED another one. With BALE_TORTURE=N each Nth
# of all there are, by tests/inject/points.c: what comes of them is judged once where it is
# the same. BALE_COMMANDS: only these.
. "$(dirname "$0")/lib.sh"

INJECT=${INJECT:-$(dirname "$BALE")/inject.so}
[ -e "$INJECT" ] || { echo "1..0 # SKIP no $INJECT"; exit 0; }
POINTS=$(dirname "$BALE")/points

# --- the world: what a point begins with lies in saved/, and is copied to w/

W=$T/w
export BALE_CACHE_DIR="$W/cache"

facts() {
	tree_facts "$1"
	(cd "$1" && find . ! -type l -print0 | sort -z | xargs -0 getfattr -hd -m '^user' 2>&1)
}

mkdir -p src/sub/deep src/empty w/into
head -c 200000 /dev/urandom >src/sub/large
seq 1 3000 >src/sub/numbers
echo small >src/small
for i in 1 2 3 4 5 6 7 8; do echo "file $i" >"src/sub/deep/f$i"; done
ln -s small src/link
ln src/small src/sub/hard
mkfifo src/fifo
truncate -s 100000 src/sparse && echo end >>src/sparse
setfattr -n user.test -v value src/sub/numbers 2>/dev/null
chmod 750 src/sub/deep
chmod 640 src/sub/numbers
touch -d '2001-02-03 04:05:06.789012345' src/sub/numbers src/sub

# well ARGUMENTS: bale says yes; quiet ARGUMENTS: else nothing here can be tested
well() { "$BALE" "$@" -q >"$T/ok.log" 2>&1; }
quiet() { well "$@" || { cat "$T/ok.log"; exit 1; }; }

quiet init -r w/repo --unencrypted
quiet init -r w/secret --key-file w/key
quiet init -r w/two --unencrypted
BALE_CACHE_DIR=w/cache2 quiet backup -r w/two src/sub/deep
quiet backup -r w/two src/sub/deep
sleep 2.1
quiet backup -r w/repo src --set home --tag first
echo more >src/more
quiet backup -r w/repo src --set home
echo changed >src/small
seq 2 4000 >src/sub/numbers
sleep 2.1
quiet backup -r w/repo src --set home
snapshot() { "$BALE" list -r w/repo --json "$@" | jq -r 'select(.type == "snapshot") | .snapshot'; }
first=$(snapshot | sed -n 1p)
second=$(snapshot | sed -n 2p)
third=$(snapshot | sed -n 3p)
quiet remove -r w/repo "$first"
quiet pin -r w/repo "$second"
quiet tag -r w/repo "$second" was
other=$("$BALE" client list -r w/two --json | jq -r 'select(.self == false) | .client')
cp -a src then
head -c 50000 /dev/urandom >src/sub/new
echo again >src/small
sleep 2.1
cp -a w/repo w/bad
victim=$(ls w/bad/data/*/* | head -n 1)
flip "$victim" 700
cp -a w saved
now=$(date +%s)
ticks=$(sed 's/[. ].*//' /proc/uptime)
mkfifo questions answers
facts then >facts.then
facts src >facts.src

# --- commands, and whether a success was one

words() {
	case $1 in
	init) echo "init -r $W/new --unencrypted" ;;
	init-key) echo "init -r $W/new --key-file $W/key" ;;
	backup) echo "backup -r $W/repo $T/src --set home -j 0" ;;
	backup-threads) echo "backup -r $W/repo $T/src --set home -j 2" ;;
	backup-first) echo "backup -r $W/secret --key-file $W/key $T/src --set home -j 0" ;;
	backup-settle) echo "backup -r $W/repo $T/src --set home -j 0 --mount-class write-back --settle true" ;;
	list) echo "list -r $W/repo" ;;
	list-json) echo "list -r $W/repo --json" ;;
	ls) echo "ls -r $W/repo latest -lR" ;;
	cat) echo "cat -r $W/repo latest:$T/src/sub/large" ;;
	restore) echo "restore -r $W/repo latest:$T/src --to $W/to -j 0" ;;
	restore-threads) echo "restore -r $W/repo latest:$T/src --to $W/into -j 2" ;; # which is there
	validate) echo "validate -r $W/repo -j 0" ;;
	validate-full) echo "validate -r $W/repo --full -j 0" ;;
	validate-bad) echo "validate -r $W/bad --stored -j 0" ;;
	prune) echo "prune -r $W/repo --keep-last 1" ;;
	remove) echo "remove -r $W/repo $third" ;;
	undelete) echo "undelete -r $W/repo $first" ;;
	undelete-settle) echo "undelete -r $W/repo $first --mount-class write-back --settle true" ;;
	tag) echo "tag -r $W/repo latest good" ;;
	untag) echo "tag -r $W/repo $second was --remove" ;;
	pin) echo "pin -r $W/repo latest" ;;
	unpin) echo "unpin -r $W/repo $second" ;;
	vacuum) echo "vacuum -r $W/repo -j 0 --json" ;;
	vacuum-run) echo "vacuum -r $W/repo --below 100 --run --sole-client -j 0" ;;
	vacuum-strict) echo "vacuum -r $W/repo --below 100 --run --strict --mount-class write-back --settle true -j 0" ;;
	client-list) echo "client list -r $W/two" ;;
	client-retire) echo "client retire -r $W/two $other" ;;
	doctor) echo "doctor $W/repo" ;;
	key-add) echo "key add -r $W/secret --key-file $W/key --new-key-file $W/key2" ;;
	key-list) echo "key list -r $W/secret --key-file $W/key" ;;
	esac
}
commands=${BALE_COMMANDS:-"init init-key backup backup-threads backup-settle backup-first list list-json ls cat
	restore restore-threads validate validate-full validate-bad prune remove undelete undelete-settle tag untag pin
	unpin vacuum vacuum-run vacuum-strict client-list client-retire doctor key-add key-list"}

# restored [OPTIONS]: the latest snapshot is what the source is
restored() {
	rm -rf "$W/back"
	[ $# -gt 0 ] || set -- -r "$W/repo"
	"$BALE" restore -q "latest:$T/src" --to "$W/back" "$@" && facts "$W/back" | cmp -s - facts.src
}

restored_then() {
	"$BALE" restore -q -r "$W/repo" "latest:$T/src" --to "$W/back" &&
		facts "$W/back" | cmp -s - facts.then
}

# what stands in the targets of a restore under the name of a file is that file
no_half_files() {
	for target in "$W/to" "$W/into"; do
		[ ! -d "$target" ] ||
			(cd "$target" && find . -type f ! -exec cmp -s "{}" "$T/then/{}" \; -print)
	done >halves
	[ ! -s halves ]
}

# of the snapshots that are listed now
told() { "$BALE" list -r "$W/repo" --json | jq -s -r "map(select(.type == \"snapshot\")) | $1"; }

# which of them asks stands in the local cache alone
clients() { sed 's/this one$//; s/ *$//'; }

figures() { tail -n 1 | jq -c '[.total_bytes, .live_bytes, .dead_bytes, .unknown_bytes]'; }

# analysed: the figures are those; or, where it cannot be told what kind of mount this is and
# so it is taken for one that uploads late, no less lives
analysed() {
	[ "$(figures <out)" = "$(figures <expect.vacuum)" ] ||
		[ "$(cat expect.vacuum out | jq -s '.[1].strict and .[0].total_bytes == .[1].total_bytes and
			.[0].live_bytes <= .[1].live_bytes and .[0].dead_bytes >= .[1].dead_bytes')" = true ]
}

true_success() {
	case $1 in
	init) well list -r "$W/new" ;;
	init-key) well list -r "$W/new" --key-file "$W/key" ;;
	backup | backup-threads | backup-settle) [ "$(told length)" = 3 ] && restored ;;
	backup-first) restored -r "$W/secret" --key-file "$W/key" ;;
	restore) facts "$W/to" | cmp -s - facts.then ;;
	restore-threads) facts "$W/into" | cmp -s - facts.then ;;
	validate | validate-full) : ;;
	validate-bad) false ;;
	prune) [ "$(told length)" = 2 ] ;;
	remove) [ "$(told length)" = 1 ] ;;
	undelete | undelete-settle) [ "$(told length)" = 3 ] ;;
	tag) [ "$(told 'last.tags | index("good") != null')" = true ] ;;
	untag) [ "$(told 'map(.tags) | add | length')" = 0 ] ;;
	pin) [ "$(told 'map(select(.pinned)) | length')" = 2 ] ;;
	unpin) [ "$(told 'map(select(.pinned)) | length')" = 0 ] ;;
	vacuum-run | vacuum-strict) [ "$(told length)" = 2 ] && restored_then ;;
	client-list) [ "$(clients <out)" = "$(clients <expect.client-list)" ] ;;
	client-retire) "$BALE" client list -r "$W/two" | grep -q "^$other .* retired$" ;;
	doctor) [ ! -e "$W/repo/doctor" ] || [ -z "$(ls "$W/repo/doctor")" ] ;;
	key-add) well list -r "$W/secret" --key-file "$W/key2" ;;
	vacuum) analysed ;;
	list-json) [ "$(grep -v summary out)" = "$(grep -v summary "expect.$1")" ] ;;
	*) cmp -s out "expect.$1" ;;
	esac
}

# --- points

# inject COMMAND CALL NTH ERRNO TIMES SHORT: the status is in $status
inject() {
	rm -rf w fired counts
	cp -a saved w
	# shellcheck disable=SC2046
	timeout 100 env LD_PRELOAD="$INJECT" INJECT_CALL="$2" INJECT_NTH="$3" INJECT_ERRNO="$4" \
		INJECT_TIMES="$5" INJECT_SHORT="$6" INJECT_FIRED="$T/fired" \
		INJECT_COUNTS="$T/counts" "$BALE" $(words "$1") >out 2>err </dev/null
	status=$?
}

wrong() {
	bad=$((bad + 1))
	echo "# $1, $2 number $3, errno $4, times $5, short $6: status $status: $7"
	sed 's/^/#   /' err | head -n 5
}

judge() {
	case $status in
	0) true_success "$1" || wrong "$@" "success, and it is not so" ;;
	124) wrong "$@" "hangs" ;;
	3 | 4 | 130) [ -s err ] || [ -s out ] || wrong "$@" "nothing is said" ;;
	1 | 2 | 10 | 12 | 13 | 14)
		tail -n 1 err | grep -e '^bale: ' -e '"type":"error"' | grep -qv 'trying again' ||
			[ "$1" = doctor ] ||
			wrong "$@" "the last line is no error" ;;
	*) wrong "$@" "an unknown status" ;;
	esac
	case $1 in
	restore*) [ $status = 0 ] || no_half_files || grep -q 'out of memory' err ||
		wrong "$@" "half a file stands in the target: $(head -n 1 halves)" ;;
	esac
	case $1 in
	init* | list* | ls | cat | restore* | validate*) ;;
	client*)
		well validate -r w/two --stored --no-cache ||
			wrong "$@" "the repository is damaged: $(cat "$T/ok.log")" ;;
	key* | backup-first)
		well validate -r w/secret --key-file w/key --stored --no-cache ||
			wrong "$@" "the repository is damaged: $(cat "$T/ok.log")" ;;
	*)
		"$BALE" validate -q -r w/repo --stored --no-cache >"$T/ok.log" 2>&1 ||
			wrong "$@" "the repository is damaged: $(cat "$T/ok.log")" ;;
	esac
	case $status,$1 in
	0,*) ;;
	*,backup-first) ;;
	*,backup*)
		"$BALE" backup -q -r w/repo src --set home >"$T/ok.log" 2>&1 && restored ||
			wrong "$@" "the next backup is none: $(cat "$T/ok.log")" ;;
	esac
}

# point as inject
point() {
	inject "$@"
	[ -s fired ] || [ "$6" != 0 ] || return
	points=$((points + 1))
	judge "$@"
}

# all_points COMMAND: those of points.now, each from the same moment on
all_points() {
	# shellcheck disable=SC2046
	INJECT_NOW=$now INJECT_TICKS=$ticks "$POINTS" saved w "$INJECT" "$BALE" $(words "$1") \
		<points.now >questions 3<answers &
	exec 5<questions 4>answers
	while read -r call nth errno times status <&5; do
		if [ "$call" = points ]; then
			points=$((points + nth))
			judged=$errno
		else
			judge "$command" "$call" "$nth" "$errno" "$times" 0
			echo >&4
		fi
	done
	exec 5<&- 4>&-
	wait $!
	echo "# $1: $(wc -l <points.now) points, $judged of them judged"
}

# "CALL NTH ERRNO TIMES" for each point of the counts in a file
list_points() {
	awk -v command="$1" -v torture="${BALE_TORTURE:-0}" -v seed="${BALE_SEED:-0}" '
	BEGIN {
		EPERM = 1; EINTR = 4; EIO = 5; ECHILD = 10; EAGAIN = 11; ENOMEM = 12; EACCES = 13; EXDEV = 18
		EMFILE = 24; ENOSPC = 28; EROFS = 30; EINVAL = 22; ENOLCK = 37; ENOSYS = 38
		EOPNOTSUPP = 95; ENOTCONN = 107; ETIMEDOUT = 110; ESTALE = 116; EDQUOT = 122
		e["open"] = EIO " " EACCES " " EMFILE " " ENOMEM " " ESTALE " " EINTR " " ETIMEDOUT " " ENOSPC " " EROFS " " ENOTCONN
		e["opendir"] = EMFILE " " ENOMEM
		e["fopen"] = EIO " " EACCES " " EMFILE
		e["fgets"] = EIO
		e["read"] = e["listdir"] = EIO " " EINTR " " ESTALE " " ETIMEDOUT " " ENOTCONN
		e["write"] = EIO " " ENOSPC " " EDQUOT " " EINTR " " ESTALE " " ENOTCONN
		e["fsync"] = EIO " " ENOSPC " " EDQUOT " " EINTR " " EINVAL " " ENOTCONN
		e["close"] = EIO " " ENOSPC " " EDQUOT " " EINTR " " ENOTCONN
		e["stat"] = EIO " " EACCES " " ESTALE " " ENOMEM " " ENOTCONN
		e["mkdir"] = EIO " " ENOSPC " " EACCES " " EROFS " " EINTR
		e["unlink"] = EIO " " EACCES " " EROFS " " ESTALE " " EINTR
		e["rename"] = EIO " " ENOSPC " " EXDEV " " EACCES
		e["link"] = e["symlink"] = e["mknod"] = EIO " " EPERM " " ENOSPC " " EDQUOT
		e["readlink"] = EIO " " EACCES " " ESTALE
		e["seek"] = EIO
		e["truncate"] = EIO " " ENOSPC
		e["mmap"] = ENOMEM " " EACCES
		e["utime"] = e["chown"] = e["chmod"] = EIO " " EPERM " " EROFS
		e["setxattr"] = EIO " " EOPNOTSUPP " " ENOSPC " " EDQUOT
		e["getxattr"] = e["listxattr"] = EIO " " ENOMEM " " EACCES
		e["flock"] = ENOLCK " " EAGAIN " " EOPNOTSUPP
		e["openat2"] = ENOSYS " " EIO " " EACCES " " EMFILE
		e["statvfs"] = EIO " " ENOSYS
		e["realpath"] = EIO " " EACCES " " ENOMEM
		e["thread"] = e["spawn"] = EAGAIN
		e["wait"] = EINTR " " ECHILD
		e["pipe"] = e["dup"] = EMFILE
		e["alloc"] = ENOMEM
		for (i = 1; i <= length(command); i++)
			h = (h * 31 + index("abcdefghijklmnopqrstuvwxyz-", substr(command, i, 1))) % 65537
	}
	$2 > 0 && $1 in e {
		n = split(e[$1], errnos, " ")
		if (torture) {
			for (nth = 0; nth < $2; nth++)
				for (i = 1; i <= n; i++)
					for (times = 0; times <= 1; times++)
						if (all++ % torture == 0 && !(errnos[i] == EINTR && times == 0))
							print $1, nth, errnos[i], (errnos[i] == EINTR ? 3 : times)
		} else {
			h = (h * 31 + NR * 7919 + seed * 104729) % 65537
			err = errnos[h % n + 1]
			print $1, int(h / 3) % $2, err, (err == EINTR ? 3 : int(h / 7) % 2)
		}
	}' "$2"
}

echo "# $(facts src | wc -l) facts of the source"
for command in $commands; do
	bad=0
	points=0
	inject "$command" none 0 0 1 0
	want=0
	[ "$command" = validate-bad ] && want=4
	cp out "expect.$command"
	[ "$status" = $want ] && { [ $want = 4 ] || true_success "$command"; } ||
		wrong "$command" none 0 0 0 0 "undisturbed, it does not work"
	list_points "$command" counts >points.now
	if [ "${BALE_TORTURE:-0}" != 0 ]; then
		all_points "$command" || wrong "$command" none 0 0 0 0 "the points were not all tried"
	else
		while read -r call nth errno times; do
			point "$command" "$call" "$nth" "$errno" "$times" 0
		done <points.now
	fi
	for short in 1 1000; do
		[ "$command,$short" = doctor,1 ] && continue # 8 MiB, byte by byte
		inject "$command" none 0 0 1 $short
		points=$((points + 1))
		[ "$status" = $want ] || wrong "$command" none 0 0 0 $short "does not carry on"
		judge "$command" none 0 0 0 $short
	done
	is "$bad" 0 "$command: $points points"
done
facts src >facts.now
ok "the source is as it was" cmp facts.src facts.now

finish
