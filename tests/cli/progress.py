#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command whose standard error is a terminal and prints what was written to it.

progress.py COLUMNS TERM COMMAND [ARG...]

Each erased or renewed line is a line of output. Standard output goes to /dev/null.
"""
import fcntl, os, pty, struct, sys, termios

columns, term, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
pid = os.fork()
if not pid:
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(slave, 2)
    os.close(master)
    os.environ["TERM"] = term
    os.execv(command[0], command)
os.close(slave)
written = b""
while True:
    try:
        written += os.read(master, 65536)
    except OSError:  # nobody has the terminal open any more
        break
os.waitpid(pid, 0)
print(written.decode().replace("\033[K", "<erase>").replace("\r\n", "\n").replace("\r", "\n"), end="")
