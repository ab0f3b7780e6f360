#!/bin/sh
# Every system call that the life of a repository makes on it, held against what bale may
# ask of a storage.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/cli/mounts.sh"
. "$TOP/tests/cli/life.sh"

for tool in strace python3 rsync jq; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
traced="strace -f -q -y -s 0 -e trace=file,desc,memory,process"
$traced -o probe true 2>probe.log || skip_all "strace may not trace: $(tail -n 1 probe.log)"
contract() { # FOLDER TRACE...
	python3 "$TOP/tests/cli/contract.py" "$@" >"$T/contract.log"
}

python3=$(python3 -c 'import sys; print(sys.executable)') # it may be started by a script
mkdir traces store
cat >traced-bale <<EOF
#!/bin/sh
exec $traced -o "$T/traces/\$\$" "$BALE" "\$@"
EOF
chmod +x traced-bale
real=$BALE
BALE=$T/traced-bale
victim() { pgrep -P $pid; } # of strace
trouble() { # and whatever else writes
	bale_is 0 "doctor" doctor
	bale_is 0 "tag" tag latest one
	bale_is 0 "pin" pin latest
	bale_is 0 "unpin" unpin latest
	"$BALE" list --json | jq -r 'select(.type == "snapshot") | .snapshot' | head -n 1 >name
	bale_is 0 "remove" remove "$(cat name)"
	bale_is 0 "undelete" undelete "$(cat name)"
	bale_is 0 "key add" key add --new-key-file "$T/key2"
	bale_is 0 "tag --remove" tag latest one --remove
	strict
}
strict() { # what is done where a close means nothing, in a repository of its own
	export BALE_REPO="$T/store/strict"
	bale_is 0 "init" init
	bale_is 0 "a backup" backup src -q
	BALE_CACHE_DIR="$T/cache3" bale_is 0 "one that is settled" backup src -q \
		--mount-class write-back --settle true
	"$BALE" client list --json | jq -r 'select(.self == false) | .client' >name
	bale_is 0 "client retire" client retire "$(cat name)"
	bale_is 0 "remove" remove latest
	bale_is 0 "vacuum --strict" vacuum --strict --run --below 100 --mount-class write-back \
		--settle true
	export BALE_REPO="$T/store/repo"
}
leave() { mv store away && mkdir store; }
life "$T/store" "$T/away"
BALE=$real

contract "$T/store" traces/*
is "$(grep -v violations$ contract.log)" "" "the contract was kept"
echo "# $(tail -n 1 contract.log)"
ok "in all that was done" test "$(count traces -type f)" -ge 20
ok "which was much" test "$(tail -n 1 contract.log | cut -d' ' -f1)" -ge 1000

# What breaks it would be counted.
mkdir other
breach() { # DESCRIPTION COMMAND
	rm -rf other/*
	printf 'whole' >other/old
	$traced -o trace sh -c "$2" >/dev/null 2>&1
	contract "$T/other" trace
	is $? 1 "a breach: $1"
}
breach "rename" "mv $T/other/old $T/other/new"
breach "relative to a folder" "cd other && mv old new"
breach "truncate" "truncate -s 2 $T/other/old"
breach "append" "echo more >>$T/other/old"
breach "overwrite" "dd if=/dev/zero of=$T/other/old bs=1 count=1 conv=notrunc"
breach "link" "ln $T/other/old $T/other/new"
breach "symbolic link" "ln -s old $T/other/new"
breach "mode" "chmod 600 $T/other/old"
breach "time" "touch -d yesterday $T/other/old"
breach "lock" "flock $T/other/old true"
breach "a file made without O_EXCL" "echo x >$T/other/new"
breach "a mode of its own" "$python3 -IS -c 'import os; os.close(os.open(\"$T/other/new\", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))'"
made='import os; f = os.open("'$T'/other/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)'
python() { # DESCRIPTION PROGRAM
	breach "$1" "$python3 -IS -c '$made; $2'"
}
python "an empty file" "os.fsync(f); os.close(f)"
python "not synced" "os.write(f, b\"x\"); os.close(f)"
python "synced too soon" "os.fsync(f); os.write(f, b\"x\"); os.close(f)"
python "seek" "os.write(f, b\"x\"); os.lseek(f, 0, 0); os.fsync(f); os.close(f)"
python "pwrite" "os.pwrite(f, b\"x\", 0); os.fsync(f); os.close(f)"
python "dup" "os.write(f, b\"x\"); os.dup(f); os.fsync(f); os.close(f)"
python "read while written" "os.write(f, b\"x\"); os.open(\"$T/other/new\", 0); os.fsync(f); os.close(f)"
python "never closed" "os.write(f, b\"x\"); os.fsync(f)"
python "a process beside it" "os.write(f, b\"x\"); os.system(\"true\"); os.fsync(f); os.close(f)"
breach "map" "$python3 -IS -c 'import mmap; f = open(\"$T/other/old\"); mmap.mmap(f.fileno(), 0, prot=1)'"

$traced -o trace "$python3" -IS -c "$made; os.write(f, b'x'); os.fsync(f); os.close(f)"
contract "$T/other" trace
is "$(tail -n 1 contract.log | cut -d' ' -f3-5)" "1 files written," "and what keeps it is none"
is "$(tail -n 1 contract.log | cut -d' ' -f6-)" "0 violations" "of them"
finish
