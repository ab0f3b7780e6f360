#!/bin/sh
# What bale and its peers ask of a storage that is far away: trips, bytes and time through
# dumbfs, at three latencies, as tables in Markdown.
#
#	tests/bench/remote.sh [TREE...]
#
# The trees are copied together (about 20,000 files and 300 MB are meant). A trip is what
# takes the latency: a look at a name that is not known since 20 s, opendir and each
# further 1000 names, open, create, a read that does not go on where the last ended, the
# close of what was written, a deletion. Renames, modes, folders and syncs cost nothing,
# though peers use them and bale does not. Data goes up with 50 MB/s and down with 50
# MB/s. Each command begins on a fresh mount.
#
# GROWN: a folder in which repositories that take long to make are kept for the next run.
# ONLY=tree, moved, grown or large: a part. LATENCIES: in ms (0 20 100).
# LARGE: a tree whose first backup is timed at the least and the highest, in turn, ROUNDS (3)
# times.
set -eu
build=$(realpath "${BUILD:-build/plain}")
bale=$build/bale
[ $# -gt 0 ] || set -- /usr/include /usr/share/doc /usr/lib/python3
row=- label= slow=
latencies=${LATENCIES:-0 20 100}
# The times of the folders above a source belong to its backup: one that nobody else
# changes.
if [ "$(id -u)" = 0 ] && [ -z "${ALONE:-}" ]; then
	exec env ALONE=/mnt unshare -m sh "$0" "$@"
fi
dir=$(mktemp -d "${TMPDIR:-/dev/shm}/bale-remote.XXXXXX")
trap 'fusermount3 -uz "$dir/mnt" 2>/dev/null || :; rm -rf "$dir"' EXIT
mkdir "$dir/mnt"
sources=${ALONE:-$dir}
[ "$sources" = "$dir" ] || mount -t tmpfs none "$sources"
export BALE_PASSPHRASE='correct horse' RESTIC_PASSWORD=bench RUSTIC_PASSWORD=bench

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# --- one measurement

# on NAME MS COMMAND...: with the repository in $dir/NAME at $dir/mnt; leaves trips, down,
# up, opens and seconds
on() {
	name=$1
	ms=$2
	shift 2
	contract=on
	[ "$tool" = bale ] || contract=off
	"$build/dumbfs" -o subtype=sshfs,entry_timeout=20,attr_timeout=20 \
		-o control="contract $contract;remember 20;latency trips $ms;bandwidth up 50;bandwidth down 50" \
		-o ${TRACE:+trace="$TRACE.$tool.$row.$ms",}max_threads=200 "$dir/$name" "$dir/mnt" || fail dumbfs
	begun=$(date +%s.%N)
	"$@" >"$dir/out" 2>"$dir/err" || {
		cat "$dir/out" "$dir/err" >&2
		fail "$tool: $*"
	}
	ended=$(date +%s.%N)
	cp "$dir/mnt/.dumbfs" "$dir/counts"
	[ "$tool" != bale ] || grep -qx 'violations 0' "$dir/counts" || fail "violations: $*"
	fusermount3 -u "$dir/mnt"
	trips=$(sed -n 's/^trips //p' "$dir/counts")
	up=$(sed -n 's/^up //p' "$dir/counts")
	down=$(sed -n 's/^down //p' "$dir/counts")
	pages=$(sed -n 's/^count page //p' "$dir/counts")
	opens=$(sed -n 's/^count open //p' "$dir/counts")
	seconds=$(echo "$ended $begun" | awk '{printf "%.2f", $1 - $2}')
}
# measure ROW NAME MS COMMAND...: and keep it
measure() {
	row=$1
	shift
	case $slow in *" $row ${label:-$tool} "*) return ;; esac
	on "$@"
	[ "${seconds%.*}" -lt 60 ] || slow="$slow $row ${label:-$tool} " # at more ms it takes minutes
	echo "$row ${label:-$tool} $ms $trips $pages $opens $up $down $seconds" >>"$dir/results"
	echo "$row $tool $ms ms: $trips trips, $opens opens, up $up, down $down, $seconds s" >&2
}
# A copy of a tool's repository and cache, to be used up.
fresh() { # FROM TO
	rm -rf "${dir:?}/$2" "$dir/$2.cache"
	cp -a "$dir/$1" "$dir/$2"
	cp -a "$dir/$1.cache" "$dir/$2.cache"
	use "$2"
}
use() { # NAME: of the repository, for its cache
	export BALE_CACHE_DIR="$dir/$1.cache" RESTIC_CACHE_DIR="$dir/$1.cache"
	mkdir -p "$dir/$1" "$BALE_CACHE_DIR"
}
cold() { # NAME: nothing is cached
	rm -rf "$dir/$1.cache"
	use "$1"
}

