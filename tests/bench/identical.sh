#!/bin/bash
# identical.sh [TREE...]: back up each tree, and one with every special kind of entry,
# restore it, and compare with tools that are not bale: rsync -aHAX --checksum, getfattr,
# blocks of sparse files. As root, or attributes cannot be compared. BUILD: build/plain.
set -u
bale=$(realpath "${BUILD:-build/plain}/bale")
dir=$(mktemp -d "${TMPDIR:-/tmp}/bale-identical.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export BALE_REPO="$dir/repo" BALE_CACHE_DIR="$dir/cache" BALE_KEY_FILE="$dir/key"
bad=0

special() {
	mkdir -p "$1/dir/sub" "$1/empty" && cd "$1" || exit 1
	echo content >file && ln file dir/hard && ln file dir/sub/hard2 && ln -s file link
	ln -s /nowhere/at/all dangling && mkfifo fifo && ln fifo dir/fifo2 && ln link dir/link2
	mknod block b 7 3 && mknod char c 1 3
	truncate -s 64M sparse && printf x | dd of=sparse bs=1 seek=33000000 conv=notrunc status=none
	truncate -s 1M hole && : >nothing
	head -c 3M /dev/urandom >random
	printf raw >"$(printf 'raw-\377\376 \n name')"
	echo s >setuid && chmod 6755 setuid && mkdir sticky && chmod 1777 sticky
	echo o >owned && chown 12345:54321 owned && chown -h 1:2 link
	echo x >xattr && setfattr -n user.name -v "$(head -c 900 /dev/zero | tr '\0' v)" xattr
	setfattr -n trusted.t -v root xattr && setfattr -n user.dir -v d dir
	setfacl -m u:1234:rw,g:4321:r xattr && setfacl -d -m u:99:rwx dir
	cp /bin/true able && setcap cap_net_raw,cap_chown+ep able 2>/dev/null
	chmod 000 nothing && touch -d '1969-12-31 23:59:58.123456789' file
	touch -d '2199-01-01 00:00:00.999999999' random && touch -h -d '2001-01-01' link
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")' 2>/dev/null
	touch -d '1999-09-09 09:09:09.090909090' dir/sub dir empty .
	cd - >/dev/null || exit 1
}
attributes() {
	(cd "$1" && find . -print0 | sort -z | xargs -0 getfattr -h -m - -d -e hex 2>/dev/null)
}
blocks() { # where holes are: length and blocks of what is sparse
	(cd "$1" && find . -type f -printf '%p %s %b\n' | awk '$(NF) * 512 < $(NF - 1)' | sort)
}
compare() { # NAME TREE RESTORED
	rsync -aHAX --checksum --dry-run --itemize-changes --delete \
		"$2/" "$3/" >"$dir/differs" || bad=$((bad + 1))
	attributes "$2" >"$dir/a" && attributes "$3" >"$dir/b"
	blocks "$2" >"$dir/c" && blocks "$3" >"$dir/d"
	same=yes sparse=yes
	[ -s "$dir/differs" ] && bad=$((bad + 1))
	cmp -s "$dir/a" "$dir/b" || { same=no bad=$((bad + 1)); }
	cmp -s "$dir/c" "$dir/d" || { sparse=no bad=$((bad + 1)); diff "$dir/c" "$dir/d" | head; }
	echo "| $1 | $(find "$2" | wc -l) | $(wc -l <"$dir/differs") | $same ($(grep -c = "$dir/a")) |" \
		"$sparse ($(wc -l <"$dir/c")) |"
	head -n 5 "$dir/differs"
}

"$bale" init -q --key-file "$dir/key" || exit 1
special "$dir/special"
echo '| tree | entries | differences by rsync | getfattr the same (attributes) | blocks the same (sparse files) |'
echo '|---|---|---|---|---|'
for tree in "$dir/special" "$@"; do
	tree=$(realpath "$tree")
	"$bale" backup -q "$tree" --set same --one-file-system 2>"$dir/log"
	status=$?
	[ $status -eq 0 ] || { echo "backup of $tree: status $status"; head -n 3 "$dir/log"; }
	"$bale" restore "latest:$tree" --to "$dir/out" -q || bad=$((bad + 1))
	if [ "$tree" = "$dir/special" ]; then # its socket is told of, not kept
		rm -f "$tree/socket" && touch -r "$dir/out" "$tree"
	fi
	compare "${tree#"$dir/"}" "$tree" "$dir/out"
	rm -rf "$dir/out"
done
echo
echo "$bad disagreements"
[ $bad -eq 0 ]
