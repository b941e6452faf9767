#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command on a terminal of its own and tells what was drawn there.

watch.py COLUMNS UNTIL END COMMAND [ARG...]

Waits until the regular expression UNTIL is on the screen, then ends the command:
END is text to be typed or, with "SIG" in front, a signal. Prints the screen as
it was, then a line with the exit status, whether the terminal's modes are what
they were, and whether the alternate screen was left with a cursor shown.
"""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time

columns, until, end, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
before = termios.tcgetattr(slave)
pid = os.fork()
if not pid:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.close(master)
    os.environ["TERM"] = "xterm"
    os.execv(command[0], command)


def screen(drawn):
    """The last frame that is whole."""
    frames = drawn.split("\033[H")
    last = [f for f in frames[1:] if "\033[J" in f]
    return re.sub(r"\033\[\??[0-9]*[A-Za-z]", "", last[-1]).replace("\r", "") if last else ""


def read(seconds):
    """False when nobody has the terminal open any more, or nothing came."""
    global drawn
    if not select.select([master], [], [], seconds)[0]:
        return False
    drawn += os.read(master, 65536)
    return True


drawn, deadline = b"", time.monotonic() + 50
while not re.search(until, screen(drawn.decode()), re.M) and time.monotonic() < deadline:
    read(0.1)
shown = screen(drawn.decode())
if end.startswith("SIG"):
    os.kill(pid, getattr(signal, end))
else:
    os.write(master, end.encode().decode("unicode_escape").encode())
status = None
while time.monotonic() < deadline:
    read(0.1)
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        break
else:
    os.kill(pid, signal.SIGKILL)
while read(0):
    pass
left = drawn.rfind(b"\033[?1049l") > drawn.rfind(b"\033[?1049h") and \
    drawn.rfind(b"\033[?25h") > drawn.rfind(b"\033[?25l")
print(shown, end="")
print("status", os.waitstatus_to_exitcode(status), "modes", termios.tcgetattr(slave) == before,
      "left", left)
