#!/bin/sh
# Every structure of the storage format has its specification, codec, unit test, fuzz
# target and vectors.
set -eu
cd "$(dirname "$0")/.."

bad=0
need() {
	[ -e "$1" ] || { echo "missing: $1"; bad=1; }
}
for h in $(grep -lE '^(bool|enum step) [a-z_]+(_decode|_open)\(' format/*.h | sort); do
	x=$(basename "$h" .h)
	case $x in wire | entry | *_internal) continue ;; esac # parts of others, tested by their own unit
	need "format/$x.c"
	need "format/$x.md"
	need "tests/unit/test_$x.c"
	need "tests/fuzz/$x.c"
	ls testdata/vectors/"$x"/good-* >/dev/null 2>&1 || { echo "no good vector of $x"; bad=1; }
	ls testdata/vectors/"$x"/bad-* >/dev/null 2>&1 || { echo "no bad vector of $x"; bad=1; }
done
[ $bad = 0 ] && echo "formats: complete"
exit $bad
