#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command whose standard error is a terminal and prints what is to be seen there.

progress.py COLUMNS TERM SIGNAL COMMAND [ARG...]

Sends SIGNAL (none: "-") when there is a line in the last row. Prints each line that was
there, "last: " before it, in the order in which they came, "last: " alone where it was
erased; then the other rows as they are at the end, without empty ones; and, after a signal,
what came of it and how many rows scroll. Standard output goes to /dev/null.
"""
import fcntl, os, pty, re, signal, struct, sys, termios

ROWS = 24
columns, term, sent, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
pid = os.fork()
if not pid:
    os.setpgid(0, 0)  # in a group that has no parent in its session no process stops
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(slave, 2)
    os.close(master)
    for name in "INT", "TERM", "HUP", "QUIT", "TSTP":  # a job in the background ignores some
        signal.signal(getattr(signal, "SIG" + name), signal.SIG_DFL)
    os.environ["TERM"] = term
    os.execv(command[0], command)
os.close(slave)
written, status = b"", None
while True:
    try:
        written += os.read(master, 65536)
    except OSError:  # nobody has the terminal open any more
        break
    if sent != "-" and status is None and f"\033[{ROWS};1H".encode() in written:
        os.kill(pid, getattr(signal, "SIG" + sent))
        status = os.waitpid(pid, os.WUNTRACED)[1]
        if os.WIFSTOPPED(status):
            os.kill(pid, signal.SIGKILL)
if status is None or os.WIFSTOPPED(status):
    os.waitpid(pid, 0)

# ---- the terminal ----

screen, bottom, last = [""] * ROWS, ROWS, []
row, column, saved = 0, 0, (0, 0)
for sequence, number, kind, character in re.findall(
        "\033(7|8|\\[([0-9;]*)([A-Za-z]))|([^\033])", written.decode(), re.S):
    if sequence == "7":
        saved = row, column
    elif sequence == "8":
        row, column = saved
    elif kind == "A":
        row = max(row - 1, 0)
    elif kind == "r":
        bottom = int(number.partition(";")[2] or ROWS)
        row = column = 0
    elif kind == "H":
        row, column = int(number.partition(";")[0]) - 1, 0
    elif kind == "K":
        screen[row] = screen[row][:column]
        if row == ROWS - 1:
            last.append(screen[row])
    elif character == "\r":
        column = 0
    elif character == "\n" and row == bottom - 1:
        screen[:bottom] = screen[1:bottom] + [""]
    elif character == "\n":
        row = min(row + 1, ROWS - 1)
    elif character:
        screen[row] = screen[row][:column].ljust(column) + character + screen[row][column + 1:]
        column += 1
    else:
        sys.exit(f"not understood: {sequence!r}")
for line in last:
    print("last:", line)
print(*filter(None, screen), sep="\n")
if status is not None:
    print("stopped" if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status),
          f"{bottom} rows scroll", sep=", ")
