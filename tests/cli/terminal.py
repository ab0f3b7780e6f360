"""usage: terminal.py ANSWERS COMMAND...

Run a command on a terminal of its own and answer each of its prompts (what ends in ": ")
with the next comma-separated answer; "^C" presses control-C. Prints what stood on the
terminal and ends with the command's status.
"""
import os
import pty
import signal
import sys

signal.alarm(60)  # an answer that was not taken must not hang the tests
answers = sys.argv[1].split(",")
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = unanswered = b""
while True:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    unanswered += got
    if unanswered.endswith(b": ") and answers:
        answer = answers.pop(0)
        os.write(fd, b"\x03" if answer == "^C" else answer.encode() + b"\n")
        unanswered = b""
sys.stdout.buffer.write(seen)
sys.stdout.flush()
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status))
