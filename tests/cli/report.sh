#!/usr/bin/env bash
#
# `compare --report`: the page, of runs that were recorded. The command is the
# one of the build directory that this runs in.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
command=$(realpath "${NOIOMMU_SHIM_COMMAND:-./noiommu-shim}")
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"
cd "$scratch"

if ! type -P python3 >/dev/null; then
    echo "there is no python3, which reads pages"
    exit 77
fi
if ! "$command" run -- true 2>err && [[ $(<err) == *Sanitizer* ]]; then
    echo "the library was built with a sanitizer, which must be preloaded first"
    exit 77
fi

record() { # FILE [MEMBER=VALUE...]
    python3 "$here/compare.py" "$@"
}

report() { # [MEMBER=VALUE...]: what the second run has that the first has not
    record new 'way="cdev"' "$@"
    status=0
    "$command" compare --against old --against new --report page.html >out 2>err || status=$?
}

page() { # [EXPRESSION]
    python3 "$here/report.py" page.html "$@"
}

"$command" compare --record x --report y -- true 2>err && status=0 || status=$?
is "a page of a record" "$status/$(wc -l <err)" 2/1
record old
"$command" compare --against old --against old --report none/x 2>err && status=0 || status=$?
is "a page that cannot be written" "$status/$(wc -l <err)" 2/1

# ---- what is seen first -----------------------------------------------------

report
is "runs that are the same" "$status/$(page)/$(<err)" "0/verdict good: Verdict: the same \
Same results (3 operations); no address moved. \
Same answers 3 operations had the same answers. Same status group path: 0, cdev path: 0. \
None moved group path: 40 addresses handed out, 40 of them seen in memory. \
None moved cdev path: 40 addresses handed out, 40 of them seen in memory./"
is "... with the text that is there without a page" "$(tail -n 1 out)" \
    "Same results (3 operations); no address moved."
is "... a line for each address" "$(page 'count("line", "held"), count("path", "break")')" "(64, 0)"
is "... bars for how long lookups took" "$(page 'count("rect", "mark") > 20')" True
is "... where it ran" "$(page '[w in text for w in ("6.1.0-40-amd64 #1 SMP",
    "driver --port 1", "0000:00:03.0, 8086:10d3, vfio-pci", "How to read this")]')" \
    "[True, True, True, True]"

report 'way="trap"'
contains "... and what the runs were" "$(page text)" \
    "trappedThe kernel hands the program's system calls to the library."
report 'wrong="EINVAL"'
contains "a wrong errno" "$status/$(page)" "1/verdict bad: Verdict: not the same \
Different results (1 of 3 operations); no address moved. Answers differ 1 of 3 operations. \
vfio: VFIO_SET_IOMMU, NOIOMMU : group path: done , cdev path: EINVAL Same status"
is "... can be expanded, too" "$(page '[words(e[1]) for e in of("details") if e.get("open")]')" \
    "['The answers of both runs. group path done cdev path EINVAL']"
report moved=2
contains "a page that moved" "$status/$(page)" "1/verdict bad: Verdict: not the same \
Same results (3 operations); moved: group none, cdev 2 of 40."
contains "... is told" "$(page)" \
    "Moved cdev path: 2 of 40 addresses moved while in use, although the library promises that they stay."
# One comes back, so its line goes on.
is "... its line breaks" "$(page 'count("line", "held"), count("line", "gone"),
    count("path", "break")')" "(65, 2, 2)"
report lost=7
contains "an event that was lost" "$status/$(page)" "1/verdict bad: Verdict: not the same \
Same results in what was seen (3 operations); no address moved; 7 events lost. \
Events lost group path: 0, cdev path: 7. What was in them is not compared."
report status=3
contains "another exit status" "$status/$(page)" \
    "Status differs group path: 0, cdev path: 3."
record old moved=5
report
contains "pages that moved on the group path" "$status/$(page)" "0/verdict good: Verdict: the same"
contains "... which is told" "$(page)" "Moved group path: 5 of 40 addresses moved while in use: \
nothing holds them there, and a device would have reached other memory."

