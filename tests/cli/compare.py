#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a record for `compare --against`: compare.py FILE [MEMBER=VALUE...]

VALUE is a Python expression. wrong is an errno that one question is answered
with; moved says how many of the 40 addresses moved.
"""
import json, math, sys

given = dict(argument.split("=", 1) for argument in sys.argv[2:])
given = {name: eval(value) for name, value in given.items()}
wrong, moved = given.pop("wrong", "done"), given.pop("moved", 0)
times = sorted(int(1000 * math.exp(i % 50 / 12)) for i in range(400))
record = {
    "record": 1, "way": "group", "took_ns": 10 * 10**9, "status": 0, "killed": False, "lost": 0,
    "operations": 520, "setup_ns": 600000000, "lookups": 400, "pinned_bytes": 0, "backend": None,
    "given": 40, "seen": 40, "moved": moved,
    "about": {"program": ["driver", "--port", "1"], "path": "/opt/driver/bin/driver",
              "version": "0.1", "time": "2026-01-02 03:04:05 UTC", "host": "appliance, x86_64",
              "kernel": "6.1.0-40-amd64 #1 SMP", "processor": "Some Processor",
              "memory": "8192 MiB",
              "devices": ["0000:00:03.0, 8086:10d3, vfio-pci, vfio0"]},
    "asked": [
        {"operation": 'open "/dev/vfio/vfio"', "answers": ["done"]},
        {"operation": "vfio: VFIO_SET_IOMMU, NOIOMMU", "answers": [wrong]},
        {"operation": "0000:00:03.0: VFIO_DEVICE_GET_IRQ_INFO, {index=MSIX}",
         "answers": ["EBUSY", "0 {flags=EVENTFD, count=5}"]}],
    "lookup_times_ns": times,
    "addresses": [
        {"pid": 42, "virtual": hex(0x7f3f81785000 + i * 4096), "physical": hex(0x4344000 + i * 8192),
         "since_ns": 500000000 + i * 20000000, "until_ns": 9 * 10**9,
         "elsewhere_ns": [[3 * 10**9 + i * 10**8, (5 if i % 2 else 9) * 10**9]] if i < moved else []}
        for i in range(40)],
}
for name, value in given.items():
    place = record["about"] if name in record["about"] else record
    place[name] = value
if given.get("way", "group") != "group":
    record["pinned_bytes"], record["backend"] = 160 * 1024, "iommufd"
with open(sys.argv[1], "w") as file:
    json.dump(record, file)
