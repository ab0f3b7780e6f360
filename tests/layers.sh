#!/bin/sh
# Includes point one way: a file includes its own layer and those below it, and each
# library is touched by one layer only. Prints every breach.
set -eu
cd "$(dirname "$0")/.."

awk '
BEGIN {
	n = split("base format store codec tree repo bundle index band engine mount cli", order, " ")
	for (i = 1; i <= n; i++) rank[order[i]] = i
	only["zstd.h"] = only["blake2.h"] = only["sodium.h"] = " codec "
	only["jansson.h"] = " format cli "
	only["fuse.h"] = only["fuse3/fuse.h"] = only["fuse_lowlevel.h"] = " mount "
}
FNR == 1 {
	layer = FILENAME
	sub(/^src\//, "", layer)
	sub(/\/.*/, "", layer)
	if (!(layer in rank)) { print FILENAME ": in no layer"; bad = 1 }
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, q, "\"")
	to = q[2]
	if (index(to, "/") == 0) { print FILENAME ":" FNR ": include \"" to "\" by its layer"; bad = 1; next }
	sub(/\/.*/, "", to)
	if (!(to in rank) || rank[to] > rank[layer]) {
		print FILENAME ":" FNR ": " layer " includes " q[2]
		bad = 1
	}
}
/^[ \t]*#[ \t]*include[ \t]*</ {
	match($0, /<[^>]*>/)
	lib = substr($0, RSTART + 1, RLENGTH - 2)
	if (lib in only && index(only[lib], " " layer " ") == 0) {
		print FILENAME ":" FNR ": " layer " includes <" lib ">"
		bad = 1
	}
}
END { exit bad }
' $(find src format -name '*.[ch]' | sort)

# Nothing below cli prints, exits or reads the environment (mem.c ends the program on
# purpose).
if grep -nE '\b(printf|puts|perror|getenv|exit) ?\(|\b(stdout|stderr)\b' \
	$(find src format -name '*.c' ! -path 'src/cli/*' ! -path src/base/mem.c | sort); then
	echo "below cli: prints, exits or reads the environment"
	exit 1
fi

# Files stay readable.
long=$(find src format -name '*.[ch]' -exec wc -l {} + | awk '$2 != "total" && $1 > 600 {print $2 ": " $1 " lines"}')
[ -z "$long" ] || { echo "$long"; exit 1; }

# No line goes past column 90; a tab is 4. Bytes that go on a character are not counted.
LC_ALL=C awk '
{
	gsub(/[\200-\277]/, "")
	for (; (at = index($0, "\t")) > 0; sub(/\t/, substr("    ", 1 + (at - 1) % 4))) {}
	if (length($0) > 90) { print FILENAME ":" FNR ": " length($0) " columns"; bad = 1 }
}
END { exit bad }
' $(find src format tests -name '*.[ch]' | sort)
echo "layers: one way"