# --- the tools

export BALE_REPO="$dir/mnt/repo" RESTIC_REPOSITORY="$dir/mnt/repo" RUSTIC_REPOSITORY="$dir/mnt/repo"
export RUSTIC_NO_PROGRESS=true
start() {
	case $tool in
	bale) on "$1" 0 "$bale" init -q ;;
	restic) on "$1" 0 restic init -q ;;
	rustic) on "$1" 0 rustic init ;;
	esac
}
rustic_() {
	rustic --cache-dir "$RESTIC_CACHE_DIR" "$@"
}
do_backup() { # SOURCE
	case $tool in
	bale) "$bale" backup -q --set remote "$1" ;;
	restic) restic backup -q "$1" ;;
	rustic) rustic_ backup "$1" ;;
	esac
}
do_list() {
	case $tool in
	bale) "$bale" list ;;
	restic) restic snapshots ;;
	rustic) rustic_ snapshots --all ;;
	esac
}
do_one() { # PATH
	rm -rf "$dir/to"
	case $tool in
	bale) "$bale" restore -q "latest:$1" --to "$dir/to" ;;
	restic) restic restore -q latest --target "$dir/to" --include "$1" ;;
	rustic) rustic_ restore "latest:$1" "$dir/to/$(basename "$1")" ;;
	esac
}
do_quick() {
	case $tool in
	bale) "$bale" validate -q --quick ;;
	restic) restic check -q ;;
	rustic) rustic_ check ;;
	esac
}
do_analysis() {
	case $tool in
	bale) "$bale" vacuum ;;
	restic) restic prune --dry-run -q ;;
	rustic) rustic_ prune --dry-run ;;
	esac
}

# rows NAME MS SOURCE CHANGED ONE: all but the first backup, on copies of the repository
rows() {
	fresh "$1" work
	measure list-warm work "$2" do_list
	cold work
	measure list-cold work "$2" do_list
	cold work
	measure one work "$2" do_one "$5"
	cmp "$5" "$(find "$dir/to" -type f)" || fail "$tool restored something else"
	fresh "$1" work
	measure quick work "$2" do_quick
	fresh "$1" work
	measure analysis work "$2" do_analysis
	fresh "$1" work
	measure unchanged work "$2" do_backup "$3"
	cp -p "$4" "$dir/saved"
	echo changed >>"$4"
	measure changed work "$2" do_backup "$3"
	cp -p "$dir/saved" "$4"
	sleep 3 # nothing was touched just now
	use "$1"
	on "$1" 0 do_backup "$3"
}

# --- the tree: 10 snapshots

tree_part() {
	mkdir "$sources/tree"
	cp -a "$@" "$sources/tree/"
	echo "The tree: $(find "$sources/tree" -type f | wc -l) files, $(du -sm "$sources/tree" | cut -f1) MB." \
		>"$dir/tree-facts"
	files=$(find "$sources/tree" -type f -size +8k | wc -l)
	one=$(find "$sources/tree" -type f -size +8k | sort | sed -n "$((files / 2))p")
	other=$(find "$sources/tree" -type f -size +8k | sort | sed -n "$((files / 3))p")
	tools=bale
	for t in restic rustic; do command -v $t >/dev/null && tools="$tools $t"; done
	sleep 3
	for tool in $tools; do
		for lat in $latencies; do
			rm -rf "$dir/base" "$dir/base.cache"
			use base
			start base
			measure first base "$lat" do_backup "$sources/tree"
		done
		n=2
		while [ $n -le 10 ]; do
			find "$sources/tree" -type f -size -64k | sort | awk "NR % 997 == $n * 31" |
				while read -r f; do echo "change $n" >>"$f"; done
			sleep 2.1
			on base 0 do_backup "$sources/tree"
			n=$((n + 1))
		done
		sleep 3 # nothing was touched just now
		on base 0 do_backup "$sources/tree"
		for lat in $latencies; do
			rows base "$lat" "$sources/tree" "$one" "$other"
		done
	done
}

