#!/usr/bin/env python3
"""controls.py MOUNT BACKING ENDS: breaks the contract on a mount of dumbfs in each way there is,
and tries each of its controls; says in TAP whether it was refused and counted, or done. ENDS is
another mount of the same folder, which keeps what is closed until it is unmounted."""
import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
import time

mount, backing, ends = (os.path.abspath(a) for a in sys.argv[1:4])
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
tests = failed = names = 0


def check(what, got, want):
    global tests, failed
    tests += 1
    if got != want:
        failed += 1
    print(f"{'ok' if got == want else 'not ok'} {tests} - {what}")
    if got != want:
        print(f"# got {got!r}, want {want!r}")


def tell(*lines):
    with open(f"{mount}/.dumbfs", "w", encoding="ascii") as f:
        f.write("\n".join(lines))


def told(word):
    with open(f"{mount}/.dumbfs", encoding="ascii") as f:
        return {k: int(v) for k, v in
                (line.split()[-2:] for line in f if line.startswith(word))}


def fresh():
    global names
    names += 1
    return f"{mount}/n{names}"


def behind(path):
    return backing + path[len(mount):]


def begin(path=None, flags=NEW, mode=0o600):
    """A new file with a byte in it, open."""
    fd = os.open(path or fresh(), flags, mode)
    os.write(fd, b"x")
    return fd


def make(path, content=b"x"):
    fd = os.open(path, NEW, 0o600)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)
    return path


def error(act):
    """The errno's name of what fails; None."""
    try:
        act()
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


# --- breaches

old = make(fresh(), b"whole")
os.mkdir(f"{mount}/d", 0o700)


def breach(kinds, act, refused=True):
    tell("reset")
    check(f"{kinds}: refused", error(act), "EPERM" if refused else None)
    check("and counted", " ".join(told("violation ")), kinds)
    check("in all", sum(told("violation ").values()), told("violations")["violations"])


def opened(act, path=None):
    """A breach by who has a new file open."""
    path = path or fresh()
    fd = begin(path)
    try:
        act(fd, path)
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)


def while_copied(fd, path):
    os.close(os.dup(fd))
    os.write(fd, b"y")


def second_close():
    fd = begin()
    os.close(os.dup(fd))
    os.close(fd)


def twice():
    os.unlink(make(f"{mount}/twice"))
    begin(f"{mount}/twice")


def twice_failed():
    tell("on create */again EIO", "on create again EIO")
    check("an attempt that fails", error(lambda: begin(f"{mount}/again")), "EIO")
    begin(f"{mount}/again")


reader = os.open(old, os.O_RDONLY)
breach("rename", lambda: os.rename(old, fresh()))
breach("link", lambda: os.link(old, fresh()))
breach("symlink", lambda: os.symlink("old", fresh()))
breach("mknod", lambda: os.mknod(fresh(), 0o600 | stat.S_IFIFO))
breach("rmdir", lambda: os.rmdir(f"{mount}/d"))
breach("truncate", lambda: os.truncate(old, 2))
breach("truncate", lambda: opened(lambda fd, path: os.ftruncate(fd, 0)))
breach("chmod", lambda: os.chmod(old, 0o640))
breach("chown", lambda: os.chown(old, 1, 1))
breach("utime", lambda: os.utime(old, (1, 1)))
breach("lock", lambda: fcntl.flock(reader, fcntl.LOCK_EX))
breach("lock", lambda: fcntl.lockf(reader, fcntl.LOCK_SH))
breach("xattr", lambda: os.setxattr(old, "user.x", b"y"))
breach("xattr", lambda: os.getxattr(old, "user.x"))
breach("xattr", lambda: os.listxattr(old))
breach("xattr", lambda: os.removexattr(old, "user.x"))
breach("fallocate", lambda: opened(lambda fd, path: os.posix_fallocate(fd, 0, 100)))
breach("copy-range", lambda: opened(lambda fd, path: os.copy_file_range(reader, fd, 5)))
breach("open-for-write", lambda: os.open(old, os.O_WRONLY))
breach("open-for-write", lambda: os.open(old, os.O_WRONLY | os.O_TRUNC))
breach("read-write", lambda: os.open(old, os.O_RDWR))
breach("append", lambda: os.open(old, os.O_WRONLY | os.O_APPEND))
breach("not-exclusive", lambda: begin(flags=os.O_WRONLY | os.O_CREAT))
breach("read-write", lambda: begin(flags=os.O_RDWR | os.O_CREAT | os.O_EXCL))
breach("append", lambda: begin(flags=NEW | os.O_APPEND))
breach("seeking-write", lambda: opened(lambda fd, path: os.pwrite(fd, b"y", 0)))
breach("seeking-write", lambda: opened(lambda fd, path: os.pwrite(fd, b"y", 9)))
breach("open-while-written", lambda: opened(lambda fd, path: os.open(path, os.O_RDONLY)))
breach("unlink-while-written", lambda: opened(lambda fd, path: os.unlink(path)))
breach("second-flush", second_close)
breach("second-flush write-after-flush", lambda: opened(while_copied))
breach("empty-file", lambda: os.close(os.open(fresh(), NEW, 0o600)), refused=False)
breach("name", lambda: begin(f"{mount}/Upper"))
breach("name", lambda: begin(f"{mount}/under_score"))
breach("name", lambda: begin(f"{mount}/{'x' * 81}"))
breach("name-reused", twice)
breach("name-reused", twice_failed)
breach("mode", lambda: begin(mode=0o640))
breach("mode", lambda: os.mkdir(fresh(), 0o755))
os.close(reader)
with open(behind(old), "rb") as f:
    check("nothing of it was done", f.read(), b"whole")
