# Sourced by lib.sh with BALE_TEST_ON=dumbfs: bale reaches the repositories of a test
# through dumbfs, mounted over the scratch folder; the test itself looks at them where
# they are. The names of repositories that bale is given are changed on the way to it.
#
# BALE_TEST_DUMBFS has commands for it. Its class is "through", as sshfs's is.

D=$(mktemp -d "${TMPDIR:-/tmp}/bale-dumbfs.XXXXXX") || exit 1
chmod 755 "$D"
mkdir "$D/mnt"
dumbfs=${DUMBFS:-$(dirname "$BALE")/dumbfs}
cp "$BALE" "$D/bale" # where it was built may be closed to others
# What the test does behind its back must be seen at once.
"$dumbfs" -o subtype=sshfs,allow_other,entry_timeout=0,attr_timeout=0 \
	-o control="${BALE_TEST_DUMBFS:-}" "$T" "$D/mnt" || exit 1

cat >"$D/run" <<END
#!/bin/sh
place() {
	case \$1 in
	"$T"/*) placed=$D/mnt/\${1#"$T"/} ;;
	/*) placed=\$1 ;;
	*) placed=$D/mnt\${PWD#"$T"}/\$1 ;;
	esac
}
if [ -n "\${BALE_REPO:-}" ]; then
	place "\$BALE_REPO"
	BALE_REPO=\$placed
fi
n=\$#
repo=false
while [ \$n -gt 0 ]; do
	arg=\$1
	shift
	if \$repo; then
		place "\$arg"
		arg=\$placed
		repo=false
	else
		case \$arg in
		-r | --repo) repo=true ;;
		--repo=*)
			place "\${arg#--repo=}"
			arg=--repo=\$placed
			;;
		esac
	fi
	set -- "\$@" "\$arg"
	n=\$((n - 1))
done
exec "$D/bale" "\$@"
END
chmod 755 "$D/run"
BALE=$D/run

dumbfs_end() {
	fusermount3 -u "$D/mnt" || umount -l "$D/mnt"
	rm -rf "$D"
}
