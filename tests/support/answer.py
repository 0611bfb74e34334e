#!/usr/bin/env python3
"""answer.py PROMPT ANSWER COMMAND... - run a command on a terminal of its own.

Waits until PROMPT has been printed, types ANSWER and a newline, prints all that the
command said, and exits with its status; 125: the prompt did not come within 20 s.
"""
import os
import pty
import select
import sys
import time

prompt, answer, command = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
said, answered, until = b"", False, time.monotonic() + 20
while time.monotonic() < until:
    if not select.select([terminal], [], [], 0.2)[0]:
        continue
    try:
        more = os.read(terminal, 4096)
    except OSError:  # the other end was closed
        break
    if not more:
        break
    said += more
    if prompt in said and not answered:
        os.write(terminal, answer + b"\n")
        answered = True
sys.stdout.buffer.write(said.replace(b"\r\n", b"\n"))
if not answered:
    os.kill(pid, 9)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if answered else 125)