tell("reset", "clear")
check("a name that is taken is no breach", error(lambda: begin(old)), "EEXIST")
check("nor is any of what is allowed", told("violations")["violations"], 0)

# --- errors: of each kind of operation, by each name, when it is their turn

for kind, act in {
    "look": lambda: os.stat(f"{mount}/none"), "opendir": lambda: os.listdir(mount),
    "open": lambda: os.open(old, os.O_RDONLY), "create": lambda: begin(fresh()),
    "read": lambda: open(old, "rb").read(), "unlink": lambda: os.unlink(old),
    "seek": lambda: os.pread(os.open(old, os.O_RDONLY), 2, 2),
    "write": lambda: begin(), "fsync": lambda: opened(lambda fd, path: os.fsync(fd)),
    "flush": lambda: os.close(begin()), "mkdir": lambda: os.mkdir(fresh(), 0o700),
    "statfs": lambda: os.statvfs(mount),
}.items():
    tell("clear", f"on {kind} * EIO")
    check(f"{kind} fails", error(act), "EIO")
for name in ("EIO EINTR ENOSPC EDQUOT ESTALE ENOTCONN ETIMEDOUT EROFS EACCES ENOENT EAGAIN"
             " EHOSTDOWN EREMOTEIO EBADF").split():
    tell("clear", f"on mkdir * times=2 {name}") # the kernel tries once more after ESTALE
    check(name, error(lambda: os.mkdir(fresh(), 0o700)), name)

tell("clear", "on mkdir * nth=2 every=3 times=2 EIO")
check("the second, and each third after it, twice",
      [error(lambda: os.mkdir(fresh(), 0o700)) for i in range(9)],
      [None, "EIO", None, None, "EIO"] + 4 * [None])
tell("clear", "on mkdir * nth=2 times=ever EIO")
check("all from the second on", [error(lambda: os.mkdir(fresh(), 0o700)) for i in range(3)],
      [None, "EIO", "EIO"])
tell("clear", "on mkdir d/* EIO")
check("not where the pattern does not match", error(lambda: os.mkdir(fresh(), 0o700)), None)
check("but where it does", error(lambda: os.mkdir(f"{mount}/d/e", 0o700)), "EIO")


def written(path):
    """What fails of write, sync, close."""
    fd = os.open(path, NEW, 0o600)
    return [error(a) for a in
            (lambda: os.write(fd, b"12345678"), lambda: os.fsync(fd), lambda: os.close(fd))]


