# The life of a repository on a mounted folder: sourced by the tests of mounts, after lib.sh.
# life WHERE: WHERE is a folder of the mount; BALE_REPO is made in it.

life() {
	export BALE_REPO="$1/repo"
	bale_is 0 "init" init
	bale_is 0 "a first backup" backup src --set life --json
	is "$(field .complete)" true "is complete"
	cp -a src before
	echo changed >src/small
	mv src/sub-x src/sub-y
	bale_is 0 "a second backup" backup src --set life --json
	bale_is 0 "an unchanged one" backup src --set life --json
	is "$(field .files_new)" 0 "finds nothing new"
	bale_is 0 "list" list --json
	is "$(grep -c '"type":"snapshot"' "$T/out")" 3 "shows three snapshots"
	bale_is 0 "validate --quick" validate --quick
	bale_is 0 "validate --full" validate --full
	bale_is 0 "restore" restore "latest:$src" --to back
	same_tree src back "gives the tree"
	bale_is 0 "restore of the first" restore "latest~2:$src" --to back0
	same_tree before back0 "gives the tree as it was"
	bale_is 0 "cat" cat "latest:$src/small"
	is "$(cat "$T/out")" changed "gives the file"
}
