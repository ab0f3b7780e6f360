#!/bin/sh
# Put figures into a document, between the two lines that are made for them.
#
#	tests/bench/figures.sh DOCUMENT FIGURES
set -eu
awk -v figures="$2" '
/^<!-- figures -->$/ {
	print
	while ((getline line <figures) > 0) print line
	skip = 1
}
/^<!-- end of figures -->$/ { skip = 0 }
!skip && !/^<!-- figures -->$/ { print }
' "$1" >"$1.new"
mv "$1.new" "$1"
