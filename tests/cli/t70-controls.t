#!/bin/sh
# What dumbfs refuses and counts, breach by breach, and what it can be told to do wrong: that
# no violations were counted proves as much as this.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/dumb.sh"

command -v python3 >/dev/null || {
	echo "SKIPPED: python3 is not installed" >&2
	skip "no python3"
	finish
	exit
}
dumb mnt dumbfs ''
dumb ends dumbfs 'uploads late=1000 unmount=wait'
python3 "$TOP/tests/cli/controls.py" mnt back.fs ends
