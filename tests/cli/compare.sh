#!/usr/bin/env bash
#
# `compare` with runs that were recorded: needs no device. What runs here looks
# addresses up, and no more. The command is the one of the build directory that
# this runs in.

# shellcheck source=SCRIPTDIR/../checks.sh
. "$(dirname "${BASH_SOURCE[0]}")/../checks.sh"

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
command=$(realpath "${NOIOMMU_SHIM_COMMAND:-./noiommu-shim}")
unset LD_PRELOAD "${!NOIOMMU_SHIM_@}"
cd "$scratch"

if ! type -P python3 >/dev/null; then
    echo "there is no python3, which writes records"
    exit 77
fi
if ! "$command" run -- true 2>err && [[ $(<err) == *Sanitizer* ]]; then
    echo "the library was built with a sanitizer, which must be preloaded first"
    exit 77
fi

compare() { # ARG...
    status=0
    "$command" compare "$@" >out 2>err </dev/null || status=$?
}

complained() { # NAME WORDS
    is "$1: status, and one line" "$status/$(wc -l <err)/$(wc -c <out)" 2/1/0
    contains "$1: what is the matter" "$(<err)" "$2"
}

record() { # FILE [MEMBER=VALUE...]
    python3 "$here/compare.py" "$@"
}

json() { # EXPRESSION: of the JSON in out
    python3 -c 'import json; r = json.load(open("out")); print('"$1"')'
}

# ---- usage ------------------------------------------------------------------

record old
record new 'way="cdev"'
compare --against none --against new
complained "a record that is not there" "cannot read none"
compare --against old
complained "one record and no program" "a program is missing"
compare --against old --against new --against new
complained "three records" "more than two records"
compare --against old --against new -- true
complained "two records and a program" "two records need no program"
compare --record x --against old -- true
complained "both at once" "--record and --against exclude each other"
compare --ways walk -- true
complained "an unknown way" "'walk' is not a way"
compare --ways group,cdev,uring -- true
complained "three ways" "more than two ways"
compare --ways group,cdev --record x -- true
complained "two ways, of which one is recorded" "--ways needs 1"
compare --ways group -- true
complained "one way, to be compared" "--ways needs 2"
compare --record none/x -- true
complained "a record that cannot be written" "cannot write to none/x"

# ---- two records ------------------------------------------------------------

compare --against old --against new
is "two records that are the same" "$status/$(tail -n 1 out)/$(<err)" \
    "0/Same results (3 operations); no address moved./"
is "... in 80 columns" "$(grep -cE '.{81}' out)" 0
is "... and where they were made" "$(grep -c 'path: recorded on appliance, x86_64, Linux 6.1' out)" 2
record odd 'way="cdev"' 'wrong="EINVAL"'
compare --against old --against odd
is "a wrong errno" "$status/$(tail -n 1 out)" \
    "1/Different results (1 of 3 operations); no address moved."
is "... is told" "$(grep -A 2 SET_IOMMU out)" "vfio: VFIO_SET_IOMMU, NOIOMMU
  group path: done
  cdev path:  EINVAL"
record odd 'way="cdev"' moved=3
compare --against old --against odd
is "a page that moved on the cdev path" "$status/$(tail -n 1 out)" \
    "1/Same results (3 operations); moved: group none, cdev 3 of 40."
compare --against odd --against new
is "... on the first path, which is it, too" "$status" 1
record odd moved=3
compare --against odd --against new
is "... on the group path" "$status/$(tail -n 1 out)" \
    "0/Same results (3 operations); moved: group 3 of 40, cdev none."
record odd 'way="cdev"' lost=7
compare --against old --against odd
is "an event that was lost" "$status/$(tail -n 1 out)" \
    "1/Same results in what was seen (3 operations); no address moved; 7 events lost."
if type -P script >/dev/null; then
    TERM=xterm SHELL=/bin/sh command script -qec "stty cols 60; '$command' compare --against old \
        --against odd" /dev/null >out </dev/null || true # they differ
    is "... on a terminal the line is broken between words" "$(tail -n 2 out | tr -d '\r')" \
        $'Same results in what was seen (3 operations); no address\nmoved; 7 events lost.'
else
    skip "... on a terminal the line is broken between words" "there is no script(1)"
fi
record odd 'way="cdev"' status=1
compare --against old --against odd
is "another exit status" "$status/$(tail -n 1 out | cut -c -22)" "1/Different exit status "
compare --json --against old --against old
is "two runs of one way in JSON" "$(json 'r["same"], r["group"]["lookup_median_ns"] ==
    r["second"]["lookup_median_ns"] > 0, r["second"]["about"]["program"][0]')" "True True driver"

# ---- records that are none --------------------------------------------------