def content(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        return errno.errorcode[e.errno]


tell("clear", "on flush * EIO")
check("at the close alone", written(fresh()), [None, None, "EIO"])
for word, what, want in ("torn=3", "cut short", b"123"), ("lose", "lost", "ENOENT"):
    tell("clear", f"on flush * {word}")
    path = fresh()
    check(f"{what}, and nothing is said", written(path), 3 * [None])
    check("as it is then", content(behind(path)), want)
tell("clear", "on flush * phantom EIO")
path = fresh()
check("a phantom", written(path), [None, None, "EIO"])
check("is listed", os.path.basename(path) in os.listdir(mount), True)
check("at its size", os.stat(path).st_size, 8)
check("cannot be read", content(path), "EIO")
check("has its name taken", error(lambda: make(path)), "EEXIST")
check("and is not there", content(behind(path)), "ENOENT")

# --- time


def seconds(act):
    start = time.monotonic()
    act()
    return time.monotonic() - start


tell("clear", "latency create,page 500")
check("latency of what it is for", 0.5 <= seconds(lambda: make(fresh())), True)
check("and of nothing else", seconds(lambda: open(old, "rb").read()) < 0.5, True)
os.mkdir(f"{backing}/many")
for i in range(2001):
    os.close(os.open(f"{backing}/many/{i}", os.O_CREAT, 0o600))
check("two more pages of names", 1 <= seconds(lambda: os.listdir(f"{mount}/many")), True)
tell("clear", "on mkdir * wait=200")
check("by rule", 0.2 <= seconds(lambda: os.mkdir(fresh(), 0o700)), True)
tell("clear", "bandwidth up 1")
check("bandwidth", 0.49 <= seconds(lambda: make(path := fresh(), 500000 * b"x")), True)
large = f"{mount}/n{names}"
check("one way", seconds(lambda: open(large, "rb").read()) < 0.49, True)
tell("clear", "bandwidth down 1")
check("or the other", 0.49 <= seconds(lambda: open(large, "rb").read()), True)

# --- uploads


def wait_for(test):
    for i in range(400):
        if test():
            return True
        time.sleep(0.02)
    return False


def uploaded(order):
    """Which of three is the only one to be uploaded."""
    tell("clear", f"uploads hold order={order}", "on upload * nth=2 times=ever EIO")
    three = [make(fresh(), b"12345678") for i in range(3)]
    check("closed, seen here", [content(p) for p in three], 3 * [b"12345678"])
    check("and not there", [content(behind(p)) for p in three], 3 * ["ENOENT"])
    check("but told of", told("pending"), {"pending": 3})
    tell("uploads go")
    wait_for(lambda: told("pending") == {"pending": 2})
    is_there = [os.path.exists(behind(p)) for p in three]
    tell("uploads hold drop")
    check("what is dropped is nowhere", [content(p) for p in three if not
                                         os.path.exists(behind(p))], 2 * ["ENOENT"])
    return is_there


check("in the order of the closes", uploaded("close"), [True, False, False])
check("the other way round", uploaded("reverse"), [False, False, True])
check("in any", sum(uploaded("shuffle")), 1)
tell("clear", "uploads late=0.3")
path = make(fresh())
check("late", os.path.exists(behind(path)), False)
check("but at last", wait_for(lambda: content(behind(path)) == b"x"), True)
tell("clear", "uploads hold", "on upload * torn=3")
path = make(fresh(), b"12345678")
tell("uploads go")
check("uploaded in part", wait_for(lambda: content(behind(path)) == b"123"), True)
tell("clear", "uploads hold placeholder")
path = make(fresh())
check("there is an empty file until then", content(behind(path)), b"")
tell("uploads drop", "clear")

# --- what is seen, and what is not

listed = sorted(os.listdir(mount))
tell("clear", "on opendir * times=ever hide=100")
check("a listing without names", os.listdir(mount), [])
tell("clear", "on opendir * times=ever hide=50")
some = sorted(os.listdir(mount))
check("without some", 0 < len(some) < len(listed) and set(some) < set(listed), True)
check("the same ones each time", sorted(os.listdir(mount)), some)
tell("clear", "on opendir * hidden=n*")
check("without some by name", [n for n in os.listdir(mount) if n[0] == "n"], [])
check("once", sorted(os.listdir(mount)), listed)

tell("clear", "stale list=1000 look=1000")
os.listdir(mount)
with open(f"{backing}/late", "wb") as f:
    f.write(b"elsewhere")
gone = make(fresh())
os.unlink(behind(gone))
check("made elsewhere: not listed", "late" in os.listdir(mount), False)
check("nor found", error(lambda: os.stat(f"{mount}/late")), "ENOENT")
check("deleted elsewhere: listed", os.path.basename(gone) in os.listdir(mount), True)
check("found", error(lambda: os.stat(gone)), None)
check("and cannot be read", content(gone), "ENOENT")
tell("stale forget")
check("forgotten: it is seen", ("late" in os.listdir(mount), content(f"{mount}/late")),
      (True, b"elsewhere"))
check("and so is that", os.path.basename(gone) in os.listdir(mount), False)

# --- the end

last = make(f"{ends}/last")
check("not uploaded yet", os.path.exists(f"{backing}/last"), False)
subprocess.run(["fusermount3", "-u", ends], check=True)
check("the unmount waits for it", wait_for(lambda: content(f"{backing}/last") == b"x"), True)
tell("clear", "uploads hold", "on mkdir d/* die")
lost = make(fresh())
check("the death of the mount", error(lambda: os.mkdir(f"{mount}/d/e", 0o700)) in
      ("ENOTCONN", "ECONNABORTED"), True)
check("is its end", error(lambda: os.listdir(mount)), "ENOTCONN")
check("and of what was not uploaded", os.path.exists(behind(lost)), False)
print(f"1..{tests}")
sys.exit(failed != 0)
