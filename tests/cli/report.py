#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks whether a page of `compare --report` is what it has to be: report.py FILE

Prints a line for each thing that is wrong, then the text of the verdict. With a
second argument, a Python expression, prints its value: text is the whole text.
"""
import re, sys
import xml.etree.ElementTree as ElementTree

H, SVG = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"
data = open(sys.argv[1], "rb").read()
page = ElementTree.fromstring(data)
elements = list(page.iter())


def wrong(what):
    print("wrong:", what)


def of(name):
    return [e for e in elements if e.tag == H + name]


# ---- nothing from elsewhere, nothing that runs ----
if max(data) > 126 or [c for c in data if c < 32 and c != 10]:
    wrong("not all is printable ASCII")
ids = [e.get("id") for e in elements if e.get("id")]
if len(ids) != len(set(ids)):
    wrong("an id is there twice")
known = "html head meta title style body a header p h1 h2 h3 span main section ul li nav code " \
    "table caption thead tbody tr th td figure figcaption div details summary dl dt dd footer " \
    "svg desc line text path rect g".split()
for element in elements:
    name = element.tag.rpartition("}")[2]
    if name not in known:
        wrong(f"<{name}>")
    for attribute, value in element.attrib.items():
        if attribute.startswith("on") or attribute in ("src", "style", "srcset", "data"):
            wrong(f"{attribute} of <{name}>")
        if attribute.endswith("href") and not (value[:1] == "#" and value[1:] in ids):
            wrong(f"a reference to {value}")
        if attribute == "aria-labelledby" and not set(value.split()) <= set(ids):
            wrong(f"a label {value}")
style = "".join(of("style")[0].itertext())
if re.search(r"url\(|@import|//", style):
    wrong("a reference in the style")
for name in "prefers-color-scheme:dark", "max-width", "print", "A4":
    if name not in style:
        wrong(f"no {name} in the style")

# ---- for who does not see it ----
levels = [int(e.tag[-1]) for e in elements if re.fullmatch(H + "h[1-6]", e.tag)]
if levels[0] != 1 or levels.count(1) != 1 or any(b > a + 1 for a, b in zip(levels, levels[1:])):
    wrong(f"headings {levels}")
for table in of("table"):
    if table[0].tag != H + "caption":
        wrong("a table without a caption")
for th in of("th"):
    if th.get("scope") not in ("row", "col"):
        wrong("a head of a table without a scope")
for svg in [e for e in elements if e.tag.endswith("}svg")]:
    if svg.get("aria-hidden") != "true" and (
            svg.get("role") != "img" or
            [c.tag.rpartition("}")[2] for c in svg[:2]] != ["title", "desc"]):
        wrong("a picture without words")
for element in elements:
    if element.get("tabindex") and not (element.get("role") and element.get("aria-label")):
        wrong("a place for the keyboard without a name")
if page.get("lang") != "en" or len(of("main")) != 1 or not of("nav")[0].get("aria-label"):
    wrong("language or landmarks")

text = re.sub(r"\s+", " ", "".join("".join(e.itertext()) for e in of("body")))
verdict = [e for e in of("section") if "verdict" in e.get("class")][0]
# The first screen: nothing but the header is above it.
if list(of("main")[0])[0] is not verdict:
    wrong("the verdict is not the first")


def words(element):
    return re.sub(r"\s+", " ", " ".join(element.itertext())).strip()


def count(name, kind):
    return sum(kind in (e.get("class") or "").split() for e in elements if e.tag.endswith(name))


if len(sys.argv) > 2:
    print(eval("(" + sys.argv[2] + ")"))
else:
    print(verdict.get("class"), words(verdict), sep=": ")
