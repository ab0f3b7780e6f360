# The life of a repository on a mounted folder: sourced by the tests of mounts, after lib.sh.
#
# life WHERE SERVED: WHERE is a folder of the mount, in which BALE_REPO is made; SERVED is the
# same folder at the server. What differs from mount to mount is in functions of the test:
#   settle   wait until the server has all that was written (nothing, unless redefined)
#   leave    unmount, or end the mount program
#   trouble  what else may happen to this mount, in the middle of its life (nothing)
#   victim   tell the process to signal, where it is not `pid` itself
# BALE_TORTURE=1 makes it long: many interruptions at random moments.

settle() { :; }
victim() { echo $pid; }
leave() { :; }
trouble() { :; }
class=through # what doctor shall say, and so whether backups are confirmed
waits= # a command for --settle, where there is one

# same_files A B DESCRIPTION: B is A, by rsync
same_files() {
	is "$(rsync -aHAX --checksum --dry-run --itemize-changes --delete "$1/" "$2/" 2>&1 |
		head -n 5)" "" "$3"
}

# begin: a backup, until its first part is there; `pid` goes on. Slow compression gives time
# for what is done to it then.
begin() {
	parts=$(ls "$BALE_REPO/bands" | grep -c -e -part-)
	"$BALE" backup src --set life --level 12 --checkpoint 1M -q 2>"$T/begun.log" &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		[ "$(ls "$BALE_REPO/bands" 2>/dev/null | grep -c -e -part-)" -gt "$parts" ] && break
		sleep 0.02
	done
}

# ends STATUS DESCRIPTION: so does what was begun
ends() {
	wait $pid 2>/dev/null
	is $? "$1" "$2: the status is $1"
}

interrupt() { # SIGNAL STATUS
	begin
	kill "-$1" "$(victim)" 2>/dev/null
	ends "$2" "interrupted by SIG$1"
}

# disappear COMMAND...: which makes the mount go in the middle of a backup, and come back
disappear() {
	grow
	begin
	kill -9 "$mount"
	ends 14 "the mount program dies in the middle"
	ok "which is told: $(tail -n 1 "$T/begun.log")" grep -q "still mounted" "$T/begun.log"
	end_mount
	bale_is 14 "not mounted is no empty repository" backup src --set life
	"$@"
	ok "mounted again" mountpoint -q "$T/mnt"
	[ $class != through ] || # elsewhere it may be lost
		is "$(snapshots '(.complete | not)')" 1 "what the backup has done is listed"
}

# Another 9 MB to be backed up, which takes a while.
grown=0
grow() {
	grown=$((grown + 1))
	head -c 4000000 /dev/urandom | od -v -An -tx8 -w64 >"src/grown$grown"
}

names() { # of the snapshots of which this is true
	"$BALE" list --json | jq -r 'select(.type == "snapshot" and '"$1"') | .snapshot'
}
snapshots() {
	names "$1" | wc -l
}

first_half() { # the folder of the mount
	export BALE_REPO="$1/repo" BALE_KEY_FILE="$T/key"
	rm -rf src before back back0 "$T/cache" "$T/key"
	make_tree src
	head -c 2000000 /dev/urandom >src/leaves
	src=$T/src

	bale_is 0 "init" init
	bale_is 0 "a first backup" backup src --set life --json
	is "$(field .complete)" true "is complete"
	[ $class = through ] && confirmed=true || confirmed=false
	is "$(field .confirmed)" $confirmed "confirmed: $confirmed"
	cp -a src before
	echo changed >src/small
	mv src/sub-x src/sub-y
	rm src/leaves
	bale_is 0 "a second backup" backup src --set life --json
	bale_is 0 "an unchanged one" backup src --set life --json
	is "$(field .files_new)" 0 "finds nothing new"
	is "$(snapshots .complete)" 3 "three are listed"
	bale_is 0 "restore of the first" restore "latest~2:$src" --to back0
	same_files before back0 "gives the tree as it was"
}

interruptions() {
	names '(.complete | not)' >unfinished # of which what a mount lost may go at any time
	grow
	interrupt INT 130
	is "$(names '(.complete | not)' | grep -cvxFf unfinished)" 1 "what it has done is listed"
	grow
	interrupt KILL 137
	for k in ${BALE_TORTURE:+1 2 3 4 5 6 7 8 9}; do # at other moments, or after the end
		grow
		begin
		sleep "0.$k"
		kill "-$([ $((k % 3)) = 0 ] && echo INT || echo KILL)" "$(victim)" 2>/dev/null
		wait $pid 2>/dev/null
		[ $((k % 3)) = 2 ] && bale_is 0 "a whole one" backup src --set life -q
		bale_is 0 "validate --quick" validate --quick
	done
	bale_is 0 "then a backup" backup src --set life --json
	is "$(field .complete)" true "is complete"
}

data_bytes() {
	find "$BALE_REPO/data" -type f -printf '%s\n' | jq -s add
}

second_half() {
	bale_is 0 "prune" prune --set life --keep-last 1 --json
	is "$(snapshots .complete)" 1 "leaves one snapshot"
	bale_is 0 "vacuum" vacuum --json
	is "$(field '.live_bytes + .dead_bytes + .condemned_bytes + .unknown_bytes - .total_bytes')" \
		0 "accounts for every byte"
	ok "finds what nobody needs" test "$(field .dead_bytes)" -ge 1900000
	settle
	stored=$(data_bytes)
	bale_is 0 "vacuum --run" vacuum --run --below 90 --sole-client --json \
		${waits:+--settle "$waits"}
	ok "condemns it" test "$(field .condemned_bundles)" -gt 0
	ok "deletes it" test "$(field .deleted_files)" -gt 0
	if [ $class = through ] || [ -n "$waits" ]; then
		ok "so less is stored" test "$(data_bytes)" -lt $((stored - 1500000))
	else
		ok "but nothing for which only what may not have arrived stands" \
			test "$(field .kept_bundles)" -gt 0
	fi
	settle
	bale_is 0 "validate --stored" validate --stored
	bale_is 0 "validate --full" validate --full
	bale_is 0 "restore" restore "latest:$src" --to back
	same_files src back "gives the tree"
	bale_is 0 "cat" cat "latest:$src/small"
	is "$(cat "$T/out")" changed "gives the file"
}

# The same from the server's own folder, by one who never saw the repository.
files_of() {
	(cd "$1" && find . -type f -printf '%P %s\n' | sort)
}
arrived() { files_of "$1" | cmp -s - "$T/mounted"; }
elsewhere() {
	files_of "$BALE_REPO" >mounted
	leave
	bale_is 14 "not mounted is no empty repository" list
	export BALE_REPO="$1/repo"
	ok "the server has the same files" wait_for arrived "$BALE_REPO" # it may need a moment
	bale_is 0 "in the server's own folder: validate --stored" \
		validate --stored --cache-dir "$T/cache2"
	bale_is 0 "validate --full" validate --full --cache-dir "$T/cache2"
	rm -rf back back0
	bale_is 0 "restore" restore "latest:$src" --to back --cache-dir "$T/cache2"
	same_files src back "gives the tree"
	rm -rf back "$T/cache2"
}

life() {
	first_half "$1"
	trouble
	interruptions
	second_half
	elsewhere "$2"
}
