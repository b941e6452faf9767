# SPDX-License-Identifier: MIT
"""
cdi.py FILE: says what is in a specification of the Container Device Interface,
or how it breaks that format: SPEC.md of the Container Device Interface 1.1.0,
and what its parser asks of names.
"""
import json
import re
import sys

DEVICE = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.:-]*[a-zA-Z0-9])?$")
KIND = re.compile(r"[a-zA-Z]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?/[a-zA-Z]([a-zA-Z0-9_-]{,61}[a-zA-Z0-9])?$")
ABSOLUTE = re.compile(r"/")
ANY = re.compile("")


def members(thing, where, required, optional=()):
    """An object with these, and no others: engines refuse a file for a field unknown to them."""
    assert isinstance(thing, dict), f"{where} is no object"
    for name in required:
        assert name in thing, f"{where} lacks {name}"
    for name in thing:
        assert name in (*required, *optional), f"{where} has {name}"


def words(thing, where, wanted=ANY):
    assert isinstance(thing, str) and wanted.match(thing), f"{where} is {thing!r}"


def version(text):
    return [int(number) for number in text.split(".")]


def edits(thing, where):
    members(thing, where, (), ("env", "deviceNodes", "mounts"))
    assert thing, f"{where} is empty"
    for variable in thing.get("env", ()):
        words(variable, f"{where}: env", re.compile("[A-Z_]+="))
    for node in thing.get("deviceNodes", ()):
        members(node, f"{where}: node", ("path",), ("permissions",))
        words(node["path"], f"{where}: node", ABSOLUTE)
        words(node.get("permissions", "r"), f"{where}: permissions", re.compile("[rwm]+$"))
    for mount in thing.get("mounts", ()):
        members(mount, f"{where}: mount", ("hostPath", "containerPath"), ("options",))
        words(mount["hostPath"], f"{where}: mount", ABSOLUTE)
        words(mount["containerPath"], f"{where}: mount", ABSOLUTE)
        for option in mount.get("options", ()):
            words(option, f"{where}: option of mount")


def check(spec):
    members(spec, "the whole", ("cdiVersion", "kind", "devices"), ("containerEdits",))
    words(spec["cdiVersion"], "cdiVersion", re.compile(r"\d+\.\d+\.\d+$"))
    words(spec["kind"], "kind", KIND)
    assert spec["devices"], "there is no device"
    names = [device.get("name") for device in spec["devices"]]
    assert len(set(names)) == len(names), "a name is there twice"
    for device in spec["devices"]:
        members(device, "a device", ("name", "containerEdits"))
        words(device["name"], "the name of a device", DEVICE)
        edits(device["containerEdits"], device["name"])
        assert device["name"][0].isalpha() or version(spec["cdiVersion"]) >= [0, 5, 0], \
            "a name that begins with a digit takes 0.5.0"
    edits(spec.get("containerEdits", {"env": []}), "containerEdits")


def tell(spec):
    def nodes(thing):
        return [node["path"] + ":" + node["permissions"] for node in thing["deviceNodes"]]

    common = spec["containerEdits"]
    print("kind", spec["kind"])
    for device in spec["devices"]:
        print("device", device["name"], *nodes(device["containerEdits"]))
    print("all", *nodes(common), *common["env"])
    for mount in common["mounts"]:
        print("mount", mount["hostPath"], mount["containerPath"], ",".join(mount["options"]))


with open(sys.argv[1], encoding="ascii") as file:
    spec = json.load(file)
try:
    check(spec)
except AssertionError as wrong:
    sys.exit(str(wrong))
tell(spec)