for damage in record=2 record=None 'way="walk"' way=3 lost=-1 'lost="1"' asked=0 'asked=[0]' \
    'asked=[{"operation": "x", "answers": []}]' 'asked=[{"operation": 1, "answers": ["x"]}]' \
    'asked=[{"operation": "x", "answers": ["y"]}] * 2' 'lookup_times_ns=[2, 1]' \
    'lookup_times_ns=[1.5]' 'addresses=[1]' 'kernel=[[]]' 'memory=7' \
    'addresses=[{"pid": 1, "virtual": "0xz", "physical": "0x1"}]' \
    'addresses=[{"pid": 1, "virtual": "0x1000", "physical": "0x1000", "since_ns": 0,
                 "until_ns": 1, "elsewhere_ns": [[1]]}]' \
    'addresses=[{"pid": 1, "virtual": "0x1000", "physical": "0x1000", "since_ns": 0,
                 "until_ns": 1, "elsewhere_ns": [[1, 1]] * 9}]'; do
    record odd "$damage"
    compare --against odd --against new
    complained "a record with ${damage//$'\n'/}" "odd is no record of noiommu-shim compare"
done
: >odd
compare --against odd --against new
complained "an empty record" "cannot read odd"
record odd 'host="\33[2J\u202e\x9b"' 'asked=[{"operation": "x\33[2J", "answers": ["\r\n"]}]'
compare --against odd --against new
is "a terminal obeys nothing of a record" \
    "$(tr -d '\n\040-\176' <out | wc -c)/$(grep -cF 'x\x1b[2J' out)/$(grep -cF 'group path: \x0d\x0a' out)" 0/1/1

# ---- a run that is recorded -------------------------------------------------

cat >driver <<'END'
import ctypes, mmap, os, sys, time
pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
memory = mmap.mmap(-1, 64 * 4096)
memory.write(b"x" * len(memory))
first = ctypes.addressof(ctypes.c_char.from_buffer(memory)) // 4096
for page in range(first, first + 64):
    os.pread(pagemap, 8, page * 8)
# Too many runs of pages for one event.
scattered = mmap.mmap(-1, 64 * 4096)
for page in range(0, 64, 2):
    scattered[page * 4096] = 1
first = ctypes.addressof(ctypes.c_char.from_buffer(scattered)) // 4096
os.pread(pagemap, 64 * 8, first * 8)
try:
    os.open("/dev/vfio/noiommu-4711", os.O_RDWR)
except OSError:
    time.sleep(float(sys.argv[1]))
END
compare --record run -- python3 driver 0
is "a run is recorded" "$status/$(wc -c <out)" 0/0
compare --against run --against run --json
is "... and is the same as itself" "$status/$(json 'r["same"], r["operations"],
    r["group"]["lookups"], r["group"]["about"]["program"]')" \
    "0/True 3 65 ['python3', 'driver', '0']"
is "... each operation counted once" "$(json 'r["group"]["operations"]')" 67
"$command" trace -o out -- python3 driver 0
is "... which takes several lines in a trace" \
    "$(sed -nE 's/.*lookup\(0x[0-9a-f]+, 64 pages(.*)\) = .*/\1/p' out | sed -n '1p; 3p')" \
    $'\n, from page 21 on'
if compgen -G '/dev/vfio/devices/noiommu-*' >/dev/null; then
    skip "a way that is not there" "there are cdevs"
else
    compare --against run --ways cdev -- python3 driver 0
    contains "a way that is not there" "$status/$(<err)" "no cdev path here"
fi
compare --against run --ways uring -- python3 driver 0.5
if [[ $(<err) == *"io_uring"* ]]; then
    skip "a record against a run here" "io_uring does not pin here"
else
    is "a record against a run here" "$status/$(tail -n 1 out | cut -d ';' -f 1)" \
        "0/Same results (3 operations)"
    is "... which io_uring pins" "$(awk '$1 == "by" { print $2, $3 }' out)" "- io_uring"
fi
compare --ways uring,uring --json -- python3 driver 0
is "any two ways" "$(json 'r["uring"]["way"], r["second"]["way"], r["second"]["recorded"]')" \
    "uring uring False"
if ! "$command" run --via=trap -- true 2>err; then
    skip "a preload against traps" "$(<err)"
else
    compare --ways preload,trap --json -- python3 driver 0
    is "a preload against traps" "$(json 'r["preload"]["lookups"], r["trap"]["lookups"],
        r["operations"], r["differences"]')" "65 65 3 []"
fi
compare --record run -- true
is "a program that asks nothing" "$status/$(tail -n 1 err | cut -d ' ' -f 3-)" \
    "2/true did not use VFIO and looked up no address"