# ---- what may be anything ---------------------------------------------------

record old
report 'addresses=[]' given=0 seen=0 lookups=0 'lookup_times_ns=[]' 'asked=[]' 'program=[]' \
    'devices=[]' took_ns=0
is "a run without anything" "$(page | head -n 1 | cut -c -41)" \
    "verdict bad: Verdict: not the same Differ"
report 'lookup_times_ns=[0, 1, 10**18, 2**63 - 1]' took_ns=1 'asked=[{"operation": f"x {i}",
    "answers": ["y"] * 3} for i in range(2000)]'
is "numbers that cannot be" "$(page | head -n 1 | cut -c -41)/$(page '"And 1503 more." in text')" \
    "verdict bad: Verdict: not the same Differ/True"
hostile='"<script>alert(1)</script>\"\x27&amp;]]>\n\r\t\1\x7f\u202e\u00e9-->"'
report "program=[$hostile, $hostile]" "host=$hostile" "kernel=$hostile" "devices=[$hostile]" \
    'way="uring"' "backend=$hostile" "asked=[{'operation': $hostile, 'answers': [$hostile] * 2}]"
is "names are told, and nothing obeys them" "$(page 'text.count("<script>alert(1)</script>\"\x27&amp;]]>\\x0a\\x0d\\x09\\x01\\x7f\\xe2\\x80\\xae\\xc3\\xa9-->") > 10')" True
is "... and the page is what it was" "$(page | grep -c '^wrong')" 0
ln -s "$(type -P head)" $'<b>"\n\377'
"$command" compare --ways uring,uring --report page.html -- \
    $'./<b>"\n\377' -c 8 /proc/self/pagemap "<i>&" >out 2>err || true
is "... also of a program that ran here" "$(page | grep -c '^wrong')/$(page \
    '"./<b>\"\\x0a\\xff -c 8 /proc/self/pagemap <i>&" in text')" 0/True

# ---- how it looks -----------------------------------------------------------

# The first pixel of the picture, in which no filter of PNG has anything to take from.
cat >pixel.py <<'END'
import struct, sys, zlib
data, at, packed = open(sys.argv[1], "rb").read(), 8, b""
while at < len(data):
    size, kind = struct.unpack(">I4s", data[at:at + 8])
    if kind == b"IDAT":
        packed += data[at + 8:at + 8 + size]
    at += size + 12
print(zlib.decompress(packed)[1:4].hex())
END
browser=$(type -P chromium || type -P chromium-browser || type -P google-chrome || true)
if [[ ! $browser ]]; then
    skip "the page in a browser" "there is no Chromium"
else
    browse() { # OPTION...
        HOME=$scratch timeout 100 "$browser" --headless --no-sandbox --disable-gpu \
            --hide-scrollbars "$@" 2>/dev/null
    }
    draws() { # PICTURE [OPTION...]
        browse --window-size=800,600 --screenshot="$scratch/$1" "${@:2}" \
            "file://$scratch/page.html" && python3 pixel.py "$1"
    }
    is "the page in a browser is light" "$(draws light.png)" ffffff
    is "... or dark" "$(draws dark.png --blink-settings=preferredColorScheme=0)" 14171a
    # A browser's window does not get as narrow as a telephone, a frame does.
    cat >frame.html <<'END'
<iframe id="frame" src="page.html" width="360" height="600" onload="
    document.title = frame.contentDocument.documentElement.scrollWidth"></iframe>
END
    contains "... and as narrow as a telephone" "$(browse --allow-file-access-from-files \
        --dump-dom "file://$scratch/frame.html")" "<title>360</title>"
    # With all that a verdict can have.
    record old moved=5
    report 'wrong="EINVAL"' moved=3 lost=7 status=3
    browse --no-pdf-header-footer --print-to-pdf="$scratch/page.pdf" "file://$scratch/page.html"
    is "... and on A4" "$(grep -aom 1 'MediaBox.*' page.pdf)" "MediaBox [0 0 594.95996 841.91998]"
    is "... of which no page is half blank" "$(grep -ac '/Type /Page$' page.pdf)" 4
fi
