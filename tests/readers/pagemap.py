#!/usr/bin/python3
"""The ways by which Python programs read their pagemap.

What it prints and waits for: see tests/vm/guest/observe.
"""

import ctypes
import io
import mmap
import os
import struct
import sys

PAGE, PAGES, UNTOUCHED = 4096, 16, 5
PATH = "/proc/self/pagemap"


def os_read(pos):
    fd = os.open(PATH, os.O_RDONLY)
    os.lseek(fd, pos, os.SEEK_SET)
    data = b"".join(os.read(fd, 8) for _ in range(PAGES))
    os.close(fd)
    return data


def os_pread(pos):
    fd = os.open("/proc/%d/pagemap" % os.getpid(), os.O_RDONLY | os.O_CLOEXEC)
    data = os.pread(fd, 8 * PAGES, pos)
    os.close(fd)
    return data


def os_preadv(pos):
    fd = os.open(PATH, os.O_RDONLY)
    data = bytearray(8 * PAGES)
    os.preadv(fd, [memoryview(data)[:24], memoryview(data)[24:]], pos)
    os.close(fd)
    return data


def unbuffered(pos):
    with open(PATH, "rb", buffering=0) as file:
        file.seek(pos)
        return file.read(8 * PAGES)


def buffered(pos):
    with open(PATH, "rb") as file:
        file.seek(pos)
        return b"".join(file.read(8) for _ in range(PAGES))


def buffered_each(pos):
    data = b""
    for page in range(PAGES):
        with open(PATH, "rb") as file:
            file.seek(pos + 8 * page)
            data += file.read(8)
    return data


def over_a_descriptor(pos):
    data = bytearray(8 * PAGES)
    with io.open(os.open(PATH, os.O_RDONLY), "rb", buffering=64) as file:
        file.seek(pos)
        file.readinto(data)
    return data


memory = []  # mapped until the end


def new_memory():
    new = mmap.mmap(-1, PAGES * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(PAGES):
        if page != UNTOUCHED:
            new[page * PAGE] = 1
    memory.append(new)
    return ctypes.addressof(ctypes.c_char.from_buffer(new))


for way in (os_read, os_pread, os_preadv, unbuffered, buffered, buffered_each,
            over_a_descriptor):
    va = new_memory()
    for entry in struct.unpack("%dQ" % PAGES, way(va // PAGE * 8)):
        print(hex(va), hex(entry), way.__name__)
        va += PAGE
print("ready", flush=True)
sys.stdin.read()
