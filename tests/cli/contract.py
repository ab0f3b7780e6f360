#!/usr/bin/env python3
"""contract.py FOLDER TRACE...: what traces of strace say that was done to FOLDER beyond what
bale may ask of a storage. Prints each violation and at last how many calls were judged, and
fails where there is a violation. The traces are made with

    strace -f -q -y -s 0 -e trace=file,desc,memory,process

Allowed are: mkdir; a file created under a name never used before, by O_EXCL, written from
start to end by write alone, synced after the last write, closed once; a whole file opened to
read, pread and stat; listing a folder; deleting a file; asking for the space that is left.
"""
import re
import sys

CREATE = {"O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC"}
READ = {"O_RDONLY", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "O_PATH"}
LOOK = {"newfstatat", "fstat", "stat", "lstat", "statx", "getdents64", "fstatfs", "statfs",
        "readlink", "readlinkat", "pread64"}
NAME = re.compile(r"README\.txt|[0-9a-z.-]{1,80}")
CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")


class Trace:
    def __init__(self, folder):
        self.folder = folder
        self.writing = {}  # path: bytes written, whether synced since
        self.used = set()
        self.calls = 0
        self.violations = []

    def inside(self, path):
        return path == self.folder or path.startswith(self.folder + "/")

    def paths(self, arguments):
        """Every path in the arguments: of descriptors, and of names relative to them."""
        found, base = [], None
        for fd, at, name in re.findall(
                r'\b\d+<([^>]*)>|AT_FDCWD<([^>]*)>|"((?:[^"\\]|\\.)*)"', arguments):
            if fd or at:
                base = fd or at
                if fd:
                    found.append(fd)
            elif name:
                found.append(name if name.startswith("/") else f"{base or ''}/{name}")
        return [p for p in found if self.inside(p)]

    def bad(self, why, line):
        self.violations.append(f"{why}: {line}")

    def judge(self, line):
        match = CALL.match(line)
        if not match:
            return
        call, arguments, result = match.groups()
        if call in ("fork", "vfork") or (call.startswith("clone") and "CLONE_THREAD" not in line):
            if self.writing:
                self.bad("a process is started, which may close a file once more", line)
        paths = self.paths(arguments)
        if not paths:
            return
        self.calls += 1
        path, failed = paths[-1], result.startswith("-")
        if call == "openat":
            self.open(path, arguments, failed, line)
        elif call in ("write", "fsync", "close"):
            self.use(call, path, result, line)
        elif call in ("unlink", "unlinkat"):
            if path in self.writing or "AT_REMOVEDIR" in arguments:
                self.bad("deleted while written, or a folder", line)
        elif call in ("mkdir", "mkdirat"):
            if not re.search(r", 0700$", arguments):
                self.bad("a mode that is asked for", line)
        elif call == "fcntl":
            if not re.search(r"F_GETFL|F_SETFD|F_GETFD", arguments):
                self.bad("not allowed", line)
        elif call not in LOOK:
            self.bad("not allowed", line)

    def open(self, path, arguments, failed, line):
        flags = set(re.search(r"\bO_[A-Z_|]*", arguments).group().split("|"))
        if flags <= READ:
            if path in self.writing:
                self.bad("read while written", line)
        elif not CREATE <= flags or flags - CREATE or not arguments.endswith(", 0600"):
            self.bad("opened to write otherwise than by creating it", line)
        elif not NAME.fullmatch(path.rsplit("/", 1)[1]):
            self.bad("a name that is not allowed", line)
        elif not failed:
            if path in self.used:
                self.bad("a name used twice", line)
            self.used.add(path)
            self.writing[path] = [0, False]

    def use(self, call, path, result, line):
        if call == "close" and path not in self.writing:
            return  # of what was read
        if path not in self.writing:
            self.bad("written or synced without being created", line)
        elif call == "write":
            self.writing[path][0] += max(0, int(result))
            self.writing[path][1] = False
        elif call == "fsync":
            self.writing[path][1] = True
        else:
            size, synced = self.writing.pop(path)
            if size == 0 or not synced:
                self.bad("closed empty, or not synced", line)

    def read(self, file):
        begun, killed = {}, False
        for line in file:
            pid, _, line = line.rstrip("\n").partition(" ")
            line = line.lstrip()
            killed = killed or line.startswith("+++ killed")
            if line.endswith("<unfinished ...>"):
                begun[pid] = line.removesuffix("<unfinished ...>").rstrip()
                continue
            resumed = re.match(r"<\.\.\. \w+ resumed>", line)
            if resumed:
                line = begun.pop(pid, "") + line[resumed.end():]
            self.judge(line)
        for path in self.writing:
            if not killed:
                self.bad("never closed", path)
        self.writing.clear()


def main():
    trace = Trace(sys.argv[1])
    for name in sys.argv[2:]:
        with open(name, errors="surrogateescape") as file:
            trace.read(file)
    for violation in trace.violations:
        print(violation)
    print(f"{trace.calls} calls, {len(trace.used)} files written,"
          f" {len(trace.violations)} violations")
    return 1 if trace.violations else 0


if __name__ == "__main__":
    sys.exit(main())