# --- a first backup of more: what the latency adds, where it can hide

large_part() {
	tool=bale
	: >"$dir/large"
	for round in $(seq "${ROUNDS:-3}"); do
		for lat in ${latencies%% *} ${latencies##* }; do
			rm -rf "$dir/large-repo" "$dir/large-repo.cache"
			use large-repo
			start large-repo
			on large-repo "$lat" do_backup_told "$1"
			peak=$(tail -n 1 "$dir/out" | sed 's/.*"peak_rss":\([0-9]*\).*/\1/')
			echo "$lat $seconds $peak" >>"$dir/large"
			echo "round $round, $lat ms: $seconds s, $trips trips, $peak bytes of memory" >&2
		done
	done
	rm -rf "$dir/large-repo" "$dir/large-repo.cache"
}
do_backup_told() {
	"$bale" backup --json --set remote "$1"
}
# of MS: the median
large_median() {
	awk -v ms="$1" '$1 == ms {print $2}' "$dir/large" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

# --- a file that a vacuum has moved

moved_part() {
	tool=bale
	mkdir "$sources/moved"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		head -c 1000000 /dev/urandom >"$sources/moved/f$i"
	done
	use moved
	start moved
	on moved 0 do_backup "$sources/moved"
	cp -a "$sources/moved/f3" "$dir/kept"
	rm "$sources"/moved/f*
	cp -a "$dir/kept" "$sources/moved/f3"
	sleep 1
	on moved 0 do_backup "$sources/moved"
	on moved 0 "$bale" remove latest~1
	condemned=$(ls "$dir"/moved/repo/data/*/*)
	on moved 0 "$bale" vacuum --run --below 90 --sole-client
	rm -f $condemned # as the deletion does in the end
	for lat in $latencies; do
		cold moved
		measure one-moved moved "$lat" do_one "$sources/moved/f3"
		cmp "$sources/moved/f3" "$dir/to/f3" || fail "another f3"
	done
}

# --- repositories that have been in use

# NAME SNAPSHOTS BUNDLES
grow_bale() {
	mkdir "$dir/$1"
	"$build/bench/grown" "$dir/$1/repo" "$sources/$1.src" "$dir/$1.cache" "$2" "$3"
}

# The same for the peers (tests/bench/grown.c tells of what): made by rustic, with packs as
# small as those bundles, and read by restic too.
grow_peers() {
	mkdir "$dir/$1" "$sources/$1.src"
	RUSTIC_REPOSITORY="$dir/$1/repo"
	use "$1"
	rustic_ init --set-datapack-size 64KiB --set-datapack-size-limit 64KiB \
		--set-treepack-size 64KiB --set-treepack-size-limit 64KiB >"$dir/out" 2>&1 || fail init
	for k in $(seq 0 499); do echo "$k" >"$sources/$1.src/small$k"; done
	for snapshot in $(seq "$2"); do
		for k in $(seq 0 $(($3 / $2 - 1))); do
			head -c 66000 /dev/urandom >"$sources/$1.src/changed$k"
		done
		rustic_ backup "$sources/$1.src" >"$dir/out" 2>&1 || fail "rustic backup, $snapshot"
	done
	RUSTIC_REPOSITORY=$RESTIC_REPOSITORY
}

# grown NAME COMMAND SNAPSHOTS BUNDLES: from another time, or made now
grown() {
	if [ -d "${GROWN:-}/$1" ]; then
		cp -a "$GROWN/$1" "$GROWN/$1.cache" "$dir"
		cp -a "$GROWN/$1.src" "$sources/$1.src"
		return
	fi
	"$2" "$1" "$3" "$4"
	[ -z "${GROWN:-}" ] || {
		cp -a "$sources/$1.src" "$dir/$1.cache" "$GROWN"
		cp -a "$dir/$1" "$GROWN"
	}
}

# grown_rows LATENCIES NAME SNAPSHOTS
grown_rows() {
	label=$tool/$3
	sleep 3
	on "$2" 0 do_backup "$sources/$2.src"
	on "$2" 0 do_list
	for lat in $1; do
		rows "$2" "$lat" "$sources/$2.src" "$sources/$2.src/small7" "$sources/$2.src/changed3"
	done
	label=
}

give_up() {
	rm -rf "${dir:?}/$1" "$sources/$1.src" "$dir/$1.cache" "$dir/work" "$dir/work.cache"
}

# With 2000 snapshots a peer takes minutes for whatever it does at 20 ms: there it is
# measured at that latency alone.
grown_part() {
	for size in "10 1000" "2000 50000"; do
		set -- $size
		tool=bale
		grown "grown$1" grow_bale "$1" "$2"
		use "grown$1"
		grown_rows "$latencies" "grown$1" "$1"
		give_up "grown$1"
		command -v rustic >/dev/null || continue
		grown "peers$1" grow_peers "$1" "$2"
		[ "$1" -lt 1000 ] && few=$latencies || few=20
		for tool in restic rustic; do
			command -v $tool >/dev/null || continue
			cold "peers$1"
			grown_rows "$few" "peers$1" "$1"
		done
		give_up "peers$1"
	done
}

# --- the tables

# table LABEL...: rows of the results
table() {
	echo "| | | trips | pages | files read | up, kB | down, kB$(for ms in $latencies; do printf ' | %s ms, s' "$ms"; done) |"
	echo "|---|---|---|---|---|---|---$(for ms in $latencies; do printf '|---'; done)|"
	awk -v labels="$*" -v latencies="$latencies" '
	BEGIN {
		n_rows = split("first unchanged changed one one-moved list-cold list-warm quick analysis", rows, " ")
		what["first"] = "first backup"; what["unchanged"] = "unchanged"
		what["changed"] = "one changed file"; what["one"] = "one file restored, cold start"
		what["one-moved"] = "the same, moved by a vacuum"
		what["list-cold"] = "list, cold"; what["list-warm"] = "list, cache warm"
		what["quick"] = "quick validation"; what["analysis"] = "analysis for vacuum"
		n_labels = split(labels, label, " ")
		for (l = 1; l <= n_labels; l++) {
			tool[l] = label[l]
			sub("/.*", "", tool[l])
		}
		n_ms = split(latencies, ms, " ")
	}
	{
		k = $1 " " $2
		trips[k] = $4; pages[k] = $5; opens[k] = $6; up[k] = $7; down[k] = $8
		seconds[k " " $3] = $9
	}
	END {
		for (r = 1; r <= n_rows; r++) for (l = 1; l <= n_labels; l++) {
			k = rows[r] " " label[l]
			if (!(k in trips)) continue
			printf "| %s | %s | %d | %d | %d | %.0f | %.0f", what[rows[r]], tool[l],
			    trips[k] - pages[k], pages[k], opens[k], up[k] / 1000, down[k] / 1000
			for (m = 1; m <= n_ms; m++) printf " | %s", (k " " ms[m]) in seconds ? seconds[k " " ms[m]] : "not run"
			print " |"
		}
	}' "$dir/results"
}

: >"$dir/results"
case ${ONLY:-all} in all | tree) tree_part "$@" ;; esac
case ${ONLY:-all} in all | moved) moved_part ;; esac
case ${ONLY:-all} in all | large) [ -z "${LARGE:-}" ] || large_part "$LARGE" ;; esac
case ${ONLY:-all} in all | grown) grown_part ;; esac
if [ -n "${KEEP:-}" ]; then cp "$dir/results" "$KEEP"; fi
{
	echo
	if [ -e "$dir/tree-facts" ]; then
		cat "$dir/tree-facts"
		echo "10 snapshots."
		echo
		table bale restic rustic
		echo
	fi
	if [ -e "$dir/large" ]; then
		least=$(large_median "${latencies%% *}") most=$(large_median "${latencies##* }")
		echo "A first backup of $(basename "$LARGE") ($(find "$LARGE" -type f | wc -l) files," \
			"$(du -sm "$LARGE" | cut -f1) MB) by bale, medians of ${ROUNDS:-3}: $least s at" \
			"${latencies%% *} ms, $most s at ${latencies##* } ms," \
			"$(echo "$most $least" | awk '{printf "%.2f", $1 / $2}') times; at most" \
			"$(awk '$3 > m {m = $3} END {printf "%d", m / 1000000}' "$dir/large") MB of memory."
		echo
	fi
	if grep -q / "$dir/results"; then
		echo "1000 bundles, 10 snapshots:"
		echo
		table bale/10 restic/10 rustic/10
		echo
		echo "50,000 bundles, 2000 snapshots:"
		echo
		table bale/2000 restic/2000 rustic/2000
	fi
}
